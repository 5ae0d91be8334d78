//! What a report says that a person would act on, in short names that can be remembered and compared.
//!
//! A finding is named by its check, its subject, its rules and its severity; a fact that could not be read by the call
//! and the code; a plan by its digest; an object that failed by its rule and S3's reason. Texts, times and counts have no
//! part in it: they change from look to look while there is nothing new to do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::apply::{Applied, State, Status};
use crate::check::{CheckId, Finding, Severity, Verdict};
use crate::digest;
use crate::event::{Change, FailedObject, TriggerKind};
use crate::mode::Mode;
use crate::report::Report;
use crate::source::read::is_temporary;
use crate::subject::Subject;

/// The word for something that we changed.
pub(super) const CHANGED: &str = "changed before";

/// More things than this about one bucket are remembered as one.
const MOST: usize = 400;

/// The short name of one thing that was said: 128 bits, so that nobody finds two things with one name.
pub type Fingerprint = String;

/// What the report itself does not say of the look that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookContext {
    /// Does the ledger outlive those who write into it, and was it read? Then every change stands in it.
    pub knows_changes: bool,
    /// Is it the first look for its event in this invocation?
    pub is_first: bool,
}

/// What a report says that a person would act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it comes to.
    pub verdict: Verdict,
    /// What stands until a look finds it gone; each with a word for people, the check's id.
    pub active: BTreeMap<Fingerprint, &'static str>,
    /// What was announced, and will not be found gone: objects that failed, a configuration that S3 refused.
    pub one_off: BTreeMap<Fingerprint, &'static str>,
    /// What was done, which is news each time.
    pub done: Option<&'static str>,
    /// A repair may have been made for this very event, by somebody who was stopped before it was told; nothing that
    /// is remembered says whether.
    pub may_have_repaired: bool,
    /// Is another look to be made where people know of a later one than this?
    pub yields_to_later_looks: bool,
    /// Was all read that mattered? Otherwise what is not found need not be gone.
    pub is_complete: bool,
    /// Is the bucket without replication? Whether that is wrong depends on who asks.
    pub is_not_configured: bool,
    /// How many object versions failed.
    pub failed_objects: usize,
    /// When that happened for which we looked, according to the event.
    pub event_time: Option<Timestamp>,
}

impl Alert {
    /// What there is to tell of a report. Nothing where a person asked: the answer is theirs, and nobody else was told.
    pub fn of(report: &Report, subject: &Subject, context: LookContext) -> Option<Self> {
        match report.trigger.kind {
            TriggerKind::Command => return None,
            TriggerKind::ReplicationConfigured
            | TriggerKind::ReplicationFailed
            | TriggerKind::Alarm
            | TriggerKind::Drift
            | TriggerKind::Sweep => {}
        }
        let is_in_place = report.outcome.as_ref().is_some_and(Applied::is_in_place);
        let done = report
            .outcome
            .as_ref()
            .filter(|outcome| outcome.has_written())
            .map(|outcome| outcome.status.as_str());
        Some(Self {
            verdict: report.verdict,
            active: few(active(report, is_in_place)),
            one_off: few(one_off(report)),
            done,
            may_have_repaired: report.mode == Mode::Auto
                && !context.knows_changes
                && subject.receive_count > 1
                && report.verdict == Verdict::Healthy
                && done.is_none()
                && report.earlier.is_empty(),
            // What was done, and what is told now or never, is told whatever else somebody has seen since.
            yields_to_later_looks: context.is_first && done.is_none() && report.earlier.is_empty(),
            is_complete: report.unread.is_empty(),
            is_not_configured: is_not_configured(report),
            failed_objects: subject.failed_objects,
            event_time: report.trigger.event_time,
        })
    }

    /// Everything that it says, short of what was done.
    pub fn items(&self) -> impl Iterator<Item = (&Fingerprint, &'static str)> {
        self.active
            .iter()
            .chain(&self.one_off)
            .map(|(fingerprint, word)| (fingerprint, *word))
    }

    /// Is there nothing that anybody would want to hear?
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.one_off.is_empty() && self.done.is_none()
    }
}

/// The name of a finding.
pub fn fingerprint(finding: &Finding) -> Fingerprint {
    name(&json!([
        "finding",
        finding.check.as_str(),
        finding.subject,
        finding.rule_ids,
        finding.severity
    ]))
}

