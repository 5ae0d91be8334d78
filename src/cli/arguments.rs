//! What can be said on the command line. Parsing, help, completions and the manual page are all made of this.
//!
//! Options that the AWS command line has too are called as there
//! (<https://docs.aws.amazon.com/cli/latest/reference/#options>), settings of the function as in the function.

use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::exit::{Exit, FailOn};
use super::settings::Given;
use crate::arn::{BucketName, KeyArn, Region, RoleArn};
use crate::event::PlanDigest;

/// Finds every reason why S3 replication with KMS silently fails, and proves the least repair.
#[derive(Debug, Parser)]
#[command(name = "s3-replication-remediator", version, max_term_width = 110, after_help = Exit::table())]
#[command(
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = false
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How AWS is reached.
    #[command(flatten)]
    pub aws: AwsArguments,
    /// When to use colours.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Output"
    )]
    pub color: Color,
}

/// How AWS is reached; as in the AWS command line.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsArguments {
    /// Profile of the AWS configuration; it goes before the credentials of the environment [env: AWS_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Region to look for buckets in first; they are found wherever they lie [env: AWS_REGION]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<Region>,
    /// Where AWS answers, such as an emulator [env: AWS_ENDPOINT_URL]
    #[arg(long, global = true, value_name = "URL", value_parser = endpoint_url)]
    pub endpoint_url: Option<String>,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at buckets and say everything that is wrong; changes nothing
    Check(CheckArguments),
    /// Carry out the plan that `check` showed
    Apply(ApplyArguments),
    /// Take back what `apply` or the function added for a bucket; shows it first
    Undo(UndoArguments),
    /// Order the job that replicates what failed before; it waits for your confirmation, and needs --batch-role-arn
    Backlog(BacklogArguments),
    /// Say what a check means, how its cause shows, and what repairs it; without a check, list all
    Explain(ExplainArguments),
    /// Say what the function would make of an event; asks nothing of AWS
    Decode(DecodeArguments),
    /// Print the completions of a shell
    Completions(CompletionsArguments),
    /// Print the manual page, or write all of them into a folder
    #[command(hide = true)]
    Man(ManArguments),
}

/// `check`
#[derive(Debug, Args)]
#[command(override_usage = "s3-replication-remediator check [OPTIONS] <BUCKET>...
       s3-replication-remediator check [OPTIONS] --all
       s3-replication-remediator check [OPTIONS] --config <FILE> --bucket <BUCKET>")]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["buckets", "all", "bucket"]))]
pub struct CheckArguments {
    /// Buckets to look at
    #[arg(value_name = "BUCKET", conflicts_with_all = ["all", "config", "bucket"])]
    pub buckets: Vec<BucketName>,
    /// Look at every bucket of the account that has a replication configuration, in all Regions
    #[arg(long, conflicts_with_all = ["config", "bucket"])]
    pub all: bool,
    /// Look at the bucket as if this replication configuration were in force: what
    /// `aws s3api put-bucket-replication --replication-configuration file://…` takes; `-` reads standard input
    #[arg(long, value_name = "FILE", requires = "bucket")]
    pub config: Option<PathBuf>,
    /// The bucket that the configuration is meant for
    #[arg(long, value_name = "BUCKET", requires = "config")]
    pub bucket: Option<BucketName>,
    /// With --all: remember what is done in this file, and go on from there if it exists
    #[arg(long, value_name = "FILE", requires = "all", conflicts_with_all = ["buckets", "config"])]
    pub resume: Option<PathBuf>,
    /// Buckets that are looked at side by side
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub jobs: u8,
    /// From which verdict on the exit code tells it
    #[arg(long, value_enum, default_value_t, value_name = "VERDICT")]
    pub fail_on: FailOn,
    /// How the reports are written.
    #[command(flatten)]
    pub output: OutputArguments,
    /// Settings.
    #[command(flatten)]
    pub settings: Given,
}

