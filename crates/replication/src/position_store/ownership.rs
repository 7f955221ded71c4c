//! Which process a link belongs to: the one that said so last, beside the link's positions.
//!
//! ```text
//! ["<link>",{"owner":"process"}]   {"format":1,"process":"9f86d081884c7d65","since":1790000000000}
//! ```
//!
//! Whoever starts a link writes the record before it reads positions, and looks now and then whether a later one stands behind it.
//! Then another process has taken over, and this one writes nothing more. What it still has on its way is recognised by
//! its sequence numbers: both write the same stream.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kafka_client::topic_log::{KeyValue, TopicLog, TopicLogError};
use serde_json::{Value, json};

/// Version of the stored form.
const FORMAT: u64 = 1;
/// How long writing or reading may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The claim of one process.
#[derive(Debug)]
pub struct Ownership {
    log: TopicLog,
    key: Bytes,
    process: String,
    /// Where the next look begins.
    seen: i64,
}

impl Ownership {
    /// Claims a link; on return the claim is durable.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) async fn claim(mut log: TopicLog, link: &str) -> Result<Self, TopicLogError> {
        let key = Bytes::from(format!("[{},{{\"owner\":\"process\"}}]", Value::from(link)));
        let process = format!("{:016x}", rand::random::<u64>());
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.map_or(0, |since| since.as_millis() as u64);
        let value = json!({"format": FORMAT, "process": process, "since": since});
        let (_, seen) = log.read_beside(&key, None, LIMIT).await?;
        let record: KeyValue = (key.clone(), Some(Bytes::from(value.to_string())));
        log.write(std::slice::from_ref(&record), LIMIT).await?;
        Ok(Self {
            log,
            key,
            process,
            seen,
        })
    }

    /// The process that has taken over since, if one has.
    ///
    /// # Errors
    /// When that cannot be found out now.
    pub async fn successor(&mut self) -> Result<Option<String>, TopicLogError> {
        let read = self.log.read_beside(&self.key, Some(self.seen), LIMIT);
        let (records, end) = read.await?;
        let claims = records.iter().filter(|(key, _)| *key == self.key);
        let claims: Vec<String> = claims
            .filter_map(|(_, value)| process_of(value.as_deref()?))
            .collect();
        self.seen = end;
        Ok(later(&self.process, &claims))
    }
}

/// Whoever claims last owns. All that is read lies behind the end before the own claim was written.
fn later(own: &str, claims: &[String]) -> Option<String> {
    claims.last().filter(|last| *last != own).cloned()
}

fn process_of(value: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(value).ok()?;
    Some(value.get("process")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_claims_last_owns() {
        let check = |claims: &[&str], expected: Option<&str>| {
            let claims: Vec<String> = claims.iter().map(ToString::to_string).collect();
            assert_eq!(later("me", &claims).as_deref(), expected, "{claims:?}");
        };
        check(&[], None);
        check(&["before", "me"], None);
        check(&["before", "me", "after"], Some("after"));
        check(&["after"], Some("after"));
        // Written twice, because the first answer was lost: the other one gives way.
        check(&["me", "after", "me"], None);
    }
}
