//! What is asked only of a worker that is one of several.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{Handle, Stage, judge};
use crate::Config;
use crate::herder::{GroupHandle, GroupView, HerderOptions};
use crate::refusal::Refusal;
use crate::signing::Signature;

impl Handle {
    /// A handle of a worker that is one of several.
    pub(crate) fn of_group(
        group: GroupHandle,
        stage: watch::Receiver<Stage>,
        options: &HerderOptions,
    ) -> Self {
        Self {
            // Nobody serves it.
            commands: mpsc::channel(1).0,
            stage,
            host: Arc::clone(&options.host),
            worker: Arc::new(options.worker.clone()),
            variables: options.variables.clone(),
            version: options.version,
            judging: judge::room(),
            patching: Arc::default(),
            group: Some(group),
        }
    }

    /// The worker's group, as it sees it; nothing for a worker alone.
    pub async fn group(&self) -> Option<GroupView> {
        match &self.group {
            Some(group) => group.view().await.ok(),
            None => None,
        }
    }

    /// Whether the worker is one of several.
    #[must_use]
    pub fn is_grouped(&self) -> bool {
        self.group.is_some()
    }

    /// Takes task configurations from another worker of the group.
    ///
    /// # Errors
    /// It does not come from one, or they cannot be taken.
    pub async fn put_tasks(
        &self,
        name: String,
        signature: Signature,
        body: bytes::Bytes,
    ) -> Result<(), Refusal> {
        let Some(group) = &self.group else {
            return Err(Refusal::internal(
                "Kafka Connect in standalone mode does not support externally setting task configurations.",
            ));
        };
        group.check(signature, body.clone()).await?;
        let tasks: Vec<Config> = serde_json::from_slice(&body).map_err(|error| {
            Refusal::bad(format!("the body is not a list of configurations: {error}"))
        })?;
        group.put_tasks(name, tasks).await
    }

    /// Fences older writers of a connector, for another worker of the group.
    ///
    /// # Errors
    /// It does not come from one, this worker does not lead, or they cannot be fenced.
    pub async fn fence(&self, name: String, signature: Signature) -> Result<(), Refusal> {
        let Some(group) = &self.group else {
            return Err(Refusal::internal(
                "Kafka Connect in standalone mode does not support exactly-once source connectors.",
            ));
        };
        group.check(signature, bytes::Bytes::new()).await?;
        group.fence(&*self.host, name).await
    }

    /// Sets a logger and those below it on every worker.
    ///
    /// # Errors
    /// There is no such level, or the others cannot be told.
    pub async fn set_all_loggers(&self, name: String, level: String) -> Result<(), Refusal> {
        match &self.group {
            Some(group) => group.set_all_loggers(name, level).await,
            None => self.set_logger(name, level).await.map(drop),
        }
    }
}
