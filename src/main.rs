//! The Lambda function: wiring, and nothing that decides.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-rust.html>

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, run, service_fn};
use s3_replication_remediator::aws::{AnyLedger, Aws, Bus, Chat, Hub, MemberRole, Topic};
use s3_replication_remediator::config::{Config, environment};
use s3_replication_remediator::error::chain;
use s3_replication_remediator::handler::{Handler, Invocation, Response, Settings, work_until};
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::notify::dedup::Deduplicated;
use s3_replication_remediator::notify::fanout::Fanout;
use s3_replication_remediator::report::Caller;
use s3_replication_remediator::telemetry::{self, Metered, Metrics};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing::{error, info};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let variables = environment().collect();
    write_log(&variables);
    match start(variables).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!(error = problem, "the function does not start");
            ExitCode::FAILURE
        }
    }
}

/// Logs as Lambda is set to: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>.
fn write_log(variables: &BTreeMap<String, String>) {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .into_iter()
        .find_map(|name| variables.get(name)?.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    // At finer levels the SDK writes down what it signs, with the token of the session in it. Nothing of that is compiled
    // into a release, where `tracing/release_max_level_info` leaves it out.
    let levels = Targets::new().with_default(level.min(LevelFilter::INFO));
    let log = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(false)
        .without_time();
    let registry = tracing_subscriber::registry().with(levels);
    match variables.get("AWS_LAMBDA_LOG_FORMAT") {
        Some(format) if format.eq_ignore_ascii_case("json") => registry.with(log.json()).init(),
        Some(_) | None => registry.with(log).init(),
    }
}

async fn start(variables: BTreeMap<String, String>) -> Result<(), String> {
    let config = Config::from_env(variables.clone().into_iter()).map_err(|error| chain(&error))?;
    let aws = &Aws::connect(&variables, MemberRole::of(&config)).map_err(|error| chain(&error))?;
    aws.prepare().await;
    let metrics = &Metrics::default();
    let handler = &Handler {
        aws,
        settings: Settings {
            mode: config.mode,
            scope: config.scope(),
            guards: config.guards(),
            report_refused_puts: config.report_refused_puts,
            remind_after: config.remind_after(),
        },
        publisher: Fanout(
            metrics,
            Fanout(
                Deduplicated::new(Topic {
                    aws,
                    arn: config.notification_topic,
                }),
                Fanout(
                    config.chat_topic.map(|arn| Deduplicated::new(Chat { aws, arn })),
                    Fanout(
                        config.event_bus.map(|bus| Deduplicated::new(Bus { aws, bus })),
                        config.security_hub.then(|| Deduplicated::new(Hub { aws })),
                    ),
                ),
            ),
        ),
        ledger: Metered {
            ledger: match config.ledger_table {
                Some(name) => AnyLedger::Table(aws.table(name)),
                None => AnyLedger::Memory(MemoryLedger::default()),
            },
            metrics,
        },
        memory: MemoryLedger::default(),
        queue: aws.queue(config.queue_url),
    };
    let function = service_fn(|event: LambdaEvent<Value>| async move {
        let invocation = invocation(aws, &event.context)
            .await
            .map_err(|error| failed("Unavailable", error))?;
        let began = Instant::now();
        let answer = handler.handle(&invocation, &event.payload).await;
        let calls: u64 = aws.take_calls().values().sum();
        info!(calls, "answered");
        measure(
            metrics,
            telemetry::Invocation {
                function: &event.context.env_config.function_name,
                time: invocation.now,
                returned: match &answer {
                    Ok(Response::Batch(again)) => again.len(),
                    Ok(Response::Report(_) | Response::Reports(_) | Response::Sweep(_)) | Err(_) => 0,
                },
                calls,
                duration: began.elapsed(),
            },
        );
        match answer {
            Ok(answer) => to_json(answer).map_err(|error| failed("Unwritable", chain(&error))),
            Err(error) => Err(failed(error.kind(), chain(&error))),
        }
    });
    run(function).await.map_err(|error| chain(error.as_ref()))
}

/// Writes the metrics as lines of their own. The log may be gone; the work is done all the same.
fn measure(metrics: &Metrics, invocation: telemetry::Invocation<'_>) {
    let mut out = std::io::stdout().lock();
    for line in metrics.lines(invocation) {
        let _ = out.write_all(format!("{line}\n").as_bytes());
    }
    let _ = out.flush();
}

async fn invocation(aws: &Aws, context: &Context) -> Result<Invocation, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the time that the core is handed comes from"
    )]
    let exactly_now = jiff::Timestamp::now();
    let now = jiff::Timestamp::from_second(exactly_now.as_second()).unwrap_or(exactly_now);
    let left = i64::try_from(context.deadline)
        .unwrap_or(i64::MAX)
        .saturating_sub(exactly_now.as_millisecond());
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or(0));
    let identity = tokio::time::timeout_at(work_until(deadline), aws.identity())
        .await
        .map_err(|_| "the invocation's time was up before AWS said who we are".to_owned())?
        .map_err(|error| chain(&error))?
        .clone();
    Ok(Invocation {
        identity,
        now,
        began: Instant::now(),
        deadline,
        caller: Caller::Function {
            name: context.env_config.function_name.clone(),
            region: aws.region().clone(),
        },
    })
}

fn to_json(answer: Response) -> Result<Value, serde_json::Error> {
    match answer {
        Response::Batch(again) => {
            let mut response = SqsBatchResponse::default();
            for id in again {
                response.add_failure(id);
            }
            serde_json::to_value(response)
        }
        Response::Reports(reports) => Ok(json!({"reports": reports})),
        Response::Report(report) => serde_json::to_value(report),
        Response::Sweep(sweep) => serde_json::to_value(sweep),
    }
}

/// The error as Lambda shows and counts it; the runtime logs it.
fn failed(kind: &'static str, message: String) -> Diagnostic {
    Diagnostic {
        error_type: kind.to_owned(),
        error_message: message,
    }
}
