//! Workers that share links: how tests start and ask them, and what any of them answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::certificates::Authority;
use test_support::eventually::{eventually, eventually_true};
use test_support::kafka_cluster::KafkaCluster;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::leaders;
use tokio::time::Instant;

use crate::connect_http::Client;
use crate::connect_worker::expect;
use crate::group_truth;
use crate::support::{COPIED, NEW, bootstrap, new_topic, pair, program, unique};

/// The shortest session that a broker allows by default.
pub(crate) const SESSION: Duration = Duration::from_secs(6);

/// A worker of a group.
pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) process: TributaryProcess,
    id: String,
    _folder: tempfile::TempDir,
}

/// A group's name, which is also that of its topics, and the settings of its workers.
#[derive(Clone)]
pub(crate) struct Group {
    name: String,
    lines: String,
    /// What workers show each other, where they speak TLS.
    certificates: Option<Arc<tempfile::TempDir>>,
}

impl Group {
    pub(crate) fn new(cluster: &KafkaCluster, more: &str) -> Self {
        let name = unique("group");
        let lines = format!(
            "bootstrap.servers={}\nlisteners=http://127.0.0.1:0\ngroup.id={name}\n\
             config.storage.topic={name}.configs\nconfig.storage.replication.factor=1\n\
             offset.storage.topic={name}.offsets\noffset.storage.replication.factor=1\noffset.storage.partitions=5\n\
             status.storage.topic={name}.status\nstatus.storage.replication.factor=1\n\
             offset.flush.interval.ms=1000\nsession.timeout.ms={}\nheartbeat.interval.ms=500\n\
             scheduled.rebalance.max.delay.ms=0\n{more}\n",
            bootstrap(cluster),
            SESSION.as_millis(),
        );
        Self {
            name,
            lines,
            certificates: None,
        }
    }

    /// A group whose coordinator is this broker of three, each of which has a replica of what the group keeps.
    pub(crate) async fn coordinated_by(cluster: &KafkaCluster, node: i32) -> Self {
        let replicated = ["config", "offset", "status"]
            .map(|of| format!("{of}.storage.replication.factor=3\n"))
            .concat();
        // Somebody has to ask for a coordinator before there are any.
        let _first = Self::new(cluster, &replicated).member().await;
        let led = async || {
            let led = leaders(&cluster.bootstrap(), "__consumer_offsets").await;
            let led = led.map_err(|error| error.to_string())?;
            match !led.is_empty() && led.values().all(|led| led.leader > 0) {
                true => Ok(led),
                false => Err(format!("{led:?}")),
            }
        };
        let led = eventually("coordinators", COPIED, led)
            .await
            .expect("they are there");
        let count = i32::try_from(led.len()).expect("few");
        loop {
            let group = Self::new(cluster, &replicated);
            // As Java's: its hash of the name, without the sign.
            let hash = group.name.bytes().fold(0_i32, |hash, byte| {
                hash.wrapping_mul(31).wrapping_add(i32::from(byte))
            });
            if led[&((hash & i32::MAX) % count)].leader == node {
                return group;
            }
        }
    }

    /// A group whose workers reach each other with TLS, and have to show each other who they are. Clients may do without.
    pub(crate) fn with_tls(cluster: &KafkaCluster, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("workers").expect("an authority");
        let own = authority.issue("worker", &["127.0.0.1"]);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let own = write("worker.pem", &own.expect("a certificate").pem());
        let trusted = write("workers.pem", authority.certificate());
        let mut group = Self::new(cluster, more);
        group.lines = group.lines.replace(
            "listeners=http://127.0.0.1:0\n",
            &format!(
                "listeners=http://127.0.0.1:0,https://127.0.0.1:0\nrest.advertised.listener=https\n\
                 listeners.https.ssl.keystore.location={own}\nlisteners.https.ssl.truststore.location={trusted}\n\
                 listeners.https.ssl.client.auth=required\n"
            ),
        );
        group.certificates = Some(Arc::new(folder));
        group
    }

    /// The same group, with another setting of the workers that start from now on.
    pub(crate) fn changed(&self, more: &str) -> Self {
        let mut changed = self.clone();
        changed.lines.push_str(more);
        changed.lines.push('\n');
        changed
    }

