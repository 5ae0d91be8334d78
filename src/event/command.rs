//! Which commands exist, what each needs, and from which source each is accepted.
//!
//! A command is written by a person or a script, so it is read strictly: a misspelt field must not be ignored. Who may
//! invoke the function may command it (<https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html>);
//! who may write to a queue or topic before it is someone else, so what arrives that way can only ask for a look.

use serde_json::{Value, json};

use super::envelope::PartResult;
use super::field::Field;
use super::{
    Changed, Content, DropReason, InvalidEvent, PlanDigest, Progress, SweepId, Trigger, TriggerKind,
};
use crate::alike::alike;
use crate::arn::{BucketName, KeyArn, RoleArn};
use crate::shell::shell_quote;

/// An order, checked in form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Look at a bucket, and change nothing.
    Check {
        /// The bucket.
        bucket: BucketName,
    },
    /// Carry out the plan that a report showed.
    Apply {
        /// The bucket.
        bucket: BucketName,
        /// The plan that was read and agreed to.
        plan: PlanDigest,
    },
    /// Take back what was applied.
    Undo {
        /// The bucket.
        bucket: BucketName,
        /// The role that was changed, where the rule no longer names it.
        role: Option<RoleArn>,
        /// The keys that carry our grants, where the rules no longer name them.
        keys: Vec<KeyArn>,
        /// The undo plan that was read and agreed to; without it the undo is only shown.
        plan: Option<PlanDigest>,
    },
    /// Order the job that replicates what failed before.
    Backlog {
        /// The bucket.
        bucket: BucketName,
    },
    /// Look at every bucket that has a replication configuration.
    Sweep,
    /// Go on with that.
    SweepOn(Box<Progress>),
}

impl Command {
    /// The command as [`decode`](super::decode) reads it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Check { bucket } => json!({"command": "check", "bucket": bucket}),
            Self::Apply { bucket, plan } => json!({"command": "apply", "bucket": bucket, "plan": plan}),
            Self::Undo {
                bucket,
                role,
                keys,
                plan,
            } => {
                let mut command = json!({"command": "undo", "bucket": bucket});
                if let Value::Object(fields) = &mut command {
                    fields.extend(role.iter().map(|role| ("role".to_owned(), json!(role))));
                    fields.insert("keys".to_owned(), json!(keys));
                    fields.extend(plan.iter().map(|plan| ("plan".to_owned(), json!(plan))));
                }
                command
            }
            Self::Backlog { bucket } => json!({"command": "backlog", "bucket": bucket}),
            Self::Sweep => json!({"command": "sweep"}),
            Self::SweepOn(progress) => json!({"command": "sweep", "progress": progress}),
        }
    }

    /// The command as the command line takes it, quoted for a shell.
    pub(crate) fn arguments(&self) -> String {
        match self {
            Self::Check { bucket } => format!("check {bucket}"),
            Self::Apply { bucket, plan } => format!("apply {bucket} --plan {plan}"),
            Self::Undo {
                bucket,
                role,
                keys,
                plan,
            } => {
                let role = role.iter().map(|role| ("role", role.to_string()));
                let keys = keys.iter().map(|key| ("key", key.to_string()));
                let plan = plan.iter().map(|plan| ("plan", plan.to_string()));
                role.chain(keys)
                    .chain(plan)
                    .fold(format!("undo {bucket}"), |command, (name, value)| {
                        format!("{command} --{name} {}", shell_quote(&value))
                    })
            }
            Self::Backlog { bucket } => format!("backlog {bucket}"),
            Self::Sweep | Self::SweepOn(_) => "check --all".to_owned(),
        }
    }
}

/// Each part of what a message of our own says of its cause.
const CAUSE_BYTES: usize = 512;

const COMMANDS: [&str; 5] = ["check", "apply", "undo", "backlog", "sweep"];

/// A command that somebody invoked us with.
pub(super) fn decode(event: &Field<'_>) -> PartResult {
    read(event).map(Content::Command)
}

