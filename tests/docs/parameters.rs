//! What the stack's parameters take, held against what the function's settings take.
//!
//! CloudFormation refuses by pattern what `tests/template/test_parameters.py` has it refuse
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>). A value that it lets
//! pass and the function does not understand would be a stack that is deployed and does not start.

use serde_json::Value;

use s3_replication_remediator::config::{Config, SETTINGS};

use crate::{MADE_BY_THE_STACK, text};

fn parameter_of(setting: &str) -> String {
    setting
        .split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            format!("{first}{}", rest.to_lowercase())
        })
        .collect()
}

/// What must be set beside a setting for it to mean something.
fn needed_by(setting: &str) -> &'static [(&'static str, &'static str)] {
    match setting {
        "MEMBER_ROLE_NAME" => &[("TRUSTED_ACCOUNTS", "111122223333")],
        "MEMBER_ROLE_EXTERNAL_ID" => &[
            ("TRUSTED_ACCOUNTS", "111122223333"),
            ("MEMBER_ROLE_NAME", "reader"),
        ],
        "SAMPLE_OBJECTS" => &[("INSPECT_OBJECTS", "true")],
        _ => &[],
    }
}

#[test]
fn a_value_that_the_template_takes_is_one_that_the_function_takes() {
    let samples: Value = serde_json::from_str(&text("tests/template/values.json")).unwrap();
    for setting in SETTINGS {
        let Some(samples) = samples.get(parameter_of(setting.name)) else {
            assert!(MADE_BY_THE_STACK.contains(&setting.name), "{}", setting.name);
            continue;
        };
        for value in samples["taken"].as_array().unwrap() {
            let value = value.as_str().unwrap();
            let vars = needed_by(setting.name)
                .iter()
                .copied()
                .chain([(setting.name, value)])
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            let read = Config::from_env(vars);
            assert!(read.is_ok(), "{}={value}: {}", setting.name, read.unwrap_err());
        }
    }
}
