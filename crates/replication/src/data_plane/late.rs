//! Looks at stretches of the destination's log that were not written by what was sent: whether they are second copies.

use std::collections::HashMap;

use kafka_client::Cluster;
use kafka_wire::batch::BatchInfo;
use kafka_wire::types::NodeId;

use super::core::{LookOrder, Looked, Stretch};
use super::establish::{Peer, headers};

/// Looks at stretches of some partitions. Writers of young records are remembered by brokers, which drop what comes again.
pub(super) async fn look(
    destination: &Cluster,
    orders: Vec<LookOrder>,
) -> Vec<(LookOrder, Looked)> {
    let mut outcomes = Vec::new();
    let mut peers: HashMap<NodeId, Peer<'_>> = HashMap::new();
    for order in orders {
        let peer = peers.entry(order.node);
        let peer = peer.or_insert_with(|| Peer::destination(destination, order.node));
        let looked = copies(peer, &order).await;
        outcomes.push((order, looked));
    }
    outcomes
}

/// The batches of an answer go on behind the stretch it was asked for, and tell of those that follow.
async fn copies(destination: &Peer<'_>, order: &LookOrder) -> Looked {
    let mut copies = Vec::new();
    let (mut batches, mut covered) = (Vec::new(), 0..0);
    let old = |stretch: &&Stretch| order.memory.may_have_lost(stretch.record_time);
    for stretch in order.stretches.iter().filter(old) {
        if stretch.from < covered.start || stretch.to > covered.end {
            let at = (&order.partition, order.topic_id);
            let range = stretch.from..stretch.to;
            let read = headers(destination, at, range.clone()).await;
            batches = read.map_err(|tail| tail.to_string())?;
            let end = batches.last().map_or(range.end, BatchInfo::next_offset);
            covered = range.start..end;
        }
        copies.extend(ours(&batches, order.producer, stretch));
    }
    Ok(copies)
}

/// Offsets of a writer's batches that stand in a stretch, first and behind the last.
pub(super) fn ours(
    batches: &[BatchInfo],
    producer: i64,
    stretch: &Stretch,
) -> impl Iterator<Item = (i64, i64)> {
    let ours = batches.iter().filter(move |batch| {
        batch.producer_id == producer
            && !batch.attributes.is_control()
            && (stretch.from..stretch.to).contains(&batch.base_offset)
    });
    ours.map(|batch| (batch.base_offset, batch.next_offset()))
}
