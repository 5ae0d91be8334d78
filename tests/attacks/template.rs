//! What the deployed function's role may do, were its code turned against its owner: the template's policies, resolved
//! by `tests/template/test_resolved_policies.py`, asked with the evaluator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use s3_replication_remediator::arn::RoleArn;
use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::policy::{
    Caller, Context, Decision, Layers, NamedPolicy, PolicyDocument, PolicySet, Request, evaluate,
};
use serde_json::Value;

use crate::world::{OTHER, OWN, ROLE, SOURCE_KEY};

const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/remediator";
const OWN_QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:queue";
const TABLE: &str = "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger";
const SETTINGS: [&str; 5] = ["dry-run", "watchful", "tagged", "open", "bounded"];

/// Every action of IAM, KMS and S3 that does more than read; `tests/template/test_write_actions.py` sees that none is
/// left out.
const WRITES: &str = include_str!("write-actions.txt");

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
    "dynamodb:DeleteTable",
    "dynamodb:PutItem",
    "dynamodb:PutResourcePolicy",
    "dynamodb:UpdateTable",
    "ec2:RunInstances",
    "events:PutPermission",
    "events:PutRule",
    "events:PutTargets",
    "lambda:AddPermission",
    "lambda:InvokeFunction",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "organizations:LeaveOrganization",
    "secretsmanager:GetSecretValue",
    "securityhub:BatchUpdateFindings",
    "securityhub:DisableSecurityHub",
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
        "arn:aws:dynamodb:eu-west-1:111122223333:table/others",
        "arn:aws:events:eu-west-1:111122223333:event-bus/operations",
        "arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default",
        "arn:aws:lambda:eu-west-1:111122223333:function:s3-replication-remediator",
        "*",
    ]
}

/// What the role holds with a setting, read once.
fn policies(setting: &str) -> &'static PolicySet {
    static POLICIES: LazyLock<BTreeMap<&str, PolicySet>> = LazyLock::new(|| {
        let settings = SETTINGS.into_iter().chain(["jobs"]);
        settings
            .map(|setting| (setting, read_policies(setting)))
            .collect()
    });
    &POLICIES[setting]
}

fn read_policies(setting: &str) -> PolicySet {
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

fn ask(setting: &str, action: &str, resource: &str, context: Context) -> Decision {
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
        identity,
        boundary: &Observed::Absent,
        // The worst case: what the resource itself says lets the whole account in.
        resource: if action.starts_with("kms:") || action == "sts:AssumeRole" {
            &delegating
        } else {
            &Observed::Absent
        },
        scps: &[],
        rcps: &[],
        grants: &Observed::Found(Vec::new()),
    };
    evaluate(&request, &layers).decision
}

/// The most inviting request: what it concerns opted in, has every boundary, and is a grant as the function makes it.
fn opted_in(resource: &str) -> Context {
    grant(&["Decrypt"], ROLE, Some("EncryptionContextEquals"))
        .with(
            "aws:ResourceAccount",
            if resource.contains(OTHER) { OTHER } else { OWN },
        )
        .with(
            "iam:PermissionsBoundary",
            "arn:aws:iam::111122223333:policy/bound",
        )
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
                    Decision::Allowed,
                    "{setting} {action} {resource}"
                );
            }
        }
    }
}

#[test]
fn in_a_dry_run_no_action_of_iam_kms_or_s3_that_changes_anything_is_allowed() {
    for setting in ["dry-run", "watchful"] {
        for action in WRITES.lines() {
            for resource in resources() {
                assert_ne!(
                    ask(setting, action, resource, opted_in(resource)),
                    Decision::Allowed,
                    "{setting} {action} {resource}"
                );
            }
        }
    }
}

#[test]
fn in_the_other_modes_the_repairs_and_their_undo_are_all_that_may_be_written() {
    let mut allowed = BTreeSet::new();
    for setting in ["tagged", "open", "bounded"] {
        for action in WRITES.lines() {
            for resource in resources() {
                if ask(setting, action, resource, opted_in(resource)) == Decision::Allowed {
                    allowed.insert(action);
                }
            }
        }
    }
    assert_eq!(
        allowed,
        BTreeSet::from(s3_replication_remediator::target::ACTIONS)
    );
}

