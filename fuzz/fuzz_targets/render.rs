//! An account, what wakes the function and what it remembers, any of them hostile: every form of what is told holds what
//! its readers rely on, and nothing changes in a dry run.
//!
//! The texts are separated by a line `---`: the account as in `tests/scenarios`, the payload, and the ledger as a list of
//! `{"partition", "sort", "value"}`. Without a payload the first bucket that replicates is asked about. The mode is the length
//! of the input, modulo three.
//!
//! `cargo +nightly fuzz run render fuzz/corpus/render fuzz/seeds/render tests/scenarios`

#![no_main]

use std::time::Duration;

use jiff::SignedDuration;
use libfuzzer_sys::fuzz_target;
use s3_replication_remediator::arn::{BucketName, KeyReference, Partition};
use s3_replication_remediator::collect::Scope;
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::handler::{Response, Handler, Invocation, Settings};
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::ledger::{Item, ItemKey, Ledger};
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::{
    Publication, Notification, PublishFailure, Publisher, chat, events, security_hub,
};
use s3_replication_remediator::queue::NoQueue;
use s3_replication_remediator::report::{Caller, Report};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

#[path = "../../tests/core"]
#[allow(dead_code, reason = "this needs a part of what the account can do")]
mod shared {
    pub(crate) mod account;
}

use shared::account::{State, World};

/// Reads everything that is told, in every form.
#[derive(Debug)]
struct Reader;

impl Publisher for Reader {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        if let Publication::Alert(_, message) | Publication::Summary(message) = publication {
            message_is_sound(message);
            let chat = match publication.report() {
                Some(report) => chat::render(report, message, &Partition::aws()),
                None => chat::summary(message, &Partition::aws()),
            };
            chat_is_sound(&chat);
        }
        if let Publication::CheckResult(report, _) = publication {
            for event in events::render(report, &Partition::aws()) {
                assert!(event.detail.len() <= 256 * 1024);
                serde_json::from_str::<Value>(&event.detail).expect("the detail of an event is JSON");
            }
        }
        Ok(())
    }
}

/// What acts on a terminal, or hides in a text.
fn is_forbidden(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}')
}

fn message_is_sound(message: &Notification) {
    assert!((1..100).contains(&message.subject.len()));
    assert!(message.subject.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
    assert!(message.text.len() <= 251 * 1024);
    assert!(!message.text.contains(is_forbidden), "{}", message.text);
    assert!(
        !message.text.contains("<!") && !message.text.contains("<@"),
        "{}",
        message.text
    );
    // At most ten, and each of visible characters: a subscription's filter reads them.
    assert!(message.attributes.len() <= 10);
    for value in message.attributes.values() {
        assert!(
            !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic()),
            "{value}"
        );
    }
}

fn chat_is_sound(text: &str) {
    let chat: Value = serde_json::from_str(text).expect("the message for a chat is JSON");
    for field in ["title", "description"] {
        let shown = chat["content"][field].as_str().expect("a text");
        assert!(
            !shown.contains(is_forbidden) && shown.chars().count() <= 3_000,
            "{shown}"
        );
        assert_eq!(shown.matches('`').count() % 2, 0, "{shown}");
    }
}

fn report_is_sound(report: &Report, world: &World) {
    let json = serde_json::to_string(report).expect("a report is JSON");
    assert!(serde_json::from_str::<Value>(&json).is_ok());
    security_hub::render(report, &world.identity(), "eu-west-1");
    for command in [
        &report.commands.apply,
        &report.commands.undo,
        &Some(report.commands.check.clone()),
    ]
    .into_iter()
    .flatten()
    {
        assert!(!command.contains('\n') && !command.contains('\0'), "{command}");
    }
}

