//! The request to begin parts of a link's work again.

use std::collections::BTreeSet;

use kafka_wire::types::TopicPartition;

use super::LinkHandle;

impl LinkHandle {
    /// Looks at the topics at once, and begins these partitions again at their positions; all others go on. Nothing
    /// happens where the link has ended.
    pub async fn begin_again(&self, partitions: BTreeSet<TopicPartition>) {
        self.refresh();
        if partitions.is_empty() {
            return;
        }
        let others = self.heard.others.borrow().clone();
        for data in others.iter().chain([&self.heard.local]) {
            // `false` means that it has ended with the link.
            let _ = data.begin_again(partitions.clone()).await;
        }
    }
}
