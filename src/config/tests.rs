//! What is accepted as a setting, what is refused, and with which message.

use std::collections::BTreeMap;

use super::*;

/// What a function on `provided.al2023` finds in its environment, and what a shell adds when it is run by hand.
const REALISTIC: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_ROLE_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "CARGO_HOME",
    "CODE",
    "DISPLAY",
    "EDITOR",
    "HOME",
    "HOSTNAME",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "LS_COLORS",
    "MAIL",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MANPATH",
    "NODE",
    "NODE_ENV",
    "NODE_OPTIONS",
    "OLDPWD",
    "OTEL_SERVICE_NAME",
    "PATH",
    "PWD",
    "RUSTUP_HOME",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SHELL",
    "SHLVL",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "_",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

fn read(vars: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::from_env(
        vars.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

fn problems(vars: &[(&str, &str)]) -> Vec<String> {
    let errors = read(vars).unwrap_err();
    errors
        .problems()
        .iter()
        .map(|error| format!("{}: {}", error.setting, error.problem))
        .collect()
}

#[test]
fn a_usual_environment_holds_no_misspelt_setting() {
    let vars: Vec<(&str, &str)> = REALISTIC.iter().map(|name| (*name, "x")).collect();
    assert_eq!(read(&vars), read(&[]));
}

#[test]
fn without_settings_the_documented_defaults_hold() {
    let config = read(&[]).unwrap();
    let documented: BTreeMap<&str, &str> = SETTINGS
        .iter()
        .map(|setting| (setting.name, setting.default))
        .collect();
    assert_eq!(config.mode.to_string(), documented["MODE"]);
    assert_eq!(config.opt_in_tag.to_string(), documented["OPT_IN_TAG"]);
    assert_eq!(config.opt_out_tag.to_string(), documented["OPT_OUT_TAG"]);
    assert_eq!(
        config.unconstrained_grants.to_string(),
        documented["UNCONSTRAINED_GRANTS"]
    );
    assert_eq!(config.inspect_objects.to_string(), documented["INSPECT_OBJECTS"]);
    assert_eq!(config.sample_objects.to_string(), documented["SAMPLE_OBJECTS"]);
    assert_eq!(
        config.report_refused_puts.to_string(),
        documented["REPORT_REFUSED_PUTS"]
    );
    assert_eq!(config.scope(), Scope::default());
}

#[test]
fn stating_every_default_changes_nothing() {
    let stated: Vec<(&str, &str)> = SETTINGS
        .iter()
        .map(|setting| (setting.name, setting.default))
        .collect();
    assert_eq!(read(&stated), read(&[]));
}

#[test]
fn every_setting_is_understood() {
    let config = read(&[
        ("MODE", "approve"),
        (
            "NOTIFICATION_TOPIC_ARN",
            "arn:aws:sns:eu-west-1:111122223333:reports",
        ),
        ("TRUSTED_ACCOUNTS", " 444455556666 , 777788889999,"),
        (
            "ALLOWED_ROLE_ARNS",
            "arn:aws:iam::111122223333:role/crr,arn:aws:iam::111122223333:role/eu/*",
        ),
        ("ALLOWED_KEY_ARNS", "arn:aws:kms:eu-west-1:111122223333:key/1234"),
        ("OPT_IN_TAG", "replication=fix me"),
        ("OPT_OUT_TAG", "replication="),
        (
            "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
            "arn:aws:iam::111122223333:policy/path/replication",
        ),
        ("MEMBER_ROLE_NAME", "replication-reader"),
        ("MEMBER_ROLE_EXTERNAL_ID", "payments:eu/1"),
        ("UNCONSTRAINED_GRANTS", "true"),
        ("INSPECT_OBJECTS", "true"),
        ("SAMPLE_OBJECTS", "100"),
        ("REPORT_REFUSED_PUTS", "true"),
        (
            "QUEUE_URL",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/stack-Queue-1",
        ),
    ])
    .unwrap();
    assert_eq!(config.mode, Mode::Approve);
    assert_eq!(config.notification_topic.unwrap().region, "eu-west-1");
    assert_eq!(config.trusted_accounts.len(), 2);
    assert_eq!(config.allowed_roles.len(), 2);
    assert_eq!(
        config.allowed_keys[0].as_str(),
        "arn:aws:kms:eu-west-1:111122223333:key/1234"
    );
    assert_eq!(
        (config.opt_in_tag.key.as_str(), config.opt_in_tag.value.as_str()),
        ("replication", "fix me")
    );
    assert_eq!(config.opt_out_tag.value, "");
    assert!(config.required_boundary.is_some() && config.member_role_name.is_some());
    assert_eq!(config.member_role_external_id.unwrap(), "payments:eu/1");
    assert!(config.unconstrained_grants && config.inspect_objects);
    assert_eq!(config.sample_objects, 100);
    assert!(config.report_refused_puts);
    assert!(config.queue_url.unwrap().ends_with("/stack-Queue-1"));
}

#[test]
fn a_wrong_value_stops_the_start_and_says_what_was_expected() {
    for (name, value, problem) in [
        ("MODE", "Auto", "`Auto`: expected `dry-run`, `approve` or `auto`"),
        (
            "QUEUE_URL",
            "arn:aws:sqs:eu-west-1:111122223333:queue",
            "`arn:aws:sqs:eu-west-1:111122223333:queue`: expected the URL of an SQS queue, such as \
             `https://sqs.eu-west-1.amazonaws.com/111122223333/name`",
        ),
        (
            "QUEUE_URL",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/queue.fifo",
            "`https://sqs.eu-west-1.amazonaws.com/111122223333/queue.fifo`: is a FIFO queue, which delays no single \
             message; name a standard queue",
        ),
        (
            "MODE",
            "a\u{1b}[31m",
            "`a\\u{1b}[31m`: expected `dry-run`, `approve` or `auto`",
        ),
        (
            "NOTIFICATION_TOPIC_ARN",
            "reports",
            "`reports`: expected the ARN of an SNS topic, such as `arn:aws:sns:eu-west-1:111122223333:reports`",
        ),
        (
            "NOTIFICATION_TOPIC_ARN",
            "arn:aws:sns:eu-west-1:111122223333:reports.fifo",
            "`arn:aws:sns:eu-west-1:111122223333:reports.fifo`: is a FIFO topic, which would drop reports that look \
             alike; name a standard topic",
        ),
        (
            "TRUSTED_ACCOUNTS",
            "4444",
            "`4444`: expected account ids of 12 digits",
        ),
        (
            "OPT_IN_TAG",
            "allow",
            "`allow`: expected KEY=VALUE, such as `s3-replication-remediator=allow`",
        ),
        (
            "OPT_IN_TAG",
            "=allow",
            "`=allow`: a tag's key has 1 to 128 characters and its value at most 256",
        ),
        (
            "OPT_IN_TAG",
            "aws:x=y",
            "`aws:x=y`: nobody can set tags whose key starts with `aws:`; choose another key",
        ),
        (
            "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
            "arn:aws:iam::111122223333:policy/*",
            "`arn:aws:iam::111122223333:policy/*`: expected the ARN of a managed policy, such as \
             `arn:aws:iam::111122223333:policy/replication`",
        ),
        ("UNCONSTRAINED_GRANTS", "yes", "`yes`: expected `true` or `false`"),
        ("INSPECT_OBJECTS", "TRUE", "`TRUE`: expected `true` or `false`"),
        ("SAMPLE_OBJECTS", "101", "`101`: expected a number from 0 to 100"),
        ("SAMPLE_OBJECTS", "-1", "`-1`: expected a number from 0 to 100"),
        (
            "ALLOWED_ROLE_ARNS",
            "*",
            "`*`: it would allow every role; name roles or a path, or tag the roles that may be changed",
        ),
        (
            "ALLOWED_KEY_ARNS",
            "arn:aws:kms:eu-west-1:111122223333:key/*",
            "`arn:aws:kms:eu-west-1:111122223333:key/*`: it would allow every key; name keys, or tag the keys that \
             may be changed",
        ),
        (
            "LEDGER_TABLE",
            "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger",
            "`arn:aws:dynamodb:eu-west-1:111122223333:table/ledger`: expected the name of a DynamoDB table of this account \
             and Region, such as `replication-ledger`",
        ),
        (
            "REMIND_AFTER_HOURS",
            "-1",
            "`-1`: expected a number of hours from 0 to 8760",
        ),
        (
            "EVENT_BUS_NAME",
            "two buses",
            "`two buses`: expected the name or the ARN of an event bus, such as `default` or \
             `arn:aws:events:eu-west-1:111122223333:event-bus/operations`",
        ),
        (
            "EVENT_BUS_NAME",
            "arn:aws:events:eu-west-1:111122223333:rule/operations",
            "`arn:aws:events:eu-west-1:111122223333:rule/operations`: expected the name or the ARN of an event bus, \
             such as `default` or `arn:aws:events:eu-west-1:111122223333:event-bus/operations`",
        ),
        ("SECURITY_HUB", "on", "`on`: expected `true` or `false`"),
    ] {
        assert_eq!(problems(&[(name, value)]), [format!("{name}: {problem}")]);
    }
}

#[test]
fn a_bus_is_named_or_has_an_arn_that_says_where_it_lies() {
    for (text, region) in [
        ("default", None),
        ("operations/eu-west.1_a", None),
        (
            "arn:aws:events:eu-west-2:444455556666:event-bus/operations",
            Some("eu-west-2"),
        ),
    ] {
        let bus = read(&[("EVENT_BUS_NAME", text)]).unwrap().event_bus.unwrap();
        assert_eq!(bus.name, text);
        assert_eq!(bus.region.as_ref().map(|region| region.as_str()), region);
    }
}

#[test]
fn the_name_of_a_member_role_is_no_arn() {
    let found = problems(&[
        ("TRUSTED_ACCOUNTS", "444455556666"),
        ("MEMBER_ROLE_NAME", "arn:aws:iam::444455556666:role/reader"),
    ]);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("without account and path"), "{found:?}");
}

#[test]
fn an_external_id_is_what_sts_takes_as_one() {
    for value in ["x", "two words", "semi;colon", &"x".repeat(1225)] {
        let found = problems(&[
            ("TRUSTED_ACCOUNTS", "444455556666"),
            ("MEMBER_ROLE_NAME", "reader"),
            ("MEMBER_ROLE_EXTERNAL_ID", value),
        ]);
        assert_eq!(found.len(), 1, "{value}");
        assert!(found[0].contains("2 to 1224"), "{found:?}");
    }
}

#[test]
fn contradictions_stop_the_start() {
    for (vars, setting) in [
        (
            [("SAMPLE_OBJECTS", "5"), ("INSPECT_OBJECTS", "false")].as_slice(),
            "SAMPLE_OBJECTS",
        ),
        (&[("OPT_IN_TAG", "a=b"), ("OPT_OUT_TAG", "a=b")], "OPT_IN_TAG"),
        (&[("MEMBER_ROLE_NAME", "reader")], "MEMBER_ROLE_NAME"),
        (
            &[("MEMBER_ROLE_EXTERNAL_ID", "payments")],
            "MEMBER_ROLE_EXTERNAL_ID",
        ),
        (
            &[
                (
                    "NOTIFICATION_TOPIC_ARN",
                    "arn:aws:sns:eu-west-1:111122223333:reports",
                ),
                ("CHAT_TOPIC_ARN", "arn:aws:sns:eu-west-1:111122223333:reports"),
            ],
            "CHAT_TOPIC_ARN",
        ),
    ] {
        let found = problems(vars);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(setting), "{found:?}");
    }
}

