//! Documents that can drift, held against the code: what a reader is promised is what there is.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes the generated tables anew, for a person to read in the diff.

#![cfg(test)]

mod parameters;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use s3_replication_remediator::config::SETTINGS;
use s3_replication_remediator::guard::Guard;
use s3_replication_remediator::source::Read;
use s3_replication_remediator::target;
use s3_replication_remediator::telemetry::METRICS;

/// What the function may do beside reading replications and repairing them: action, for what, when.
const SHELL: [[&str; 3]; 19] = [
    ["dynamodb:Query", "its ledger", "`Ledger` is true"],
    ["dynamodb:PutItem", "its ledger", "`Ledger` is true"],
    ["dynamodb:DeleteItem", "its ledger", "`Ledger` is true"],
    ["sqs:SendMessage", "its queue", "always"],
    ["logs:CreateLogStream", "its log", "always"],
    ["logs:PutLogEvents", "its log", "always"],
    ["sqs:ReceiveMessage", "its queue", "always"],
    ["sqs:DeleteMessage", "its queue", "always"],
    ["sqs:GetQueueAttributes", "its queue", "always"],
    ["sns:Publish", "its topic", "always"],
    ["sns:Publish", "its chat", "`ChatTopicArn` is set"],
    ["events:PutEvents", "its bus", "`EventBusName` is set"],
    [
        "securityhub:BatchImportFindings",
        "its findings",
        "`SecurityHub` is true",
    ],
    ["kms:Decrypt", "its topic's key", "`NotificationKeyArn` is set"],
    [
        "kms:GenerateDataKey",
        "its topic's key",
        "`NotificationKeyArn` is set",
    ],
    [
        "kms:Decrypt",
        "its queue's and topic's key",
        "`EncryptionKeyArn` is set",
    ],
    [
        "kms:GenerateDataKey",
        "its queue's and topic's key",
        "`EncryptionKeyArn` is set",
    ],
    ["xray:PutTelemetryRecords", "its traces", "`Tracing` is true"],
    ["xray:PutTraceSegments", "its traces", "`Tracing` is true"],
];

/// Settings that no parameter of the stack sets, but the stack itself.
const MADE_BY_THE_STACK: [&str; 1] = ["QUEUE_URL"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The files under a folder whose names end so, as paths from the root, what tools leave behind left out.
fn files(folder: &str, ending: &str) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && !["target", "dist"].contains(&name) {
                walk(&path, found);
            } else if path.is_file() && !name.starts_with('.') {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    let mut names: Vec<String> = found
        .iter()
        .map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
}

/// Holds what stands between two markers of a file against what it should be.
#[track_caller]
fn generated(file: &str, marker: &str, expected: &str) {
    let (begin, end) = (
        format!("<!-- {marker}: begin -->\n"),
        format!("<!-- {marker}: end -->"),
    );
    let text = text(file);
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{file} lacks {begin}"));
    let (there, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("{file} lacks {end}"));
    if there != expected && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(
            root().join(file),
            format!("{before}{begin}{expected}{end}{after}"),
        )
        .unwrap();
    } else {
        assert!(
            there == expected,
            "{file} should hold between the markers `{marker}`:\n{expected}"
        );
    }
}

#[test]
fn an_invocation_is_over_long_before_its_claims_are_taken_for_abandoned() {
    use s3_replication_remediator::notify::alert_state::CLAIM_TIMEOUT;
    let template = text("template.yaml");
    let limits: Vec<i64> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Timeout: ")?.parse().ok())
        .collect();
    assert_eq!(limits, [CLAIM_TIMEOUT.as_secs() / 2]);
}

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let mut table = String::from("| setting | default | |\n| --- | --- | --- |\n");
    for setting in SETTINGS {
        let default = match setting.default {
            "" => "none".to_owned(),
            value => format!("`{value}`"),
        };
        let _ = writeln!(table, "| `{}` | {default} | {} |", setting.name, setting.doc);
    }
    generated("README.md", "settings", &table);
}

#[test]
fn the_manual_names_every_metric() {
    let manual = text("docs/OPERATING.md");
    for metric in METRICS {
        assert!(manual.contains(&format!("`{}`", metric.name)), "{}", metric.name);
        assert!(
            metric.by.is_empty() || manual.contains(&format!("`{}`", metric.by)),
            "{}",
            metric.by
        );
    }
}

/// The arguments of a macro, from behind its opening parenthesis, cut at the commas between them.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut is_text, mut is_escaped) = (0_u32, false, false);
    let mut found = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            '(' | '[' | '{' if !is_text => depth += 1,
            ')' if !is_text && depth == 0 => break,
            ')' | ']' | '}' if !is_text => depth -= 1,
            ',' if !is_text && depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        found.last_mut().unwrap().push(c);
    }
    found.iter().map(|part| part.trim().to_owned()).collect()
}

