//! The command line against a living worker: tables, documents, exit codes; and the event stream, read by curl.

mod completion;

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use test_support::eventually::eventually;
use test_support::limits;
use test_support::managed_process::ProcessSpec;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Generator, Load, Shape};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::connect_worker::{SOON, Worker, expect};
use crate::support::{NEW, OLD, Run, bootstrap, new_topic, pair, program, unique};

const SEED: u64 = 55_221;
const EACH: usize = 200;

/// The program as a client of a worker.
struct Asker<'a>(&'a Worker);

impl Asker<'_> {
    fn url(&self) -> String {
        format!("http://{}", self.0.client.address)
    }

    async fn run(&self, arguments: &[&str]) -> Run {
        self.run_at(&self.url(), arguments).await
    }

    /// With another spelling of the worker's address.
    async fn run_at(&self, url: &str, arguments: &[&str]) -> Run {
        let all = [arguments, &["--url", url]].concat();
        let program = limits::program(Path::new(env!("CARGO_BIN_EXE_tributary")));
        let mut spec = ProcessSpec::new("tributary", program).arguments(all);
        // What is kept beside contexts is that of this test.
        let home = self.0.folder.path().join("home");
        spec.environment
            .push(("XDG_CONFIG_HOME".to_owned(), home.into()));
        let process = TributaryProcess::start_spec(spec).expect("it starts");
        Run::to_end(&process).await
    }

    /// Fails unless it ends so; its output otherwise.
    async fn ends(&self, arguments: &[&str], code: i32) -> String {
        self.run(arguments).await.ended_with(code).output
    }
}

/// Links that earlier runs have created go with their files, and no others.
async fn prunes(asker: &Asker<'_>, link: &str) {
    let folder = asker.0.folder.path().join("links");
    std::fs::create_dir(&folder).expect("a folder");
    let file = |name: &str| folder.join(format!("{name}.properties"));
    for name in ["one", "two"] {
        let text = link.replace("name=asked", &format!("name={name}"));
        let text = format!("{text}topic.rename.format={name}.${{topic}}\n");
        std::fs::write(file(name), text).expect("written");
    }
    let given = folder.display().to_string();
    let apply = ["apply", "-f", &given];
    let prune = [&apply[..], &["--prune"]].concat();
    let made = asker.ends(&prune, 0).await;
    assert_eq!(made, "link/one created\nlink/two created\n");
    std::fs::remove_file(file("two")).expect("it is there");
    let kept = asker.ends(&apply, 0).await;
    assert_eq!(kept, "link/one unchanged\n");
    asker.ends(&prune, 2).await;
    let would = [&prune[..], &["--dry-run"]].concat();
    let would = asker.ends(&would, 0).await;
    assert_eq!(
        would,
        "link/one unchanged (dry run)\nlink/two deleted (dry run)\n"
    );
    let done = asker.ends(&[&prune[..], &["--yes"]].concat(), 0).await;
    assert_eq!(done, "link/one unchanged\nlink/two deleted\n");
    let left = asker.ends(&["get", "links", "-o", "name"], 0).await;
    let mut left: Vec<&str> = left.lines().collect();
    left.sort_unstable();
    assert_eq!(left, ["link/asked", "link/one"]);
    // One that somebody has deleted, and made in another way, is not theirs.
    asker.ends(&["delete", "one", "--yes"], 0).await;
    let one = file("one").display().to_string();
    asker.ends(&["create", "-f", &one], 0).await;
    std::fs::rename(file("one"), folder.join("one.txt")).expect("moved");
    let none = asker.ends(&[&prune[..], &["--yes"]].concat(), 0).await;
    assert_eq!(none, "");
    asker.ends(&["delete", "one", "--yes"], 0).await;
    spares(asker, &folder).await;
    forgets(asker, &folder).await;
}

