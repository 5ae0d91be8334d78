//! The command line `s3-replication-remediator`: the same core and the same report as the function, for people and
//! pipelines.
//!
//! Nothing here decides what is wrong or what may be changed: it asks the handler, with the rights of whoever calls it,
//! and shows the answer. How it behaves towards a shell follows <https://clig.dev>.

pub mod arguments;
mod change;
mod check;
pub mod checks;
pub mod configuration;
mod decode;
pub mod exit;
mod explain;
pub mod recording;
pub mod look;
pub mod output;
pub mod picture;
pub mod report;
mod resume;
pub mod settings;
mod shell;

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use jiff::Timestamp;

use crate::aws::{Aws, CallFailure, Login, MemberRole, StartError};
use crate::config::{ConfigErrors, environment};
use crate::error::chain;
use crate::mode::Mode;
use crate::notify::escape::visible;
use crate::report::Caller;
use crate::shell::shell_quote;

use arguments::{Arguments, AwsArguments, Color, Command};
use configuration::InvalidConfiguration;
use exit::Exit;
use look::{LookFailure, Session};
use output::{UnwritableAnswers, Unwritten};
use resume::ResumeFailure;
use settings::Given;

/// The whole program: reads the arguments, does what they say, tells what went wrong.
pub fn main() -> ExitCode {
    // What is wrong with an argument is told with the argument itself, which need not come from whoever reads that.
    let mut said = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    if let Some(odd) = said.find(|argument| argument.contains(char::is_control)) {
        complain(&format!(
            "the argument `{}` holds control characters; leave them out",
            odd.escape_debug()
        ));
        return Exit::Usage.into();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return told_by_clap(&error).into(),
    };
    match arguments.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let exit = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::NoRuntime)
        .and_then(|runtime| runtime.block_on(run(arguments)))
        .unwrap_or_else(|problem| {
            complain(&chain(&problem));
            problem.exit()
        });
    exit.into()
}

/// What clap has to say: help, the version, or what is wrong with the arguments.
fn told_by_clap(error: &clap::Error) -> Exit {
    // Nothing can be done where even this cannot be written.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Healthy
    }
}

async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    match arguments.command {
        Command::Check(said) => check::run(&arguments.aws, said).await,
        Command::Apply(said) => change::apply(&arguments.aws, &said).await,
        Command::Undo(said) => change::undo(&arguments.aws, &said).await,
        Command::Backlog(said) => change::backlog(&arguments.aws, &said).await,
        Command::Explain(said) => explain::run(&said),
        Command::Decode(said) => decode::run(&said),
        Command::Completions(said) => shell::completions(said.shell),
        Command::Man(said) => shell::man(said.folder.as_deref()),
    }
}

