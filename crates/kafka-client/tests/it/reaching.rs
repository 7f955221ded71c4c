//! Reaching a cluster: dead addresses, old brokers, brokers that hang.

use std::time::Duration;

use config::client::HostPort;
use kafka_client::cluster::Use;
use kafka_client::{ClientError, Connection};
use kafka_wire::message::metadata::{MetadataRequest, MetadataTopics};
use kafka_wire::types::NodeId;
use test_support::fake_broker::{FakeBroker, Reply};
use test_support::ports::PortLease;
use tokio::time::Instant;

use crate::peer::{
    API_VERSIONS, METADATA, address, api_versions, broker, cluster, config, in_time, metadata,
};

fn host(host: &str, port: u16) -> HostPort {
    HostPort {
        host: host.to_owned(),
        port,
    }
}

/// A peer that answers Metadata with its own address.
async fn whole_cluster() -> FakeBroker {
    let port = std::sync::Arc::new(std::sync::OnceLock::new());
    let own = std::sync::Arc::clone(&port);
    let peer = broker(move |_| Reply::Body(metadata(own.get().expect("set below")))).await;
    port.set(address(&peer)).expect("set once");
    peer
}

#[tokio::test]
async fn a_bootstrap_list_whose_first_hosts_are_dead_reaches_the_last() {
    let dead = PortLease::new().expect("a free port");
    let peer = whole_cluster().await;
    let bootstrap = vec![
        host("does-not-exist.invalid", 9092),
        host("127.0.0.1", dead.port()),
        address(&peer),
    ];
    let cluster = cluster(bootstrap);
    let answer = in_time(cluster.metadata(MetadataTopics::All)).await;
    assert_eq!(answer.expect("the last one answers").controller, NodeId(1));
    assert_eq!(cluster.cluster_id().as_deref(), Some("the-cluster"));
    assert_eq!(cluster.address(NodeId(1)).expect("known"), address(&peer));
    // From now on the one that answered is asked first.
    let begun = peer.seen().len();
    in_time(cluster.metadata(MetadataTopics::All))
        .await
        .expect("answered");
    assert_eq!(peer.seen().len(), begun + 1, "on the same connection");
}

#[tokio::test]
async fn others_are_asked_first_where_what_a_broker_told_led_nowhere() {
    let (one, other) = (whole_cluster().await, whole_cluster().await);
    let cluster = cluster(vec![address(&one), address(&other)]);
    let asked = async |broker: &FakeBroker| {
        let before = broker.seen().len();
        in_time(cluster.metadata(MetadataTopics::All))
            .await
            .expect("answered");
        broker.seen().len() > before
    };
    assert!(asked(&one).await && asked(&one).await);
    cluster.doubt();
    assert!(asked(&other).await && asked(&other).await);
    // In doubt it is still better than nobody.
    drop(other);
    assert!(asked(&one).await);
}

#[tokio::test]
async fn a_cluster_of_which_nothing_answers_is_named_with_every_reason() {
    let dead = PortLease::new().expect("a free port");
    let bootstrap = vec![
        host("does-not-exist.invalid", 9092),
        host("127.0.0.1", dead.port()),
    ];
    let cluster = cluster(bootstrap);
    let error = in_time(cluster.metadata(MetadataTopics::All))
        .await
        .expect_err("nobody is there")
        .to_string();
    for words in ["does-not-exist.invalid:9092", &dead.port().to_string()] {
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn a_broker_that_does_not_know_our_version_of_the_handshake_is_asked_in_its_own() {
    let peer = FakeBroker::start(|request| match (request.api_key, request.version) {
        (API_VERSIONS, 0) => api_versions(request),
        // UNSUPPORTED_VERSION in the layout of version 0, as every broker answers (KIP-511).
        (API_VERSIONS, _) => Reply::Body([&35_i16.to_be_bytes()[..], &[0; 4]].concat()),
        _ => Reply::Close,
    })
    .await
    .expect("a port");
    let own = address(&peer);
    let connection = in_time(Connection::open(&config(vec![own.clone()]), &own, None))
        .await
        .expect("version 0 is known everywhere");
    assert_eq!(connection.version::<MetadataRequest>().expect("offered"), 8);
    let asked: Vec<i16> = peer.seen().iter().map(|request| request.version).collect();
    assert_eq!(asked, [3, 0]);
}

#[tokio::test]
async fn a_broker_that_offers_nothing_in_common_is_too_old() {
    let peer = FakeBroker::start(|_| {
        let mut body = vec![0, 0, 2];
        for number in [METADATA, 0, 1] {
            body.extend(number.to_be_bytes());
        }
        body.extend([0; 6]);
        Reply::Body(body)
    })
    .await
    .expect("a port");
    let cluster = cluster(vec![address(&peer)]);
    let error = in_time(cluster.metadata(MetadataTopics::All)).await;
    let error = error.expect_err("too old");
    assert!(matches!(error, ClientError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("0–1"), "{error}");
}

#[tokio::test]
async fn a_broker_that_hangs_is_given_up_in_time_and_asked_on_a_new_connection() {
    let own = std::sync::Arc::new(std::sync::OnceLock::<HostPort>::new());
    let known = std::sync::Arc::clone(&own);
    // The first connection is served once and then never again.
    let served = std::sync::atomic::AtomicUsize::new(0);
    let peer = broker(move |request| {
        let first = request.connection == 0;
        if first && served.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0 {
            return Reply::Silence;
        }
        Reply::Body(metadata(known.get().expect("set below")))
    })
    .await;
    own.set(address(&peer)).expect("set once");
    let cluster = cluster(vec![address(&peer)]);
    in_time(cluster.metadata(MetadataTopics::All))
        .await
        .expect("served once");
    let ask = MetadataRequest {
        topics: MetadataTopics::All,
        authorized_operations: false,
    };
    let begun = Instant::now();
    let error = in_time(cluster.call(NodeId(1), Use::Metadata, &ask))
        .await
        .expect_err("it hangs");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    in_time(cluster.call(NodeId(1), Use::Metadata, &ask))
        .await
        .expect("a new connection is served");
    assert!(peer.seen().iter().any(|request| request.connection == 1));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_answer_to_the_next_one() {
    let own = std::sync::Arc::new(std::sync::OnceLock::<HostPort>::new());
    let known = std::sync::Arc::clone(&own);
    let peer = broker(move |request| match request.connection {
        0 => Reply::Silence,
        _ => Reply::Body(metadata(known.get().expect("set below"))),
    })
    .await;
    own.set(address(&peer)).expect("set once");
    let cluster = cluster(vec![address(&peer)]);
    {
        let waiting = cluster.metadata(MetadataTopics::All);
        tokio::pin!(waiting);
        // Dropped as soon as the request has arrived.
        let seen = test_support::eventually::eventually_true(
            "the request",
            Duration::from_secs(5),
            async || {
                let arrived =
                    |request: &test_support::fake_broker::Request| request.api_key == METADATA;
                peer.seen().iter().any(arrived)
            },
        );
        tokio::select! {
            _ = &mut waiting => panic!("nothing answers"),
            seen = seen => seen.expect("the request arrives"),
        }
    }
    let answer = in_time(cluster.metadata(MetadataTopics::All)).await;
    assert_eq!(answer.expect("answered").brokers.len(), 1);
}
