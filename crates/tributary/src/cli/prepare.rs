//! From a configuration that a command has resolved to a link of the worker's engine.

use config::RawConfig;
use config::link::LinkConfig;
use config::worker::WorkerConfig;
use worker_group::Config;

use crate::link_host::Prepared;

/// A link with its configuration as it was given, variables unreplaced. `name` is in it, and a class.
pub(super) fn prepared(raw: &RawConfig, link: LinkConfig, worker: WorkerConfig) -> Prepared {
    let entries = raw.entries().iter();
    let mut config: Config = entries
        .map(|entry| (entry.key.clone(), entry.given_value().to_owned()))
        .collect();
    config.insert("name".to_owned(), link.name.clone());
    config
        .entry("connector.class".to_owned())
        .or_insert_with(|| "tributary.TributarySourceConnector".to_owned());
    Prepared {
        config,
        link,
        worker,
    }
}
