//! What S3 answers about buckets and objects, in all the forms that it has.

use s3_replication_remediator::observed::Observed;
use s3_replication_remediator::snapshot::{
    DefaultEncryption, EncryptionType, ObjectOwnership, Payer, Replication, Rule, RuleFilter, Schema,
    Versioning,
};
use s3_replication_remediator::source::{ObjectVersion, Source};

use crate::server::{Server, answer, bucket, s3_error};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";

/// The configuration whose rules are this XML.
async fn replication(rules: &str) -> Observed<Replication> {
    let body = format!(
        "<ReplicationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Role>arn:aws:iam::111122223333:role/service-role/crr</Role>{rules}</ReplicationConfiguration>"
    );
    let server = Server::start(move |_| answer(200, body.clone()));
    server.aws().await.replication(&bucket()).await
}

async fn rule(xml: &str) -> Rule {
    let Observed::Found(replication) = replication(&format!("<Rule>{xml}</Rule>")).await else {
        panic!("the rule is not understood: {xml}");
    };
    replication.rules[0].clone()
}

#[tokio::test]
async fn a_full_rule_of_the_second_generation_is_read_completely() {
    let rule = rule(&format!(
        "<ID>kms &amp; all</ID><Priority>1</Priority>\
         <Filter><And><Prefix>tax/</Prefix><Tag><Key>a</Key><Value>1</Value></Tag>\
         <Tag><Key>b</Key><Value>2</Value></Tag></And></Filter><Status>Enabled</Status>\
         <SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects>\
         <ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria>\
         <DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>\
         <Destination><Bucket>arn:aws:s3:::replica</Bucket><Account>444455556666</Account>\
         <AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>\
         <EncryptionConfiguration><ReplicaKmsKeyID>{KEY}</ReplicaKmsKeyID></EncryptionConfiguration>\
         <ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime>\
         <Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics>\
         </Destination>"
    ))
    .await;
    assert_eq!(
        rule,
        Rule {
            id: "kms & all".to_owned(),
            enabled: true,
            priority: Some(1),
            superseded_by: None,
            schema: Schema::V2,
            filter: RuleFilter {
                prefix: "tax/".to_owned(),
                tags: vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())],
            },
            destination: "replica".parse().unwrap(),
            claimed_account: Some("444455556666".parse().unwrap()),
            owner_override: true,
            sse_kms_objects: true,
            replica_modifications: true,
            replica_key: Some(KEY.to_owned()),
            delete_markers: true,
            metrics: true,
        }
    );
}

#[tokio::test]
async fn a_rule_of_the_first_generation_has_its_prefix_outside_and_replicates_delete_markers() {
    let rule = rule(
        "<ID>old</ID><Prefix>tax/</Prefix><Status>Disabled</Status>\
         <Destination><Bucket>arn:aws:s3:::replica</Bucket></Destination>",
    )
    .await;
    assert_eq!((rule.schema, rule.filter.prefix.as_str()), (Schema::V1, "tax/"));
    assert!(rule.delete_markers && !rule.enabled && !rule.metrics && !rule.sse_kms_objects);
    assert_eq!(rule.replica_key, None);
}

#[tokio::test]
async fn an_empty_filter_is_of_the_second_generation_and_takes_the_whole_bucket() {
    for filter in [
        "<Filter/>",
        "<Filter></Filter>",
        "<Filter><Prefix></Prefix></Filter>",
    ] {
        let rule = rule(&format!(
            "<ID>x</ID><Priority>0</Priority>{filter}<Status>Enabled</Status>\
             <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>\
             <Destination><Bucket>arn:aws:s3:::replica</Bucket></Destination>"
        ))
        .await;
        assert_eq!(
            (rule.schema, rule.filter),
            (Schema::V2, RuleFilter::default()),
            "{filter}"
        );
        assert!(!rule.delete_markers);
    }
}