/// A command that a queue or a topic delivered: a look at one bucket, or at all, is everything that it can ask for.
///
/// A sweep sends itself one `check` per bucket this way. It joins the other reasons to look at that bucket, because
/// there is nobody who waits for its answer.
pub(super) fn decode_delivered(event: &Field<'_>) -> PartResult {
    match event.get("command").text() {
        Some("check") => return check_left_by_us(event).map(Content::Trigger),
        Some("sweep") if event.get("progress").is_present() => return sweep_on(event),
        _ => {}
    }
    Ok(match read(event)? {
        Command::Check { bucket } => Content::Trigger(Trigger::new(TriggerKind::Sweep, bucket)),
        sweep @ (Command::Sweep | Command::SweepOn(_)) => Content::Command(sweep),
        Command::Apply { .. } => Content::Dropped(DropReason::CommandNotDirect("apply")),
        Command::Undo { .. } => Content::Dropped(DropReason::CommandNotDirect("undo")),
        Command::Backlog { .. } => Content::Dropped(DropReason::CommandNotDirect("backlog")),
    })
}

/// A `check` as this program sends it to its own queue. Whoever forges one gets a look at a bucket.
fn check_left_by_us(event: &Field<'_>) -> Result<Trigger, InvalidEvent> {
    only(event, &["command", "bucket", "sweep", "promised", "drift"])?;
    let (sweep, promised, drift) = (event.get("sweep"), event.get("promised"), event.get("drift"));
    let id = |field: &Field<'_>| field.read::<SweepId>("the id of a sweep, 32 lower-case hexadecimal digits");
    let digest = |field: &Field<'_>| field.read("what was promised, `sha256:` and 64 hexadecimal digits");
    let text = |name: &str| drift.get(name).cut(CAUSE_BYTES);
    let kind = if drift.is_present() {
        TriggerKind::Drift
    } else {
        TriggerKind::Sweep
    };
    Ok(Trigger {
        sweep: sweep.is_present().then(|| id(&sweep)).transpose()?,
        promised: promised.is_present().then(|| digest(&promised)).transpose()?,
        drift: text("call")
            .zip(text("resource"))
            .map(|(call, resource)| Changed { call, resource }),
        event_id: text("eventId"),
        event_time: drift.get("eventTime").time(),
        actor: text("actor"),
        source_ip: text("sourceIp"),
        ..Trigger::new(kind, event.get("bucket").parse("a bucket name")?)
    })
}

/// The rest of a sweep, as this program sends it to its own queue.
fn sweep_on(event: &Field<'_>) -> PartResult {
    const EXPECTED: &str = "the progress of a sweep as this function writes it";
    only(event, &["command", "progress"])?;
    let field = event.get("progress");
    let progress: Progress = field.read(EXPECTED)?;
    if !progress.has_possible_token() {
        return Err(field.get("token").invalid("a token of a list of buckets"));
    }
    Ok(Content::Command(Command::SweepOn(Box::new(progress))))
}

fn read(event: &Field<'_>) -> Result<Command, InvalidEvent> {
    let name = event.get("command");
    let bucket = || event.get("bucket").parse("a bucket name");
    match name.text() {
        Some("check") => {
            only(event, &["command", "bucket"])?;
            Ok(Command::Check { bucket: bucket()? })
        }
        Some("apply") => {
            only(event, &["command", "bucket", "plan"])?;
            Ok(Command::Apply {
                bucket: bucket()?,
                plan: plan(event)?.ok_or_else(|| no_digest(event))?,
            })
        }
        Some("undo") => {
            only(event, &["command", "bucket", "role", "keys", "plan"])?;
            Ok(Command::Undo {
                bucket: bucket()?,
                role: role(event)?,
                keys: keys(event)?,
                plan: plan(event)?,
            })
        }
        Some("backlog") => {
            only(event, &["command", "bucket"])?;
            Ok(Command::Backlog { bucket: bucket()? })
        }
        Some("sweep") => {
            only(event, &["command"])?;
            Ok(Command::Sweep)
        }
        Some(other) => Err(name.invalid(format!(
            "one of {}{}",
            listed(&COMMANDS),
            did_you_mean(other, &COMMANDS)
        ))),
        None => Err(name.invalid(format!("one of {}", listed(&COMMANDS)))),
    }
}

