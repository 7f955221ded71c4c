//! Whether and how access rights are copied.

use std::time::Duration;

use crate::keys::Scope;
use crate::link::{AclMode, AclSettings};
use crate::resolve::reader::Reader;
use crate::resolve::topics::pattern_list;

const KEYS: [&str; 6] = [
    "sync.topic.acls.interval.seconds",
    "tributary.acl.mode",
    "tributary.acl.resources",
    "tributary.acl.principals",
    "tributary.acl.principals.exclude",
    "tributary.acl.delete",
];

/// `None` where something is wrong, which is reported; `Some(None)` where rights are not copied.
#[expect(
    clippy::option_option,
    reason = "a problem and a switched-off feature are different things"
)]
pub(super) fn acls(reader: &mut Reader<'_>) -> Option<Option<AclSettings>> {
    let principals = pattern_list(reader, "tributary.acl.principals", &[".*"]);
    let principals_exclude = pattern_list(reader, "tributary.acl.principals.exclude", &[]);
    let resources = resources(reader);
    let enabled = reader
        .boolean("sync.topic.acls.enabled")
        .unwrap_or(reader.scope == Scope::Mirror);
    let (principals, principals_exclude, resources) =
        (principals?, principals_exclude?, resources?);
    if !enabled {
        let unused: Vec<_> = KEYS
            .iter()
            .filter_map(|key| reader.entry(key))
            .map(|entry| entry.written())
            .collect();
        if !unused.is_empty() && !reader.is_given("sync.topic.acls.enabled") {
            let unused = unused.join(", ");
            reader.warn(format!(
                "{unused}: without effect, because permissions are copied only with sync.topic.acls.enabled=true"
            ));
        }
        return Some(None);
    }
    let has = |resource| resources.contains(&resource);
    Some(Some(AclSettings {
        interval: reader
            .seconds("sync.topic.acls.interval.seconds")
            .unwrap_or(Duration::from_secs(600)),
        mode: match reader.text("tributary.acl.mode") {
            Some("exact") => AclMode::Exact,
            _ => AclMode::ReadOnly,
        },
        topics: has("topic"),
        groups: has("group"),
        transactional_ids: has("transactional-id"),
        principals,
        principals_exclude,
        delete: reader.boolean("tributary.acl.delete").unwrap_or(true),
    }))
}

fn resources<'a>(reader: &mut Reader<'a>) -> Option<Vec<&'a str>> {
    let key = "tributary.acl.resources";
    let Some(entry) = reader.entry(key) else {
        return Some(vec!["topic"]);
    };
    let list = reader.list(key);
    let unknown = list
        .iter()
        .find(|item| !["topic", "group", "transactional-id"].contains(item));
    match unknown {
        None => Some(list),
        Some(item) => {
            let wrong = format!("permissions of \"{item}\" are never copied");
            let remedy = "choose from topic, group, transactional-id".to_owned();
            reader.refuse(entry, wrong, Some(remedy));
            None
        }
    }
}
