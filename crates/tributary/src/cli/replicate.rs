//! `tributary replicate`: one link made from options.

use config::client::{ClientConfig, HostPort};
use config::link::*;
use config::pattern::{Pattern, PatternList};
use config::rename::RenameFormat;
use config::selection::TopicSelection;
use config::worker::{OffsetStorage, WorkerConfig};
use std::time::Duration;

use super::{Exit, ReplicateArgs};
use crate::worker::{self, RunOptions};

fn hp(s: &str) -> HostPort {
    let (h, p) = s.rsplit_once(':').expect("host:port");
    HostPort { host: h.to_owned(), port: p.parse().expect("port") }
}

pub(super) async fn run(args: ReplicateArgs) -> Exit {
    let name = args.name.clone().unwrap_or_else(|| "quick".to_owned());
    let link = LinkConfig {
        name: name.clone(),
        source: ClientConfig::new(args.from.split(',').map(hp).collect()),
        destination: ClientConfig::new(args.to.split(',').map(hp).collect()),
        topics: TopicSettings {
            selection: TopicSelection::new(
                args.topic.clone(),
                Vec::new(),
                args.topics.iter().map(|p| Pattern::parse(p).expect("pattern")).collect(),
                args.exclude.iter().map(|p| Pattern::parse(p).expect("pattern")).collect(),
            ),
            rename: RenameFormat::parse(&args.rename).expect("rename"),
            auto_create: true,
            replication_factor: None,
            timestamp_type: TimestampType::CreateTime,
            poll_interval: Duration::from_secs(2),
            create_backoff: Duration::from_secs(10),
            config_exclude: PatternList::parse([]).expect("empty"),
        },
        fetch: FetchSettings::default(),
        produce: ProduceSettings::default(),
        start: StartPosition::Earliest,
        on_gap: OnGap::Stop,
        on_recreate: OnRecreate::Stop,
    };
    let worker = WorkerConfig::new(OffsetStorage::Topic {
        name: format!("tributary.{name}.offsets.internal"),
        replication_factor: 3,
        partitions: 25,
    });
    let options = RunOptions {
        until_caught_up: args.until_caught_up.then_some(args.hold),
        stop_after: args.stop_after,
        progress: args.progress.0,
    };
    worker::run(worker, vec![link], options).await
}
