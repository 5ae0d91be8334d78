//! Denials that somebody hides from a look, and news that somebody hides behind other news.

use s3_replication_remediator::check::{CheckId, Severity, Verdict};
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::handler::Response;
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::Notification;
use serde_json::{Value, json};

use crate::function::{batch, invoke, invoke_at, put_event, through_a_topic};
use crate::world::*;

/// An account in which everything is permitted, and failures are heard of.
fn healthy() -> Value {
    let everything = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"}]});
    let account = with(
        bare(),
        &at("roles", ROLE, "inline"),
        json!({"theirs": everything}),
    );
    let queue = json!([{"arn": "arn:aws:sqs:eu-west-1:111122223333:q",
        "events": ["s3:Replication:OperationFailedReplication"]}]);
    with(account, "/buckets/source/notifications", queue)
}

fn denying(statements: Value) -> Value {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    with(healthy(), "/buckets/replica/policy", policy)
}

fn deny(element: &str, resource: Value, principal: Value) -> Value {
    json!({"Effect": "Deny", "Principal": principal, "Action": "s3:ReplicateObject", element: resource})
}

async fn verdict(account: &Value) -> Verdict {
    let check = json!({"command": "check", "bucket": "source"});
    invoke(&world(account), Mode::DryRun, &check)
        .await
        .report()
        .verdict
}

#[tokio::test]
async fn a_denial_of_a_part_of_the_objects_is_found_among_hundreds_about_others() {
    let nobody = json!({"AWS": "arn:aws:iam::111122223333:user/nobody"});
    let decoys: Vec<Value> = (0..500)
        .map(|n| json!(format!("arn:aws:s3:::replica/!{n:03}/*")))
        .collect();
    let real = json!("arn:aws:s3:::replica/payroll/*");
    let account = denying(json!([
        deny("Resource", json!(decoys), nobody),
        deny("Resource", real, json!("*"))
    ]));
    assert_eq!(verdict(&account).await, Verdict::AtRisk);
}

#[tokio::test]
async fn of_more_denied_parts_than_can_be_asked_about_nothing_is_called_healthy() {
    let nobody = json!({"AWS": "arn:aws:iam::111122223333:user/nobody"});
    let decoys: Vec<Value> = (0..2_600)
        .map(|n| json!(format!("arn:aws:s3:::replica/!{n:04}/*")))
        .collect();
    let account = denying(json!([deny("Resource", json!(decoys), nobody)]));
    assert_eq!(verdict(&account).await, Verdict::Undetermined);
}

#[tokio::test]
async fn many_rules_and_a_few_denied_parts_are_judged_and_not_given_up() {
    let rules: Vec<Value> = (0..250)
        .map(|n| rule(&format!("r{n}"), &format!("{n:04}/"), "replica", REPLICA_KEY))
        .collect();
    for (principal, expected) in [
        (
            json!({"AWS": "arn:aws:iam::111122223333:user/nobody"}),
            Verdict::Healthy,
        ),
        (json!("*"), Verdict::AtRisk),
    ] {
        let parts: Vec<String> = (0..10).map(|n| format!("arn:aws:s3:::replica/*.{n}")).collect();
        let mut account = denying(json!([deny("Resource", json!(parts), principal)]));
        account["buckets"]["source"]["replication"]["Rules"] = json!(rules);
        assert_eq!(verdict(&account).await, expected);
    }
}

#[tokio::test]
async fn rules_that_need_less_hide_no_denied_part_from_the_others() {
    let rules: Vec<Value> = (0..250)
        .map(|n| {
            let mut rule = rule(&format!("r{n}"), &format!("{n:04}/"), "replica", REPLICA_KEY);
            let status = if n < 20 { "Disabled" } else { "Enabled" };
            rule["DeleteMarkerReplication"] = json!({"Status": status});
            rule
        })
        .collect();
    let parts: Vec<String> = (0..25).map(|n| format!("arn:aws:s3:::replica/*.{n}")).collect();
    let mut account = denying(
        json!([{"Effect": "Deny", "Principal": "*", "Action": "s3:ReplicateDelete",
        "Resource": parts}]),
    );
    account["buckets"]["source"]["replication"]["Rules"] = json!(rules);
    assert_eq!(verdict(&account).await, Verdict::AtRisk);
}

