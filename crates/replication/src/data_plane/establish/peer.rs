//! The broker of one side that leads a group of partitions, as it is asked about each of them.
//!
//! One that has let somebody wait in vain is not asked about the others of its group: they would wait one after the other, each
//! for as long as a request may take, and until all of them are answered nobody looks who leads them by now.

use std::convert::Infallible;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use kafka_client::cluster::Use;
use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::fetch::{FetchRequest, FetchResponse, FetchedPartition};
use kafka_wire::message::{IsolationLevel, Request};
use kafka_wire::types::NodeId;
use tokio::sync::mpsc;

use super::questions::{self, Answer, Asked, Question, Questions};
use super::room::Room;

/// How long one answer may take: it may hold a megabyte, over a narrow connection.
const ANSWER: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(in super::super) struct Peer<'a> {
    pub(super) cluster: &'a Cluster,
    node: NodeId,
    side: &'static str,
    /// Which batches are read.
    isolation: IsolationLevel,
    /// Where those ask who are compared at the same time.
    questions: Option<Questions>,
    /// Milliseconds that its quotas have held back answers.
    throttled: AtomicU64,
    /// Why it is not asked any more.
    gone: OnceLock<String>,
}

/// Why no batches came.
#[derive(Debug)]
pub(super) enum Unread {
    Refused(ErrorCode),
    /// With the side.
    Trouble(String),
}

impl<'a> Peer<'a> {
    /// Of the source: what is committed counts.
    pub(super) fn source(cluster: &'a Cluster, node: NodeId) -> Self {
        Self::new("source", cluster, node, IsolationLevel::ReadCommitted)
    }

    /// Of the destination: what was written counts, whatever has become of it.
    pub(in super::super) fn destination(cluster: &'a Cluster, node: NodeId) -> Self {
        let isolation = IsolationLevel::ReadUncommitted;
        Self::new("destination", cluster, node, isolation)
    }

    fn new(
        side: &'static str,
        cluster: &'a Cluster,
        node: NodeId,
        isolation: IsolationLevel,
    ) -> Self {
        Self {
            cluster,
            node,
            side,
            isolation,
            questions: None,
            throttled: AtomicU64::new(0),
            gone: OnceLock::new(),
        }
    }

    /// From now on questions for batches wait until [`Peer::answer`] takes them.
    pub(super) fn take_questions(&mut self) -> mpsc::Receiver<Asked> {
        let (questions, asked) = Questions::new();
        self.questions = Some(questions);
        asked
    }

    /// Has them answered, many with one request, as long as it is polled.
    pub(super) async fn answer(&self, asked: mpsc::Receiver<Asked>) -> Infallible {
        let ask = |request| async move { self.read(&request).await };
        questions::answer(asked, self.isolation, ask).await
    }

    /// Asks it for batches of a partition.
    pub(super) async fn fetch(&self, question: Question) -> Answer {
        match &self.questions {
            Some(questions) => questions.ask(question).await,
            None => {
                let request = questions::request(&[&question], self.isolation);
                let answer = self.read(&request).await;
                let mut answers = questions::sort(&[&question], answer);
                answers.pop().unwrap_or(Answer::LeftOut)
            }
        }
    }

    async fn read(&self, request: &FetchRequest) -> Result<FetchResponse, String> {
        // Apart from the short questions: a batch may take seconds.
        let ask = || self.ask(Use::Store, request);
        let answer = questions::unthrottled(&self.throttled, ask).await;
        answer.unwrap_or_else(|waited| {
            let (side, waited) = (self.side, waited.as_secs());
            let text = format!(
                "{side}: told to wait for {waited} s, because a quota of this user or client is used up"
            );
            let _first = self.gone.set(text.clone());
            Err(text)
        })
    }

    /// As [`Peer::fetch`], with as many bytes as are needed for what stands there.
    ///
    /// # Errors
    /// It refuses, or does not answer.
    pub(super) async fn batches(
        &self,
        mut question: Question,
        room: &mut Room<'_>,
    ) -> Result<FetchedPartition, Unread> {
        loop {
            match self.fetch(question.clone()).await {
                Answer::Read(fetched) => return Ok(fetched),
                Answer::Refused(code) => return Err(Unread::Refused(code)),
                Answer::Trouble(trouble) => return Err(Unread::Trouble(trouble)),
                Answer::LeftOut => question.bytes = room.more_than(question.bytes).await,
            }
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