/// One that was changed, or made anew, by somebody else since it was applied is not theirs either. The worker is one, however it is
/// written.
async fn spares(asker: &Asker<'_>, folder: &Path) {
    let (file, away) = (folder.join("one.properties"), folder.join("one.txt"));
    std::fs::rename(&away, &file).expect("moved");
    let given = folder.display().to_string();
    asker.ends(&["apply", "-f", &given], 0).await;
    let patch = ["patch", "one", "-s", "topic.poll.interval.ms=7000"];
    asker.ends(&patch, 0).await;
    std::fs::rename(&file, &away).expect("moved");
    let prune = ["apply", "-f", &given, "--prune", "--yes"];
    let spared = asker.run(&prune).await.ended_with(3);
    assert!(spared.error.contains("link/one is not pruned"), "{spared}");
    std::fs::rename(&away, &file).expect("moved");
    asker.ends(&["apply", "-f", &given], 0).await;
    std::fs::rename(&file, &away).expect("moved");
    let otherwise = format!("{}/", asker.url());
    let pruned = asker.run_at(&otherwise, &prune).await.ended_with(0);
    assert_eq!(pruned.output, "link/one deleted\n");
}

/// One that was gone already when it was to be deleted is as little theirs.
async fn forgets(asker: &Asker<'_>, folder: &Path) {
    let (file, away) = (folder.join("one.properties"), folder.join("one.txt"));
    std::fs::rename(&away, &file).expect("moved");
    let given = folder.display().to_string();
    let made = asker.ends(&["apply", "-f", &given], 0).await;
    assert_eq!(made, "link/one created\n");
    let deleted = asker.0.client.send("DELETE", "/connectors/one", None).await;
    expect(deleted, 204);
    let gone = asker.ends(&["delete", "one", "--yes"], 0).await;
    assert_eq!(gone, "link/one unchanged\n");
    // Somebody else makes one of that name.
    let link = std::fs::read_to_string(&file).expect("there");
    let config: Value = link
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let config = config.to_string();
    let created = asker
        .0
        .client
        .send("PUT", "/connectors/one/config", Some(&config));
    expect(created.await, 201);
    std::fs::rename(&file, &away).expect("moved");
    let prune = ["apply", "-f", &given, "--prune", "--yes"];
    assert_eq!(asker.ends(&prune, 0).await, "");
    let left = asker.ends(&["get", "links", "one", "-o", "name"], 0).await;
    assert_eq!(left, "link/one\n");
    asker.ends(&["delete", "one", "--yes"], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_what_the_api_says_and_ends_with_its_codes() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("asked");
    new_topic(source, &topic, 2, &[]).await;
    Load::new(source.bootstrap(), &topic)
        .send(Generator::new(Shape::mixed(SEED, 2)).take(EACH))
        .await
        .expect("acknowledged");
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[]).await;
    let link = format!(
        "name=asked\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\ntopic.poll.interval.ms=1000\n",
        bootstrap(source)
    );
    let file = worker.folder.path().join("asked.properties");
    std::fs::write(&file, &link).expect("written");
    let file = file.display().to_string();
    let asker = Asker(&worker);
    let made = asker.ends(&["apply", "-f", &file, "--dry-run"], 0).await;
    assert_eq!(made, "link/asked created (dry run)\n");
    asker.ends(&["create", "-f", &file], 0).await;
    asker.ends(&["create", "-f", &file], 1).await;
    let again = asker.ends(&["apply", "-f", &file], 0).await;
    assert_eq!(again, "link/asked unchanged\n");
    is_configured(&asker, &file).await;
    // The gate of scripts.
    let gate = ["lag", "asked", "--max-records", "0", "--wait", "90s"];
    asker.ends(&gate, 0).await;
    shows_what_is_so(&asker, &topic).await;
    // While it runs: a stopped link has no tasks to name.
    completion::completes(&asker).await;
    steers(&asker, &worker).await;
    stored_positions(&asker, &worker, &topic).await;
    prunes(&asker, &link).await;
    asker.ends(&["delete", "asked"], 2).await;
    asker
        .ends(&["delete", "link", "asked", "--yes", "--offsets"], 0)
        .await;
    asker.ends(&["get", "links", "asked"], 1).await;
    asker.ends(&["get", "nothing"], 2).await;
    let ends = (&*bootstrap(source), &*bootstrap(destination));
    is_described(&asker, ends, &topic).await;
}

