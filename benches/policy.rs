//! How many decisions of the corpus one core evaluates in a second, with documents at hand and with their parsing.
//!
//! `cargo bench --no-default-features --bench policy`

#[path = "../tests/iam-corpus/case.rs"]
#[expect(dead_code, reason = "a benchmark does not look at verdicts")]
mod case;

use case::Case;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::policy::{
    Layers, NamedPolicy, PolicyDocument, PolicyLevel, PolicySet, evaluate,
};
use std::hint::black_box;

/// The documents of a case as text, in the form in which AWS returns them.
struct Texts {
    identity: Vec<String>,
    boundary: Option<String>,
    resource: Option<String>,
    scps: Vec<Vec<String>>,
    rcps: Vec<Vec<String>>,
}

impl Texts {
    fn of(case: &Case) -> Self {
        let text = |policy: &NamedPolicy| policy.document.raw().to_string();
        let set = |set: &PolicySet| set.policies.iter().map(text).collect::<Vec<_>>();
        let levels = |levels: &[PolicyLevel]| levels.iter().map(|level| set(&level.policies)).collect();
        Self {
            identity: set(&case.identity),
            boundary: case.boundary.found().map(text),
            resource: case.resource.found().map(text),
            scps: levels(&case.scps),
            rcps: levels(&case.rcps),
        }
    }
}

fn parse(text: &str) -> Option<NamedPolicy> {
    Some(NamedPolicy::new("policy", PolicyDocument::parse(text).ok()?))
}

fn parse_set(texts: &[String]) -> PolicySet {
    PolicySet::complete(texts.iter().filter_map(|text| parse(text)).collect())
}

fn parse_levels(levels: &[Vec<String>]) -> Vec<PolicyLevel> {
    levels
        .iter()
        .map(|texts| PolicyLevel {
            name: String::new(),
            policies: parse_set(texts),
        })
        .collect()
}

fn parse_one(text: Option<&String>) -> Observed<NamedPolicy> {
    text.and_then(|text| parse(text))
        .map_or(Observed::Absent, Observed::Found)
}

fn corpus(criterion: &mut Criterion) {
    let cases: Vec<Case> = include_str!("../tests/iam-corpus/public.jsonl")
        .lines()
        .filter_map(|line| Case::read(line).ok())
        .collect();
    let texts: Vec<Texts> = cases.iter().map(Texts::of).collect();
    let mut group = criterion.benchmark_group("corpus");
    group.throughput(Throughput::Elements(cases.len().try_into().unwrap_or(u64::MAX)));
    group.bench_function("evaluate", |bencher| {
        bencher.iter(|| {
            for case in &cases {
                let _ = black_box(evaluate(&case.request, &case.layers()));
            }
        });
    });
    group.bench_function("parse and evaluate", |bencher| {
        bencher.iter(|| {
            for (case, texts) in cases.iter().zip(&texts) {
                let identity = parse_set(&texts.identity);
                let boundary = parse_one(texts.boundary.as_ref());
                let resource = parse_one(texts.resource.as_ref());
                let (scps, rcps) = (parse_levels(&texts.scps), parse_levels(&texts.rcps));
                let layers = Layers {
                    identity: &identity,
                    boundary: &boundary,
                    resource: &resource,
                    scps: &scps,
                    rcps: &rcps,
                    grants: &case.grants,
                };
                let _ = black_box(evaluate(&case.request, &layers));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, corpus);
criterion_main!(benches);
