//! Where a state is explained: each has a page of its name.

/// The page that says what a state means and what to do.
#[must_use]
pub fn page(state: &str) -> String {
    format!("docs/errors/{state}.md")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::page;

    #[test]
    fn every_named_state_of_a_partition_has_a_page() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for state in [
            "starting",
            "retrying",
            "stalled",
            "end-unknown",
            "destination-unknown",
            "source-gap",
            "source-truncated",
            "source-recreated",
            "source-deleted",
            "destination-behind",
            "destination-recreated",
            "destination-deleted",
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
        ] {
            assert!(root.join(page(state)).is_file(), "{state}");
        }
    }
}
