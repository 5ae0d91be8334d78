//! What people read, as they read it.

use super::*;
use crate::observed::ReadFailure;
use crate::policy::world::{KEY, delegation, world};
use crate::policy::{PolicyLevel, PolicySet};
use serde_json::{Value, json};

#[test]
fn a_wrong_encryption_context_is_told_with_what_s3_sends() {
    let decrypt = |context: Value| {
        world("kms:Decrypt", KEY).resource(delegation()).role(json!([{
            "Sid": "S3Decrypt", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": context}}
        }]))
    };
    assert_eq!(
        decrypt(json!("arn:aws:s3:::src/*")).told(),
        format!(
            "kms:Decrypt on {KEY} is allowed by statement `S3Decrypt` of `replication-policy` only for the encryption \
             context `arn:aws:s3:::src/*`; with a Bucket Key S3 sends `arn:aws:s3:::src`."
        )
    );
    let mut without = decrypt(json!("arn:aws:s3:::src"));
    without.request.context = without
        .request
        .context
        .with("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::src/a");
    assert!(
        without
            .told()
            .ends_with("; without a Bucket Key S3 sends the ARN of the object, `arn:aws:s3:::src/a`.")
    );
    let mut other = decrypt(json!("arn:aws:s3:::other/*"));
    other.request.context = without.request.context;
    assert!(other.told().ends_with("; S3 sends `arn:aws:s3:::src/a`."));
}

#[test]
fn what_allows_and_what_denies_is_named() {
    let allowed = world("kms:Decrypt", KEY)
        .resource(delegation())
        .role(json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]));
    assert_eq!(
        allowed.told(),
        format!(
            "kms:Decrypt on {KEY} is allowed by statement 1 of `replication-policy` and statement `Root` of `key policy`."
        )
    );
    let denied = allowed.boundary(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}
    ]));
    assert_eq!(
        denied.told(),
        format!(
            "kms:Decrypt on {KEY} is denied by statement 2 of the permissions boundary `limits`. This rests on the \
             request having no `aws:SourceVpce`."
        )
    );
}

#[test]
fn a_guardrail_is_told_before_anything_else() {
    let role = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]);
    let boundary = world("kms:Decrypt", KEY)
        .resource(delegation())
        .role(role.clone())
        .boundary(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]));
    assert!(
        boundary
            .told()
            .contains("would be allowed, but the permissions boundary `limits` does not contain it.")
    );
    let mut scp = world("kms:Decrypt", KEY)
        .resource(delegation())
        .role(role.clone());
    scp.scps = vec![PolicyLevel {
        name: "root".into(),
        policies: PolicySet::default(),
    }];
    assert!(
        scp.told()
            .ends_with("but no service control policy at `root` allows it.")
    );
    let undelegated = world("kms:Decrypt", KEY).role(role).resource(json!([
        {"Sid": "Admin", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"}, "Action": "kms:*", "Resource": "*"}
    ]));
    assert!(undelegated.told().ends_with(
        "so the role's own policies do not count. There, statement `Admin` of `key policy` allows it only to \
         `arn:aws:iam::111122223333:role/admin`."
    ));
}

