//! Report v1 as its readers see it: what every form but the text is made of, also where a report was kept in a file.
//!
//! `docs/report-v1.schema.json` is what this reads. The types that [`crate::report::Report`] is made of cannot be read
//! back, since only a review makes a plan.

use serde::{Deserialize, Serialize};

/// A report.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Report {
    pub id: String,
    pub mode: String,
    pub time: String,
    pub bucket: Bucket,
    pub verdict: Verdict,
    pub findings: Vec<Finding>,
    #[serde(default)]
    pub repaired: Vec<Finding>,
    pub unread: Vec<Unread>,
    pub not_evaluated: Vec<String>,
    pub plan: Option<Plan>,
    pub outcome: Option<Outcome>,
    pub undo: Option<Undo>,
    pub backlog: Option<Backlog>,
    pub commands: Commands,
}

/// The source bucket.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Bucket {
    pub name: String,
    pub account_id: Option<String>,
    pub region: Option<String>,
}

/// What it comes to, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing is wrong.
    Healthy,
    /// It will not stay so.
    AtRisk,
    /// It could not be determined.
    Undetermined,
    /// Objects are not replicated.
    Broken,
}

impl Verdict {
    /// All, the worst first.
    pub const ALL: [Self; 4] = [Self::Broken, Self::Undetermined, Self::AtRisk, Self::Healthy];

    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::AtRisk => "at-risk",
            Self::Undetermined => "undetermined",
            Self::Broken => "broken",
        }
    }

    /// In a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Healthy => "nothing is wrong",
            Self::AtRisk => "objects replicate today, with reservations",
            Self::Undetermined => "whether objects replicate could not be determined",
            Self::Broken => "objects are not replicated",
        }
    }
}

/// How bad a finding is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Replication does not work.
    Error,
    /// It will not, or nobody would hear of it.
    Warning,
    /// Better done otherwise.
    Advice,
}

impl Severity {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Finding {
    pub check: String,
    pub severity: Severity,
    pub rule_ids: Vec<String>,
    pub subject: String,
    pub summary: String,
    pub expected: String,
    pub found: String,
    pub evidence: Vec<Evidence>,
    pub remedy: Remedy,
    pub root_cause: serde_json::Value,
}

impl Finding {
    /// The check of which it is a consequence.
    pub fn follows_from(&self) -> Option<&str> {
        self.root_cause.as_str()
    }
}

/// Why it is believed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Evidence {
    pub source: String,
    pub detail: String,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Remedy {
    pub kind: String,
    pub owner: String,
    pub text: String,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Unread {
    pub what: String,
    pub operation: String,
    pub error_code: String,
    #[serde(default)]
    pub permit: String,
}

/// What would be changed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Plan {
    pub digest: String,
    pub changes: Vec<Change>,
    pub withheld: Vec<Withheld>,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Change {
    pub kind: String,
    pub target: String,
    pub name: String,
    pub diff: String,
}

/// A change that may not be made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Withheld {
    pub change: Change,
    pub guard: String,
    pub reason: String,
    pub permit: String,
}

/// What became of the plan.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Outcome {
    pub status: String,
    pub changes: Vec<ChangeOutcome>,
    pub verify_after: Option<String>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct ChangeOutcome {
    pub status: String,
    pub request_id: Option<String>,
    pub grant_id: Option<String>,
    pub error: Option<String>,
}

/// What else there is to know about an undo.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Undo {
    pub consequences: Vec<String>,
    pub not_searched: Vec<String>,
}

/// What is still to be replicated.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Backlog {
    #[serde(default)]
    pub status: String,
    pub reason: Option<String>,
    pub job_id: Option<String>,
    pub confirm: Option<String>,
    pub command: Option<String>,
    pub role: Option<BatchRole>,
}

/// The role that the job runs as.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct BatchRole {
    pub arn: Option<String>,
}

impl Backlog {
    /// The command to run next, and what it does.
    pub fn next(&self) -> Option<(&'static str, &str)> {
        if let Some(confirm) = &self.confirm {
            return Some(("Confirm the job, which replicates what was left behind", confirm));
        }
        let has_role = self.role.as_ref().is_some_and(|role| role.arn.is_some());
        let name = if has_role {
            "Once repaired, replicate what was left behind (the job waits for your confirmation)"
        } else {
            "Once repaired, replicate what was left behind (set BATCH_ROLE_ARN; the job waits for your confirmation)"
        };
        Some((name, self.command.as_deref()?))
    }

    /// Why no job was made that was asked for.
    pub fn refusal(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    reason = "docs/report-v1.schema.json says what each field means"
)]
pub struct Commands {
    pub apply: Option<String>,
    pub undo: Option<String>,
    pub check: String,
}

impl Report {
    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// The changes that may be made.
    pub fn changes(&self) -> &[Change] {
        self.plan.as_ref().map_or(&[], |plan| &plan.changes)
    }

    /// Is the plan in place, so that nothing is left to be done of it?
    pub fn is_in_place(&self) -> bool {
        self.outcome
            .as_ref()
            .is_some_and(|outcome| ["applied", "already-in-place"].contains(&outcome.status.as_str()))
    }
}
