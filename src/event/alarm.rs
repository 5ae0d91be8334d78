//! Which CloudWatch alarms are a reason to look at a bucket: those that go off on failed replication of a bucket.
//!
//! Implements <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html> and, for the form that
//! SNS carries, <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html>.
//! The metric is that of <https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html>, published in the
//! source bucket's Region.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::envelope::PartResult;
use super::field::Field;
use super::{Content, DropReason, Trigger, TriggerKind};
use crate::arn::{Arn, BucketName, Region};

const EVENT_ID_BYTES: usize = 128;
/// An alarm watches ten at most. More than a message may name are an error, for which so many are enough.
const MOST_METRICS: usize = 100;
const FAILURES: &str = "OperationsFailedReplication";

/// What the three forms of an alarm have in common.
struct Alarm<'a> {
    name: Field<'a>,
    state: Field<'a>,
    /// One place per watched bucket, in which its name should stand.
    buckets: Vec<Field<'a>>,
    region: Option<Region>,
    event_id: Option<String>,
    time: Option<Timestamp>,
}

/// EventBridge's `CloudWatch Alarm State Change`, and that of a contributor.
pub(super) fn decode_event_bridge(event: &Field<'_>) -> Vec<PartResult> {
    let detail = event.get("detail");
    state_change(event, &detail)
}

/// The payload of an alarm whose action is a Lambda function.
pub(super) fn decode_action(event: &Field<'_>) -> Vec<PartResult> {
    let data = event.get("alarmData");
    state_change(event, &data)
}

fn state_change(event: &Field<'_>, alarm: &Field<'_>) -> Vec<PartResult> {
    let metrics = alarm.get("configuration").get("metrics");
    let name = alarm.get("alarmName");
    let mut buckets: Vec<_> = metrics
        .items()
        .map(|item| item.get("metricStat").get("metric"))
        .filter(|metric| watches_failures(metric, "namespace", "name"))
        .take(MOST_METRICS)
        .map(|metric| metric.get("dimensions").get("SourceBucket"))
        .collect();
    if buckets.is_empty() && metrics.items().any(|item| asks_for_failures(&item, "expression")) {
        let contributor = alarm.get("alarmContributor");
        if !contributor.is_present() {
            return vec![Ok(Content::Dropped(DropReason::AlarmOfMany(name.quoted())))];
        }
        buckets.push(contributor.get("attributes").get("SourceBucket"));
    }
    Alarm {
        name,
        state: alarm.get("state").get("value"),
        buckets,
        region: event.get("region").hint(),
        event_id: event.get("id").cut(EVENT_ID_BYTES),
        time: alarm
            .get("state")
            .get("timestamp")
            .time()
            .or_else(|| event.get("time").time()),
    }
    .outcomes()
}

/// The text of the notification that an alarm sends to a topic.
pub(super) fn decode_sns(event: &Field<'_>) -> Vec<PartResult> {
    let trigger = event.get("Trigger");
    let asks_for_many = trigger
        .get("Metrics")
        .items()
        .any(|item| asks_for_failures(&item, "Expression"));
    if asks_for_many {
        return vec![Ok(Content::Dropped(DropReason::AlarmOfMany(
            event.get("AlarmName").quoted(),
        )))];
    }
    // An alarm on a single metric names it in `Trigger` itself, one with metric math in `Trigger.Metrics`.
    let metrics = trigger
        .get("Metrics")
        .items()
        .map(|item| item.get("MetricStat").get("Metric"))
        .chain([trigger.clone()]);
    Alarm {
        name: event.get("AlarmName"),
        state: event.get("NewStateValue"),
        buckets: metrics
            .filter(|metric| watches_failures(metric, "Namespace", "MetricName"))
            .take(MOST_METRICS)
            .map(|metric| {
                let dimensions = metric.get("Dimensions");
                let named = dimensions
                    .items()
                    .find(|dimension| dimension.get("name").is("SourceBucket"));
                named.map_or_else(
                    || dimensions.get("SourceBucket"),
                    |dimension| dimension.get("value"),
                )
            })
            .collect(),
        region: event
            .get("AlarmArn")
            .hint::<Arn>()
            .and_then(|arn| arn.region.parse().ok()),
        event_id: None,
        time: event.get("StateChangeTime").time(),
    }
    .outcomes()
}

/// A query over the metrics of many buckets, whose alarm goes off for each of them as a contributor:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html>.
fn asks_for_failures(item: &Field<'_>, expression: &str) -> bool {
    let query = item.get(expression).text().unwrap_or_default();
    query.contains("AWS/S3") && query.contains(FAILURES)
}

fn watches_failures(metric: &Field<'_>, namespace: &str, name: &str) -> bool {
    metric.get(namespace).is("AWS/S3") && metric.get(name).is(FAILURES)
}

impl Alarm<'_> {
    /// One trigger per bucket: metric math may add several rules, or several buckets, up.
    fn outcomes(self) -> Vec<PartResult> {
        if self.buckets.is_empty() {
            return vec![Ok(Content::Dropped(DropReason::OtherAlarm(self.name.quoted())))];
        }
        match self.state.text() {
            Some("ALARM") => {}
            Some(_) => {
                let (name, state) = (self.name.quoted(), self.state.quoted());
                return vec![Ok(Content::Dropped(DropReason::AlarmState { name, state }))];
            }
            None => return vec![Err(self.state.invalid("the alarm's state"))],
        }
        let mut seen = BTreeSet::new();
        self.buckets
            .iter()
            .map(|field| field.parse::<BucketName>("the name of the source bucket"))
            .filter(|bucket| bucket.as_ref().map_or(true, |bucket| seen.insert(bucket.clone())))
            .map(|bucket| {
                Ok(Content::Trigger(Trigger {
                    region_hint: self.region.clone(),
                    event_id: self.event_id.clone(),
                    event_time: self.time,
                    ..Trigger::new(TriggerKind::Alarm, bucket?)
                }))
            })
            .collect()
    }
}
