//! Stored positions of a link that does not run: read, set, forgotten.

use kafka_client::Cluster;
use kafka_wire::types::TopicPartition;
use replication::link::{key_style, open_store};
use replication::position_store::keys::{self, ShownPosition};
use replication::position_store::{KeyStyle, PositionStore, StoredText};
use serde_json::{Map, Value};
use worker_group::Config;
use worker_group::host::OffsetChange;
use worker_group::plugin::Role;
use worker_group::view::SourceOffset;

use super::{LinkHost, role};

/// The store of a link, all that is in it, and whose keys the link has.
struct Opened {
    store: PositionStore,
    texts: Vec<StoredText>,
    style: KeyStyle,
}

async fn open(host: &LinkHost, name: &str, config: &Config) -> Result<Opened, String> {
    let (link, worker) = host.settings(name, config, false).await?;
    let style = key_style(&link);
    let file = host.file(&worker)?;
    let destination = Cluster::new(link.destination, "destination");
    let opened = Box::pin(open_store(&worker, file, &destination)).await;
    let mut store = opened.map_err(|error| error.to_string())?;
    let texts = store
        .load_texts()
        .await
        .map_err(|error| error.to_string())?;
    Ok(Opened {
        store,
        texts,
        style,
    })
}

/// Whether a connector has positions at all.
fn copies(config: &Config) -> bool {
    !matches!(role(config), Role::MirrorCheckpoint | Role::MirrorHeartbeat)
}

/// All positions, in Connect's form.
pub(super) async fn read(
    host: &LinkHost,
    name: &str,
    config: &Config,
) -> Result<Vec<SourceOffset>, String> {
    if !copies(config) {
        return Ok(Vec::new());
    }
    let opened = open(host, name, config).await?;
    let positions = keys::shown(&opened.style, name, &opened.texts);
    Ok(positions
        .into_iter()
        .map(|position| SourceOffset {
            partition: position.partition,
            offset: position.offset.map(offset),
        })
        .collect())
}

fn offset(number: i64) -> Map<String, Value> {
    Map::from_iter([("offset".to_owned(), Value::from(number))])
}

/// Sets or forgets positions. The map of offsets that belongs to them goes with them.
pub(super) async fn change(
    host: &LinkHost,
    name: &str,
    config: &Config,
    change: OffsetChange,
) -> Result<(), String> {
    if !copies(config) {
        return Ok(());
    }
    let mut opened = open(host, name, config).await?;
    let known = keys::shown(&opened.style, name, &opened.texts);
    let wanted: Vec<(TopicPartition, Option<i64>)> = match change {
        OffsetChange::Reset => known
            .iter()
            .filter_map(|position| Some((source(&position.partition)?, None)))
            .collect(),
        OffsetChange::Alter(offsets) => offsets
            .iter()
            .filter_map(|one| {
                let number = one
                    .offset
                    .as_ref()
                    .and_then(|offset| offset.get("offset")?.as_i64());
                Some((source(&one.partition)?, number))
            })
            .collect(),
    };
    let partitions: Vec<TopicPartition> = wanted.iter().map(|(one, _)| one.clone()).collect();
    let mut texts: Vec<StoredText> = keys::map_keys(name, &partitions, &opened.texts)
        .into_iter()
        .map(|key| (key, None))
        .collect();
    for (partition, number) in &wanted {
        texts.extend(records(&opened.style, name, partition, *number, &known));
    }
    if texts.is_empty() {
        return Ok(());
    }
    let saved = opened.store.save_texts(&texts).await;
    saved.map_err(|error| error.to_string())
}

/// What is written for one partition: under the keys that are there, else under a new one.
fn records(
    style: &KeyStyle,
    name: &str,
    partition: &TopicPartition,
    number: Option<i64>,
    known: &[ShownPosition],
) -> Vec<StoredText> {
    let of_it = known
        .iter()
        .filter(|position| source(&position.partition).as_ref() == Some(partition));
    let mut found: Vec<String> = of_it.map(|position| position.key.clone()).collect();
    let Some(number) = number else {
        // Every spelling of it.
        return found.into_iter().map(|key| (key, None)).collect();
    };
    let key = if found.is_empty() {
        keys::new_key(style, name, partition)
    } else {
        found.swap_remove(0)
    };
    let value = Value::Object(offset(number)).to_string();
    let mut records: Vec<StoredText> = found.into_iter().map(|key| (key, None)).collect();
    records.push((key, Some(value)));
    records
}

fn source(partition: &Map<String, Value>) -> Option<TopicPartition> {
    let topic = partition.get("topic")?.as_str()?;
    let number = i32::try_from(partition.get("partition")?.as_i64()?).ok()?;
    Some(TopicPartition::new(topic.into(), number))
}
