//! Positions in a compacted topic of the destination.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_client::Cluster;
use kafka_client::topic_log::{KeyValue, TopicLog, TopicLogError, TopicShape};
use kafka_client::transactions::TransactionalProducer;

use super::keys::{Foreign, KeyStyle, Keys};
use super::ownership::{Ownership, claimants, is_claim};
use super::{StoreEntry, StoreError, StoredLink, StoredText};

/// How long the topic may take to become available, to be read, to be written.
const LIMIT: Duration = Duration::from_secs(60);
/// After how long it is said that positions cannot be written; it goes on being tried.
const TOLD: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub struct TopicStore {
    log: TopicLog,
    keys: Keys,
    /// The key of the claim under which it stores, and the process that claimed.
    claim: Option<(Bytes, String)>,
}

/// The member of a stored value that says which process has stored it.
const PROCESS: &str = ",\"process\":\"";

impl TopicStore {
    /// Opens the topic, and makes it if it is missing.
    ///
    /// # Errors
    /// When it is not available within a minute, or not compacted.
    pub async fn open(
        cluster: Cluster,
        topic: &str,
        shape: TopicShape,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            log: TopicLog::open(cluster, topic.into(), shape, LIMIT).await?,
            keys: Keys::default(),
            claim: None,
        })
    }

    /// Opens the topic if there is one; nothing is made.
    ///
    /// # Errors
    /// When the cluster does not say whether there is one.
    pub async fn find(cluster: Cluster, topic: &str) -> Result<Option<Self>, StoreError> {
        let log = TopicLog::find(cluster, topic.into()).await?;
        Ok(log.map(|log| Self {
            log,
            keys: Keys::default(),
            claim: None,
        }))
    }

    /// Another handle to the topic, with keys of its own.
    pub(super) fn another(&self) -> Self {
        Self {
            log: self.log.clone(),
            keys: Keys::default(),
            claim: None,
        }
    }

    /// What is stored from now on says whose it is.
    pub(super) fn store_for(&mut self, ownership: &Ownership) {
        self.claim = Some(ownership.name());
    }

    pub(super) async fn claim(self, link: &str) -> Result<Ownership, StoreError> {
        Ok(Ownership::claim(self.log, link).await?)
    }

    pub(super) async fn load(
        &mut self,
        link: &str,
        style: KeyStyle,
    ) -> Result<StoredLink, StoreError> {
        Ok(self.load_all(link, style).await?.0)
    }

    pub(super) async fn load_all(
        &mut self,
        link: &str,
        style: KeyStyle,
    ) -> Result<(StoredLink, Vec<StoredText>), StoreError> {
        self.keys = Keys::new(style);
        let claim = self.claim.as_ref().map(|(key, _)| &key[..]);
        let records = newest(link, self.log.read_all(LIMIT).await?, claim);
        let mut known = StoredLink::new();
        for (key, value) in &records {
            let read = self.keys.decode(link, key, value.as_deref(), &mut known);
            read.map_err(|cause| TopicLogError::Unreadable {
                topic: self.log.topic().clone(),
                partition: -1,
                cause,
            })?;
        }
        Ok((known, texts(records)))
    }

    pub(super) async fn save(&mut self, entries: &[StoreEntry]) -> Result<(), StoreError> {
        let records = self.records(entries);
        Ok(self.log.write(&records, TOLD).await?)
    }

    pub(super) async fn save_in(
        &mut self,
        producer: &mut TransactionalProducer,
        entries: &[StoreEntry],
    ) -> Result<(), StoreError> {
        let records = self.records(entries);
        Ok(self.log.write_in(producer, &records).await?)
    }

    fn records(&mut self, entries: &[StoreEntry]) -> Vec<KeyValue> {
        let records = entries.iter().flat_map(|entry| self.keys.encode(entry));
        let process = self.claim.as_ref().map(|(_, process)| process);
        let signed = |value: String| match (process, value.strip_suffix('}')) {
            (Some(process), Some(members)) => format!("{members}{PROCESS}{process}\"}}"),
            _ => value,
        };
        records
            .map(|(key, value)| (Bytes::from(key), Some(Bytes::from(signed(value)))))
            .collect()
    }

    pub(super) async fn load_texts(&mut self) -> Result<Vec<StoredText>, StoreError> {
        Ok(texts(self.log.read_all(LIMIT).await?))
    }

    pub(super) async fn save_texts(&mut self, texts: &[StoredText]) -> Result<(), StoreError> {
        let records: Vec<_> = texts
            .iter()
            .cloned()
            .map(|(key, value)| (Bytes::from(key), value.map(Bytes::from)))
            .collect();
        Ok(self.log.write(&records, LIMIT).await?)
    }
}

