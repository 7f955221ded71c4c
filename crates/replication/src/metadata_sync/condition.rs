//! The named states of a topic, what each means for its records, and what an operator can do.
//!
//! Some of them are found by this room, others by the data plane while it copies; the names are the
//! same, so that one text explains both.

use std::fmt;

use kafka_wire::types::TopicName;

/// The state of a topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Condition {
    /// It is copied.
    Active,
    /// It was named, or replicated before, and does not exist at the source.
    SourceMissing,
    /// The source does not let us look at it.
    SourceUnauthorized,
    /// It was replicated and has been deleted at the source.
    SourceDeleted,
    /// The source topic is another one of the same name.
    SourceRecreated,
    /// Its copy cannot have the name it would get.
    NameInvalid,
    /// Another topic has the name its copy would get.
    NameCollision,
    /// Copying it would copy it back to where it came from.
    Cycle,
    /// Its copy does not exist yet.
    DestinationPending,
    /// The destination refused to create its copy.
    CreateFailed,
    /// The destination does not let us use its copy.
    DestinationUnauthorized,
    /// Its copy has fewer partitions.
    PartitionsPending,
    /// Its copy has been deleted.
    DestinationDeleted,
    /// Its copy is another topic of the same name.
    DestinationRecreated,
    /// What was copied of it is in a copy of another name.
    DestinationRenamed,
    /// Its copy ends before what was acknowledged.
    DestinationBehind,
    /// Its copy has more partitions.
    DestinationLarger,
    /// Its copy has fewer replicas than it should.
    ReplicationReduced,
    /// A setting is not copied, because it would harm.
    SettingLeftOut,
    /// The destination refused a setting.
    SettingRefused,
    /// Settings of this topic are not followed at the moment.
    SettingsNotFollowed,
    /// The destination stamps records itself.
    TimestampsReplaced,
    /// The source has larger batches than its copy takes.
    BatchesTooLarge,
    /// Old records of its copy are not treated like those of the source.
    CleanupDiffers,
    /// Its copy may lack deletions: it was behind for longer than the source keeps them.
    TombstonesMissed,
    /// It holds the state of another program of the same cluster.
    SystemTopic,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::Active,
        Self::SourceMissing,
        Self::SourceUnauthorized,
        Self::SourceDeleted,
        Self::SourceRecreated,
        Self::NameInvalid,
        Self::NameCollision,
        Self::Cycle,
        Self::DestinationPending,
        Self::CreateFailed,
        Self::DestinationUnauthorized,
        Self::PartitionsPending,
        Self::DestinationDeleted,
        Self::DestinationRecreated,
        Self::DestinationRenamed,
        Self::DestinationBehind,
        Self::DestinationLarger,
        Self::ReplicationReduced,
        Self::SettingLeftOut,
        Self::SettingRefused,
        Self::SettingsNotFollowed,
        Self::TimestampsReplaced,
        Self::BatchesTooLarge,
        Self::CleanupDiffers,
        Self::SystemTopic,
        Self::TombstonesMissed,
    ];

    /// How the state is called in logs, metrics and documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::SourceMissing => "source-missing",
            Self::SourceUnauthorized => "source-unauthorized",
            Self::SourceDeleted => "source-deleted",
            Self::SourceRecreated => "source-recreated",
            Self::NameInvalid => "name-invalid",
            Self::NameCollision => "name-collision",
            Self::Cycle => "cycle",
            Self::DestinationPending => "destination-pending",
            Self::CreateFailed => "create-failed",
            Self::DestinationUnauthorized => "destination-unauthorized",
            Self::PartitionsPending => "partitions-pending",
            Self::DestinationDeleted => "destination-deleted",
            Self::DestinationRecreated => "destination-recreated",
            Self::DestinationRenamed => "destination-renamed",
            Self::DestinationBehind => "destination-behind",
            Self::DestinationLarger => "destination-larger",
            Self::ReplicationReduced => "replication-reduced",
            Self::SettingLeftOut => "setting-left-out",
            Self::SettingRefused => "setting-refused",
            Self::SettingsNotFollowed => "settings-not-followed",
            Self::TimestampsReplaced => "timestamps-replaced",
            Self::BatchesTooLarge => "batches-too-large",
            Self::CleanupDiffers => "cleanup-differs",
            Self::TombstonesMissed => "tombstones-missed",
            Self::SystemTopic => "system-topic",
        }
    }

    /// Whether records that are to be copied are not, because of it.
    #[must_use]
    pub fn is_blocking(self) -> bool {
        match self {
            Self::SourceMissing
            | Self::SourceUnauthorized
            | Self::SourceDeleted
            | Self::SourceRecreated
            | Self::NameInvalid
            | Self::NameCollision
            | Self::DestinationPending
            | Self::CreateFailed
            | Self::DestinationUnauthorized
            | Self::PartitionsPending
            | Self::DestinationDeleted
            | Self::DestinationRecreated
            | Self::DestinationRenamed
            | Self::DestinationBehind => true,
            // Of a cycle nothing is to be copied.
            Self::Active
            | Self::Cycle
            | Self::DestinationLarger
            | Self::ReplicationReduced
            | Self::SettingLeftOut
            | Self::SettingRefused
            | Self::SettingsNotFollowed
            | Self::TimestampsReplaced
            | Self::BatchesTooLarge
            | Self::CleanupDiffers
            | Self::TombstonesMissed
            | Self::SystemTopic => false,
        }
    }

    /// What an operator can do; empty where nothing has to be done.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Active => "",
            Self::SourceMissing => {
                "create it, or take it out of the selection; it is picked up when it appears"
            }
            Self::SourceUnauthorized => {
                "grant DESCRIBE, READ and DESCRIBE_CONFIGS on it at the source"
            }
            Self::SourceDeleted => {
                "the copy is kept; take the topic out of the selection, or create it again"
            }
            Self::SourceRecreated | Self::DestinationRecreated | Self::DestinationBehind => {
                "set tributary.on.recreate=restart to copy everything the source still has"
            }
            Self::DestinationDeleted => {
                "create it, or set tributary.on.recreate=restart to copy everything the source still has"
            }
            Self::DestinationRenamed => {
                "use another link name for another copy, or set tributary.on.recreate=restart to copy everything the \
                 source still has"
            }
            Self::NameInvalid => "choose another topic.rename.format, or exclude the topic",
            Self::NameCollision => {
                "exclude one of them, or give copies names of their own by topic.rename.format"
            }
            Self::Cycle => "exclude the copies from the selection",
            Self::DestinationPending => "somebody else has to create it, or it is created soon",
            Self::CreateFailed => {
                "mend what the destination refuses; it is tried again every topic.create.backoff.ms"
            }
            Self::DestinationUnauthorized => {
                "grant DESCRIBE, WRITE, READ and CREATE on it at the destination"
            }
            Self::PartitionsPending => {
                "grant ALTER on it at the destination, or add the partitions; the others are copied"
            }
            Self::DestinationLarger => "keys of other producers are spread differently there",
            Self::ReplicationReduced => "add brokers, then reassign its replicas",
            Self::SettingLeftOut | Self::SettingRefused => {
                "set it at the destination by hand, or exclude it by config.properties.exclude"
            }
            Self::SettingsNotFollowed => {
                "grant DESCRIBE_CONFIGS at the source, DESCRIBE_CONFIGS and ALTER_CONFIGS at the destination"
            }
            Self::TimestampsReplaced => "set message.timestamp.type=CreateTime on the copy",
            Self::BatchesTooLarge => "raise max.message.bytes of the copy",
            Self::CleanupDiffers => "set cleanup.policy on the copy, or let it be followed",
            Self::TombstonesMissed => {
                "look with tributary verify for keys that only the copy has and delete them there, or have the copy made anew; \
                 the answer `continue` to the partition (tributary resume partition) ends this"
            }
            Self::SystemTopic => "exclude it unless that is what you want",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something about a topic that an operator should know. It concerns that topic only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The source topic.
    pub topic: TopicName,
    /// The state it is in.
    pub state: Condition,
    /// What is wrong.
    pub reason: String,
}

impl Problem {
    /// A topic's state with its reason.
    #[must_use]
    pub fn new(topic: &TopicName, state: Condition, reason: impl Into<String>) -> Self {
        Self {
            topic: topic.clone(),
            state,
            reason: reason.into(),
        }
    }

    /// Whether records that are to be copied are not, because of it.
    #[must_use]
    pub fn is_blocking(&self) -> bool {
        self.state.is_blocking()
    }

    /// What is wrong and what can be done.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.state.remedy() {
            "" => self.reason.clone(),
            remedy => format!("{}; {remedy}", self.reason),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.topic, self.state, self.reason)
    }
}
