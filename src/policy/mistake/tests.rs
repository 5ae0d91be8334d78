//! Each mistake as people make it, and that the right way is not called one.

use crate::policy::world::{KEY, ROLE, World, delegation, named, world};
use crate::policy::{MistakeKind, PolicyLevel, PolicySet};
use serde_json::{Value, json};

fn decrypt() -> World {
    world("kms:Decrypt", KEY).resource(delegation())
}

fn on_key(condition: Value) -> World {
    decrypt().role(json!([{"Sid": "S", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": condition}]))
}

fn kinds(world: &World) -> Vec<MistakeKind> {
    world.mistakes().into_iter().map(|mistake| mistake.kind).collect()
}

fn sentence(world: &World) -> String {
    let mistakes: Vec<String> = world.mistakes().iter().map(ToString::to_string).collect();
    mistakes.join("\n")
}

#[test]
fn the_condition_key_of_the_troubleshooting_page_is_no_key_that_s3_sends() {
    let world = on_key(json!({"StringLike": {"kms:EncryptionContext:arn:aws:arn": "arn:aws:s3:::src/*"}}));
    assert_eq!(
        sentence(&world),
        "statement `S` of `replication-policy`: S3 sends no `kms:EncryptionContext:arn:aws:arn`; the condition key is \
         `kms:EncryptionContext:aws:s3:arn`"
    );
    let right_but_absent =
        on_key(json!({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "aws:s3:arn"}}));
    assert_eq!(kinds(&right_but_absent), []);
}

#[test]
fn a_wildcard_in_an_exact_operator_is_a_mistake_and_one_in_an_arn_operator_is_not() {
    let condition =
        |operator: &str, value: &str| on_key(json!({operator: {"kms:EncryptionContext:aws:s3:arn": value}}));
    assert_eq!(
        sentence(&condition("StringEquals", "arn:aws:s3:::s*")),
        "statement `S` of `replication-policy`: `StringEquals` takes the wildcard in `arn:aws:s3:::s*` literally; \
         `kms:EncryptionContext:aws:s3:arn` needs `StringLike`"
    );
    assert_eq!(kinds(&condition("ArnEquals", "arn:aws:s3:::x*")), []);
    assert_eq!(kinds(&condition("StringNotEquals", "arn:aws:s3:::src")), []);
}

#[test]
fn via_service_must_name_the_region_of_the_key_and_has_one_suffix_everywhere() {
    let named = |value: &str| on_key(json!({"StringEquals": {"kms:ViaService": value}}));
    assert!(sentence(&named("s3.us-east-1.amazonaws.com")).ends_with(
        "must name the Region of the key, `s3.eu-west-1.amazonaws.com`, not `s3.us-east-1.amazonaws.com`"
    ));
    assert!(
        sentence(&named("s3.eu-west-1.amazonaws.com.cn")).contains("ends in `.amazonaws.com` in China too")
    );
    assert_eq!(kinds(&named("ec2.eu-west-1.amazonaws.com")), []);
}

#[test]
fn the_encryption_context_must_be_what_the_bucket_key_makes_it() {
    let named = |value: &str| on_key(json!({"StringLike": {"kms:EncryptionContext:aws:s3:arn": value}}));
    assert_eq!(
        kinds(&named("arn:aws:s3:::src/*")),
        [MistakeKind::ObjectContextWithBucketKey {
            named: "arn:aws:s3:::src/*".into(),
            sent: "arn:aws:s3:::src".into()
        }]
    );
    assert_eq!(kinds(&named("arn:aws:s3:::src-other/*")), []);
    let object = |value: &str| named(value).with("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::src/a/b");
    assert!(
        sentence(&object("arn:aws:s3:::src"))
            .contains("without a Bucket Key the encryption context is the object")
    );
    assert_eq!(
        kinds(&object("arn:aws:s3:::src/a")),
        [],
        "another object is no form of the context"
    );
    assert!(
        sentence(&named("arn:aws:s3:::src/*"))
            .contains("with a Bucket Key the encryption context is the bucket")
    );
}

#[test]
fn a_condition_for_service_calls_never_holds_for_the_role() {
    let world = on_key(json!({"StringEquals": {"aws:SourceAccount": "111122223333"}}));
    assert!(
        sentence(&world)
            .contains("`aws:SourceAccount` is set for calls that a service makes in its own name")
    );
}

#[test]
fn an_alias_is_no_resource_and_the_conditions_beside_it_are_told_at_once() {
    let world = decrypt().role(json!([{
        "Effect": "Allow", "Action": "kms:Decrypt", "Resource": ["arn:aws:kms:eu-west-1:111122223333:alias/tax"],
        "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::src/*"}}
    }]));
    assert_eq!(kinds(&world).len(), 2);
    assert!(
        sentence(&world)
            .contains("so the alias `arn:aws:kms:eu-west-1:111122223333:alias/tax` never matches")
    );
    let other_key = decrypt().role(json!([{
        "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:eu-west-1:111122223333:key/other",
        "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::src/*"}}
    }]));
    assert_eq!(
        kinds(&other_key),
        [],
        "a statement for another key is not about this call"
    );
}

