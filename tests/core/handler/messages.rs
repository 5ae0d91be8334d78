//! What people read, as it is sent: four stories, held against files beside this one.
//!
//! `UPDATE_MESSAGES=1 cargo test` writes them anew, for a person to read in the diff. README.md quotes the first.

use std::fs;
use std::path::Path;

use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::Notification;
use serde_json::{Value, json};

use super::stage::{REPLICA_KEY, ROLE, SOURCE, Stage, recorded};
use super::{failed, put};

/// What a stranger would call things: line breaks, a direction mark, a terminal's colour, a chat's alarm, a link, quotes.
const HOSTILE: &str =
    "it's \"<!channel>\" <https://evil.example|ok>\r\nHEALTHY\u{202e}\u{1b}[31m\u{7}`$(id)`\u{200b}";

#[track_caller]
fn is_sent(name: &str, message: &Notification) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/core/handler/{name}.txt"));
    let text = format!("{}\n\n{}", message.subject, message.text);
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs from what is sent now:\n{text}",
        file.display()
    );
}

/// Nothing in it is acted upon: by a terminal, a chat, or the eye that reads from left to right.
#[track_caller]
fn is_harmless(message: &Notification) {
    for character in message.text.chars().filter(|character| *character != '\n') {
        let acts = character.is_control() || "<\u{200b}\u{202e}".contains(character);
        assert!(!acts, "{character:?} in {}", message.text);
    }
    assert!(message.subject.len() < 100 && message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
}

#[test]
fn a_broken_bucket_is_told_with_its_plan_as_recorded() {
    let stage = Stage::broken(Mode::DryRun);
    stage.handle(&put()).unwrap();
    is_sent("many-reasons", &stage.only_message());
}

/// A rule for some objects only.
pub(super) fn take_only_tagged(stage: &Stage) {
    stage.world.edit(|state| {
        let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
        let rule = &mut source.replication.as_mut().unwrap().rules[0];
        rule.filter = serde_json::from_value(json!({"And": {
            "Prefix": "tax/", "Tags": [{"Key": "keep", "Value": "<!here>`"}],
        }}))
        .unwrap();
    });
}

#[test]
fn the_first_line_says_which_objects_are_left_behind() {
    let stage = Stage::broken(Mode::DryRun);
    take_only_tagged(&stage);
    stage.handle(&put()).unwrap();
    let text = stage.only_message().text;
    let first = "BROKEN: amzn-s3-demo-source-bucket: objects under `tax/` tagged `keep`=`&lt;!here&gt;'` (rule `kms`) are not replicated\n";
    assert!(text.contains(first), "{text}");
    assert!(
        !text.contains("since"),
        "a change of rules proves nothing: {text}"
    );
}

#[test]
fn since_when_rests_on_what_s3_reported_and_on_what_was_seen() {
    let stage = Stage::broken(Mode::DryRun);
    let mut failure = failed();
    stage.handle(&failure).unwrap();
    let first = stage.only_message().text;
    let reported = failure["Records"][0]["eventTime"]
        .as_str()
        .unwrap()
        .replace(".000Z", "Z");
    assert!(
        first.contains(&format!(
            "have not been replicated since at least {reported}, when S3 reported a failed object"
        )),
        "{reported}: {first}"
    );
    stage.forget();
    let seen = stage.now.get();
    stage.now.set(seen + jiff::SignedDuration::from_hours(25));
    failure["Records"][0]["eventTime"] = json!(stage.now.get());
    stage.handle(&failure).unwrap();
    let again = stage.only_message().text;
    assert!(
        again.contains(&format!(
            "have not been replicated since at least {seen}, when this program first found it"
        )),
        "{again}"
    );
}

#[test]
fn a_bucket_that_was_repaired_is_told_as_healthy() {
    let stage = Stage::repairable(Mode::Auto);
    stage.handle(&put()).unwrap();
    is_sent("repaired", &stage.only_message());
}

#[test]
fn what_is_undetermined_is_told_with_what_would_permit_to_know() {
    let stage = Stage::healthy(Mode::DryRun);
    stage.world.deny("kms:GetKeyPolicy", "*");
    stage.world.deny("iam:GetRolePolicy", "*");
    stage.handle(&put()).unwrap();
    is_sent("undetermined", &stage.only_message());
}

/// A story in which every text that a stranger may choose is hostile, and nothing was opted in.
pub(super) fn among_strangers() -> Stage {
    let stage = Stage::repairable(Mode::Auto);
    stage.world.edit(|state| {
        let source = state.buckets.get_mut(&SOURCE.parse().unwrap()).unwrap();
        let rule = &mut source.replication.as_mut().unwrap().rules[0];
        rule.id = HOSTILE.to_owned();
        rule.filter = serde_json::from_value(json!({"Prefix": "<!here>/\u{202e}'\n/"})).unwrap();
        rule.destination.metrics = None;
        let role = state.roles.get_mut(&ROLE.parse().unwrap()).unwrap();
        role.tags.clear();
        role.tags.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
        let policy = role.inline.remove("replication").unwrap();
        role.inline.insert(HOSTILE.to_owned(), policy);
        let key = state.keys.get_mut(&REPLICA_KEY.parse().unwrap()).unwrap();
        key.tags.clear();
        key.policy = Some(json!({"Version": "2012-10-17", "Statement": [
            {"Sid": HOSTILE, "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
             "Action": "kms:*", "Resource": "*"},
            {"Sid": HOSTILE, "Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*",
             "Condition": {"StringNotEquals": {"aws:PrincipalTag/team": HOSTILE}}},
        ]}));
    });
    stage
}

pub(super) fn hostile_events() -> [(&'static str, u32, Value); 2] {
    let mut put = put();
    put["detail"]["userIdentity"]["arn"] = json!(HOSTILE);
    put["detail"]["sourceIPAddress"] = json!(HOSTILE);
    put["detail"]["eventID"] = json!(HOSTILE);
    let mut failed = failed();
    failed["Records"][0]["s3"]["object"]["key"] = json!("invoices/%3C%21channel%3E%0A%1B%5B31m.pdf");
    failed["Records"][0]["s3"]["object"]["versionId"] = json!(HOSTILE);
    failed["Records"][0]["replicationEventData"]["failureReason"] = json!(HOSTILE);
    failed["Records"][0]["replicationEventData"]["replicationRuleId"] = json!(HOSTILE);
    [("put", 1, put), ("failed", 1, failed)]
}

#[test]
fn what_is_withheld_is_told_with_the_text_of_strangers_escaped() {
    let stage = among_strangers();
    assert!(stage.deliver(&hostile_events()).is_empty());
    let message = stage.only_message();
    is_harmless(&message);
    assert!(message.text.contains("WITHHELD"));
    is_sent("withheld", &message);
}

#[test]
fn text_that_strangers_chose_stays_harmless_in_what_is_planned_and_to_be_pasted() {
    let mut stage = among_strangers();
    stage.mode = Mode::DryRun;
    stage.world.edit(|state| {
        for role in state.roles.values_mut() {
            role.tags
                .insert("s3-replication-remediator".to_owned(), "allow".to_owned());
        }
        for key in state.keys.values_mut() {
            key.tags
                .insert("s3-replication-remediator".to_owned(), "allow".to_owned());
            key.policy = None;
        }
    });
    assert!(stage.deliver(&hostile_events()).is_empty());
    let message = stage.only_message();
    is_harmless(&message);
    assert!(message.text.contains("Apply by hand"), "{}", message.text);
}

/// More than any form takes.
pub(super) fn with_many_rules() -> Stage {
    let stage = Stage::broken(Mode::DryRun);
    stage.world.edit(|state| {
        let source = &state.buckets[&SOURCE.parse().unwrap()];
        let first = source.replication.as_ref().unwrap().rules[0].clone();
        let destination = state.buckets[&"amzn-s3-demo-destination-bucket".parse().unwrap()].clone();
        for number in 0..300 {
            let mut rule = first.clone();
            let bucket = format!("amzn-s3-demo-destination-{number}");
            rule.id = format!("{number}{}", "é".repeat(200));
            rule.priority = Some(number + 2);
            rule.destination.bucket = format!("arn:aws:s3:::{bucket}");
            state
                .buckets
                .get_mut(&SOURCE.parse().unwrap())
                .unwrap()
                .replication
                .as_mut()
                .unwrap()
                .rules
                .push(rule);
            state.buckets.insert(bucket.parse().unwrap(), destination.clone());
        }
    });
    stage.handle(&recorded("cloudtrail/put-kms-rule.json")).unwrap();
    stage
}

#[test]
fn a_message_that_is_too_long_for_sns_is_cut_and_says_so() {
    let text = with_many_rules().only_message().text;
    assert!(text.len() <= 250 * 1024);
    assert!(text.contains("Check again:"), "the commands stay");
    assert!(text.ends_with("the command `check` answers the whole report)\n"));
}
