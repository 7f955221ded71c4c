//! The loop's part in knowing whose the link is: a task that looks now and then, and whenever it is asked.

use std::time::Duration;

use lifecycle::{OnFailure, Scope};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::{DataPlane, Event, send};
use crate::position_store::Ownership;

/// How often it is looked whether another process has taken over.
const LOOK: Duration = Duration::from_secs(2);
/// Pause after a look that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// Time after which a former owner has looked, and found that it is not the owner any more; one that cannot look sends no
/// markers for so long, and what it sent before has arrived.
const SETTLED: Duration = Duration::from_secs(5);
/// The question that is none: the link is given back.
const RELEASE: u64 = u64::MAX;
/// How long that may take.
const RELEASE_LIMIT: Duration = Duration::from_millis(500);

/// What a look found.
pub(super) enum Look {
    /// The answer to a question: who has taken over, if anybody has.
    Owner(u64, Instant, Option<String>),
    /// It cannot be found out, and is tried again.
    Trouble(String),
    /// Former owners know by now that they are not any more.
    Settled,
    /// The link is given back.
    Released,
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
        let (begun, mut settled, mut lost) = (Instant::now(), false, false);
        loop {
            // Without a question it is looked all the same. Nobody is left to ask when the loop has ended.
            if let Ok(Err(_)) = timeout(LOOK, asked.changed()).await {
                return;
            }
            let number = *asked.borrow_and_update();
            if number == RELEASE {
                // What another one has taken over is not this one's to give: whoever comes next would take it for given back.
                let looked = timeout(RELEASE_LIMIT, ownership.successor()).await;
                let is_own = matches!(looked, Ok(Ok(None)));
                if is_own
                    && !lost
                    && let Err(error) = ownership.release(RELEASE_LIMIT).await
                {
                    tracing::debug!("the link is not given back: {error}");
                }
                send(&events, Event::Owner(Look::Released)).await;
                return;
            }
            let (asked_at, found) = loop {
                let asked_at = Instant::now();
                match ownership.successor().await {
                    Ok(found) => break (asked_at, found),
                    Err(error) => {
                        let trouble = format!("whose the link is cannot be found out: {error}");
                        tracing::debug!("{trouble}");
                        send(&events, Event::Owner(Look::Trouble(trouble))).await;
                        sleep(AGAIN).await;
                    }
                }
            };
            lost |= found.is_some();
            send(&events, Event::Owner(Look::Owner(number, asked_at, found))).await;
            if !settled && begun.elapsed() > SETTLED {
                settled = true;
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
            Look::Owner(question, at, successor) => self.core.on_owner(question, at, successor),
            Look::Trouble(trouble) => self.core.on_owner_unknown(trouble),
            Look::Settled => self.core.has_settled(),
            Look::Released => {}
        }
    }

    /// Gives the link back, so that the next process does not have to wait for this one.
    pub(super) async fn release(&mut self) {
        let Some(question) = &self.question else {
            return;
        };
        question.send_replace(RELEASE);
        let released = timeout(3 * RELEASE_LIMIT, async {
            while let Some(event) = self.incoming.recv().await {
                if matches!(event, Event::Owner(Look::Released)) {
                    break;
                }
            }
        });
        if released.await.is_err() {
            tracing::debug!("the link was not given back in time");
        }
    }
}