#[test]
fn every_kind_of_near_miss_has_its_words() {
    let object = "arn:aws:s3:::src/a";
    let told = |statement: Value| {
        world("s3:ReplicateObject", object)
            .role(json!([statement]))
            .told()
    };
    let allow = |condition: Value| {
        told(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition}))
    };
    for (text, ending) in [
        (
            told(json!({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"})),
            "is allowed by no statement; the nearest, statement 1 of `replication-policy`, is for `s3:PutObject`.",
        ),
        (
            told(json!({"Effect": "Allow", "NotAction": "s3:Replicate*", "Resource": "*"})),
            "only for others than `s3:Replicate*`.",
        ),
        (
            told(
                json!({"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::src", "arn:aws:s3:::x/*"]}),
            ),
            "only on `arn:aws:s3:::src` or `arn:aws:s3:::x/*`.",
        ),
        (
            told(json!({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::src/*"})),
            "only on others than `arn:aws:s3:::src/*`.",
        ),
        (
            allow(json!({"StringEquals": {"kms:ViaService": "x"}})),
            "only where `kms:ViaService` is `x`; the request has `s3.eu-west-1.amazonaws.com`.",
        ),
        (
            allow(json!({"StringNotEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
            "only where `kms:ViaService` is not `s3.eu-west-1.amazonaws.com`; the request has `s3.eu-west-1.amazonaws.com`.",
        ),
        (
            allow(json!({"StringLike": {"kms:ViaService": "x*"}})),
            "only where `kms:ViaService` is like `x*`; the request has `s3.eu-west-1.amazonaws.com`.",
        ),
        (
            allow(json!({"StringNotLike": {"kms:ViaService": "s3*"}})),
            "only where `kms:ViaService` is not like `s3*`; the request has `s3.eu-west-1.amazonaws.com`.",
        ),
        (
            allow(json!({"StringEquals": {"aws:SourceArn": "x"}})),
            "only where `aws:SourceArn` is `x`; the request has no `aws:SourceArn`.",
        ),
        (
            allow(json!({"NumericLessThan": {"aws:MultiFactorAuthAge": 5}})),
            "only where `aws:MultiFactorAuthAge` is `NumericLessThan` `5`; the request has no `aws:MultiFactorAuthAge`.",
        ),
        (
            allow(json!({"Null": {"aws:SourceArn": false}})),
            "only where `aws:SourceArn` is there; the request has no `aws:SourceArn`.",
        ),
        (
            allow(json!({"Null": {"kms:ViaService": true}})),
            "only without `kms:ViaService`; the request has `s3.eu-west-1.amazonaws.com`.",
        ),
        (
            world("s3:ReplicateObject", object).told(),
            "is allowed by no statement.",
        ),
    ] {
        assert!(text.ends_with(ending), "{text}");
    }
}

#[test]
fn across_accounts_the_silent_side_is_named() {
    let cross = || {
        let mut world = world("s3:ReplicateObject", "arn:aws:s3:::dst/a");
        world.request.resource_account = "444455556666".parse().unwrap();
        world
    };
    let all = json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]);
    let open = json!([{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}]);
    assert!(cross().role(all).told().contains(
        "is allowed by the role's policies, but by no statement of the resource's policy in account 444455556666"
    ));
    assert!(cross().resource(open).told().contains(
        "is allowed by the resource's policy in account 444455556666, but by no policy of the role"
    ));
    assert!(cross().told().contains("is allowed neither by"));
    let mut service = world("sts:AssumeRole", "arn:aws:iam::111122223333:role/crr");
    service.request.caller = Caller::Service("s3.amazonaws.com".into());
    assert!(
        service
            .told()
            .ends_with("no statement of the trust policy allows it to `s3.amazonaws.com`.")
    );
}

#[test]
fn what_is_not_known_is_told_with_its_cause() {
    let mut unread = world("s3:ReplicateObject", "arn:aws:s3:::src/a").role(json!([
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringIs": {"a": "b"}}},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Foo": 1}
    ]));
    unread.identity.unread.push(ReadFailure {
        what: "policy p\n".into(),
        operation: "iam:GetRolePolicy".into(),
        error_code: "AccessDenied".into(),
        permit: String::new(),
    });
    assert_eq!(
        unread.told(),
        "Whether s3:ReplicateObject on arn:aws:s3:::src/a is allowed cannot be known: policy p\\u{a} could not be read \
         (iam:GetRolePolicy: AccessDenied); statement 1 of `replication-policy`: the condition operator `StringIs` is \
         not known (and 1 more)."
    );
}

#[test]
fn a_denial_for_want_of_a_key_says_so_even_where_nothing_grants() {
    let denied = world("s3:ReplicateObject", "arn:aws:s3:::src/a").role(json!([
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpce": "v"}}}
    ]));
    assert!(
        denied
            .told()
            .ends_with("This rests on the request having no `aws:SourceVpce`.")
    );
    let bounded = world("s3:ReplicateObject", "arn:aws:s3:::src/a")
        .role(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]))
        .boundary(json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpce": "v"}}}
        ]));
    assert!(bounded.told().ends_with(
        "There, statement 1 of the permissions boundary `limits` allows it only where `aws:SourceVpce` is `v`; the \
         request has no `aws:SourceVpce`. This rests on the request having no `aws:SourceVpce`."
    ));
}

#[test]
fn what_would_still_be_missing_is_told_too() {
    let decrypt_us = json!([{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:ViaService": "x"}}}]);
    let admin = json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"}, "Action": "kms:*", "Resource": "*"}]);
    let key = || {
        world("kms:Decrypt", KEY)
            .role(decrypt_us.clone())
            .resource(admin.clone())
    };
    assert!(key().told().ends_with(
        "the request has `s3.eu-west-1.amazonaws.com`. Besides, the key policy neither names the role nor leaves this to \
         the account, so the role's own policies do not count."
    ));
    let foreign = key().of_account("444455556666");
    assert!(foreign.told().ends_with(
        "Nor does the resource's policy in the other account allow it, and across accounts both must."
    ));
    let only_policy = world("kms:Decrypt", KEY)
        .resource(admin)
        .of_account("444455556666");
    assert!(only_policy.told().ends_with(
        "only to `arn:aws:iam::111122223333:role/admin`. Nor does a policy of the role allow it, and across accounts both must."
    ));
    let delegated = world("kms:Decrypt", KEY).role(decrypt_us).resource(delegation());
    assert!(
        delegated
            .told()
            .ends_with("the request has `s3.eu-west-1.amazonaws.com`.")
    );
    let bucket = world("s3:ReplicateObject", "arn:aws:s3:::b/a")
        .role(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b"}]));
    assert!(bucket.told().ends_with("only on `arn:aws:s3:::b`."));
}

#[test]
fn what_is_malformed_is_told_with_what_was_found() {
    let with = |action: Value| {
        world("s3:ReplicateObject", "arn:aws:s3:::b/a")
            .role(json!([{"Effect": "Allow", "Action": action, "Resource": "*"}]))
            .told()
    };
    for (action, ending) in [
        (
            json!([]),
            "`Action`: expected a string or a list of strings, found an empty list.",
        ),
        (
            json!([["a"]]),
            "`Action`: expected a string or a list of strings, found a list.",
        ),
        (
            json!(7),
            "`Action`: expected a string or a list of strings, found a number.",
        ),
        (json!("s3"), "`Action`: expected `service:name`, found s3."),
    ] {
        assert!(with(action).ends_with(ending));
    }
    let told = world("s3:ReplicateObject", "arn:aws:s3:::b/a")
        .role(json!([{"Effect": "allow", "Action": "*", "Resource": "*"}]))
        .told();
    assert!(
        told.ends_with("`Effect`: expected `Allow` or `Deny`, found \"allow\"."),
        "{told}"
    );
}

#[test]
fn verdicts_and_statements_have_names_for_people() {
    assert_eq!(
        [
            Decision::Allowed,
            Decision::ExplicitlyDenied,
            Decision::ImplicitlyDenied,
            Decision::Undetermined
        ]
        .map(|decision| decision.to_string()),
        [
            "allowed",
            "explicitly denied",
            "implicitly denied",
            "undetermined"
        ]
    );
    let statement = |sid: Option<&str>, layer| crate::policy::StatementRef {
        layer,
        policy: "p".into(),
        sid: sid.map(str::to_owned),
        index: 0,
    };
    assert_eq!(
        statement(Some("S"), Layer::Identity).to_string(),
        "statement `S` of `p`"
    );
    assert_eq!(
        statement(Some(""), Layer::Resource).to_string(),
        "statement 1 of `p`"
    );
    assert_eq!(
        statement(None, Layer::Rcp).to_string(),
        "statement 1 of the resource control policy `p`"
    );
    let absent = crate::policy::AbsentKey {
        key: "aws:SourceIp".into(),
        statement: statement(None, Layer::Identity),
    };
    assert_eq!(
        absent.to_string(),
        "statement 1 of `p` tests `aws:SourceIp`, which the request lacks"
    );
}

#[test]
fn a_guardrail_is_told_with_its_own_nearest_statement_and_no_other() {
    let role = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]);
    let boundary = |statement: Value| {
        world("kms:Decrypt", KEY)
            .resource(delegation())
            .role(role.clone())
            .boundary(json!([statement]))
            .told()
    };
    let other_action = boundary(json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}));
    assert!(other_action.ends_with("the permissions boundary `limits` does not contain it."));
    let other_key =
        boundary(json!({"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:kms:*:*:key/x"}));
    assert!(other_key.ends_with(
        "does not contain it. There, statement 1 of the permissions boundary `limits` allows it only on `arn:aws:kms:*:*:key/x`."
    ));
    let denied = world("kms:Decrypt", KEY)
        .resource(json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"}, "Action": "kms:*", "Resource": "*"}]))
        .role(role.clone())
        .boundary(json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:kms:*:*:key/x"}]));
    let told = denied.told();
    assert!(
        told.contains("There, statement 1 of the permissions boundary"),
        "{told}"
    );
}

#[test]
fn a_near_miss_in_the_policy_of_the_own_account_needs_no_second_side() {
    let own = world("s3:ReplicateObject", "arn:aws:s3:::b/a").resource(json!([
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/other"}, "Action": "s3:*", "Resource": "*"}
    ]));
    assert!(
        own.told()
            .ends_with("only to `arn:aws:iam::111122223333:role/other`."),
        "{}",
        own.told()
    );
}
