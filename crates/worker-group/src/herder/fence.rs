//! Fencing of writers of before, for links that write in transactions: tasks of a generation begin only when those of the
//! one before that are others now, or gone, cannot commit any more, wherever they still run.
//!
//! ```text
//!   a task that begins ── PUT /connectors/NAME/fence ──▶ leader ── takes transactional ids over ──▶ tasks-fencing-NAME
//! ```

use std::time::Duration;

use lifecycle::Backoff;
use tokio::time::{Instant, sleep};

use super::core::Core;
use super::handle::GroupHandle;
use super::{Submission, Submit, Submitted};
use crate::Config;
use crate::config_record::ConfigRecord;
use crate::config_state::Fencing;
use crate::host::{Host, LinkFailure, Pending};
use crate::refusal::{Kind, Refusal};

/// Pause before the leader is asked again, first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How long a task waits for it before it fails, and is begun anew.
const LIMIT: Duration = Duration::from_secs(20);

impl GroupHandle {
    /// Fences writers of before, on the leader. Whoever asks meanwhile waits, and finds that it is done.
    pub(crate) async fn fence(&self, host: &dyn Host, name: String) -> Result<(), Refusal> {
        let _fencing = self.fencing.lock().await;
        let read = self.configs.read_to_end(super::WRITE).await;
        read.map_err(|_| Refusal::not_written())?;
        let of = name.clone();
        let (config, generation, fencing) = self
            .ask(move |core| {
                if !core.is_leader() {
                    return Err(Refusal::conflicting());
                }
                let config = core.config(&of)?;
                core.stage(format!(
                    "initiating a round of zombie fencing for connector {of}"
                ));
                let configs = &core.configs;
                Ok((config, configs.generation(&of), configs.fencing(&of)))
            })
            .await??;
        let tasks = match fencing {
            Fencing::Done => return Ok(()),
            Fencing::Record { tasks } => tasks,
            Fencing::Raise { former, tasks } => {
                let fenced = host.fence(name.clone(), config, former).await;
                fenced.map_err(Refusal::internal)?;
                tasks
            }
        };
        let _changing = self.lead().await?;
        let of = name.clone();
        let now = self.ask(move |core| core.configs.generation(&of)).await?;
        if now != generation {
            return Err(Refusal::new(
                Kind::Conflict,
                "Failed to complete zombie fencing because a new set of task configs was generated",
            ));
        }
        self.write(&[ConfigRecord::Fencing(name, tasks)]).await
    }
}

impl Core {
    /// What a task has to wait for before it begins; nothing where nobody has to be fenced.
    pub(super) fn fence_first(&self, name: &str) -> Option<Pending<Result<(), LinkFailure>>> {
        let config = self.configs.config(name)?;
        if !is_transactional(config) || !self.configs.needs_fencing(name) {
            return None;
        }
        let asked = self.for_leader(name, Submitted::Fence);
        let submit = self.links.submit.clone();
        Some(Box::pin(fenced(asked, submit)))
    }
}

async fn fenced(asked: Option<Submission>, submit: Submit) -> Result<(), LinkFailure> {
    let failed = |why: &str| {
        let text = format!("writers of before could not be fenced: {why}");
        LinkFailure::new("org.apache.kafka.connect.errors.ConnectException", &text)
    };
    let asked = asked.ok_or_else(|| failed("there is no session key yet"))?;
    let deadline = Instant::now() + LIMIT;
    let mut backoff = Backoff::seeded(RETRY.0, RETRY.1);
    loop {
        let Err(error) = submit(asked.clone()).await else {
            return Ok(());
        };
        let pause = backoff.next_delay();
        if Instant::now() + pause > deadline {
            return Err(failed(&error));
        }
        sleep(pause).await;
    }
}

fn is_transactional(config: &Config) -> bool {
    let support = config.get("exactly.once.support");
    support.is_some_and(|text| text.trim().eq_ignore_ascii_case("required"))
}
