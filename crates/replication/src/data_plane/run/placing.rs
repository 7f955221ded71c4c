//! The loop's part in preserving offsets: markers, log starts, and looks at both logs.

use std::time::Duration;

use lifecycle::OnFailure;
use tokio::time::{Instant, timeout};

use super::super::borrow::trim_compacted;
use super::super::establish::takings;
use super::super::fill::{fill, trim, watch};
use super::super::late::look;
use super::super::memory;
use super::{DataPlane, Event, send};

/// How long the end may wait for a look.
const LAST_LOOK: Duration = Duration::from_secs(2);

impl DataPlane {
    /// Gives out markers to write and log starts to move.
    pub(super) fn hand_out_placing(&mut self) {
        while let Some(order) = self.core.next_fill(Instant::now()) {
            let (destination, events) = (self.destination.clone(), self.events.clone());
            let node = order.node;
            self.scope.spawn(
                format!("markers {node}"),
                OnFailure::StopScope,
                async move {
                    let outcomes = fill(&destination, order).await;
                    send(&events, Event::Filled(node, outcomes)).await;
                },
            );
        }
        while let Some(order) = self.core.next_trim() {
            let (destination, events) = (self.destination.clone(), self.events.clone());
            self.scope
                .spawn("log starts", OnFailure::StopScope, async move {
                    let outcomes = match order.compacted {
                        true => trim_compacted(&destination, order).await,
                        false => trim(&destination, order).await,
                    };
                    send(&events, Event::Trimmed(outcomes)).await;
                });
        }
    }

    /// Asks how long the destination's brokers remember writers; nothing is begun before.
    pub(super) fn ask_for_memory(&mut self) {
        self.core.await_memory();
        let (destination, events) = (self.destination.clone(), self.events.clone());
        self.scope
            .spawn("memory", OnFailure::StopScope, async move {
                let memory = memory::ask(&destination).await;
                send(&events, Event::Memory(memory)).await;
            });
    }

    /// Looks at what others have written, or this link a second time.
    pub(super) fn look_for_copies(&mut self) {
        let orders = self.core.take_looks();
        if orders.is_empty() {
            return;
        }
        let (destination, events) = (self.destination.clone(), self.events.clone());
        self.scope.spawn("looks", OnFailure::StopScope, async move {
            let outcomes = look(&destination, orders).await;
            send(&events, Event::Looked(outcomes)).await;
        });
    }

    /// The same before the end, as far as it can be had within a moment.
    pub(super) async fn look_for_the_last_copies(&mut self) {
        let orders = self.core.take_looks();
        if let Ok(outcomes) = timeout(LAST_LOOK, look(&self.destination, orders)).await {
            self.core.on_looked(outcomes);
        }
    }

    /// Looks at logs on both sides, where offsets are preserved.
    pub(super) fn watch_logs(&mut self) {
        let [sources, destinations] = self.core.take_watch(Instant::now());
        if self.watching || sources.is_empty() {
            return;
        }
        self.watching = true;
        let (source, destination) = (self.source.clone(), self.destination.clone());
        let events = self.events.clone();
        self.scope.spawn("watch", OnFailure::StopScope, async move {
            let watched = watch(&source, &destination, sources, destinations).await;
            send(&events, Event::Watched(watched)).await;
        });
    }

    /// Looks whether topics that refused records would take them by now.
    pub(super) fn look_at_refusals(&mut self) {
        let refusing = self.core.refusing();
        if self.looking_at_refusals || refusing.is_empty() {
            return;
        }
        self.looking_at_refusals = true;
        let (destination, events) = (self.destination.clone(), self.events.clone());
        self.scope
            .spawn("refusals", OnFailure::StopScope, async move {
                let takings = takings(&destination, &refusing).await;
                send(&events, Event::Takings(takings)).await;
            });
    }
}
