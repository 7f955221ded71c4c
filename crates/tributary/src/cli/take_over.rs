//! `tributary take-over`: what there is of a Connect, MirrorMaker 2 or Replicator group, and what would become of it.
//!
//! Reads the group's three topics, says which connectors can be links and where each would go on. Nothing is written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use config::RawConfig;
use config::client::ClientConfig;
use config::resolve::resolve_link;
use config::worker::WorkerConfig;
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_client::topic_log::{KeyValue, TopicLog, TopicShape};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_groups::DescribeGroupsRequest;
use kafka_wire::message::find_coordinator::{CoordinatorKind, FindCoordinatorRequest};
use kafka_wire::message::metadata::MetadataTopics;
use replication::link::key_style;
use replication::position_store::keys::{self, ShownPosition};
use replication::position_store::{KeyStyle, StoredText};
use worker_group::config_state::ConfigState;
use worker_group::{Config, config_record, plugin, validate};

use super::Exit;
use crate::progress::cut;
use crate::{output, settings, variables};

/// How long a topic may take to be read.
const LIMIT: Duration = Duration::from_secs(60);
/// Positions that are shown of each connector.
const SHOWN: usize = 5;

/// Show what would be taken over of a Connect, MirrorMaker 2 or Replicator group.
///
/// Reads the group's topics and lists its connectors: which can be links, where each would go on, under which keys.
/// Writes nothing. Ends with code 3 when something stands in the way, such as members of the group that still run.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary take-over --connect-group connect-cluster --bootstrap-server central-1:9092"
)]
pub(crate) struct TakeOverArgs {
    /// group.id of the workers
    #[arg(long, value_name = "GROUP")]
    connect_group: String,

    /// Bootstrap servers of the workers' cluster
    #[arg(long, value_name = "HOST:PORT[,…]")]
    bootstrap_server: String,

    /// Properties file with client settings: TLS, SASL, …
    #[arg(long, value_name = "FILE")]
    command_config: Option<PathBuf>,

    /// config.storage.topic of the workers
    #[arg(long, value_name = "TOPIC", default_value = "connect-configs")]
    config_topic: String,

    /// offset.storage.topic of the workers
    #[arg(long, value_name = "TOPIC", default_value = "connect-offsets")]
    offset_topic: String,
}

/// Runs the command.
pub(super) async fn run(args: TakeOverArgs) -> Exit {
    match Box::pin(look(&args)).await {
        Ok(0) => Exit::Done,
        Ok(_) => Exit::NotReady,
        Err(problem) => {
            output::error(&problem);
            Exit::Error
        }
    }
}

/// The worker that would take over: its cluster, and its topic of positions.
fn worker(args: &TakeOverArgs) -> Result<(WorkerConfig, RawConfig), String> {
    let mut raw = match &args.command_config {
        Some(path) => settings::read(path)?,
        None => RawConfig::new(),
    };
    raw.set_flag(
        "--bootstrap-server",
        "bootstrap.servers",
        &args.bootstrap_server,
    );
    raw.set_flag("--connect-group", "group.id", &args.connect_group);
    raw.set_flag("--offset-topic", "offset.storage.topic", &args.offset_topic);
    let unusable = "the settings cannot be used";
    variables::give_own(&mut raw, "take-over").ok_or(unusable)?;
    let worker = settings::worker(&raw, "take-over").ok_or(unusable)?;
    Ok((worker, raw))
}

/// Prints everything; the number of things that stand in the way.
async fn look(args: &TakeOverArgs) -> Result<usize, String> {
    let (worker, _) = worker(args)?;
    let client: ClientConfig = worker.bootstrap.clone().ok_or("the cluster is not named")?;
    let cluster = Cluster::new(client, "cluster");
    let mut obstacles = Vec::new();
    if let Some(members) = members(&cluster, &args.connect_group).await? {
        obstacles.push(format!(
            "the group {} has {members} members that run: stop them first",
            args.connect_group
        ));
    }
    let configs = records(&cluster, &args.config_topic, &mut obstacles).await?;
    let offsets = records(&cluster, &args.offset_topic, &mut obstacles).await?;
    let (state, broken) = state(&configs);
    for problem in broken {
        output::notice(&problem);
    }
    let offsets: Vec<StoredText> = offsets.into_iter().filter_map(text).collect();
    output::line(&format!(
        "{:<30} {:<26} {:>5} {:<8} {:>7}  DECISION",
        "CONNECTOR", "CLASS", "TASKS", "STATE", "OFFSETS"
    ));
    let mut details = Vec::new();
    for name in state.names() {
        let config = state.config(name).expect("its name was listed");
        let (row, more) = connector(name, config, &state, &worker, &offsets, &mut obstacles);
        output::line(&row);
        details.extend(more);
    }
    for line in details {
        output::line(&line);
    }
    for obstacle in &obstacles {
        output::line(&format!("IN THE WAY  {obstacle}"));
    }
    output::line(&format!(
        "\nworker.properties to go on with:\nbootstrap.servers={}\noffset.storage.topic={}",
        args.bootstrap_server, args.offset_topic
    ));
    Ok(obstacles.len())
}

