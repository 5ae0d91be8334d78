//! What the deployed function's role may do, were its code turned against its owner: the template's policies, resolved
//! by `tests/template/test_resolved_policies.py`, asked with the evaluator.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use s3_replication_remediator::arn::RoleArn;
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::policy::{
    Caller, Context, Layers, NamedPolicy, PolicyDocument, PolicySet, Request, Verdict, evaluate,
};
use serde_json::Value;

use crate::world::{OTHER, OWN, ROLE, SOURCE_KEY};

const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/remediator";
const OWN_QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:queue";
const SETTINGS: [&str; 4] = ["dry-run", "tagged", "open", "bounded"];

/// What a thief would want to write with, and what would let one read data.
const WANTED: &[&str] = &[
    "iam:AddRoleToInstanceProfile",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:CreateRole",
    "iam:CreateUser",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DetachRolePolicy",
    "iam:PassRole",
    "iam:PutRolePermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:Decrypt",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:RetireGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "s3:BypassGovernanceRetention",
    "s3:CreateBucket",
    "s3:CreateJob",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutBucketAcl",
    "s3:PutBucketNotification",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutObject",
    "s3:PutReplicationConfiguration",
    "s3:ReplicateObject",
    "dynamodb:PutItem",
    "ec2:RunInstances",
    "events:PutRule",
    "lambda:AddPermission",
    "lambda:InvokeFunction",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "organizations:LeaveOrganization",
    "secretsmanager:GetSecretValue",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
    "sqs:SendMessage",
    "sqs:SetQueueAttributes",
    "ssm:GetParameter",
];

fn resources() -> Vec<&'static str> {
    vec![
        ROLE,
        OWN_ROLE,
        "arn:aws:iam::111122223333:role/admin",
        "arn:aws:iam::111122223333:user/u",
        "arn:aws:iam::111122223333:policy/p",
        "arn:aws:iam::444455556666:role/other",
        SOURCE_KEY,
        "arn:aws:kms:eu-west-1:444455556666:key/theirs",
        "arn:aws:s3:::source",
        "arn:aws:s3:::source/object",
        OWN_QUEUE,
        "arn:aws:sqs:eu-west-1:111122223333:other",
        "arn:aws:sns:eu-west-1:111122223333:topic",
        "arn:aws:lambda:eu-west-1:111122223333:function:s3-replication-remediator",
        "*",
    ]
}

fn policies(setting: &str) -> PolicySet {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/attacks/policies/{setting}.json"));
    let documents: BTreeMap<String, Value> =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    PolicySet::complete(
        documents
            .into_iter()
            .map(|(name, document)| NamedPolicy::new(name, PolicyDocument::from_value(document).unwrap()))
            .collect(),
    )
}

/// What a request of the function is like: from where AWS sees Lambda, and where the resource lies.
fn context(resource: &str) -> Context {
    let account = if resource.contains(OTHER) { OTHER } else { OWN };
    Context::new()
        .with("aws:SourceIp", "198.51.100.7")
        .with("aws:SecureTransport", "true")
        .with("aws:PrincipalArn", OWN_ROLE)
        .with("aws:ResourceAccount", account)
}

fn ask(setting: &str, action: &str, resource: &str, context: Context) -> Verdict {
    let role: RoleArn = OWN_ROLE.parse().unwrap();
    let account = if resource.contains(OTHER) { OTHER } else { OWN };
    let request = Request {
        caller: Caller::session_of(&role, "s3-replication-remediator"),
        action: action.to_owned(),
        resource: resource.to_owned(),
        resource_account: account.parse().unwrap(),
        context,
    };
    let identity = policies(setting);
    let delegating = Observed::Found(NamedPolicy::new(
        "key policy",
        PolicyDocument::parse(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{OWN}:root"}},
                "Action":"*","Resource":"*"}}]}}"#
        ))
        .unwrap(),
    ));
    let layers = Layers {
        identity: &identity,
        boundary: &Observed::Absent,
        // The worst case: what the resource itself says lets the whole account in.
        resource: if action.starts_with("kms:") {
            &delegating
        } else {
            &Observed::Absent
        },
        scps: &[],
        rcps: &[],
        grants: &Observed::Found(Vec::new()),
    };
    evaluate(&request, &layers).verdict
}

