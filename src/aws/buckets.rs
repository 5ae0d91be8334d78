//! All buckets of the account, wherever they lie.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>: any Region knows all of them, page by page.

use crate::source::{ListedBucket, Read};

use super::error::{CallFailure, Failure, Pages};
use super::{Aws, s3};

impl Aws {
    /// Each bucket that the account owns, in the order of the names.
    ///
    /// # Errors
    /// S3 did not answer, or refused (`s3:ListAllMyBuckets`).
    pub async fn all_buckets(&self) -> Result<Vec<ListedBucket>, CallFailure> {
        let failed = |failure: Failure| failure.during(Read::Buckets.operation());
        let mut pages = Pages::default();
        loop {
            let page = s3::bucket_page(self, pages.next_token().as_deref())
                .await
                .map_err(failed)?;
            if pages.add(page.buckets.into_iter(), page.next).map_err(failed)? {
                break;
            }
        }
        let mut buckets = pages.items;
        buckets.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(buckets)
    }
}
