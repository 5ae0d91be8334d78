//! The binary itself, where it asks nothing of AWS: arguments, exit codes, and what stands on which stream.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use s3_replication_remediator::check::CheckId;
use s3_replication_remediator::cli::exit::Exit;
use s3_replication_remediator::cli::settings::OF_THE_FUNCTION;
use s3_replication_remediator::config::SETTINGS;
use serde_json::Value;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-replication-remediator"));
    // Nothing of whoever runs the tests may leak in.
    command
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).stdin(Stdio::null()).output().unwrap()
}

fn given(arguments: &[&str], input: &str) -> Output {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// It says so on standard error, and nothing on standard output.
#[track_caller]
fn is_refused(output: &Output, exit: Exit, said: &str) {
    assert_eq!(
        output.status.code(),
        Some(i32::from(exit.code())),
        "{}",
        err(output)
    );
    assert!(err(output).contains(said), "{}\nexpected: {said}", err(output));
    assert_eq!(out(output), "");
}

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[test]
fn arguments_that_are_not_understood_are_refused_with_what_was_expected() {
    for (arguments, said) in [
        (&[][..], "Usage:"),
        (&["chekc", "b"], "a similar subcommand exists: 'check'"),
        (&["check"], "required arguments were not provided"),
        (&["check", "a b"], "expected 3 to 255 letters, digits"),
        (&["check", "logs", "--all"], "cannot be used with"),
        (&["check", "--config", "x.json"], "--bucket <BUCKET>"),
        (&["check", "--bucket", "logs"], "--config <FILE>"),
        (&["check", "logs", "--resume", "x"], "cannot be used with"),
        (&["check", "logs", "--jobs", "0"], "0 is not in 1..=32"),
        (
            &["check", "logs", "--output", "xml"],
            "possible values: text, json, markdown, sarif, html",
        ),
        (
            &["check", "logs", "--fail-on", "all"],
            "possible values: at-risk, undetermined, broken, never",
        ),
        (
            &["check", "logs", "--region", "Ireland"],
            "expected lower-case letters, digits and hyphens",
        ),
        (
            &["check", "logs", "--endpoint-url", "localhost"],
            "expected a URL",
        ),
        (
            &["apply", "logs", "--plan", "sha256:1"],
            "64 lower-case hexadecimal digits",
        ),
        (&["apply", "logs", "--yes"], "--plan <DIGEST>"),
        (&["undo", "logs", "--role", "crr"], "is not"),
        (&["undo", "logs", "--key", "alias/tax"], "is not"),
    ] {
        is_refused(&run(arguments), Exit::Usage, said);
    }
}

#[test]
fn where_nobody_can_be_asked_nothing_is_done() {
    is_refused(
        &run(&["apply", "logs"]),
        Exit::Usage,
        "give it with --plan and --yes",
    );
    is_refused(
        &run(&["apply", "logs", "--plan", DIGEST]),
        Exit::Usage,
        "add --yes",
    );
    is_refused(
        &run(&["undo", "logs", "--plan", DIGEST]),
        Exit::Usage,
        "add --yes",
    );
}

#[test]
fn settings_are_checked_before_anybody_logs_in() {
    let wrong = run(&["check", "logs", "--trusted-accounts", "12", "--opt-in-tag", "x"]);
    is_refused(&wrong, Exit::Usage, "2 settings are wrong");
    assert!(err(&wrong).contains("TRUSTED_ACCOUNTS: `12`"), "{}", err(&wrong));
    let misspelt = command(&["check", "logs"])
        .env("ALLOWED_KEYS_ARNS", "x")
        .output()
        .unwrap();
    is_refused(
        &misspelt,
        Exit::Usage,
        "if `ALLOWED_KEY_ARNS` is meant, rename it",
    );
    is_refused(
        &run(&["check", "logs"]),
        Exit::Usage,
        "no Region is set; name one with --region",
    );
}

#[test]
fn without_credentials_or_a_connection_it_says_so() {
    is_refused(
        &run(&["check", "logs", "--region", "eu-west-1"]),
        Exit::Unreachable,
        "AWS cannot be asked; log in as for the AWS command line, or name a profile with --profile",
    );
    is_refused(
        &run(&["check", "--all", "--region", "eu-west-1", "--profile", "nobody"]),
        Exit::Unreachable,
        "profile `nobody` gives no credentials; `aws configure list --profile nobody` shows what it holds",
    );
    let refused = command(&[
        "check",
        "logs",
        "--region",
        "eu-west-1",
        "--endpoint-url",
        "http://127.0.0.1:9",
    ])
    .env("AWS_ACCESS_KEY_ID", "x")
    .env("AWS_SECRET_ACCESS_KEY", "x")
    .output()
    .unwrap();
    is_refused(&refused, Exit::Unreachable, "NoConnection");
}

#[test]
fn a_file_that_cannot_be_used_is_told_before_anybody_logs_in() {
    let check = |file| ["check", "--bucket", "logs", "--config", file];
    is_refused(
        &run(&check("nosuchfile")),
        Exit::Usage,
        "`nosuchfile` cannot be read",
    );
    is_refused(&run(&check("src")), Exit::Usage, "`src` cannot be read");
    let wrong = given(&check("-"), "{\"Role\": \"crr\", \"Rules\": []}");
    is_refused(
        &wrong,
        Exit::Usage,
        "`-` is not a replication configuration: field `Role`",
    );
    // A byte order mark is no mistake; what comes after it is.
    let marked = given(&check("-"), "\u{feff}{\"Role\": \"crr\"}");
    is_refused(&marked, Exit::Usage, "missing field `Rules`");
}

#[test]
fn the_help_tells_every_exit_code_and_every_setting() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for exit in Exit::ALL {
        assert!(out(&help).contains(&format!("\n  {}  ", exit.code())), "{exit:?}");
    }
    let help = out(&run(&["check", "--help"]))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for setting in SETTINGS {
        let option = format!("--{} ", setting.name.to_lowercase().replace('_', "-"));
        let is_offered = help.contains(&option) && help.contains(&format!("[env: {}]", setting.name));
        let is_of_the_function = OF_THE_FUNCTION.contains(&setting.name);
        assert!(is_offered != is_of_the_function, "{}", setting.name);
    }
    assert!(out(&run(&["--version"])).starts_with("s3-replication-remediator 0."));
}

