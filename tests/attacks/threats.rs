//! The list of threats names tests: each is there, and each test here is in the list.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The tests in the files of a folder.
fn tests(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        for test in source.split("test]\n").skip(1) {
            let name = test.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
            found.extend(name.map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_test_that_the_list_of_threats_names_is_there_and_every_attack_is_in_it() {
    let threats = text("docs/THREATS.md");
    let named: BTreeSet<String> = threats
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| {
            name.matches('_').count() > 3
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b))
        })
        .map(str::to_owned)
        .collect();
    let ours = tests("tests/attacks");
    let all: BTreeSet<String> = [
        "tests/plan",
        "tests/growth",
        "tests/wire",
        "tests/core/handler",
        "tests/core/over_time",
        "tests/core/scenarios",
    ]
    .into_iter()
    .flat_map(tests)
    .chain(ours.iter().cloned())
    .collect();
    assert_eq!(named.difference(&all).collect::<Vec<_>>(), [] as [&String; 0]);
    let itself = "every_test_that_the_list_of_threats_names_is_there_and_every_attack_is_in_it";
    let missing: Vec<_> = ours.difference(&named).filter(|name| *name != itself).collect();
    assert_eq!(missing, [] as [&String; 0]);
}
