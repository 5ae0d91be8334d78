//! Any lines `NAME=value` as the environment: whatever is accepted names what it says and no more, and whatever is refused
//! is told in one line.
//!
//! `cargo +nightly fuzz run settings fuzz/corpus/settings fuzz/seeds/settings`

#![no_main]

use libfuzzer_sys::fuzz_target;
use s3_replication_remediator::config::Config;
use s3_replication_remediator::guard::AllowedArn;

/// Nobody would open these by a pattern on purpose: they are what is refused where it is meant.
const STRANGE: [&str; 4] = [
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::111122223333:user/admin",
    "arn:aws:kms:eu-west-1:111122223333:alias/tax",
    "arn:aws:sts::111122223333:assumed-role/admin/session",
];

/// Two names with nothing in common: a pattern that names both names everything.
const ROLES: [&str; 2] = [
    "arn:aws:iam::111122223333:role/x",
    "arn:aws:iam::111122223333:role/Zz9",
];
const KEYS: [&str; 2] = [
    "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000",
    "arn:aws:kms:eu-west-1:111122223333:key/11111111-1111-1111-1111-111111111111",
];

fn names_no_more_than_it_says(patterns: &[AllowedArn], all: [&str; 2]) {
    for pattern in patterns {
        assert!(STRANGE.iter().all(|arn| !pattern.matches(arn)), "{pattern}");
        assert!(
            !all.iter().all(|arn| pattern.matches(arn)),
            "{pattern} names everything"
        );
        assert!(!pattern.to_string().contains(char::is_whitespace), "{pattern}");
    }
}

fuzz_target!(|text: &str| {
    let variables = text
        .lines()
        .map(|line| line.split_once('=').unwrap_or((line, "")));
    match Config::from_env(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))) {
        Ok(config) => {
            names_no_more_than_it_says(&config.allowed_roles, ROLES);
            names_no_more_than_it_says(&config.allowed_keys, KEYS);
            assert_ne!(config.opt_in_tag, config.opt_out_tag);
            let _ = (config.guards(), config.scope(), config.remind_after());
        }
        Err(errors) => {
            assert!(!errors.problems().is_empty());
            assert!(!errors.to_string().contains(char::is_control), "{errors}");
        }
    }
});
