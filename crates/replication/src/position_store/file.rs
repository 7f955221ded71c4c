//! Positions in a file, for one process without a group (Connect's standalone mode).
//!
//! The file is JSON: `{"tributary":1,"offsets":{"<key>":<value>,…}}`, keys and values as in the
//! topic. It is replaced as a whole: written beside, synced, renamed, and the folder synced, so that
//! after a crash it is the old one or the new one.
//!
//! Keys and values are kept as the texts that they are in the file, each once: whoever writes it has them in common with whoever
//! changes them meanwhile. As trees of JSON the positions of ten thousand partitions took more than all else of a worker.
//!
//! Several links of a process share the file through clones of one [`FileStore`]. They take turns in writing it, and whoever
//! writes does so for all that wait: a thousand links that store something in the same second cause a few writes, not a
//! thousand.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::Mutex;

use super::java_file;
use super::keys::{Foreign, KeyStyle, Keys};
use super::{StoreEntry, StoreError, StoredLink, StoredText};

/// Version of the file's format.
const FORMAT: &str = "1";

/// Content of the file, shared by the links of a process.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: Arc<PathBuf>,
    content: Arc<Mutex<Content>>,
    /// What the file holds, by its version. Held while the file is replaced: its purpose is that the links take turns.
    on_disk: Arc<Mutex<u64>>,
    /// Of the link that this clone is for.
    keys: Keys,
}

/// Keys, and the JSON text that each stands for.
pub(crate) type Entries = BTreeMap<Arc<str>, Arc<str>>;

/// What the file holds, or will hold.
#[derive(Debug, Default)]
struct Content {
    entries: Entries,
    /// Counts changes.
    version: u64,
}