#[test]
fn a_bucket_is_not_its_objects_and_the_other_way_round() {
    let on = |action: &str, resource: &str, named: &str| {
        world(action, resource).role(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": named}]))
    };
    let objects = on("s3:ReplicateObject", "arn:aws:s3:::dst/a", "arn:aws:s3:::dst");
    assert!(sentence(&objects).ends_with("is the bucket without its objects; they are `arn:aws:s3:::dst/*`"));
    let bucket = on("s3:ListBucket", "arn:aws:s3:::src", "arn:aws:s3:::src/*");
    assert!(sentence(&bucket).contains("`arn:aws:s3:::src/*` is objects without their bucket"));
    assert_eq!(
        kinds(&on("s3:ListBucket", "arn:aws:s3:::src", "arn:aws:s3:::other/*")),
        []
    );
    assert_eq!(
        kinds(&on(
            "s3:ReplicateObject",
            "arn:aws:s3:::dst/a",
            "arn:aws:s3:::other"
        )),
        []
    );
}

#[test]
fn a_pattern_that_other_buckets_match_is_told_even_where_all_is_allowed() {
    let on = |resource: &str, named: &str| {
        world("s3:ListBucket", resource)
            .role(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": named}]))
    };
    for (named, wide) in [
        ("arn:aws:s3:::src*", true),
        ("arn:aws:s3:::s*", true),
        ("arn:aws:s3:::*", false),
        ("*", false),
        ("arn:aws:s3:::src", false),
    ] {
        let found = kinds(&on("arn:aws:s3:::src", named));
        assert_eq!(!found.is_empty(), wide, "{named}: {found:?}");
    }
    assert_eq!(kinds(&on("arn:aws:s3:::src/a", "arn:aws:s3:::src/*")), []);
    assert!(
        sentence(&on("arn:aws:s3:::src/a", "arn:aws:s3:::src*"))
            .contains("matches every bucket whose name begins so")
    );
    let context =
        |operator: &str| on_key(json!({operator: {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::src*"}}));
    assert_eq!(
        kinds(&context("StringLike")),
        [MistakeKind::OtherBucketsIncluded {
            pattern: "arn:aws:s3:::src*".into()
        }]
    );
    let other = on_key(json!({"StringLike": {"kms:ViaService": "s3*"}}));
    assert_eq!(kinds(&other), []);
}

#[test]
fn actions_that_sound_alike_are_not_the_same() {
    let named = |needed: &str, written: &str| {
        world(needed, "arn:aws:s3:::b/a")
            .role(json!([{"Effect": "Allow", "Action": [written], "Resource": "*"}]))
    };
    for (needed, written) in [
        ("s3:ReplicateObject", "s3:PutObject"),
        ("s3:ReplicateDelete", "s3:DeleteObject"),
        ("s3:ReplicateTags", "s3:PutObjectTagging"),
        ("s3:GetObjectVersionForReplication", "s3:getobject"),
        ("s3:GetObjectVersionForReplication", "s3:GetObjectVersion"),
        ("s3:GetObjectVersionAcl", "s3:GetObjectAcl"),
        ("s3:GetObjectVersionTagging", "s3:GetObjectTagging"),
        ("s3:GetReplicationConfiguration", "s3:GetBucketReplication"),
        ("s3:ListBucket", "s3:ListObjectsV2"),
        ("s3:ObjectOwnerOverrideToBucketOwner", "s3:PutObjectAcl"),
    ] {
        let kind = MistakeKind::SimilarAction {
            named: written.into(),
            needed: needed.into(),
        };
        assert_eq!(kinds(&named(needed, written)), [kind]);
    }
    assert!(
        sentence(&named("s3:ReplicateObject", "s3:PutObject"))
            .ends_with("replication needs `s3:ReplicateObject`; `s3:PutObject` does not include it")
    );
    assert_eq!(kinds(&named("s3:ReplicateObject", "s3:GetObject")), []);
    let encrypt = world("kms:Encrypt", KEY)
        .resource(delegation())
        .role(json!([{"Effect": "Allow", "Action": ["kms:GenerateDataKey*"], "Resource": "*"}]));
    assert_eq!(kinds(&encrypt), [MistakeKind::GenerateDataKeyWithoutEncrypt]);
    assert!(sentence(&encrypt).contains("`kms:GenerateDataKey` does not include it"));
    let mut decrypt = encrypt;
    decrypt.request.action = "kms:Decrypt".into();
    assert_eq!(kinds(&decrypt), []);
}

#[test]
fn a_boundary_that_knows_nothing_of_the_service_is_told_by_name() {
    let allowed = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]);
    let within = |action: &str| {
        decrypt()
            .role(allowed.clone())
            .boundary(json!([{"Effect": "Allow", "Action": action, "Resource": "*"}]))
    };
    assert_eq!(
        sentence(&within("s3:*")),
        "permissions boundary `limits`: it allows no action of `kms`, whatever the role's policies allow"
    );
    assert_eq!(kinds(&within("KMS:Encrypt")), []);
    assert_eq!(kinds(&within("*")), []);
}

#[test]
fn principals_that_do_not_cover_the_role_are_told() {
    let policy = |principal: Value| {
        world("kms:Decrypt", KEY)
            .role(json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]))
            .resource(json!([{"Sid": "P", "Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}]))
    };
    assert_eq!(
        kinds(&policy(json!({"Service": "s3.amazonaws.com"}))),
        [MistakeKind::ServiceInPlaceOfRole {
            service: "s3.amazonaws.com".into()
        }]
    );
    assert!(sentence(&policy(json!({"Service": "s3.amazonaws.com"}))).contains("S3 replicates as the role"));
    assert_eq!(
        sentence(&policy(json!({"AWS": "AROAEXAMPLEEXAMPLE123"}))),
        "statement `P` of `key policy`: `AROAEXAMPLEEXAMPLE123` is what is left of a role or user that was deleted; a new \
         one of the same name must be named again"
    );
    assert_eq!(
        sentence(&policy(
            json!({"AWS": ["arn:aws:iam::111122223333:role/admin", "arn:aws:iam::111122223333:role/admin"]})
        )),
        "resource policy `key policy`: it names only `arn:aws:iam::111122223333:role/admin`, and neither the role nor its \
         account"
    );
    assert_eq!(kinds(&policy(json!({"AWS": ROLE}))), []);
    let foreign = policy(json!({"AWS": "arn:aws:iam::444455556666:root"})).of_account("444455556666");
    assert!(sentence(&foreign).contains("names neither the role nor the role's account `111122223333`"));
}

#[test]
fn a_key_policy_that_lets_the_account_only_look_is_told_unless_another_statement_delegates() {
    let look = json!({"Sid": "Look", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["kms:Describe*", "kms:ListGrants"], "Resource": "*"});
    let all = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]);
    let only = world("kms:Decrypt", KEY).role(all).resource(json!([look]));
    assert_eq!(
        sentence(&only),
        "statement `Look` of `key policy`: it leaves only `kms:Describe*` or `kms:ListGrants` to the account, so the role's \
         own policies cannot allow more"
    );
    let delegated = world("kms:Decrypt", KEY).resource(json!([look, delegation()[0]]));
    assert_eq!(kinds(&delegated), []);
    let mut more = look;
    more["Action"] = json!(["kms:Describe*", "kms:CreateGrant"]);
    assert_eq!(kinds(&world("kms:Decrypt", KEY).resource(json!([more]))), []);
}

#[test]
fn a_denial_by_region_is_told_with_the_region() {
    let mut world = world("s3:ReplicateObject", "arn:aws:s3:::dst/a")
        .role(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]))
        .with("aws:RequestedRegion", "eu-west-1");
    world.scps = vec![PolicyLevel {
        name: "root".into(),
        policies: PolicySet::complete(vec![named(
            "regions",
            json!([
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}},
                {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}
            ]),
        )]),
    }];
    assert_eq!(
        sentence(&world),
        "statement 2 of the service control policy `regions`: it denies by Region, and `eu-west-1` is not spared"
    );
}