#[tokio::test]
async fn denied_parts_beside_many_prefixes_that_they_do_not_meet_cost_nothing() {
    let rules: Vec<Value> = (0..250)
        .map(|n| {
            rule(
                &format!("r{n}"),
                &format!("tenant-{n:04}/data/"),
                "replica",
                REPLICA_KEY,
            )
        })
        .collect();
    let parts: Vec<String> = (0..100)
        .map(|n| format!("arn:aws:s3:::replica/restricted-{n}/*"))
        .collect();
    let mut account = denying(json!([deny("Resource", json!(parts), json!("*"))]));
    account["buckets"]["source"]["replication"]["Rules"] = json!(rules);
    assert_eq!(verdict(&account).await, Verdict::Healthy);
}

#[tokio::test]
async fn a_hundred_statements_about_a_folder_each_are_told_as_a_few_warnings() {
    let statements: Vec<Value> = (0..100)
        .map(|n| {
            let mut statement = deny(
                "Resource",
                json!(format!("arn:aws:s3:::replica/{n:03}/*")),
                json!("*"),
            );
            statement["Sid"] = json!(format!("Home{n}"));
            statement
        })
        .collect();
    let check = json!({"command": "check", "bucket": "source"});
    let led = invoke(&world(&denying(json!(statements))), Mode::DryRun, &check).await;
    let report = led.report();
    let warnings: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.check == CheckId::DestinationPolicy)
        .map(|finding| finding.summary.as_str())
        .collect();
    assert_eq!(warnings.len(), 5, "{warnings:#?}");
    assert!(
        warnings[4].contains("; 95 further statements deny other parts"),
        "{}",
        warnings[4]
    );
}

#[tokio::test]
async fn a_denied_part_that_begins_within_the_prefix_is_found_wherever_its_wildcards_stand() {
    for pattern in ["p*l/secret/*", "pay??ll/*", "*/secret/*", "payroll/secret/*"] {
        let resource = json!(format!("arn:aws:s3:::replica/{pattern}"));
        let mut account = denying(json!([deny("Resource", resource, json!("*"))]));
        account["buckets"]["source"]["replication"]["Rules"] =
            json!([rule("r1", "payroll/", "replica", REPLICA_KEY)]);
        assert_ne!(verdict(&account).await, Verdict::Healthy, "{pattern}");
    }
    let resource = json!("arn:aws:s3:::replica/p*l/secret/*");
    let mut account = denying(json!([deny("Resource", resource, json!("*"))]));
    account["buckets"]["source"]["replication"]["Rules"] =
        json!([rule("r1", "invoices/", "replica", REPLICA_KEY)]);
    assert_eq!(
        verdict(&account).await,
        Verdict::Healthy,
        "no object of the rule is meant"
    );
}

#[tokio::test]
async fn no_policy_treats_the_object_that_stands_for_a_rule_otherwise_than_all_others() {
    let sample = s3_replication_remediator::snapshot::SAMPLE_NAME;
    for name in [
        sample.to_owned(),
        sample.replace('\u{f8ff}', "?"),
        "*~*".to_owned(),
    ] {
        let resource = json!([format!("arn:aws:s3:::replica/*{name}")]);
        let all_but = denying(json!([deny("NotResource", resource.clone(), json!("*"))]));
        let only = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "NotResource": "arn:aws:s3:::replica/*"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": resource}]});
        let only = with(healthy(), &at("roles", ROLE, "inline"), json!({"theirs": only}));
        // A run of `?` that long does fit, and fits every name as long or longer.
        if !name.contains("??") {
            assert_ne!(verdict(&all_but).await, Verdict::Healthy, "{name}");
            assert_ne!(verdict(&only).await, Verdict::Healthy, "{name}");
        }
    }
}

async fn told(minute: u32, ledger: &MemoryLedger, w: &World, bodies: &[Value]) -> Vec<Notification> {
    let now = format!("2026-11-21T00:{minute:02}:00Z").parse().unwrap();
    let guards = GuardSettings::default();
    invoke_at(now, ledger, w, Mode::DryRun, guards, &batch(bodies))
        .await
        .told
}

fn event(minute: u32, name: &str) -> Value {
    let mut event = put_event("source");
    event["detail"]["eventName"] = json!(name);
    event["detail"]["eventID"] = json!(format!("{name}-{minute}"));
    event["detail"]["eventTime"] = json!(format!("2026-11-21T00:{minute:02}:00Z"));
    event
}

fn removal(minute: u32) -> Value {
    event(minute, "DeleteBucketReplication")
}

fn remove(w: &World) {
    w.edit(|state| {
        state
            .buckets
            .get_mut(&"source".parse().unwrap())
            .unwrap()
            .replication = None
    });
}

