//! Report v1 as it is, for programs.

use serde::Serialize;
use serde_json::Value;

use super::Answers;
use crate::notify::escape::pasteable;

/// A report, or a list of them where more than one bucket was asked for.
///
/// # Errors
/// None that is known; a report came from JSON.
pub fn render(answers: &Answers) -> Result<String, serde_json::Error> {
    let mut reports: Vec<&Value> = answers.looked.iter().map(|looked| &looked.report).collect();
    match (answers.is_list, reports.pop()) {
        (false, Some(report)) => pretty(report),
        (_, last) => {
            reports.extend(last);
            pretty(&reports)
        }
    }
}

/// JSON over several lines. What a terminal would act upon can only stand in a string of it, where an escape means the
/// same.
///
/// # Errors
/// The value cannot be JSON.
pub fn pretty(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(text.lines().map(|line| pasteable(line) + "\n").collect())
}
