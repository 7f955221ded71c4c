//! The loop's part in preserving offsets: markers, log starts, and looks at both logs.

use lifecycle::OnFailure;

use super::super::borrow::trim_compacted;
use super::super::establish::takings;
use super::super::fill::{fill, trim, watch};
use super::{DataPlane, Event, send};

impl DataPlane {
    /// Gives out markers to write and log starts to move.
    pub(super) fn hand_out_placing(&mut self) {
        while let Some(order) = self.core.next_fill() {
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

    /// Looks at logs on both sides, where offsets are preserved.
    pub(super) fn watch_logs(&mut self) {
        let [sources, destinations] = self.core.to_watch();
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
