//! The forms in which answers are written, and where to.
//!
//! Every form is made of Report v1 alone, but for the text, which the function has too, and the pictures.

pub mod html;
pub mod json;
pub mod markdown;
pub mod sarif;
pub mod text;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::arguments::Format;
use super::configuration::Configuration;
use super::look::Looked;
use super::report::{Report, Verdict};

/// Everything that a run has to tell.
#[derive(Debug)]
pub struct Answers {
    /// The buckets that were looked at, in the order in which they are told.
    pub looked: Vec<Looked>,
    /// Their reports.
    pub reports: Vec<Report>,
    /// Was more than one bucket asked for? Then JSON is a list, however many there are.
    pub is_list: bool,
    /// The file that was looked at before it is put.
    pub file: Option<File>,
}

/// A file with a replication configuration.
#[derive(Debug)]
pub struct File {
    /// As it was named.
    pub path: String,
    /// What it says.
    pub configuration: Configuration,
}

/// Answers that cannot be written in a form.
#[derive(Debug, thiserror::Error)]
pub enum UnwritableAnswers {
    /// JSON.
    #[error("the reports cannot be written as JSON, which is a mistake of this program; please report it")]
    Json(#[from] serde_json::Error),
    /// HTML.
    #[error("the reports cannot be written as HTML, which is a mistake of this program; please report it")]
    Html(#[from] askama::Error),
}

/// An output that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// Standard output.
    #[error("the output cannot be written; direct it to a place that has room")]
    Output(#[source] io::Error),
    /// A file.
    #[error("`{file}` cannot be written; name a place that this user may write to")]
    File {
        /// As it was named.
        file: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Unwritten {
    /// A file or folder.
    pub fn in_file(file: &Path, source: io::Error) -> Self {
        Self::File {
            file: file.display().to_string(),
            source,
        }
    }
}

impl Answers {
    /// The answers about these buckets.
    ///
    /// # Errors
    /// A report is not understood.
    pub fn new(looked: Vec<Looked>, is_list: bool, file: Option<File>) -> Result<Self, serde_json::Error> {
        Ok(Self {
            reports: looked.iter().map(Looked::view).collect::<Result<_, _>>()?,
            looked,
            is_list,
            file,
        })
    }

    /// How many buckets have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.reports
            .iter()
            .filter(|report| report.verdict == verdict)
            .count()
    }

    /// Written in a form. The text has colours, which whoever shows it takes away where they are not wanted.
    ///
    /// # Errors
    /// The form does not take them.
    pub fn written(&self, format: Format) -> Result<String, UnwritableAnswers> {
        Ok(match format {
            Format::Text => text::render(self),
            Format::Json => json::render(self)?,
            Format::Markdown => markdown::render(self),
            Format::Sarif => sarif::render(self)?,
            Format::Html => html::render(self)?,
        })
    }
}

/// Could the text be put there? That is asked first: a look at an account may take an hour.
///
/// # Errors
/// It could not.
pub fn can_be_put(file: Option<&Path>) -> Result<(), Unwritten> {
    let Some(file) = file else { return Ok(()) };
    let tried = match is_special(file) {
        true => OpenOptions::new().write(true).open(file).map(drop),
        false => begun(file).and_then(|(partial, _)| fs::remove_file(partial)),
    };
    tried.map_err(|source| Unwritten::in_file(file, source))
}

/// Puts a text out: into a file whole or not at all, or to standard output, colours only where they are wanted.
///
/// # Errors
/// It cannot be written there.
pub fn put(text: &str, file: Option<&Path>) -> Result<(), Unwritten> {
    let Some(file) = file else {
        let mut out = anstream::stdout().lock();
        return match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever reads no further has heard enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done.map_err(Unwritten::Output),
        };
    };
    let plain = anstream::adapter::strip_str(text).to_string();
    let done = match is_special(file) {
        true => OpenOptions::new()
            .write(true)
            .open(file)
            .and_then(|mut open| open.write_all(plain.as_bytes())),
        false => replace(file, plain.as_bytes()),
    };
    done.map_err(|source| Unwritten::in_file(file, source))
}

/// Neither a file nor a name that is free, but a device, a pipe or a folder. Whatever is renamed onto a device replaces it.
fn is_special(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| !found.is_file())
}

fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    // A link stays one, and who could not read the file before cannot do so now.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let (partial, mut open) = begun(&target)?;
    let done = open
        .write_all(content)
        .and_then(|()| match fs::metadata(&target) {
            Ok(before) => open.set_permissions(before.permissions()),
            Err(_) => Ok(()),
        })
        .and_then(|()| fs::rename(&partial, &target));
    if done.is_err() {
        // What is left of it is nobody's report.
        let _ = fs::remove_file(&partial);
    }
    done
}

/// The file beside it that becomes it. Never one that somebody else put there, which may lead elsewhere.
fn begun(file: &Path) -> io::Result<(PathBuf, fs::File)> {
    let partial = file.with_added_extension("partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let open = OpenOptions::new().write(true).create_new(true).open(&partial)?;
    Ok((partial, open))
}
