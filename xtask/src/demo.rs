//! `cargo xtask demo`: the main job, live, on real clusters with real data.
//!
//! ```text
//!  west     earthquakes  flights  (airports) ──┐  one worker, two links   ┌─▶ west.earthquakes  west.flights  west.airports
//!  east     flights  birdstrikes             ──┴───── tributary ──────────┴─▶ east.flights  east.birdstrikes     central
//! ```
//! Three one-node Kafka clusters; Kafka's own console producer brings public data into the regions and goes on at a
//! steady rate; one standalone worker aggregates both into the central cluster. While it runs a topic is created and
//! another gets more partitions, so that a watcher sees both arrive. A third link fails on purpose: the control center, whose
//! address is printed, says why, and how it is mended.
//!
//! Invariants:
//! * Nothing is left behind on any way out: brokers, producers and the worker belong to values that are dropped when
//!   this returns, and the kernel ends them when this process is killed.
//! * Success means that every topic of both regions was compared, record by record, by librdkafka and found equal.

mod data;
mod producer;
mod summary;
mod worker;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::kafka_jars::KafkaVersion;
use test_support::run_directory::RunDirectory;
use test_support::tools::{KafkaTools, TOPIC_COMMAND};
use tokio::time::Instant;

use crate::build::{self, Profile};
use crate::failure::{Attempt as _, Failure, Result};
use crate::interrupt::Interrupt;
use crate::judge::Judge;
use crate::{duration, kafka, output, setup};
use data::DataSet;
use producer::{Feed, Producer};
use worker::Worker;

/// How long it runs where nobody can press Ctrl-C.
const UNATTENDED: Duration = Duration::from_secs(120);
/// How often the copies are looked at.
const PULSE: Duration = Duration::from_millis(500);
/// Every so many looks, a line says how much is where.
const COUNTS_EVERY: u32 = 20;

/// Options of the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoOptions {
    /// End after this time (such as 90s or 5m) with a comparison of all copies; 2m where there is no terminal
    #[arg(long = "for", value_parser = duration::parse)]
    length: Option<Duration>,
}

/// Everything that is built and fetched before something runs.
struct Prepared {
    tools: KafkaTools,
    data: DataSet,
    tributary: PathBuf,
    judge: Judge,
}

/// Runs the demo.
pub(crate) fn run(root: &Path, options: &DemoOptions) -> Result<()> {
    output::heading("set-up");
    setup::ensure(setup::FOR_DEMO)?;
    let prepared = Prepared {
        tools: kafka::tools(KafkaVersion::default())?,
        data: data::provide(&root.join("target").join("demo"))?,
        tributary: build::tributary(root, Profile::Debug)?,
        judge: Judge::build(root, Profile::Debug)?,
    };
    let attended = std::io::stdout().is_terminal();
    let length = options
        .length
        .or(if attended { None } else { Some(UNATTENDED) });
    crate::runtime()?.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        interrupt.or(play(prepared, length)).await?
    })
}

async fn play(prepared: Prepared, length: Option<Duration>) -> Result<()> {
    let directory = RunDirectory::new("demo").attempting("make a directory for the demo")?;
    let mut stage = Stage::set(&prepared, directory).await?;
    stage.fill(&prepared.data).await?;
    let mut worker = stage.start_worker()?;
    let address = worker.address().await?;
    stage.explain(&address, length);
    stage.watch(&mut worker, &prepared, length).await?;
    output::heading("stopping the producers, comparing every record on both sides");
    stage.stop_producers().await?;
    let equal = summary::compare(
        &prepared.judge,
        &stage.regions(),
        &stage.central.bootstrap(),
    )
    .await;
    worker.relay()?;
    if equal? {
        output::line("every copy is complete and equal: key, value, headers, timestamp, order");
        return Ok(());
    }
    Err(Failure::new(
        "not every copy is complete and equal; see the table",
    ))
}

/// The clusters and the producers.
struct Stage {
    // Fields are dropped in order: producers before the clusters they write to.
    producers: Vec<Producer>,
    tools: KafkaTools,
    west: KafkaCluster,
    east: KafkaCluster,
    central: KafkaCluster,
    tributary: PathBuf,
    directory: RunDirectory,
}

