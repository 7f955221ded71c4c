//! The record of the bindings that a link made: what it may delete again.
//!
//! Kept beside positions, in their form, one record per binding:
//!
//! ```text
//! ["<link>",{"acl":"TOPIC","name":"west.orders","pattern":"LITERAL","principal":"User:alice","host":"*",
//!            "operation":"READ","permission":"ALLOW"}]        {"format":1,"source.topic":"orders"}
//! ```
//!
//! Keys and values are flat, as tools for Connect's offsets expect. The order of members is part of the format. One
//! record per binding instead of one list: it never outgrows what a topic takes, and a change costs its own size.

use std::collections::BTreeMap;
use std::fmt;

use kafka_wire::message::acl::{AclBinding, AclOperation, AclPattern, AclPermission, AclResource};
use kafka_wire::types::TopicName;
use serde_json::{Map, Value};

use crate::position_store::{PositionStore, StoreError, StoredText};

/// Version of the stored form.
const FORMAT: u64 = 1;

/// What a binding was made for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// The source topic; `None` where it is about a beginning of names, or about no topic.
    pub source_topic: Option<TopicName>,
}

/// The bindings a link made.
pub type Recorded = BTreeMap<AclBinding, Origin>;

/// The record of one link, in memory as it is stored.
#[derive(Debug)]
pub(super) struct Record {
    link: String,
    store: PositionStore,
    recorded: Recorded,
}

impl Record {
    /// Reads what is stored.
    pub(super) async fn load(link: String, store: PositionStore) -> Result<Self, Failed> {
        let mut record = Self {
            link,
            store,
            recorded: Recorded::new(),
        };
        match record.store.load_texts().await {
            Ok(texts) => {
                record.recorded = decode(&record.link, &texts);
                Ok(record)
            }
            Err(cause) => Err(Failed {
                link: record.link,
                store: record.store,
                cause,
            }),
        }
    }

    pub(super) fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// Adds bindings; on return that is durable.
    pub(super) async fn add(&mut self, made: &[(AclBinding, Origin)]) -> Result<(), StoreError> {
        let new: Vec<_> = made
            .iter()
            .filter(|(binding, origin)| self.recorded.get(binding) != Some(origin))
            .collect();
        let texts: Vec<StoredText> = new
            .iter()
            .map(|(binding, origin)| (key(&self.link, binding), Some(value(origin))))
            .collect();
        if texts.is_empty() {
            return Ok(());
        }
        self.store.save_texts(&texts).await?;
        self.recorded.extend(new.into_iter().cloned());
        Ok(())
    }

    /// Takes bindings out; on return that is durable.
    pub(super) async fn remove<'a>(
        &mut self,
        gone: impl IntoIterator<Item = &'a AclBinding>,
    ) -> Result<(), StoreError> {
        let gone: Vec<_> = gone
            .into_iter()
            .filter(|binding| self.recorded.contains_key(*binding))
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let texts: Vec<StoredText> = gone
            .iter()
            .map(|binding| (key(&self.link, binding), None))
            .collect();
        self.store.save_texts(&texts).await?;
        for binding in gone {
            self.recorded.remove(binding);
        }
        Ok(())
    }
}

/// The record could not be read; what is needed to try it again.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) link: String,
    pub(super) store: PositionStore,
    pub(super) cause: StoreError,
}

pub(super) fn key(link: &str, binding: &AclBinding) -> String {
    let text = |value: &dyn fmt::Display| Value::from(value.to_string());
    format!(
        "[{},{{\"acl\":{},\"name\":{},\"pattern\":{},\"principal\":{},\"host\":{},\"operation\":{},\"permission\":{}}}]",
        Value::from(link),
        text(&binding.resource),
        text(&binding.name),
        text(&binding.pattern),
        text(&binding.principal),
        text(&binding.host),
        text(&binding.operation),
        text(&binding.permission),
    )
}

pub(super) fn value(origin: &Origin) -> String {
    let topic = origin.source_topic.as_ref();
    let topic = topic.map(|topic| format!(",\"source.topic\":{}", Value::from(topic.as_str())));
    format!("{{\"format\":{FORMAT}{}}}", topic.unwrap_or_default())
}

/// What the link recorded, of what is kept beside positions. Records of others are passed over, and so is what cannot be understood: such a binding is
/// then taken for somebody else's, and stays.
#[must_use]
pub fn decode(link: &str, texts: &[StoredText]) -> Recorded {
    let mut recorded = Recorded::new();
    for (key, value) in texts {
        let Some(binding) = parse_key(link, key) else {
            continue;
        };
        match value.as_deref().and_then(parse_value) {
            Some(origin) => drop(recorded.insert(binding, origin)),
            None => drop(recorded.remove(&binding)),
        }
    }
    recorded
}

fn parse_key(link: &str, key: &str) -> Option<AclBinding> {
    let Value::Array(parts) = serde_json::from_str(key).ok()? else {
        return None;
    };
    let [Value::String(name), Value::Object(members)] = parts.as_slice() else {
        return None;
    };
    if name != link {
        return None;
    }
    let text = |name: &str| members.get(name)?.as_str();
    Some(AclBinding {
        resource: by_name(AclResource::KNOWN, AclResource::from_wire, text("acl")?)?,
        name: text("name")?.into(),
        pattern: by_name(AclPattern::KNOWN, AclPattern::from_wire, text("pattern")?)?,
        principal: text("principal")?.to_owned(),
        host: text("host")?.to_owned(),
        operation: by_name(
            AclOperation::KNOWN,
            AclOperation::from_wire,
            text("operation")?,
        )?,
        permission: by_name(
            AclPermission::KNOWN,
            AclPermission::from_wire,
            text("permission")?,
        )?,
    })
}

/// By its name, or its number where a former version did not know the name.
fn by_name<T: Copy + fmt::Display>(known: &[T], from: impl Fn(i8) -> T, text: &str) -> Option<T> {
    let found = known.iter().find(|value| value.to_string() == text);
    found.copied().or_else(|| text.parse().ok().map(from))
}

fn parse_value(value: &str) -> Option<Origin> {
    let members: Map<String, Value> = serde_json::from_str(value).ok()?;
    if members.get("format")?.as_u64() != Some(FORMAT) {
        return None;
    }
    let topic = members.get("source.topic").and_then(Value::as_str);
    Some(Origin {
        source_topic: topic.map(TopicName::from),
    })
}
