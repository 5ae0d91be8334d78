//! What IAM answers about roles and policies.

use s3_replication_remediator::arn::RoleArn;
use s3_replication_remediator::source::Source;

use crate::server::{Server, query_answer, query_error};

const DOCUMENT: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D";
const MANAGED: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

fn role() -> RoleArn {
    "arn:aws:iam::111122223333:role/service-role/crr".parse().unwrap()
}

fn get_role(document: &str) -> String {
    format!(
        "<Role><Path>/service-role/</Path><RoleName>crr</RoleName><RoleId>AROAX</RoleId><Arn>{}</Arn>\
         <CreateDate>2026-01-01T00:00:00Z</CreateDate>\
         <AssumeRolePolicyDocument>{document}</AssumeRolePolicyDocument>\
         <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
         <PermissionsBoundaryArn>arn:aws:iam::111122223333:policy/b</PermissionsBoundaryArn></PermissionsBoundary>\
         <Tags><member><Key>team</Key><Value>tax</Value></member></Tags></Role>",
        role()
    )
}

#[tokio::test]
async fn a_role_comes_with_its_trust_policy_decoded() {
    let server = Server::start(|_| query_answer("GetRole", &get_role(DOCUMENT)));
    let found = server.aws().await.role(&role()).await;
    let found = found.found().unwrap();
    let trust = found.trust.found().unwrap();
    assert_eq!(trust.name, format!("trust policy of {}", role()));
    assert_eq!(trust.document.raw()["Version"], "2012-10-17");
}

#[tokio::test]
async fn a_role_is_asked_for_by_name_and_keeps_path_tags_and_boundary() {
    let server = Server::start(|request| {
        assert_eq!(request.form("RoleName"), Some("crr"));
        query_answer("GetRole", &get_role("nonsense"))
    });
    let found = server.aws().await.role(&role()).await;
    let found = found.found().unwrap();
    assert_eq!((&found.arn, found.id.as_str()), (&role(), "AROAX"));
    assert_eq!(found.tags["team"], "tax");
    assert_eq!(
        found.boundary.as_deref(),
        Some("arn:aws:iam::111122223333:policy/b")
    );
    assert_eq!(found.trust.failure().unwrap().error_code, "MalformedPolicy");
}

#[tokio::test]
async fn a_role_that_is_not_there_is_absent_and_a_denied_one_says_what_to_permit() {
    let server = Server::start(|_| query_error(404, "NoSuchEntity"));
    assert!(server.aws().await.role(&role()).await.is_absent());

    let server = Server::start(|_| query_error(403, "AccessDenied"));
    let found = server.aws().await.role(&role()).await;
    assert_eq!(
        found.failure().unwrap().permit,
        format!(
            r#"{{"Effect":"Allow","Action":"iam:GetRole","Resource":"{}"}}"#,
            role()
        )
    );
}

#[tokio::test]
async fn names_of_inline_policies_are_read_to_the_last_page() {
    let server = Server::start(|request| match request.form("Marker") {
        None => query_answer(
            "ListRolePolicies",
            "<PolicyNames><member>one</member><member>two</member></PolicyNames>\
             <IsTruncated>true</IsTruncated><Marker>next</Marker>",
        ),
        Some(_) => query_answer(
            "ListRolePolicies",
            "<PolicyNames><member>three</member></PolicyNames><IsTruncated>false</IsTruncated>",
        ),
    });
    let names = server.aws().await.inline_policy_names(&role()).await;
    assert_eq!(names.found().unwrap(), &["one", "two", "three"]);
}

#[tokio::test]
async fn attached_policies_are_read_with_their_arns() {
    let server = Server::start(|_| {
        query_answer(
            "ListAttachedRolePolicies",
            &format!(
                "<AttachedPolicies><member><PolicyName>S3</PolicyName><PolicyArn>{MANAGED}</PolicyArn></member>\
                 </AttachedPolicies><IsTruncated>false</IsTruncated>"
            ),
        )
    });
    let policies = server.aws().await.attached_policies(&role()).await;
    assert_eq!(policies.found().unwrap()[0].arn, MANAGED);
}

#[tokio::test]
async fn inline_and_managed_documents_are_decoded() {
    let server = Server::start(|request| match request.form("Action").unwrap() {
        "GetRolePolicy" => query_answer(
            "GetRolePolicy",
            &format!(
                "<RoleName>crr</RoleName><PolicyName>one</PolicyName><PolicyDocument>{DOCUMENT}</PolicyDocument>"
            ),
        ),
        "GetPolicy" => query_answer(
            "GetPolicy",
            "<Policy><DefaultVersionId>v7</DefaultVersionId></Policy>",
        ),
        _ => {
            assert_eq!(request.form("VersionId"), Some("v7"));
            query_answer(
                "GetPolicyVersion",
                &format!(
                    "<PolicyVersion><Document>{DOCUMENT}</Document><VersionId>v7</VersionId></PolicyVersion>"
                ),
            )
        }
    });
    let aws = server.aws().await;
    assert_eq!(
        aws.inline_policy(&role(), "one").await.found().unwrap().name,
        "one"
    );
    assert_eq!(aws.managed_policy(MANAGED).await.found().unwrap().name, MANAGED);
}

#[tokio::test]
async fn the_step_of_a_managed_policy_that_failed_is_the_one_that_is_told() {
    let server = Server::start(|request| match request.form("Action").unwrap() {
        "GetPolicy" => query_answer(
            "GetPolicy",
            "<Policy><DefaultVersionId>v7</DefaultVersionId></Policy>",
        ),
        _ => query_error(403, "AccessDenied"),
    });
    let policy = server.aws().await.managed_policy(MANAGED).await;
    let failure = policy.failure().unwrap();
    assert_eq!(failure.operation, "iam:GetPolicyVersion");
    assert!(failure.permit.contains(MANAGED));
}
