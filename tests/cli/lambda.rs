//! What is deployed carries nothing of the command line.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What the command line is made of, and what only people need to log in.
const OF_THE_COMMAND_LINE: [&str; 12] = [
    "anstream",
    "askama",
    "aws-sdk-signin",
    "aws-sdk-sso",
    "aws-sdk-ssooidc",
    "clap",
    "clap_complete",
    "clap_mangen",
    "console",
    "indicatif",
    "p256",
    "serde_path_to_error",
];

fn crates(features: &str) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--no-default-features", "--features", features])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_function_is_made_of_nothing_that_only_the_command_line_needs() {
    let function = crates("lambda");
    let command_line = crates("cli");
    assert!(function.iter().any(|name| name == "lambda_runtime"));
    assert!(!command_line.iter().any(|name| name == "lambda_runtime"));
    for name in OF_THE_COMMAND_LINE {
        // `serde_path_to_error` comes with the runtime itself.
        let is_of_the_runtime = name == "serde_path_to_error";
        assert!(
            is_of_the_runtime || !function.iter().any(|found| found == name),
            "{name} is in the function"
        );
        assert!(
            command_line.iter().any(|found| found == name),
            "{name} is nowhere"
        );
    }
}

#[test]
fn whoever_builds_for_lambda_builds_without_the_command_line() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, asked) = manifest.split_once("[package.metadata.lambda.build]\n").unwrap();
    let asked: Vec<&str> = asked.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(asked, ["features = [\"lambda\"]", "no_default_features = true"]);
}
