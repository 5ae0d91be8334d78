//! The report as a finding of AWS Security Hub, in its own format:
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>.
//!
//! There is one finding for each bucket, whose content changes: what was found last replaces what was found before, and
//! a healthy bucket's is archived as passed. So nothing has to be remembered, and nothing is left behind that nobody
//! resolves. Security Hub itself sets a finding that comes back to `NEW`:
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/finding-workflow-status.html>.

use serde_json::{Map, Value, json};

use crate::arn::Arn;
use crate::check::{Finding, Verdict};
use crate::report::Report;
use crate::snapshot::Identity;

use super::affected::affected;
use super::escape::line;
use super::text::{counts, meaning};

const GENERATOR: &str = "s3-replication-remediator";
/// The most characters of a title, a description and a recommendation:
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>
const TITLE: usize = 256;
const DESCRIPTION: usize = 1_024;
const RECOMMENDATION: usize = 512;
/// The most characters of a product field.
const FIELD: usize = 1_024;

/// The finding of the report's bucket. `region` is the one that we run in, `own` says for whom.
pub fn render(report: &Report, own: &Identity, region: &str) -> Value {
    let Identity {
        partition, account, ..
    } = own;
    let bucket = &report.bucket.name;
    let (compliance, severity, state) = match report.verdict {
        Verdict::Broken => ("FAILED", "HIGH", "ACTIVE"),
        Verdict::AtRisk => ("WARNING", "MEDIUM", "ACTIVE"),
        Verdict::Undetermined => ("NOT_AVAILABLE", "MEDIUM", "ACTIVE"),
        Verdict::Healthy => ("PASSED", "INFORMATIONAL", "ARCHIVED"),
    };
    let resources: Vec<Value> = affected(report, partition)
        .iter()
        .filter_map(|arn| resource(arn, region))
        .collect();
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("{GENERATOR}/{account}/{region}/{bucket}"),
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "GeneratorId": GENERATOR,
        "AwsAccountId": account,
        "CreatedAt": report.time,
        "UpdatedAt": report.time,
        "LastObservedAt": report.time,
        "FindingProviderFields": {
            "Severity": {"Label": severity, "Original": report.verdict.as_str()},
            "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        },
        "Title": line(&format!("S3 replication of {bucket}: {}", meaning(report)), TITLE - 1),
        "Description": description(report),
        "Remediation": {"Recommendation": {"Text": recommendation(report)}},
        "ProductFields": product_fields(report),
        "Resources": resources,
        "Compliance": {"Status": compliance},
        "RecordState": state,
    })
}

/// As many findings as fit, the worst first.
fn description(report: &Report) -> String {
    const NOTE: usize = 40;
    let counts = counts(report);
    let mut out = if counts.is_empty() {
        "Nothing was found.".to_owned()
    } else {
        format!("{counts}.")
    };
    for (index, finding) in report.findings.iter().enumerate() {
        let told = format!(" {}: {}.", finding.check.as_str(), line(&finding.summary, 300));
        if out.chars().count() + told.chars().count() + NOTE > DESCRIPTION {
            out.push_str(&format!(
                " And {} more, in the whole report.",
                report.findings.len() - index
            ));
            break;
        }
        out.push_str(&told);
    }
    out
}

/// What to do about the worst. Half a command would be worse than none.
fn recommendation(report: &Report) -> String {
    let remedy = |finding: &Finding| {
        format!(
            "To be done by {}: {}",
            line(&finding.remedy.owner, 100),
            line(&finding.remedy.text, RECOMMENDATION)
        )
    };
    let whole = format!(
        "Read the whole report: {}",
        line(&report.commands.check, RECOMMENDATION)
    );
    // Several lines on one would be another command.
    let first = report
        .findings
        .first()
        .filter(|finding| !finding.remedy.text.contains('\n'));
    [first.map(remedy), Some(whole)]
        .into_iter()
        .flatten()
        .find(|text| text.chars().count() <= RECOMMENDATION)
        .unwrap_or_else(|| {
            "Ask the function with its command check, which answers the whole report.".to_owned()
        })
}

fn product_fields(report: &Report) -> Value {
    let mut checks: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| finding.check.as_str())
        .collect();
    checks.dedup();
    let unread: Vec<&str> = report
        .unread
        .iter()
        .map(|unread| unread.operation.as_str())
        .collect();
    let known = [
        ("verdict", Some(report.verdict.as_str().to_owned())),
        ("mode", Some(report.mode.as_str().to_owned())),
        ("reportId", Some(report.id.clone())),
        ("checks", Some(checks.join(","))),
        ("unread", Some(unread.join(","))),
        ("plan", report.digest().map(str::to_owned)),
        (
            "outcome",
            report
                .outcome
                .as_ref()
                .map(|outcome| outcome.status.as_str().to_owned()),
        ),
    ];
    let fields: Map<String, Value> = known
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
        .map(|(name, value)| (format!("{GENERATOR}/{name}"), json!(line(&value, FIELD - 1))))
        .collect();
    Value::Object(fields)
}

fn resource(arn: &Arn, region: &str) -> Option<Value> {
    let kind = match arn.service.as_str() {
        "s3" => "AwsS3Bucket",
        "kms" if arn.resource.starts_with("key/") => "AwsKmsKey",
        "iam" if arn.resource.starts_with("role/") => "AwsIamRole",
        _ => return None,
    };
    let region = if arn.region.is_empty() {
        region
    } else {
        &arn.region
    };
    Some(json!({"Type": kind, "Id": arn.to_string(), "Partition": arn.partition, "Region": region}))
}
