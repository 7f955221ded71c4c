//! Reading what the group has read, before anything starts that it has given; and being out while that cannot be done.

use std::time::Duration;

use lifecycle::OnFailure;
use tokio::sync::oneshot;

use super::Event;
use super::core::Core;
use super::rebalances::Cause;
use crate::membership::Order;

impl Core {
    /// Reads what the assignment was made from; nothing starts before.
    pub(super) fn catch_up(&mut self) {
        self.catch_up_after(Duration::ZERO);
    }

    fn catch_up_after(&mut self, pause: Duration) {
        // One attempt serves every round that waits for it.
        if std::mem::replace(&mut self.join.catching_up, true) {
            return;
        }
        self.stage(match pause.is_zero() {
            true => "reading to the end of the config topic".to_owned(),
            false => format!("sleeping for a backoff duration of {}ms", pause.as_millis()),
        });
        let (configs, events) = (self.links.configs.clone(), self.links.events.clone());
        let limit = self.group.sync_timeout;
        self.stores
            .spawn("catching up", OnFailure::Report, async move {
                tokio::time::sleep(pause).await;
                let read = configs.read_to_end(limit).await;
                // The herder is gone only when the worker ends.
                drop(events.send(Event::CaughtUp(read)).await);
            });
    }

    pub(super) fn caught_up(&mut self, outcome: Result<(), String>) {
        self.join.catching_up = false;
        match outcome {
            Ok(()) if self.join.behind.caught_up() => {
                self.join.after_catching_up = false;
                self.want_join(Cause::ReadableAgain);
            }
            Ok(()) if std::mem::take(&mut self.join.after_catching_up) => {
                self.want_join(Cause::LeaderBehind);
            }
            Ok(()) if self.config_offset == self.standing.assigned_at => {
                self.may_start = self.standing.is_member;
                self.reconcile_everything();
                self.try_join();
            }
            Ok(()) => self.want_join(Cause::Configurations),
            // Whoever is out joins anew, and hears then what to catch up with.
            Err(_) if !self.standing.is_member && !self.join.behind.is_out() => {}
            Err(error) => self.is_behind(&error),
        }
    }

    /// What the group has read could not be read here in time.
    fn is_behind(&mut self, error: &str) {
        let protocol = self.standing.protocol;
        let step = self.join.behind.failed(protocol, &self.group);
        if step.leaves {
            let why = format!("what the group has read cannot be read here: {error}");
            self.lose(&why);
            tracing::warn!("this worker leaves the group until it can: {why}");
            self.join.wanted = None;
            self.join.ordered = false;
            let (done, left) = oneshot::channel();
            // Where there is no room something else is being ordered, and the session ends by itself.
            drop(self.links.orders.try_send(Order::Leave { done }));
            drop(left);
        } else {
            tracing::warn!(
                again_in = ?step.pause,
                "this worker is behind the group: {error}; still trying"
            );
        }
        self.catch_up_after(step.pause);
    }
}
