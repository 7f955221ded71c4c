//! What the engine needs of the program: links that can be run, and their positions.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use lifecycle::StopSignal;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::Config;
use crate::detail::{LinkDetail, PreviewOptions};
use crate::view::{Replication, SourceOffset};

/// A future of the host.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A link to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkStart {
    /// The connector's name.
    pub name: String,
    /// Its configuration.
    pub config: Config,
    /// How much of it.
    pub part: Part,
}

/// How much of a link a worker runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// What is there once: topics, partitions and settings of the copies, and what tasks are dealt from. No records.
    Connector,
    /// The records of one task's partitions, and nothing else.
    Task {
        /// Its number.
        number: u32,
        /// How many the link has.
        of: u32,
        /// Its partitions, by source topic.
        partitions: BTreeMap<String, Vec<i32>>,
    },
}

/// Why a link ended by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkFailure {
    /// `class: message`, as Java has it, for tools that read traces.
    pub trace: String,
}

impl LinkFailure {
    /// Why something ended that nobody had asked to end.
    pub(crate) fn of(ended: Result<(), Self>) -> Self {
        let by_itself = || {
            Self::new(
                "java.lang.IllegalStateException",
                "the link ended by itself",
            )
        };
        ended.err().unwrap_or_else(by_itself)
    }

    /// A failure of some class, told in one sentence.
    #[must_use]
    pub fn new(class: &str, message: &str) -> Self {
        Self {
            trace: trace(class, message),
        }
    }
}

/// The longest trace, in bytes: it travels in a record of the status topic, together with others.
const LONGEST_TRACE: usize = 32 * 1024;

/// A trace in Java's form. What is too long is cut. Some readers drop lines that end in a parenthesis, so that none does.
#[must_use]
pub fn trace(class: &str, message: &str) -> String {
    let line = message.replace('\n', " ");
    let line = line.trim();
    let kept = &line[..line.floor_char_boundary(LONGEST_TRACE)];
    let stop = match kept.ends_with(['.', '!', '?']) {
        true if kept.len() == line.len() => "",
        false if kept.len() == line.len() => ".",
        _ => "….",
    };
    format!("{class}: {kept}{stop}")
}

/// A partition that stands until somebody acts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Source topic.
    pub topic: String,
    /// Source partition.
    pub partition: i32,
    /// Why, with what can be done.
    pub reason: String,
}

/// How a running link fares.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LinkReport {
    /// Sums.
    pub replication: Replication,
    /// Source topics with the number of their partitions, and the bytes copied of each.
    pub topics: BTreeMap<String, TopicLoad>,
    /// Partitions that stand.
    pub standing: Vec<Standing>,
    /// All source topics that are to be copied, with the number of their partitions; nothing until that is known.
    pub selected: Option<BTreeMap<String, i32>>,
    /// Destination topics with the number of records written to each since the link started.
    pub written: BTreeMap<String, u64>,
}

/// What a source topic weighs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TopicLoad {
    /// Its partitions.
    pub partitions: i32,
    /// Bytes copied since the link started.
    pub bytes: u64,
}

/// One partition that is to go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resume {
    /// Source topic.
    pub topic: String,
    /// Source partition.
    pub partition: i32,
    /// What is said to what it stands for: `resume`, `skip-record`, `continue`, `append` or `recopy`.
    pub action: String,
    /// The offset at which it is believed to stand.
    pub expected_offset: Option<i64>,
}

/// Why a partition was not resumed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotResumed {
    /// There is no such partition.
    Unknown(String),
    /// It is in another state than was believed.
    Conflict(String),
    /// There is no such action.
    Invalid(String),
}

/// Looks at a running link. Cheap, never waits.
pub trait Probe: Send + Sync {
    /// How it fares now.
    fn look(&self) -> LinkReport;

    /// Lets one partition go on that stands; nothing else is touched.
    fn resume(&self, resume: Resume) -> Pending<Result<(), NotResumed>> {
        let text = format!("{}-{} is not copied", resume.topic, resume.partition);
        Box::pin(std::future::ready(Err(NotResumed::Unknown(text))))
    }