/// One connector: its row, and its positions.
fn connector(
    name: &str,
    config: &Config,
    state: &ConfigState,
    worker: &WorkerConfig,
    offsets: &[StoredText],
    obstacles: &mut Vec<String>,
) -> (String, Vec<String>) {
    let class = config.get("connector.class").map_or("", String::as_str);
    let simple = class.rsplit('.').next().unwrap_or(class);
    let raw = validate::raw(name, config, None);
    let link = resolve_link(&raw, worker).map(|(link, _)| link);
    let style = link.as_ref().map_or(KeyStyle::Plain, key_style);
    let positions = keys::shown(&style, name, offsets);
    let mut lines = Vec::new();
    let decision = match (plugin::find(class.trim()), &link) {
        (None, _) => {
            obstacles.push(format!("{name}: {class} copies no topics between clusters"));
            "left alone"
        }
        (Some(_), Err(problems)) => {
            for problem in problems {
                obstacles.push(format!("{name}: {problem}"));
            }
            "has to change"
        }
        (Some(_), Ok(_)) if positions.is_empty() => {
            lines.push("  no position is stored under its name".to_owned());
            "begins anew"
        }
        (Some(_), Ok(_)) => "goes on",
    };
    let row = format!(
        "{:<30} {:<26} {:>5} {:<8} {:>7}  {decision}",
        cut(name, 30),
        cut(simple, 26),
        state.tasks(name).len(),
        state.target(name).as_str(),
        positions.len()
    );
    lines.extend(positions.iter().take(SHOWN).map(position));
    if positions.len() > SHOWN {
        lines.push(format!("  … and {} more", positions.len() - SHOWN));
    }
    (row, lines)
}

fn position(position: &ShownPosition) -> String {
    let offset = position
        .offset
        .map_or("none".to_owned(), |offset| offset.to_string());
    format!("  {}  {offset}", position.key)
}

fn text((key, value): KeyValue) -> Option<StoredText> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).ok();
    match value {
        None => Some((text(key)?, None)),
        Some(value) => Some((text(key)?, Some(text(value)?))),
    }
}

/// What the records of the config topic amount to, and which cannot be read.
fn state(records: &[KeyValue]) -> (ConfigState, Vec<String>) {
    let mut state = ConfigState::default();
    let mut broken = Vec::new();
    for (key, value) in records {
        let key = String::from_utf8_lossy(key);
        match config_record::decode(&key, value.as_deref()) {
            Ok(Some(record)) => drop(state.apply(record)),
            Ok(None) => {}
            Err(problem) => broken.push(problem),
        }
    }
    (state, broken)
}

/// All records of a topic, in order; none where it is not there, which stands in the way.
async fn records(
    cluster: &Cluster,
    topic: &str,
    obstacles: &mut Vec<String>,
) -> Result<Vec<KeyValue>, String> {
    let asked = MetadataTopics::Topics(vec![topic.into()]);
    let answer = cluster
        .metadata(asked)
        .await
        .map_err(|error| error.to_string())?;
    let found = answer.topics.first();
    if found.is_none_or(|topic| topic.error != ErrorCode::NONE) {
        obstacles.push(format!(
            "there is no topic {topic}, or it may not be described"
        ));
        return Ok(Vec::new());
    }
    // It is there, so nothing is made.
    let shape = TopicShape {
        partitions: 1,
        replication_factor: -1,
    };
    let opened = TopicLog::open(cluster.clone(), topic.into(), shape, LIMIT).await;
    let mut log = match opened {
        Ok(log) => log,
        Err(error) => {
            obstacles.push(error.to_string());
            return Ok(Vec::new());
        }
    };
    let records = log
        .read_all(LIMIT)
        .await
        .map_err(|error| error.to_string())?;
    // Of each key only the last counts; their order does.
    let mut last: BTreeMap<Bytes, usize> = BTreeMap::new();
    for (index, (key, _)) in records.iter().enumerate() {
        last.insert(key.clone(), index);
    }
    let kept = records.into_iter().enumerate();
    Ok(kept
        .filter(|(index, (key, _))| last.get(key) == Some(index))
        .map(|(_, record)| record)
        .collect())
}

/// How many members of the group run, if any.
async fn members(cluster: &Cluster, group: &str) -> Result<Option<usize>, String> {
    let found = FindCoordinatorRequest {
        key: group.to_owned(),
        kind: CoordinatorKind::Group,
    };
    let found = cluster.call_any(Use::Admin, &found).await;
    let found = found.map_err(|error| error.to_string())?;
    let Some(coordinator) = found.coordinator else {
        return Err(format!(
            "the group {group} has no coordinator: {}",
            found.error
        ));
    };
    let asked = DescribeGroupsRequest {
        groups: vec![group.to_owned()],
        authorized_operations: false,
    };
    // The addresses of brokers are known from metadata.
    let none = MetadataTopics::Topics(Vec::new());
    cluster
        .metadata(none)
        .await
        .map_err(|error| error.to_string())?;
    let answer = cluster.call(coordinator.node, Use::Admin, &asked).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let count = answer.groups.first().map_or(0, |group| group.members.len());
    Ok((count > 0).then_some(count))
}