impl Stage {
    /// Starts the clusters and creates the topics of the regions.
    async fn set(prepared: &Prepared, directory: RunDirectory) -> Result<Self> {
        output::heading("three clusters: west, east, central");
        let builder = |name| KafkaCluster::builder().name(name);
        let [west, east, central] =
            ClusterBuilder::start_all(["west", "east", "central"].map(builder))
                .await
                .attempting("start the clusters")?;
        for cluster in [&west, &east, &central] {
            output::line(format!("   {}: {}", cluster.name(), cluster.bootstrap()));
        }
        let tools = prepared.tools.clone();
        output::line("   creating topics with kafka-topics");
        let (west_at, east_at) = (west.bootstrap(), east.bootstrap());
        let created = tokio::try_join!(
            tools.create_topic(&west_at, "earthquakes", 3, &["cleanup.policy=compact"]),
            tools.create_topic(&west_at, "flights", 4, &["retention.ms=604800000"]),
            tools.create_topic(&east_at, "flights", 4, &["retention.ms=604800000"]),
            tools.create_topic(&east_at, "birdstrikes", 2, &[]),
        );
        created.attempting("create the topics")?;
        Ok(Self {
            producers: Vec::new(),
            tools,
            west,
            east,
            central,
            tributary: prepared.tributary.clone(),
            directory,
        })
    }

    /// Starts the producers: all data at once, then a steady rate.
    async fn fill(&mut self, data: &DataSet) -> Result<()> {
        output::line("   loading public data with kafka-console-producer");
        let (west, east) = (self.west.bootstrap(), self.east.bootstrap());
        self.produce(&west, "earthquakes", &data.earthquakes, 40, "zstd")?;
        self.produce(&west, "flights", &data.flights_west, 150, "lz4")?;
        self.produce(&east, "flights", &data.flights_east, 250, "snappy")?;
        self.produce(&east, "birdstrikes", &data.birdstrikes, 60, "gzip")?;
        for producer in &self.producers {
            producer.check()?;
        }
        Ok(())
    }

    fn produce(
        &mut self,
        bootstrap: &str,
        topic: &str,
        lines: &[String],
        rate: usize,
        codec: &'static str,
    ) -> Result<()> {
        let feed = Feed {
            bootstrap: bootstrap.to_owned(),
            topic: topic.to_owned(),
            lines: lines.to_vec(),
            rate,
            codec,
        };
        self.producers.push(Producer::start(
            self.tools.jars(),
            self.directory.path(),
            feed,
        )?);
        Ok(())
    }

    fn start_worker(&self) -> Result<Worker> {
        output::heading(
            "one worker: west and east into central, and a third link with a fault in it",
        );
        Worker::start(
            &self.tributary,
            self.directory.path(),
            &self.regions(),
            &self.central.bootstrap(),
        )
    }