#[test]
fn keys_of_the_stack_serve_its_queue_and_topic_and_decrypt_nothing_else() {
    let own = "arn:aws:kms:eu-west-1:111122223333:key/stack";
    for action in ["kms:Decrypt", "kms:GenerateDataKey"] {
        let through = |key, service| {
            ask(
                "watchful",
                action,
                key,
                context(key).with("kms:ViaService", service),
            )
        };
        for service in ["sqs.eu-west-1.amazonaws.com", "sns.eu-west-1.amazonaws.com"] {
            assert_eq!(through(own, service), Decision::Allowed, "{action} {service}");
            assert_ne!(
                through(SOURCE_KEY, service),
                Decision::Allowed,
                "{action} {service}"
            );
        }
        for service in [
            "s3.eu-west-1.amazonaws.com",
            "logs.eu-west-1.amazonaws.com",
            "sqs.us-east-1.amazonaws.com",
        ] {
            assert_ne!(through(own, service), Decision::Allowed, "{action} {service}");
        }
        assert_ne!(ask("watchful", action, own, context(own)), Decision::Allowed);
    }
}

#[test]
fn it_tells_takes_and_logs_on_what_is_of_the_stack_alone() {
    for (action, own) in [
        ("sns:Publish", "arn:aws:sns:eu-west-1:111122223333:topic"),
        ("sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:111122223333:queue"),
        ("sqs:DeleteMessage", "arn:aws:sqs:eu-west-1:111122223333:queue"),
        (
            "logs:PutLogEvents",
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/s3-replication-remediator:*",
        ),
        (
            "logs:CreateLogStream",
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/s3-replication-remediator:*",
        ),
    ] {
        for setting in SETTINGS {
            assert_eq!(
                ask(setting, action, own, context(own)),
                Decision::Allowed,
                "{action}"
            );
            for other in [
                "*",
                "arn:aws:sns:eu-west-1:111122223333:payroll",
                "arn:aws:sqs:eu-west-1:111122223333:payroll",
                "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/payroll:*",
                "arn:aws:sns:eu-west-1:444455556666:topic",
            ] {
                assert_ne!(
                    ask(setting, action, other, context(other)),
                    Decision::Allowed,
                    "{setting} {action} {other}"
                );
            }
        }
    }
    for (action, own, other) in [
        (
            "sns:Publish",
            "arn:aws:sns:eu-west-1:111122223333:chat",
            "arn:aws:sns:eu-west-1:111122223333:chats",
        ),
        (
            "events:PutEvents",
            "arn:aws:events:eu-west-1:111122223333:event-bus/operations",
            "arn:aws:events:eu-west-1:111122223333:event-bus/default",
        ),
        (
            "securityhub:BatchImportFindings",
            "arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default",
            "arn:aws:securityhub:eu-west-1:111122223333:product/aws/guardduty",
        ),
        (
            "dynamodb:PutItem",
            TABLE,
            "arn:aws:dynamodb:eu-west-1:111122223333:table/payroll",
        ),
        (
            "dynamodb:Query",
            TABLE,
            "arn:aws:dynamodb:eu-west-1:111122223333:table/payroll",
        ),
    ] {
        assert_eq!(
            ask("watchful", action, own, context(own)),
            Decision::Allowed,
            "{action}"
        );
        assert_ne!(
            ask("watchful", action, other, context(other)),
            Decision::Allowed,
            "{action}"
        );
        assert_ne!(
            ask("watchful", action, "*", context("*")),
            Decision::Allowed,
            "{action}"
        );
    }
}

