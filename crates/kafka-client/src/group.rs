//! What a member of a classic group asks of its coordinator, request by request.
//!
//! Joining and signs of life go over connections of their own: the answer to JoinGroup comes when all members have
//! joined, and a member has to know meanwhile whether it still is one.
//!
//! Deliberately absent: the state of a membership, and when to do what (that is the member's).

use std::time::Duration;

use bytes::Bytes;
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::find_coordinator::{CoordinatorKind, FindCoordinatorRequest};
use kafka_wire::message::heartbeat::HeartbeatRequest;
use kafka_wire::message::join_group::{JoinGroupRequest, JoinGroupResponse};
use kafka_wire::message::leave_group::{LeaveGroupRequest, LeavingMember};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::message::sync_group::SyncGroupRequest;
use kafka_wire::message::{ApiKey, Membership, Request};
use kafka_wire::types::NodeId;
use thiserror::Error;

use crate::cluster::{Cluster, Use};
use crate::error::ClientError;

/// What is added to the time a broker may take by the protocol.
const SLACK: Duration = Duration::from_secs(5);

/// Why a coordinator did not do what it was asked.
#[derive(Debug, Error)]
pub enum GroupError {
    /// It could not be asked.
    #[error("group {group}: {cause}")]
    Client {
        /// The group.
        group: String,
        /// What happened.
        cause: ClientError,
    },
    /// It refused.
    #[error("group {group}: {api} was answered with {code}")]
    Refused {
        /// The group.
        group: String,
        /// What was asked.
        api: ApiKey,
        /// The answer.
        code: ErrorCode,
    },
}

impl GroupError {
    /// The coordinator's refusal, if it was one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Client { .. } => None,
        }
    }

    /// Whether the coordinator has to be looked for again. Where it could not be asked it may have moved.
    #[must_use]
    pub fn is_coordinator_unknown(&self) -> bool {
        self.code()
            .is_none_or(|code| code.class() == ErrorClass::RefreshCoordinator)
    }
}

/// A group and how its members take part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSettings {
    /// `group.id`.
    pub group: String,
    /// What kind of members it has.
    pub protocol_type: &'static str,
    /// Without a sign of life for so long a member is out.
    pub session_timeout: Duration,
    /// How long members have to join again.
    pub rebalance_timeout: Duration,
}

/// Asks; cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupClient {
    cluster: Cluster,
    settings: GroupSettings,
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

impl GroupClient {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(cluster: Cluster, settings: GroupSettings) -> Self {
        Self { cluster, settings }
    }

    /// The group.
    #[must_use]
    pub fn settings(&self) -> &GroupSettings {
        &self.settings
    }

    /// Who coordinates the group.
    ///
    /// # Errors
    /// When nobody says, or nobody does.
    pub async fn find_coordinator(&self) -> Result<NodeId, GroupError> {
        let request = FindCoordinatorRequest {
            kind: CoordinatorKind::Group,
            key: self.settings.group.clone(),
        };
        let answer = self.cluster.call_any(Use::Metadata, &request).await;
        let answer = answer.map_err(|cause| self.client(cause))?;
        self.checked(FindCoordinatorRequest::API, answer.error)?;
        let missing = || {
            self.refused(
                FindCoordinatorRequest::API,
                ErrorCode::COORDINATOR_NOT_AVAILABLE,
            )
        };
        let node = answer.coordinator.ok_or_else(missing)?.node;
        if self.cluster.address(node).is_err() {
            // It has come since the brokers were asked for last.
            let none = MetadataTopics::Topics(Vec::new());
            let asked = self.cluster.metadata(none).await;
            asked.map_err(|cause| self.client(cause))?;
        }
        Ok(node)
    }