/// `apply`
#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// The bucket whose replication is repaired
    #[arg(value_name = "BUCKET")]
    pub bucket: BucketName,
    /// The plan that was agreed to, as its report names it; nothing is done if it is not the plan of now
    #[arg(long, value_name = "DIGEST")]
    pub plan: Option<PlanDigest>,
    /// Do not ask
    #[arg(long, requires = "plan")]
    pub yes: bool,
    /// From which verdict on, after the plan is in place, the exit code tells it
    #[arg(long, value_enum, default_value_t, value_name = "VERDICT")]
    pub fail_on: FailOn,
    /// How the report is written.
    #[command(flatten)]
    pub output: OutputArguments,
    /// Settings.
    #[command(flatten)]
    pub settings: Given,
}

/// `undo`
#[derive(Debug, Args)]
pub struct UndoArguments {
    /// The bucket for which something was added
    #[arg(value_name = "BUCKET")]
    pub bucket: BucketName,
    /// The role that was changed, where the configuration no longer names it
    #[arg(long, value_name = "ARN")]
    pub role: Option<RoleArn>,
    /// A key that carries our grants, where the rules no longer name it; may be given several times
    #[arg(long = "key", value_name = "ARN", action = ArgAction::Append)]
    pub keys: Vec<KeyArn>,
    /// The plan that was agreed to, as its report names it; without it the undo is only shown
    #[arg(long, value_name = "DIGEST")]
    pub plan: Option<PlanDigest>,
    /// Do not ask
    #[arg(long, requires = "plan")]
    pub yes: bool,
    /// How the report is written.
    #[command(flatten)]
    pub output: OutputArguments,
    /// Settings.
    #[command(flatten)]
    pub settings: Given,
}

/// `backlog`
#[derive(Debug, Args)]
pub struct BacklogArguments {
    /// The bucket whose failed objects are to be replicated
    #[arg(value_name = "BUCKET")]
    pub bucket: BucketName,
    /// How the report is written.
    #[command(flatten)]
    pub output: OutputArguments,
    /// Settings.
    #[command(flatten)]
    pub settings: Given,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The id of a check, as reports name it
    #[arg(value_name = "CHECK")]
    pub check: Option<String>,
    /// How it is written
    #[arg(
        long,
        short,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    pub output: PlainFormat,
}

/// `decode`
#[derive(Debug, Args)]
pub struct DecodeArguments {
    /// The event as JSON; `-` reads standard input
    #[arg(value_name = "EVENT")]
    pub event: PathBuf,
    /// The function's own role, whose calls it passes over
    #[arg(long, value_name = "ARN")]
    pub own_role: Option<RoleArn>,
    /// Explain replication configurations that S3 refused, as REPORT_REFUSED_PUTS lets the function do
    #[arg(long)]
    pub report_refused_puts: bool,
    /// How it is written
    #[arg(
        long,
        short,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    pub output: PlainFormat,
}

/// `completions`
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
pub struct ManArguments {
    /// Where to write a page for the program and one for each of its commands
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// How reports are written.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArguments {
    /// Form of the reports
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// Write to this file in place of standard output
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people at a terminal.
    #[default]
    Text,
    /// Report v1; a list of them where more than one bucket is asked for.
    Json,
    /// For pull requests and tickets.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// One page for a browser, with pictures.
    Html,
}

/// Forms of everything else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PlainFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Arguments {
    /// The whole command line as clap knows it.
    pub fn described() -> clap::Command {
        Self::command()
    }
}

fn endpoint_url(text: &str) -> Result<String, &'static str> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match rest {
        // Reports repeat it in their commands, so that it must hold no password.
        Some(rest) if rest.contains('@') => Err("expected a URL without a user"),
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => Ok(text.to_owned()),
        Some(_) | None => Err("expected a URL, such as `http://127.0.0.1:4566`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Arguments::described().debug_assert();
    }
}