#[tokio::test]
async fn a_filter_may_be_a_single_tag() {
    let rule = rule(
        "<ID>x</ID><Filter><Tag><Key>class</Key><Value></Value></Tag></Filter><Status>Enabled</Status>\
         <Destination><Bucket>arn:aws:s3:::replica</Bucket></Destination>",
    )
    .await;
    assert_eq!(rule.filter.tags, [("class".to_owned(), String::new())]);
}

#[tokio::test]
async fn what_a_rule_says_and_nobody_knows_makes_the_configuration_unreadable() {
    for (rule, code) in [
        (
            "<Rule><Status>Perhaps</Status><Destination><Bucket>arn:aws:s3:::b-1</Bucket></Destination></Rule>",
            "UnknownRuleStatus",
        ),
        (
            "<Rule><Status>Enabled</Status><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Some</Status></SseKmsEncryptedObjects></SourceSelectionCriteria><Destination><Bucket>arn:aws:s3:::b-1</Bucket></Destination></Rule>",
            "UnknownRuleStatus",
        ),
        (
            "<Rule><Status>Enabled</Status><SourceSelectionCriteria><ReplicaModifications><Status>Some</Status></ReplicaModifications></SourceSelectionCriteria><Destination><Bucket>arn:aws:s3:::b-1</Bucket></Destination></Rule>",
            "UnknownRuleStatus",
        ),
        (
            "<Rule><Status>Enabled</Status><Filter/><DeleteMarkerReplication><Status>Some</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::b-1</Bucket></Destination></Rule>",
            "UnknownRuleStatus",
        ),
        (
            "<Rule><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::b-1</Bucket><Metrics><Status>Some</Status></Metrics></Destination></Rule>",
            "UnknownRuleStatus",
        ),
        (
            "<Rule><Status>Enabled</Status><Destination><Bucket>somewhere</Bucket></Destination></Rule>",
            "UnknownDestinationName",
        ),
        ("<Rule><Status>Enabled</Status></Rule>", "UnknownDestinationName"),
    ] {
        assert_eq!(replication(rule).await.failure().unwrap().error_code, code);
    }
}

async fn encryption(rule: &str) -> Observed<DefaultEncryption> {
    let body =
        format!("<ServerSideEncryptionConfiguration><Rule>{rule}</Rule></ServerSideEncryptionConfiguration>");
    let server = Server::start(move |_| answer(200, body.clone()));
    server.aws().await.encryption(&bucket()).await
}

#[tokio::test]
async fn default_encryption_is_read_in_all_its_forms() {
    let by_default = |inner: &str| {
        format!("<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>")
    };
    for (rule, kind, key, bucket_key) in [
        (
            by_default("<SSEAlgorithm>AES256</SSEAlgorithm>"),
            EncryptionType::S3,
            None,
            false,
        ),
        (
            by_default(&format!(
                "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{KEY}</KMSMasterKeyID>"
            )) + "<BucketKeyEnabled>true</BucketKeyEnabled>",
            EncryptionType::Kms,
            Some(KEY),
            true,
        ),
        (
            by_default("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm><KMSMasterKeyID>1234abcd</KMSMasterKeyID>"),
            EncryptionType::KmsDualLayer,
            Some(KEY),
            false,
        ),
        (
            by_default("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/tax</KMSMasterKeyID>"),
            EncryptionType::Kms,
            Some("arn:aws:kms:eu-west-1:111122223333:alias/tax"),
            false,
        ),
        (
            by_default("<SSEAlgorithm>aws:kms</SSEAlgorithm>"),
            EncryptionType::Kms,
            None,
            false,
        ),
    ] {
        let expected = DefaultEncryption {
            kind,
            key: key.map(|key| key.parse().unwrap()),
            bucket_key,
        };
        assert_eq!(encryption(&rule).await, Observed::Found(expected), "{rule}");
    }
    let future = by_default("<SSEAlgorithm>aws:quantum</SSEAlgorithm>");
    assert_eq!(
        encryption(&future).await.failure().unwrap().error_code,
        "UnknownEncryption"
    );
}

