//! Any three texts as role policy, key policy and boundary: parsing, evaluating and explaining must neither panic nor
//! stall, and the document must survive printing.
//!
//! `cargo +nightly fuzz run policy fuzz/corpus/policy fuzz/seeds/policy`

#![no_main]

use libfuzzer_sys::fuzz_target;
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::policy::{
    Caller, Context, Layers, NamedPolicy, PolicyDocument, PolicySet, Request, evaluate, explain, key_trust,
    mistakes,
};

const ROLE: &str = "arn:aws:iam::111122223333:role/crr";

fuzz_target!(|text: &str| {
    // Documents are separated by a line of their own, which JSON never needs.
    let mut documents = text.split("\n---\n");
    let mut next = |name: &str| {
        let text = documents.next()?;
        let document = PolicyDocument::parse_url_encoded(text).ok()?;
        let printed = document.raw().to_string();
        assert_eq!(PolicyDocument::parse(&printed).as_ref(), Ok(&document));
        Some(NamedPolicy::new(name, document))
    };
    let identity = PolicySet::complete(next("role policy").into_iter().collect());
    let resource = next("key policy").map_or(Observed::Absent, Observed::Found);
    let boundary = next("boundary").map_or(Observed::Absent, Observed::Found);
    let (Ok(role), Ok(resource_account)) = (ROLE.parse(), "111122223333".parse()) else {
        return;
    };
    let request = Request {
        caller: Caller::session_of(&role, "s3-replication"),
        action: "kms:Decrypt".to_owned(),
        resource: "arn:aws:kms:eu-west-1:111122223333:key/k".to_owned(),
        resource_account,
        context: Context::new()
            .with("aws:PrincipalArn", ROLE)
            .with("aws:CurrentTime", "2026-05-04T10:20:30Z")
            .with("aws:SourceIp", "10.1.2.3")
            .with("kms:ViaService", "s3.eu-west-1.amazonaws.com")
            .with("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::src")
            .with_set("kms:EncryptionContextKeys", ["aws:s3:arn"]),
    };
    let layers = Layers {
        identity: &identity,
        boundary: &boundary,
        resource: &resource,
        scps: &[],
        rcps: &[],
        grants: &Observed::Absent,
    };
    let answer = evaluate(&request, &layers);
    let told = explain(&request, &answer);
    assert!(!told.chars().any(char::is_control));
    for mistake in mistakes(&request, &layers, &answer) {
        assert!(!mistake.to_string().chars().any(char::is_control));
    }
    let _ = key_trust(&request, &resource);
});