#[test]
fn every_check_is_explained() {
    let all = out(&run(&["explain"]));
    for id in CheckId::ALL {
        let one = run(&["explain", id.as_str()]);
        assert_eq!(one.status.code(), Some(0));
        assert!(out(&one).contains("\nRepaired by. "), "{}", out(&one));
        assert!(all.contains(id.as_str()), "{all}");
    }
    let json: Value = serde_json::from_str(&out(&run(&["explain", "-o", "json"]))).unwrap();
    assert_eq!(json.as_array().unwrap().len(), CheckId::ALL.len());
    let json: Value = serde_json::from_str(&out(&run(&["explain", "role-not-found", "-o", "json"]))).unwrap();
    assert_eq!(json["id"], "role-not-found");
    is_refused(
        &run(&["explain", "role-not-fond"]),
        Exit::Usage,
        "did you mean `role-not-found`",
    );
    is_refused(
        &run(&["explain", "\u{1b}[31m"]),
        Exit::Usage,
        "the argument `\\u{1b}[31m` holds control characters",
    );
}

#[test]
fn every_recorded_event_is_decoded() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "json") {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    let mut events = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("events"), &mut events);
    assert!(events.len() > 20);
    for event in events {
        let text = run(&["decode", &event]);
        let json = run(&["decode", &event, "--output", "json"]);
        assert_eq!(text.status.code(), json.status.code(), "{event}");
        let json: Value = serde_json::from_str(&out(&json)).unwrap();
        let is_invalid = !json["invalid"].as_array().unwrap().is_empty();
        assert_eq!(
            text.status.code(),
            Some(if is_invalid { 3 } else { 0 }),
            "{event}"
        );
        let something = ["subjects", "changes", "commands", "dropped", "invalid"]
            .iter()
            .any(|part| !json[part].as_array().unwrap().is_empty());
        assert!(something && !out(&text).is_empty(), "{event}: {json}");
    }
}