fn active(report: &Report, is_in_place: bool) -> BTreeMap<Fingerprint, &'static str> {
    let findings = report
        .findings
        .iter()
        // Failures that S3 announces are named one by one.
        .filter(|finding| finding.check != CheckId::FailedObjects || report.trigger.objects.is_empty())
        .filter(|finding| finding.severity != Severity::Advice)
        .map(|finding| (fingerprint(finding), finding.check.as_str()));
    let unread = report.unread.iter().map(|failure| {
        // Which of the passing failures it is says nothing that anybody could act on.
        let code = match is_temporary(&failure.error_code) {
            true => "",
            false => failure.error_code.as_str(),
        };
        let parts = json!(["unread", failure.operation, failure.what, code]);
        (name(&parts), "could not be read")
    });
    let plan = report
        .digest()
        .filter(|_| !is_in_place)
        .map(|digest| (name(&json!(["plan", digest])), "plan"));
    findings
        .chain(unread)
        .chain(plan)
        .chain(stopped(report))
        .collect()
}

/// The name of the event that left a bucket without an enabled rule, where a look bears it out. Each such event is told: it
/// may be meant, and whoever did not mean it must hear of it.
fn stopped(report: &Report) -> Option<(Fingerprint, &'static str)> {
    let trigger = &report.trigger;
    let is_stopped = is_not_configured(report)
        && match trigger.change {
            Some(Change::Removed | Change::Configured) => true,
            Some(Change::Refused) | None => false,
        };
    let event = json!([
        "stopped",
        trigger
            .event_id
            .as_deref()
            .map_or_else(|| json!(trigger.event_time), |id| json!(id))
    ]);
    is_stopped.then(|| (name(&event), CheckId::ReplicationNotConfigured.as_str()))
}

/// Is the bucket without an enabled rule?
fn is_not_configured(report: &Report) -> bool {
    let mut findings = report.findings.iter();
    findings.any(|finding| finding.check == CheckId::ReplicationNotConfigured)
}

/// The names of failures: one for each rule and reason.
pub fn failures(objects: &[FailedObject]) -> BTreeSet<Fingerprint> {
    objects
        .iter()
        .map(|object| name(&json!(["failed", object.rule_id, object.failure_reason])))
        .collect()
}

fn one_off(report: &Report) -> BTreeMap<Fingerprint, &'static str> {
    let objects = failures(&report.trigger.objects)
        .into_iter()
        .map(|fingerprint| (fingerprint, CheckId::FailedObjects.as_str()));
    // Nobody can look at what was refused but in S3's words, so that these are what tells one from another.
    let refused = report
        .findings
        .iter()
        .filter(|finding| finding.check == CheckId::PutRefused)
        .map(|finding| (name(&json!(["refused", finding.found])), finding.check.as_str()));
    let outcome = report.outcome.as_ref().and_then(|outcome| {
        let parts = json!(["outcome", outcome.status, report.digest()]);
        match outcome.status {
            Status::Failed | Status::Refused | Status::PartlyApplied => {
                Some((name(&parts), outcome.status.as_str()))
            }
            Status::Planned | Status::Applied | Status::AlreadyInPlace => None,
        }
    });
    // The same change has the same name, whether it is told by who made it or by who found it in the records.
    let made = report
        .outcome
        .iter()
        .flat_map(|outcome| &outcome.changes)
        .filter_map(|change| change.request_id.as_ref());
    let made = made.map(|request| name(&json!(["changed", request])));
    let earlier = report.earlier.iter().map(|entry| match &entry.request_id {
        Some(request) if entry.state == State::Made => name(&json!(["changed", request])),
        // Who made it did not come to an end. It has its time, so that it is told again where it was made again.
        Some(_) | None => name(&json!(["changed", entry])),
    });
    let changed = made.chain(earlier).map(|fingerprint| (fingerprint, CHANGED));
    objects.chain(refused).chain(outcome).chain(changed).collect()
}

/// As they are, or where there are too many as one: what is remembered must fit into an item.
fn few(said: BTreeMap<Fingerprint, &'static str>) -> BTreeMap<Fingerprint, &'static str> {
    if said.len() <= MOST {
        return said;
    }
    let all: Vec<&Fingerprint> = said.keys().collect();
    BTreeMap::from([(name(&json!(all)), "more than can be told apart")])
}

fn name(parts: &Value) -> Fingerprint {
    digest::id(parts.to_string())
}