/// A link is made of options, as a file would make it; without a worker's consent it is not made.
async fn is_described(asker: &Asker<'_>, (source, destination): (&str, &str), topic: &str) {
    let described = [
        "create",
        "link",
        "told",
        "--source",
        source,
        "--destination",
        destination,
        "--topics",
        topic,
    ];
    let further = ["--set", "tasks.max=2", "--initial-state", "STOPPED"];
    let described = [&described[..], &further].concat();
    let planned = [&described[..], &["--dry-run", "-o", "json"]].concat();
    let planned: Value = serde_json::from_str(&asker.ends(&planned, 0).await).expect("a document");
    let config = &planned["config"];
    assert_eq!(
        (
            &planned["name"],
            &config["topic.regex"],
            &config["tasks.max"]
        ),
        (&"told".into(), &topic.into(), &"2".into()),
        "{planned}"
    );
    asker.ends(&["get", "links", "told"], 1).await;
    assert_eq!(asker.ends(&described, 0).await, "link/told created\n");
    asker.ends(&described, 1).await;
    let exported = asker.ends(&["export", "told"], 0).await;
    let exported: Value = serde_json::from_str(&exported).expect("a document");
    assert_eq!(exported, planned);
    let links = asker.ends(&["get", "links", "told", "-o", "json"], 0).await;
    assert!(links.contains("STOPPED"), "{links}");
    let wrong = [&described[..], &["--set", "tasks.max=none"]].concat();
    let wrong: Vec<&str> = wrong
        .iter()
        .map(|word| if *word == "told" { "wrong" } else { *word })
        .collect();
    asker.ends(&wrong, 1).await;
    asker.ends(&["create", "link", "nobody"], 2).await;
    asker.ends(&["delete", "told", "--yes"], 0).await;
}

/// Single keys are changed, compared with a file, exported, and edited; secrets are not taken on the command line.
async fn is_configured(asker: &Asker<'_>, file: &str) {
    asker.ends(&["diff", "-f", file], 0).await;
    let set = [
        "patch",
        "link",
        "asked",
        "-s",
        "topic.poll.interval.ms=2000",
    ];
    let planned = [&set[..], &["--dry-run"]].concat();
    let planned = asker.run(&planned).await.ended_with(0);
    assert!(
        planned.error.contains("+ topic.poll.interval.ms=2000"),
        "{planned}"
    );
    asker.ends(&["diff", "-f", file], 0).await;
    assert_eq!(asker.ends(&set, 0).await, "link/asked updated\n");
    assert_eq!(asker.ends(&set, 0).await, "link/asked unchanged\n");
    let differs = asker.ends(&["diff", "-f", file], 3).await;
    assert_eq!(
        differs,
        "link/asked differs\n- topic.poll.interval.ms=2000\n+ topic.poll.interval.ms=1000\n"
    );
    asker
        .ends(&["patch", "asked", "-s", "src.kafka.sasl.password=x"], 2)
        .await;
    // What is exported is what is there, in every spelling that is read again.
    for (spelling, name) in [
        ("properties", "exported.properties"),
        ("json", "exported.json"),
    ] {
        let export = ["export", "asked", "--as", spelling];
        let exported = asker.ends(&export, 0).await;
        let copy = asker.0.folder.path().join(name);
        std::fs::write(&copy, exported).expect("written");
        let copy = copy.display().to_string();
        asker.ends(&["diff", "-f", &copy], 0).await;
        let applied = asker.ends(&["apply", "-f", &copy], 0).await;
        assert_eq!(applied, "link/asked unchanged\n", "{spelling}");
    }
    // The command that is exported reads the same from its input.
    let cli = asker.ends(&["export", "asked", "--as", "cli"], 0).await;
    let program = limits::program(Path::new(env!("CARGO_BIN_EXE_tributary")));
    let cli = cli.replacen("tributary ", &format!("'{}' ", program.display()), 1);
    let mut shell = Command::new("sh");
    shell.args(["-c", &cli]);
    shell.env("XDG_CONFIG_HOME", asker.0.folder.path().join("home"));
    let typed = shell.output().await.expect("a shell");
    let typed = String::from_utf8_lossy(&typed.stdout).into_owned();
    assert_eq!(typed, "link/asked unchanged\n", "{cli}");
    // An editor that is a stream editor puts the former value back.
    let url = format!("http://{}", asker.0.client.address);
    let edit = ["edit", "link", "asked", "--yes", "--url", &url];
    let binary = limits::program(Path::new(env!("CARGO_BIN_EXE_tributary")));
    let mut spec = ProcessSpec::new("tributary", binary).arguments(edit);
    let editor = "sed -i s/interval.ms=2000/interval.ms=1000/";
    spec.environment.push(("VISUAL".to_owned(), editor.into()));
    let process = TributaryProcess::start_spec(spec).expect("the program starts");
    let edited = Run::to_end(&process).await.ended_with(0);
    assert_eq!(edited.output, "link/asked updated\n", "{edited}");
    asker.ends(&["diff", "-f", file], 0).await;
    asker.ends(&["export", "nobody"], 1).await;
}