impl FileStore {
    /// Reads the file; a missing one is empty.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let store = Self::look(path)?;
        if let Ok(bytes) = std::fs::read(path)
            && bytes.starts_with(&java_file::MAGIC)
        {
            keep_connects(path, &bytes).map_err(|cause| StoreError::File {
                path: path.to_owned(),
                cause,
            })?;
            let path = path.display();
            tracing::info!(
                "{path} was written by Kafka Connect: its positions are taken over, and it is kept as {path}.connect"
            );
        }
        // A place that cannot be written is found now, not after the first copy.
        replace(path, &Self::read(path)?).map_err(|cause| StoreError::File {
            path: path.to_owned(),
            cause,
        })?;
        Ok(store)
    }

    /// As [`FileStore::open`], and nothing is written.
    ///
    /// # Errors
    /// As there.
    pub fn look(path: &Path) -> Result<Self, StoreError> {
        let content = Content {
            entries: Self::read(path)?,
            version: 0,
        };
        Ok(Self {
            path: Arc::new(path.to_owned()),
            content: Arc::new(Mutex::new(content)),
            on_disk: Arc::new(Mutex::new(0)),
            keys: Keys::default(),
        })
    }

    /// Reads a file without ever writing it; a missing one is empty. Fails when it cannot be read, or holds something else.
    pub(crate) fn read(path: &Path) -> Result<Entries, StoreError> {
        match std::fs::read(path) {
            Ok(bytes) => parse(path, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(cause) => Err(StoreError::File {
                path: path.to_owned(),
                cause,
            }),
        }
    }

    pub(super) async fn load(
        &mut self,
        link: &str,
        style: KeyStyle,
    ) -> Result<StoredLink, StoreError> {
        self.keys = Keys::new(style);
        let mut known = StoredLink::new();
        let foreign = Foreign::to(link);
        for (key, value) in &self.content.lock().await.entries {
            if foreign.is(key) {
                continue;
            }
            let read = self
                .keys
                .decode(link, key.as_bytes(), Some(value.as_bytes()), &mut known);
            read.map_err(|cause| StoreError::NotOurs {
                path: self.path.to_path_buf(),
                cause,
            })?;
        }
        Ok(known)
    }

    pub(super) async fn load_texts(&self) -> Vec<StoredText> {
        self.texts(|_| true).await
    }

    /// Without those that are certainly of other links: a thousand links need not copy each other's.
    pub(super) async fn load_texts_of(&self, link: &str) -> Vec<StoredText> {
        let foreign = Foreign::to(link);
        self.texts(|key| !foreign.is(key)).await
    }

    async fn texts(&self, wanted: impl Fn(&str) -> bool) -> Vec<StoredText> {
        let content = self.content.lock().await;
        let texts = content.entries.iter().filter(|(key, _)| wanted(key));
        texts
            .map(|(key, value)| (key.to_string(), Some(value.to_string())))
            .collect()
    }

    pub(super) async fn save(&self, entries: &[StoreEntry]) -> Result<(), StoreError> {
        let texts = entries.iter().flat_map(|entry| self.keys.encode(entry));
        let texts: Vec<_> = texts.map(|(key, value)| (key, Some(value))).collect();
        self.save_texts(&texts).await
    }

    pub(super) async fn save_texts(&self, texts: &[StoredText]) -> Result<(), StoreError> {
        let version = self.put(texts).await;
        let mut on_disk = self.on_disk.lock().await;
        if *on_disk >= version {
            // Whoever had the turn before has written this too.
            return Ok(());
        }
        let (path, copy, newest) = {
            let content = self.content.lock().await;
            (
                Arc::clone(&self.path),
                content.entries.clone(),
                content.version,
            )
        };
        let written = tokio::task::spawn_blocking(move || replace(&path, &copy)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|cause| StoreError::File {
            path: self.path.to_path_buf(),
            cause,
        })?;
        *on_disk = newest;
        Ok(())
    }

    /// The version that has them.
    async fn put(&self, texts: &[StoredText]) -> u64 {
        let mut content = self.content.lock().await;
        for (key, value) in texts {
            match value {
                Some(value) => {
                    let value: &RawValue =
                        serde_json::from_str(value).expect("what is stored is JSON");
                    let entries = &mut content.entries;
                    entries.insert(key.as_str().into(), value.get().into());
                }
                None => drop(content.entries.remove(key.as_str())),
            }
        }
        content.version += 1;
        content.version
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Entries, StoreError> {
    let not_ours = |cause: &str| StoreError::NotOurs {
        path: path.to_owned(),
        cause: cause.to_owned(),
    };
    // A file of Connect's own standalone mode is a serialised Java map.
    if bytes.starts_with(&java_file::MAGIC) {
        return of_connect(bytes).map_err(|cause| {
            not_ours(&format!(
                "it is a file in Java's own format, but not one of Kafka Connect's offsets ({cause}). Choose another \
                 offset.storage.file.filename"
            ))
        });
    }
    if bytes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let file: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes)
        .map_err(|error| not_ours(&format!("it is not JSON ({error})")))?;
    if file.get("tributary").map(|format| format.get()) != Some(FORMAT) {
        return Err(not_ours("its format is not version 1"));
    }
    let offsets = file.get("offsets").map(|offsets| offsets.get());
    let offsets: Option<BTreeMap<String, &RawValue>> =
        offsets.and_then(|offsets| serde_json::from_str(offsets).ok());
    let Some(offsets) = offsets else {
        return Err(not_ours("it has no offsets"));
    };
    let texts = offsets.into_iter();
    Ok(texts
        .map(|(key, value)| (key.into(), value.get().into()))
        .collect())
}

/// Offsets of Kafka Connect. What has no value has been reset.
fn of_connect(bytes: &[u8]) -> Result<Entries, String> {
    let mut content = Entries::new();
    for (key, value) in java_file::read(bytes)? {
        let key = String::from_utf8(key).map_err(|_| "a key is no text".to_owned())?;
        let Some(value) = value else { continue };
        let value: &RawValue =
            serde_json::from_slice(&value).map_err(|_| format!("{key} has no value in JSON"))?;
        content.insert(key.into(), value.get().into());
    }
    Ok(content)
}

/// What Connect wrote stays beside, so that one can go back to it.
fn keep_connects(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".connect");
    let beside = path.with_file_name(name);
    if beside.exists() {
        return Ok(());
    }
    use io::Write;
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The text of a file; no more of it than a buffer's size is in memory.
fn write(file: &mut impl io::Write, content: &Entries) -> io::Result<()> {
    write!(file, "{{\"offsets\":{{")?;
    for (number, (key, value)) in content.iter().enumerate() {
        if number > 0 {
            file.write_all(b",")?;
        }
        serde_json::to_writer(&mut *file, &**key)?;
        write!(file, ":{value}")?;
    }
    write!(file, "}},\"tributary\":{FORMAT}}}")
}

fn replace(path: &Path, content: &Entries) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut file = io::BufWriter::new(std::fs::File::create(&beside)?);
    write(&mut file, content)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;
    use crate::side::{Destination, Source};
    use kafka_wire::types::{ProducerIdentity, TopicId, TopicPartition};

    fn entry(link: &str, offset: i64) -> StoreEntry {
        StoreEntry {
            link: link.to_owned(),
            partition: TopicPartition::new("t".into(), 0),
            destination: "t".into(),
            spread: None,
            position: Position {
                offset: Source(offset),
                leader_epoch: 0,
                topic_id: Source(TopicId::ZERO),
                destination_topic_id: Destination(TopicId::ZERO),
                destination_end: Destination(offset),
                producer: ProducerIdentity { id: 1, epoch: 0 },
                sequence: 0,
                placement: Default::default(),
                transactional: false,
            },
            segments: Vec::new(),
        }
    }

    #[tokio::test]
    async fn links_share_the_file_and_find_their_own_positions_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("positions");
        let first = FileStore::open(&path).expect("a new file");
        let second = first.clone();
        first.save(&[entry("one", 10)]).await.expect("stored");
        second.save(&[entry("two", 20)]).await.expect("stored");
        let mut again = FileStore::open(&path).expect("our file");
        for (link, offset) in [("one", 10), ("two", 20)] {
            let stored = again.load(link, KeyStyle::Plain).await.expect("ours");
            let position = stored[&TopicPartition::new("t".into(), 0)]
                .position
                .as_ref();
            assert_eq!(position.map(|p| p.offset), Some(Source(offset)));
        }
    }

    #[tokio::test]
    async fn what_is_no_position_stands_beside_positions_and_can_be_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("positions");
        let store = FileStore::open(&path).expect("a new file");
        store.save(&[entry("one", 10)]).await.expect("stored");
        let text = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        let made = [
            text(r#"["one",{"acl":"TOPIC"}]"#, Some(r#"{"format":1}"#)),
            text(r#"["one",{"acl":"GROUP"}]"#, Some(r#"{"format":1}"#)),
        ];
        store.clone().save_texts(&made).await.expect("stored");
        let gone = [text(r#"["one",{"acl":"GROUP"}]"#, None)];
        store.save_texts(&gone).await.expect("stored");
        let mut again = FileStore::open(&path).expect("our file");
        let stored = again.load("one", KeyStyle::Plain).await.expect("ours");
        assert_eq!(stored.len(), 1, "the position");
        let texts = again.load_texts().await;
        assert_eq!(texts.len(), 2);
        assert!(texts.contains(&made[0]));
    }

    #[tokio::test]
    async fn whoever_writes_the_file_writes_it_for_all_that_wait() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("positions");
        let store = FileStore::open(&path).expect("a new file");
        let links: Vec<String> = (0..20).map(|number| format!("link-{number}")).collect();
        let saving = links.iter().map(|link| {
            let (store, entry) = (store.clone(), entry(link, 7));
            async move { store.save(&[entry]).await.expect("stored") }
        });
        let mut saving: Vec<_> = saving.map(Box::pin).collect();
        // All wait before any write is through.
        for save in &mut saving {
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(save.as_mut().poll(context).is_ready())
            });
            assert!(!polled.await, "it waits");
        }
        for (save, expected) in saving.into_iter().zip([1, 20, 20]) {
            save.await;
            let read = FileStore::read(&path).expect("ours");
            assert_eq!(
                read.len(),
                expected,
                "the second write is for all that wait"
            );
        }
    }

    #[tokio::test]
    async fn links_whose_names_begin_alike_or_have_to_be_escaped_find_their_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("positions");
        let store = FileStore::open(&path).expect("a new file");
        let links = ["a", "ab", "a\"b", "ä", "a\\"];
        for (offset, link) in (1..).zip(links) {
            store.save(&[entry(link, offset)]).await.expect("stored");
        }
        for (offset, link) in (1..).zip(links) {
            let stored = store
                .clone()
                .load(link, KeyStyle::Plain)
                .await
                .expect("ours");
            let position = stored[&TopicPartition::new("t".into(), 0)]
                .position
                .as_ref();
            assert_eq!(position.map(|p| p.offset), Some(Source(offset)), "{link}");
        }
    }

    #[test]
    fn a_file_that_is_not_ours_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("positions");
        for content in [
            &b"\xac\xed\x00\x05sr"[..],
            b"hello",
            b"{}",
            b"{\"tributary\":2,\"offsets\":{}}",
        ] {
            std::fs::write(&path, content).expect("written");
            FileStore::open(&path).expect_err("not ours");
            assert_eq!(std::fs::read(&path).expect("still there"), content);
        }
    }
}