#[test]
fn an_event_from_standard_input_is_told_with_what_is_wrong_in_it() {
    let check = given(&["decode", "-"], "{\"command\": \"check\", \"bucket\": \"logs\"}");
    assert_eq!(
        (check.status.code(), out(&check).as_str()),
        (Some(0), "command: {\"command\":\"check\",\"bucket\":\"logs\"}\n")
    );
    let wrong = given(
        &["decode", "-"],
        "{\"command\": \"check\", \"bucket\": \"a b\\u001b[31m\"}",
    );
    assert_eq!(wrong.status.code(), Some(3));
    assert!(
        out(&wrong).starts_with("invalid: field `bucket`: expected a bucket name"),
        "{}",
        out(&wrong)
    );
    assert!(!out(&wrong).contains('\u{1b}'));
    is_refused(
        &given(&["decode", "-"], "{"),
        Exit::Usage,
        "`-` is not JSON: EOF while parsing",
    );
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]);
        assert_eq!(script.status.code(), Some(0));
        for command in ["check", "apply", "undo", "explain", "decode", "opt-in-tag"] {
            assert!(out(&script).contains(command), "{shell}: {command}");
        }
    }
    let page = out(&run(&["man"]));
    for part in [".SH SYNOPSIS", "Exit codes", "check", "decode"] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn colours_are_for_terminals() {
    let plain = out(&run(&["explain"]));
    assert!(!plain.contains('\u{1b}'));
    let coloured = out(&run(&["explain", "--color", "always"]));
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn who_reads_no_further_ends_it_without_a_complaint() {
    let mut child = command(&["explain"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(err(&output), "");
    // `set -o pipefail` must not make a failure of it.
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_output_that_takes_no_more_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(&["explain"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        err(&output).contains("the output cannot be written; direct it"),
        "{}",
        err(&output)
    );
}

#[test]
fn a_place_for_the_output_that_does_not_exist_is_told_before_anybody_logs_in() {
    for arguments in [
        &["check", "logs"][..],
        &["check", "--all"],
        &["apply", "logs", "--plan", DIGEST, "--yes"],
        &["undo", "logs"],
        &["backlog", "logs"],
    ] {
        let place = ["--region", "eu-west-1", "--output-file", "no/such/folder"];
        let refused = run(&[arguments, &place].concat());
        is_refused(
            &refused,
            Exit::Usage,
            "`no/such/folder` cannot be written; name a place",
        );
    }
    is_refused(
        &run(&["man", "Cargo.toml/man"]),
        Exit::Usage,
        "`Cargo.toml/man` cannot be written; name a place",
    );
}

#[test]
fn an_argument_that_would_write_on_the_terminal_is_refused_and_shown_as_it_is() {
    for odd in ["\u{1b}[31mred", "a\nerror: all is well", "\u{9b}2J", "--\u{7}"] {
        let refused = run(&["check", odd]);
        is_refused(&refused, Exit::Usage, "holds control characters");
        let shown = err(&refused).trim_end().chars().any(char::is_control);
        assert!(!shown, "{:?}", err(&refused));
    }
}

#[test]
fn a_password_in_the_address_of_an_endpoint_is_refused() {
    let refused = run(&["check", "logs", "--endpoint-url", "http://me:secret@127.0.0.1:1"]);
    is_refused(&refused, Exit::Usage, "expected a URL without a user");
}
