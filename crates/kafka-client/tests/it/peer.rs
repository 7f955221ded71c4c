//! What the scripted peers say: bodies of answers in old, fixed layouts, written by hand.

use std::time::Duration;

use config::client::{ClientConfig, HostPort};
use kafka_client::{Cluster, Connection};
use test_support::fake_broker::{FakeBroker, Reply, Request};
use tokio::time::timeout;

pub(crate) const PRODUCE: i16 = 0;
pub(crate) const FETCH: i16 = 1;
pub(crate) const METADATA: i16 = 3;
pub(crate) const SASL_HANDSHAKE: i16 = 17;
pub(crate) const API_VERSIONS: i16 = 18;
pub(crate) const SASL_AUTHENTICATE: i16 = 36;

/// Nothing a test waits for may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it ends in time")
}

/// Versions offered by the peers: the newest without flexible fields.
const OFFERED: [(i16, i16); 6] = [
    (PRODUCE, 8),
    (FETCH, 11),
    (METADATA, 8),
    (SASL_HANDSHAKE, 1),
    (API_VERSIONS, 3),
    (SASL_AUTHENTICATE, 1),
];

/// The answer to ApiVersions in the version asked for.
pub(crate) fn api_versions(request: &Request) -> Reply {
    let mut body = vec![0, 0];
    let flexible = request.version >= 3;
    if flexible {
        body.push(OFFERED.len() as u8 + 1);
    } else {
        body.extend((OFFERED.len() as i32).to_be_bytes());
    }
    for (api, version) in OFFERED {
        for number in [api, 0, version] {
            body.extend(number.to_be_bytes());
        }
        if flexible {
            body.push(0);
        }
    }
    if request.version >= 1 {
        body.extend([0; 4]);
    }
    if flexible {
        body.push(0);
    }
    Reply::Body(body)
}

pub(crate) fn text(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as i16).to_be_bytes());
    body.extend(text.as_bytes());
}

/// Metadata 8 of a cluster with one broker, node 1, at `address`, and no topics.
pub(crate) fn metadata(address: &HostPort) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(1_i32.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    text(&mut body, &address.host);
    body.extend(i32::from(address.port).to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    text(&mut body, "the-cluster");
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body.extend(i32::MIN.to_be_bytes());
    body
}

pub(crate) fn address(broker: &FakeBroker) -> HostPort {
    HostPort {
        host: "127.0.0.1".to_owned(),
        port: broker.address().port(),
    }
}

/// A peer that shakes hands; everything else is the script's.
pub(crate) async fn broker(
    script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> FakeBroker {
    FakeBroker::start(move |request| match request.api_key {
        API_VERSIONS => api_versions(request),
        _ => script(request),
    })
    .await
    .expect("a port")
}

/// Short limits, so that tests of limits are quick.
pub(crate) fn config(bootstrap: Vec<HostPort>) -> ClientConfig {
    ClientConfig {
        request_timeout: Duration::from_millis(400),
        connection_setup_timeout: Duration::from_millis(400),
        reconnect_backoff: Duration::from_millis(1),
        reconnect_backoff_max: Duration::from_millis(10),
        ..ClientConfig::new(bootstrap)
    }
}

pub(crate) fn cluster(bootstrap: Vec<HostPort>) -> Cluster {
    Cluster::new(config(bootstrap), "cluster")
}

/// A connection to a peer, handshaken.
pub(crate) async fn connect(broker: &FakeBroker) -> Connection {
    let peer = address(broker);
    in_time(Connection::open(&config(vec![peer.clone()]), &peer, None))
        .await
        .expect("the peer shakes hands")
}

/// A whole frame.
pub(crate) fn frame(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let length = body.len() as i32 + 4;
    [&length.to_be_bytes(), &correlation_id.to_be_bytes(), body].concat()
}
