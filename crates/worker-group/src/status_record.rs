//! Records of Connect's status topic, and which of them count. Pure.
//!
//! ```text
//!   status-connector-NAME                 {"state":…,"trace":…,"worker_id":…,"generation":N}
//!   status-task-NAME-N                    the same
//!   status-topic-TOPIC:connector-NAME     {"topic":{"name":…,"connector":…,"task":N,"discoverTimestamp":N}}
//! ```

use serde_json::{Map, Value};

use crate::config_record::{split_task, text};
use crate::state::State;

/// Of what a status is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A connector's own instance.
    Connector(String),
    /// One of its tasks.
    Task(String, u32),
}

/// What a worker says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Why it failed.
    pub trace: Option<String>,
    /// Who says so.
    pub worker_id: String,
    /// In which generation of the group.
    pub generation: i32,
}

/// A topic that a connector has used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsedTopic {
    /// The topic.
    pub topic: String,
    /// The connector.
    pub connector: String,
    /// The task that used it first.
    pub task: u32,
    /// When, in milliseconds since 1970.
    pub discovered: i64,
}

/// A record, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StatusRecord {
    /// A status, or its end.
    Status(Subject, Option<Status>),
    /// A topic in use, or that it is not any more.
    Topic(String, String, Option<UsedTopic>),
}

impl Subject {
    /// The key of its records.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Connector(name) => format!("status-connector-{name}"),
            Self::Task(name, task) => format!("status-task-{name}-{task}"),
        }
    }
}

impl Status {
    /// The value of its records.
    #[must_use]
    pub fn value(&self) -> String {
        let trace = self.trace.as_deref().map_or("null".to_owned(), text);
        format!(
            "{{\"state\":\"{}\",\"trace\":{trace},\"worker_id\":{},\"generation\":{}}}",
            self.state.as_str(),
            text(&self.worker_id),
            self.generation
        )
    }

    fn read(object: &Map<String, Value>) -> Option<Self> {
        Some(Self {
            state: State::parse(object.get("state")?.as_str()?)?,
            trace: object
                .get("trace")
                .and_then(Value::as_str)
                .map(str::to_owned),
            worker_id: object.get("worker_id")?.as_str()?.to_owned(),
            generation: i32::try_from(object.get("generation")?.as_i64()?).ok()?,
        })
    }
}

impl UsedTopic {
    /// Key and value of its record.
    #[must_use]
    pub fn record(&self) -> (String, String) {
        let key = format!("status-topic-{}:connector-{}", self.topic, self.connector);
        let value = format!(
            "{{\"topic\":{{\"name\":{},\"connector\":{},\"task\":{},\"discoverTimestamp\":{}}}}}",
            text(&self.topic),
            text(&self.connector),
            self.task,
            self.discovered
        );
        (key, value)
    }
}

/// Understands a record. `Ok(None)` where it is none of Connect's.
///
/// # Errors
/// What is wrong with it; it is to be passed over, and said.
pub fn decode(key: &str, value: Option<&[u8]>) -> Result<Option<StatusRecord>, String> {
    let wrong = || format!("the record {key} of the status topic cannot be read");
    let object = match value {
        None => None,
        Some(bytes) => {
            Some(serde_json::from_slice::<Map<String, Value>>(bytes).map_err(|_| wrong())?)
        }
    };
    let status = |subject| match &object {
        None => Ok(Some(StatusRecord::Status(subject, None))),
        Some(object) => {
            let status = Status::read(object).ok_or_else(wrong)?;
            Ok(Some(StatusRecord::Status(subject, Some(status))))
        }
    };
    if let Some(name) = key.strip_prefix("status-connector-") {
        return status(Subject::Connector(name.to_owned()));
    }
    if let Some(rest) = key.strip_prefix("status-task-") {
        let (name, task) = split_task(rest).ok_or_else(wrong)?;
        return status(Subject::Task(name, task));
    }
    let Some(rest) = key.strip_prefix("status-topic-") else {
        return Ok(None);
    };
    let (topic, connector) = rest.split_once(":connector-").ok_or_else(wrong)?;
    let used = object
        .map(|object| used(&object).ok_or_else(wrong))
        .transpose()?;
    Ok(Some(StatusRecord::Topic(
        topic.to_owned(),
        connector.to_owned(),
        used,
    )))
}

fn used(object: &Map<String, Value>) -> Option<UsedTopic> {
    let topic = object.get("topic")?.as_object()?;
    Some(UsedTopic {
        topic: topic.get("name")?.as_str()?.to_owned(),
        connector: topic.get("connector")?.as_str()?.to_owned(),
        task: u32::try_from(topic.get("task")?.as_i64()?).ok()?,
        discovered: topic.get("discoverTimestamp")?.as_i64()?,
    })
}

