//! What is done of a long run, in a file, so that an interrupted run goes on where it was.
//!
//! One JSON value a line (<https://jsonlines.org>): what the run is about, then each bucket as soon as it is done. A line
//! that was cut off by the interruption is dropped, and its bucket looked at again. A run that has come to its end removes
//! the file: what was found yesterday is no answer today.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::look::Looked;
use crate::arn::{AccountId, BucketName};
use crate::config::Config;
use crate::digest;
use crate::snapshot::Identity;

/// The form of the file; another form needs another name.
const FORM: &str = "s3-replication-remediator/resume/v1";

/// What a run is about. Only the same run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Task {
    form: String,
    version: String,
    account: AccountId,
    /// A digest of the settings, which may name what is nobody's business.
    settings: String,
}

impl Task {
    pub(super) fn new(identity: &Identity, config: &Config) -> Self {
        Self {
            form: FORM.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            account: identity.account.clone(),
            settings: digest::sha256(format!("{config:?}")),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct ResumeLine<T> {
    bucket: BucketName,
    /// Nothing for a bucket that is none of the run's.
    looked: Option<T>,
}

/// The file, open for the next entry.
#[derive(Debug)]
pub(super) struct ResumeFile {
    path: PathBuf,
    file: File,
    /// What was done before.
    pub(super) done: BTreeMap<BucketName, Option<Looked>>,
}

/// A file that a run cannot go on from.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResumeFailure {
    #[error("the file to resume from, `{path}`, cannot be used")]
    Unusable {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "`{path}` is the file of another run: of another account, with other settings or by another version; \
         name another file, or remove it to begin anew"
    )]
    OtherRun { path: String },
    #[error("`{path}` is not the file of an interrupted run; name another file")]
    Foreign { path: String },
}

impl ResumeFile {
    /// Opens the file of a run, new or interrupted.
    pub(super) fn open(path: &Path, task: &Task) -> Result<Self, ResumeFailure> {
        let name = || path.display().to_string();
        let unusable = |source| ResumeFailure::Unusable { path: name(), source };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unusable(error)),
        };
        let whole = match text.rfind('\n') {
            Some(end) => text.get(..=end).unwrap_or_default(),
            None => "",
        };
        let mut lines = whole.lines();
        let first: Option<Task> = match lines.next() {
            Some(line) => {
                Some(serde_json::from_str(line).map_err(|_| ResumeFailure::Foreign { path: name() })?)
            }
            // Cut off before its first line was whole, or somebody else's file.
            None if !text.is_empty() && !text.starts_with("{\"form\":") => {
                return Err(ResumeFailure::Foreign { path: name() });
            }
            None => None,
        };
        if first.as_ref().is_some_and(|first| first != task) {
            return Err(ResumeFailure::OtherRun { path: name() });
        }
        let mut done = BTreeMap::new();
        for line in lines {
            let entry: ResumeLine<Looked> =
                serde_json::from_str(line).map_err(|_| ResumeFailure::Foreign { path: name() })?;
            done.insert(entry.bucket, entry.looked);
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(unusable)?;
        // What was cut off would spoil the line after it.
        let length = u64::try_from(whole.len()).unwrap_or(u64::MAX);
        file.set_len(length).map_err(unusable)?;
        if first.is_none() {
            write(&mut file, task).map_err(unusable)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            done,
        })
    }

    /// Notes that a bucket is done.
    pub(super) fn add(&mut self, bucket: &BucketName, looked: Option<&Looked>) -> Result<(), ResumeFailure> {
        let entry = ResumeLine {
            bucket: bucket.clone(),
            looked,
        };
        write(&mut self.file, &entry).map_err(|source| ResumeFailure::Unusable {
            path: self.path.display().to_string(),
            source,
        })
    }

    /// Removes the file of a run that is done.
    pub(super) fn remove(self) -> Result<(), ResumeFailure> {
        std::fs::remove_file(&self.path).map_err(|source| ResumeFailure::Unusable {
            path: self.path.display().to_string(),
            source,
        })
    }
}

/// One line, in one write: an interruption leaves it out or leaves a part of it, and nothing after it.
fn write(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
}
