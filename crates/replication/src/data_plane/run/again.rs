//! The request to begin partitions again.

use std::collections::BTreeSet;

use kafka_wire::types::TopicPartition;

use super::{Command, Handle};

impl Handle {
    /// Begins partitions again at their positions, those that stand too. `false` when the data plane has stopped.
    pub async fn begin_again(&self, partitions: BTreeSet<TopicPartition>) -> bool {
        let command = Command::BeginAgain(partitions);
        self.commands.send(command).await.is_ok()
    }
}
