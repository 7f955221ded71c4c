//! Where a state is explained: each has a page of its name.

/// The page that says what a state means and what to do.
#[must_use]
pub fn page(state: &str) -> String {
    format!("docs/errors/{state}.md")
}

/// The states of a partition, beside those it takes from its topic.
pub const OF_PARTITIONS: [&str; 22] = [
    "active",
    "starting",
    "retrying",
    "stalled",
    "end-unknown",
    "destination-unknown",
    "source-gap",
    "source-truncated",
    "source-recreated",
    "destination-behind",
    "destination-recreated",
    "destination-renamed",
    "destination-foreign-writes",
    "taken-over",
    "refused",
    "damaged",
    "cannot-pass",
    "cannot-place",
    "no-position",
    "origins-lost",
    "offsets-not-preserved",
    "offsets-mapped",
];

/// What is no state of a partition or a topic, and has a page too.
pub const OF_LINKS: [&str; 2] = [LINK_CANNOT_START, "no-broker"];

/// A link was refused before anything was copied.
pub const LINK_CANNOT_START: &str = "link-cannot-start";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{OF_LINKS, OF_PARTITIONS, page};
    use crate::metadata_sync::Condition;

    fn known() -> BTreeSet<&'static str> {
        let topics = Condition::ALL.iter().map(|condition| condition.name());
        OF_PARTITIONS
            .into_iter()
            .chain(OF_LINKS)
            .chain(topics)
            .collect()
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn every_state_and_error_has_a_page_and_every_page_is_of_one() {
        let folder = root().join("docs/errors");
        let pages: BTreeSet<String> = fs::read_dir(&folder)
            .expect("a folder")
            .map(|file| file.expect("a file").path())
            .filter(|path| !path.ends_with("README.md"))
            .map(|path| {
                path.file_stem()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let known: BTreeSet<String> = known().into_iter().map(str::to_owned).collect();
        assert_eq!(pages, known);
        let index = fs::read_to_string(folder.join("README.md")).expect("an index");
        for state in &known {
            assert!(
                index.contains(&format!("[`{state}`]({state}.md)")),
                "{state}"
            );
            let text = fs::read_to_string(root().join(page(state))).expect("a page");
            for part in ["**What.**", "**Why.**", "**What to do.**"] {
                assert!(text.contains(part), "{state}: {part}");
            }
        }
    }

    #[test]
    fn every_state_that_the_code_gives_to_a_partition_is_known() {
        let known = known();
        let mut given = 0;
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for file in fs::read_dir(folder).expect("a folder") {
                let path = file.expect("a file").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).expect("text");
                    for (_, state) in text.match_indices("state: \"").map(|(at, found)| {
                        let name = text[at + found.len()..].split('"').next();
                        (at, name.unwrap_or(""))
                    }) {
                        given += 1;
                        assert!(known.contains(state), "{}: {state}", path.display());
                    }
                }
            }
        }
        assert!(given > 20, "{given} were found");
    }

    #[test]
    fn messages_lead_to_pages() {
        // Errors of connections are made in a room below this one.
        let text = root().join("crates/kafka-client/src/error.rs");
        let text = fs::read_to_string(text).expect("text");
        assert!(text.contains(&page("no-broker")));
    }
}
