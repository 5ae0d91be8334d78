//! The documents of the command line against what it takes and answers.

use std::fs;
use std::path::Path;

use s3_replication_remediator::cli::arguments::Arguments;
use s3_replication_remediator::cli::exit::Exit;

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn every_exit_code_is_documented() {
    for exit in Exit::ALL {
        let row = format!("\n| {} | {} |\n", exit.code(), exit.meaning());
        assert!(
            text("docs/COMMAND-LINE.md").contains(&row),
            "the manual lacks {row}"
        );
    }
}

#[test]
fn the_documents_name_every_command_and_no_option_that_is_not_there() {
    let described = Arguments::described();
    let manual = text("docs/COMMAND-LINE.md");
    for command in described.get_subcommands() {
        assert!(manual.contains(command.get_name()), "{}", command.get_name());
    }
    let options: Vec<String> = std::iter::once(&described)
        .chain(described.get_subcommands())
        .flat_map(|command| command.get_arguments().filter_map(|option| option.get_long()))
        .map(str::to_owned)
        .collect();
    for named in manual.split("`--").skip(1) {
        let name: String = named
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        assert!(name == "help" || options.contains(&name), "--{name}");
    }
}
