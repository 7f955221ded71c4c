//! Joins the worker's engine and `replication`: runs links for it, and reads and changes their positions.

mod checks;
mod detail;
mod positions;
mod probe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use config::link::{LinkConfig, TopicSettings};
use config::problem::NoticeLevel;
use config::resolve::resolve_link;
use config::variables::Variables;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::{Buffers, Cluster};
use kafka_wire::message::metadata::MetadataTopics;
use lifecycle::{Backoff, Scope, StopSignal};
use replication::help::{LINK_CANNOT_START, page};
use replication::link::{Link, LinkError, LinkHandle, LinkPart};
use replication::position_store::FileStore;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::spawn_blocking;
use worker_group::detail::{LinkDetail, PreviewOptions};
use worker_group::host::{
    Host, LinkFailure, LinkReport, LinkStart, OffsetChange, Part, Pending, Probe, Started,
};
use worker_group::plugin::{self, Role};
use worker_group::view::SourceOffset;
use worker_group::{Config, validate};

use self::probe::LinkProbe;
use crate::preflight_document;
use crate::preview_document::{self, Memory};

/// The least memory of one link, in bytes; more links than the budget has such parts go beyond it.
const LEAST_MEMORY: usize = 4 * 1024 * 1024;

const CONNECT: &str = "org.apache.kafka.connect.errors.ConnectException";
const INVALID: &str = "org.apache.kafka.common.config.ConfigException";

/// A link whose settings are known already: they come from options, or from a file that was judged as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// What the worker shows of it.
    pub(crate) config: Config,
    /// Its settings, as long as that configuration holds.
    pub(crate) link: LinkConfig,
    /// The settings of its process.
    pub(crate) worker: WorkerConfig,
}

/// Configurations that are read at the same time, while everything else goes on.
const READ_AT_ONCE: usize = 2;

/// See the module. Clones share everything.
#[derive(Clone)]
pub(crate) struct LinkHost {
    shared: Arc<Shared>,
}

struct Shared {
    worker: WorkerConfig,
    variables: Option<Variables>,
    prepared: BTreeMap<String, Prepared>,
    /// Links that run, or ran last, by name.
    running: watch::Sender<BTreeMap<String, Running>>,
    /// Files that hold positions; links that keep theirs in one share it.
    files: watch::Sender<Vec<(PathBuf, FileStore)>>,
    cluster_id: OnceLock<String>,
    /// Where it is told that a link cannot start, if that ends the process.
    fatal: Option<mpsc::Sender<Failed>>,
    /// Room for configurations that are being read.
    reading: Semaphore,
    scope: Arc<Scope>,
}

/// A link, or a part of one, that runs, or ran last.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// The link's name.
    pub(crate) link: String,
    /// Whether it copies records; one part of a link in a group only looks after topics.
    pub(crate) copies: bool,
    /// Whether it looks after the link's topics; the others of a link in a group only copy.
    pub(crate) looks: bool,
    pub(crate) handle: LinkHandle,
    /// How often both clusters are compared, by kind.
    pub(crate) compared: Vec<(&'static str, Duration)>,
    /// What its records take.
    pub(crate) buffers: Buffers,
    /// What all that share its worker's memory may take.
    budget: usize,
}

/// How often a link compares what besides records, by the kinds that metrics know.
fn compared(topics: &TopicSettings) -> Vec<(&'static str, Duration)> {
    let acls = topics.acls.as_ref().map(|acls| ("acl", acls.interval));
    [("topic", topics.poll_interval)]
        .into_iter()
        .chain(acls)
        .collect()
}

/// How many share the memory. What only looks after topics needs none.
fn copying(running: &BTreeMap<String, Running>) -> usize {
    running.values().filter(|running| running.copies).count()
}

impl Shared {
    /// The part of one of so many.
    fn share(&self, budget: usize, links: usize) -> usize {
        let links = links.max(self.prepared.len()).max(1);
        (budget / links).max(LEAST_MEMORY.min(budget))
    }

    /// Deals the memory anew: links come and go.
    fn deal_memory(&self) {
        let running = self.running.borrow();
        let links = copying(&running);
        for running in running.values() {
            let share = self.share(running.budget, links);
            if running.buffers.limit() != share {
                running.buffers.set_limit(share);
            }
        }
    }
}

/// A link that ended the process.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What to print.
    pub(crate) text: String,
    /// Whether it had run before.
    pub(crate) ran: bool,
}