/// Refuses fields that the command does not have.
fn only(event: &Field<'_>, known: &[&str]) -> Result<(), InvalidEvent> {
    match event.names().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(event.get(name).invalid(format!(
            "only the fields {}{}",
            listed(known),
            did_you_mean(name, known)
        ))),
    }
}

fn plan(event: &Field<'_>) -> Result<Option<PlanDigest>, InvalidEvent> {
    let plan = event.get("plan");
    if !plan.is_present() {
        return Ok(None);
    }
    plan.hint().map(Some).ok_or_else(|| no_digest(event))
}

fn no_digest(event: &Field<'_>) -> InvalidEvent {
    event
        .get("plan")
        .invalid("the plan's digest as the report shows it, `sha256:` and 64 lower-case hexadecimal digits")
}

fn role(event: &Field<'_>) -> Result<Option<RoleArn>, InvalidEvent> {
    let role = event.get("role");
    role.is_present().then(|| role.parse("a role ARN")).transpose()
}

fn keys(event: &Field<'_>) -> Result<Vec<KeyArn>, InvalidEvent> {
    let keys = event.get("keys");
    if keys.is_present() && !keys.is_array() {
        return Err(keys.invalid("an array of KMS key ARNs"));
    }
    keys.items().map(|key| key.parse("a KMS key ARN")).collect()
}

fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

