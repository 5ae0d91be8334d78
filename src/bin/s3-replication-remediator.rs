//! The command line: nothing but the call of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    s3_replication_remediator::cli::main()
}
