//! `check`: which buckets are looked at, side by side, and what a pipeline is told of it.
//!
//! A bucket that cannot be looked at costs the others nothing: what is known is written, and the exit code tells the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::StreamExt as _;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::arguments::{AwsArguments, CheckArguments};
use super::configuration::Configuration;
use super::exit::Exit;
use super::look::{Looked, Question, Session};
use super::output::{self, Answers, File, UnwritableAnswers};
use super::resume::{ResumeFile, Task};
use super::{Problem, complain, note, now, reach, read};
use crate::arn::{BucketName, Region};
use crate::aws::Aws;
use crate::mode::Mode;
use crate::observed::Observed;
use crate::source::{BucketAt, Reader, Source as _};

/// A bucket, and where S3 says it lies.
type Place = (BucketName, Option<Region>);

pub(super) async fn run(aws: &AwsArguments, said: CheckArguments) -> Result<Exit, Problem> {
    // What is wrong with a file is told before anybody logs in.
    output::can_be_put(said.output.output_file.as_deref())?;
    let file = match (&said.config, &said.bucket) {
        (Some(path), Some(bucket)) => Some((load(path)?, bucket)),
        _ => None,
    };
    // What is not in force cannot be repaired by a plan for it: a person is told the commands.
    let mode = file.is_some().then_some(Mode::DryRun);
    let (reached, access) = reach(aws, &said.settings, mode).await?;
    let session = &access.session(&reached);
    match file {
        Some((file, bucket)) => {
            let question = Question::CheckPlanned(&file.configuration.replication);
            let looked = session.ask(bucket, None, &question, now()).await;
            let found = Found::of(bucket, looked);
            finish(&said, found, false, Some(file))
        }
        None if said.all => all(session, &said).await,
        None => {
            let mut seen = BTreeSet::new();
            let buckets = said.buckets.iter().filter(|bucket| seen.insert(*bucket));
            let places: Vec<Place> = buckets.map(|bucket| (bucket.clone(), None)).collect();
            let is_list = places.len() > 1;
            let bar = bar(places.len());
            let found = look(session, &places, &said, &bar, None).await?;
            bar.finish_and_clear();
            finish(&said, found, is_list, None)
        }
    }
}

fn load(path: &Path) -> Result<File, Problem> {
    let text = read(path)?;
    let file = path.display().to_string();
    match Configuration::parse(&text) {
        Ok(configuration) => Ok(File {
            path: file,
            configuration,
        }),
        Err(source) => Err(Problem::Configuration { file, source }),
    }
}

/// Every bucket of the account that has a replication configuration and did not opt out.
async fn all(session: &Session<'_, Aws>, said: &CheckArguments) -> Result<Exit, Problem> {
    let mut journal = match &said.resume {
        Some(file) => Some(ResumeFile::open(
            file,
            &Task::new(&session.identity, &session.config),
        )?),
        None => None,
    };
    let mut found = Found::default();
    let mut done: BTreeSet<BucketName> = BTreeSet::new();
    if let Some(journal) = &journal {
        done.extend(journal.done.keys().cloned());
        for (bucket, looked) in &journal.done {
            if let Some(looked) = looked {
                found.looked.insert(bucket.clone(), looked.clone());
            }
        }
        if !done.is_empty() {
            note(&format!("going on: {} buckets are done already", done.len()));
        }
    }
    let listed = session.aws.all_buckets().await.map_err(Problem::NoList)?;
    let open: Vec<Place> = listed
        .into_iter()
        .map(|bucket| (bucket.name, bucket.region))
        .filter(|(name, _)| !done.contains(name))
        .collect();
    let bar = bar(open.len());
    let rest = look(session, &open, said, &bar, journal.as_mut()).await?;
    bar.finish_and_clear();
    if !rest.opted_out.is_empty() {
        let names: Vec<&str> = rest.opted_out.iter().map(BucketName::as_str).collect();
        note(&format!(
            "passed over, since they are tagged `{}`: {}",
            session.config.opt_out_tag,
            names.join(", ")
        ));
    }
    let is_complete = rest.failures == 0;
    found.looked.extend(rest.looked);
    found.failures += rest.failures;
    let exit = finish(said, found, true, None)?;
    if let Some(journal) = journal {
        match is_complete {
            // What is done is done: the next run is a new one.
            true => journal.remove()?,
            false => note("run the same command again to go on with the buckets that failed"),
        }
    }
    Ok(exit)
}