#[test]
fn a_layer_that_allows_is_not_searched_for_mistakes() {
    let world = decrypt().role(json!([
        {"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:eu-west-1:111122223333:alias/tax"}
    ]));
    assert_eq!(kinds(&world), []);
    let bounded = world.boundary(json!([{"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}]));
    assert_eq!(
        kinds(&bounded),
        [],
        "the boundary is short of an action, which is no mistake of its own"
    );
}

#[test]
fn a_statement_for_another_caller_or_another_action_is_not_about_this_call() {
    let bucket = |statement: Value| {
        kinds(&world("s3:ReplicateObject", "arn:aws:s3:::dst/a").resource(json!([statement])))
    };
    assert_eq!(
        bucket(
            json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/other"}, "Action": "s3:*", "Resource": "arn:aws:s3:::dst"})
        ),
        []
    );
    assert_eq!(
        bucket(
            json!({"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "*"})
        ),
        [],
        "log delivery is not replication"
    );
}

#[test]
fn only_the_policy_of_a_key_must_name_the_role_or_its_account() {
    let admin = json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"}, "Action": "*", "Resource": "*"}]);
    let bucket = world("s3:ReplicateObject", "arn:aws:s3:::dst/a").resource(admin);
    assert_eq!(kinds(&bucket), []);
    let cross = world("kms:Encrypt", KEY)
        .role(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]))
        .resource(json!([]))
        .of_account("444455556666");
    assert_eq!(
        kinds(&cross),
        [MistakeKind::CallerAccountNotNamed {
            account: "111122223333".into()
        }]
    );
}

#[test]
fn a_key_that_is_absent_is_a_mistake_only_where_s3_never_sends_it_for_the_role() {
    assert_eq!(
        kinds(&on_key(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))),
        []
    );
    let mut trust = world("sts:AssumeRole", ROLE).resource(json!([{
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    }]));
    trust.request.caller = crate::policy::Caller::Service("s3.amazonaws.com".into());
    assert_eq!(kinds(&trust), []);
}

#[test]
fn only_a_pattern_for_the_encryption_context_can_include_other_buckets() {
    let other_key = on_key(json!({"StringLikeIfExists": {"aws:SourceArn": "arn:aws:s3:::s*"}}));
    assert_eq!(kinds(&other_key), []);
    let literal = json!({"StringEquals": {"kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::src", "arn:aws:s3:::s*"]}});
    assert_eq!(kinds(&on_key(literal)), []);
}

#[test]
fn a_key_policy_that_names_the_role_under_a_condition_does_not_name_only_others() {
    for principal in [ROLE, crate::policy::world::SESSION, "111122223333", "*"] {
        let world = world("kms:Decrypt", KEY).resource(json!([
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*",
             "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
        ]));
        assert_eq!(kinds(&world), [], "{principal}");
    }
}

#[test]
fn a_statement_for_a_deleted_role_is_told_even_where_the_account_is_let_in() {
    let gone = json!({"Effect": "Allow", "Principal": {"AWS": "AROAEXAMPLEEXAMPLE123"}, "Action": "kms:*", "Resource": "*"});
    let world = world("kms:Decrypt", KEY).resource(json!([delegation()[0], gone]));
    assert_eq!(
        kinds(&world),
        [MistakeKind::DeletedPrincipal {
            id: "AROAEXAMPLEEXAMPLE123".into()
        }]
    );
}
