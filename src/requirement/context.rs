//! The condition keys of the requests that S3 makes when it replicates.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>.
//!
//! Keys that S3 is not known to send (`aws:SourceIp`, `aws:SourceVpce`, `aws:SourceArn`, `aws:SourceAccount`, …) are
//! left out: the evaluator takes them as absent and says where the answer rests on that.

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::{AccountId, KeyArn, KeyReference, Region};
use crate::observed::Observed;
use crate::policy::{Context, Request, Values};
use crate::snapshot::{EncryptionType, Key, Role, Rule, Snapshot};

use super::tested::tested_tags;

/// Builds contexts of requests of one role.
#[derive(Debug)]
pub(super) struct Contexts<'a> {
    snapshot: &'a Snapshot,
    role: &'a Role,
    /// What is the same in every request.
    base: Context,
    /// The tags that some policy tests.
    tested_tags: BTreeSet<String>,
    /// What was made before: rules differ in little that a policy can see, and a thousand of them share these.
    of_s3: BTreeMap<S3Call, Context>,
    of_keys: BTreeMap<KeyReference, Context>,
    /// The last one about a key: what is done with one object follows each other.
    last: Option<(KeyReference, String, Context)>,
}

/// All that the context of a request to S3 depends on.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct S3Call {
    owner: Option<AccountId>,
    region: Option<Region>,
    tags: Vec<(String, String)>,
    /// For the write of a replica: are objects under KMS keys taken, and which key do replicas get?
    replica: Option<(bool, Option<String>)>,
}

/// How a write says which kind of encryption the object gets.
const KIND: &str = "s3:x-amz-server-side-encryption";
/// And which KMS key.
const KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";

/// What the write of a replica may say of an encryption that is S3's own: its name, or nothing. AWS does not say which; but
/// what a policy says to both it says to what S3 does. Nothing where the kind is known, or another one.
pub(crate) fn of_s3_encryption(request: &Request) -> Option<[Request; 2]> {
    let is_open = matches!(request.context.get(KIND), Some(Values::Unknown));
    let with = |context: Context| Request {
        context,
        ..request.clone()
    };
    is_open.then(|| {
        let without = request.context.clone().without(KIND).without(KEY);
        [with(without.clone().with(KIND, "AES256")), with(without)]
    })
}

