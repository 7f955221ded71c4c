//! Which links `tributary apply` has created, so that `apply --prune` deletes those and no others.
//!
//! They lie beside the contexts, in `applied.json`, by the workers that were asked: `{"URL": ["name", …]}`. A link that was there
//! before, or was made in another way, is never among them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::context;

/// Links by the workers that have them.
type Kept = BTreeMap<String, BTreeSet<String>>;

/// What was created at some workers.
#[derive(Debug)]
pub(super) struct Created {
    path: PathBuf,
    /// The workers.
    at: String,
    kept: Kept,
}

impl Created {
    /// Reads what is kept.
    pub(super) fn at(workers: &str) -> Result<Self, String> {
        let path = context::beside("applied.json")?;
        let kept = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|error| format!("{}: {error}", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::new(),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        Ok(Self {
            path,
            at: workers.to_owned(),
            kept,
        })
    }

    /// Those that are not among these any more.
    pub(super) fn without<'a>(&self, given: impl Iterator<Item = &'a str>) -> Vec<String> {
        let given: BTreeSet<&str> = given.collect();
        let mine = self.kept.get(&self.at).into_iter().flatten();
        mine.filter(|name| !given.contains(name.as_str()))
            .cloned()
            .collect()
    }

    /// Keeps that a link was created.
    pub(super) fn add(&mut self, name: &str) -> Result<(), String> {
        let mine = self.kept.entry(self.at.clone()).or_default();
        match mine.insert(name.to_owned()) {
            true => self.write(),
            false => Ok(()),
        }
    }

    /// Keeps that it is gone.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), String> {
        let mine = self.kept.get_mut(&self.at);
        if !mine.is_some_and(|mine| mine.remove(name)) {
            return Ok(());
        }
        self.kept.retain(|_, names| !names.is_empty());
        self.write()
    }

    fn write(&self) -> Result<(), String> {
        let kept = serde_json::to_value(&self.kept).expect("texts");
        context::write(&self.path, &kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_created_at_the_same_workers_and_is_not_given_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut created = Created {
            path: folder.path().join("applied.json"),
            at: "http://a:1".to_owned(),
            kept: Kept::from([(
                "http://b:1".to_owned(),
                BTreeSet::from(["other".to_owned()]),
            )]),
        };
        for name in ["one", "two", "two", "three"] {
            created.add(name).expect("kept");
        }
        assert_eq!(created.without(["two"].into_iter()), ["one", "three"]);
        created.remove("one").expect("kept");
        assert_eq!(created.without(std::iter::empty()), ["three", "two"]);
        let text = std::fs::read_to_string(&created.path).expect("written");
        let kept: Kept = serde_json::from_str(&text).expect("JSON");
        assert_eq!(kept, created.kept);
        assert!(kept["http://b:1"].contains("other"));
    }
}