    /// The group's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Starts a worker that ends by itself; what it said.
    pub(crate) async fn fails(&self) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("worker.properties");
        std::fs::write(&file, &self.lines).expect("written");
        let arguments = ["distributed".to_owned(), file.display().to_string()];
        let process = program(&arguments);
        let ended = process.wait(COPIED).await.expect("it ends");
        assert_eq!(ended.code(), Some(1));
        process.text(test_support::managed_process::Stream::Error)
    }

    /// Starts one more worker.
    pub(crate) async fn member(&self) -> Member {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("worker.properties");
        std::fs::write(&file, &self.lines).expect("written");
        let arguments = ["distributed".to_owned(), file.display().to_string()];
        let process = program(&arguments);
        let listens = async |scheme: &str| {
            let said = format!("listening at {scheme}://");
            let line = process.expect_line(&said, COPIED).await;
            let text = line.expect("it listens").text;
            let (_, address) = text.split_once(&said).expect("an address");
            address.trim().to_owned()
        };
        let address = listens("http").await;
        let id = match self.certificates {
            None => address.clone(),
            Some(_) => listens("https").await,
        };
        Member {
            client: Client::new(&address),
            process,
            id,
            _folder: folder,
        }
    }
}

impl Member {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What it says of its group.
    pub(crate) async fn group(&self) -> Value {
        self.client.get("/").await.json()["tributary_group"].clone()
    }

    /// Sends until the answer is none of those that a rebalance explains.
    pub(crate) async fn settled(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> crate::connect_http::Answer {
        let asked = async || {
            let answer = self.client.send(method, path, body).await;
            match answer.status {
                409 if !answer.body.contains("already exists") => Err(answer),
                _ => Ok(answer),
            }
        };
        eventually("an answer that is no conflict", COPIED, asked)
            .await
            .expect("rebalances end")
    }

    /// The worker of each partition of a link with one topic, as its tasks say.
    pub(crate) async fn owners(&self, link: &str) -> BTreeMap<i32, String> {
        let path = |end: &str| format!("/connectors/{link}/{end}");
        let status = self.client.get(&path("status")).await.json();
        let tasks = self.client.get(&path("tasks")).await.json();
        let mut owners = BTreeMap::new();
        let states = status["tasks"].as_array().expect("tasks");
        for (task, state) in tasks.as_array().expect("tasks").iter().zip(states) {
            let share = task["config"]["tributary.task.partitions"].as_str();
            let (_, ranges) = share
                .and_then(|text| text.rsplit_once(':'))
                .expect("a share");
            for range in ranges.split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let number = |text: &str| text.parse::<i32>().expect("a number");
                let worker = state["worker_id"].as_str().expect("a worker");
                owners.extend((number(first)..=number(last)).map(|one| (one, worker.to_owned())));
            }
        }
        owners
    }

    /// Waits until all tasks run, on exactly these workers; how many each has.
    pub(crate) async fn shared_by(
        &self,
        link: &str,
        tasks: usize,
        workers: &[&str],
    ) -> BTreeMap<String, usize> {
        let wanted: BTreeSet<&str> = workers.iter().copied().collect();
        let looked = async || {
            let status = self.client.get(&format!("/connectors/{link}/status")).await;
            if status.status != 200 {
                return Err(status.body);
            }
            let json = status.json();
            let all = json["tasks"].as_array().cloned().unwrap_or_default();
            let mut owners: BTreeMap<String, usize> = BTreeMap::new();
            for task in &all {
                if task["state"] == "RUNNING" {
                    let owner = task["worker_id"].as_str().unwrap_or("").to_owned();
                    *owners.entry(owner).or_default() += 1;
                }
            }
            let running: usize = owners.values().sum();
            let there: BTreeSet<&str> = owners.keys().map(String::as_str).collect();
            match running == tasks && all.len() == tasks && there == wanted {
                true => Ok(owners),
                false => Err(json.to_string()),
            }
        };
        eventually(&format!("{link} is shared by {workers:?}"), COPIED, looked)
            .await
            .unwrap_or_else(|error| {
                panic!("{error}\n{}", self.process.lines().tail(60));
            })
    }
}

