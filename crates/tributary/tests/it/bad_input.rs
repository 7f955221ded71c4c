//! Bad input gets a clear sentence, says what can be done, and ends with a code that is not 0.

use std::time::Duration;

use test_support::fake_broker::{FakeBroker, Reply, Request};
use test_support::kafka_cluster::KafkaCluster;
use tokio::time::Instant;

use crate::support::{
    NEW, Replicate, Run, bootstrap, both_directions, new_topic, pair, program, unique,
};

/// Nobody listens on the first ports.
const NOBODY: &str = "127.0.0.1:1,127.0.0.1:2";
/// An address that is wrong must not keep anybody waiting.
const SOON: Duration = Duration::from_secs(45);

async fn run(arguments: &[&str]) -> Run {
    let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
    Run::to_end(&program(&arguments)).await
}

/// Fails unless the run ended with the code and all the words stand on one line.
fn says(run: Run, code: i32, words: &[&str]) {
    let run = run.ended_with(code);
    let line = [&run.error, &run.output]
        .into_iter()
        .flat_map(|text| text.lines())
        .find(|line| words.iter().all(|word| line.contains(word)));
    let line = line.unwrap_or_else(|| panic!("no line with all of {words:?}: {run}"));
    println!("  {code}: {line}");
    assert!(!run.error.contains("panicked"), "{run}");
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_is_named_with_its_side_and_addresses() {
    let (source, destination) = pair(NEW, NEW).await;
    let here = bootstrap(destination);
    for name in [&[][..], &["--name", "unreachable"]] {
        let begin = Instant::now();
        let command = Replicate::between(NOBODY, &here, "orders").with(name);
        let words = ["error: ", "source", "127.0.0.1:1", "127.0.0.1:2", "refused"];
        says(command.until_caught_up().await, 1, &words);
        let took = begin.elapsed();
        assert!(took < SOON, "source: {took:?}");
        println!("  after {took:?}");

        let begin = Instant::now();
        let command = Replicate::between(&bootstrap(source), NOBODY, "orders").with(name);
        let words = [
            "error: ",
            "destination",
            "127.0.0.1:1",
            "127.0.0.1:2",
            "refused",
        ];
        says(command.until_caught_up().await, 1, &words);
        let took = begin.elapsed();
        assert!(took < SOON, "destination: {took:?}");
        println!("  after {took:?}");
    }
    let command = Replicate::between("nobody.invalid:9092", &here, "orders");
    says(
        command.until_caught_up().await,
        1,
        &["error: ", "source", "nobody.invalid:9092"],
    );
}

#[tokio::test]
async fn wrong_usage_is_code_2_and_names_the_option() {
    let sides = ["replicate", "--from", NOBODY, "--to", NOBODY];
    let with = |more: &[&'static str]| [&sides[..], more].concat();
    says(
        run(&with(&["--topics", "a", "--renam", "x"])).await,
        2,
        &["error: ", "--renam"],
    );
    let similar = run(&with(&["--topics", "a", "--renam", "x"])).await;
    assert!(
        similar.error.contains("--rename"),
        "the right spelling is shown: {similar}"
    );
    says(run(&with(&[])).await, 2, &["error: ", "required"]);
    says(run(&["replicat"]).await, 2, &["error: ", "replicat"]);
    says(
        run(&[
            "replicate",
            "--from",
            "host",
            "--to",
            NOBODY,
            "--topics",
            "a",
        ])
        .await,
        2,
        &["error: ", "host", "port"],
    );
    says(
        run(&with(&[
            "--topics",
            "a",
            "--until-caught-up",
            "--hold",
            "soon",
        ]))
        .await,
        2,
        &["error: ", "--hold", "soon"],
    );
    says(
        run(&with(&["--topics", "a", "--rename", "x.${tpoic}"])).await,
        2,
        &["error: ", "topic.rename.format", "${tpoic}"],
    );
    let no_copy = run(&with(&["--topics", "a", "--set", "tributary.on.gpa=stop"])).await;
    says(
        no_copy,
        2,
        &[
            "error: ",
            "tributary.on.gpa",
            "did you mean tributary.on.gap",
        ],
    );
    says(
        run(&with(&[
            "--topics",
            "a",
            "--set",
            "tributary.on.gap=perhaps",
        ]))
        .await,
        2,
        &["error: ", "tributary.on.gap=perhaps", "stop"],
    );
    says(
        run(&with(&[
            "--topics",
            "a",
            "--set",
            "topic.poll.interval.ms=soon",
        ]))
        .await,
        2,
        &["error: ", "topic.poll.interval.ms=soon", "--set"],
    );
}

#[tokio::test]
async fn a_regular_expression_that_is_none_is_refused_with_the_place() {
    for (pattern, words) in [
        (
            "orders(",
            &["error: ", "--topics", "orders(", "character"][..],
        ),
        (
            "*.orders",
            &["error: ", "--topics", "did you mean .*\\.orders"],
        ),
        ("a{2,1}", &["error: ", "--topics", "a{2,1}"]),
    ] {
        let command = Replicate::between(NOBODY, NOBODY, pattern);
        says(command.until_caught_up().await, 2, words);
    }
    let command = Replicate::between(NOBODY, NOBODY, "a").with(&["--exclude", "[z"]);
    says(
        command.until_caught_up().await,
        2,
        &["error: ", "--exclude", "[z"],
    );
}

#[tokio::test]
async fn nothing_selected_is_not_ready_and_a_wild_card_is_explained() {
    both_directions(nothing_selected).await;
}

async fn nothing_selected(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("wild.orders");
    new_topic(source, &topic, 1, &[]).await;
    let begin = Instant::now();
    let run = Replicate::new(source, destination, "wild-orders*")
        .until_caught_up()
        .await;
    says(
        run,
        3,
        &[" WARN ", "--topics 'wild-orders*'", "wild-orders.*"],
    );
    println!("  after {:?}", begin.elapsed());
    let run = Replicate::new(source, destination, "nothing-is-called-so")
        .until_caught_up()
        .await;
    says(run, 3, &["no topic is selected", "seen"]);
}

#[tokio::test]
async fn one_cluster_on_both_sides_is_refused_by_its_id() {
    both_directions(async |cluster, _| on_both_sides(cluster).await).await;
}

async fn on_both_sides(cluster: &KafkaCluster) {
    let again = cluster.bootstrap().replace("127.0.0.1", "localhost");
    for name in [&[][..], &["--name", "loop"]] {
        let command = Replicate::between(&cluster.proxied_bootstrap(), &again, "orders").with(name);
        let words = [
            "error: ",
            "same cluster",
            cluster.cluster_id(),
            "topic.rename.format",
        ];
        says(command.until_caught_up().await, 1, &words);
    }
}

#[tokio::test]
async fn positions_are_not_kept_in_a_topic_that_would_lose_them() {
    both_directions(forgetful).await;
}

async fn forgetful(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("forgetful");
    new_topic(source, &topic, 1, &[]).await;
    let link = Replicate::new(source, destination, &topic);
    let positions = format!("tributary.{}.offsets.internal", link.name());
    new_topic(destination, &positions, 1, &[]).await;
    let words = [
        "error: ",
        "would lose positions",
        &format!("--entity-name {positions} --add-config cleanup.policy=compact"),
    ];
    says(link.until_caught_up().await, 1, &words);
}

/// A broker of the years before 2.4: few versions, and an ApiVersions answer of version 0 whatever was asked.
fn too_old(request: &Request) -> Reply {
    // API key, lowest and highest version: Produce, Fetch, ListOffsets, Metadata, ApiVersions of Kafka 0.10.
    const RANGES: [[i16; 3]; 5] = [[0, 0, 2], [1, 0, 3], [2, 0, 1], [3, 0, 2], [18, 0, 0]];
    if request.api_key != 18 {
        return Reply::Close;
    }
    let code: i16 = if request.version > 0 { 35 } else { 0 };
    let mut body = code.to_be_bytes().to_vec();
    body.extend((5_i32).to_be_bytes());
    body.extend(
        RANGES
            .iter()
            .flatten()
            .flat_map(|number| number.to_be_bytes()),
    );
    Reply::Body(body)
}

#[tokio::test]
async fn a_destination_that_is_too_old_is_refused_with_its_versions() {
    let (cluster, _) = pair(NEW, NEW).await;
    let old = FakeBroker::start(too_old).await.expect("a port");
    let address = old.address().to_string();
    for name in [&[][..], &["--name", "old"]] {
        let begin = Instant::now();
        let command = Replicate::between(&bootstrap(cluster), &address, "orders").with(name);
        let words = [
            "error: ",
            "destination",
            &address,
            "too old",
            "Kafka 2.4 or newer",
        ];
        says(command.until_caught_up().await, 1, &words);
        assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    }
    let command = Replicate::between(&address, &bootstrap(cluster), "orders");
    says(
        command.until_caught_up().await,
        1,
        &["error: ", "source", &address, "too old"],
    );
}

/// A worker's file and a link's file that can be used, and room for some that cannot.
struct Files {
    folder: tempfile::TempDir,
    worker: String,
    link: String,
}

impl Files {
    fn new() -> Self {
        let mut files = Self {
            folder: tempfile::tempdir().expect("a folder"),
            worker: String::new(),
            link: String::new(),
        };
        let positions = files.path("positions");
        let worker =
            format!("bootstrap.servers={NOBODY}\noffset.storage.file.filename={positions}\n");
        files.worker = files.write("worker.properties", worker.as_bytes());
        files.link = files.write("link.properties", link_settings().as_bytes());
        files
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

fn link_settings() -> String {
    // Other brokers than the worker's, which are the destination.
    "name=west\nsrc.kafka.bootstrap.servers=127.0.0.1:3\ntopic.regex=a.*\n".to_owned()
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_with_the_line_or_key() {
    let files = Files::new();
    let (worker, good, link) = (&files.worker, &files.link, link_settings());
    let write = |name: &str, text: &[u8]| files.write(name, text);
    let missing = files.path("no-such-file.properties");
    says(
        run(&["standalone", &missing, good]).await,
        2,
        &["error: ", "no-such-file.properties", "cannot be read"],
    );
    says(
        run(&["standalone", worker, &missing]).await,
        2,
        &["error: ", "no-such-file.properties"],
    );
    let broken = write("broken.properties", b"name=west\ntopic.regex=\\u00zz\n");
    says(
        run(&["standalone", worker, &broken]).await,
        2,
        &["error: ", "broken.properties", "\\u"],
    );
    let unknown = write(
        "unknown.properties",
        format!("{link}tributary.on.gpa=stop\n").as_bytes(),
    );
    says(
        run(&["standalone", worker, &unknown]).await,
        2,
        &[
            "error: ",
            "unknown.properties",
            "tributary.on.gpa",
            "did you mean tributary.on.gap",
        ],
    );
    let nameless = write("nameless.properties", b"topic.regex=a.*\n");
    says(
        run(&["standalone", worker, &nameless]).await,
        2,
        &["error: ", "nameless.properties", "name"],
    );
    says(
        run(&["standalone", worker, good, good]).await,
        2,
        &["error: ", "west"],
    );
    let json = write("broken.json", b"{\"name\": \"west\", ");
    says(
        run(&["standalone", worker, &json]).await,
        2,
        &["error: ", "broken.json"],
    );
}

#[tokio::test]
async fn positions_in_javas_form_are_refused_and_left_alone() {
    let files = Files::new();
    let positions = files.write("positions", b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap");
    says(
        run(&["standalone", &files.worker, &files.link]).await,
        1,
        &[
            "error: ",
            &positions,
            "Java",
            "offset.storage.file.filename",
        ],
    );
    let kept = std::fs::read(&positions).expect("still there");
    assert!(kept.starts_with(b"\xac\xed"), "the file is left as it was");
}
