//! Publishing to a topic, in the topic's own Region.
//!
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use std::collections::BTreeMap;

use aws_sdk_sns::types::MessageAttributeValue;

use crate::arn::{Arn, Region};

use super::Aws;
use super::error::{CallFailure, Failure};

const OPERATION: &str = "sns:Publish";

/// Most characters of a subject, which must have fewer than 100: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
const MOST_SUBJECT: usize = 99;

impl Aws {
    /// Sends a message to an SNS topic. The subject is cut to what SNS accepts: 99 characters of printable ASCII.
    /// Answers the message's id.
    ///
    /// # Errors
    /// SNS refused it or gave no answer.
    pub async fn publish(
        &self,
        topic: &Arn,
        subject: &str,
        message: &str,
        attributes: &BTreeMap<&str, String>,
    ) -> Result<String, CallFailure> {
        self.count(OPERATION);
        let call = async {
            let region: Region = topic
                .region
                .parse()
                .map_err(|_| Failure::local("NotSent", "the topic's ARN names no Region"))?;
            let mut call = self
                .sns(&region)
                .await?
                .publish()
                .topic_arn(topic.to_string())
                .subject(plain(subject))
                .message(message);
            for (name, value) in attributes {
                let value = MessageAttributeValue::builder()
                    .data_type("String")
                    .string_value(value)
                    .build();
                let value =
                    value.map_err(|_| Failure::local("NotSent", "a message attribute is not valid"))?;
                call = call.message_attributes(*name, value);
            }
            let answer = call.send().await.map_err(|error| Failure::of(&error))?;
            Ok(answer.message_id.unwrap_or_default())
        };
        call.await.map_err(|failure: Failure| failure.during(OPERATION))
    }
}

/// SNS refuses subjects with line breaks, control characters, other than ASCII, or a blank at the start.
fn plain(subject: &str) -> String {
    let printable = subject
        .trim()
        .chars()
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' });
    printable.take(MOST_SUBJECT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_what_sns_accepts() {
        assert_eq!(plain(" a\nb — é"), "a?b ? ?");
        assert_eq!(plain(&"x".repeat(200)).len(), 99);
    }
}
