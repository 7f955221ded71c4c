//! Where the credentials of links that were submitted over REST may go, and which files of this machine are read for
//! them: otherwise whoever may submit a link could have a key of this machine sign for him, or read files through an
//! endpoint of his own. Links in files of this machine have no such limit.

use std::collections::BTreeMap;

use crate::raw::RawEntry;
use crate::resolve::reader::Reader;

use super::oauth::{ASSERTION_FILE, ASSERTION_KEY, ASSERTION_TEMPLATE, URL};

/// Reports what is not allowed among the link's own entries. Those of the worker are allowed.
pub(super) fn check(reader: &mut Reader<'_>, own: &BTreeMap<String, RawEntry>) {
    let Some(allowed) = reader.allowed_urls.clone() else {
        return;
    };
    for name in [URL, ASSERTION_FILE, ASSERTION_KEY, ASSERTION_TEMPLATE] {
        // A variable that is not to be had is reported where all are replaced.
        let entry = own.get(name);
        let entry = entry.and_then(|entry| entry.replace(reader.raw.variables()).ok());
        let Some(entry) = entry.filter(|entry| !entry.value.trim().is_empty()) else {
            continue;
        };
        let value = entry.value.trim();
        let url = match name {
            URL => of_url(value),
            _ => format!("file://{value}"),
        };
        if !allowed.iter().any(|allowed| covers(allowed.trim(), &url)) {
            let wrong = "links that are submitted over REST may not use it";
            let remedy = "add it to tributary.oauth.allowed.urls in the worker's configuration: a whole URL, one that ends \
                          in / for everything below it, or https:, http: or file: for all";
            reader.refuse(&entry, wrong, Some(remedy.to_owned()));
        }
    }
}

/// Java takes one, two or three slashes for a file.
fn of_url(value: &str) -> String {
    match value.strip_prefix("file:") {
        Some(path) => format!("file:///{}", path.trim_start_matches('/')),
        None => value.to_owned(),
    }
}

fn covers(allowed: &str, url: &str) -> bool {
    let allowed = of_url(allowed);
    match allowed.as_str() {
        "https:" | "http:" => url.starts_with(&format!("{allowed}//")),
        // What `of_url` makes of file: alone.
        "file:///" => url.starts_with("file:///"),
        _ if allowed == url => true,
        _ => allowed.ends_with('/') && url.starts_with(&allowed) && !climbs(&url[allowed.len()..]),
    }
}

/// Whether a path may lead out of where it begins.
fn climbs(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.contains("..") || path.contains("%2e") || path.contains('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_covers_one_url_or_everything_below_it() {
        for (allowed, url, expected) in [
            ("https:", "https://idp/token", true),
            ("https:", "http://idp/token", false),
            ("http:", "https://idp/token", false),
            ("file:", "file:///run/token", true),
            ("https://idp/token", "https://idp/token", true),
            ("https://idp/token", "https://idp/token2", false),
            ("https://idp", "https://idp.evil/x", false),
            ("https://idp/", "https://idp.evil/x", false),
            ("https://idp/a/", "https://idp/a/b", true),
            ("https://idp/a/", "https://idp/a/../b", false),
            ("https://idp/a/", "https://idp/a/%2E%2e/b", false),
            ("file:/run/", "file:///run/token", true),
            ("file:///run/", "file:///run/../etc/shadow", false),
            ("file:///run", "file:///etc/shadow", false),
            ("", "file:///etc/shadow", false),
            ("*", "https://idp/token", false),
        ] {
            assert_eq!(covers(allowed, &of_url(url)), expected, "{allowed} {url}");
        }
    }
}
