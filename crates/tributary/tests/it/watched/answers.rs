//! What commands print, as tables and as documents, compared with what was approved: `tests/answers.txt`.
//!
//! Of a table: its heading, and its first row with a sign for everything that differs between runs. Of a document: its members.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits;
use test_support::managed_process::ProcessSpec;
use test_support::tributary_process::TributaryProcess;

use super::Scene;
use crate::api::differences;
use crate::group::Group;
use crate::support::{COPIED, Run, bootstrap};

/// Every command that shows something of workers, or changes something. `TOPIC` and other words in capitals stand for what
/// differs between runs. The last ones leave another configuration behind.
const COMMANDS: &str = "\
    status
    top --count 1
    get links
    get topics watched
    get partitions watched
    get tasks
    get workers
    get rebalances
    describe rebalance GENERATION
    get clusters
    get activity
    events watched
    get connectors
    get config watched
    lag
    lag --by topic
    lag --by partition
    describe link watched
    describe topic watched TOPIC
    describe connector watched
    describe worker MEMBER
    describe cluster CLUSTER
    describe partitions watched TOPIC
    describe tasks watched
    describe plugin io.confluent.connect.replicator.ReplicatorSourceConnector
    offsets get watched
    get plugins
    get loggers
    loggers
    loggers set root INFO
    version
    preview watched
    preview -f FILE
    preflight watched
    preflight -f FILE
    preflight -f UNREACHED
    preflight -f NOWHERE
    validate -f FILE
    validate -f WRONG
    validate -f NOWHERE
    validate -f WORKER -f FILE
    verify --from FROM --to TO --topics TOPIC
    config check FILE
    config check WRONG
    config effective FILE
    config effective watched
    config set-context here --url http://127.0.0.1:1
    config use-context here
    config current-context
    config get-contexts
    config remove-context here
    schema Link
    schema
    rules export --set workers=3
    rules export --format prometheusrule
    rules export --set lag=3
    dashboards export
    dashboards export --dir FOLDER
    completion bash
    completion zsh
    completion fish
    man FOLDER/man
    install-launchers FOLDER/bin
    standalone WORKER FILE --check
    standalone WORKER WRONG --check
    distributed WORKER --check
    mirror-maker FILE --check
    replicator --cluster.id r
    export watched
    diff -f FILE
    create -f FILE --dry-run
    create link made --source FROM --destination TO --topics TOPIC --dry-run
    apply -f FILE --dry-run
    patch watched -s tasks.max=2 --dry-run
    explain NOT_ENOUGH_REPLICAS
    explain --list
    explain nothing is known of this
    explain watched
    take-over --connect-group GROUP --bootstrap-server TO --config-topic GROUP.configs --offset-topic GROUP.offsets
    replicate --from FROM --to TO --topics TOPIC --dry-run
    mirror list --link watched
    mirror describe TOPIC --link watched
    mirror pause TOPIC --link watched
    info
    connector list
    link list
    link create made --source-bootstrap-server FROM --destination-bootstrap-server TO --topics TOPIC --dry-run
    link update watched --config client.id=x,cluster.link.prefix=y. --dry-run
    link update watched --config client.idd=x --dry-run
    link task list watched
    shadow status watched
    topics refresh watched
    topics sync watched TOPIC
    topics resume watched TOPIC
    resume partition watched TOPIC/0
    pause watched --dry-run
    resume watched --dry-run
    stop watched --dry-run
    restart watched --dry-run
    restart task watched/0 --dry-run
    restart connector watched -t failed --dry-run
    offsets set watched -f POSITIONS --dry-run
    offsets reset watched --dry-run
    delete watched --dry-run
    edit watched --yes";

/// The names of other programs that ours takes the place of, with what each is given.
const LAUNCHERS: &str = "\
    connect-distributed.sh
    connect-distributed NOWHERE
    connect-distributed -daemon WORKER
    connect-standalone.sh
    connect-standalone NOWHERE FILE
    connect-standalone WORKER WRONG
    connect-mirror-maker.sh
    connect-mirror-maker NOWHERE
    replicator
    replicator --cluster.id r --nothing x
    replicator-verifier --connector-name watched
    replicator-verifier --connector-name nobody";

