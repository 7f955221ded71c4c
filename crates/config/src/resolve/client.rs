//! Settings of the connections to one cluster, from several places of which the stronger win.

use std::time::Duration;

use crate::address::parse_addresses;
use crate::client::ClientConfig;
use crate::resolve::reader::Reader;
use crate::resolve::security;

/// Longest pause before a connection is tried again. A cluster that comes back is noticed within seconds
/// whatever a configuration says.
const RECONNECT_CEILING: Duration = Duration::from_secs(5);

/// Puts a client together from the keys behind `prefixes`, the strongest first, over `base`. `None` without
/// brokers, or where their list cannot be read, which is reported.
pub(super) fn client(
    reader: &mut Reader<'_>,
    prefixes: &[&str],
    base: Option<&ClientConfig>,
) -> Option<ClientConfig> {
    let keys = |name: &str| -> Vec<String> {
        prefixes
            .iter()
            .map(|prefix| format!("{prefix}{name}"))
            .collect()
    };
    let brokers = match reader.first(&keys("bootstrap.servers")) {
        Some(entry) => match parse_addresses(entry.value.trim()) {
            Ok(brokers) => brokers,
            Err(problem) => {
                reader.refuse(entry, problem.to_string(), None);
                return None;
            }
        },
        None => base?.bootstrap_servers.clone(),
    };
    let mut client = base
        .cloned()
        .unwrap_or_else(|| ClientConfig::new(Vec::new()));
    client.bootstrap_servers = brokers;

    if let Some(entry) = reader.first(&keys("client.id")) {
        client.client_id = entry.value.trim().to_owned();
    }
    if let Some(entry) = reader.first(&keys("client.rack")) {
        client.client_rack = Some(entry.value.trim().to_owned());
    }
    let durations = [
        ("request.timeout.ms", &mut client.request_timeout),
        ("retry.backoff.ms", &mut client.retry_backoff),
        ("retry.backoff.max.ms", &mut client.retry_backoff_max),
        ("reconnect.backoff.ms", &mut client.reconnect_backoff),
        (
            "reconnect.backoff.max.ms",
            &mut client.reconnect_backoff_max,
        ),
        (
            "socket.connection.setup.timeout.ms",
            &mut client.connection_setup_timeout,
        ),
        ("connections.max.idle.ms", &mut client.connections_max_idle),
        ("metadata.max.age.ms", &mut client.metadata_max_age),
    ];
    for (name, setting) in durations {
        if let Some(entry) = reader.first(&keys(name))
            && let Some(duration) = reader.millis(&entry.key)
        {
            *setting = duration;
        }
    }
    for (name, setting) in [
        ("send.buffer.bytes", &mut client.send_buffer),
        ("receive.buffer.bytes", &mut client.receive_buffer),
    ] {
        if let Some(entry) = reader.first(&keys(name)) {
            // -1 leaves it to the system.
            *setting = reader
                .number::<usize>(&entry.key)
                .filter(|bytes| *bytes > 0);
        }
    }
    security::security(reader, prefixes, base, &mut client);
    if client.reconnect_backoff_max > RECONNECT_CEILING {
        if let Some(entry) = reader.first(&keys("reconnect.backoff.max.ms")) {
            let ceiling = RECONNECT_CEILING.as_millis();
            reader.warn(format!(
                "{} is more than {ceiling}, which is used: a cluster that comes back is to be noticed within seconds",
                entry.key
            ));
        }
        client.reconnect_backoff_max = RECONNECT_CEILING;
    }
    client.reconnect_backoff = client.reconnect_backoff.min(client.reconnect_backoff_max);
    client.retry_backoff = client.retry_backoff.min(client.retry_backoff_max);
    Some(client)
}
