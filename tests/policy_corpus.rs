//! The evaluator against the corpus of decisions in `tests/iam-corpus`.

#[path = "iam-corpus/case.rs"]
mod case;

use case::{BadCase, Case};
use s3_replication_remediator::policy::{Decision, evaluate};

fn compare(lines: &str) -> Result<(usize, Vec<String>), BadCase> {
    let mut agreed = 0;
    let mut disagreements = Vec::new();
    for line in lines.lines() {
        let case = Case::read(line)?;
        let answer = evaluate(&case.request, &case.layers());
        if answer.decision == case.expected {
            agreed += 1;
        } else {
            let wrongly = if answer.decision == Decision::Allowed {
                " WRONGLY"
            } else {
                ""
            };
            disagreements.push(format!(
                "{} {} ({}): expected {:?}, got{wrongly} {:?}",
                case.id, case.class, case.note, case.expected, answer.decision
            ));
        }
    }
    Ok((agreed, disagreements))
}

#[test]
fn every_decision_of_the_public_corpus_is_reproduced() {
    let (agreed, disagreements) = compare(include_str!("iam-corpus/public.jsonl")).unwrap();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    assert_eq!(agreed, 1970);
}

#[test]
fn every_decision_that_aws_documents_is_reproduced() {
    let (agreed, disagreements) = compare(include_str!("iam-corpus/documented.jsonl")).unwrap();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    assert_eq!(agreed, 27);
}

#[test]
fn a_line_that_is_no_case_is_an_error_that_names_the_field() {
    assert_eq!(
        Case::read(r#"{"id":"x"}"#).unwrap_err().to_string(),
        "`request` is missing"
    );
}