/// What commands are given, and how they are run.
pub(super) struct Answers {
    folder: tempfile::TempDir,
    /// What words in capitals stand for.
    words: Vec<(&'static str, String)>,
    url: String,
}

impl Answers {
    pub(super) fn new(
        scene: &Scene,
        group: &Group,
        clusters: [&KafkaCluster; 2],
        topic: &str,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cluster = clusters[0].cluster_id().to_owned();
        let [from, to] = clusters.map(bootstrap);
        let file = folder.path().join("watched.properties");
        let text = format!(
            "name=watched\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={from}\n\
             dest.kafka.bootstrap.servers={to}\ntopic.whitelist={topic}\ntopic.poll.interval.ms=1000\ntasks.max=2\n"
        );
        std::fs::write(&file, text).expect("written");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let positions = write("positions.csv", &format!("{topic},0,7\n"));
        let wrong = write(
            "wrong.properties",
            "name=wrong\nconnector.class=ReplicatorSourceConnector\ntasks.max=0\ntopic.whitelst=a\n",
        );
        let unreached = write(
            "unreached.properties",
            "name=unreached\nconnector.class=ReplicatorSourceConnector\ntopic.whitelist=a\n\
             src.kafka.bootstrap.servers=127.0.0.1:1\ndest.kafka.bootstrap.servers=127.0.0.1:2\n",
        );
        let worker = write(
            "worker.properties",
            &format!(
                "bootstrap.servers={to}\nlisteners=http://127.0.0.1:0\ngroup.id=none\nconfig.storage.topic=none.c\n\
                 offset.storage.topic=none.o\nstatus.storage.topic=none.s\n"
            ),
        );
        let member = &scene.members[0];
        Self {
            words: vec![
                ("TOPIC", topic.to_owned()),
                ("MEMBER", member.id().to_owned()),
                ("FILE", file.display().to_string()),
                ("WRONG", wrong),
                ("UNREACHED", unreached),
                ("WORKER", worker),
                ("NOWHERE", folder.path().join("none").display().to_string()),
                ("POSITIONS", positions),
                ("FROM", from),
                ("TO", to),
                ("GROUP", group.name().to_owned()),
                ("CLUSTER", cluster),
                ("FOLDER", folder.path().display().to_string()),
            ],
            url: format!("http://{}", member.client.address),
            folder,
        }
    }

    async fn run(&self, command: &str, more: &[&str]) -> Run {
        let binary = limits::program(Path::new(env!("CARGO_BIN_EXE_tributary")));
        self.run_as(&binary, command, more).await
    }

    /// Runs the program by another one's name.
    async fn launched(&self, call: &str) -> Run {
        let (name, words) = call.split_once(' ').unwrap_or((call, ""));
        let launcher = self.folder.path().join(name);
        if !launcher.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tributary"), &launcher).expect("a link");
        }
        self.run_as(&launcher, words, &[]).await
    }