#[test]
fn the_manual_lists_every_line_of_the_log_with_its_fields() {
    let mut rows = BTreeSet::new();
    for file in files("src", ".rs") {
        let is_function = !file.starts_with("src/cli");
        let text = text(&file);
        for level in ["info", "warn", "error"] {
            let name = format!("{level}!(");
            let calls = text.split(name.as_str()).skip(1);
            for call in calls.filter(|_| is_function) {
                let (mut message, mut fields) = (None, Vec::new());
                for part in arguments(call) {
                    if let Some(literal) = part.strip_prefix('"') {
                        message = Some(literal.trim_end_matches('"').to_owned());
                    } else if message.is_none() {
                        let name = part.split('=').next().unwrap();
                        fields.push(format!("`{}`", name.trim().trim_start_matches(['%', '?'])));
                    }
                }
                let message = match message.unwrap_or_else(|| panic!("{file}: {call:.60}")).as_str() {
                    "{}" => "(the subject of a message, where no topic is set)".to_owned(),
                    text => format!("`{text}`"),
                };
                rows.insert([message, level.to_uppercase(), fields.join(", ")]);
            }
        }
    }
    assert!(rows.len() > 10, "{rows:?}");
    let mut table = String::from("| `message` | level | beside it |\n| --- | --- | --- |\n");
    for [message, level, fields] in rows {
        let _ = writeln!(table, "| {message} | {level} | {fields} |");
    }
    generated("docs/OPERATING.md", "log", &table);
}

#[test]
fn the_manual_lists_every_permission_that_the_function_holds() {
    let mut rows: BTreeSet<[String; 3]> = SHELL.iter().map(|row| row.map(str::to_owned)).collect();
    for read in Read::ALL {
        let when = match read {
            Read::HeadObject | Read::ObjectVersions => "`InspectObjects` is true",
            Read::AssumeMemberRole => "`MemberRoleName` is set",
            Read::HeadBucket
            | Read::Replication
            | Read::Versioning
            | Read::Encryption
            | Read::BucketPolicy
            | Read::Ownership
            | Read::ObjectLock
            | Read::BucketTags
            | Read::Payer
            | Read::Notifications
            | Read::DescribeKey
            | Read::KeyPolicy
            | Read::Grants
            | Read::KeyTags
            | Read::Role
            | Read::InlinePolicyNames
            | Read::InlinePolicy
            | Read::AttachedPolicies
            | Read::ManagedPolicy
            | Read::ManagedPolicyVersion
            | Read::Buckets => "always",
        };
        let name = read.operation().split_once(':').unwrap().1;
        rows.insert([
            read.action().to_owned(),
            format!("the call `{name}`"),
            when.to_owned(),
        ]);
    }
    for action in target::ACTIONS {
        let what = match action {
            "iam:PutRolePolicy" => "a repair, and the rest of a policy of which a part is taken back",
            "kms:CreateGrant" => "a repair",
            _ => "its undo, and access that the rules no longer need",
        };
        rows.insert([
            action.to_owned(),
            what.to_owned(),
            "`Mode` is `approve` or `auto`".to_owned(),
        ]);
    }
    for action in s3_replication_remediator::backlog::ACTIONS {
        rows.insert([
            action.to_owned(),
            "a job that it orders".to_owned(),
            "`BatchRoleArn` is set, and `Mode` is `approve` or `auto`".to_owned(),
        ]);
    }
    let mut table = String::from("| action | for | when |\n| --- | --- | --- |\n");
    for [action, what, when] in rows {
        let _ = writeln!(table, "| `{action}` | {what} | {when} |");
    }
    generated("docs/OPERATING.md", "permissions", &table);
}

#[test]
fn the_readme_shows_a_real_report_in_which_every_left_out_line_leaves_a_mark() {
    let real = text("tests/core/handler/many-reasons.txt");
    let mut lines = real.lines().filter(|line| !line.is_empty());
    let readme = text("README.md");
    let (_, shown) = readme.split_once("<!-- report: begin -->\n```text\n").unwrap();
    let (shown, _) = shown.split_once("```\n<!-- report: end -->").unwrap();
    let mut may_skip = false;
    for line in shown.lines().filter(|line| !line.is_empty()) {
        if line.trim() == "…" {
            may_skip = true;
            continue;
        }
        let is_it = |real: &str| match line.strip_suffix('…') {
            Some(start) => real.starts_with(start),
            None => real == line,
        };
        let next = lines.next();
        let found = next.is_some_and(is_it) || (may_skip && lines.any(is_it));
        assert!(
            found,
            "the real report does not go on with `{line}` but with {next:?}"
        );
        may_skip = false;
    }
    assert!(may_skip || lines.next().is_none(), "the report goes on");
}

#[test]
fn every_recorded_event_is_described_beside_it() {
    let readme = text("events/README.md");
    for file in files("events", ".json") {
        let name = file.trim_start_matches("events/");
        assert!(readme.contains(&format!("[`{name}`]({name})")), "{file}");
    }
}

#[test]
fn every_guard_is_explained() {
    // Guards stand in the first column of a table or in a heading of their own.
    let file = "docs/THREATS.md";
    if !root().join(file).exists() {
        return;
    }
    let text = text(file);
    for guard in Guard::ALL {
        assert!(
            text.contains(&format!("`{}`", guard.as_str())),
            "{file} says nothing of {guard:?}"
        );
    }
}