#[test]
fn machines_and_chats_are_told_where_that_is_switched_on_and_no_others() {
    let arn = |service, resource| format!("arn:aws:{service}:eu-west-1:111122223333:{resource}");
    for (service, action, own, other) in [
        (
            "events",
            "events:PutEvents",
            "event-bus/operations",
            "event-bus/default",
        ),
        ("sns", "sns:Publish", "chat", "payroll"),
        (
            "securityhub",
            "securityhub:BatchImportFindings",
            "product/111122223333/default",
            "product/aws/inspector",
        ),
    ] {
        let (own, other) = (arn(service, own), arn(service, other));
        assert_eq!(ask("watchful", action, &own, context(&own)), Decision::Allowed);
        for (setting, resource) in [("watchful", &other), ("dry-run", &own), ("open", &own)] {
            let answer = ask(setting, action, resource, context(resource));
            assert_eq!(
                answer,
                Decision::ImplicitlyDenied,
                "{setting} {action} {resource}"
            );
        }
    }
}

#[test]
fn jobs_are_ordered_where_a_role_is_set_and_passed_to_batch_operations_alone() {
    const JOBS_ROLE: &str = "arn:aws:iam::111122223333:role/batch";
    let to = |service| Context::new().with("iam:PassedToService", service);
    let batch = || to("batchoperations.s3.amazonaws.com");
    assert_eq!(ask("jobs", "iam:PassRole", JOBS_ROLE, batch()), Decision::Allowed);
    let ordering = |operation| Context::new().with("s3:RequestJobOperation", operation);
    assert_eq!(
        ask("jobs", "s3:CreateJob", "*", ordering("S3ReplicateObject")),
        Decision::Allowed
    );
    for other in ["S3PutObjectCopy", "S3DeleteObjectTagging", "LambdaInvoke"] {
        assert_ne!(
            ask("jobs", "s3:CreateJob", "*", ordering(other)),
            Decision::Allowed,
            "{other}"
        );
    }
    for service in ["lambda.amazonaws.com", "s3.amazonaws.com"] {
        assert_ne!(
            ask("jobs", "iam:PassRole", JOBS_ROLE, to(service)),
            Decision::Allowed
        );
    }
    for role in resources() {
        assert_ne!(
            ask("jobs", "iam:PassRole", role, batch()),
            Decision::Allowed,
            "{role}"
        );
    }
    for action in [
        "s3:UpdateJobStatus",
        "s3:UpdateJobPriority",
        "s3:InitiateReplication",
    ] {
        assert_ne!(
            ask("jobs", action, "*", Context::new()),
            Decision::Allowed,
            "{action}"
        );
    }
    // A role is given to the dry run too, where it means nothing.
    for setting in SETTINGS {
        assert_ne!(
            ask(setting, "iam:PassRole", JOBS_ROLE, batch()),
            Decision::Allowed
        );
        assert_ne!(
            ask(setting, "s3:CreateJob", "*", ordering("S3ReplicateObject")),
            Decision::Allowed
        );
    }
}

#[test]
fn in_a_dry_run_the_function_may_write_nothing_at_all() {
    for action in s3_replication_remediator::target::ACTIONS {
        for resource in resources() {
            assert_eq!(
                ask("dry-run", action, resource, opted_in(resource)),
                Decision::ImplicitlyDenied,
                "{action} {resource}"
            );
        }
    }
}

#[test]
fn by_tag_the_function_writes_to_no_role_and_key_without_it() {
    for action in ["iam:PutRolePolicy", "iam:DeleteRolePolicy"] {
        let tagged = |value| context(ROLE).with("aws:ResourceTag/s3-replication-remediator", value);
        assert_eq!(ask("tagged", action, ROLE, tagged("allow")), Decision::Allowed);
        for refused in [tagged("Allow"), tagged("deny"), tagged("*"), context(ROLE)] {
            assert_ne!(ask("tagged", action, ROLE, refused), Decision::Allowed);
        }
    }
    let untagged = grant(&["Decrypt"], ROLE, Some("EncryptionContextEquals"))
        .without("aws:ResourceTag/s3-replication-remediator");
    for action in ["kms:CreateGrant", "kms:RevokeGrant"] {
        assert_ne!(
            ask("tagged", action, SOURCE_KEY, untagged.clone()),
            Decision::Allowed
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
                Decision::Allowed,
                "{setting} {resource}"
            );
        }
    }
}

