//! Brokers that answer nothing: whether others lead by now, and what is kept in memory for those of the destination.

use std::collections::BTreeSet;

use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::{Core, Index, Writer};

impl Core {
    /// Has the leaders of partitions looked up whose requests a broker leaves unanswered.
    pub(super) fn suspect(&mut self, now: Instant) {
        let readers = self.readers.values_mut();
        let unread = readers.filter_map(|reader| reader.in_doubt(now)).flatten();
        self.to_locate.extend(unread);
        let writers = self.writers.iter_mut();
        let silent: BTreeSet<NodeId> = writers
            .filter_map(|(node, writer)| writer.on_time(now).then_some(*node))
            .collect();
        if silent.is_empty() {
            return;
        }
        let calls = self.calls.values();
        let named = calls.filter(|call| silent.contains(&call.lane.node));
        let waiting = named.flat_map(|call| call.partitions.iter().map(|(_, index, _)| *index));
        self.to_locate.extend(waiting.collect::<Vec<_>>());
        for node in silent {
            self.let_go(node, now);
        }
    }

    /// Whether it is looked up whether this broker still leads, because it leaves a request unanswered.
    pub(super) fn is_in_doubt(&self, node: Option<NodeId>) -> bool {
        let writer = node.and_then(|node| self.writers.get(&node));
        writer.is_some_and(Writer::is_in_doubt)
    }

    /// Drops what is in memory for a broker that is silent, where there are others to write to: the memory is everybody's. It is
    /// read again.
    fn let_go(&mut self, node: NodeId, now: Instant) {
        let alone = self.held.len() < 2;
        let silent = self.writers.get(&node).and_then(|w| w.silent_for(now));
        let Some(silent) = silent.filter(|_| !alone) else {
            return;
        };
        let partitions = self.partitions.iter();
        let queued: Vec<Index> = partitions
            .filter(|(_, p)| p.destination_leader == Some(node))
            .filter(|(_, p)| p.send.as_ref().is_some_and(|send| !send.is_empty()))
            .map(|(index, _)| *index)
            .collect();
        for index in queued {
            let seconds = silent.as_secs();
            let trouble = format!("destination: broker {node} has not answered for {seconds} s");
            self.restart(index, trouble, now);
        }
    }

    /// A partition has left this broker, which does not answer: nothing that it still owes is waited for.
    pub(super) fn leave(&mut self, node: NodeId, now: Instant) {
        if self.writers.get(&node).is_some_and(|w| w.is_suspect(now)) {
            self.to_cut.insert(node);
        }
    }

    /// Brokers whose connections for writing are to be given up.
    pub(crate) fn take_cut(&mut self, now: Instant) -> BTreeSet<NodeId> {
        let cut = std::mem::take(&mut self.to_cut);
        for node in &cut {
            self.on_lanes_given_up(*node, now);
        }
        cut
    }
}
