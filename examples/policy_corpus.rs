//! Runs the evaluator over files of the decision corpus: one line per disagreement, then the count.
//!
//! `cargo run --release --no-default-features --example policy_corpus -- FILE...`

#[path = "../tests/iam-corpus/case.rs"]
mod case;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use case::Case;
use s3_replication_remediator::policy::{Decision, evaluate, explain};

fn main() -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let files: Vec<String> = std::env::args().skip(1).collect();
    let outcome = run(&files, &mut out).and_then(|all_agree| {
        out.flush().map_err(|error| error.to_string())?;
        Ok(all_agree)
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            // Nothing is left to report to if standard error is closed too.
            let _ = writeln!(io::stderr(), "policy_corpus: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Does every case of every file agree?
fn run(files: &[String], out: &mut impl Write) -> Result<bool, String> {
    if files.is_empty() {
        return Err("expected the names of corpus files (JSON lines)".to_owned());
    }
    let (mut agree, mut disagree, mut wrongly_allowed) = (0_usize, 0_usize, 0_usize);
    for file in files {
        let lines = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        for (number, line) in lines.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let case = Case::read(line).map_err(|error| format!("{file}:{}: {error}", number + 1))?;
            let answer = evaluate(&case.request, &case.layers());
            if answer.decision == case.expected {
                agree += 1;
                continue;
            }
            disagree += 1;
            if answer.decision == Decision::Allowed {
                wrongly_allowed += 1;
            }
            let why = explain(&case.request, &answer);
            writeln!(
                out,
                "{} {} ({}): expected {:?}, got {:?}: {why}",
                case.id, case.class, case.note, case.expected, answer.decision
            )
            .map_err(|error| error.to_string())?;
        }
    }
    writeln!(
        out,
        "{agree} agree, {disagree} disagree, {wrongly_allowed} wrongly allowed"
    )
    .map_err(|error| error.to_string())?;
    Ok(disagree == 0)
}