/// The account in memory takes its own data at its word, so that it is looked at first.
fn is_account(state: &State) -> bool {
    let encryption_is_one =
        |kind: &str| ["AES256", "aws:kms", "aws:kms:dsse", "SSE-C", "none"].contains(&kind);
    let is_key = |name: &str| {
        let (region, owner) = (state.identity.region.clone(), state.identity.account.clone());
        KeyReference::in_bucket(name, &Partition::aws(), &region, &owner).is_ok()
    };
    let time_is_one = |time: &Option<String>| {
        time.as_ref()
            .is_none_or(|time| time.parse::<jiff::Timestamp>().is_ok())
    };
    state.buckets.values().all(|bucket| {
        ["Enabled", "Suspended", "Never"].contains(&bucket.versioning.as_str())
            && ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]
                .contains(&bucket.ownership.as_str())
            && bucket
                .objects
                .iter()
                .map(|object| &object.encryption)
                .chain([&bucket.encryption])
                .all(|encryption| {
                    encryption_is_one(&encryption.kind) && encryption.key.as_deref().is_none_or(is_key)
                })
            && bucket
                .replication
                .iter()
                .flat_map(|replication| &replication.rules)
                .all(|rule| BucketName::from_arn(&rule.destination.bucket).is_ok())
    }) && state
        .keys
        .values()
        .all(|key| time_is_one(&key.deletion_date) && time_is_one(&key.material_expires))
}

async fn remembered(text: Option<&str>) -> MemoryLedger {
    let ledger = MemoryLedger::default();
    let items: Vec<Value> = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    for item in items {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let key = ItemKey {
            partition: text("partition"),
            sort: text("sort"),
        };
        let _ = ledger
            .put(&Item {
                key,
                version: 1,
                value: item["value"].clone(),
                expires: None,
            })
            .await;
    }
    ledger
}

async fn invoke(world: &World, mode: Mode, ledger: &MemoryLedger, payload: &Value) {
    let handler = Handler {
        aws: world,
        publisher: Reader,
        ledger,
        memory: MemoryLedger::default(),
        queue: NoQueue,
        settings: Settings {
            mode,
            scope: Scope {
                trusted_accounts: ["444455556666".parse().expect("an account")].into(),
                member_role: true,
                inspect_objects: true,
                sample_objects: 2,
            },
            guards: GuardSettings::default(),
            report_refused_puts: true,
            remind_after: Some(SignedDuration::from_hours(24)),
        },
    };
    let invocation = Invocation {
        identity: world.identity(),
        now: "2026-11-21T00:00:00Z".parse().expect("a time"),
        began: Instant::now(),
        deadline: Instant::now() + Duration::from_secs(60),
        caller: Caller::Function {
            name: "s3-replication-remediator".to_owned(),
            region: "eu-west-1".parse().expect("a Region"),
        },
    };
    match handler.handle(&invocation, payload).await {
        Ok(Response::Report(report)) => report_is_sound(&report, world),
        Ok(Response::Reports(reports)) => {
            for report in &reports {
                report_is_sound(report, world);
            }
        }
        Ok(Response::Batch(_) | Response::Sweep(_)) => {}
        Err(error) => assert!(!error.to_string().contains(is_forbidden), "{error}"),
    }
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
}

fuzz_target!(|text: &str| {
    let mut texts = text.split("\n---\n");
    let Some(Ok(state)) = texts.next().map(serde_json::from_str::<State>) else {
        return;
    };
    if !is_account(&state) {
        return;
    }
    let payload = match texts.next().map(serde_json::from_str::<Value>) {
        Some(Ok(payload)) => payload,
        Some(Err(_)) => return,
        None => {
            let source = state
                .buckets
                .iter()
                .find(|(_, bucket)| bucket.replication.is_some());
            json!({"command": "check", "bucket": source.map(|(name, _)| name)})
        }
    };
    let mode = [Mode::DryRun, Mode::Approve, Mode::Auto][text.len() % 3];
    let world = World::from_state(state);
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let ledger = remembered(texts.next()).await;
            invoke(&world, mode, &ledger, &payload).await;
            // SQS delivers at least once.
            invoke(&world, mode, &ledger, &payload).await;
        });
    });
    assert!(mode != Mode::DryRun || world.writes().is_empty());
});
