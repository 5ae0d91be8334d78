//! The Lambda function: wiring, and nothing that decides.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-rust.html>

use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, run, service_fn};
use s3_replication_remediator::arn::Arn;
use s3_replication_remediator::aws::Aws;
use s3_replication_remediator::config::{Config, environment};
use s3_replication_remediator::error::chain;
use s3_replication_remediator::handler::{Answer, Handler, Invocation, Settings};
use s3_replication_remediator::ledger::memory::MemoryLedger;
use s3_replication_remediator::notify::sparing::Sparing;
use s3_replication_remediator::notify::{Notification, PublishFailure, Publisher};
use s3_replication_remediator::report::Caller;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{error, info};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!(error = problem, "the function does not start");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), String> {
    let config = Config::from_env(environment()).map_err(|error| chain(&error))?;
    let aws = &Aws::connect(config.member_role_name.clone())
        .await
        .map_err(|error| chain(&error))?;
    let handler = &Handler {
        aws,
        settings: Settings {
            mode: config.mode,
            scope: config.scope(),
            guards: config.guards(),
            report_refused_puts: config.report_refused_puts,
        },
        publisher: Sparing::new(Topic {
            aws,
            arn: config.notification_topic,
        }),
        ledger: MemoryLedger::default(),
        queue: aws.queue(config.queue_url),
    };
    let function = service_fn(|event: LambdaEvent<Value>| async move {
        let invocation = invocation(aws, &event.context)
            .await
            .map_err(|error| failed("Unavailable", error))?;
        match handler.handle(&invocation, &event.payload).await {
            Ok(answer) => to_json(answer).map_err(|error| failed("Unwritable", chain(&error))),
            Err(error) => Err(failed(error.kind(), chain(&error))),
        }
    });
    run(function).await.map_err(|error| chain(error.as_ref()))
}

async fn invocation(aws: &Aws, context: &Context) -> Result<Invocation, String> {
    let identity = aws.identity().await.map_err(|error| chain(&error))?.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the time that the core is handed comes from"
    )]
    let exactly_now = jiff::Timestamp::now();
    let now = jiff::Timestamp::from_second(exactly_now.as_second()).unwrap_or(exactly_now);
    let left = i64::try_from(context.deadline)
        .unwrap_or(i64::MAX)
        .saturating_sub(exactly_now.as_millisecond());
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    Ok(Invocation {
        identity,
        now,
        deadline: Instant::now() + left,
        caller: Caller {
            function: context.env_config.function_name.clone(),
            region: aws.region().clone(),
        },
    })
}

fn to_json(answer: Answer) -> Result<Value, serde_json::Error> {
    match answer {
        Answer::Batch(again) => {
            let mut response = SqsBatchResponse::default();
            for id in again {
                response.add_failure(id);
            }
            serde_json::to_value(response)
        }
        Answer::Reports(reports) => Ok(json!({"reports": reports})),
        Answer::Report(report) => serde_json::to_value(report),
        Answer::Sweep(sweep) => serde_json::to_value(sweep),
    }
}

/// The error as Lambda shows and counts it; the runtime logs it.
fn failed(kind: &'static str, message: String) -> Diagnostic {
    Diagnostic {
        error_type: kind.to_owned(),
        error_message: message,
    }
}

/// The topic for people. Without one the log has what would be told: nobody reads what is answered to a queue.
#[derive(Debug)]
struct Topic<'a> {
    aws: &'a Aws,
    arn: Option<Arn>,
}

impl Publisher for Topic<'_> {
    async fn publish(&self, notification: &Notification) -> Result<(), PublishFailure> {
        let Some(arn) = &self.arn else {
            info!(report = notification.text, "{}", notification.subject);
            return Ok(());
        };
        self.aws
            .publish(
                arn,
                &notification.subject,
                &notification.text,
                &notification.attributes,
            )
            .await
            .map(drop)
            .map_err(|error| PublishFailure {
                reason: chain(&error),
            })
    }
}
