//! Every known cause of replication that fails, and the stories that tell it, or why none can.

use std::collections::BTreeSet;

use super::story::Story;

enum Shown {
    By(&'static [&'static str]),
    /// No read of the account shows it: why.
    Not(&'static str),
}

use Shown::{By, Not};

const CAUSES: &[(&str, Shown)] = &[
    (
        "the rule does not select objects under KMS keys",
        By(&[
            "rule-passes-kms-objects-over",
            "rule-passes-over-objects-that-their-writers-encrypted",
            "copied-remedy-without-encryption-in-the-rule",
            "rules-into-two-regions-pass-kms-objects-over",
            "rule-names-a-replica-key-and-passes-kms-objects-over",
            "rule-passes-kms-objects-over-and-its-keys-are-of-no-use",
            "rule-of-lower-priority-takes-a-part-of-the-kms-objects",
            "first-generation-rule-passes-kms-objects-over",
        ]),
    ),
    (
        "the rule names no key, or nothing that S3 could take for one",
        By(&["replica-key-not-named", "replica-key-named-by-a-bare-id"]),
    ),
    (
        "the replica key is gone",
        By(&["replica-key-deleted", "replica-key-alias-points-nowhere"]),
    ),
    (
        "the replica key lies in another Region than the destination",
        By(&[
            "replica-key-in-the-sources-region",
            "replica-key-is-the-multi-region-key-of-the-source",
            "replica-key-is-a-multi-region-key-without-relative",
            "replica-key-is-a-copy-of-a-multi-region-key-in-a-third-region",
            "put-refused-for-a-key-of-another-region",
            "one-of-two-rules-is-wrong",
        ]),
    ),
    (
        "the replica key is in a state in which it cannot be used, or soon will be",
        By(&[
            "replica-key-disabled",
            "rule-of-higher-priority-names-a-disabled-key",
            "replica-key-about-to-be-deleted",
            "replica-key-without-material",
            "replica-key-cut-off-from-its-key-store",
            "replica-key-still-being-made",
            "replica-key-in-a-state-nobody-knows",
            "replica-key-material-about-to-expire",
            "replica-key-in-an-external-key-store",
        ]),
    ),
    (
        "the source key is in such a state, or gone",
        By(&[
            "source-key-disabled",
            "source-key-about-to-be-deleted",
            "source-key-deleted",
            "source-key-asymmetric",
            "source-key-of-two-layers-deleted",
            "rule-passes-kms-objects-over-and-source-key-disabled",
            "source-key-material-about-to-expire",
        ]),
    ),
    (
        "the default key of a bucket lies in another Region than the bucket",
        By(&[
            "source-key-in-another-region",
            "source-key-in-another-region-that-the-role-may-use",
            "source-key-is-the-multi-region-key-of-the-destination",
            "unencrypted-object-failed-and-the-default-key-is-in-another-region",
        ]),
    ),
    (
        "the key is of a type that S3 cannot use",
        By(&["replica-key-asymmetric", "replica-key-for-authentication-codes"]),
    ),
    (
        "the key is managed by AWS",
        By(&[
            "replica-key-managed-by-aws",
            "replica-key-managed-by-aws-across-accounts",
            "replica-key-managed-by-aws-for-another-account",
            "destination-of-a-stranger-and-replica-key-managed-by-aws-there",
        ]),
    ),
    (
        "the key is named by an alias, which points elsewhere or which a policy takes for the key",
        By(&[
            "replica-key-named-by-alias",
            "replica-key-alias-re-pointed",
            "policy-names-the-alias-of-the-replica-key",
        ]),
    ),
    (
        "the role may not decrypt with the source key",
        By(&["role-lacks-decrypt", "role-lacks-kms-altogether"]),
    ),
    (
        "the role may not encrypt with the replica key",
        By(&[
            "role-lacks-encrypt",
            "rule-of-lower-priority-takes-the-kms-objects-and-role-lacks-its-key",
            "role-lacks-data-keys-with-a-bucket-key",
            "copied-module-without-any-kms-statement",
        ]),
    ),
    (
        "the encryption context in the policy is not the one that S3 sends",
        By(&[
            "context-of-objects-while-a-bucket-key-is-on",
            "context-of-the-bucket-while-no-bucket-key-is-on",
            "context-of-a-narrower-prefix-than-the-rules",
            "context-compared-without-wildcards",
            "contexts-that-take-in-other-buckets",
            "objects-seen-without-the-buckets-bucket-key",
            "copied-walkthrough-with-bucket-keys-switched-on-later",
            "copied-complete-policy-with-a-bucket-key",
        ]),
    ),
    (
        "the condition key is misspelt, or names another bucket",
        By(&["context-key-misspelt", "context-of-another-bucket"]),
    ),
    (
        "kms:ViaService names another Region",
        By(&["via-service-of-the-sources-region"]),
    ),
    (
        "the key policy neither names the role nor leaves the decision to its account",
        By(&[
            "key-policy-leaves-nothing-to-the-account",
            "key-policy-leaves-nothing-to-the-account-but-grants-to-us",
            "key-policy-leaves-nothing-to-the-account-and-no-bucket-key-for-a-grant",
            "key-policy-leaves-only-looking-to-the-account",
            "key-policy-leaves-all-but-encrypting-to-the-account",
            "key-policy-names-the-service-in-place-of-the-role",
            "key-policy-still-means-the-deleted-role",
        ]),
    ),
    (
        "the key policy denies, or allows under conditions that replication does not meet",
        By(&[
            "key-policy-denies-outside-the-endpoint",
            "key-policy-denies-other-addresses",
            "key-policy-denies-other-addresses-but-to-services",
            "key-policy-denies-roles-without-a-tag",
            "key-policy-denies-outside-another-region",
            "key-policy-denies-the-context-of-the-bucket",
            "key-policy-asks-for-an-organisation",
            "key-policy-for-another-caller-account",
        ]),
    ),
    (
        "the policy of another account's key does not let the role in",
        By(&[
            "other-accounts-key-policy-lacks-the-role",
            "both-sides-lack-the-other-accounts-key",
        ]),
    ),
    (
        "the role may not use another account's key",
        By(&[
            "role-lacks-the-other-accounts-key",
            "other-accounts-key-policy-unread-and-role-lacks-the-key",
            "member-role-may-not-read-the-key-policy-and-role-lacks-the-key",
            "source-key-of-another-account-and-role-lacks-it",
        ]),
    ),
    (
        "a statement for the role asks for keys that only calls of services have",
        By(&[
            "key-policy-asks-for-a-source-account",
            "copied-blog-with-key-policies-and-no-kms-in-the-role",
        ]),
    ),
    (
        "objects are encrypted with another key than the bucket's",
        By(&[
            "object-failed-under-an-older-key",
            "object-failed-under-a-deleted-key",
            "object-failed-under-another-accounts-key",
        ]),
    ),
    (
        "s3:GetObjectVersion in place of s3:GetObjectVersionForReplication",
        By(&[
            "object-version-in-place-of-version-for-replication",
            "copied-terraform-example-with-a-replica-key",
        ]),
    ),
    (
        "the role may not read something else of the source",
        By(&[
            "role-may-not-read-the-configuration",
            "role-may-not-read-access-control-lists",
            "role-may-not-read-tags",
            "bucket-actions-on-the-objects-alone",
            "object-actions-on-the-bucket-alone",
            "policy-for-a-narrower-prefix-than-the-rules",
            "policy-tests-a-tag-that-nothing-fixes",
            "policy-tests-the-tag-that-the-filter-demands",
            "object-version-allowed-for-some-tags-where-no-rule-takes-kms-objects",
            "role-may-list-under-a-prefix-only",
            "source-policy-denies-outside-the-endpoint",
            "copied-complete-policy-without-tags",
            "copied-from-the-first-years-of-replication",
            "copied-template-with-object-actions-on-buckets",
        ]),
    ),
    (
        "the role may not write something to the destination",
        By(&[
            "role-may-not-write-replicas",
            "put-object-in-place-of-replicate-object",
            "role-may-not-write-tags",
            "role-may-not-replicate-delete-markers",
            "delete-markers-denied-for-want-of-encryption",
            "first-generation-rule-without-the-right-to-delete",
        ]),
    ),
    (
        "the destination's bucket policy denies, or across accounts does not allow",
        By(&[
            "destination-policy-denies-the-role",
            "destination-policy-denies-another-key-than-its-own",
            "destination-policy-takes-one-layer-of-encryption-only",
            "destination-policy-denies-and-role-lacks-it-too",
            "destination-policy-asks-for-a-kind-of-signature",
            "destination-policy-demands-a-tls-that-s3-may-not-use",
            "destination-policy-denies-sessions-without-a-second-factor",
            "destination-policy-takes-some-programs-only",
            "destination-policy-denies-other-addresses-but-to-services",
            "destination-policy-demands-encryption-that-nothing-tells",
            "destination-policy-demands-kms-of-objects-without",
            "destination-policy-denies-roles-without-a-tag",
            "other-accounts-bucket-policy-still-means-the-deleted-role",
            "other-accounts-bucket-policy-lacks-the-role",
            "other-accounts-bucket-policy-for-the-role-under-its-wrong-path",
            "both-sides-lack-the-other-accounts-bucket",
            "other-accounts-bucket-policy-unread-and-role-lacks-the-bucket",
        ]),
    ),
    (
        "owner override without permission",
        By(&[
            "owner-override-not-allowed-to-the-role",
            "owner-override-not-allowed-by-the-other-account",
        ]),
    ),
    (
        "the role is gone or may not be assumed",
        By(&[
            "role-deleted",
            "role-under-another-path",
            "trust-policy-names-another-service",
            "trust-policy-names-another-account",
            "trust-policy-asks-for-a-source-account",
            "trust-policy-lets-in-everyone",
            "role-gone-and-destination-gone",
        ]),
    ),
    (
        "the permissions boundary, or the role's own denial",
        By(&[
            "boundary-without-kms",
            "boundary-without-kms-and-role-without-it-too",
            "boundary-denies-other-regions",
            "boundary-that-aws-manages-without-kms",
            "role-carries-a-denial-that-aws-manages",
            "role-policy-denies-kms",
        ]),
    ),
    (
        "service and resource control policies of the organisation",
        Not("no API shows an account which of them apply to it; every report says so under `notEvaluated`"),
    ),
    (
        "the destination is gone, or somebody else's",
        By(&[
            "destination-bucket-gone",
            "destination-bucket-gone-and-source-has-object-lock",
            "other-accounts-destination-bucket-gone",
            "destination-of-a-stranger",
            "destination-of-a-stranger-and-role-lacks-the-key",
            "rule-claims-another-owner",
        ]),
    ),
    (
        "versioning is not on",
        By(&[
            "source-versioning-suspended",
            "destination-versioning-suspended",
            "destination-never-versioned",
            "both-buckets-unversioned-and-trust-wrong",
        ]),
    ),
    (
        "Object Lock on one side only, or without the rights for it",
        By(&[
            "destination-without-object-lock",
            "other-accounts-bucket-without-object-lock",
            "role-may-not-read-object-locks",
        ]),
    ),
    (
        "a policy that singles some objects out",
        By(&[
            "object-failed-under-a-prefix-that-the-source-policy-denies",
            "source-policy-denies-a-part-of-the-objects",
            "destination-policy-denies-programs",
            "sampled-version-has-failed",
            "role-reads-only-names-that-begin-alike",
            "object-failed-under-a-context-that-the-key-policy-denies",
        ]),
    ),
    (
        "objects that other accounts own",
        By(&["objects-of-other-accounts"]),
    ),
    (
        "objects older than the rule, replicas, and objects in archives",
        By(&["object-not-eligible", "object-failed-whose-replica-was-deleted"]),
    ),
    (
        "KMS is asked more often than it answers",
        Not("such objects stay PENDING and are replicated later; nothing of it stands in any setting"),
    ),
    (
        "metrics are off, so nobody hears of failures",
        By(&[
            "metrics-off",
            "alarm-and-metrics-off",
            "first-generation-rule-without-metrics",
        ]),
    ),
    (
        "the destination makes requesters pay",
        By(&["destination-requester-pays"]),
    ),
    (
        "the destination's Region is not enabled for the account",
        Not("a bucket in such a Region cannot be read either: what is unread stands in the report"),
    ),
    (
        "an external key store does not answer although KMS calls the key Enabled",
        Not(
            "only a use of the key would show it; `replica-key-in-an-external-key-store` says that it was not tried",
        ),
    ),
    (
        "objects without encryption, and the destination's default key is out of reach",
        By(&[
            "unencrypted-object-failed-and-role-lacks-the-default-key",
            "unencrypted-object-failed-and-no-bucket-key-at-the-destination",
            "unencrypted-object-failed-and-the-default-key-is-disabled",
            "unencrypted-object-failed-and-the-default-key-is-gone",
            "unencrypted-object-failed-and-the-default-key-of-two-layers-is-gone",
            "unencrypted-object-failed-and-the-default-key-is-another-accounts",
            "unencrypted-objects-that-only-a-batch-job-would-replicate",
            "object-failed-unseen-and-role-lacks-the-default-key",
        ]),
    ),
    (
        "annotations are not replicated",
        By(&[
            "annotations-announced-and-not-replicated",
            "annotations-written-and-not-replicated",
        ]),
    ),
    (
        "the role has no room for another inline policy, or is service-linked",
        Not("it breaks no replication but a repair: the guards and the plan tell it"),
    ),
    (
        "there is no configuration, or no enabled rule",
        By(&[
            "no-configuration-after-it-was-put",
            "configuration-removed-on-purpose",
            "every-rule-disabled",
            "checked-bucket-does-not-exist",
        ]),
    ),
    (
        "several of these at once",
        By(&[
            "replica-key-disabled-and-role-lacks-it",
            "four-denials-that-used-to-take-a-month",
            "three-destinations-of-which-two-are-wrong",
        ]),
    ),
    (
        "no cause that is visible now",
        By(&[
            "object-failed-and-no-cause-is-visible",
            "object-failed-and-the-cause-is-visible",
            "object-failed-for-another-reason-than-what-is-wrong",
            "object-failed-for-an-unknown-reason",
            "object-failed-in-a-job-of-a-role-that-may-not-start-it",
            "object-failed-that-was-gone",
            "objects-failed-of-which-one-was-gone",
            "object-failed-towards-another-account-that-is-unread",
            "object-failed-under-a-rule-that-was-removed",
        ]),
    ),
    (
        "what could not be read",
        By(&[
            "key-policy-unread",
            "member-role-may-not-read-the-versioning",
            "role-policies-unread",
            "encryption-unread-and-only-one-context-allowed",
            "configuration-unread",
            "replica-key-in-a-region-that-may-not-be-enabled",
        ]),
    ),
    (
        "a policy from elsewhere that is right as it is",
        By(&["copied-multi-region-policy-without-conditions"]),
    ),
];

#[test]
fn every_known_cause_is_told_by_a_story_or_cannot_be() {
    let stories: BTreeSet<String> = Story::all().into_iter().map(|story| story.name).collect();
    let mut listed = BTreeSet::new();
    for (cause, shown) in CAUSES {
        match shown {
            By(names) => {
                assert!(!names.is_empty(), "{cause}: no story");
                listed.extend(names.iter().map(|name| (*name).to_owned()));
            }
            Not(reason) => assert!(!reason.is_empty(), "{cause}: no reason"),
        }
    }
    let missing: Vec<_> = listed.difference(&stories).collect();
    assert!(missing.is_empty(), "no such story: {missing:?}");
    let unlisted: Vec<_> = stories
        .difference(&listed)
        .filter(|name| !name.starts_with("healthy/"))
        .collect();
    assert!(unlisted.is_empty(), "of which cause? {unlisted:?}");
}