    /// Joins; returns when all members have. `protocols` are names with metadata, the preferred first.
    ///
    /// # Errors
    /// When the coordinator cannot be asked, or refuses.
    pub async fn join(
        &self,
        coordinator: NodeId,
        member_id: &str,
        protocols: Vec<(String, Bytes)>,
        reason: &str,
    ) -> Result<JoinGroupResponse, GroupError> {
        let request = |member_id: &str, protocols: Vec<(String, Bytes)>| JoinGroupRequest {
            group: self.settings.group.clone(),
            session_timeout_ms: millis(self.settings.session_timeout),
            rebalance_timeout_ms: millis(self.settings.rebalance_timeout),
            member_id: member_id.to_owned(),
            instance_id: None,
            protocol_type: self.settings.protocol_type.to_owned(),
            protocols,
            reason: Some(reason.to_owned()),
        };
        let limit = self.settings.rebalance_timeout + SLACK;
        let first = request(member_id, protocols.clone());
        let mut answer = self.call(coordinator, Use::Group, &first, limit).await?;
        if answer.error == ErrorCode::MEMBER_ID_REQUIRED {
            // KIP-394: the first time one only gets a name.
            let again = request(&answer.member_id, protocols);
            answer = self.call(coordinator, Use::Group, &again, limit).await?;
        }
        self.checked(JoinGroupRequest::API, answer.error)?;
        Ok(answer)
    }

    /// Asks for the own assignment; the leader gives those of all.
    ///
    /// # Errors
    /// When the coordinator cannot be asked, or refuses.
    pub async fn sync(
        &self,
        coordinator: NodeId,
        member: &Membership,
        protocol: &str,
        assignments: Vec<(String, Bytes)>,
    ) -> Result<Bytes, GroupError> {
        let request = SyncGroupRequest {
            group: self.settings.group.clone(),
            member: member.clone(),
            protocol_type: Some(self.settings.protocol_type.to_owned()),
            protocol: Some(protocol.to_owned()),
            assignments,
        };
        let limit = self.settings.rebalance_timeout + SLACK;
        let answer = self.call(coordinator, Use::Group, &request, limit).await?;
        self.checked(SyncGroupRequest::API, answer.error)?;
        Ok(answer.assignment)
    }

    /// A sign of life.
    ///
    /// # Errors
    /// When the coordinator cannot be asked, or refuses.
    pub async fn heartbeat(
        &self,
        coordinator: NodeId,
        member: &Membership,
    ) -> Result<(), GroupError> {
        let request = HeartbeatRequest {
            group: self.settings.group.clone(),
            member: member.clone(),
        };
        // While one that hangs is waited for, another one may coordinate, whose patience is a session, too.
        let limit = self.settings.session_timeout / 2;
        let answer = self
            .call(coordinator, Use::Heartbeat, &request, limit)
            .await?;
        self.checked(HeartbeatRequest::API, answer.error)
    }

    /// Leaves.
    ///
    /// # Errors
    /// When the coordinator cannot be asked, or refuses.
    pub async fn leave(
        &self,
        coordinator: NodeId,
        member_id: &str,
        reason: &str,
    ) -> Result<(), GroupError> {
        let request = LeaveGroupRequest {
            group: self.settings.group.clone(),
            members: vec![LeavingMember {
                member_id: member_id.to_owned(),
                instance_id: None,
                reason: Some(reason.to_owned()),
            }],
        };
        let answer = self
            .call(coordinator, Use::Heartbeat, &request, SLACK)
            .await?;
        self.checked(LeaveGroupRequest::API, answer.error)
    }

    async fn call<R>(
        &self,
        node: NodeId,
        use_: Use,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, GroupError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        let answer = self.cluster.call_within(node, use_, request, limit).await;
        answer.map_err(|cause| self.client(cause))
    }

    fn checked(&self, api: ApiKey, code: ErrorCode) -> Result<(), GroupError> {
        match code {
            ErrorCode::NONE => Ok(()),
            code => Err(self.refused(api, code)),
        }
    }

    fn client(&self, cause: ClientError) -> GroupError {
        GroupError::Client {
            group: self.settings.group.clone(),
            cause,
        }
    }

    fn refused(&self, api: ApiKey, code: ErrorCode) -> GroupError {
        GroupError::Refused {
            group: self.settings.group.clone(),
            api,
            code,
        }
    }
}
