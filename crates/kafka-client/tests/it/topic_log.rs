//! A topic that has to be a certain one: a missing one is not made, and another one of its name is not taken for it.

use kafka_client::topic_log::TopicLog;
use kafka_wire::types::{TopicId, TopicName};
use test_support::fake_broker::Reply;

use crate::peer::{METADATA, address, broker, cluster, in_time, metadata, text};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// Metadata 8 that names a topic, with one partition, or with an error instead. That version knows no ids.
fn with_topic(mut body: Vec<u8>, name: &str, error: i16) -> Vec<u8> {
    // In the place of no topics and what may be done with the cluster.
    body.truncate(body.len() - 8);
    body.extend(1_i32.to_be_bytes());
    body.extend(error.to_be_bytes());
    text(&mut body, name);
    body.push(0);
    let partitions = i32::from(error == 0);
    body.extend(partitions.to_be_bytes());
    if error == 0 {
        body.extend(0_i16.to_be_bytes());
        for number in [0_i32, 1, 0, 0, 0, 0] {
            body.extend(number.to_be_bytes());
        }
    }
    body.extend(i32::MIN.to_be_bytes());
    body.extend(i32::MIN.to_be_bytes());
    body
}

#[tokio::test]
async fn a_topic_that_is_gone_is_not_made_and_another_one_is_not_taken_for_it() {
    for (error, said) in [
        (UNKNOWN_TOPIC_OR_PARTITION, "UNKNOWN_TOPIC_OR_PARTITION"),
        (0, "INCONSISTENT_TOPIC_ID"),
    ] {
        let port = std::sync::Arc::new(std::sync::OnceLock::new());
        let own = std::sync::Arc::clone(&port);
        let peer = broker(move |_| {
            let body = metadata(own.get().expect("set below"));
            Reply::Body(with_topic(body, "kept", error))
        });
        let peer = peer.await;
        port.set(address(&peer)).expect("set once");
        let (cluster, topic) = (cluster(vec![address(&peer)]), TopicName::from("kept"));
        let opened = in_time(TopicLog::open_that(cluster, topic, TopicId([1; 16]))).await;
        let refused = opened.expect_err("it is not that one").to_string();
        assert!(refused.contains(said), "{refused}");
        let asked: Vec<i16> = peer.seen().iter().map(|asked| asked.api_key).collect();
        assert_eq!(asked.last(), Some(&METADATA), "{asked:?}");
    }
}
