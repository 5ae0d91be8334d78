//! What a shell and a manual reader know of the program, made of the arguments themselves.

use std::path::Path;

use clap_complete::Shell;
use clap_mangen::Man;

use super::arguments::Arguments;
use super::exit::Exit;
use super::output::Unwritten;
use super::{Problem, say};

const NAME: &str = "s3-replication-remediator";

pub(super) fn completions(shell: Shell) -> Result<Exit, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::described(), NAME, &mut script);
    say(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Healthy)
}

pub(super) fn man(folder: Option<&Path>) -> Result<Exit, Problem> {
    let mut described = Arguments::described();
    described.build();
    match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(described, folder))
                .map_err(|source| Unwritten::in_file(folder, source))?;
        }
        None => {
            let mut page = Vec::new();
            Man::new(described).render(&mut page).map_err(Unwritten::Output)?;
            say(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(Exit::Healthy)
}