#[test]
fn a_required_boundary_holds_iam_itself_to_it() {
    for (boundary, verdict) in [
        (Some("arn:aws:iam::111122223333:policy/bound"), Decision::Allowed),
        (
            Some("arn:aws:iam::111122223333:policy/other"),
            Decision::ImplicitlyDenied,
        ),
        (None, Decision::ImplicitlyDenied),
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
            (&["Decrypt"][..], ROLE, bound, Decision::Allowed),
            (
                &["Decrypt", "Encrypt", "GenerateDataKey"],
                ROLE,
                bound,
                Decision::Allowed,
            ),
            (
                &["Decrypt", "CreateGrant"],
                ROLE,
                bound,
                Decision::ExplicitlyDenied,
            ),
            (&["ReEncryptFrom"], ROLE, bound, Decision::ExplicitlyDenied),
            (&["RetireGrant"], ROLE, bound, Decision::ExplicitlyDenied),
            (
                &["Decrypt"],
                "arn:aws:iam::444455556666:role/r",
                bound,
                Decision::ExplicitlyDenied,
            ),
            (
                &["Decrypt"],
                "arn:aws:iam::111122223333:user/eve",
                bound,
                Decision::ExplicitlyDenied,
            ),
            (
                &["Decrypt"],
                "arn:aws:iam::111122223333:root",
                bound,
                Decision::ExplicitlyDenied,
            ),
            (&["Decrypt"], ROLE, None, Decision::ExplicitlyDenied),
            (
                &["Decrypt"],
                ROLE,
                Some("EncryptionContextSubset"),
                Decision::ExplicitlyDenied,
            ),
            (&["Decrypt"], ROLE, Some("SourceArn"), Decision::ExplicitlyDenied),
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

/// Or else it could have itself read with a key that opted in for replication.
#[test]
fn no_grant_is_made_to_the_function_itself() {
    for setting in ["tagged", "open", "bounded"] {
        let context = grant(&["Decrypt"], OWN_ROLE, Some("EncryptionContextEquals"));
        assert_eq!(
            ask(setting, "kms:CreateGrant", SOURCE_KEY, context),
            Decision::ExplicitlyDenied,
            "{setting}"
        );
    }
}

#[test]
fn no_event_is_told_in_the_name_of_somebody_else() {
    let bus = "arn:aws:events:eu-west-1:111122223333:event-bus/operations";
    for (source, verdict) in [
        ("s3-replication-remediator", Decision::Allowed),
        ("aws.s3", Decision::ImplicitlyDenied),
        ("payroll", Decision::ImplicitlyDenied),
    ] {
        let context = context(bus).with_set("events:source", [source]);
        assert_eq!(
            ask("watchful", "events:PutEvents", bus, context),
            verdict,
            "{source}"
        );
    }
}

#[test]
fn the_member_role_and_no_other_is_assumed_and_in_trusted_accounts_only() {
    let assume = |setting, role: &str, account| {
        // As if the role lay here: in another account its trust policy has its say as well, which is not ours to judge.
        let here = role.replace(account, OWN);
        ask(
            setting,
            "sts:AssumeRole",
            &here,
            Context::new().with("aws:ResourceAccount", account),
        )
    };
    for setting in ["watchful", "open"] {
        let of = |account| assume(setting, &format!("arn:aws:iam::{account}:role/reader"), account);
        assert_eq!(of(OTHER), Decision::Allowed);
        for account in [OWN, "777788889999"] {
            assert_ne!(of(account), Decision::Allowed, "{account}");
        }
        for other in ["admin", "reader2", "path/reader"] {
            let role = format!("arn:aws:iam::{OTHER}:role/{other}");
            assert_ne!(assume(setting, &role, OTHER), Decision::Allowed, "{other}");
        }
    }
    for setting in ["dry-run", "tagged"] {
        let role = format!("arn:aws:iam::{OTHER}:role/reader");
        assert_ne!(assume(setting, &role, OTHER), Decision::Allowed, "{setting}");
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
