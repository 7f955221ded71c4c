//! Looks at stretches of the destination's log that were not written by what was sent: whether they are second copies.

use kafka_client::Cluster;

use super::core::{LookOrder, Looked};
use super::establish::{headers, is_old};

/// Looks at stretches of some partitions. Writers of young records are remembered by brokers, which drop what comes again.
pub(super) async fn look(
    destination: &Cluster,
    orders: Vec<LookOrder>,
) -> Vec<(LookOrder, Looked)> {
    let mut outcomes = Vec::new();
    for order in orders {
        let looked = copies(destination, &order).await;
        outcomes.push((order, looked));
    }
    outcomes
}

async fn copies(destination: &Cluster, order: &LookOrder) -> Looked {
    let mut copies = Vec::new();
    for stretch in order.stretches.iter().filter(|s| is_old(s.record_time)) {
        let at = (&order.partition, order.topic_id);
        let range = stretch.from..stretch.to;
        let batches = headers(destination, order.node, at, range).await;
        let batches = batches.map_err(|tail| tail.to_string())?;
        let ours = batches.iter().filter(|batch| {
            batch.producer_id == order.producer
                && !batch.attributes.is_control()
                && batch.base_offset < stretch.to
        });
        copies.extend(ours.map(|batch| (batch.base_offset, batch.next_offset())));
    }
    Ok(copies)
}
