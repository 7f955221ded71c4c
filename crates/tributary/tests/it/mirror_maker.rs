//! MirrorMaker 2's file, run between real clusters: names, cycles, positions, and the launcher's exit codes.

use std::path::Path;
use std::time::Duration;

use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::tools::{KafkaTools, MIRROR_MAKER};
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Codec, Generator, Load, Shape};

use crate::support::{NEW, OLD};
use crate::support::{
    Run, bootstrap, committed, compared, new_topic, offsets, pair, program, stored, unique,
    wait_for_offsets,
};

const SEED: u64 = 4_417;

/// Two clusters that copy to each other, as a file says, with topics of one test only.
struct Both {
    folder: tempfile::TempDir,
    source: &'static KafkaCluster,
    destination: &'static KafkaCluster,
    west: String,
    east: String,
    topics: String,
}

impl Both {
    async fn new() -> Self {
        let (source, destination) = pair(OLD, NEW).await;
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            source,
            destination,
            west: unique("west"),
            east: unique("east"),
            topics: unique("mirrored"),
        }
    }

    /// The file; `more` is added to it.
    fn file(&self, more: &str) -> String {
        let Self {
            west, east, topics, ..
        } = self;
        let (from, to) = (bootstrap(self.source), bootstrap(self.destination));
        let text = format!(
            "clusters = {west}, {east}\n\
             {west}.bootstrap.servers = {from}\n\
             {east}.bootstrap.servers = {to}\n\
             {west}->{east}.enabled = true\n\
             {east}->{west}.enabled = true\n\
             # copies match too: only the rule on cycles keeps them back\n\
             topics = .*{topics}.*\n\
             replication.factor = 1\n\
             offset.storage.replication.factor = 1\n\
             offset.storage.partitions = 1\n\
             refresh.topics.interval.seconds = 1\n\
             {more}\n"
        );
        let path = self.folder.path().join("mm2.properties");
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    async fn until_caught_up(&self, more: &str, arguments: &[&str]) -> Run {
        let file = self.file(more);
        let mut all = vec!["mirror-maker", &file, "--progress", "off"];
        all.extend(["--until-caught-up", "--hold", "3s"]);
        all.extend(arguments);
        let all: Vec<_> = all.iter().map(|text| (*text).to_owned()).collect();
        Run::to_end(&program(&all)).await
    }
}

async fn fill(cluster: &KafkaCluster, topic: &str, partitions: i32) {
    new_topic(cluster, topic, partitions, &[]).await;
    more(cluster, topic, partitions).await;
}

async fn more(cluster: &KafkaCluster, topic: &str, partitions: i32) {
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::Zstd)
        .send(Generator::new(Shape::uniform(SEED, partitions, 200)).take(400))
        .await
        .expect("acknowledged");
}

#[tokio::test]
async fn a_file_with_flows_both_ways_copies_under_prefixed_names_and_never_back() {
    let both = Both::new().await;
    let (west, east, topics) = (&both.west, &both.east, &both.topics);
    let (one, other) = (format!("{topics}-w"), format!("{topics}-e"));
    fill(both.source, &one, 3).await;
    fill(both.destination, &other, 2).await;
    let (there, here) = (format!("{west}.{one}"), format!("{east}.{other}"));

    // The second run finds the copies of the first among the topics, and its positions.
    for round in 0..2 {
        if round > 0 {
            more(both.source, &one, 3).await;
        }
        let run = both.until_caught_up("", &[]).await.ended_with(0);
        for (original, copy) in [
            (
                committed(both.source, &one),
                stored(both.destination, &there),
            ),
            (
                committed(both.destination, &other),
                stored(both.source, &here),
            ),
        ] {
            let verdict = compared(&original, &copy).await;
            assert!(
                verdict.is_equal(),
                "round {round}, seed {SEED}: {verdict}\n{run}"
            );
        }
    }
    for (cluster, cycle) in [
        (both.source, format!("{east}.{there}")),
        (both.destination, format!("{west}.{here}")),
    ] {
        assert_eq!(offsets(&committed(cluster, &cycle)).await, 0, "{cycle}");
    }
    for (cluster, alias) in [(both.destination, west), (both.source, east)] {
        let positions = format!("mm2-offsets.{alias}.internal");
        let kept = offsets(&committed(cluster, &positions)).await;
        assert!(kept > 0, "positions of the flow are in {positions}");
    }
}

