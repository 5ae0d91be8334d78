//! All buckets of the account, wherever they lie.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>: any Region knows all of them, page by page.

use crate::arn::{BucketName, Region};
use crate::source::Reader;

use super::Aws;
use super::error::{CallFailure, Failure, Pages};

const OPERATION: &str = "s3:ListBuckets";
/// As many as S3 gives at once.
const PAGE: i32 = 1_000;

impl Aws {
    /// The name of each bucket that the account owns, and its Region where S3 tells it, in the order of the names.
    ///
    /// # Errors
    /// S3 did not answer, or refused (`s3:ListAllMyBuckets`).
    pub async fn all_buckets(&self) -> Result<Vec<(BucketName, Option<Region>)>, CallFailure> {
        let failed = |failure| CallFailure {
            operation: OPERATION,
            failure,
        };
        let client = self.s3(&Reader::Own, &self.region).await.map_err(failed)?;
        let mut pages = Pages::default();
        loop {
            self.count(OPERATION);
            let answer = client
                .list_buckets()
                .max_buckets(PAGE)
                .set_continuation_token(pages.next_token())
                .send()
                .await
                .map_err(|error| failed(Failure::of(&error)))?;
            let next = answer.continuation_token.filter(|token| !token.is_empty());
            let page = answer
                .buckets
                .unwrap_or_default()
                .into_iter()
                .filter_map(|bucket| {
                    let name: BucketName = bucket.name?.parse().ok()?;
                    let region = bucket.bucket_region.and_then(|region| region.parse().ok());
                    Some((name, region))
                });
            if pages.add(page, next).map_err(failed)? {
                break;
            }
        }
        let mut buckets = pages.items;
        buckets.sort();
        Ok(buckets)
    }
}