    fn regions(&self) -> [(&'static str, String); 2] {
        [
            ("west", self.west.bootstrap()),
            ("east", self.east.bootstrap()),
        ]
    }

    fn explain(&self, address: &str, length: Option<Duration>) {
        let consumer = format!(
            "{} -cp '{}' org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server {} \
             --topic west.earthquakes --from-beginning",
            self.tools.jars().java().display(),
            self.tools.jars().classpath(),
            self.central.bootstrap()
        );
        output::heading(format!("the control center: {address}/ui/"));
        output::line("   Three things to try in it:");
        output::line(format!(
            "   1. The link `{}` fails. Open it and read why; then Edit, and set its source to {}:\n      \
             it copies east's bird strikes a second time.",
            worker::FAILING,
            self.east.bootstrap()
        ));
        output::line(
            "   2. Pause `west-to-central`, watch its lag on the tab Lag while west goes on, and resume it.",
        );
        output::line(format!(
            "   3. Create a link: source {}, destination {}, topics `flights`,\n      \
             name of the copies `mine.${{topic}}`; see the preview before anything is done.",
            self.west.bootstrap(),
            self.central.bootstrap()
        ));
        output::heading("what to look at in this terminal");
        output::line(
            "   - lines `tributary |` are the worker's own; lines `central` count what has arrived",
        );
        output::line(
            "   - soon a topic is created in west, then flights in east gets two more partitions",
        );
        output::line(format!(
            "   - links and positions: {}",
            self.directory.path().display()
        ));
        output::line(format!(
            "   - how it fares, from another terminal: {} status --url {address}",
            self.tributary.display()
        ));
        output::line(format!(
            "   - read a copy yourself, from another terminal:\n     {consumer}"
        ));
        match length {
            Some(length) => {
                output::line(format!(
                    "   It ends by itself after {}.\n",
                    output::spoken(length)
                ));
            }
            None => output::line("   Ctrl-C ends everything and leaves nothing behind.\n"),
        }
    }

    /// Shows what happens until the time is over; without a length until the caller drops this.
    async fn watch(
        &mut self,
        worker: &mut Worker,
        prepared: &Prepared,
        length: Option<Duration>,
    ) -> Result<()> {
        let began = Instant::now();
        // Short demos see both changes too.
        let unit = length.unwrap_or(UNATTENDED).min(UNATTENDED) / 6;
        let mut events = vec![(unit * 3, Event::MorePartitions), (unit, Event::NewTopic)];
        let mut awaited: Vec<Awaited> = Vec::new();
        let mut pulse: u32 = 0;
        while length.is_none_or(|length| began.elapsed() < length) {
            worker.relay()?;
            for producer in &self.producers {
                producer.check()?;
            }
            if events
                .last()
                .is_some_and(|(due, _)| began.elapsed() >= *due)
            {
                let (_, event) = events.pop().expect("one was looked at in the line above");
                awaited.push(self.change(event, &prepared.data).await?);
            }
            if pulse.is_multiple_of(COUNTS_EVERY) || !awaited.is_empty() {
                let ends = prepared.judge.ends(&self.central.bootstrap()).await?;
                awaited.retain(|awaited| !awaited.has_arrived(&ends));
                if pulse.is_multiple_of(COUNTS_EVERY) {
                    output::line(counts(began.elapsed(), &ends));
                }
            }
            pulse += 1;
            tokio::time::sleep(PULSE).await;
        }
        Ok(())
    }

    async fn change(&mut self, event: Event, data: &DataSet) -> Result<Awaited> {
        let (west, east) = (self.west.bootstrap(), self.east.bootstrap());
        match event {
            Event::NewTopic => {
                output::line(">> west: creating the topic airports with 3 partitions");
                self.tools
                    .create_topic(&west, "airports", 3, &["compression.type=zstd"])
                    .await
                    .attempting("create a topic")?;
                let since = Instant::now();
                self.produce(&west, "airports", &data.airports, 20, "zstd")?;
                Ok(Awaited {
                    copy: "west.airports",
                    partitions: 3,
                    since,
                })
            }
            Event::MorePartitions => {
                output::line(">> east: flights grows from 4 to 6 partitions");
                let grow = [
                    "--bootstrap-server",
                    &east,
                    "--alter",
                    "--topic",
                    "flights",
                    "--partitions",
                    "6",
                ];
                self.tools
                    .run(TOPIC_COMMAND, &grow)
                    .await
                    .attempting("add partitions")?;
                Ok(Awaited {
                    copy: "east.flights",
                    partitions: 6,
                    since: Instant::now(),
                })
            }
        }
    }

    async fn stop_producers(&mut self) -> Result<()> {
        for producer in self.producers.drain(..) {
            producer.finish().await?;
        }
        Ok(())
    }
}

/// A change at a source.
#[derive(Debug, Clone, Copy)]
enum Event {
    NewTopic,
    MorePartitions,
}

/// A change that should show in the central cluster.
#[derive(Debug)]
struct Awaited {
    copy: &'static str,
    partitions: usize,
    since: Instant,
}

impl Awaited {
    fn has_arrived(&self, central: &crate::judge::Ends) -> bool {
        let arrived = central
            .get(self.copy)
            .is_some_and(|spans| spans.len() >= self.partitions);
        if arrived {
            let took = output::spoken(self.since.elapsed());
            let partitions = self.partitions;
            output::line(format!(
                "<< central: {} has {partitions} partitions, {took} later",
                self.copy
            ));
        }
        arrived
    }
}

/// One line: how much each copy holds.
fn counts(elapsed: Duration, central: &crate::judge::Ends) -> String {
    let seconds = elapsed.as_secs();
    let held: Vec<String> = central
        .keys()
        .map(|topic| format!("{topic} {}", summary::held(central, topic)))
        .collect();
    format!(
        "   central {:>2}:{:02} | {}",
        seconds / 60,
        seconds % 60,
        held.join(" · ")
    )
}