impl<'a> Contexts<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, role: &'a Role) -> Self {
        let arn = &role.arn;
        let mut base = Context::new()
            .with("aws:PrincipalArn", arn.to_string())
            .with("aws:PrincipalAccount", arn.account().as_str())
            .with("aws:PrincipalType", "AssumedRole")
            .with("aws:PrincipalIsAWSService", "false")
            .with("aws:userid", format!("{}:s3-replication", role.id))
            .with("aws:SecureTransport", "true")
            .with("aws:CurrentTime", snapshot.taken_at.to_string())
            .with("aws:EpochTime", snapshot.taken_at.as_second().to_string())
            // S3's session to come will be younger than any order to revoke the older ones.
            .with("aws:TokenIssueTime", snapshot.taken_at.to_string())
            // Every session has it, and no service can present a device.
            .with("aws:MultiFactorAuthPresent", "false")
            // Every request has one; which S3 sends is not documented.
            .with_unknown("aws:UserAgent")
            // Present where the account is in an organisation; nothing here reads which.
            .with_unknown("aws:PrincipalOrgID")
            .with_unknown("aws:PrincipalOrgPaths")
            .with_unknown("aws:ResourceOrgID")
            .with_unknown("aws:ResourceOrgPaths");
        for (key, value) in &role.tags {
            base = base.with(format!("aws:PrincipalTag/{key}"), value.as_str());
        }
        Self {
            snapshot,
            role,
            base,
            tested_tags: tested_tags(snapshot, role),
            of_s3: BTreeMap::new(),
            of_keys: BTreeMap::new(),
            last: None,
        }
    }

    fn base(&self, owner: Option<&AccountId>, region: Option<&Region>) -> Context {
        let context = match owner {
            Some(owner) => self.base.clone().with("aws:ResourceAccount", owner.as_str()),
            None => self.base.clone().with_unknown("aws:ResourceAccount"),
        };
        match region {
            Some(region) => context.with("aws:RequestedRegion", region.as_str()),
            None => context.with_unknown("aws:RequestedRegion"),
        }
    }

    /// A request about a bucket or about an object that the rule takes; `replica` where it writes one.
    pub(super) fn s3(
        &mut self,
        rule: &Rule,
        owner: Option<&AccountId>,
        region: Option<&Region>,
        replica: bool,
    ) -> Context {
        let call = S3Call {
            owner: owner.cloned(),
            region: region.cloned(),
            tags: rule.filter.tags.clone(),
            replica: replica.then(|| (rule.sse_kms_objects, rule.replica_key.clone())),
        };
        if let Some(known) = self.of_s3.get(&call) {
            return known.clone();
        }
        let mut context = self.any_s3(rule, owner, region);
        if replica {
            context = self.replica(rule, context);
        }
        self.of_s3.insert(call, context.clone());
        context
    }

    fn any_s3(&self, rule: &Rule, owner: Option<&AccountId>, region: Option<&Region>) -> Context {
        let mut context = self.base(owner, region);
        context = match owner {
            Some(owner) => context.with("s3:ResourceAccount", owner.as_str()),
            None => context.with_unknown("s3:ResourceAccount"),
        };
        // The replication role is a service role, and so S3 acts for nobody else:
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-viaawsservice
        context = context.with("aws:ViaAWSService", "false");
        // S3 takes nothing older: https://docs.aws.amazon.com/AmazonS3/latest/userguide/network-isolation.html
        context = context.with_one_of("s3:TlsVersion", ["1.2", "1.3"]);
        // Every request is signed somehow; how S3 signs its own is not documented.
        for key in [
            "s3:authType",
            "s3:signatureversion",
            "s3:signatureAge",
            "s3:x-amz-content-sha256",
        ] {
            context = context.with_unknown(key);
        }
        for key in &self.tested_tags {
            context = match self.tag_of_filter(rule, key) {
                Some(value) => context.with(key.as_str(), value),
                None => context.with_unknown(key.as_str()),
            };
        }
        context
    }

    /// The value that a rule's filter demands of an object's tag.
    fn tag_of_filter<'r>(&self, rule: &'r Rule, key: &str) -> Option<&'r str> {
        let (family, tag) = key.split_once('/')?;
        let of_objects = family.eq_ignore_ascii_case("s3:ExistingObjectTag")
            || family.eq_ignore_ascii_case("s3:RequestObjectTag");
        let demanded = rule
            .filter
            .tags
            .iter()
            .find(|(name, _)| of_objects && name == tag);
        demanded.map(|(_, value)| value.as_str())
    }

    /// What the write of a replica says of its encryption.
    fn replica(&self, rule: &Rule, context: Context) -> Context {
        let default = self
            .snapshot
            .source
            .encryption
            .found()
            .map(|default| default.kind);
        let kind = match (rule.sse_kms_objects, default) {
            (true, Some(EncryptionType::Kms)) => "aws:kms",
            (true, Some(EncryptionType::KmsDualLayer)) => "aws:kms:dsse",
            // Whether S3 says AES256 or nothing for replicas under its own keys is not documented.
            (
                true,
                Some(EncryptionType::S3 | EncryptionType::Customer | EncryptionType::Plaintext) | None,
            )
            | (false, _) => {
                return context.with_unknown(KIND).with_unknown(KEY);
            }
        };
        let context = context.with(KIND, kind);
        match rule.replica_key() {
            Ok(Some(KeyReference::Key(key))) => context.with(KEY, key.to_string()),
            // Whether S3 writes the alias or the key behind it is not documented.
            Ok(Some(KeyReference::Alias(_)) | None) | Err(_) => context.with_unknown(KEY),
        }
    }

    /// The same for one action: parameters of which nothing says how S3 gives them, and tags of objects, which AWS lists
    /// for few actions (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>). Whether
    /// S3 says them of the others all the same is not documented.
    pub(super) fn of_action(&self, context: Context, action: &str) -> Context {
        let parameters: &[&str] = match action {
            "s3:ListBucket" => &["s3:prefix", "s3:delimiter", "s3:max-keys"],
            "s3:GetObjectVersionAcl" | "s3:GetObjectVersionTagging" => &["s3:versionid"],
            _ => &[],
        };
        let of_tags = matches!(
            action,
            "s3:GetObjectVersion" | "s3:GetObjectVersionAcl" | "s3:GetObjectVersionTagging"
        );
        let tags = self.tested_tags.iter().filter(|_| !of_tags);
        parameters
            .iter()
            .copied()
            .chain(tags.map(String::as_str))
            .fold(context, |context, key| context.with_unknown(key))
    }

    /// A request about a key.
    pub(super) fn kms(&mut self, arn: &KeyArn, key: &Key, encryption_context: &str) -> Context {
        if let Some((reference, arn, context)) = &self.last
            && *reference == key.reference
            && arn == encryption_context
        {
            return context.clone();
        }
        let context = match self.of_keys.get(&key.reference) {
            Some(known) => known.clone(),
            None => {
                let context = self.any_kms(arn, key);
                self.of_keys.insert(key.reference.clone(), context.clone());
                context
            }
        };
        let context = context.with("kms:EncryptionContext:aws:s3:arn", encryption_context);
        self.last = Some((
            key.reference.clone(),
            encryption_context.to_owned(),
            context.clone(),
        ));
        context
    }

    fn any_kms(&self, arn: &KeyArn, key: &Key) -> Context {
        let mut context = self
            .base(Some(arn.account()), Some(arn.region()))
            .with("kms:CallerAccount", self.role.arn.account().as_str())
            .with_set("kms:EncryptionContextKeys", ["aws:s3:arn"])
            .with("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT")
            .with_unknown("kms:ResourceAliases")
            // Every request says whether a service makes it for a principal. S3 makes it with the role's credentials,
            // which would be so, but those of a service role, which would not.
            .with_unknown("aws:ViaAWSService");
        // Whether S3 in China and the isolated partitions sends this suffix is not documented.
        context = if arn.partition().has_known_service_names() {
            context.with("kms:ViaService", via_s3(arn.region()))
        } else {
            context.with_unknown("kms:ViaService")
        };
        if let Some(metadata) = key.metadata.found() {
            context = context
                .with("kms:KeySpec", metadata.spec.as_str())
                .with("kms:KeyUsage", metadata.usage.as_str())
                .with("kms:KeyOrigin", metadata.origin.as_str())
                .with("kms:MultiRegion", metadata.arn.is_multi_region().to_string());
            if metadata.arn.is_multi_region() {
                context = context.with_one_of("kms:MultiRegionKeyType", ["PRIMARY", "REPLICA"]);
            }
        }
        if let KeyReference::Alias(_) = &key.reference {
            // Whether S3 asks KMS for the alias or for the key behind it is not documented.
            context = context.with_unknown("kms:RequestAlias");
        }
        match &key.tags {
            Observed::Found(tags) => {
                for (name, value) in tags {
                    context = context.with(format!("aws:ResourceTag/{name}"), value.as_str());
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(_) => {
                for tag in &self.tested_tags {
                    context = context.with_unknown(tag.as_str());
                }
            }
        }
        context
    }
}

/// What `kms:ViaService` says when S3 of a Region calls KMS there.
pub(crate) fn via_s3(region: &Region) -> String {
    format!("s3.{region}.amazonaws.com")
}