async fn shows_what_is_so(asker: &Asker<'_>, topic: &str) {
    // Rising to healthy takes two looks.
    let well = async || {
        let run = asker.run(&["status"]).await;
        if run.code() == 0 {
            Ok(run)
        } else {
            Err(run.to_string())
        }
    };
    let run = eventually("a good status", SOON, well)
        .await
        .expect("it is well");
    assert!(run.output.contains("1 healthy, 0 catching up"), "{run}");
    for arguments in [
        &["get", "links"][..],
        &["get", "topics", "asked"],
        &["get", "partitions", "asked"],
        &["get", "tasks"],
        &["get", "workers"],
        &["get", "clusters"],
        &["get", "activity"],
        &["get", "plugins"],
        &["get", "loggers"],
        &["loggers"],
        &["version"],
        &["preview", "asked"],
        &["lag", "--by", "partition"],
        &["top", "--count", "1"],
        &["describe", "link", "asked"],
        &["describe", "connector", "asked"],
    ] {
        let text = asker.ends(arguments, 0).await;
        assert!(text.lines().count() > 1, "{arguments:?}: {text}");
        let is_table = arguments[0] != "describe";
        for line in text.lines().filter(|_| is_table) {
            assert!(line.chars().count() <= 100, "{arguments:?}: {line}");
        }
    }
    let text = asker.ends(&["get", "links", "--no-headers"], 0).await;
    let cells: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(
        (cells[0], cells[2], cells[3], cells[4]),
        ("asked", "HEALTHY", "1/1", "1"),
        "{text}"
    );
    let json = asker
        .ends(&["get", "partitions", "asked", "-o", "json"], 0)
        .await;
    let json: Value = serde_json::from_str(&json).expect("one document");
    assert_eq!(
        (&json["schema"], &json["total"]),
        (&Value::from("tributary/v1/PartitionList"), &Value::from(2))
    );
    let names = asker
        .ends(&["get", "topics", "asked", "-o", "name"], 0)
        .await;
    assert_eq!(names, format!("topic/asked/{topic}\n"));
    let csv = asker.ends(&["lag", "asked", "-o", "csv"], 0).await;
    assert!(csv.starts_with("link,lag.records,lag.seconds"), "{csv}");
    asker
        .ends(
            &[
                "lag",
                "asked",
                "--max-seconds",
                "3600",
                "--max-bytes",
                "1MiB",
            ],
            0,
        )
        .await;
    asker.ends(&["lag", "asked", "--max-records=-1"], 3).await;
    asker.ends(&["lag", "asked", "--wait", "1s"], 2).await;
    says_and_explains(asker).await;
}

async fn says_and_explains(asker: &Asker<'_>) {
    let set = ["loggers", "set", "kafka_client", "debug"];
    assert_eq!(asker.ends(&set, 0).await, "logger/kafka_client updated\n");
    asker
        .ends(&["loggers", "set", "kafka_client", "loud"], 1)
        .await;
    asker.ends(&["explain", "asked"], 0).await;
    asker.ends(&["explain", "NOT_ENOUGH_REPLICAS"], 0).await;
    asker.ends(&["explain", "all is well"], 3).await;
}