/// What was found, bucket by bucket.
#[derive(Default)]
struct Found {
    looked: BTreeMap<BucketName, Looked>,
    opted_out: Vec<BucketName>,
    failures: usize,
}

impl Found {
    fn of(bucket: &BucketName, looked: Result<Looked, super::LookFailure>) -> Self {
        let mut found = Self::default();
        found.add(bucket, looked);
        found
    }

    fn add(&mut self, bucket: &BucketName, looked: Result<Looked, super::LookFailure>) {
        match looked {
            Ok(looked) => {
                self.looked.insert(bucket.clone(), looked);
            }
            Err(failure) => {
                complain(&format!("bucket `{bucket}`: {}", failure.told()));
                self.failures += 1;
            }
        }
    }
}

/// What one of all buckets turned out to be.
enum Turn {
    Looked(Box<Result<Looked, super::LookFailure>>),
    NotReplicated,
    OptedOut,
}

/// Looks at buckets side by side. Each that is done is noted in the journal at once.
async fn look(
    session: &Session<'_, Aws>,
    places: &[Place],
    said: &CheckArguments,
    bar: &ProgressBar,
    mut journal: Option<&mut ResumeFile>,
) -> Result<Found, Problem> {
    let mut found = Found::default();
    let mut turns = stream::iter(places)
        .map(|(bucket, region)| async move {
            if said.all
                && let Some(turn) = passed_over(session, bucket, region.as_ref()).await
            {
                return (bucket, turn);
            }
            let looked = session
                .ask(bucket, region.as_ref(), &Question::Check, now())
                .await;
            (bucket, Turn::Looked(Box::new(looked)))
        })
        .buffer_unordered(usize::from(said.jobs));
    while let Some((bucket, turn)) = turns.next().await {
        bar.inc(1);
        bar.set_message(bucket.to_string());
        if let Some(journal) = &mut journal {
            match &turn {
                Turn::Looked(looked) => {
                    if let Ok(looked) = looked.as_ref() {
                        journal.add(bucket, Some(looked))?;
                    }
                }
                Turn::NotReplicated | Turn::OptedOut => journal.add(bucket, None)?,
            }
        }
        match turn {
            Turn::Looked(looked) => bar.suspend(|| found.add(bucket, *looked)),
            Turn::NotReplicated => {}
            Turn::OptedOut => found.opted_out.push(bucket.clone()),
        }
    }
    found.opted_out.sort();
    Ok(found)
}

/// Why one of all buckets is not looked at. What cannot be read is looked at, so that it is told.
async fn passed_over(
    session: &Session<'_, Aws>,
    bucket: &BucketName,
    region: Option<&Region>,
) -> Option<Turn> {
    let at = BucketAt {
        name: bucket.clone(),
        region: region.unwrap_or_else(|| session.caller.region()).clone(),
        owner: session.identity.account.clone(),
        reader: Reader::Own,
    };
    match session.aws.replication(&at).await {
        Observed::Absent => return Some(Turn::NotReplicated),
        Observed::Found(_) | Observed::Unreadable(_) => {}
    }
    let tags = session.aws.bucket_tags(&at).await;
    let is_opted_out = tags
        .found()
        .is_some_and(|tags| session.config.opt_out_tag.is_in(tags));
    is_opted_out.then_some(Turn::OptedOut)
}

/// Shown on a terminal only, beside the answer.
fn bar(length: usize) -> ProgressBar {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if length < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Writes the answers, and says how it ended.
fn finish(said: &CheckArguments, found: Found, is_list: bool, file: Option<File>) -> Result<Exit, Problem> {
    let failed = (found.failures > 0).then_some(Exit::Unreachable);
    if found.looked.is_empty() && !said.all {
        return Ok(failed.unwrap_or(Exit::Unreachable));
    }
    let answers =
        Answers::new(in_order(said, found.looked), is_list, file).map_err(UnwritableAnswers::Json)?;
    let text = answers.written(said.output.output)?;
    output::put(&text, said.output.output_file.as_deref())?;
    let verdicts = answers
        .reports
        .iter()
        .map(|report| said.fail_on.exit(report.verdict));
    Ok(verdicts.chain(failed).max().unwrap_or(Exit::Healthy))
}

/// In the order in which they were asked for; all buckets by name.
fn in_order(said: &CheckArguments, mut looked: BTreeMap<BucketName, Looked>) -> Vec<Looked> {
    let mut ordered: Vec<Looked> = said
        .buckets
        .iter()
        .filter_map(|bucket| looked.remove(bucket))
        .collect();
    ordered.extend(looked.into_values());
    ordered
}
