//! The names of all settings, their defaults, and what they say: data that documents and the template are compared with.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

/// A setting, for the documents and the template that must name the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What holds where it is unset or empty.
    pub default: &'static str,
    /// What it says, in one sentence.
    pub doc: &'static str,
}

/// All settings.
pub const SETTINGS: [Setting; 21] = [
    Setting {
        name: "MODE",
        default: "dry-run",
        doc: "`dry-run` only tells, `approve` repairs what a person approved by its digest, `auto` repairs at once.",
    },
    Setting {
        name: "NOTIFICATION_TOPIC_ARN",
        default: "",
        doc: "The SNS topic that reports are sent to; without one they stand in the answer and the log.",
    },
    Setting {
        name: "LEDGER_TABLE",
        default: "",
        doc: "The DynamoDB table that remembers what was told; without one each process remembers for itself.",
    },
    Setting {
        name: "REMIND_AFTER_HOURS",
        default: "24",
        doc: "How long trouble that goes on unchanged is not told again, in hours; 0 is for ever.",
    },
    Setting {
        name: "EVENT_BUS_NAME",
        default: "",
        doc: "The EventBridge bus, by name or ARN, that is told the state of a bucket after each look, and each repair.",
    },
    Setting {
        name: "CHAT_TOPIC_ARN",
        default: "",
        doc: "The SNS topic of a chat channel, for reports in the form of Amazon Q Developer in chat applications.",
    },
    Setting {
        name: "SECURITY_HUB",
        default: "false",
        doc: "Whether each bucket is kept as a finding in AWS Security Hub, which resolves itself when all is well.",
    },
    Setting {
        name: "TRUSTED_ACCOUNTS",
        default: "",
        doc: "Comma-separated ids of the accounts whose buckets and keys count as ours beside our own.",
    },
    Setting {
        name: "ALLOWED_ROLE_ARNS",
        default: "",
        doc: "Comma-separated ARN patterns of roles that may be changed; `*` crosses `/`, `?` stands for any character.",
    },
    Setting {
        name: "ALLOWED_KEY_ARNS",
        default: "",
        doc: "Comma-separated ARN patterns of keys whose use may be granted; never aliases.",
    },
    Setting {
        name: "OPT_IN_TAG",
        default: "s3-replication-remediator=allow",
        doc: "The tag, as KEY=VALUE, of a role or key that may be changed.",
    },
    Setting {
        name: "OPT_OUT_TAG",
        default: "s3-replication-remediator=ignore",
        doc: "The tag, as KEY=VALUE, of a bucket that is left alone.",
    },
    Setting {
        name: "REQUIRED_PERMISSIONS_BOUNDARY_ARN",
        default: "",
        doc: "The permissions boundary that a role must have before it may be changed.",
    },
    Setting {
        name: "MEMBER_ROLE_NAME",
        default: "",
        doc: "The name of the role that is assumed in trusted accounts, for reading alone.",
    },
    Setting {
        name: "MEMBER_ROLE_EXTERNAL_ID",
        default: "",
        doc: "The external id that the trust policy of that role asks for; needs MEMBER_ROLE_NAME.",
    },
    Setting {
        name: "UNCONSTRAINED_GRANTS",
        default: "false",
        doc: "Whether a grant may be made that is bound to no bucket, for objects that use no S3 Bucket Key.",
    },
    Setting {
        name: "BATCH_ROLE_ARN",
        default: "",
        doc: "The role that jobs of S3 Batch Replication are ordered for by `backlog`; without one none is ordered.",
    },
    Setting {
        name: "INSPECT_OBJECTS",
        default: "false",
        doc: "Whether failed objects are looked at with HEAD, which needs `s3:GetObjectVersion`.",
    },
    Setting {
        name: "SAMPLE_OBJECTS",
        default: "0",
        doc: "How many recent object versions are looked at for each rule, 0 to 100; needs INSPECT_OBJECTS.",
    },
    Setting {
        name: "REPORT_REFUSED_PUTS",
        default: "false",
        doc: "Whether a replication configuration that S3 refused is explained; otherwise such events are dropped.",
    },
    Setting {
        name: "QUEUE_URL",
        default: "",
        doc: "The queue that the function reads, for the work that it leaves itself; the stack sets it to its own.",
    },
];

/// Settings whose names are taken, so that they are refused rather than ignored.
pub(super) const NOT_YET: [&str; 0] = [];