#[tokio::test]
async fn every_bucket_read_names_the_expected_owner() {
    let server = Server::start(|_| s3_error(403, "AccessDenied"));
    let (aws, at) = (server.aws().await, bucket());
    aws.head_bucket(&at).await;
    aws.replication(&at).await;
    aws.versioning(&at).await;
    aws.encryption(&at).await;
    aws.bucket_policy(&at).await;
    aws.ownership(&at).await;
    aws.object_lock(&at).await;
    aws.bucket_tags(&at).await;
    aws.payer(&at).await;
    aws.failure_notifications(&at).await;
    aws.head_object(&at, "key", "v1").await;
    aws.recent_versions(&at, "", 1).await;
    let requests = server.requests();
    assert_eq!(requests.len(), 12);
    for request in requests {
        assert_eq!(
            request.header("x-amz-expected-bucket-owner"),
            "111122223333",
            "{}",
            request.call()
        );
    }
    assert_eq!(aws.take_calls().values().sum::<u64>(), 12);
}

#[tokio::test]
async fn simple_facts_are_read() {
    let server = Server::start(|request| match request.call().as_str() {
        "s3 GET ?versioning" => answer(
            200,
            "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
        ),
        "s3 GET ?ownershipControls" => answer(
            200,
            "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>",
        ),
        "s3 GET ?object-lock" => answer(
            200,
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
        ),
        "s3 GET ?tagging" => answer(
            200,
            "<Tagging><TagSet><Tag><Key>team</Key><Value>tax</Value></Tag></TagSet></Tagging>",
        ),
        "s3 GET ?requestPayment" => answer(
            200,
            "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
        ),
        "s3 GET ?policy" => answer(200, r#"{"Version":"2012-10-17","Statement":[]}"#),
        "s3 HEAD ?" => answer(200, "").with("x-amz-bucket-region", "eu-west-1"),
        other => panic!("{other}"),
    });
    let (aws, at) = (server.aws().await, bucket());
    assert_eq!(aws.versioning(&at).await, Observed::Found(Versioning::Suspended));
    assert_eq!(
        aws.ownership(&at).await,
        Observed::Found(ObjectOwnership::BucketOwnerEnforced)
    );
    assert_eq!(aws.object_lock(&at).await, Observed::Found(()));
    assert_eq!(aws.bucket_tags(&at).await.found().unwrap()["team"], "tax");
    assert_eq!(aws.payer(&at).await, Observed::Found(Payer::Requester));
    assert_eq!(
        aws.bucket_policy(&at).await.found().unwrap().name,
        "bucket policy of logs"
    );
    let head = aws.head_bucket(&at).await;
    assert_eq!(
        (head.exists, head.region),
        (Observed::Found(()), Some("eu-west-1".parse().unwrap()))
    );
}

#[tokio::test]
async fn a_bucket_that_never_was_versioned_has_no_status() {
    let server = Server::start(|_| answer(200, "<VersioningConfiguration/>"));
    let aws = server.aws().await;
    assert_eq!(
        aws.versioning(&bucket()).await,
        Observed::Found(Versioning::Never)
    );
}

#[tokio::test]
async fn only_notifications_about_replication_and_annotations_count() {
    let server = Server::start(|_| {
        answer(
            200,
            "<NotificationConfiguration>\
             <QueueConfiguration><Id>1</Id><Queue>arn:aws:sqs:eu-west-1:111122223333:q</Queue>\
             <Event>s3:ObjectCreated:*</Event><Event>s3:Replication:OperationFailedReplication</Event>\
             </QueueConfiguration>\
             <TopicConfiguration><Id>2</Id><Topic>arn:aws:sns:eu-west-1:111122223333:t</Topic>\
             <Event>s3:ObjectCreated:*</Event></TopicConfiguration>\
             <TopicConfiguration><Id>4</Id><Topic>arn:aws:sns:eu-west-1:111122223333:u</Topic>\
             <Event>s3:ObjectAnnotation:Put</Event></TopicConfiguration>\
             <CloudFunctionConfiguration><Id>3</Id>\
             <CloudFunction>arn:aws:lambda:eu-west-1:111122223333:function:f</CloudFunction>\
             <Event>s3:Replication:*</Event></CloudFunctionConfiguration>\
             <EventBridgeConfiguration/></NotificationConfiguration>",
        )
    });
    let aws = server.aws().await;
    let targets = aws.failure_notifications(&bucket()).await;
    let targets: Vec<(String, Vec<String>)> = targets
        .found()
        .unwrap()
        .iter()
        .map(|target| (target.arn.clone(), target.events.clone()))
        .collect();
    let expected = [
        (
            "arn:aws:sns:eu-west-1:111122223333:u".to_owned(),
            vec!["s3:ObjectAnnotation:Put".to_owned()],
        ),
        (
            "arn:aws:sqs:eu-west-1:111122223333:q".to_owned(),
            vec!["s3:Replication:OperationFailedReplication".to_owned()],
        ),
        (
            "arn:aws:lambda:eu-west-1:111122223333:function:f".to_owned(),
            vec!["s3:Replication:*".to_owned()],
        ),
    ];
    assert_eq!(targets, expected);
}

#[tokio::test]
async fn head_tells_how_an_object_version_is_encrypted() {
    let server = Server::start(|request| {
        assert!(request.target.contains("versionId=v1"), "{}", request.target);
        answer(200, "")
            .with("x-amz-server-side-encryption", "aws:kms")
            .with("x-amz-server-side-encryption-aws-kms-key-id", KEY)
            .with("x-amz-server-side-encryption-bucket-key-enabled", "true")
            .with("x-amz-replication-status", "FAILED")
    });
    let aws = server.aws().await;
    let head = aws.head_object(&bucket(), "a b/ü", "v1").await;
    let head = head.found().unwrap();
    assert_eq!(head.encryption, EncryptionType::Kms);
    assert_eq!(head.kms_key.as_ref().unwrap().to_string(), KEY);
    assert_eq!(
        (head.bucket_key, head.replication_status.as_deref()),
        (true, Some("FAILED"))
    );
}

#[tokio::test]
async fn an_object_of_which_s3_names_no_encryption_has_none() {
    let server = Server::start(|_| answer(200, ""));
    let aws = server.aws().await;
    let head = aws.head_object(&bucket(), "old", "v1").await;
    assert_eq!(head.found().unwrap().encryption, EncryptionType::Plaintext);
}

#[tokio::test]
async fn the_newest_versions_come_first_and_their_keys_are_decoded() {
    let version = |key: &str, id: &str, time: &str| {
        format!(
            "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>true</IsLatest>\
             <LastModified>{time}</LastModified></Version>"
        )
    };
    let body = format!(
        "<ListVersionsResult><EncodingType>url</EncodingType>{}{}{}\
         <DeleteMarker><Key>gone</Key><VersionId>d</VersionId></DeleteMarker></ListVersionsResult>",
        version("old", "1", "2025-01-01T00:00:00.000Z"),
        version("a+b%2Bc%0A", "null", "2026-01-01T00:00:00.000Z"),
        version("middle", "3", "2025-06-01T00:00:00.000Z"),
    );
    let server = Server::start(move |_| answer(200, body.clone()));
    let aws = server.aws().await;
    let found = aws.recent_versions(&bucket(), "", 2).await;
    let expected = [("a b+c\n", "null"), ("middle", "3")].map(|(key, version_id)| ObjectVersion {
        key: key.to_owned(),
        version_id: version_id.to_owned(),
    });
    assert_eq!(found.found().unwrap(), &expected);
}

#[tokio::test]
async fn keys_that_are_not_said_to_be_encoded_are_taken_as_they_are() {
    let server = Server::start(|_| {
        answer(
            200,
            "<ListVersionsResult><Version><Key>a+b%20</Key><VersionId>1</VersionId></Version></ListVersionsResult>",
        )
    });
    let found = server.aws().await.recent_versions(&bucket(), "", 9).await;
    assert_eq!(found.found().unwrap()[0].key, "a+b%20");
}