    async fn run_as(&self, binary: &Path, command: &str, more: &[&str]) -> Run {
        let given = |word: &str| {
            let mut given = word.to_owned();
            for (sign, word) in &self.words {
                let place = given.strip_prefix(sign).map(str::to_owned);
                if let Some(rest) =
                    place.filter(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
                {
                    given = format!("{word}{rest}");
                    break;
                }
            }
            given
        };
        let words = command.split_whitespace().chain(more.iter().copied());
        let arguments: Vec<String> = words.map(given).collect();
        let mut spec = ProcessSpec::new("tributary", binary).arguments(arguments);
        let home = self.folder.path().display().to_string();
        let editor = "sed -i s/interval.ms=1000/interval.ms=2000/".to_owned();
        for (name, value) in [
            ("TRIBUTARY_URL", self.url.clone()),
            ("XDG_CONFIG_HOME", home),
            ("VISUAL", editor),
        ] {
            spec.environment.push((name.to_owned(), value.into()));
        }
        let process = TributaryProcess::start_spec(spec).expect("the program starts");
        Run::to_end(&process).await
    }

    /// Fails unless it is as approved.
    pub(super) async fn are_as_approved(&mut self, scene: &Scene) {
        // A worker that has just come is given work a moment later: it has to be calm for some looks in a row.
        let looks = Cell::new(0);
        let calm = async || {
            let status = scene.asked(&["status"]).await;
            let rests = status.output.contains("no rebalance pending");
            looks.set(if rests && status.code() == 0 {
                looks.get() + 1
            } else {
                0
            });
            match looks.get() {
                10.. => Ok(()),
                _ => Err(status.to_string()),
            }
        };
        let calm = eventually("no rebalance", COPIED, calm).await;
        calm.unwrap_or_else(|error| panic!("{error}"));
        let rebalances = scene.asked(&["get", "rebalances", "-o", "name"]).await;
        let newest = rebalances.output.lines().next().unwrap_or_default();
        let generation = newest.rsplit('/').next().unwrap_or_default().to_owned();
        self.words.push(("GENERATION", generation));
        let (mut found, mut wide, mut odd) = (String::new(), Vec::new(), Vec::new());
        let mut schemas = BTreeMap::new();
        for command in COMMANDS.lines().map(str::trim) {
            let words: Vec<&str> = command.split(' ').collect();
            let table = self.run(command, &[]).await;
            let json = self.run(command, &["-o", "json"]).await;
            found.push_str(&format!("==== tributary {command} → {}\n", table.code()));
            // What stands below a table is as long as it is.
            let lines = table.output.lines().filter(|line| !line.contains(" · "));
            let lines = lines.take_while(|line| *line != "ATTENTION");
            let lines = lines.filter(|line| line.chars().count() > 100);
            wide.extend(
                lines
                    .filter(|_| is_table(&words))
                    .map(|line| format!("{command}: {line}")),
            );
            found.push_str(&self.sketch(&words, &table));
            let document: Value = match serde_json::from_str(&json.output) {
                Ok(document) => document,
                // Not every command has documents.
                Err(_) => continue,
            };
            let mut members = BTreeSet::new();
            describe(&document, "", &mut members);
            odd.extend(self.is_described(&document, &mut schemas).await);
            found.push_str("---- json\n");
            for member in members {
                found.push_str(&format!("{member}\n"));
            }
        }
        for call in LAUNCHERS.lines().map(str::trim) {
            let run = self.launched(call).await;
            let words: Vec<&str> = call.split(' ').collect();
            found.push_str(&format!("==== {call} → {}\n", run.code()));
            found.push_str(&self.sketch(&words, &run));
        }
        let changed = changes(&found);
        assert_eq!(odd, Vec::<String>::new(), "documents and their schemas");
        assert_eq!(wide, Vec::<String>::new(), "wider than a terminal");
        assert_eq!(changed, None);
    }

    /// What of a document is not as `tributary schema` says. What has no name is a file for other commands.
    async fn is_described(
        &self,
        document: &Value,
        schemas: &mut BTreeMap<String, Value>,
    ) -> Vec<String> {
        let Some(name) = document["schema"].as_str() else {
            return Vec::new();
        };
        if !schemas.contains_key(name) {
            let printed = self.run(&format!("schema {name}"), &[]).await.ended_with(0);
            let schema = serde_json::from_str(&printed.output).expect("a schema");
            schemas.insert(name.to_owned(), schema);
        }
        let (schema, mut found) = (&schemas[name], Vec::new());
        differences(document, schema, schema, name, &mut found);
        found
    }

    /// The first lines, without what differs between runs. Of what failed, why.
    fn sketch(&self, command: &[&str], run: &Run) -> String {
        let lines = match (command[0], command.last()) {
            ("explain", _) => 12,
            // Rows are what has happened, or in the order of ids.
            ("get", Some(&"activity" | &"clusters" | &"rebalances")) | ("events", _) => 1,
            // Its id is a word like any other, or has digits.
            ("describe", _) if ["cluster", "rebalance"].contains(&command[1]) => 0,
            _ => 2,
        };
        let text = match run.output.trim() {
            "" => &run.error,
            _ => &run.output,
        };
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(lines);
        lines.map(|line| self.plain(line) + "\n").collect()
    }

    fn plain(&self, line: &str) -> String {
        // One rebalance may follow another.
        let mut line = line.replace("work is being dealt", "no rebalance pending");
        // Any member may lead, and clusters stand in the order of their ids.
        let differ = ["MEMBER", "GROUP", "CLUSTER", "GENERATION"];
        for (sign, word) in self.words.iter().filter(|(sign, _)| !differ.contains(sign)) {
            line = line.replace(word.as_str(), sign);
        }
        let signs = ["TOPIC", "FILE", "FOLDER", "WRONG", "WORKER", "NOWHERE"];
        let words = line.split_whitespace().map(|word| {
            // A rate is known once it was looked twice.
            let differs = ["-", "UNKNOWN", "unknown"].contains(&word)
                || word.chars().any(|c| c.is_ascii_digit());
            if signs.iter().any(|sign| word.contains(sign)) || !differs {
                word
            } else {
                "#"
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Whether what is printed has columns; other things are as long as they are.
fn is_table(command: &[&str]) -> bool {
    let [first, ..] = command else {
        return true;
    };
    let long = [
        "describe",
        "explain",
        // It has Confluent's headings.
        "mirror",
        "take-over",
        "diff",
        "preflight",
        "rules",
        "validate",
        "schema",
        // What others read.
        "dashboards",
        "completion",
        "export",
    ];
    !long.contains(first)
}

/// What to do where what was found is not what was approved.
fn changes(found: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers.txt");
    let approved = std::fs::read_to_string(&path).unwrap_or_default();
    if found == approved {
        return None;
    }
    let now = path.with_extension("new");
    std::fs::write(&now, found).expect("writable");
    Some(format!(
        "answers have changed: look at the difference between {} and {}, and move the latter over the former",
        path.display(),
        now.display()
    ))
}

/// The paths of all members; of lists, those of any item.
fn describe(value: &Value, at: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let at = format!("{at}.{name}");
                if name == "schema" {
                    all.insert(format!("{at} = {member}"));
                } else if !name.contains(|c: char| c.is_ascii_digit()) {
                    all.insert(at.clone());
                }
                // What is in these depends on what has happened.
                let happened = ["object", "explanation", "by_state", "rebalance"];
                if !happened.contains(&name.as_str()) {
                    describe(member, &at, all);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                describe(item, &format!("{at}[]"), all);
            }
        }
        _ => {}
    }
}
