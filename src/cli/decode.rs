//! `decode`: what the function would make of an event, without asking AWS anything.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arguments::{DecodeArguments, PlainFormat};
use super::exit::Exit;
use super::output::UnwritableAnswers;
use super::output::json::pretty;
use super::{Problem, read, say};
use crate::error::chain;
use crate::event::{AnswerForm, Record, decode};
use crate::notify::escape::line;
use crate::subject::{Batch, Subject, subjects};

/// How much of any one text from outside is shown.
const FIELD: usize = 1_000;

pub(super) fn run(said: &DecodeArguments) -> Result<Exit, Problem> {
    let text = read(&said.event)?;
    let event: Value = serde_json::from_str(&text).map_err(|source| Problem::NoJson {
        file: said.event.display().to_string(),
        source,
    })?;
    let decoded = decode(&event, said.own_role.as_ref());
    let records = decoded.records.into_iter();
    let batch = match said.report_refused_puts {
        true => subjects(records.map(Record::or_refused_put)),
        false => subjects(records),
    };
    let made = described(decoded.answer, &batch);
    let text = match said.output {
        PlainFormat::Json => pretty(&made).map_err(UnwritableAnswers::Json)?,
        PlainFormat::Text => shown(&batch),
    };
    say(&text)?;
    Ok(match batch.invalid.is_empty() {
        true => Exit::Healthy,
        false => Exit::Usage,
    })
}

fn described(answer: AnswerForm, batch: &Batch) -> Value {
    let answer = match answer {
        AnswerForm::SqsBatch => "sqs-batch",
        AnswerForm::Reports => "reports",
        AnswerForm::Command => "report",
    };
    json!({
        "answer": answer,
        "subjects": batch.subjects.iter().map(subject).collect::<Vec<_>>(),
        "changes": batch.drifts.iter().map(|one| {
            let changed: Vec<String> = one.item.resources.iter().map(ToString::to_string).collect();
            json!({"messageId": one.message_id, "call": one.item.call, "changed": changed})
        }).collect::<Vec<_>>(),
        "commands": batch.commands.iter().map(|one| {
            json!({"messageId": one.message_id, "command": one.item.to_json()})
        }).collect::<Vec<_>>(),
        "dropped": batch.dropped.iter().map(|one| {
            json!({"messageId": one.message_id, "reason": one.item.to_string()})
        }).collect::<Vec<_>>(),
        "invalid": batch.invalid.iter().map(|one| {
            json!({"messageId": one.message_id, "field": one.item.path(), "reason": chain(&one.item)})
        }).collect::<Vec<_>>(),
    })
}

fn subject(subject: &Subject) -> Value {
    let trigger = &subject.trigger;
    json!({
        "bucket": subject.bucket,
        "kind": trigger.kind,
        "change": trigger.change,
        "region": trigger.region_hint,
        "eventId": trigger.event_id,
        "eventTime": trigger.event_time,
        "actor": trigger.actor,
        "sourceIp": trigger.source_ip,
        "failedObjects": subject.failed_objects,
        "objects": trigger.objects,
        "messageIds": subject.message_ids,
    })
}

fn shown(batch: &Batch) -> String {
    let mut out = String::new();
    let from = |message: &Option<String>| {
        message
            .as_ref()
            .map_or_else(String::new, |id| format!(" (message {})", line(id, FIELD)))
    };
    for one in &batch.subjects {
        let trigger = &one.trigger;
        let kind = serde_json::to_value(trigger.kind).unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default();
        let _ = writeln!(out, "look at bucket {}: {kind}", one.bucket);
        let change = serde_json::to_value(trigger.change).unwrap_or_default();
        let rows = [
            ("change", change.as_str().map(str::to_owned)),
            ("region", trigger.region_hint.as_ref().map(ToString::to_string)),
            ("event", trigger.event_id.clone()),
            ("time", trigger.event_time.map(|time| time.to_string())),
            ("actor", trigger.actor.clone()),
            ("source", trigger.source_ip.clone()),
        ];
        for (name, value) in rows {
            if let Some(value) = value {
                let _ = writeln!(out, "   {name}: {}", line(&value, FIELD));
            }
        }
        if one.failed_objects > 0 {
            let _ = writeln!(out, "   failed objects: {}", one.failed_objects);
        }
        for object in &trigger.objects {
            let reason = object.failure_reason.as_deref().unwrap_or("no reason given");
            let version = object.version_id.as_deref().unwrap_or("no version");
            let rule = object.rule_id.as_deref().unwrap_or("no rule");
            let _ = writeln!(
                out,
                "      {}: `{}`, version {}, rule `{}`",
                line(reason, FIELD),
                line(&object.key, FIELD),
                line(version, FIELD),
                line(rule, FIELD)
            );
        }
    }
    for one in &batch.drifts {
        let changed: Vec<String> = one.item.resources.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            out,
            "look at the buckets that depend on it{}: {} of {}",
            from(&one.message_id),
            line(&one.item.call, FIELD),
            line(&changed.join(", "), FIELD)
        );
    }
    for one in &batch.commands {
        let _ = writeln!(out, "command{}: {}", from(&one.message_id), one.item.to_json());
    }
    for one in &batch.dropped {
        let _ = writeln!(
            out,
            "dropped{}: {}",
            from(&one.message_id),
            line(&one.item.to_string(), FIELD)
        );
    }
    for one in &batch.invalid {
        let _ = writeln!(
            out,
            "invalid{}: {}",
            from(&one.message_id),
            line(&chain(&one.item), FIELD)
        );
    }
    if out.is_empty() {
        out.push_str("nothing in it\n");
    }
    out
}