#[tokio::test]
async fn a_removal_that_did_not_happen_is_not_told_and_silences_none_that_does() {
    let (ledger, w) = (MemoryLedger::default(), world(&healthy()));
    assert_eq!(told(3, &ledger, &w, &[through_a_topic(&removal(2))]).await, []);
    remove(&w);
    let told = told(6, &ledger, &w, &[removal(5)]).await;
    assert!(
        told[0].text.contains("the replication configuration was removed"),
        "{told:?}"
    );
}

#[tokio::test]
async fn each_removal_is_told_once_though_an_earlier_one_was() {
    let (ledger, w) = (MemoryLedger::default(), world(&healthy()));
    let before = w.state().clone();
    remove(&w);
    for minute in [5, 6] {
        let expected = usize::from(minute == 5);
        assert_eq!(told(minute, &ledger, &w, &[removal(4)]).await.len(), expected);
    }
    w.edit(|state| *state = before.clone());
    told(8, &ledger, &w, &[event(7, "PutBucketReplication")]).await;
    remove(&w);
    assert_eq!(told(11, &ledger, &w, &[removal(10)]).await.len(), 1);
}

#[tokio::test]
async fn a_tool_that_replaces_a_configuration_by_removing_and_putting_it_is_no_news() {
    let (ledger, w) = (MemoryLedger::default(), world(&healthy()));
    assert_eq!(told(3, &ledger, &w, &[removal(2)]).await, []);
    assert_eq!(
        told(4, &ledger, &w, &[event(2, "PutBucketReplication")]).await,
        []
    );
}

#[tokio::test]
async fn rules_that_somebody_switches_off_are_told_and_fix_nothing() {
    for account in [healthy(), bare()] {
        let (ledger, w) = (MemoryLedger::default(), world(&account));
        let was_told = told(1, &ledger, &w, &[event(1, "PutBucketReplication")])
            .await
            .len();
        w.edit(|state| {
            let source = state.buckets.get_mut(&"source".parse().unwrap()).unwrap();
            for rule in &mut source.replication.as_mut().unwrap().rules {
                rule.status = "Disabled".to_owned();
            }
        });
        let told = told(2, &ledger, &w, &[event(2, "PutBucketReplication")]).await;
        assert_eq!(told.len(), 1, "{was_told} before");
        assert!(told[0].text.contains("nothing is replicated"), "{}", told[0].text);
        assert!(!told[0].text.contains("fixed"), "{}", told[0].text);
        assert!(!told[0].subject.contains("again"), "{}", told[0].subject);
    }
}

#[tokio::test]
async fn eighty_sweeps_that_somebody_asks_for_are_one_message_at_most() {
    let (ledger, w) = (MemoryLedger::default(), world(&healthy()));
    remove(&w);
    let sweeps = vec![through_a_topic(&json!({"command": "sweep"})); 80];
    assert_eq!(told(3, &ledger, &w, &sweeps).await.len(), 1);
}

#[tokio::test]
async fn a_message_about_a_sweep_that_nobody_made_says_nothing_of_the_account() {
    let (ledger, w) = (MemoryLedger::default(), world(&bare()));
    let counts = json!({"buckets": 412, "withReplication": 0, "unanswered": 0, "unreadable": 0});
    let progress = |more: Value| {
        let mut progress = json!({"id": "0".repeat(32), "started": "2026-11-21T00:00:00Z", "counts": counts});
        progress
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        through_a_topic(&json!({"command": "sweep", "progress": progress}))
    };
    let listed = progress(json!({"listed": "2026-11-21T00:00:30Z"}));
    assert_eq!(told(3, &ledger, &w, &[listed]).await, []);
    for message in told(4, &ledger, &w, &[progress(json!({"after": "zzz"}))]).await {
        assert_ne!(message.attributes["verdict"], "healthy", "{}", message.text);
    }
}

#[tokio::test]
async fn a_denied_part_is_a_warning_of_the_check_about_its_policy() {
    let account = denying(json!([deny(
        "Resource",
        json!("arn:aws:s3:::replica/payroll/*"),
        json!("*")
    )]));
    let check = json!({"command": "check", "bucket": "source"});
    let led = invoke(&world(&account), Mode::DryRun, &check).await;
    let Ok(Response::Report(report)) = &led.answer else {
        panic!("{:?}", led.answer)
    };
    let warned: Vec<CheckId> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning)
        .map(|finding| finding.check)
        .collect();
    assert!(warned.contains(&CheckId::DestinationPolicy), "{warned:?}");
}