/// A grant as the function makes it.
fn grant(operations: &[&str], grantee: &str, constraint: Option<&str>) -> Context {
    let context = context(SOURCE_KEY)
        .with("aws:ResourceTag/s3-replication-remediator", "allow")
        .with_set("kms:GrantOperations", operations.iter().copied())
        .with("kms:GranteePrincipal", grantee);
    match constraint {
        Some(constraint) => context.with("kms:GrantConstraintType", constraint),
        None => context,
    }
}

#[test]
fn no_setting_gives_the_function_an_action_that_a_thief_would_want() {
    for setting in SETTINGS {
        for action in WANTED {
            for resource in resources() {
                // It may leave itself work, which any message of its queue is, and which changes nothing.
                if (*action, resource) == ("sqs:SendMessage", OWN_QUEUE) {
                    continue;
                }
                let tagged = context(resource).with("aws:ResourceTag/s3-replication-remediator", "allow");
                assert_ne!(
                    ask(setting, action, resource, tagged),
                    Verdict::Allowed,
                    "{setting} {action} {resource}"
                );
            }
        }
    }
}

#[test]
fn in_a_dry_run_the_function_may_write_nothing_at_all() {
    for action in s3_replication_remediator::target::ACTIONS {
        for resource in resources() {
            let context = grant(&["Decrypt"], ROLE, Some("EncryptionContextEquals"))
                .with("aws:ResourceAccount", OWN)
                .with(
                    "iam:PermissionsBoundary",
                    "arn:aws:iam::111122223333:policy/bound",
                );
            assert_eq!(
                ask("dry-run", action, resource, context),
                Verdict::ImplicitlyDenied,
                "{action} {resource}"
            );
        }
    }
}

#[test]
fn by_tag_the_function_writes_to_no_role_and_key_without_it() {
    for action in ["iam:PutRolePolicy", "iam:DeleteRolePolicy"] {
        let tagged = |value| context(ROLE).with("aws:ResourceTag/s3-replication-remediator", value);
        assert_eq!(ask("tagged", action, ROLE, tagged("allow")), Verdict::Allowed);
        for refused in [tagged("Allow"), tagged("deny"), tagged("*"), context(ROLE)] {
            assert_ne!(ask("tagged", action, ROLE, refused), Verdict::Allowed);
        }
    }
    let untagged = grant(&["Decrypt"], ROLE, Some("EncryptionContextEquals"))
        .without("aws:ResourceTag/s3-replication-remediator");
    for action in ["kms:CreateGrant", "kms:RevokeGrant"] {
        assert_ne!(
            ask("tagged", action, SOURCE_KEY, untagged.clone()),
            Verdict::Allowed
        );
    }
}

#[test]
fn an_allow_list_of_everything_reaches_neither_itself_nor_another_account() {
    for setting in ["tagged", "open", "bounded"] {
        for resource in [OWN_ROLE, "arn:aws:iam::444455556666:role/other"] {
            let context = context(resource)
                .with("aws:ResourceTag/s3-replication-remediator", "allow")
                .with(
                    "iam:PermissionsBoundary",
                    "arn:aws:iam::111122223333:policy/bound",
                );
            assert_ne!(
                ask(setting, "iam:PutRolePolicy", resource, context),
                Verdict::Allowed,
                "{setting} {resource}"
            );
        }
    }
}

#[test]
fn a_required_boundary_holds_iam_itself_to_it() {
    for (boundary, verdict) in [
        (Some("arn:aws:iam::111122223333:policy/bound"), Verdict::Allowed),
        (
            Some("arn:aws:iam::111122223333:policy/other"),
            Verdict::ImplicitlyDenied,
        ),
        (None, Verdict::ImplicitlyDenied),
    ] {
        let tagged = context(ROLE).with("aws:ResourceTag/s3-replication-remediator", "allow");
        let context = match boundary {
            Some(boundary) => tagged.with("iam:PermissionsBoundary", boundary),
            None => tagged,
        };
        assert_eq!(
            ask("bounded", "iam:PutRolePolicy", ROLE, context),
            verdict,
            "{boundary:?}"
        );
    }
}

