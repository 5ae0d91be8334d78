//! `apply`, `undo` and `backlog`: only the plan that was shown is applied, and only after confirmation.
//!
//! The digest is what a person approves, as in the function's `approve`: if the current plan differs, it is refused and
//! shown. All guards are the core's.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::arguments::{
    ApplyArguments, AwsArguments, BacklogArguments, Format, OutputArguments, UndoArguments,
};
use super::exit::{Exit, FailOn};
use super::look::{Looked, Question, Session};
use super::output::{self, Answers, UnwritableAnswers};
use super::report::Report;
use super::{Problem, note, now, reach};
use crate::arn::BucketName;
use crate::aws::Aws;
use crate::event::PlanDigest;

pub(super) async fn apply(aws: &AwsArguments, said: &ApplyArguments) -> Result<Exit, Problem> {
    may_ask(said.plan.as_ref(), said.yes)?;
    output::can_be_put(said.output.output_file.as_deref())?;
    let (reached, access) = reach(aws, &said.settings, None).await?;
    let session = &access.session(&reached);
    let bucket = &said.bucket;
    let digest = match (&said.plan, said.yes) {
        (Some(plan), true) => plan.clone(),
        (plan, _) => {
            let looked = ask(session, bucket, &Question::Check).await?;
            match agreed(bucket, &looked, plan.as_ref(), "Apply", &said.output)? {
                Agreement::To(digest) => digest,
                Agreement::NothingToDo => return shown(&looked, &said.output, Some(said.fail_on)),
                Agreement::No => return Ok(Exit::NotApplied),
            }
        }
    };
    let looked = ask(session, bucket, &Question::Apply(&digest)).await?;
    shown(&looked, &said.output, Some(said.fail_on))
}

pub(super) async fn undo(aws: &AwsArguments, said: &UndoArguments) -> Result<Exit, Problem> {
    if said.plan.is_some() {
        may_ask(said.plan.as_ref(), said.yes)?;
    }
    output::can_be_put(said.output.output_file.as_deref())?;
    let (reached, access) = reach(aws, &said.settings, None).await?;
    let session = &access.session(&reached);
    let bucket = &said.bucket;
    let question = |plan| Question::Undo {
        role: said.role.as_ref(),
        keys: &said.keys,
        plan,
    };
    let digest = match (&said.plan, said.yes) {
        (Some(plan), true) => plan.clone(),
        (None, _) => {
            // A look: it has come to its end whatever it found.
            let looked = ask(session, bucket, &question(None)).await?;
            write(&looked, &said.output)?;
            return Ok(Exit::Healthy);
        }
        (Some(plan), false) => {
            let looked = ask(session, bucket, &question(None)).await?;
            match agreed(bucket, &looked, Some(plan), "Take this back", &said.output)? {
                Agreement::To(digest) => digest,
                Agreement::NothingToDo => return shown(&looked, &said.output, None),
                Agreement::No => return Ok(Exit::NotApplied),
            }
        }
    };
    let looked = ask(session, bucket, &question(Some(&digest))).await?;
    shown(&looked, &said.output, None)
}

/// Nobody is asked here: the job does nothing until somebody confirms it.
pub(super) async fn backlog(aws: &AwsArguments, said: &BacklogArguments) -> Result<Exit, Problem> {
    output::can_be_put(said.output.output_file.as_deref())?;
    let (reached, access) = reach(aws, &said.settings, None).await?;
    let session = &access.session(&reached);
    let looked = ask(session, &said.bucket, &Question::Backlog).await?;
    write(&looked, &said.output)?;
    let is_made = view(&looked)?
        .backlog
        .is_some_and(|backlog| backlog.job_id.is_some());
    Ok(if is_made { Exit::Healthy } else { Exit::NotApplied })
}

/// Without a terminal nobody can be asked. That is said before anything is done.
fn may_ask(plan: Option<&PlanDigest>, yes: bool) -> Result<(), Problem> {
    let problem = match (plan, yes) {
        (Some(_), true) => return Ok(()),
        _ if io::stdin().is_terminal() => return Ok(()),
        (Some(_), false) => "nobody can be asked, since standard input is no terminal; add --yes",
        (None, _) => {
            "nobody can be asked, since standard input is no terminal; take the plan from `check`, and give it with \
             --plan and --yes"
        }
    };
    Err(Problem::Usage(problem.to_owned()))
}

async fn ask(
    session: &Session<'_, Aws>,
    bucket: &BucketName,
    question: &Question<'_>,
) -> Result<Looked, Problem> {
    session
        .ask(bucket, None, question, now())
        .await
        .map_err(|source| Problem::Look {
            bucket: bucket.to_string(),
            source,
        })
}

enum Agreement {
    To(PlanDigest),
    NothingToDo,
    No,
}

/// Shows a plan, beside the answer, and asks.
fn agreed(
    bucket: &BucketName,
    looked: &Looked,
    wanted: Option<&PlanDigest>,
    what: &str,
    said: &OutputArguments,
) -> Result<Agreement, Problem> {
    let report = view(looked)?;
    let Some(plan) = report.plan.as_ref().filter(|plan| !plan.changes.is_empty()) else {
        return Ok(Agreement::NothingToDo);
    };
    let Ok(digest) = plan.digest.parse::<PlanDigest>() else {
        return Ok(Agreement::NothingToDo);
    };
    let answers = Answers::new(vec![looked.clone()], false, None).map_err(UnwritableAnswers::Json)?;
    let text = answers.written(Format::Text)?;
    let mut out = anstream::stderr();
    let mut asked = || {
        out.write_all(text.as_bytes())?;
        if wanted.is_some_and(|wanted| *wanted != digest) {
            writeln!(
                out,
                "\nThis is not the plan that was named: it is the plan of now."
            )?;
            return Ok(false);
        }
        write!(out, "\n{what} for `{bucket}`? Only `yes` is taken: ")?;
        out.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim() == "yes")
    };
    let is_agreed: bool = asked().map_err(Problem::Unasked)?;
    if is_agreed {
        return Ok(Agreement::To(digest));
    }
    note("Nothing was changed.");
    if said.output != Format::Text || said.output_file.is_some() {
        write(looked, said)?;
    }
    Ok(Agreement::No)
}

fn view(looked: &Looked) -> Result<Report, Problem> {
    looked
        .view()
        .map_err(|error| Problem::Answers(UnwritableAnswers::Json(error)))
}

fn write(looked: &Looked, said: &OutputArguments) -> Result<(), Problem> {
    let answers = Answers::new(vec![looked.clone()], false, None).map_err(UnwritableAnswers::Json)?;
    let text = answers.written(said.output)?;
    Ok(output::put(&text, said.output_file.as_deref())?)
}

/// Writes what became of it. Where the plan is in place, `fail_on` says whether what is left counts.
fn shown(looked: &Looked, said: &OutputArguments, fail_on: Option<FailOn>) -> Result<Exit, Problem> {
    write(looked, said)?;
    let report = view(looked)?;
    let has_plan = !report.changes().is_empty();
    if has_plan && !report.is_in_place() {
        return Ok(Exit::NotApplied);
    }
    Ok(fail_on.map_or(Exit::Healthy, |fail_on| fail_on.exit(report.verdict)))
}
