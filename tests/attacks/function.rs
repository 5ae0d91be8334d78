//! The whole function on an account in memory: from the bytes that wake it to what it writes, tells and answers.

use std::cell::RefCell;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use s3_replication_remediator::collect::Scope;
use s3_replication_remediator::guard::GuardSettings;
use s3_replication_remediator::handler::{Handler, HandlerError, Invocation, Response, Settings};
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::mode::Mode;
use s3_replication_remediator::notify::{Notification, Publication, PublishFailure, Publisher};
use s3_replication_remediator::queue::NoQueue;
use s3_replication_remediator::report::{Caller, Report};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::*;

/// Takes messages down.
#[derive(Debug, Default)]
pub(crate) struct Told(RefCell<Vec<Notification>>);

impl Publisher for &Told {
    async fn publish(&self, publication: Publication<'_>) -> Result<(), PublishFailure> {
        if let Publication::Alert(_, message) | Publication::Summary(message) = publication {
            self.0.borrow_mut().push(message.clone());
        }
        Ok(())
    }
}

/// What an invocation led to.
pub(crate) struct Led {
    pub(crate) answer: Result<Response, HandlerError>,
    pub(crate) told: Vec<Notification>,
}

impl Led {
    #[track_caller]
    pub(crate) fn report(&self) -> &Report {
        match self.answer.as_ref().unwrap() {
            Response::Report(report) => report,
            Response::Reports(reports) => &reports[0],
            Response::Batch(_) | Response::Sweep(_) => panic!("no report: {:?}", self.answer),
        }
    }
}

pub(crate) async fn invoke_with(world: &World, mode: Mode, guards: GuardSettings, payload: &Value) -> Led {
    let now = "2026-11-21T00:00:00Z".parse().unwrap();
    invoke_at(now, &MemoryLedger::default(), world, mode, guards, payload).await
}

/// The same at some time, by a function that remembers.
pub(crate) async fn invoke_at(
    now: Timestamp,
    ledger: &MemoryLedger,
    world: &World,
    mode: Mode,
    guards: GuardSettings,
    payload: &Value,
) -> Led {
    let told = Told::default();
    let handler = Handler {
        aws: world,
        publisher: &told,
        ledger,
        memory: MemoryLedger::default(),
        queue: NoQueue,
        settings: Settings {
            mode,
            scope: Scope {
                trusted_accounts: guards.trusted_accounts.clone(),
                member_role: !world.state().member_roles.is_empty(),
                inspect_objects: true,
                sample_objects: 0,
            },
            guards,
            report_refused_puts: true,
            remind_after: Some(SignedDuration::from_hours(24)),
        },
    };
    let invocation = Invocation {
        identity: world.identity(),
        now,
        began: Instant::now(),
        deadline: Instant::now() + Duration::from_secs(60),
        caller: Caller::Function {
            name: "s3-replication-remediator".to_owned(),
            region: "eu-west-1".parse().unwrap(),
        },
    };
    let answer = handler.handle(&invocation, payload).await;
    Led {
        answer,
        told: told.0.take(),
    }
}

pub(crate) async fn invoke(world: &World, mode: Mode, payload: &Value) -> Led {
    invoke_with(world, mode, GuardSettings::default(), payload).await
}

/// A CloudTrail record of a put, as EventBridge hands it on.
pub(crate) fn put_event(bucket: &str) -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3",
        "account": OWN, "region": "eu-west-1",
        "detail": {
            "eventSource": "s3.amazonaws.com", "eventName": "PutBucketReplication", "awsRegion": "eu-west-1",
            "eventID": "e-1", "eventTime": "2026-11-20T23:59:00Z",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "accountId": OWN},
            "requestParameters": {"bucketName": bucket},
        },
    })
}

/// An SQS batch with these bodies.
pub(crate) fn batch(bodies: &[Value]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(id, body)| {
            json!({"messageId": format!("m{id}"), "eventSource": "aws:sqs",
                "attributes": {"ApproximateReceiveCount": "1"}, "body": body.to_string()})
        })
        .collect();
    json!({"Records": records})
}

/// The same body, as a topic delivers it to a queue.
pub(crate) fn through_a_topic(body: &Value) -> Value {
    json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:anyones", "Message": body.to_string()})
}