fn did_you_mean(found: &str, known: &[&str]) -> String {
    match alike(found, known, 0.6).as_slice() {
        [word, ..] => format!(" (did you mean `{word}`?)"),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Drift, DriftCause, QueuedCheck, Resource};
    use super::*;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn error(command: Value) -> String {
        read(&Field::root(&command)).unwrap_err().to_string()
    }

    fn delivered(body: &Value) -> Content {
        decode_delivered(&Field::root(body)).unwrap()
    }

    #[test]
    fn what_this_program_writes_it_reads_back() {
        let bucket: BucketName = "logs".parse().unwrap();
        let plan: PlanDigest = DIGEST.parse().unwrap();
        let role: RoleArn = "arn:aws:iam::111122223333:role/crr".parse().unwrap();
        let key: KeyArn = "arn:aws:kms:eu-west-1:111122223333:key/1".parse().unwrap();
        for command in [
            Command::Check {
                bucket: bucket.clone(),
            },
            Command::Apply {
                bucket: bucket.clone(),
                plan: plan.clone(),
            },
            Command::Undo {
                bucket: bucket.clone(),
                role: Some(role),
                keys: vec![key.clone()],
                plan: Some(plan.clone()),
            },
            Command::Undo {
                bucket: bucket.clone(),
                role: None,
                keys: Vec::new(),
                plan: None,
            },
            Command::Backlog {
                bucket: bucket.clone(),
            },
            Command::Sweep,
        ] {
            assert_eq!(read(&Field::root(&command.to_json())).unwrap(), command);
        }
        let progress = Progress::new(SweepId::of("x"), "2026-01-02T03:04:05Z".parse().unwrap());
        let sweep = Command::SweepOn(Box::new(progress));
        assert_eq!(delivered(&sweep.to_json()), Content::Command(sweep));

        let plain = QueuedCheck::of(bucket.clone());
        let trigger = |kind| Trigger::new(kind, bucket.clone());
        let asked = trigger(TriggerKind::Sweep);
        assert_eq!(delivered(&plain.to_json()), Content::Trigger(asked.clone()));
        let of_sweep = QueuedCheck {
            sweep: Some(SweepId::of("x")),
            promised: Some(plan.clone()),
            ..plain.clone()
        };
        let expected = Trigger {
            sweep: Some(SweepId::of("x")),
            promised: Some(plan),
            ..asked
        };
        assert_eq!(delivered(&of_sweep.to_json()), Content::Trigger(expected));

        let drift = Drift {
            resources: [Resource::Key(key.clone())].into(),
            grant: None,
            call: "DisableKey".to_owned(),
            event_id: Some("e".to_owned()),
            event_time: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            actor: Some("arn:aws:iam::111122223333:user/eve".to_owned()),
            source_ip: Some("192.0.2.1".to_owned()),
        };
        let of_drift = QueuedCheck {
            drift: Some(DriftCause::new(&drift, &Resource::Key(key.clone()))),
            ..plain
        };
        let expected = Trigger {
            drift: Some(Changed {
                call: drift.call,
                resource: key.to_string(),
            }),
            event_id: drift.event_id,
            event_time: drift.event_time,
            actor: drift.actor,
            source_ip: drift.source_ip,
            ..trigger(TriggerKind::Drift)
        };
        assert_eq!(delivered(&of_drift.to_json()), Content::Trigger(expected));
    }

    #[test]
    fn a_command_that_is_not_understood_is_refused_with_what_was_probably_meant() {
        for (command, expected) in [
            (
                json!({"command": "chekc", "bucket": "logs"}),
                "field `command`: expected one of `check`, `apply`, `undo`, `backlog`, `sweep` (did you mean `check`?), found `chekc`",
            ),
            (
                json!({"command": "explode"}),
                "field `command`: expected one of `check`, `apply`, `undo`, `backlog`, `sweep`, found `explode`",
            ),
            (
                json!({"command": ["check"]}),
                "field `command`: expected one of `check`, `apply`, `undo`, `backlog`, `sweep`, found an array of 1",
            ),
            (
                json!({"command": "check", "Buckets": "logs"}),
                "field `Buckets`: expected only the fields `command`, `bucket` (did you mean `bucket`?), found `logs`",
            ),
            (
                json!({"command": "check", "bucket": "logs", "plan": DIGEST}),
                &format!("field `plan`: expected only the fields `command`, `bucket`, found `{DIGEST}`"),
            ),
            (
                json!({"command": "check"}),
                "field `bucket`: expected a bucket name, found nothing",
            ),
            (
                json!({"command": "check", "bucket": 12345}),
                "field `bucket`: expected a bucket name, found the number `12345`",
            ),
            (
                json!({"command": "sweep", "bucket": "logs"}),
                "field `bucket`: expected only the fields `command`, found `logs`",
            ),
            (
                json!({"command": "undo", "bucket": "logs", "role": "crr"}),
                "field `role`: expected a role ARN, found `crr`",
            ),
            (
                json!({"command": "undo", "bucket": "logs", "keys": "arn:aws:kms:eu-west-1:111122223333:key/1"}),
                "field `keys`: expected an array of KMS key ARNs, found `arn:aws:kms:eu-west-1:111122223333:key/1`",
            ),
            (
                json!({"command": "undo", "bucket": "logs", "keys": ["arn:aws:kms:eu-west-1:111122223333:alias/tax"]}),
                "field `keys[0]`: expected a KMS key ARN, found `arn:aws:kms:eu-west-1:111122223333:alias/tax`",
            ),
        ] {
            assert_eq!(error(command), expected);
        }
    }

    #[test]
    fn the_rule_that_a_name_breaks_is_the_source_of_the_error() {
        let command = json!({"command": "check", "bucket": "a b"});
        let error = read(&Field::root(&command)).unwrap_err();
        let rule = std::error::Error::source(&error).unwrap().to_string();
        assert!(rule.contains("expected 3 to 255 letters, digits"), "{rule}");
    }

    #[test]
    fn a_plan_is_named_by_its_whole_digest_and_nothing_else() {
        let upper = format!("sha256:{}", "A".repeat(64));
        for plan in [
            json!(null),
            json!(""),
            json!("sha256:"),
            json!(DIGEST.trim_end_matches("8")),
            json!(format!("{DIGEST}0")),
            json!(upper),
            json!(7),
        ] {
            let error = error(json!({"command": "apply", "bucket": "logs", "plan": plan}));
            assert!(
                error.starts_with("field `plan`: expected the plan's digest"),
                "{error}"
            );
        }
        assert_eq!(DIGEST.parse::<PlanDigest>().unwrap().to_string(), DIGEST);
    }

    #[test]
    fn a_name_of_a_field_cannot_smuggle_control_characters_into_an_error() {
        let error = error(json!({"command": "check", "bucket": "logs", "x\u{1b}[31m\n": 1}));
        assert!(!error.contains(char::is_control), "{error}");
    }
}