impl LinkHost {
    pub(crate) fn new(
        worker: WorkerConfig,
        variables: Option<Variables>,
        prepared: BTreeMap<String, Prepared>,
        fatal: Option<mpsc::Sender<Failed>>,
        scope: Arc<Scope>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                worker,
                variables,
                prepared,
                running: watch::Sender::new(BTreeMap::new()),
                files: watch::Sender::new(Vec::new()),
                cluster_id: OnceLock::new(),
                fatal,
                reading: Semaphore::new(READ_AT_ONCE),
                scope,
            }),
        }
    }

    /// Handles of all links that have started.
    pub(crate) fn handles(&self) -> Vec<(String, LinkHandle)> {
        let running = self.shared.running.borrow();
        let handles = running.iter();
        handles
            .map(|(name, running)| (name.clone(), running.handle.clone()))
            .collect()
    }

    /// All links that have started.
    pub(crate) fn running(&self) -> BTreeMap<String, Running> {
        self.shared.running.borrow().clone()
    }

    /// Asks the worker's cluster for its id until it answers.
    pub(crate) async fn find_cluster_id(self) {
        let Some(config) = self.shared.worker.bootstrap.clone() else {
            return;
        };
        let cluster = Cluster::new(config, "worker");
        let mut backoff = Backoff::seeded(Duration::from_millis(500), Duration::from_secs(30));
        while self.shared.cluster_id.get().is_none() {
            let none = MetadataTopics::Topics(Vec::new());
            // Links to the same cluster say what is wrong with it.
            if let Ok(_) = cluster.metadata(none).await
                && let Some(id) = cluster.cluster_id()
            {
                self.shared.cluster_id.get_or_init(|| id);
                return;
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// The settings of a link. Its patterns may be many and large, and files are read: that is done beside what copies.
    async fn settings(
        &self,
        name: &str,
        config: &Config,
        say: bool,
    ) -> Result<(LinkConfig, WorkerConfig), String> {
        let _permit = self.shared.reading.acquire().await;
        let (host, name, config) = (self.clone(), name.to_owned(), config.clone());
        let read = spawn_blocking(move || host.read_settings(&name, &config, say)).await;
        read.unwrap_or_else(|error| Err(error.to_string()))
    }

    fn read_settings(
        &self,
        name: &str,
        config: &Config,
        say: bool,
    ) -> Result<(LinkConfig, WorkerConfig), String> {
        let shared = &self.shared;
        if let Some(known) = shared
            .prepared
            .get(name)
            .filter(|known| known.config == *config)
        {
            return Ok((known.link.clone(), known.worker.clone()));
        }
        let raw = validate::raw(name, config, shared.variables.as_ref());
        match resolve_link(&raw, &shared.worker) {
            Ok((link, notices)) => {
                for notice in notices.iter().filter(|_| say) {
                    match notice.level {
                        NoticeLevel::Info => tracing::info!(link = name, "{}", notice.text),
                        NoticeLevel::Warn => tracing::warn!(link = name, "{}", notice.text),
                    }
                }
                Ok((link, shared.worker.clone()))
            }
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Err(problems.join("; "))
            }
        }
    }

    fn file(&self, worker: &WorkerConfig) -> Result<Option<FileStore>, String> {
        let OffsetStorage::File(path) = &worker.offsets else {
            return Ok(None);
        };
        let mut found = Err(String::new());
        self.shared.files.send_modify(|files| {
            found = shared_file(files, path);
        });
        found.map(Some)
    }

    /// Opens the files that hold positions: without them no link can begin.
    pub(crate) fn open_files(&self) -> Result<(), String> {
        let prepared = self.shared.prepared.values().map(|link| &link.worker);
        for worker in prepared.chain([&self.shared.worker]) {
            self.file(worker)?;
        }
        Ok(())
    }

    /// Says that a link has ended by itself, where that ends the process, and waits for that end.
    async fn say_fatal(&self, text: String, ran: bool, stop: &StopSignal) {
        if let Some(fatal) = &self.shared.fatal {
            // Nobody listens any more when the process ends already.
            drop(fatal.send(Failed { text, ran }).await);
            stop.requested().await;
        }
    }

    async fn run_link(
        self,
        start: LinkStart,
        started: Started,
        stop: StopSignal,
    ) -> Result<(), LinkFailure> {
        let LinkStart { name, config, part } = start;
        let invalid = |problem: String| LinkFailure::new(INVALID, &problem);
        let (mut link, worker) = self.settings(&name, &config, true).await.map_err(invalid)?;
        if let Part::Task { of, .. } = part {
            link.fetch = link.fetch.divided(of);
        }
        match role(&config) {
            Role::MirrorCheckpoint => return idle(started, &stop, NO_CHECKPOINTS).await,
            // The connector only says that there is one task.
            Role::MirrorHeartbeat if part == Part::Connector => {
                return idle(started, &stop, "heartbeats are written by the task").await;
            }
            Role::MirrorHeartbeat => return self.heartbeats(&config, link, started, &stop).await,
            Role::MirrorSource | Role::Replicator | Role::Own => {}
        }
        let file = self.file(&worker).map_err(invalid)?;
        let budget = worker.buffer_memory;
        let links = copying(&self.shared.running.borrow()) + 1;
        let buffers = Buffers::new(self.shared.share(budget, links));
        let scope = Arc::clone(&self.shared.scope);
        let (key, part) = part_of(&name, &part);
        let copies = !matches!(part, LinkPart::Topics);
        let looks = !matches!(part, LinkPart::Partitions { .. });
        let compared = compared(&link.topics);
        let starting = Link::start_part(link, part, &worker, file, buffers.clone(), &scope);
        let starting = Box::pin(starting);
        let (link, handle) = match stop.unless_requested(starting).await {
            None => return Ok(()),
            Some(Ok(started)) => started,
            Some(Err(error)) => {
                let class = class_of(&error);
                let error = format!("{error}; see {}", page(LINK_CANNOT_START));
                let text = format!("link {name} cannot start: {error}");
                self.say_fatal(text, false, &stop).await;
                return Err(LinkFailure::new(class, &error));
            }
        };
        started.with(Box::new(LinkProbe(handle.clone())));
        let running = Running {
            link: name,
            copies,
            looks,
            handle,
            compared,
            buffers,
            budget,
        };
        let shown = Shown::new(&self.shared, key, running);
        let ended = Box::pin(link.run(stop.clone())).await;
        drop(shown);
        match ended {
            Ok(()) => Ok(()),
            Err(failure) => {
                self.say_fatal(failure.to_string(), true, &stop).await;
                Err(LinkFailure::new(CONNECT, &failure.to_string()))
            }
        }
    }

    async fn heartbeats(
        &self,
        config: &Config,
        link: LinkConfig,
        started: Started,
        stop: &StopSignal,
    ) -> Result<(), LinkFailure> {
        let text = |key: &str| config.get(key).map(|value| value.trim().to_owned());
        let seconds = text("emit.heartbeats.interval.seconds").and_then(|value| value.parse().ok());
        let enabled = text("emit.heartbeats.enabled");
        if enabled.is_some_and(|value| value.eq_ignore_ascii_case("false")) {
            return idle(started, stop, "heartbeats are switched off").await;
        }
        let emission = replication::heartbeat::Emission {
            source: text("source.cluster.alias").unwrap_or_default(),
            destination: text("target.cluster.alias").unwrap_or_else(|| "target".to_owned()),
            topic: text("heartbeats.topic").unwrap_or_else(|| "heartbeats".to_owned()),
            replication_factor: text("heartbeats.topic.replication.factor")
                .and_then(|value| value.parse().ok())
                .unwrap_or(3),
            every: Duration::from_secs(seconds.unwrap_or(1)),
        };
        let cluster = Cluster::new(link.destination, "destination");
        let opened = stop.unless_requested(emission.open(cluster)).await;
        let Some(opened) = opened else { return Ok(()) };
        let mut heartbeats =
            opened.map_err(|error| LinkFailure::new(CONNECT, &error.to_string()))?;
        started.with(Box::new(Words(Vec::new())));
        heartbeats.run(stop).await;
        Ok(())
    }
}

/// The part of a link, and the key that its handle is kept under.
fn part_of(name: &str, part: &Part) -> (String, LinkPart) {
    match part {
        Part::Whole => (name.to_owned(), LinkPart::Whole),
        Part::Connector => (format!("{name} topics"), LinkPart::Topics),
        Part::Task {
            number, partitions, ..
        } => (
            format!("{name}-{number}"),
            LinkPart::partitions(*number, partitions),
        ),
    }
}

/// A link's handle, kept as long as its future is; also where that is cut off.
struct Shown {
    shared: Arc<Shared>,
    key: String,
}

impl Shown {
    fn new(shared: &Arc<Shared>, key: String, part: Running) -> Self {
        shared.running.send_modify(|running| {
            running.insert(key.clone(), part);
        });
        shared.deal_memory();
        Self {
            shared: Arc::clone(shared),
            key,
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // At the end of the process its last figures are still wanted.
        if !self.shared.scope.stop_signal().is_requested() {
            self.shared.running.send_modify(|running| {
                running.remove(&self.key);
            });
            self.shared.deal_memory();
        }
    }
}

fn shared_file(files: &mut Vec<(PathBuf, FileStore)>, path: &Path) -> Result<FileStore, String> {
    if let Some((_, store)) = files.iter().find(|(known, _)| known == path) {
        return Ok(store.clone());
    }
    let store = FileStore::open(path).map_err(|error| error.to_string())?;
    files.push((path.to_owned(), store.clone()));
    Ok(store)
}

const NO_CHECKPOINTS: &str =
    "checkpoints are not written yet, and offsets of consumer groups are not translated";

/// A probe of something that copies nothing, and may have something to say.
struct Words(Vec<String>);

impl Probe for Words {
    fn look(&self) -> LinkReport {
        let mut report = LinkReport {
            // One task, without partitions.
            selected: Some(BTreeMap::new()),
            ..LinkReport::default()
        };
        report.replication.trouble.clone_from(&self.0);
        report
    }
}

/// A connector that is accepted and has nothing to do.
async fn idle(started: Started, stop: &StopSignal, why: &str) -> Result<(), LinkFailure> {
    started.with(Box::new(Words(vec![why.to_owned()])));
    stop.requested().await;
    Ok(())
}

fn role(config: &Config) -> Role {
    let class = config.get("connector.class").map_or("", String::as_str);
    plugin::find(class.trim()).map_or(Role::Own, |plugin| plugin.role)
}

/// What Java would call it.
fn class_of(error: &LinkError) -> &'static str {
    match error {
        LinkError::Source(_) | LinkError::Destination(_) => {
            "org.apache.kafka.connect.errors.RetriableException"
        }
        LinkError::SameCluster(_) | LinkError::Listed(_) | LinkError::OtherCluster { .. } => {
            INVALID
        }
        LinkError::Store(_)
        | LinkError::Group { .. }
        | LinkError::NoClusterId(_)
        | LinkError::Origins(_)
        | LinkError::Transactions(_) => CONNECT,
    }
}

impl Host for LinkHost {
    fn run(
        &self,
        link: LinkStart,
        started: Started,
        stop: StopSignal,
    ) -> Pending<Result<(), LinkFailure>> {
        Box::pin(self.clone().run_link(link, started, stop))
    }

    fn offsets(&self, name: String, config: Config) -> Pending<Result<Vec<SourceOffset>, String>> {
        let host = self.clone();
        Box::pin(async move { positions::read(&host, &name, &config).await })
    }

    fn change_offsets(
        &self,
        name: String,
        config: Config,
        change: OffsetChange,
    ) -> Pending<Result<(), String>> {
        let host = self.clone();
        Box::pin(async move { positions::change(&host, &name, &config, change).await })
    }

    fn fence(&self, name: String, config: Config, tasks: Vec<u32>) -> Pending<Result<(), String>> {
        let host = self.clone();
        Box::pin(async move {
            let (link, worker) = host.settings(&name, &config, false).await?;
            let fenced = Box::pin(replication::link::fence(&link, &worker, &tasks)).await;
            fenced.map_err(|error| error.to_string())
        })
    }

    fn cluster_id(&self) -> Option<String> {
        self.shared.cluster_id.get().cloned()
    }

    fn detail(&self, name: &str) -> Option<LinkDetail> {
        let parts: Vec<LinkHandle> = {
            let running = self.shared.running.borrow();
            match running.get(name).filter(|whole| whole.link == name) {
                // Not looked for among a thousand others, a thousand times.
                Some(whole) => vec![whole.handle.clone()],
                None => {
                    let of_link = running.values().filter(|one| one.link == name);
                    of_link.map(|one| one.handle.clone()).collect()
                }
            }
        };
        detail::together(parts.iter().map(detail::of))
    }

    fn preview(
        &self,
        name: String,
        config: Config,
        options: PreviewOptions,
    ) -> Pending<Result<Value, String>> {
        let host = self.clone();
        Box::pin(async move {
            let (link, worker) = host.settings(&name, &config, false).await?;
            let tasks = config
                .get("tasks.max")
                .and_then(|text| text.trim().parse().ok());
            let previewed =
                Box::pin(preview_document::look(&link, &worker, Memory::OfWorker)).await?;
            let document =
                preview_document::document(&previewed, &link, tasks, options.rate, |_| true);
            Ok(document)
        })
    }

    fn preflight(&self, name: String, config: Config) -> Pending<Result<Value, String>> {
        let host = self.clone();
        Box::pin(async move {
            let (link, worker) = host.settings(&name, &config, false).await?;
            let found = Box::pin(replication::preflight::preflight(&link, &worker)).await;
            Ok(preflight_document::document(&found, &link.name))
        })
    }

    fn refresh(&self, name: &str) -> bool {
        let running = self.shared.running.borrow();
        let of_link = running.values().filter(|one| one.link == name);
        // Each part takes it for itself; that of tasks has no topics to look at.
        of_link.map(|one| one.handle.refresh()).count() > 0
    }

    fn answered(&self, name: &str, topic: &str) -> bool {
        let running = self.shared.running.borrow();
        // Those that copy are told with their own partitions.
        let looking = running.values().filter(|one| one.link == name && one.looks);
        looking.map(|one| one.handle.answered(topic.into())).count() > 0
    }

    fn compare_settings(&self, name: &str) -> bool {
        let running = self.shared.running.borrow();
        let of_link = running.values().filter(|one| one.link == name);
        of_link.map(|one| one.handle.compare_settings()).count() > 0
    }
}
