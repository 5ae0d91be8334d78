//! The message for a chat: a custom notification of Amazon Q Developer in chat applications (formerly AWS Chatbot), which
//! shows it in Slack, Microsoft Teams and Chime:
//! <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>.
//!
//! It is shown as the chat's own markdown, of which there is more than one. What does not come from this program therefore
//! stands in code spans, in which no chat looks for mentions, links or emphasis.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::apply::Status;
use crate::arn::{BucketName, Partition};
use crate::check::{Finding, Severity};
use crate::digest;
use crate::event::TriggerKind;
use crate::mode::Mode;
use crate::report::Report;

use super::affected::affected;
use super::escape::line;
use super::text::{counts, meaning, occasion};
use super::{Notification, NotificationScope};

/// The `eventType` of our notifications, which custom actions of a channel can be bound to.
pub const EVENT_TYPE: &str = "S3 Replication Check Result";

/// AWS says no length of anything. A section of Slack takes 3,000 characters
/// (<https://docs.slack.dev/reference/block-kit/blocks/section-block/>), and the least that others take is more.
const DESCRIPTION: usize = 2_800;
/// The most characters of a title or summary.
const TITLE: usize = 200;
/// The most characters of what one finding says.
const SUMMARY: usize = 400;
/// The most characters of a name from outside.
const NAME: usize = 200;
/// The longest command that is shown; half a command would be worse than none.
const COMMAND: usize = 1_000;

/// The message about one bucket to publish to the topic that the chat reads, as JSON. One thread for its trouble, from when
/// it was first seen to when it is mended; where nobody remembers that, one for the bucket.
pub fn render(report: &Report, message: &Notification, partition: &Partition) -> String {
    let since = match &message.about {
        NotificationScope::Bucket(since) => *since,
        NotificationScope::Many(_) => None,
    };
    let bucket = &report.bucket.name;
    let verdict = report.verdict.as_str();
    let resources: Vec<String> = affected(report, partition)
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "version": "1.0",
        "source": "custom",
        "id": report.id,
        "content": {
            "textType": "client-markdown",
            "title": code(&message.subject, TITLE),
            "description": description(report),
            "nextSteps": next_steps(report),
            "keywords": keywords(report),
        },
        "metadata": {
            "threadId": match since {
                Some(since) => format!("s3-replication-remediator:{bucket}:{}", since.as_second()),
                None => format!("s3-replication-remediator:{bucket}"),
            },
            "summary": format!("S3 replication of {} is {verdict}", code(bucket.as_str(), TITLE)),
            "eventType": EVENT_TYPE,
            "relatedResources": resources,
            "additionalContext": context(report),
        },
    })
    .to_string()
}

/// The message about many buckets, as JSON.
pub fn summary(message: &Notification, partition: &Partition) -> String {
    const RESOURCES: usize = 20;
    let mode = message.attributes.get("mode").map_or("", String::as_str);
    let buckets: &[String] = match &message.about {
        NotificationScope::Many(buckets) => buckets,
        NotificationScope::Bucket(_) => &[],
    };
    let id = digest::id(&message.text);
    let resources: Vec<String> = buckets
        .iter()
        .filter_map(|name| Some(name.parse::<BucketName>().ok()?.arn(partition)))
        .take(RESOURCES)
        .collect();
    json!({
        "version": "1.0",
        "source": "custom",
        "id": id,
        "content": {
            "textType": "client-markdown",
            "title": code(&message.subject, TITLE),
            "description": listed(&message.text),
            "nextSteps": ["Read the message of the other topic, which names every bucket"],
            "keywords": ["summary", mode],
        },
        "metadata": {
            "threadId": "s3-replication-remediator",
            "summary": code(&message.subject, TITLE),
            "eventType": EVENT_TYPE,
            "relatedResources": resources,
            "additionalContext": {"mode": mode, "buckets": buckets.len().to_string()},
        },
    })
    .to_string()
}

/// The first lines of a message, up to its first command: as many as fit.
fn listed(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text
        .lines()
        .take_while(|text| !text.starts_with("The whole report"))
        .filter(|text| !text.is_empty());
    while let Some(text) = lines.next() {
        let shown = code(text, SUMMARY);
        if out.chars().count() + shown.chars().count() > DESCRIPTION - 60 {
            let _ = writeln!(
                out,
                "… and {} more lines, in the whole message",
                1 + lines.count()
            );
            break;
        }
        let _ = writeln!(out, "{shown}");
    }
    out.truncate(out.trim_end().len());
    out
}

/// Text from outside, so that it stands for itself in every chat.
fn code(text: &str, limit: usize) -> String {
    let shown = line(text, limit).replace('`', "'");
    match shown.trim() {
        "" => "(empty)".to_owned(),
        shown => format!("`{shown}`"),
    }
}

/// What it comes to, why now, and as many findings as fit, the worst first.
fn description(report: &Report) -> String {
    let mut out = head(report);
    out.push_str(&done(report));
    let tail = tail(report);
    let room = DESCRIPTION.saturating_sub(tail.chars().count() + 60);
    for (index, finding) in report.findings.iter().enumerate() {
        let told = one_finding(index + 1, finding);
        if out.chars().count() + told.chars().count() > room {
            let left = report.findings.len() - index;
            let _ = writeln!(out, "… and {left} more, in the whole report");
            break;
        }
        out.push_str(&told);
    }
    out.push_str(&tail);
    out.truncate(out.trim_end().len());
    out
}

