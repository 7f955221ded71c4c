//! For how long the source keeps records, from settings that were read anyway (pure).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_wire::message::describe_configs::ConfigEntry;
use kafka_wire::types::TopicName;

use super::observe::Topic;

/// Retention of topics that have one. Others are not deleted by time, or their settings were not read.
pub(super) type Retention = Arc<BTreeMap<TopicName, Duration>>;

/// Takes over what was seen of the source; topics whose settings were not read stay as they are.
pub(super) fn update(known: &mut Retention, source: &BTreeMap<TopicName, Topic>) {
    let is_gone = known.keys().any(|name| !source.contains_key(name));
    let read = source.iter().filter_map(|(name, topic)| {
        let entries = topic.settings.as_ref()?.as_ref().ok()?;
        Some((name, by_time(entries)))
    });
    let changed: Vec<_> = read
        .filter(|(name, retention)| known.get(*name).copied() != *retention)
        .map(|(name, retention)| (name.clone(), retention))
        .collect();
    if !is_gone && changed.is_empty() {
        return;
    }
    let now = Arc::make_mut(known);
    now.retain(|name, _| source.contains_key(name));
    for (name, retention) in changed {
        match retention {
            Some(retention) => now.insert(name, retention),
            None => now.remove(&name),
        };
    }
}

/// `retention.ms`, where the topic is deleted by it at all.
fn by_time(entries: &[ConfigEntry]) -> Option<Duration> {
    let value = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name)?;
        entry.value.as_deref()
    };
    let mut policies = value("cleanup.policy")?.split(',');
    if !policies.any(|policy| policy.trim() == "delete") {
        return None;
    }
    // −1 is for ever.
    let ms = value("retention.ms")?.trim().parse().ok()?;
    Some(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use kafka_wire::message::describe_configs::ConfigSource;

    use super::*;

    fn topic(settings: &[(&str, &str)]) -> Topic {
        let entries = settings.iter().map(|(name, value)| ConfigEntry {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: ConfigSource::Default,
            read_only: false,
            sensitive: false,
            list: false,
        });
        Topic {
            settings: (!settings.is_empty()).then(|| Ok(entries.collect())),
            ..Topic::default()
        }
    }

    #[test]
    fn retention_is_known_as_long_as_the_topic_is_there_and_is_deleted_by_time() {
        let mut known = Retention::default();
        let mut look = |topics: &[(&str, &[(&str, &str)])]| {
            let source = topics
                .iter()
                .map(|(name, settings)| ((*name).into(), topic(settings)));
            update(&mut known, &source.collect());
            let known = known.iter();
            known
                .map(|(name, retention)| (name.to_string(), retention.as_secs()))
                .collect::<Vec<_>>()
        };
        let hour = [
            ("cleanup.policy", "compact, delete"),
            ("retention.ms", "3600000"),
        ];
        let forever = [("cleanup.policy", "delete"), ("retention.ms", "-1")];
        let compacted = [("cleanup.policy", "compact"), ("retention.ms", "3600000")];
        let one = vec![("a".to_owned(), 3600)];
        assert_eq!(
            look(&[("a", &hour), ("b", &forever), ("c", &compacted)]),
            one
        );
        // Not read this time.
        assert_eq!(look(&[("a", &[]), ("b", &[])]), one);
        assert_eq!(look(&[("a", &forever)]), []);
        assert_eq!(look(&[("a", &hour)]), one);
        assert_eq!(look(&[]), []);
    }
}