/// Whether a worker may write `new` over what it knows. Bad news of a former owner must not cover what the present one
/// said; good news may be written always.
#[must_use]
pub fn may_write(known: Option<&Status>, new: &Status) -> bool {
    if !matches!(new.state, State::Failed | State::Unassigned) {
        return true;
    }
    known.is_none_or(|known| known.worker_id == new.worker_id || known.generation <= new.generation)
}

/// Whether a record that was read replaces what is known: the last one does, except that a former owner of a task gave
/// it up after its new one had begun, however that fares.
#[must_use]
pub fn replaces(subject: &Subject, known: Option<&Status>, read: &Status) -> bool {
    let (Subject::Task(..), Some(known)) = (subject, known) else {
        return true;
    };
    let is_others = known.state != State::Unassigned && known.worker_id != read.worker_id;
    let late = read.state == State::Unassigned
        && (known.state == State::Running || is_others)
        && known.generation >= read.generation;
    !late
}

/// Whether a record that was read is somebody else's word about what the worker `here` has in `generation`. It was late, and who
/// reads the compacted topic finds nothing else: the owner has to say again how it is.
#[must_use]
pub fn is_strangers(read: &Status, here: &str, generation: i32) -> bool {
    read.worker_id != here && read.generation <= generation
}

/// Whether `read` brings something from where it is to another state, or to another worker; not where it is said again.
#[must_use]
pub fn moves(known: Option<&Status>, read: &Status) -> bool {
    known.is_none_or(|known| known.state != read.state || known.worker_id != read.worker_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: State, worker: &str, generation: i32) -> Status {
        Status {
            state,
            trace: None,
            worker_id: worker.to_owned(),
            generation,
        }
    }

    #[test]
    fn records_have_connects_bytes_and_read_back() {
        let mut failed = status(State::Failed, "h:8083", 12);
        failed.trace = Some("x.Y: no\nwhere".into());
        let subject = Subject::Task("a-b".into(), 3);
        assert_eq!(subject.key(), "status-task-a-b-3");
        assert_eq!(
            failed.value(),
            r#"{"state":"FAILED","trace":"x.Y: no\nwhere","worker_id":"h:8083","generation":12}"#
        );
        let read = decode(&subject.key(), Some(failed.value().as_bytes()));
        let expected = StatusRecord::Status(subject, Some(failed));
        assert_eq!(read, Ok(Some(expected)));
        let running = status(State::Running, "h:8083", 1).value();
        assert!(running.contains(r#""trace":null,"#));
        let used = UsedTopic {
            topic: "t".into(),
            connector: "c".into(),
            task: 0,
            discovered: 5,
        };
        let (key, value) = used.record();
        assert_eq!(key, "status-topic-t:connector-c");
        assert_eq!(
            value,
            r#"{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":5}}"#
        );
        let read = decode(&key, Some(value.as_bytes()));
        let expected = StatusRecord::Topic("t".into(), "c".into(), Some(used));
        assert_eq!(read, Ok(Some(expected)));
    }

    #[test]
    fn status_generation_rule() {
        let known = status(State::Running, "new", 5);
        let task = Subject::Task("c".into(), 0);
        let connector = Subject::Connector("c".into());
        // A late writer of an older generation.
        for state in [State::Failed, State::Unassigned] {
            assert!(!may_write(Some(&known), &status(state, "old", 4)));
            assert!(may_write(Some(&known), &status(state, "old", 5)));
            assert!(may_write(Some(&known), &status(state, "new", 1)));
            assert!(may_write(None, &status(state, "old", 1)));
        }
        assert!(may_write(Some(&known), &status(State::Running, "old", 4)));
        // The stale UNASSIGNED of a task.
        let stale = status(State::Unassigned, "old", 5);
        assert!(!replaces(&task, Some(&known), &stale));
        assert!(replaces(&connector, Some(&known), &stale));
        assert!(replaces(
            &task,
            Some(&known),
            &status(State::Unassigned, "old", 6)
        ));
        assert!(replaces(
            &task,
            Some(&known),
            &status(State::Failed, "old", 1)
        ));
        // Also where the new owner's task has failed, or was paused; its own last word counts.
        for state in [State::Failed, State::Paused, State::Restarting] {
            let known = status(state, "new", 5);
            assert!(!replaces(&task, Some(&known), &stale));
            let own = status(State::Unassigned, "new", 5);
            assert!(replaces(&task, Some(&known), &own));
        }
        assert!(is_strangers(&stale, "new", 5) && !is_strangers(&stale, "old", 5));
        let newer = status(State::Running, "newer", 6);
        assert!(!is_strangers(&newer, "new", 5));
    }

    #[test]
    fn what_is_said_again_in_another_generation_moves_nothing() {
        let known = status(State::Running, "a:1", 3);
        assert!(!moves(Some(&known), &status(State::Running, "a:1", 4)));
        assert!(moves(Some(&known), &status(State::Failed, "a:1", 3)));
        assert!(moves(Some(&known), &status(State::Running, "b:1", 4)));
        assert!(moves(None, &known));
    }
}
