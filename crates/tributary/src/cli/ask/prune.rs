//! Which links `tributary apply` has created, so that `apply --prune` deletes those and no others.
//!
//! They lie beside the contexts, in `applied.json`, by the workers that have them and with a mark of their configuration: `{"GROUP at
//! CLUSTER": {"name": "mark", …}}`. A group is one whichever of its workers was asked; a worker alone is known by its address. A link
//! that was there before, or was made in another way, is never among them; one that is not as it was left is somebody else's by now.
//!
//! Two commands at once write one after the other: a lock is held from reading the file until it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use config::key::fingerprint;
use serde_json::{Map, Value};

use super::context;
use crate::asking::{Failure, Workers};
use crate::output;

/// Links with the marks of their configurations, by the workers that have them.
type Kept = BTreeMap<String, BTreeMap<String, String>>;

/// What was created at some workers.
#[derive(Debug)]
pub(super) struct Created {
    path: PathBuf,
    /// The workers.
    at: String,
    mine: BTreeMap<String, String>,
}

/// A configuration in a few digits. What is hidden in it counts as it is shown.
pub(super) fn mark(config: &Map<String, Value>) -> String {
    let sorted: BTreeMap<&String, &Value> = config.iter().collect();
    fingerprint(&serde_json::to_string(&sorted).expect("texts"))
}

/// What workers are called in the file.
pub(super) async fn place(workers: &Workers) -> Result<String, Failure> {
    let root = workers.get("/").await?;
    Ok(called(&root, workers.urls()))
}

/// A group by its id and cluster, whatever address it was asked at; a worker alone by its address.
fn called(root: &Value, urls: impl Iterator<Item = String>) -> String {
    let group = root["tributary_group"]["id"].as_str();
    let cluster = root["kafka_cluster_id"].as_str();
    if let (Some(group), Some(cluster)) = (group, cluster) {
        return format!("{group} at {cluster}");
    }
    let plain = |one: String| {
        let one = one.to_ascii_lowercase();
        one.replace("://localhost:", "://127.0.0.1:")
    };
    let all: BTreeSet<String> = urls.map(plain).collect();
    all.into_iter().collect::<Vec<_>>().join(",")
}

impl Created {
    /// Reads what is kept of these workers.
    pub(super) fn at(workers: String) -> Result<Self, String> {
        Self::in_file(context::beside("applied.json")?, workers)
    }

    fn in_file(path: PathBuf, at: String) -> Result<Self, String> {
        let (mut kept, dropped) = read(&path)?;
        if !dropped.is_empty() {
            output::notice(&format!(
                "{}: what an earlier release has kept there of {} says nothing of how links were left, so that apply does not \
                 prune them any more; `tributary delete` deletes those that no file has",
                path.display(),
                dropped.join(" and ")
            ));
        }
        let mine = kept.remove(&at).unwrap_or_default();
        Ok(Self { path, at, mine })
    }

    /// Those that are not among these any more, with their marks.
    pub(super) fn without<'a>(
        &self,
        given: impl Iterator<Item = &'a str>,
    ) -> Vec<(String, String)> {
        let given: BTreeSet<&str> = given.collect();
        let gone = self
            .mine
            .iter()
            .filter(|(name, _)| !given.contains(name.as_str()));
        gone.map(|(name, mark)| (name.clone(), mark.clone()))
            .collect()
    }

    /// Whether a link was created by `apply`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.mine.contains_key(name)
    }

    /// Keeps that a link was created, or is otherwise than before.
    pub(super) fn add(&mut self, name: &str, mark: String) -> Result<(), String> {
        self.change(|mine| mine.insert(name.to_owned(), mark.clone()).as_ref() != Some(&mark))
    }

    /// Keeps that it is gone.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), String> {
        self.change(|mine| mine.remove(name).is_some())
    }

    /// Changes what the file has now, which another command may have written meanwhile.
    fn change(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> bool,
    ) -> Result<(), String> {
        let _held = locked(&self.path)?;
        let (mut kept, dropped) = read(&self.path)?;
        let mine = kept.entry(self.at.clone()).or_default();
        let differs = change(mine);
        self.mine.clone_from(mine);
        if !differs && dropped.is_empty() {
            return Ok(());
        }
        kept.retain(|_, names| !names.is_empty());
        let kept = serde_json::to_value(&kept).expect("texts");
        context::write(&self.path, &kept)
    }
}

