//! What strangers write is shown to people, pasted into shells and read by chat tools: it must stay what it is, text.

use std::process::Command;

use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::mode::Mode;
use serde_json::{Value, json};

use crate::function::{batch, invoke, invoke_with, put_event};
use crate::world::*;

/// Breaks out of lines, quotes, markup, terminals and shells.
const HOSTILE: &str = "'\"`$(touch /tmp/s3-replication-remediator-was-here)\n\r\u{1b}[31mRED\u{202e}<!channel><https://evil|ok>;|&\\ 😀";

fn hostile() -> Value {
    let mut account = bare();
    account["buckets"]["source"]["replication"]["Rules"] = json!([
        rule(HOSTILE, "a'b\"c$(id)/", "replica", REPLICA_KEY),
        rule("second", HOSTILE, "replica", HOSTILE),
        rule(
            "third",
            "c/",
            "stolen",
            "arn:aws:kms:eu-west-2:111122223333:alias/x"
        ),
    ]);
    account["buckets"]["stolen"] = json!({"owner": OTHER});
    account["roles"][ROLE]["inline"][POLICY] = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": HOSTILE, "Effect": "Deny", "Action": "s3:Nothing", "Resource": HOSTILE},
    ]});
    account["roles"][ROLE]["inline"]["theirs"] = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": HOSTILE, "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*",
         "Condition": {"StringLike": {HOSTILE: HOSTILE}}},
        {"Sid": HOSTILE, "Effect": "Allow", "Action": [HOSTILE, "s3:Get*"], "Resource": [HOSTILE, "arn:aws:s3:::other/*"],
         "Condition": {HOSTILE: {HOSTILE: HOSTILE}}},
    ]});
    account["buckets"]["source"]["policy"] = json!({"Version": "2012-10-17", "Id": HOSTILE, "Statement": [
        {"Sid": HOSTILE, "Effect": "Deny", "Principal": {"AWS": HOSTILE}, "Action": "s3:ListBucket", "Resource": "*"},
        {"Sid": HOSTILE, "Effect": "Deny", "Principal": "*", "Action": "s3:GetObjectVersionAcl", "Resource": "*"},
    ]});
    account["keys"][REPLICA_KEY]["policy"] = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": HOSTILE, "Effect": "Allow", "Principal": {"AWS": [HOSTILE, ROLE]}, "Action": "kms:Encrypt", "Resource": "*",
         "Condition": {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": HOSTILE}}},
    ]});
    account
}

fn events() -> Value {
    let mut put = put_event("source");
    put["detail"]["userIdentity"]["arn"] = json!(HOSTILE);
    put["detail"]["eventID"] = json!(HOSTILE);
    put["detail"]["sourceIPAddress"] = json!(HOSTILE);
    let failure = json!({"eventVersion": "2.6", "eventSource": "aws:s3",
        "eventName": "Replication:OperationFailedReplication",
        "s3": {"bucket": {"name": "source"}, "object": {"urlDecodedKey": HOSTILE, "versionId": HOSTILE}},
        "replicationEventData": {"replicationRuleId": HOSTILE, "failureReason": HOSTILE}});
    batch(&[put, failure])
}

