//! The top of a message: the verdict, whom it concerns, since when, why now, and what was reported before.

use std::collections::BTreeSet;
use std::fmt::Write;

use jiff::Timestamp;

use super::FIELD;
use crate::check::{CheckId, Reach, Severity, Verdict};
use crate::event::{Change, TriggerKind};
use crate::notify::alert_state::{AlertHistory, Reason};
use crate::notify::escape::line;
use crate::notify::rate_limit::MAX_PER_BUCKET;
use crate::report::{Report, Rule, Trigger};

/// The most rules that are named.
const RULES: usize = 3;
/// The most tags of a rule that are named.
const TAGS: usize = 3;

/// What a report comes to.
pub(in crate::notify) fn meaning(report: &Report) -> String {
    match report.verdict {
        Verdict::Broken => broken(report, "are not replicated"),
        Verdict::AtRisk => {
            let warns = |is_told: fn(CheckId) -> bool| {
                let mut findings = report.findings.iter();
                findings.any(|finding| finding.severity == Severity::Warning && is_told(finding.check))
            };
            if warns(|check| check == CheckId::FailedObjects) {
                "objects failed to replicate; see the warnings below".to_owned()
            } else if warns(is_of_access) {
                "a part of the objects may not be replicated; see the warnings below".to_owned()
            } else {
                "objects replicate today, but see the warnings below".to_owned()
            }
        }
        Verdict::Undetermined => "whether objects replicate could not be determined".to_owned(),
        Verdict::Healthy => match report
            .findings
            .iter()
            .any(|finding| finding.check == CheckId::ReplicationNotConfigured)
        {
            true => "nothing is wrong, and nothing is replicated".to_owned(),
            false => "nothing is wrong".to_owned(),
        },
    }
}

/// Is the check about what the role may do? It warns of what is denied for a part of the objects.
fn is_of_access(check: CheckId) -> bool {
    matches!(
        check,
        CheckId::RoleSourceAccess
            | CheckId::RoleSourceKeyAccess
            | CheckId::RoleDestinationAccess
            | CheckId::RoleReplicaKeyAccess
            | CheckId::DestinationPolicy
    )
}

/// Whose objects are left behind, and what of them.
fn broken(report: &Report, state: &str) -> String {
    let whose = match rules_of_errors(report).as_deref() {
        Some([only]) => match objects(report, only).as_str() {
            "objects" => format!("objects matched by rule {}", quoted(only)),
            objects => format!("{objects} (rule {})", quoted(only)),
        },
        Some(rules @ [_, ..]) => format!("objects matched by rules {}", few(rules)),
        Some([]) | None => "objects".to_owned(),
    };
    match left_behind(report) {
        Reach::All => format!("{whose} {state}"),
        Reach::DeleteMarkers => format!("delete markers of {whose} {state}"),
        // Since when others failed as these did, nobody knows.
        Reach::Some => format!("some {whose} were not replicated"),
    }
}

/// What the errors together keep from being replicated.
fn left_behind(report: &Report) -> Reach {
    let errors = || {
        let findings = report.findings.iter();
        findings.filter(|finding| finding.severity == Severity::Error)
    };
    if errors().any(|finding| finding.reach == Reach::All) {
        Reach::All
    } else if errors().any(|finding| finding.reach == Reach::Some) {
        Reach::Some
    } else {
        Reach::DeleteMarkers
    }
}

/// A text from outside between signs that it cannot end.
fn quoted(text: &str) -> String {
    format!("`{}`", line(text, 64).replace('`', "'"))
}