#[test]
fn every_source_file_says_first_what_it_decides_and_stays_short() {
    for file in files("src", ".rs") {
        let text = text(&file);
        assert!(
            text.starts_with("//! "),
            "{file} does not begin with what it decides"
        );
        assert!(
            !file.ends_with("/mod.rs"),
            "{file}: modules are foo.rs beside foo/"
        );
        for vague in ["utils", "common", "helpers", "types"] {
            assert!(
                !file.ends_with(&format!("/{vague}.rs")),
                "{file} says nothing of what is in it"
            );
        }
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap()
            .lines()
            .count();
        let is_test = file.ends_with("/tests.rs");
        assert!(
            is_test || code <= 500,
            "{file} has {code} lines without its tests"
        );
    }
}

#[test]
fn a_module_uses_only_those_that_the_drawing_puts_before_it() {
    let lib = text("src/lib.rs");
    let order: Vec<&str> = lib
        .lines()
        .filter_map(|line| {
            line.trim_start_matches("pub ")
                .strip_prefix("mod ")?
                .strip_suffix(';')
        })
        .collect();
    for file in files("src", ".rs") {
        let inside = file.trim_start_matches("src/");
        let module = inside.split(['/', '.']).next().unwrap();
        let Some(at) = order.iter().position(|name| *name == module) else {
            continue;
        };
        let text = text(&file);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in code
            .lines()
            .filter_map(|line| line.trim().strip_prefix("use crate::"))
        {
            let used = line
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
                .unwrap();
            let position = order.iter().position(|name| *name == used);
            assert!(
                position.is_some_and(|position| position <= at),
                "{file} uses {used}"
            );
        }
    }
}

#[test]
fn the_sdk_is_named_by_the_adapters_and_the_wiring_alone() {
    for file in files("src", ".rs") {
        let is_shell = file.starts_with("src/aws") || file == "src/main.rs";
        let text = text(&file);
        for name in [
            "aws_sdk_",
            "aws_config",
            "aws_smithy",
            "aws_lambda_events",
            "lambda_runtime",
        ] {
            assert!(is_shell || !text.contains(name), "{file} names {name}");
        }
    }
}

#[test]
fn links_to_files_of_this_project_lead_somewhere() {
    for file in files("", ".md") {
        let text = text(&file);
        let folder = root().join(&file).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(folder.join(path).exists(), "{file} links to {target}");
        }
    }
}

#[test]
fn files_that_documents_name_are_there() {
    let roots = [
        "src/",
        "tests/",
        "docs/",
        "events/",
        "scripts/",
        "examples/",
        "fuzz/",
        "benches/",
    ];
    for file in files("", ".md") {
        // A corpus names where its documents come from.
        if file.starts_with("tests/iam-corpus") {
            continue;
        }
        for name in text(&file).split('`').skip(1).step_by(2) {
            let is_path =
                roots.iter().any(|root| name.starts_with(root)) && !name.contains(['<', '*', ' ', '{', '…']);
            assert!(!is_path || root().join(name).exists(), "{file} names {name}");
        }
    }
}

#[test]
fn make_targets_that_documents_name_are_there() {
    let makefile = text("Makefile");
    for file in files("", ".md") {
        let text = text(&file);
        for (before, after) in text.match_indices("make ").map(|(at, _)| text.split_at(at)) {
            if !before.ends_with(['`', '\n', '(']) {
                continue;
            }
            let target: String = after
                .chars()
                .skip("make ".len())
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            assert!(
                makefile.contains(&format!("\n{target}:")),
                "{file}: make {target}"
            );
        }
    }
}

#[test]
fn outputs_and_parameters_of_the_stack_that_texts_name_are_there() {
    let template = text("template.yaml");
    let (_, outputs) = template.split_once("\nOutputs:").unwrap();
    let sources = files("src", ".rs");
    for file in files("", ".md").into_iter().chain(sources) {
        let text = text(&file);
        for name in text.split("output ").skip(1) {
            let name: String = name
                .trim_start_matches('`')
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            let is_name = name.starts_with(|c: char| c.is_ascii_uppercase());
            assert!(
                !is_name || outputs.contains(&format!("\n  {name}:\n")),
                "{file}: output {name}"
            );
        }
    }
    let (_, parameters) = template.split_once("\nParameters:").unwrap();
    let (parameters, _) = parameters.split_once("\nRules:\n").unwrap();
    for setting in SETTINGS {
        assert!(
            template.contains(&format!("\n          {}: ", setting.name)),
            "variable {}",
            setting.name
        );
        if MADE_BY_THE_STACK.contains(&setting.name) {
            continue;
        }
        let name: String = setting
            .name
            .split('_')
            .map(|word| {
                let (first, rest) = word.split_at(1);
                format!("{first}{}", rest.to_lowercase())
            })
            .collect();
        assert!(parameters.contains(&format!("\n  {name}:\n")), "parameter {name}");
    }
}