/// Positions are shown as lines, and taken back as such; a link that runs is stopped for it, where that is said.
async fn stored_positions(asker: &Asker<'_>, worker: &Worker, topic: &str) {
    let csv = ["offsets", "get", "asked", "-o", "csv"];
    let before = asker.ends(&csv, 0).await;
    let first = before
        .lines()
        .find(|line| line.starts_with(&format!("{topic},0,")));
    let first = first.unwrap_or_else(|| panic!("{before}"));
    let file = worker.folder.path().join("positions.csv");
    std::fs::write(&file, format!("{topic},0,7\n")).expect("written");
    let set = ["offsets", "set", "asked", "-f", &file.display().to_string()].map(str::to_owned);
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    // It runs.
    asker.ends(&set, 1).await;
    let planned = asker
        .run(&[&set[..], &["--dry-run"]].concat())
        .await
        .ended_with(0);
    let old = first.rsplit(',').next().expect("an offset");
    assert!(
        planned.error.contains(&format!("{topic}/0: {old} → 7")),
        "{planned}"
    );
    asker.ends(&["stop", "asked", "--wait", "30s"], 0).await;
    asker.ends(&[&set[..], &["--stop"]].concat(), 0).await;
    let after = asker.ends(&csv, 0).await;
    assert!(after.contains(&format!("{topic},0,7\n")), "{after}");
    let place = format!("{topic}/0");
    asker
        .ends(&["offsets", "reset", "asked", "--topic", &place], 0)
        .await;
    let after = asker.ends(&csv, 0).await;
    assert!(!after.contains(&format!("{topic},0,")), "{after}");
    asker
        .ends(&["offsets", "reset", "asked", "--topic", "nothing"], 2)
        .await;
}

async fn steers(asker: &Asker<'_>, worker: &Worker) {
    let mut curl = Command::new("curl");
    let url = format!(
        "http://{}/api/v1/events?channels=links,activity&link=asked",
        worker.client.address
    );
    let mut listening = curl
        .args(["-sN", "--max-time", "8", &url])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("curl starts");
    // What happens before it is heard would not be in the stream.
    let mut frames = BufReader::new(listening.stdout.take().expect("piped"));
    let mut heard = String::new();
    frames.read_line(&mut heard).await.expect("text");
    assert_eq!(heard, ": listening\n");
    let paused = asker
        .ends(&["pause", "link", "asked", "--wait", "30s"], 0)
        .await;
    assert_eq!(paused, "link/asked paused\n");
    assert_eq!(
        asker.ends(&["pause", "asked"], 0).await,
        "link/asked unchanged\n"
    );
    // A lag that nobody measures is no lag of nothing.
    asker.ends(&["lag", "asked", "--max-records", "0"], 3).await;
    asker
        .ends(&["lag", "asked", "--max-records", "0", "--wait", "1s"], 4)
        .await;
    asker.ends(&["resume", "asked", "--wait", "30s"], 0).await;
    asker.ends(&["restart", "asked"], 0).await;
    frames.read_to_string(&mut heard).await.expect("text");
    let frames: Vec<&str> = heard.split("\n\n").collect();
    let of = |event: &str, holds: &str| {
        let start = format!("event: {event}\ndata: ");
        frames
            .iter()
            .any(|frame| frame.contains(&start) && frame.contains(holds))
    };
    assert!(of("link", "\"health\":\"PAUSED\""), "{heard}");
    assert!(of("activity", "asked is to pause"), "{heard}");
    assert!(
        frames
            .iter()
            .filter(|frame| !frame.is_empty())
            .all(|frame| frame.starts_with("id: ") || frame.starts_with(':')),
        "{heard}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_answer_is_an_error_and_never_success() {
    for arguments in [
        &["status"][..],
        &["get", "links"],
        &["lag", "--max-records", "0"],
        &["pause", "x"],
        &["describe", "link", "x"],
    ] {
        let all = [arguments, &["--url", "http://127.0.0.1:1"]].concat();
        let all: Vec<String> = all.iter().map(|text| (*text).to_owned()).collect();
        let run = Run::to_end(&program(&all)).await.ended_with(1);
        assert!(run.error.contains("error: "), "{run}");
    }
}