fn few(rules: &[&str]) -> String {
    let shown: Vec<String> = rules.iter().take(RULES).map(|id| quoted(id)).collect();
    match rules.len().saturating_sub(RULES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The objects that a rule takes, as far as its filter is known.
fn objects(report: &Report, id: &str) -> String {
    let Some(Rule { prefix, tags, .. }) = report.rules.iter().find(|rule| rule.id == id) else {
        return "objects".to_owned();
    };
    let mut out = match prefix.as_str() {
        "" => "objects".to_owned(),
        prefix => format!("objects under {}", quoted(prefix)),
    };
    let shown: Vec<String> = tags
        .iter()
        .take(TAGS)
        .map(|tag| format!("{}={}", quoted(&tag.key), quoted(&tag.value)))
        .collect();
    if !shown.is_empty() {
        let more = match tags.len().saturating_sub(TAGS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = write!(out, " tagged {}{more}", shown.join(", "));
    }
    out
}

/// Which objects each of several rules takes, in one line, as a phone shows few; one rule alone is described in what the
/// report comes to, and a rule that takes all says nothing more by saying so.
fn concerned(report: &Report) -> String {
    let rules = rules_of_errors(report).unwrap_or_default();
    if rules.len() < 2 {
        return String::new();
    }
    let shown = rules.iter().take(RULES).map(|id| (id, objects(report, id)));
    let shown: Vec<String> = shown
        .filter(|(_, objects)| objects != "objects")
        .map(|(id, objects)| format!("rule {}: {objects}", quoted(id)))
        .collect();
    match shown.is_empty() {
        true => String::new(),
        false => format!("   {}\n", shown.join("; ")),
    }
}

/// Since when objects are left behind at least, and what that rests on; none where nobody knows. A change that an event
/// tells of need not be what broke it, so that only a failure that S3 reported counts, and what was found.
fn since(report: &Report, history: &AlertHistory) -> Option<(Timestamp, &'static str)> {
    let found = history
        .broken_since
        .filter(|since| *since < report.time)
        .map(|since| (since, "when this program first found it"));
    let failed = report
        .trigger
        .event_time
        .filter(|_| is_reported(report))
        .map(|failed| (failed, "when S3 reported a failed object"));
    found.into_iter().chain(failed).min_by_key(|(since, _)| *since)
}

/// Did S3 report the failure of an object that a broken rule matches?
fn is_reported(report: &Report) -> bool {
    let trigger = &report.trigger;
    let is_broken = |id: &str| rules_of_errors(report).is_none_or(|rules| rules.contains(&id));
    trigger.kind == TriggerKind::ReplicationFailed
        && trigger
            .objects
            .iter()
            .all(|object| object.rule_id.as_deref().is_none_or(is_broken))
}

/// Verdict, what it means, and who caused it.
pub(super) fn head(report: &Report, history: &AlertHistory) -> String {
    let bucket = &report.bucket;
    let mut out = String::new();
    let meaning = match since(report, history).filter(|_| report.verdict == Verdict::Broken) {
        Some((since, basis)) => broken(
            report,
            &format!("have not been replicated since at least {since}, {basis}"),
        ),
        None => meaning(report),
    };
    let verdict = report.verdict.as_str().to_uppercase();
    let _ = writeln!(out, "{verdict}: {}: {meaning}", bucket.name);
    out.push_str(&concerned(report));
    let place = [
        bucket
            .account_id
            .as_ref()
            .map(|account| format!("account {account}")),
        bucket.region.as_ref().map(ToString::to_string),
        Some(format!("mode {}", report.mode.as_str())),
    ];
    let _ = writeln!(
        out,
        "{}",
        place.into_iter().flatten().collect::<Vec<_>>().join(", ")
    );
    let counts = counts(report);
    if !counts.is_empty() {
        let _ = writeln!(out, "{counts}");
    }
    let first = history.first_seen.filter(|first| *first < report.time);
    if let (Some(first), Verdict::AtRisk | Verdict::Undetermined) = (first, report.verdict) {
        let _ = writeln!(out, "first seen: {first}");
    }
    let _ = writeln!(out, "{}", cause(report));
    out
}

/// `3 errors, 1 warning`.
pub(in crate::notify) fn counts(report: &Report) -> String {
    let counts: Vec<String> = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Advice, "advice"),
    ]
    .into_iter()
    .map(|(severity, name)| (count(report, severity), name))
    .filter(|(count, _)| *count > 0)
    .map(|(count, name)| format!("{count} {}", plural(count, name)))
    .chain((!report.unread.is_empty()).then(|| format!("{} unread", report.unread.len())))
    .collect();
    counts.join(", ")
}

/// The rules whose objects are concerned, where every error names some.
fn rules_of_errors(report: &Report) -> Option<Vec<&str>> {
    let errors = || {
        report
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
    };
    if errors().any(|finding| finding.rule_ids.is_empty()) {
        return None;
    }
    let rules: BTreeSet<&str> = errors()
        .flat_map(|finding| &finding.rule_ids)
        .map(String::as_str)
        .collect();
    Some(rules.into_iter().collect())
}

/// What became of the messages before this one.
pub(super) fn messages_before(history: &AlertHistory) -> String {
    let mut out = String::new();
    let news = match history.reason {
        Reason::New => "",
        Reason::Resolved => "resolved: what was reported before is fixed",
        Reason::Reopened => "reopened: it was fixed, and is not any more",
        Reason::Worse => "worse than the last message said",
        Reason::Changed => "changed since the last message",
        Reason::Reminder => "reminder: nothing has changed since the last message",
        Reason::Unconfirmed => "repeated, because an earlier message may not have reached you",
    };
    if !news.is_empty() {
        let _ = writeln!(out, "{news}");
    }
    if !history.gone.is_empty() {
        let words: Vec<&str> = history.gone.iter().map(String::as_str).collect();
        let _ = writeln!(out, "no longer found: {}", words.join(", "));
    }
    if let Some(lost) = &history.unconfirmed {
        let said = match &lost.done {
            Some(done) => format!(", which said that a repair was {done},"),
            None => String::new(),
        };
        let _ = writeln!(out, "the message of {}{said} may not have gone out", lost.at);
    }
    if let (Some(last), seen @ 1..) = (history.last_sent_at, history.suppressed) {
        let times = if seen == 1 {
            "once".to_owned()
        } else {
            format!("{seen} times")
        };
        let objects = match history.failed_objects {
            0 => String::new(),
            1 => "; S3 reported 1 failed object version meanwhile".to_owned(),
            count => format!("; S3 reported {count} failed object versions meanwhile"),
        };
        let _ = writeln!(out, "seen again {times} since the message of {last}{objects}");
    }
    if history.sent_this_hour.saturating_add(1) == MAX_PER_BUCKET {
        let _ = writeln!(
            out,
            "the last separate message about this bucket within the hour: what follows comes in a summary"
        );
    }
    out
}

/// What woke us.
pub(in crate::notify) fn occasion(trigger: &Trigger) -> &'static str {
    match trigger.kind {
        TriggerKind::ReplicationConfigured => match trigger.change {
            Some(Change::Refused) => "S3 refused a replication configuration",
            Some(Change::Removed) => "the replication configuration was removed",
            Some(Change::Configured) | None => "the replication configuration was changed",
        },
        TriggerKind::ReplicationFailed => "S3 reported objects that it could not replicate",
        TriggerKind::Alarm => "an alarm or S3 itself said that replication fails or is late",
        TriggerKind::Drift => "something that replication depends on was changed",
        TriggerKind::Sweep if trigger.follow_up => {
            "looked again after a repair: it is not as the repair left it"
        }
        TriggerKind::Sweep => "regular check",
        TriggerKind::Command => "somebody asked",
    }
}

