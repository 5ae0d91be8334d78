//! The forms in which answers are written, and where to.
//!
//! Every form is made of Report v1 alone, but for the text, which the function has too, and the pictures.

pub mod html;
pub mod json;
pub mod markdown;
pub mod sarif;
pub mod text;

use std::io::{self, Write as _};
use std::path::Path;

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
    #[error("the reports cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// HTML.
    #[error("the reports cannot be written as HTML")]
    Html(#[from] askama::Error),
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

/// Puts a text out: into a file whole or not at all, or to standard output, colours only where they are wanted.
///
/// # Errors
/// It cannot be written there.
pub fn put(text: &str, file: Option<&Path>) -> io::Result<()> {
    match file {
        Some(file) => {
            let plain = anstream::adapter::strip_str(text).to_string();
            let partial = file.with_added_extension("partial");
            std::fs::write(&partial, plain)?;
            std::fs::rename(&partial, file)
        }
        None => {
            let mut out = anstream::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        }
    }
}