/// What the shell makes of a line, word by word, if `aws` only prints its arguments.
fn words(line: &str) -> Vec<String> {
    let script = format!("aws() {{ printf '%s\\0' \"$@\"; }}; {line}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(
        output.stderr.is_empty(),
        "{line}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .split_terminator('\0')
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn no_stranger_writes_a_line_a_mention_or_a_control_sequence_into_a_message() {
    let world = world(&hostile());
    let led = invoke(&world, Mode::DryRun, &events()).await;
    let [message] = led.told.as_slice() else {
        panic!("{:?}", led.told.len());
    };
    assert!(message.subject.len() < 100 && message.subject.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    let text = &message.text;
    for forbidden in ["<!channel>", "<https://", "\u{1b}", "\u{202e}", "\r"] {
        assert!(!text.contains(forbidden), "{forbidden:?} in\n{text}");
    }
    for line in text.lines() {
        assert!(
            !line.contains("RED") || line.find("RED") > line.find("touch"),
            "{line}"
        );
        assert!(
            !line.trim_start().starts_with("\u{1b}") && !line.starts_with("[31m"),
            "{line}"
        );
    }
    for value in message.attributes.values() {
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value}");
    }
}

#[tokio::test]
async fn every_command_in_a_report_is_read_by_the_shell_as_it_was_meant() {
    let mut account = hostile();
    account["roles"][ROLE]["inline"]
        .as_object_mut()
        .unwrap()
        .remove("theirs");
    account["buckets"]["source"]["policy"] = json!(null);
    let world = world(&account);
    let led = invoke(
        &world,
        Mode::DryRun,
        &json!({"command": "check", "bucket": "source"}),
    )
    .await;
    let report: Value = json!(led.report());
    let mut lines = vec![report["commands"]["check"].as_str().unwrap().to_owned()];
    for name in ["apply", "undo"] {
        lines.extend(report["commands"][name].as_str().map(str::to_owned));
    }
    lines.extend(report["backlog"]["command"].as_str().map(str::to_owned));
    for part in ["changes", "withheld"] {
        for change in report["plan"][part].as_array().into_iter().flatten() {
            let change = if part == "withheld" {
                &change["change"]
            } else {
                change
            };
            lines.extend(change["undo"].as_str().map(str::to_owned));
        }
    }
    assert!(lines.len() >= 3, "{lines:?}");
    for line in &lines {
        assert!(!line.contains('\n'), "{line}");
        let words = words(line);
        for word in &words {
            if let Some(json) = word
                .strip_prefix("--policy-document=")
                .or_else(|| word.starts_with('{').then_some(word.as_str()))
            {
                serde_json::from_str::<Value>(json).unwrap();
            }
        }
        assert!(words.len() > 3, "{line}");
    }
    assert!(!std::path::Path::new("/tmp/s3-replication-remediator-was-here").exists());
}

#[tokio::test]
async fn a_command_that_edits_a_rule_of_hostile_name_edits_that_rule_and_runs_nothing_else() {
    for id in [
        HOSTILE,
        "\"]]; import os; os.system('touch /tmp/s3-replication-remediator-was-here'); [[\"",
        "a\\'b",
        "<!channel>",
        "invisible\u{e0041}",
    ] {
        let mut account = hostile();
        let mut without_key = rule(id, "x/", "replica", "nonsense");
        without_key["Destination"]
            .as_object_mut()
            .unwrap()
            .remove("Metrics");
        let rules = json!([without_key, rule("other", "y/", "replica", REPLICA_KEY)]);
        account["buckets"]["source"]["replication"]["Rules"] = rules.clone();
        let led = invoke(&world(&account), Mode::DryRun, &put_event("source")).await;
        let mut edits = 0;
        for line in led.told[0].text.lines() {
            let Some((_, command)) = line.split_once("aws s3api get-bucket-replication") else {
                continue;
            };
            let directory = std::env::temp_dir().join(format!("attack-{}-{edits}", std::process::id()));
            std::fs::create_dir_all(&directory).unwrap();
            let script = format!(
                "aws() {{ case \"$2\" in get-*) printf '%s' \"$CONFIGURATION\";; esac; }}; \
                 aws s3api get-bucket-replication{command}"
            );
            let output = Command::new("sh")
                .args(["-c", &script])
                .current_dir(&directory)
                .env("CONFIGURATION", json!({"Role": ROLE, "Rules": rules}).to_string())
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{line}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let edited = std::fs::read_to_string(directory.join("replication.json")).unwrap();
            let edited: Value = serde_json::from_str(&edited).unwrap();
            std::fs::remove_dir_all(&directory).unwrap();
            assert_eq!(edited["Rules"][1], rules[1], "{line}");
            assert_ne!(edited["Rules"][0], rules[0], "{line}");
            edits += 1;
        }
        assert!(edits > 0, "{}", led.told[0].text);
    }
    assert!(!std::path::Path::new("/tmp/s3-replication-remediator-was-here").exists());
}

#[tokio::test]
async fn a_command_whose_read_fails_puts_nothing() {
    let mut account = bare();
    let mut rule = rule("r", "", "replica", REPLICA_KEY);
    rule["Destination"].as_object_mut().unwrap().remove("Metrics");
    account["buckets"]["source"]["replication"]["Rules"] = json!([rule, rule_with_metrics()]);
    let led = invoke(&world(&account), Mode::DryRun, &put_event("source")).await;
    let commands: Vec<&str> = led.told[0]
        .text
        .lines()
        .filter(|line| line.contains("aws s3api get-bucket-"))
        .collect();
    for (read, config) in [
        ("get-bucket-replication", "replication"),
        ("get-bucket-notification-configuration", "notification"),
    ] {
        let command = commands.iter().find(|line| line.contains(read)).unwrap();
        let directory = std::env::temp_dir().join(format!("failing-{}-{config}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let stub = "aws() { case \"$2\" in get-*) return 254;; *) touch was-put;; esac; }";
        let status = Command::new("sh")
            .args(["-c", &format!("{stub}; {}", command.trim())])
            .current_dir(&directory)
            .env("QUEUE_ARN", "arn:aws:sqs:eu-west-1:111122223333:queue")
            .status()
            .unwrap();
        let was_put = directory.join("was-put").exists();
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(!status.success() && !was_put, "{command}");
    }
}

/// S3 announces failures of this rule, to nobody.
fn rule_with_metrics() -> Value {
    rule("other", "y/", "replica", REPLICA_KEY)
}

#[tokio::test]
async fn a_message_of_a_flood_of_text_is_cut_and_not_lost() {
    let mut account = bare();
    let rules: Vec<Value> = (0..300)
        .map(|n| {
            rule(
                &format!("{n}{}", "x".repeat(250)),
                &format!("{n}/"),
                &format!("gone-{n}"),
                REPLICA_KEY,
            )
        })
        .collect();
    account["buckets"]["source"]["replication"]["Rules"] = json!(rules);
    let led = invoke_with(
        &world(&account),
        Mode::DryRun,
        Default::default(),
        &put_event("source"),
    )
    .await;
    assert!(led.told[0].text.len() <= 250 * 1024, "{}", led.told[0].text.len());
}

#[tokio::test]
async fn nobody_is_told_to_give_the_role_a_tag_that_a_stranger_wants_or_that_opens_it_to_us() {
    for (owner, tag, is_offered) in [
        (OWN, "team", true),
        (OTHER, "team", false),
        (OWN, "s3-replication-remediator", false),
        (OWN, "S3-Replication-Remediator", false),
    ] {
        let mut account = with_s3_access(bare());
        account["memberRoles"] = json!([OTHER]);
        account["buckets"]["replica"]["owner"] = json!(owner);
        account["buckets"]["replica"]["policy"] = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "s3:Replicate*", "Resource": "*",
             "Condition": {"StringNotEquals": {format!("aws:PrincipalTag/{tag}"): "yes"}}}]});
        let guards = GuardSettings {
            trusted_accounts: [OTHER.parse().unwrap()].into(),
            ..GuardSettings::default()
        };
        let check = json!({"command": "check", "bucket": "source"});
        let led = invoke_with(&world(&account), Mode::DryRun, guards, &check).await;
        let told = json!(led.report()).to_string();
        assert!(told.contains("aws:PrincipalTag"), "{told}");
        assert_eq!(told.contains("tag-role"), is_offered, "{owner} {tag}");
    }
}
