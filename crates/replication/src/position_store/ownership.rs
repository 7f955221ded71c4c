//! Which process a link belongs to: the one that said so last, beside the link's positions.
//!
//! ```text
//! ["<link>",{"owner":"process"}]   {"format":1,"process":"9f86d081884c7d65","since":1790000000000}
//!                                  {"format":1,"process":"9f86d081884c7d65","released":true}   at an orderly end
//! ```
//!
//! Whoever starts a link writes the record before it reads positions, and looks now and then whether a later one stands behind it.
//! Then another process has taken over, and this one writes nothing more. What it still has on its way is recognised by
//! its sequence numbers: both write the same stream.

use std::time::Duration;

use bytes::Bytes;
use kafka_client::topic_log::{KeyValue, TopicLog, TopicLogError};
use serde_json::{Value, json};

use super::StoredText;
use crate::clock::wall_ms;

/// Version of the stored form.
const FORMAT: u64 = 1;
/// How long writing or reading may take.
const LIMIT: Duration = Duration::from_secs(30);
/// After how long it is said that nobody knows whose the link is; it goes on being tried.
const TOLD: Duration = Duration::from_secs(15);

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
        let value = json!({"format": FORMAT, "process": process, "since": wall_ms()});
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

    /// Under which key claims are, and who this process is.
    pub(super) fn name(&self) -> (Bytes, String) {
        (self.key.clone(), self.process.clone())
    }

    /// Whether another process may still be writing, as far as the records of the store tell, of which the last of a key counts.
    #[must_use]
    pub fn has_predecessor(&self, texts: &[StoredText]) -> bool {
        let claims = texts.iter().filter(|(key, _)| key.as_bytes() == self.key);
        let others = claims.filter_map(|(_, value)| {
            let claim = claim_of(value.as_deref()?.as_bytes())?;
            (claim.process != self.process).then_some(claim)
        });
        is_held(&others.collect::<Vec<_>>())
    }

    /// Gives the link back.
    ///
    /// # Errors
    /// When that cannot be written; it is missed by nobody for long.
    pub async fn release(&mut self, limit: Duration) -> Result<(), TopicLogError> {
        let value = json!({"format": FORMAT, "process": self.process, "released": true});
        let record: KeyValue = (self.key.clone(), Some(Bytes::from(value.to_string())));
        self.log.write(std::slice::from_ref(&record), limit).await
    }

    /// The process that has taken over since, if one has.
    ///
    /// # Errors
    /// When that cannot be found out now.
    pub async fn successor(&mut self) -> Result<Option<String>, TopicLogError> {
        let read = self.log.read_beside(&self.key, Some(self.seen), TOLD);
        let (records, end) = read.await?;
        let claims = records.iter().filter(|(key, _)| *key == self.key);
        let claims: Vec<String> = claims
            .filter_map(|(_, value)| claim_of(value.as_deref()?))
            // What an earlier process gives back late was its own.
            .filter(|claim| !claim.released)
            .map(|claim| claim.process)
            .collect();
        self.seen = end;
        Ok(later(&self.process, &claims))
    }
}

/// The processes that claimed under a key, the later the further behind.
pub(super) fn claimants<'a>(
    records: impl Iterator<Item = &'a KeyValue>,
    key: &[u8],
) -> Vec<String> {
    let mut claimants = Vec::new();
    for (_, value) in records.filter(|(found, _)| *found == key) {
        let claim = value.as_deref().and_then(claim_of);
        if let Some(claim) = claim.filter(|claim| !claim.released) {
            claimants.retain(|process| *process != claim.process);
            claimants.push(claim.process);
        }
    }
    claimants
}

/// Whether a record of the store is a claim.
pub(super) fn is_claim(key: &[u8]) -> bool {
    key.ends_with(b",{\"owner\":\"process\"}]")
}

/// Whoever claims last owns. All that is read lies behind the end before the own claim was written.
fn later(own: &str, claims: &[String]) -> Option<String> {
    claims.last().filter(|last| *last != own).cloned()
}

struct Claim {
    process: String,
    released: bool,
}

/// Whether the last process that claimed has not given back. One that came before it may give back later.
fn is_held(claims: &[Claim]) -> bool {
    let last = claims.iter().rfind(|claim| !claim.released);
    let given_back = |last: &Claim| {
        let mut releases = claims.iter().filter(|claim| claim.released);
        releases.any(|claim| claim.process == last.process)
    };
    last.is_some_and(|last| !given_back(last))
}

fn claim_of(value: &[u8]) -> Option<Claim> {
    let value: Value = serde_json::from_slice(value).ok()?;
    Some(Claim {
        process: value.get("process")?.as_str()?.to_owned(),
        released: value.get("released").is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_process_gives_back_is_not_the_last_ones() {
        let check = |records: &[(&str, bool)], held: bool| {
            let claim = |(process, released): &(&str, bool)| Claim {
                process: (*process).to_owned(),
                released: *released,
            };
            let claims: Vec<Claim> = records.iter().map(claim).collect();
            assert_eq!(is_held(&claims), held, "{records:?}");
        };
        check(&[], false);
        check(&[("a", false)], true);
        check(&[("a", false), ("a", true)], false);
        check(&[("a", false), ("b", false), ("a", true)], true);
        check(&[("a", false), ("b", false), ("b", true)], false);
        // The rest was compacted away.
        check(&[("a", true)], false);
    }

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