#[tokio::test]
async fn a_process_limited_to_a_cluster_leaves_the_other_direction_alone_and_keeps_names_if_told_so()
 {
    let both = Both::new().await;
    let (east, topics) = (&both.east, &both.topics);
    let (one, other) = (format!("{topics}-w"), format!("{topics}-e"));
    fill(both.source, &one, 2).await;
    fill(both.destination, &other, 1).await;
    let policy =
        "replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy";
    let run = both.until_caught_up(policy, &["--clusters", east]).await;
    let run = run.ended_with(0);
    let verdict = compared(
        &committed(both.source, &one),
        &stored(both.destination, &one),
    )
    .await;
    assert!(verdict.is_equal(), "seed {SEED}: {verdict}\n{run}");
    assert_eq!(offsets(&committed(both.source, &other)).await, 0);
}

#[tokio::test]
async fn under_kafkas_name_the_program_has_kafkas_exit_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let launcher = folder.path().join("connect-mirror-maker.sh");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tributary"), &launcher).expect("a link");
    let file = folder.path().join("mm2.properties");
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    let name = file.display().to_string();
    let run = async |arguments: &[&str]| {
        let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let process = TributaryProcess::start(Path::new(&launcher), &arguments);
        Run::to_end(&process.expect("it starts")).await
    };

    run(&[]).await.ended_with(255);
    run(&[&name, "--nonsense"]).await.ended_with(255);

    write("clusters = a, b\na.bootstrap.servers = a:1\n");
    let wrong = run(&[&name]).await.ended_with(2);
    assert!(wrong.error.contains("b.bootstrap.servers: "), "{wrong}");

    write(
        "clusters = a, b\na.bootstrap.servers = 127.0.0.1:1\nb.bootstrap.servers = 127.0.0.1:2\n\
         a->b.enabled = true\n",
    );
    let unreachable = run(&[&name]).await.ended_with(3);
    let sentence = "error: link a->b cannot start: ";
    assert!(unreachable.error.contains(sentence), "{unreachable}");
}

#[tokio::test]
async fn under_the_name_of_connects_standalone_worker_a_file_of_a_connector_has_a_code_of_its_own()
{
    let folder = tempfile::tempdir().expect("a folder");
    let launcher = folder.path().join("connect-standalone.sh");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tributary"), &launcher).expect("a link");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    };
    let run = async |arguments: &[String]| {
        let process = TributaryProcess::start(Path::new(&launcher), arguments);
        Run::to_end(&process.expect("it starts")).await
    };
    let positions = folder.path().join("positions");
    let good = format!(
        "listeners=http://127.0.0.1:0\noffset.storage.file.filename={}\n",
        positions.display()
    );
    let good = write("worker.properties", &good);
    let wrong = write("wrong.properties", "connect.protocol=none\n");
    run(&[wrong]).await.ended_with(2);
    for (name, text) in [
        ("half.json", "{\"a\":"),
        ("unknown.properties", "name=x\nconnector.class=x\n"),
    ] {
        run(&[good.clone(), write(name, text)]).await.ended_with(3);
    }
    run(&[good, "nowhere.json".to_owned()]).await.ended_with(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_maker_2_that_was_stopped_is_taken_over_where_it_was() {
    let both = Both::new().await;
    let (west, east, topics) = (&both.west, &both.east, &both.topics);
    let topic = format!("{topics}-w");
    let copy = stored(both.destination, &format!("{west}.{topic}"));
    fill(both.source, &topic, 3).await;
    let lines = format!(
        "{east}->{west}.enabled = false\noffset.flush.interval.ms = 1000\nemit.heartbeats.enabled = false\n\
         emit.checkpoints.enabled = false\noffset-syncs.topic.replication.factor = 1\n\
         config.storage.replication.factor = 1\nstatus.storage.replication.factor = 1\n\
         {west}.bootstrap.servers = {}\n{east}.bootstrap.servers = {}",
        both.source.bootstrap(),
        both.destination.bootstrap()
    );
    let file = both.file(&lines);
    let log = both.folder.path().join("mm2.log");
    let tools = KafkaTools::for_version(NEW).expect("jars");
    let mirror_maker = tools
        .start(MIRROR_MAKER, &[&file], &log)
        .expect("Java starts");
    wait_for_offsets(&copy, 400).await;
    // It is stopped in mid-copy, while more is being written.
    more(both.source, &topic, 3).await;
    let pid = mirror_maker.pid().to_string();
    let asked = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(asked.expect("kill runs").success());
    let ended = async || match mirror_maker.status() {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    eventually("MirrorMaker 2 to end", Duration::from_secs(60), ended)
        .await
        .expect("it ends");
    let copied = offsets(&copy).await;
    more(both.source, &topic, 3).await;
    let run = both.until_caught_up(&lines, &[]).await.ended_with(0);
    let verdict = compared(&committed(both.source, &topic), &copy).await;
    println!("{copied} records were copied by MirrorMaker 2; {verdict}");
    assert!(verdict.is_equal(), "seed {SEED}: {verdict}\n{run}");
}