fn cause(report: &Report) -> String {
    let trigger = &report.trigger;
    let what = occasion(trigger);
    let mut out = format!("why now: {what}");
    if let Some(changed) = &trigger.changed {
        let _ = write!(
            out,
            ", {} of {}",
            line(&changed.call, FIELD),
            line(&changed.resource, FIELD)
        );
    }
    if let Some(time) = trigger.event_time {
        let _ = write!(out, " at {time}");
    }
    // That S3 reports what S3 does says nothing.
    let is_s3 = trigger.kind == TriggerKind::ReplicationFailed;
    if let Some(actor) = trigger.actor.as_ref().filter(|_| !is_s3) {
        let _ = write!(out, " by {}", line(actor, FIELD));
    }
    if let Some(source) = trigger.source_ip.as_ref().filter(|_| !is_s3) {
        let _ = write!(out, " from {}", line(source, FIELD));
    }
    if let Some(event) = &trigger.event_id {
        let _ = write!(out, " (event {})", line(event, FIELD));
    }
    out
}

/// How many findings are so severe.
pub(super) fn count(report: &Report, severity: Severity) -> usize {
    report
        .findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .count()
}

/// The noun for so many.
pub(super) fn plural(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, "advice") => "piece of advice".to_owned(),
        (_, "advice") => "pieces of advice".to_owned(),
        (1, _) => noun.to_owned(),
        _ => format!("{noun}s"),
    }
}