#[test]
fn a_grant_is_bound_to_a_bucket_to_a_role_of_ours_and_to_what_replication_does() {
    let bound = Some("EncryptionContextEquals");
    for setting in ["tagged", "open"] {
        for (operations, grantee, constraint, verdict) in [
            (&["Decrypt"][..], ROLE, bound, Verdict::Allowed),
            (
                &["Decrypt", "Encrypt", "GenerateDataKey"],
                ROLE,
                bound,
                Verdict::Allowed,
            ),
            (
                &["Decrypt", "CreateGrant"],
                ROLE,
                bound,
                Verdict::ExplicitlyDenied,
            ),
            (&["ReEncryptFrom"], ROLE, bound, Verdict::ExplicitlyDenied),
            (&["RetireGrant"], ROLE, bound, Verdict::ExplicitlyDenied),
            (
                &["Decrypt"],
                "arn:aws:iam::444455556666:role/r",
                bound,
                Verdict::ExplicitlyDenied,
            ),
            (
                &["Decrypt"],
                "arn:aws:iam::111122223333:user/eve",
                bound,
                Verdict::ExplicitlyDenied,
            ),
            (
                &["Decrypt"],
                "arn:aws:iam::111122223333:root",
                bound,
                Verdict::ExplicitlyDenied,
            ),
            (&["Decrypt"], ROLE, None, Verdict::ExplicitlyDenied),
            (
                &["Decrypt"],
                ROLE,
                Some("EncryptionContextSubset"),
                Verdict::ExplicitlyDenied,
            ),
            (&["Decrypt"], ROLE, Some("SourceArn"), Verdict::ExplicitlyDenied),
        ] {
            let context = grant(operations, grantee, constraint);
            assert_eq!(
                ask(setting, "kms:CreateGrant", SOURCE_KEY, context.clone()),
                verdict,
                "{setting} {operations:?} {grantee} {constraint:?}"
            );
            // Through an endpoint of a VPC there is no such address.
            assert_eq!(
                ask(
                    setting,
                    "kms:CreateGrant",
                    SOURCE_KEY,
                    context.without("aws:SourceIp")
                ),
                verdict
            );
        }
    }
}

#[test]
fn the_member_role_is_assumed_in_trusted_accounts_only() {
    for (account, verdict) in [(OTHER, true), (OWN, false), ("777788889999", false)] {
        let role = format!("arn:aws:iam::{account}:role/reader");
        let context = Context::new().with("aws:ResourceAccount", account);
        let allowed = format!("{:?}", policies("open"));
        assert!(allowed.contains("aws:ResourceAccount"));
        let answer = ask("open", "sts:AssumeRole", &role, context);
        // In another account its trust policy has its say as well: that no policy of ours stands against it is all that
        // can be seen here.
        if !verdict {
            assert_ne!(answer, Verdict::Allowed, "{account}");
        }
    }
}

#[test]
fn the_queue_and_the_topic_take_nothing_from_another_account() {
    let template = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("template.yaml")).unwrap();
    let policy = |name: &str| {
        let (_, rest) = template.split_once(&format!("\n  {name}:\n")).unwrap();
        rest.split("\n\n").next().unwrap().to_owned()
    };
    for name in ["QueuePolicy", "DeadLetterQueuePolicy", "TopicPolicy"] {
        for statement in policy(name)
            .split("- Sid: ")
            .skip(1)
            .filter(|text| text.contains("Effect: Allow"))
        {
            assert!(statement.contains("Service:"), "{name} {statement}");
            assert!(
                statement.contains("aws:SourceAccount") || statement.contains("aws:SourceArn"),
                "{name} {statement}"
            );
            assert!(!statement.contains("Principal: \"*\""), "{name} {statement}");
        }
    }
}
