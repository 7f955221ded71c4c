//! Who comes when a cluster is back, and how often it is tried before: counted by the proxies in front of its brokers.

use test_support::fault_proxy::Second;
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits::{
    ATTEMPTS, CONNECTIONS_AT_ONCE, LANES, REQUESTS_FOR_EACH, RETRY_SETTLES,
};

use crate::report::Page;

/// Kafka's number of the Produce API: data, which shall come.
const PRODUCE: i16 = 0;
/// Seconds after the return in which those who waited could come all at once.
const FIRST: usize = 10;
/// Names of requests, by their number.
const NAMES: [(i16, &str); 13] = [
    (0, "Produce"),
    (1, "Fetch"),
    (2, "ListOffsets"),
    (3, "Metadata"),
    (10, "FindCoordinator"),
    (18, "ApiVersions"),
    (19, "CreateTopics"),
    (22, "InitProducerId"),
    (23, "OffsetForLeaderEpoch"),
    (32, "DescribeConfigs"),
    (44, "IncrementalAlterConfigs"),
    (60, "DescribeCluster"),
    (61, "DescribeProducers"),
];

/// Connections of the program that are open now.
pub(crate) fn open(cluster: &KafkaCluster) -> u64 {
    let proxies = cluster.proxies().iter();
    proxies.map(|proxy| proxy.traffic().open).sum()
}

/// Begins to count anew.
pub(crate) fn begin(cluster: &KafkaCluster) {
    for proxy in cluster.proxies() {
        proxy.begin_seconds();
    }
}

/// How often a cluster that is away is tried.
pub(crate) fn away(page: &mut Page, seconds: &[Second], brokers: usize) {
    let connections = |seconds: &[Second]| seconds.iter().map(|one| one.connections).sum::<u64>();
    let settles = usize::try_from(RETRY_SETTLES.as_secs()).unwrap_or(0);
    let (first, later) = seconds.split_at(settles.min(seconds.len()));
    let most = later.iter().map(|one| one.connections).max().unwrap_or(0);
    let mean = connections(later) as f64 / later.len().max(1) as f64;
    let allowed = ATTEMPTS * LANES * brokers as u64;
    page.hold(
        most <= allowed,
        format!(
            "while it was away: {} attempts in the first {settles} s, then {mean:.1} per second and at most {most}, limit \
             {allowed} for {brokers} brokers",
            connections(first)
        ),
    );
}

/// What came in the first seconds after the return, where so many connections were before.
pub(crate) fn back(
    page: &mut Page,
    seconds: &[Second],
    before: u64,
    (brokers, partitions): (usize, usize),
) {
    let first = &seconds[..FIRST.min(seconds.len())];
    page.line("\n| second after the return | connections | requests |\n|---|---|---|");
    for (at, second) in first.iter().enumerate() {
        let requests: Vec<String> = second
            .requests
            .iter()
            .map(|(key, count)| format!("{count} {}", name(*key)))
            .collect();
        page.line(format!(
            "| {} | {} | {} |",
            at + 1,
            second.connections,
            requests.join(", ")
        ));
    }
    page.line("");
    let at_once = first.first().map_or(0, |one| one.connections);
    let all: u64 = first.iter().map(|one| one.connections).sum();
    let allowed = CONNECTIONS_AT_ONCE * LANES * brokers as u64;
    page.hold(
        all <= allowed,
        format!(
            "connections: {at_once} in the first second, {all} in {FIRST}, {before} before the outage; limit {allowed} for \
             {brokers} brokers"
        ),
    );
    let beside = first.iter().map(|one| one.requests_beside(PRODUCE));
    let most = beside.max().unwrap_or(0);
    let allowed = REQUESTS_FOR_EACH * partitions as u64;
    page.hold(
        most <= allowed,
        format!("requests beside Produce: at most {most} in a second, limit {allowed} for {partitions} partitions"),
    );
}

fn name(api_key: i16) -> String {
    let known = NAMES.iter().find(|(key, _)| *key == api_key);
    known.map_or_else(|| format!("API {api_key}"), |(_, name)| (*name).to_owned())
}
