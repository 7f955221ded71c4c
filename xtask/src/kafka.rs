//! `cargo xtask kafka`: Apache Kafka for tests and by hand.
//!
//! The jars come from Maven by their coordinates and stay under Cargo's build directory; nothing of Kafka is part of
//! this repository. Everything that starts brokers goes through `test-support`, which sees to it that they end.

use test_support::class_archive;
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::{self, KafkaJars, KafkaVersion};
use test_support::tools::KafkaTools;
use tokio::time::Instant;

use crate::failure::{Attempt as _, Result};
use crate::interrupt::Interrupt;
use crate::{output, setup};

/// What to do with Kafka.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KafkaVerb {
    /// Resolve the jars and keep them under target/kafka
    Fetch {
        /// Which versions; all that the tests use if none is given
        versions: Vec<KafkaVersion>,
    },
    /// Run a cluster until Ctrl-C
    Run {
        /// Which version
        #[arg(long, default_value_t = KafkaVersion::default())]
        version: KafkaVersion,
        /// How many nodes
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=3))]
        nodes: u16,
    },
}

/// Runs one of the subcommands.
pub(crate) fn run(verb: &KafkaVerb) -> Result<()> {
    output::heading("set-up");
    setup::ensure(setup::FOR_KAFKA)?;
    match verb {
        KafkaVerb::Fetch { versions } if versions.is_empty() => fetch(&KafkaVersion::ALL),
        KafkaVerb::Fetch { versions } => fetch(versions),
        KafkaVerb::Run { version, nodes } => crate::runtime()?.block_on(serve(*version, *nodes)),
    }
}

/// Provides the jars of these versions and what makes their brokers start sooner, and says where they are.
pub(crate) fn fetch(versions: &[KafkaVersion]) -> Result<()> {
    let runtime = crate::runtime()?;
    for version in versions {
        let jars = jars(*version)?;
        if KafkaVersion::BROKERS.contains(version)
            && !runtime
                .block_on(class_archive::ensure(&jars))
                .attempting(format!("archive the classes of Kafka {version}"))?
        {
            output::line("   this Java archives no classes: brokers start slower");
        }
    }
    Ok(())
}

/// Provides the jars of one version and says where they are.
pub(crate) fn jars(version: KafkaVersion) -> Result<KafkaJars> {
    let began = Instant::now();
    let jars = kafka_jars::fetch(version).attempting(format!("fetch Kafka {version}"))?;
    let took = output::spoken(began.elapsed());
    output::line(format!(
        "   Kafka {version}: {} ({took})",
        jars.directory().display()
    ));
    Ok(jars)
}

/// Kafka's own tools of one version; fetches the jars.
pub(crate) fn tools(version: KafkaVersion) -> Result<KafkaTools> {
    jars(version)?;
    KafkaTools::for_version(version).attempting(format!("find the tools of Kafka {version}"))
}

async fn serve(version: KafkaVersion, nodes: u16) -> Result<()> {
    let mut interrupt = Interrupt::listen()?;
    jars(version)?;
    let starting = KafkaCluster::builder()
        .name("by-hand")
        .version(version)
        .nodes(nodes)
        .start();
    let cluster = interrupt
        .or(starting)
        .await?
        .attempting("start the cluster")?;
    output::line(format!("\nKafka {version} is up: {}", cluster.bootstrap()));
    output::line("Ctrl-C ends it and removes its data.");
    interrupt.wait().await;
    Ok(())
}
