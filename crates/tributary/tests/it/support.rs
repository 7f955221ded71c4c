//! What these tests have in common: clusters, the command line of the program, comparisons.
//!
//! Invariants:
//! * Every bootstrap list given to the program begins with a host that does not answer.
//! * A run that is not meant to meet trouble prints no warning: [`Run::quiet`].

use std::path::Path;
use std::process::ExitStatus;
use std::sync::LazyLock;
use std::time::Duration;

use test_support::eventually::eventually_true;
use test_support::judge::{self, Place, Verdict};
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::limits::{self, RECOVER};
use test_support::managed_process::Stream;
use test_support::raw;
use test_support::shared;
use test_support::tools::{self, KafkaTools};
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{self, Mode, RunningLoad};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, MutexGuard};

/// The default version, twice: most tests go from the first to the second.
pub(crate) const NEW: KafkaVersion = KafkaVersion::V4_3_1;
/// The second version.
pub(crate) const OLD: KafkaVersion = KafkaVersion::V3_9_1;
/// Copies get the next free offsets, as where they cannot be preserved.
pub(crate) const MAPPED: [&str; 2] = ["--set", "tributary.offsets=map"];
/// Longest wait for a copy of a test's size to be complete, on a busy machine.
pub(crate) const COPIED: Duration = Duration::from_secs(90);
/// Nobody listens on port 1.
const DEAD: &str = "127.0.0.1:1";

/// Two shared clusters without faults.
pub(crate) async fn pair(
    source: KafkaVersion,
    destination: KafkaVersion,
) -> (&'static KafkaCluster, &'static KafkaCluster) {
    shared::pair(source, destination)
        .await
        .expect("shared clusters")
}

/// The same from the second version to the default one and the other way round, both at once: each of them is the source
/// once, and once the destination.
pub(crate) async fn both_directions(
    test: impl AsyncFn(&'static KafkaCluster, &'static KafkaCluster),
) {
    let (old, new) = pair(OLD, NEW).await;
    tokio::join!(test(old, new), test(new, old));
}

/// A bootstrap list as it is in real life.
pub(crate) fn bootstrap(cluster: &KafkaCluster) -> String {
    format!("{DEAD},{}", cluster.proxied_bootstrap())
}

/// Two clusters behind fault proxies, for one test at a time.
pub(crate) struct Shaken {
    pub(crate) source: KafkaCluster,
    pub(crate) destination: KafkaCluster,
}

/// The runtime of the proxies: they have to outlive the test that started them.
pub(crate) static PROXIES: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads")
});

/// Takes the pair that may be shaken; the test heals what it has broken.
pub(crate) async fn shaken() -> MutexGuard<'static, Option<Shaken>> {
    static SHAKEN: Mutex<Option<Shaken>> = Mutex::const_new(None);
    let mut pair = SHAKEN.lock().await;
    if pair.is_none() {
        let builder = |name: &str| {
            KafkaCluster::builder()
                .name(name)
                .version(limits::version())
                .through_proxy(true)
                .property("log.cleaner.backoff.ms", "200")
        };
        let starting = async move {
            let builders = [builder("shaken-source"), builder("shaken-destination")];
            test_support::kafka_cluster::ClusterBuilder::start_all(builders).await
        };
        let [source, destination] = PROXIES
            .spawn(starting)
            .await
            .expect("starting does not panic")
            .expect("two clusters");
        *pair = Some(Shaken {
            source,
            destination,
        });
    }
    let healthy = pair.as_ref().expect("started above");
    for cluster in [&healthy.source, &healthy.destination] {
        cluster.proxy(0).heal().await;
        if cluster.node(0).pid().is_none() {
            cluster.node(0).start().await.expect("it starts again");
        }
    }
    pair
}

/// A name for topics that sorts, matches as a regular expression, and is nobody else's.
pub(crate) fn unique(name: &str) -> String {
    shared::unique(name)
}

/// Creates a topic.
pub(crate) async fn new_topic(
    cluster: &KafkaCluster,
    topic: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) {
    workload::create_topic(&cluster.bootstrap(), topic, partitions, configs)
        .await
        .expect("a new topic");
}

/// `tributary replicate`, to be started.
pub(crate) struct Replicate {
    arguments: Vec<String>,
}

impl Replicate {
    /// From one cluster to another; the link has a name of its own.
    pub(crate) fn new(source: &KafkaCluster, destination: &KafkaCluster, topics: &str) -> Self {
        Self::between(&bootstrap(source), &bootstrap(destination), topics).with(&[
            "--name",
            &unique("link"),
            "--progress",
            "off",
        ])
    }

    /// From one address to another.
    pub(crate) fn between(from: &str, to: &str, topics: &str) -> Self {
        let arguments = ["replicate", "--from", from, "--to", to, "--topics", topics];
        Self {
            arguments: arguments.map(str::to_owned).to_vec(),
        }
    }

    /// More arguments.
    pub(crate) fn with(mut self, more: &[&str]) -> Self {
        self.arguments
            .extend(more.iter().map(|text| (*text).to_owned()));
        self
    }

    /// Replaces the link's name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        let at = self
            .arguments
            .iter()
            .position(|text| text == "--name")
            .expect("given by new()");
        name.clone_into(&mut self.arguments[at + 1]);
        self
    }

    /// The link's name.
    pub(crate) fn name(&self) -> String {
        let at = self.arguments.iter().position(|text| text == "--name");
        self.arguments[at.expect("given by new()") + 1].clone()
    }

    /// What it is started with.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Starts it to run until it is stopped.
    pub(crate) fn start(&self) -> TributaryProcess {
        program(&self.arguments)
    }

    /// Runs it until everything is copied.
    pub(crate) async fn until_caught_up(&self) -> Run {
        self.until_caught_up_for("1s").await
    }

    /// As [`Self::until_caught_up`], with how long that has to hold.
    pub(crate) async fn until_caught_up_for(&self, hold: &str) -> Run {
        let mut arguments = self.arguments.clone();
        arguments.extend(["--until-caught-up", "--hold", hold].map(str::to_owned));
        Run::to_end(&program(&arguments)).await
    }
}

