//! What others tell the rounds over topics: that one is wanted soon, also with settings, and what an operator has answered.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kafka_wire::types::TopicName;
use tokio::sync::Notify;

/// Shared by a link's rooms.
#[derive(Debug, Default)]
pub struct Looking {
    soon: Arc<Notify>,
    answered: Mutex<BTreeSet<TopicName>>,
    /// Settings are to be compared before that is due.
    settings: AtomicBool,
}

impl Looking {
    /// A notification of it asks for a round before it is due.
    #[must_use]
    pub fn soon(&self) -> Arc<Notify> {
        Arc::clone(&self.soon)
    }

    /// Settings of all topics are to be compared in the next round, which is to come soon.
    pub fn compare_settings(&self) {
        self.settings.store(true, Ordering::Relaxed);
        self.soon.notify_one();
    }

    /// Whether that was asked for since this was asked last.
    pub(super) fn take_settings(&self) -> bool {
        self.settings.swap(false, Ordering::Relaxed)
    }

    /// An operator has a topic copied that was made anew on one side.
    pub fn answered(&self, topic: TopicName) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.insert(topic);
        self.soon.notify_one();
    }

    /// The topics that were answered since this was asked last.
    pub(super) fn take_answered(&self) -> BTreeSet<TopicName> {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *answered)
    }
}
