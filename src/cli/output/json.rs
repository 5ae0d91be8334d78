//! Report v1 as it is, for programs.

use serde_json::Value;

use super::Answers;

/// A report, or a list of them where more than one bucket was asked for.
///
/// # Errors
/// None that is known; a report came from JSON.
pub fn render(answers: &Answers) -> Result<String, serde_json::Error> {
    let mut reports: Vec<&Value> = answers.looked.iter().map(|looked| &looked.report).collect();
    let text = match (answers.is_list, reports.pop()) {
        (false, Some(report)) => serde_json::to_string_pretty(report),
        (_, last) => {
            reports.extend(last);
            serde_json::to_string_pretty(&reports)
        }
    };
    Ok(text? + "\n")
}