#[test]
fn a_misspelt_setting_stops_the_start() {
    for (name, meant) in [
        ("MODES", "MODE"),
        ("mode", "MODE"),
        ("MOED", "MODE"),
        ("OPT_OUTTAG", "OPT_OUT_TAG"),
        ("OPT_INT_AG", "OPT_IN_TAG"),
        ("ALLOWED_KEYS_ARNS", "ALLOWED_KEY_ARNS"),
        ("ALLOWED_ROLE_ARN", "ALLOWED_ROLE_ARNS"),
        ("TRUSTED_ACCOUNT", "TRUSTED_ACCOUNTS"),
        ("RUSTED_ACCOUNTS", "TRUSTED_ACCOUNTS"),
        ("LEDGER_TABLES", "LEDGER_TABLE"),
        (
            "REQUIRED_PERMISSION_BOUNDARY_ARN",
            "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
        ),
    ] {
        let expected = format!("{name}: is not a setting; if `{meant}` is meant, rename it, else remove it");
        assert_eq!(problems(&[(name, "x")]), [expected]);
    }
}

#[test]
fn all_problems_are_told_in_one_message() {
    let error = read(&[("MODE", "off"), ("TRUSTED_ACCOUNTS", "1,2"), ("OPT_INTAG", "x")]).unwrap_err();
    assert_eq!(error.problems().len(), 4);
    assert!(error.to_string().starts_with("4 settings are wrong: "), "{error}");
}