/// Why nothing could be told.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the program cannot start; the system lacks a resource that it needs")]
    NoRuntime(#[source] io::Error),
    #[error(transparent)]
    Settings(#[from] ConfigErrors),
    #[error("no Region is set; name one with --region, in AWS_REGION or in the profile")]
    NoRegion,
    #[error(transparent)]
    Start(StartError),
    #[error("AWS cannot be asked; log in as for the AWS command line{hint}")]
    Unreachable {
        hint: &'static str,
        #[source]
        source: CallFailure,
    },
    #[error(
        "profile `{profile}` gives no credentials; `aws configure list --profile {}` shows what it holds",
        shell_quote(profile)
    )]
    NoLogin {
        profile: String,
        #[source]
        source: CallFailure,
    },
    #[error("the buckets cannot be listed, which needs `s3:ListAllMyBuckets`")]
    NoList(#[source] CallFailure),
    #[error("`{file}` cannot be read; name a file that this user may read, or `-` for standard input")]
    Unreadable {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("`{file}` is not a replication configuration")]
    Configuration {
        file: String,
        #[source]
        source: InvalidConfiguration,
    },
    #[error("`{file}` is not JSON")]
    NoJson {
        file: String,
        #[source]
        source: serde_json::Error,
    },
    #[error(transparent)]
    Resume(#[from] ResumeFailure),
    #[error("bucket `{bucket}`")]
    Look {
        bucket: String,
        #[source]
        source: LookFailure,
    },
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Answers(#[from] UnwritableAnswers),
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    #[error("the plan cannot be shown or agreed to here; approve it with --plan and --yes")]
    Unasked(#[source] io::Error),
}

impl Problem {
    fn exit(&self) -> Exit {
        match self {
            Self::NoRuntime(_)
            | Self::Unreachable { .. }
            | Self::NoLogin { .. }
            | Self::NoList(_)
            | Self::Look { .. } => Exit::Unreachable,
            Self::Settings(_)
            | Self::NoRegion
            | Self::Start(_)
            | Self::Unreadable { .. }
            | Self::Configuration { .. }
            | Self::NoJson { .. }
            | Self::Resume(_)
            | Self::Usage(_)
            | Self::Answers(_)
            | Self::Unwritten(_)
            | Self::Unasked(_) => Exit::Usage,
        }
    }
}

/// Says something beside the answer.
fn note(text: &str) {
    // Where nobody hears, there is nobody to tell so.
    let _ = writeln!(anstream::stderr(), "{}", lines(text));
}

fn complain(text: &str) {
    const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
    let _ = writeln!(anstream::stderr(), "{RED}error:{RED:#} {}", lines(text));
}

/// Text with nothing in it that a terminal would act upon; its own line ends stay.
fn lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// Writes something that is no report.
fn say(text: &str) -> Result<(), Problem> {
    Ok(output::put(text, None)?)
}

/// The text of a file, or of standard input for `-`.
fn read(file: &Path) -> Result<String, Problem> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    // Editors of other systems put a byte order mark first, which JSON does not know.
    text.map(|text| text.trim_start_matches('\u{feff}').to_owned())
        .map_err(|source| Problem::Unreadable {
            file: file.display().to_string(),
            source,
        })
}

/// Reaches AWS, with settings that were checked first.
async fn reach(said: &AwsArguments, given: &Given, mode: Option<Mode>) -> Result<(Aws, Access), Problem> {
    let mut config = given.config(environment())?;
    if let Some(mode) = mode {
        config.mode = mode;
    }
    let login = Login {
        profile: said.profile.clone(),
        region: said.region.clone(),
        endpoint_url: said.endpoint_url.clone(),
    };
    let aws = Aws::log_in(&login, MemberRole::of(&config))
        .await
        .map_err(|error| match error {
            StartError::NoRegion => Problem::NoRegion,
            error @ StartError::InvalidRegion(_) => Problem::Start(error),
        })?;
    let identity = aws
        .identity()
        .await
        .map_err(|source| match (&said.profile, source.code()) {
            (Some(profile), "NoCredentials") => Problem::NoLogin {
                profile: profile.clone(),
                source,
            },
            (Some(_), _) => Problem::Unreachable { hint: "", source },
            (None, _) => Problem::Unreachable {
                hint: ", or name a profile with --profile",
                source,
            },
        })?;
    let access = Access {
        identity: identity.clone(),
        caller: Caller::CommandLine {
            region: aws.region().clone(),
            options: again(said) + &given.again(),
        },
        config,
    };
    Ok((aws, access))
}

/// What a session is made of beside AWS.
struct Access {
    identity: crate::snapshot::Identity,
    caller: Caller,
    config: crate::config::Config,
}

impl Access {
    fn session(self, aws: &Aws) -> Session<'_, Aws> {
        Session {
            aws,
            identity: self.identity,
            config: self.config,
            caller: self.caller,
        }
    }
}

/// The options that reach the same account again.
fn again(said: &AwsArguments) -> String {
    let region = said.region.as_ref().map(ToString::to_string);
    [
        ("profile", said.profile.as_ref()),
        ("region", region.as_ref()),
        ("endpoint-url", said.endpoint_url.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!(" --{name} {}", shell_quote(value?))))
    .collect()
}

/// The time that reports carry, to the second.
fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the time that the core is handed comes from"
    )]
    let exactly = Timestamp::now();
    Timestamp::from_second(exactly.as_second()).unwrap_or(exactly)
}
