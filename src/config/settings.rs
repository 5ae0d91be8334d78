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
        doc: "`dry-run` only reports, `approve` applies a plan whose digest a person sends back, `auto` applies it immediately.",
    },
    Setting {
        name: "NOTIFICATION_TOPIC_ARN",
        default: "",
        doc: "The SNS topic that reports are sent to; without one they are only in the response and the log.",
    },
    Setting {
        name: "LEDGER_TABLE",
        default: "",
        doc: "The DynamoDB table that stores what was reported; without one each process remembers for itself.",
    },
    Setting {
        name: "REMIND_AFTER_HOURS",
        default: "24",
        doc: "Hours until an unchanged problem is reported again; 0 means never.",
    },
    Setting {
        name: "EVENT_BUS_NAME",
        default: "",
        doc: "The EventBridge bus, by name or ARN, that gets an event after each look at a bucket and after each repair.",
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
        doc: "Comma-separated ids of the other accounts whose buckets and keys count as yours.",
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
        doc: "The name of the read-only role that is assumed in trusted accounts.",
    },
    Setting {
        name: "MEMBER_ROLE_EXTERNAL_ID",
        default: "",
        doc: "The external id that the trust policy of that role asks for; needs MEMBER_ROLE_NAME.",
    },
    Setting {
        name: "UNCONSTRAINED_GRANTS",
        default: "false",
        doc: "Whether a grant may be created that is not bound to a bucket, for objects without an S3 Bucket Key.",
    },
    Setting {
        name: "BATCH_ROLE_ARN",
        default: "",
        doc: "The role for the Batch Replication jobs that `backlog` creates; without one, none is created.",
    },
    Setting {
        name: "INSPECT_OBJECTS",
        default: "false",
        doc: "Whether failed objects are read with HEAD, which needs `s3:GetObjectVersion`.",
    },
    Setting {
        name: "SAMPLE_OBJECTS",
        default: "0",
        doc: "How many recent object versions are read with HEAD for each rule, 0 to 100; needs INSPECT_OBJECTS.",
    },
    Setting {
        name: "REPORT_REFUSED_PUTS",
        default: "false",
        doc: "Whether a replication configuration that S3 refused is explained; otherwise such events are dropped.",
    },
    Setting {
        name: "QUEUE_URL",
        default: "",
        doc: "The function's own queue, to which it sends follow-up work; the stack sets it.",
    },
];