pub(crate) fn link(source: &KafkaCluster, topic: &str, tasks: usize) -> Value {
    json!({
        "connector.class": "ReplicatorSourceConnector",
        "src.kafka.bootstrap.servers": bootstrap(source),
        "topic.whitelist": topic,
        "topic.poll.interval.ms": "1000",
        "tasks.max": tasks.to_string(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn any_worker_answers_alike_and_passes_on_what_another_one_has_to_do() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("asked");
    new_topic(source, &topic, 4, &[]).await;
    let group = Group::with_tls(destination, "");
    let (one, other) = tokio::join!(group.member(), group.member());
    let members = [&one, &other];
    let body = json!({"name": "a->b", "config": link(source, &topic, 2)}).to_string();
    expect(one.settled("POST", "/connectors", Some(&body)).await, 201);
    let refused = other.settled("POST", "/connectors", Some(&body)).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.error(), "Connector a->b already exists");
    one.shared_by(LINK, 2, &[one.id(), other.id()]).await;
    for member in members {
        speaks_for_all(member, &topic).await;
    }
    for member in members {
        restarts(member).await;
    }
    for member in members {
        tells_restarts(member).await;
    }
    what_was_done_is_told_once(members, 8).await;
    topics_are_told_once(members).await;
    group_truth::states_are_told_once(&one).await;
    group_truth::owners_say_again(&group, destination, &one).await;
    group_truth::is_copied_anew(members, source, &topic).await;
    only_the_leader_deletes(members).await;
    requests_between_workers_are_signed(members).await;
    // A level for all workers.
    let level = r#"{"level":"debug"}"#;
    let path = "/admin/loggers/kafka_client?scope=cluster";
    expect(one.client.put(path, Some(level)).await, 204);
    let set = async || {
        let logger = other.client.get("/admin/loggers/kafka_client").await.json();
        match logger["level"].as_str() {
            Some("DEBUG") => Ok(()),
            level => Err(format!("{level:?}")),
        }
    };
    eventually("the level on the other worker", COPIED, set)
        .await
        .expect("told");
    let path = |end: &str| format!("/connectors/{LINK}{end}");
    expect(other.settled("PUT", &path("/stop"), None).await, 204);
    expect(one.settled("DELETE", &path("/offsets"), None).await, 200);
    expect(one.settled("DELETE", &path(""), None).await, 204);
    for member in members {
        let gone = async || match member.client.get(&path("/status")).await.status {
            404 => Ok(()),
            status => Err(status),
        };
        eventually("it is gone everywhere", COPIED, gone)
            .await
            .expect("deleted");
    }
    for member in members {
        member.process.terminate().expect("it runs");
        let ended = member.process.wait(COPIED).await.expect("it ends");
        let log = member.process.lines().tail(60);
        assert_eq!(ended.code(), Some(0), "{log}");
    }
}

/// How long it takes, in seconds, until the link is unknown because a worker is silent, and its partitions with it.
pub(crate) async fn turns_unknown(asked: &Member, link: &str, silent: &str) -> f64 {
    let began = Instant::now();
    let look = async || {
        let path = |end: &str| format!("/api/v1/links/{link}{end}");
        let health = asked.client.get(&path("")).await.json()["health"].clone();
        let list = asked
            .client
            .get(&path("/partitions?limit=1000"))
            .await
            .json();
        let rows = list["items"].as_array().cloned().unwrap_or_default();
        let unknown = rows.iter().filter(|row| {
            row["verdict"] == "UNKNOWN"
                && row["lag"]["known"] == false
                && row["worker_id"] == silent
        });
        let missing = &list["incomplete"][0];
        let is_told =
            missing["worker_id"] == silent && missing["partitions"] == unknown.clone().count();
        match health == "UNKNOWN" && is_told && unknown.count() > 0 {
            true => Ok(()),
            false => Err(format!("{health} {missing}")),
        }
    };
    eventually("what a silent worker has to be unknown", COPIED, look)
        .await
        .expect("a silent worker is noticed");
    let seconds = began.elapsed().as_secs_f64();
    assert!(seconds < 15.0, "{seconds}");
    let row = asked.client.get(&format!("/api/v1/links/{link}")).await;
    assert!(row.json()["records_per_second"].is_null(), "{}", row.body);
    // What it remembers is missing, and nothing that lacks it looks whole.
    let history = asked
        .client
        .get(&format!("/api/v1/links/{link}/history"))
        .await;
    let history = history.json();
    assert_eq!(history["incomplete"][0]["worker_id"], silent, "{history}");
    let points = history["points"].as_array().cloned().unwrap_or_default();
    assert!(
        points.iter().all(|point| point["value"].is_null()),
        "{history}"
    );
    seconds
}

/// What one worker says is about the work of all of them.
async fn speaks_for_all(member: &Member, topic: &str) {
    let path = |end: &str| format!("/api/v1/links/{LINK}{end}");
    let look = async || {
        let link = member.client.get(&path("")).await.json();
        match link["health"] == "HEALTHY" && link["partitions"]["by_state"]["active"] == 4 {
            true => Ok(link),
            false => Err(link.to_string()),
        }
    };
    let link = eventually("both shares to be known", COPIED, look)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", member.process.lines().tail(40)));
    assert_eq!(link["lag"]["known"], true, "{link:#}");
    assert_eq!(link["topics"]["total"], 1, "{link:#}");
    let all = member.client.get(&path("/partitions?sort=partition")).await;
    let rows = all.json()["items"].as_array().cloned().expect("partitions");
    let owners: BTreeSet<_> = rows
        .iter()
        .map(|row| row["worker_id"].to_string())
        .collect();
    assert_eq!((rows.len(), owners.len()), (4, 2), "{rows:#?}");
    assert!(rows.iter().all(|row| row["topic"] == *topic));
    let own = member.client.get(&path("/partitions?scope=worker")).await;
    assert_eq!(own.json()["total"], 2);
    let workers = member.client.get("/api/v1/workers").await.json();
    assert_eq!(workers["total"], 2, "{workers:#}");
    let leaders = workers["items"].as_array().expect("workers").iter();
    assert_eq!(leaders.filter(|row| row["leader"] == true).count(), 1);
    // Whoever looks after the topics does it.
    let refresh = member.settled("POST", &path(":refresh"), None).await;
    expect(refresh, 202);
    let told = async || {
        let activity = member.client.get("/api/v1/activity?kind=refresh").await;
        activity.json()["total"].as_u64() > Some(0)
    };
    eventually_true("the refresh among what was done", COPIED, told)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let resume = path(&format!("/topics/{topic}/partitions/0:resume"));
    let refused = expect(member.client.post(&resume, None).await, 409);
    assert!(refused.body.contains(&format!("{topic}-0")), "{refused:?}");
}

/// `a->b`, in a path.
pub(crate) const LINK: &str = "a%2D%3Eb";

async fn restarts(member: &Member) {
    let path = |end: &str| format!("/connectors/{LINK}{end}");
    expect(member.client.get(&path("")).await, 200);
    expect(member.client.get("/health").await, 200);
    let config = member.client.get(&path("/config")).await.json();
    assert_eq!(config["name"], "a->b");
    for task in 0..2 {
        let restart = path(&format!("/tasks/{task}/restart"));
        expect(member.settled("POST", &restart, None).await, 204);
    }
    expect(member.settled("POST", &path("/restart"), None).await, 204);
    let all = path("/restart?includeTasks=true&onlyFailed=false");
    let answer = expect(member.settled("POST", &all, None).await, 202).json();
    assert_eq!(answer["tasks"][1]["state"], "RESTARTING", "{answer}");
}

/// Of all tasks, whoever has them.
async fn tells_restarts(member: &Member) {
    let path = format!("/api/v1/links/{LINK}/tasks");
    let look = async || {
        let answer = expect(member.client.get(&path).await, 200);
        let json = answer.json();
        let tasks = json["items"].as_array().cloned().unwrap_or_default();
        let begun = |task: &Value| task["restarts"].as_u64() > Some(0) && task["since"].is_string();
        match tasks.len() == 2 && tasks.iter().all(begun) {
            true => Ok(()),
            false => Err(answer.body),
        }
    };
    let told = eventually("restarts of all tasks", COPIED, look).await;
    told.unwrap_or_else(|error| panic!("{error}"));
}

/// Whoever was asked, and whoever did it. Both members had tasks and connector begun again, four times each.
async fn what_was_done_is_told_once(members: [&Member; 2], times: u64) {
    for member in members {
        let answer = member.client.get("/api/v1/activity?kind=restart").await;
        assert_eq!(answer.json()["total"], times, "{}", answer.body);
    }
}

/// One worker looks after the topics, and only it has something to say of them.
async fn topics_are_told_once(members: [&Member; 2]) {
    let told = async || {
        let mut counts = [0; 3];
        for member in members {
            let page = expect(member.client.get("/metrics").await, 200).body;
            let names = [
                "tributary_topics{",
                "tributary_config_drift{",
                "tributary_sync_last_success_timestamp_seconds{",
            ];
            for (count, name) in counts.iter_mut().zip(names) {
                *count += usize::from(page.lines().any(|line| line.starts_with(name)));
            }
        }
        match counts {
            [1, 1, 1] => Ok(()),
            other => Err(other),
        }
    };
    let told = eventually("topics to be told of by one worker", COPIED, told).await;
    told.unwrap_or_else(|error| panic!("{error}"));
}

/// The other one says so when it must not pass a request on.
async fn only_the_leader_deletes(members: [&Member; 2]) {
    let mut leaders = 0;
    for member in members {
        let answer = member.client.delete("/connectors/nope?forward=false").await;
        match answer.status {
            404 => leaders += 1,
            409 => assert_eq!(
                answer.error(),
                "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
            ),
            _ => panic!("{answer:?}"),
        }
        let answer = member.settled("DELETE", "/connectors/nope", None).await;
        assert_eq!(answer.error(), "Connector nope not found");
    }
    assert_eq!(leaders, 1);
}

async fn requests_between_workers_are_signed(members: [&Member; 2]) {
    for member in members {
        let path = format!("/connectors/{LINK}/tasks");
        let answer = member.client.post(&path, Some("[]")).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.error(),
            "Internal request missing required signature"
        );
        let headers = [
            ("X-Connect-Authorization", "AAAA"),
            ("X-Connect-Request-Signature-Algorithm", "HmacSHA256"),
        ];
        let path = format!("/connectors/{LINK}/fence");
        let answer = member.client.with("PUT", &path, &headers, None).await;
        assert_eq!(answer.status, 403);
        assert_eq!(
            answer.error(),
            "Internal request contained invalid signature."
        );
    }
}
