//! What is shown of connectors: the shapes of Connect's REST contract, members in its order. Members of our own come
//! last.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Config;
use crate::detail::Word;
use crate::state::State;

/// A task by connector and number.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TaskId {
    /// The connector.
    pub connector: String,
    /// The number, from 0.
    pub task: u32,
}

/// A connector, its configuration and its tasks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConnectorInfo {
    /// The name.
    pub name: String,
    /// The configuration as it was given.
    pub config: Config,
    /// Its tasks.
    pub tasks: Vec<TaskId>,
    /// `source`, or `unknown`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// The state of a connector's own instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct InstanceState {
    /// The state.
    pub state: State,
    /// Where.
    pub worker_id: String,
    /// Why it failed; on nothing but what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// The state of a task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TaskState {
    /// Its number.
    pub id: u32,
    /// The state.
    pub state: State,
    /// Where.
    pub worker_id: String,
    /// Why it failed; on nothing but what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Since when it is in this state on this worker; Connect does not tell.
    #[serde(skip)]
    pub since: Option<SystemTime>,
}

/// Things that are told at most of what is wrong.
pub const TOLD: usize = 5;

/// How the copying fares, which Connect's states do not say.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Replication {
    /// Partitions of the link.
    pub partitions: usize,
    /// Of them, those being copied.
    pub running: usize,
    /// Those whose position is being established.
    pub starting: usize,
    /// Those that are tried again.
    pub waiting: usize,
    /// Those that stand until somebody acts.
    pub stopped: usize,
    /// Source records that are not copied yet; nothing where it is not known of every partition.
    pub lag: Option<i64>,
    /// How it fares, in one word: `HEALTHY`, `CATCHING_UP`, `DEGRADED`, `FAILED` or `UNKNOWN`.
    pub health: Word,
    /// The sentence that decided that.
    pub health_reason: String,
    /// What is not copied yet, as an independent reading of the source says.
    pub lag_detail: Option<LagDetail>,
    /// Of its partitions, how many fail and how many go on.
    #[serde(skip)]
    pub doing: Doing,
    /// How many partitions are in which state.
    pub states: BTreeMap<&'static str, usize>,
    /// What is wrong, the first few things.
    pub trouble: Vec<String>,
}

impl Replication {
    /// Takes in how another part of the same link fares.
    pub(crate) fn add(&mut self, part: Self) {
        self.running += part.running;
        self.starting += part.starting;
        self.waiting += part.waiting;
        self.stopped += part.stopped;
        self.lag = self.lag.zip(part.lag).map(|(one, two)| one + two);
        add_health(
            (&mut self.health, &mut self.health_reason),
            (self.partitions == 0, part.partitions == 0),
            (&mut self.doing, part.doing),
            (part.health, part.health_reason),
        );
        self.partitions += part.partitions;
        match (&mut self.lag_detail, part.lag_detail) {
            (Some(sum), Some(lag)) => sum.add(&lag),
            // Of one part nothing is known.
            (known, _) => *known = None,
        }
        for (state, count) in part.states {
            *self.states.entry(state).or_default() += count;
        }
        self.trouble.extend(part.trouble);
        self.trouble.truncate(TOLD);
    }
}

/// What the partitions of a part of a link do, as far as it decides how the whole fares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Doing {
    /// How many are not copied.
    pub failing: usize,
    /// How many are, be it with trouble.
    pub moving: usize,
}

impl Doing {
    /// Of a part that is called `health`: one that still counts as failed has something that fails, though its partitions go on.
    #[must_use]
    pub fn of(health: &str, failing: usize, moving: usize) -> Self {
        let least = usize::from(health == "FAILED");
        Self {
            failing: failing.max(least),
            moving,
        }
    }
}

/// Takes in how another part fares. Where something is not copied, the link is FAILED if nothing is, and DEGRADED otherwise; else
/// the worse word counts. In whatever order parts come, they make the same. Of two reasons that of the part counts which decided
/// it, and of two that are equal that of one with partitions.
pub fn add_health(
    (health, reason): (&mut Word, &mut String),
    (is_empty, other_is_empty): (bool, bool),
    (doing, its_doing): (&mut Doing, Doing),
    (other, its_reason): (Word, String),
) {
    let weight = |doing: &Doing, word: &str, is_empty: bool| {
        let bad = badness(word);
        (doing.failing > 0, bad, !is_empty)
    };
    if weight(&its_doing, &other, other_is_empty) > weight(doing, health, is_empty) {
        *health = other;
        *reason = its_reason;
    }
    doing.failing += its_doing.failing;
    doing.moving += its_doing.moving;
    if doing.failing > 0 {
        *health = Word::Borrowed(match doing.moving {
            0 => "FAILED",
            _ => "DEGRADED",
        });
    }
}

fn badness(health: &str) -> u8 {
    match health {
        "HEALTHY" => 0,
        "CATCHING_UP" => 1,
        "DEGRADED" => 2,
        "UNKNOWN" => 3,
        _ => 4,
    }
}

/// What of something is not copied yet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LagDetail {
    /// Whether the ends at the source were read recently; otherwise the numbers are lower bounds.
    pub known: bool,
    /// Source offsets.
    pub records: Option<i64>,
    /// For how long the oldest of them has been readable.
    pub seconds: f64,
    /// Their size, estimated.
    pub bytes: u64,
    /// What the seconds rest on: `observed`, `timestamp`, `since-start` or `stale`.
    pub seconds_basis: Word,
    /// Seconds since the newest reading.
    pub age_seconds: Option<f64>,
}

