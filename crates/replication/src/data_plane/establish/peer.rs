//! The broker of one side that leads a group of partitions, as it is asked about each of them.
//!
//! One that has let somebody wait in vain is not asked about the others of its group: they would wait one after the other, each
//! for as long as a request may take, and until all of them are answered nobody looks who leads them by now.

use std::sync::OnceLock;
use std::time::Duration;

use kafka_client::cluster::Use;
use kafka_client::{ClientError, Cluster};
use kafka_wire::message::Request;
use kafka_wire::types::NodeId;

/// How long one answer may take: it may hold a megabyte, over a narrow connection.
const ANSWER: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(in super::super) struct Peer<'a> {
    pub(super) cluster: &'a Cluster,
    node: NodeId,
    side: &'static str,
    /// Why it is not asked any more.
    gone: OnceLock<String>,
}

impl<'a> Peer<'a> {
    pub(in super::super) fn new(side: &'static str, cluster: &'a Cluster, node: NodeId) -> Self {
        Self {
            cluster,
            node,
            side,
            gone: OnceLock::new(),
        }
    }

    /// Asks it.
    ///
    /// # Errors
    /// It does not answer, or did not answer before; with the side.
    pub(super) async fn ask<R>(&self, use_: Use, request: &R) -> Result<R::Response, String>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        self.is_there()?;
        let answer = self.call(use_, request).await;
        answer.map_err(|error| self.note(&error))
    }

    /// Asks it something that it may not take, and then may not say so; nothing when it does not answer.
    pub(super) async fn ask_gently<R>(&self, use_: Use, request: &R) -> Option<R::Response>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        self.is_there().ok()?;
        self.call(use_, request).await.ok()
    }

    async fn call<R>(&self, use_: Use, request: &R) -> Result<R::Response, ClientError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        let limit = ANSWER.min(self.cluster.config().request_timeout);
        self.cluster
            .call_within(self.node, use_, request, limit)
            .await
    }

    /// Asks whichever broker of its cluster answers.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub(super) async fn ask_any<R>(&self, use_: Use, request: &R) -> Result<R::Response, String>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        self.is_there()?;
        let answer = self.cluster.call_any(use_, request);
        answer.await.map_err(|error| self.note(&error))
    }

    fn is_there(&self) -> Result<(), String> {
        self.gone.get().cloned().map_or(Ok(()), Err)
    }

    fn note(&self, error: &ClientError) -> String {
        let text = format!("{}: {error}", self.side);
        // What it cannot do it says at once.
        let can_be_asked = matches!(
            error,
            ClientError::Unsupported { .. } | ClientError::Encode { .. }
        );
        if !can_be_asked {
            // The first word stays.
            let _first = self.gone.set(text.clone());
        }
        text
    }
}