/// Starts the program.
pub(crate) fn program(arguments: &[String]) -> TributaryProcess {
    let program = limits::program(Path::new(env!("CARGO_BIN_EXE_tributary")));
    TributaryProcess::start(&program, arguments).expect("the program starts")
}

/// A run that has ended.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) error: String,
}

impl Run {
    /// Waits for the end.
    pub(crate) async fn to_end(process: &TributaryProcess) -> Self {
        let status = process.wait(COPIED).await.expect("it ends by itself");
        Self {
            status,
            output: process.text(Stream::Output),
            error: process.text(Stream::Error),
        }
    }

    /// The exit code; a signal is a failure.
    pub(crate) fn code(&self) -> i32 {
        let code = self.status.code();
        code.unwrap_or_else(|| panic!("it was killed: {self}"))
    }

    /// Fails unless the exit code is as expected.
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{self}");
        self
    }

    /// Fails if there was a warning or an error.
    pub(crate) fn quiet(self) -> Self {
        assert_eq!(loud(&self.error), Vec::<&str>::new(), "{self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}\n{}", self.status, self.output, self.error)
    }
}

/// Lines that report trouble.
pub(crate) fn loud(log: &str) -> Vec<&str> {
    let is_loud = |line: &&str| {
        line.contains(" WARN ") || line.contains(" ERROR ") || line.starts_with("error:")
    };
    log.lines().filter(is_loud).collect()
}

/// Transactions of which about 30 % abort.
pub(crate) fn transactions(seed: u64) -> Mode {
    Mode::Transactional {
        id: unique("writer"),
        largest: 80,
        abort_percent: 30,
        seed,
    }
}

/// The copy, seen with everything that is stored: aborted records would be seen.
pub(crate) fn stored(cluster: &KafkaCluster, topic: &str) -> Place {
    Place::new(cluster.bootstrap(), topic).uncommitted()
}

/// What can be read of a topic.
pub(crate) fn committed(cluster: &KafkaCluster, topic: &str) -> Place {
    Place::new(cluster.bootstrap(), topic)
}

/// Compares both sides as they are now.
pub(crate) async fn compared(source: &Place, copy: &Place) -> Verdict {
    let there = judge::read_all(source, COPIED).await.expect("readable");
    let here = judge::read_all(copy, COPIED).await.expect("readable");
    judge::compare(&there, &here)
}

/// Ends the loads and has the link copy the rest; what that run said, and the topics.
pub(crate) async fn all_copied(
    link: &Replicate,
    loads: Vec<(String, RunningLoad)>,
) -> (Run, Vec<String>) {
    let mut topics = Vec::new();
    for (topic, load) in loads {
        load.stop().await.expect("all are acknowledged");
        topics.push(topic);
    }
    let run = link.until_caught_up().await.ended_with(0);
    (run, topics)
}

/// Waits until more has been copied than now.
pub(crate) async fn moves_on(program: &TributaryProcess, copy: &Place) {
    let now = offsets(copy).await;
    let more = async || offsets(copy).await > now;
    eventually_true("progress", 2 * RECOVER, more)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
}

/// Waits until so many records, counted by offsets, are stored.
pub(crate) async fn wait_for_offsets(place: &Place, count: i64) {
    let limit = COPIED;
    test_support::eventually::eventually(
        &format!("{count} offsets in {}", place.topic()),
        limit,
        async || {
            let end = offsets(place).await;
            if end >= count { Ok(()) } else { Err(end) }
        },
    )
    .await
    .expect("they arrive");
}

/// How many offsets are used, over all partitions; 0 where there is no topic.
pub(crate) async fn offsets(place: &Place) -> i64 {
    judge::watermarks(place).await.map_or(0, |marks| {
        marks.values().map(|marks| marks.end - marks.start).sum()
    })
}

/// Waits until a broker behind a proxy got so many more requests of an API: rounds of something that goes round by itself.
pub(crate) async fn asked_again(cluster: &KafkaCluster, api: i16, more: u64) {
    let requests = || cluster.proxy(0).traffic().requests(api);
    let wanted = requests() + more;
    test_support::eventually::eventually("more rounds", COPIED, async || match requests() {
        seen if seen >= wanted => Ok(()),
        seen => Err(seen),
    })
    .await
    .expect("it goes round");
}

/// How many batches partition 0 holds.
pub(crate) async fn batches(cluster: &KafkaCluster, topic: &str) -> usize {
    let bytes = raw::raw_fetch_all(&cluster.bootstrap(), topic, 0).await;
    raw::whole_batches(&bytes.expect("a fetch")).len()
}

/// Kafka's own `kafka-acls`, with the arguments of a command that a program printed or a test wrote.
pub(crate) async fn kafka_acls(cluster: &KafkaCluster, arguments: &[&str]) -> String {
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let bootstrap = cluster.bootstrap();
    let all = [&["--bootstrap-server", &bootstrap], arguments].concat();
    let tool = if cluster.version() == OLD {
        tools::ACL_COMMAND_3
    } else {
        tools::ACL_COMMAND
    };
    kafka.run(tool, &all).await.expect("kafka-acls").output
}