impl LagDetail {
    /// Takes in that of something else: sums, the longer time, the weaker evidence.
    pub fn add(&mut self, other: &Self) {
        self.known &= other.known;
        self.records = match (self.records, other.records) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        self.bytes = self.bytes.saturating_add(other.bytes);
        if other.seconds > self.seconds {
            self.seconds = other.seconds;
            self.seconds_basis.clone_from(&other.seconds_basis);
        }
        let ages = self.age_seconds.zip(other.age_seconds);
        self.age_seconds = ages.map(|(one, two)| one.max(two));
    }
}

/// The state of a connector and of its tasks.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ConnectorStateInfo {
    /// The name.
    pub name: String,
    /// Its own instance.
    pub connector: InstanceState,
    /// Its tasks, by number.
    pub tasks: Vec<TaskState>,
    /// `source`, or `unknown`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How the copying fares, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tributary: Option<Replication>,
}

/// A task and its configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TaskInfo {
    /// Which.
    pub id: TaskId,
    /// What it was given.
    pub config: Config,
}

/// The parts of a connector in a list.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Expanded {
    /// With `expand=status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ConnectorStateInfo>,
    /// With `expand=info`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<ConnectorInfo>,
    /// How often tasks that are here were begun again since this worker has them; Connect does not tell.
    #[serde(skip)]
    pub restarts: BTreeMap<u32, u64>,
    /// When tasks that are here failed last, since this worker has them.
    #[serde(skip)]
    pub failed_at: BTreeMap<u32, SystemTime>,
}

/// One position, in Connect's form.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SourceOffset {
    /// Which source partition.
    pub partition: Map<String, Value>,
    /// How far; nothing where it is to be reset.
    pub offset: Option<Map<String, Value>>,
}

/// A level of logging.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LoggerLevel {
    /// The level.
    pub level: String,
    /// When it was set, in milliseconds since 1970.
    pub last_modified: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(health: &'static str, known: bool) -> Replication {
        let moving = match health {
            "FAILED" | "UNKNOWN" => 0,
            _ => 2,
        };
        Replication {
            partitions: 2,
            lag: Some(3),
            health: health.into(),
            health_reason: format!("it is {health}"),
            lag_detail: Some(LagDetail {
                known,
                records: Some(3),
                seconds: 1.5,
                bytes: 30,
                seconds_basis: "observed".into(),
                age_seconds: Some(2.0),
            }),
            doing: Doing::of(health, 0, moving),
            states: BTreeMap::from([("active", 2)]),
            ..Replication::default()
        }
    }

    fn empty(health: &'static str) -> Replication {
        Replication {
            partitions: 0,
            doing: Doing::default(),
            ..part(health, true)
        }
    }

    #[test]
    fn a_link_of_several_parts_is_as_well_as_the_worst_of_them() {
        let mut all = part("HEALTHY", true);
        all.add(part("CATCHING_UP", false));
        assert_eq!(
            (&*all.health, &*all.health_reason),
            ("CATCHING_UP", "it is CATCHING_UP")
        );
        assert_eq!((all.partitions, all.lag), (4, Some(6)));
        assert_eq!(all.states, BTreeMap::from([("active", 4)]));
        let lag = all.lag_detail.clone().expect("known");
        assert_eq!((lag.known, lag.records, lag.bytes), (false, Some(6), 60));
        // Something is still copied.
        all.add(part("FAILED", true));
        assert_eq!(
            (&*all.health, &*all.health_reason),
            ("DEGRADED", "it is FAILED")
        );
    }

    #[test]
    fn parts_make_the_same_whole_in_whatever_order_they_come() {
        let partly = |health, failing, moving| Replication {
            doing: Doing::of(health, failing, moving),
            ..part(health, true)
        };
        let parts = [
            part("HEALTHY", true),
            part("CATCHING_UP", true),
            part("DEGRADED", true),
            partly("DEGRADED", 1, 1),
            part("UNKNOWN", true),
            partly("UNKNOWN", 0, 1),
            part("FAILED", true),
            // It was, and goes on as of now.
            partly("FAILED", 0, 2),
            empty("HEALTHY"),
            empty("UNKNOWN"),
            empty("DEGRADED"),
        ];
        let both = |one: &Replication, other: &Replication| {
            let mut both = one.clone();
            both.add(other.clone());
            both
        };
        for one in &parts {
            for two in &parts {
                for three in &parts {
                    let words = [
                        both(&both(one, two), three).health,
                        both(one, &both(two, three)).health,
                        both(&both(three, one), two).health,
                        both(&both(three, two), one).health,
                    ];
                    let first = &words[0];
                    assert!(words.iter().all(|word| word == first), "{words:?}");
                }
            }
        }
        for (three, whole) in [
            (["FAILED", "UNKNOWN", "HEALTHY"], "DEGRADED"),
            (["FAILED", "UNKNOWN", "FAILED"], "FAILED"),
            (["HEALTHY", "UNKNOWN", "DEGRADED"], "UNKNOWN"),
        ] {
            let [one, two, three] = three.map(|health| part(health, true));
            assert_eq!(both(&both(&one, &two), &three).health, whole);
        }
    }

    #[test]
    fn a_part_without_partitions_says_nothing_for_those_that_have_some() {
        let mut all = Replication {
            health_reason: "there is nothing to copy".to_owned(),
            ..empty("HEALTHY")
        };
        all.add(part("HEALTHY", true));
        assert_eq!((all.partitions, &*all.health_reason), (2, "it is HEALTHY"));
        // Who only looks after topics copies nothing, so nothing is copied where all that copy stand.
        for (mut one, other) in [
            (empty("HEALTHY"), part("FAILED", true)),
            (part("FAILED", true), empty("HEALTHY")),
        ] {
            one.add(other);
            assert_eq!(
                (&*one.health, &*one.health_reason),
                ("FAILED", "it is FAILED")
            );
        }
    }
}
