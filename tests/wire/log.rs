//! What the function writes into its log: never what it signs with, however finely it is told to write.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{Server, answer, s3_error};

const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
const TRACE: &str =
    "Root=1-6a55e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:a87bd80c:0";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN";

/// Lambda's own interface for what it runs (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), and an AWS
/// that refuses everything.
fn lambda_and_aws() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/2018-06-01/runtime/invocation/next" => answer(200, r#"{"command":"check","bucket":"logs"}"#)
            .with(
                "lambda-runtime-aws-request-id",
                "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            )
            .with("lambda-runtime-deadline-ms", "4102444800000")
            .with("lambda-runtime-trace-id", TRACE)
            .with(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:111122223333:function:f",
            ),
        target if target.starts_with("/2018-06-01/runtime/") => answer(202, "{}"),
        _ => s3_error(403, "AccessDenied"),
    })
}

fn log_at(function: &str, level: &str) -> String {
    let server = lambda_and_aws();
    let file = std::env::temp_dir().join(format!("function-log-{}-{level}", std::process::id()));
    let log = File::create(&file).unwrap();
    let mut child = Command::new(function)
        .env_clear()
        .env(
            "AWS_LAMBDA_RUNTIME_API",
            server.address().trim_start_matches("http://"),
        )
        .env("AWS_LAMBDA_FUNCTION_NAME", "f")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "group")
        .env("AWS_LAMBDA_LOG_LEVEL", level)
        .env("AWS_REGION", "eu-west-1")
        .env("LEDGER_TABLE", "ledger")
        .env("AWS_ENDPOINT_URL", server.address())
        .env("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let is_answered = || {
        let answers = |target: &str| target.ends_with("/response") || target.ends_with("/error");
        server.requests().iter().any(|request| answers(&request.target))
    };
    while !is_answered() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        server
            .requests()
            .iter()
            .any(|request| request.header("x-amz-security-token") == TOKEN),
        "AWS was asked with the token"
    );
    for service in ["s3", "dynamodb"] {
        let mut asked = server
            .requests()
            .into_iter()
            .filter(|request| request.call().starts_with(service));
        assert!(
            asked.any(|request| request.header("x-amzn-trace-id") == TRACE),
            "{service} is asked in the trace of the invocation"
        );
    }
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(file).unwrap();
    assert!(is_answered(), "{text}");
    text
}

#[test]
fn the_log_holds_nothing_that_anybody_could_sign_with_at_any_level() {
    // It is there wherever the function is built.
    let Some(function) = option_env!("CARGO_BIN_EXE_s3-replication-remediator-function") else {
        return;
    };
    for level in ["TRACE", "INFO"] {
        let log = log_at(function, level);
        for secret in [SECRET, TOKEN, "Signature=", "Credential="] {
            assert!(!log.contains(secret), "{secret} at {level}:\n{log}");
        }
        assert!(log.contains("answered"), "{log}");
    }
}