fn head(report: &Report) -> String {
    let place = [
        report
            .bucket
            .account_id
            .as_ref()
            .map(|id| format!("account {id}")),
        report.bucket.region.as_ref().map(ToString::to_string),
    ];
    let place: Vec<String> = place.into_iter().flatten().collect();
    let mut out = meaning(report);
    if !place.is_empty() {
        let _ = write!(out, " ({})", place.join(", "));
    }
    out.push('\n');
    let counts = counts(report);
    if !counts.is_empty() {
        let _ = writeln!(out, "{counts}");
    }
    let trigger = &report.trigger;
    let _ = write!(out, "why now: {}", occasion(trigger));
    if let Some(time) = trigger.event_time {
        let _ = write!(out, " at {time}");
    }
    if let Some(actor) = trigger
        .actor
        .as_ref()
        .filter(|_| trigger.kind != TriggerKind::ReplicationFailed)
    {
        let _ = write!(out, " by {}", code(actor, NAME));
    }
    out.push('\n');
    out
}

fn one_finding(number: usize, finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Advice => "ADVICE",
    };
    format!(
        "{number}. {severity} {}: {}\n",
        finding.check.as_str(),
        code(&finding.summary, SUMMARY)
    )
}

/// What was changed already.
fn done(report: &Report) -> String {
    let Some(outcome) = &report.outcome else {
        return String::new();
    };
    if outcome.status == Status::Planned {
        return String::new();
    }
    let mut out = format!("repair: {}", outcome.status.as_str());
    if !report.repaired.is_empty() {
        let _ = write!(
            out,
            ", which repaired {} of what was found",
            report.repaired.len()
        );
    }
    out.push('\n');
    out
}

/// What could be changed, and what stands in the way.
fn tail(report: &Report) -> String {
    let Some(plan) = &report.plan else {
        return String::new();
    };
    let mut out = String::new();
    let is_planned = report
        .outcome
        .as_ref()
        .is_none_or(|outcome| outcome.status == Status::Planned);
    if is_planned && plan.has_changes() {
        let _ = writeln!(out, "a repair is planned: {}", code(plan.digest().as_str(), NAME));
    }
    let withheld = plan.plan().withheld.len();
    if withheld > 0 {
        let _ = writeln!(
            out,
            "{withheld} of the changes that would help are withheld by a guard"
        );
    }
    out
}

fn next_steps(report: &Report) -> Vec<String> {
    let commands = &report.commands;
    let mut steps = Vec::new();
    let fits = |command: &&String| command.chars().count() <= COMMAND;
    match (&commands.apply, report.mode) {
        (Some(command), Mode::Approve | Mode::Auto) if fits(&command) => {
            steps.push(format!("Apply the plan: {}", shell(command)));
        }
        (Some(_), _) => steps.push("Apply the plan by hand: its commands are in the whole report".to_owned()),
        (None, _) => {}
    }
    if let Some(command) = commands.undo.as_ref().filter(fits)
        && report
            .outcome
            .as_ref()
            .is_some_and(|outcome| outcome.has_written())
    {
        steps.push(format!("Take it back: {}", shell(command)));
    }
    if fits(&&commands.check) {
        steps.push(format!(
            "Look again, and read the whole report: {}",
            shell(&commands.check)
        ));
    }
    steps
}

/// A command of ours. What stands in it from outside does so in JSON, in which an escape means the same.
fn shell(command: &str) -> String {
    format!("`{}`", super::escape::pasteable(command).replace('`', "\\u0060"))
}

fn keywords(report: &Report) -> Vec<&'static str> {
    const MOST: usize = 5;
    let mut checks: Vec<&str> = Vec::new();
    for finding in &report.findings {
        let check = finding.check.as_str();
        if !checks.contains(&check) && checks.len() < MOST {
            checks.push(check);
        }
    }
    [report.verdict.as_str(), report.mode.as_str()]
        .into_iter()
        .chain(checks)
        .collect()
}

/// What custom actions can take from a notification.
fn context(report: &Report) -> Value {
    let bucket = &report.bucket;
    let known = [
        ("bucket", Some(bucket.name.to_string())),
        ("accountId", bucket.account_id.as_ref().map(ToString::to_string)),
        ("region", bucket.region.as_ref().map(ToString::to_string)),
        ("mode", Some(report.mode.as_str().to_owned())),
        ("verdict", Some(report.verdict.as_str().to_owned())),
        ("reportId", Some(report.id.clone())),
        ("plan", report.digest().map(str::to_owned)),
    ];
    let context: Map<String, Value> = known
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))))
        .collect();
    Value::Object(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_leave_its_code_span() {
        assert_eq!(code("a`*b*` <!here> @all", 99), "`a'*b*' &lt;!here&gt; @all`");
        assert_eq!(code("a\nb", 99), "`a\\u{a}b`");
        assert_eq!(code(" ", 99), "(empty)");
    }

    #[test]
    fn a_command_means_the_same_without_the_sign_that_would_end_its_span() {
        assert_eq!(shell("aws x '{\"a\":\"`\"}'"), "`aws x '{\"a\":\"\\u0060\"}'`");
    }
}
