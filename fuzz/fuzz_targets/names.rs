//! Any text as each kind of name: what is accepted must print as what it was.
//!
//! `cargo +nightly fuzz run names fuzz/corpus/names`

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use s3_replication_remediator::arn::{
    AccountId, Arn, BucketName, KeyArn, KeyReference, Partition, Region, RoleArn,
};

fn prints_as_it_was<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        assert_eq!(name.to_string(), text);
    }
}

fuzz_target!(|text: &str| {
    prints_as_it_was::<AccountId>(text);
    prints_as_it_was::<Arn>(text);
    prints_as_it_was::<BucketName>(text);
    prints_as_it_was::<KeyArn>(text);
    prints_as_it_was::<KeyReference>(text);
    prints_as_it_was::<Partition>(text);
    prints_as_it_was::<Region>(text);
    prints_as_it_was::<RoleArn>(text);
    if let Ok(bucket) = BucketName::from_arn(text) {
        assert!(text.ends_with(bucket.as_str()));
    }
});