/// The record of each key that counts, in their order, without those that are certainly of other links: the topic may hold every
/// position of hours. Claims are all kept, because they tell who came before whom.
///
/// The last one counts, unless a process has stored it that did not know yet that another one had claimed the link after it, and
/// had stored before. What says of no process that it stored it always counts: it was told by somebody.
fn newest(link: &str, records: Vec<KeyValue>, claim: Option<&[u8]>) -> Vec<KeyValue> {
    let foreign = Foreign::to(link);
    let is_foreign = |key: &[u8]| std::str::from_utf8(key).is_ok_and(|key| foreign.is(key));
    let claimants = claim.map_or_else(Vec::new, |key| claimants(records.iter(), key));
    let mut counts: HashMap<Bytes, (usize, Option<usize>)> = HashMap::new();
    let mut kept: Vec<Option<KeyValue>> = Vec::new();
    for (key, value) in records.into_iter().filter(|(key, _)| !is_foreign(key)) {
        if !is_claim(&key) {
            let rank = value.as_deref().and_then(|value| rank(value, &claimants));
            match counts.get(&key) {
                Some((_, Some(before))) if rank.is_some_and(|rank| rank < *before) => continue,
                Some((before, _)) => kept[*before] = None,
                None => {}
            }
            counts.insert(key.clone(), (kept.len(), rank));
        }
        kept.push(Some((key, value)));
    }
    kept.into_iter().flatten().collect()
}

/// How late the process claimed that has stored a value, where it says which.
fn rank(value: &[u8], claimants: &[String]) -> Option<usize> {
    // Before two others have claimed none of them can have stored behind the other.
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|_| claimants.len() > 2)?;
    let (_, process) = text.rsplit_once(PROCESS)?;
    let process = process.strip_suffix("\"}")?;
    claimants.iter().position(|claimant| claimant == process)
}

/// Records that are not text are none of ours.
fn texts(records: Vec<KeyValue>) -> Vec<StoredText> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).ok();
    records
        .into_iter()
        .filter_map(|(key, value)| match value {
            None => Some((text(key)?, None)),
            Some(value) => Some((text(key)?, Some(text(value)?))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_each_key_is_kept_in_its_place_and_every_claim() {
        let record = |key: &str, value: &str| {
            let value = (!value.is_empty()).then(|| Bytes::from(value.to_owned()));
            (Bytes::from(key.to_owned()), value)
        };
        let (a, b) = (r#"["l",{"topic":"a"}]"#, r#"["l", {"topic":"a"}]"#);
        let claim = r#"["l",{"owner":"process"}]"#;
        let records = vec![
            record(a, "1"),
            record(claim, "x"),
            record(b, "2"),
            record(r#"["other",{"topic":"a"}]"#, "7"),
            record(a, "3"),
            record(claim, "y"),
            record(b, ""),
        ];
        let kept = newest("l", records, None);
        let expected = vec![
            record(claim, "x"),
            record(a, "3"),
            record(claim, "y"),
            record(b, ""),
        ];
        assert_eq!(kept, expected);
    }

    /// Both begin at the same moment, and the one that has to give way stores once more before it knows.
    #[test]
    fn what_an_overtaken_process_stores_late_does_not_count() {
        let claim = r#"["l",{"owner":"process"}]"#;
        let key = r#"["l",{"topic":"a","partition":0}]"#;
        let record = |key: &str, value: String| {
            let value = Some(Bytes::from(value));
            (Bytes::from(key.to_owned()), value)
        };
        let claimed = |process: &str| record(claim, format!(r#"{{"process":"{process}"}}"#));
        let stored = |offset: i64, process: &str| {
            let by = match process {
                "" => String::new(),
                _ => format!(r#","process":"{process}""#),
            };
            record(key, format!(r#"{{"offset":{offset}{by}}}"#))
        };
        let check = |records: &[KeyValue], expected: &KeyValue| {
            let mut all = vec![claimed("a"), claimed("b")];
            all.extend_from_slice(records);
            all.push(claimed("c"));
            let kept = newest("l", all, Some(claim.as_bytes()));
            let kept: Vec<_> = kept.iter().filter(|(found, _)| found == key).collect();
            assert_eq!(kept, [expected]);
        };
        check(&[stored(1, "b"), stored(2, "a")], &stored(1, "b"));
        check(&[stored(1, "a"), stored(2, "b")], &stored(2, "b"));
        check(&[stored(1, "b"), stored(2, "b")], &stored(2, "b"));
        check(&[stored(2, "a")], &stored(2, "a"));
        // An operator, or a version that did not say it.
        check(&[stored(1, "b"), stored(2, "")], &stored(2, ""));
        check(&[stored(1, ""), stored(2, "a")], &stored(2, "a"));
        // Somebody of whom no claim is left.
        check(&[stored(1, "b"), stored(2, "z")], &stored(2, "z"));
    }
}
