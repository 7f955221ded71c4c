//! What the leader has for a worker.

use bytes::{Bytes, BytesMut};

use super::{ConnectDecodeError, ConnectEncodeError, ConnectProtocol};
use crate::message::reader::Reader;
use crate::message::writer::Writer;
use crate::message::{ApiKey, DecodeError, DecodeProblem, EncodeError};

/// What a worker is to run: the assignment of SyncGroup.
///
/// ```text
/// version i16 · error i16 · leader string · leader's url string · config offset i64
/// · list of work · from version 1: list of work to give back · delay i32
/// work = connector string · list of task i32, the connector itself being task −1
/// ```
///
/// In version 0 it is all the worker has, in the others what is new; there the lists may be null,
/// which is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Why there is none.
    pub error: AssignmentError,
    /// Member id of the leader.
    pub leader: String,
    /// Where the leader's REST interface is.
    pub leader_url: String,
    /// Config offset the assignment was made at: a worker reads up to there before it starts.
    pub config_offset: i64,
    /// What to run, beside what the worker has already.
    pub assigned: Vec<ConnectorWork>,
    /// What to stop, before the group is joined again.
    pub revoked: Vec<ConnectorWork>,
    /// Milliseconds after which the group has to be joined again; 0 for never. Work that was lost
    /// waits so long for its worker.
    pub delay_ms: i32,
}

/// Why a worker has no assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentError {
    /// It has one.
    None,
    /// The leader has not read as much of the config topic as some other worker: join again.
    ConfigMismatch,
    /// Something that later workers say.
    Other(i16),
}

/// A connector and some of its tasks, or one without the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorWork {
    /// The connector's name.
    pub name: String,
    /// Whether the connector itself is meant.
    pub connector: bool,
    /// Which of its tasks.
    pub tasks: Vec<i32>,
}

/// Stands among the tasks for the connector itself.
const CONNECTOR_TASK: i32 = -1;

impl Assignment {
    /// The bytes in `protocol`.
    ///
    /// # Errors
    /// [`ConnectEncodeError`] if something is longer than the protocol can say, or version 0 is to
    /// give work back or delay it.
    pub fn encode(&self, protocol: ConnectProtocol) -> Result<Bytes, ConnectEncodeError> {
        let mut out = BytesMut::new();
        let mut writer = Writer::classic(ApiKey::SYNC_GROUP, protocol.version(), &mut out);
        writer.i16(protocol.version());
        writer.i16(self.error.wire());
        writer.string("leader", &self.leader)?;
        writer.string("leader's url", &self.leader_url)?;
        writer.i64(self.config_offset);
        writer.array("assigned work", &self.assigned, write_work)?;
        if protocol >= ConnectProtocol::Compatible {
            writer.array("revoked work", &self.revoked, write_work)?;
            writer.i32(self.delay_ms);
        } else if !self.revoked.is_empty() || self.delay_ms != 0 {
            return Err(ConnectEncodeError::NotIncremental);
        }
        Ok(out.freeze())
    }

    /// Reads an assignment, and in which protocol the leader made it.
    ///
    /// # Errors
    /// [`ConnectDecodeError`] if it cannot be read.
    pub fn decode(bytes: Bytes) -> Result<(ConnectProtocol, Self), ConnectDecodeError> {
        let mut reader = Reader::classic(ApiKey::SYNC_GROUP, bytes);
        let protocol = reader.connect_protocol()?;
        let error = AssignmentError::from_wire(reader.i16("error")?);
        let leader = reader.string("leader")?;
        let leader_url = reader.string("leader's url")?;
        let config_offset = reader.i64("config offset")?;
        let (assigned, revoked, delay_ms) = if protocol >= ConnectProtocol::Compatible {
            (
                reader.optional_work("assigned work")?,
                reader.optional_work("revoked work")?,
                if reader.at_end() {
                    0
                } else {
                    reader.i32("delay")?
                },
            )
        } else {
            (reader.array("assigned work", read_work)?, Vec::new(), 0)
        };
        let assignment = Self {
            error,
            leader,
            leader_url,
            config_offset,
            assigned,
            revoked,
            delay_ms,
        };
        Ok((protocol, assignment))
    }
}

impl AssignmentError {
    const fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::ConfigMismatch => 1,
            Self::Other(code) => code,
        }
    }

    const fn from_wire(code: i16) -> Self {
        match code {
            0 => Self::None,
            1 => Self::ConfigMismatch,
            code => Self::Other(code),
        }
    }
}

impl Reader {
    pub(super) fn connect_protocol(&mut self) -> Result<ConnectProtocol, DecodeError> {
        let version = self.i16("version")?;
        let problem = DecodeProblem::OutOfRange {
            value: version.into(),
        };
        ConnectProtocol::from_version(version).ok_or_else(|| self.error("version", problem))
    }

    /// Work that may be null, or missing at the end.
    fn optional_work(&mut self, what: &'static str) -> Result<Vec<ConnectorWork>, DecodeError> {
        if self.at_end() {
            return Ok(Vec::new());
        }
        Ok(self.nullable_array(what, read_work)?.unwrap_or_default())
    }
}

fn read_work(reader: &mut Reader) -> Result<ConnectorWork, DecodeError> {
    let name = reader.string("connector")?;
    let mut tasks = reader.array("tasks", |reader| reader.i32("task"))?;
    let connector = tasks.contains(&CONNECTOR_TASK);
    tasks.retain(|task| *task != CONNECTOR_TASK);
    Ok(ConnectorWork {
        name,
        connector,
        tasks,
    })
}

fn write_work(writer: &mut Writer<'_>, work: &ConnectorWork) -> Result<(), EncodeError> {
    writer.string("connector", &work.name)?;
    writer.length("tasks", work.tasks.len() + usize::from(work.connector))?;
    if work.connector {
        writer.i32(CONNECTOR_TASK);
    }
    for task in &work.tasks {
        writer.i32(*task);
    }
    Ok(())
}