    /// Takes a configuration over that is another only in what a running link can take over. `tasks` is how many the link has:
    /// of a limit each has its part. `false` where it cannot, and has to begin anew.
    fn adjust(&self, config: &Config, tasks: u32) -> bool {
        _ = (config, tasks);
        false
    }

    /// Looks at the topics at once, and begins these partitions of source topics again, those that stand too, while all
    /// others go on. It is done when the future ends.
    fn begin_again(&self, partitions: BTreeMap<String, Vec<i32>>) -> Pending<()> {
        drop(partitions);
        Box::pin(async {})
    }
}

/// Given to a link that is being started, to say that it has.
pub struct Started(pub(crate) oneshot::Sender<Box<dyn Probe>>);

impl Started {
    /// The link runs; `probe` says how it fares from now on.
    pub fn with(self, probe: Box<dyn Probe>) {
        // Where nobody waits for it any more, the link is being stopped.
        drop(self.0.send(probe));
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started")
    }
}

/// A change of stored positions.
#[derive(Clone, PartialEq, Debug)]
pub enum OffsetChange {
    /// All of them are forgotten.
    Reset,
    /// These get another value, or are forgotten.
    Alter(Vec<SourceOffset>),
}

/// Runs links and keeps their positions.
pub trait Host: Send + Sync + 'static {
    /// Runs a link until `stop` is requested; everything that is done has been stored when it ends.
    fn run(
        &self,
        link: LinkStart,
        started: Started,
        stop: StopSignal,
    ) -> Pending<Result<(), LinkFailure>>;

    /// The stored positions of a link, in Connect's form; what is wrong otherwise.
    fn offsets(&self, name: String, config: Config) -> Pending<Result<Vec<SourceOffset>, String>>;

    /// Changes stored positions of a link that does not run.
    fn change_offsets(
        &self,
        name: String,
        config: Config,
        change: OffsetChange,
    ) -> Pending<Result<(), String>>;

    /// Takes the transactional ids of these tasks of a link over, so that whoever had them writes nothing any more.
    /// Nothing where the link does not write in transactions.
    fn fence(
        &self,
        _name: String,
        _config: Config,
        _tasks: Vec<u32>,
    ) -> Pending<Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The id of the worker's own cluster, once it is known.
    fn cluster_id(&self) -> Option<String>;

    /// What is known of a link that runs here; nothing of any other. Cheap, never waits.
    fn detail(&self, _name: &str) -> Option<LinkDetail> {
        None
    }

    /// What a link of this configuration would do, as the document that is shown; what is wrong otherwise.
    fn preview(
        &self,
        _name: String,
        _config: Config,
        _options: PreviewOptions,
    ) -> Pending<Result<Value, String>> {
        Box::pin(std::future::ready(Err(
            "this worker cannot look at clusters".to_owned(),
        )))
    }

    /// Whether a link of this configuration could run, connection by connection and right by right, as the document that is
    /// shown; what is wrong otherwise.
    fn preflight(&self, _name: String, _config: Config) -> Pending<Result<Value, String>> {
        Box::pin(std::future::ready(Err(
            "this worker cannot look at clusters".to_owned(),
        )))
    }

    /// Lets a running link look at its topics now. Whether it runs here.
    fn refresh(&self, _name: &str) -> bool {
        false
    }

    /// Lets the part of a running link that looks after its topics know that one of them, which was made anew on one side, is
    /// copied all the same: whoever has its partitions was told so. Whether that part runs here.
    fn answered(&self, _name: &str, _topic: &str) -> bool {
        false
    }

    /// Lets a running link compare settings of topics now. Whether it runs here.
    fn compare_settings(&self, _name: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::trace;

    #[test]
    fn a_trace_has_one_sentence_and_fits_a_record() {
        assert_eq!(trace("C", "a\nb)"), "C: a b).");
        assert_eq!(trace("C", "why?"), "C: why?");
        let long = trace("C", &"é".repeat(1_000_000));
        assert!(
            long.len() < 40_000 && long.ends_with("é…."),
            "{}",
            long.len()
        );
    }
}
