//! The loop's part in knowing whose the link is: a task that looks now and then, and whenever it is asked.

use std::time::Duration;

use lifecycle::{OnFailure, Scope};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::{DataPlane, Event, send};
use crate::position_store::Ownership;

/// How often it is looked whether another process has taken over.
const LOOK: Duration = Duration::from_secs(5);
/// Pause after a look that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// Looks after which positions are stored again: a former owner has looked at least once by then.
const SETTLED: u32 = 3;

/// What a look found.
pub(super) enum Look {
    /// The answer to a question: who has taken over, if anybody has.
    Owner(u64, Option<String>),
    /// Former owners know by now that they are not any more.
    Settled,
}

/// Starts the task. Questions are numbers that rise.
pub(super) fn start(
    mut ownership: Ownership,
    events: &mpsc::Sender<Event>,
    scope: &Scope,
) -> watch::Sender<u64> {
    let (question, mut asked) = watch::channel(0);
    let events = events.clone();
    scope.spawn("ownership", OnFailure::StopScope, async move {
        let mut looks = 0;
        loop {
            // Without a question it is looked all the same. Nobody is left to ask when the loop has ended.
            if let Ok(Err(_)) = timeout(LOOK, asked.changed()).await {
                return;
            }
            let number = *asked.borrow_and_update();
            let found = loop {
                match ownership.successor().await {
                    Ok(found) => break found,
                    Err(error) => {
                        tracing::debug!("whose the link is cannot be found out: {error}");
                        sleep(AGAIN).await;
                    }
                }
            };
            send(&events, Event::Owner(Look::Owner(number, found))).await;
            looks += 1;
            if looks == SETTLED {
                send(&events, Event::Owner(Look::Settled)).await;
            }
        }
    });
    question
}

impl DataPlane {
    /// Asks what the core wants to know.
    pub(super) fn hand_out_question(&mut self) {
        let asked = self.core.owner_question();
        if let Some(question) = self.question.as_ref().filter(|_| asked > 0) {
            question.send_if_modified(|number| {
                let new = *number < asked;
                *number = asked.max(*number);
                new
            });
        }
    }

    pub(super) fn apply_look(&mut self, look: Look) {
        match look {
            Look::Owner(question, successor) => self.core.on_owner(question, successor),
            Look::Settled => self.core.store_all_again(),
        }
    }
}