/// Held by one command at a time, and let go with its file.
fn locked(path: &Path) -> Result<File, String> {
    let path = path.with_extension("lock");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// What is kept, and the workers whose links lie there without marks, as lists: those are dropped.
fn read(path: &Path) -> Result<(Kept, Vec<String>), String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(<_>::default()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let failed = |error: serde_json::Error| format!("{}: {error}", path.display());
    let all: BTreeMap<String, Value> = serde_json::from_str(&text).map_err(failed)?;
    let (mut kept, mut dropped) = (Kept::new(), Vec::new());
    for (place, links) in all {
        if links.is_array() {
            dropped.push(place);
        } else {
            kept.insert(place, serde_json::from_value(links).map_err(failed)?);
        }
    }
    Ok((kept, dropped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::security::TlsSettings;
    use serde_json::json;

    fn names(found: Vec<(String, String)>) -> Vec<String> {
        found.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn only_what_was_created_at_the_same_workers_and_is_not_given_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("applied.json");
        let at = |place: &str| Created::in_file(path.clone(), place.to_owned()).expect("readable");
        let mut other = at("b");
        other.add("other", "0".to_owned()).expect("kept");
        let mut created = at("a");
        for name in ["one", "two", "two", "three"] {
            created.add(name, "1".to_owned()).expect("kept");
        }
        created.add("two", "2".to_owned()).expect("kept");
        assert_eq!(
            names(created.without(["two"].into_iter())),
            ["one", "three"]
        );
        created.remove("one").expect("kept");
        let left = at("a");
        let marks = [("three", "1"), ("two", "2")];
        let marks = marks.map(|(name, mark)| (name.to_owned(), mark.to_owned()));
        assert_eq!(left.without(std::iter::empty()), marks);
        assert!(at("b").has("other"));
    }

    #[test]
    fn what_an_earlier_release_kept_as_a_list_is_dropped_and_the_rest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("applied.json");
        let text = r#"{"http://a:1": ["one"], "g at c": {"two": "2"}}"#;
        std::fs::write(&path, text).expect("written");
        let dropped = read(&path).expect("readable").1;
        assert_eq!(dropped, ["http://a:1"]);
        let at = |place: &str| Created::in_file(path.clone(), place.to_owned()).expect("readable");
        assert!(!at("http://a:1").has("one"));
        at("http://a:1").add("three", "3".to_owned()).expect("kept");
        assert!(at("http://a:1").has("three") && at("g at c").has("two"));
        assert_eq!(read(&path).expect("readable").1.len(), 0);
        std::fs::write(&path, r#"{"g at c": 1}"#).expect("written");
        read(&path).expect_err("neither");
    }

    #[test]
    fn what_two_commands_keep_at_once_is_kept_of_both() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("applied.json");
        let one = |number: usize| {
            let mut mine = Created::in_file(path.clone(), "a".to_owned()).expect("readable");
            for turn in 0..20 {
                let name = format!("link-{number}-{turn}");
                mine.add(&name, String::new()).expect("kept");
            }
        };
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || one(number));
            }
        });
        let all = Created::in_file(path.clone(), "a".to_owned()).expect("readable");
        assert_eq!(all.without(std::iter::empty()).len(), 80);
    }

    #[test]
    fn a_group_is_one_at_whichever_address_and_a_worker_alone_is_its_address() {
        let group = json!({"kafka_cluster_id": "c", "tributary_group": {"id": "g"}});
        let called = |root: &Value, urls: &str| {
            let workers = Workers::new(urls, None, TlsSettings::default(), None);
            called(root, workers.expect("addresses").urls())
        };
        for address in ["http://a:1", "http://b:1,http://a:1"] {
            assert_eq!(called(&group, address), "g at c");
        }
        let alone = json!({"kafka_cluster_id": "c"});
        for (one, other) in [
            ("http://A:1/", "http://a:1"),
            ("http://a:1, http://b:1", "http://b:1,http://a:1"),
            ("http://localhost:8083", "127.0.0.1"),
        ] {
            assert_eq!(called(&alone, one), called(&alone, other));
        }
        assert_ne!(called(&alone, "http://a:1"), called(&alone, "http://b:1"));
    }

    #[test]
    fn a_configuration_that_is_another_one_has_another_mark() {
        let of = |value: Value| mark(value.as_object().expect("an object"));
        assert_eq!(
            of(json!({"a": "1", "b": "2"})),
            of(json!({"b": "2", "a": "1"}))
        );
        assert_ne!(of(json!({"a": "1"})), of(json!({"a": "2"})));
    }
}
