//! The only place that changes the destination's access rights.
//!
//! Both requests may be repeated without harm, and any broker takes them.

use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::acl::{AclBinding, AclFilter, AclPermission};
use kafka_wire::message::create_acls::{AclOutcome, CreateAclsRequest};
use kafka_wire::message::delete_acls::DeleteAclsRequest;

use super::desired::limits;
use super::observe::Obstacle;
use super::plan::AclPlan;
use super::record::{Origin, Record};
use super::{Refused, Side};

/// Bindings in one request.
const BINDINGS: usize = 500;

/// What became of a plan.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) created: Vec<AclBinding>,
    pub(super) deleted: Vec<AclBinding>,
    pub(super) refused: Vec<Refused>,
    /// Of how many nobody knows, because no answer came.
    pub(super) unanswered: usize,
    /// Why not all of it was tried.
    pub(super) obstacle: Option<Obstacle>,
}

/// Carries a plan out: bans are created, grants deleted, grants created, bans deleted.
pub(super) async fn apply(destination: &Cluster, plan: &AclPlan, record: &mut Record) -> Applied {
    let mut work = Work {
        destination,
        record,
        applied: Applied::default(),
    };
    let obstacle = work.carry_out(plan).await.err();
    Applied {
        obstacle,
        ..work.applied
    }
}

struct Work<'a> {
    destination: &'a Cluster,
    record: &'a mut Record,
    applied: Applied,
}

impl Work<'_> {
    async fn carry_out(&mut self, plan: &AclPlan) -> Result<(), Obstacle> {
        let forgotten = self.record.remove(&plan.forget).await;
        forgotten.map_err(|error| Obstacle::Trouble(error.to_string()))?;
        let is_ban = |binding: &AclBinding| binding.permission == AclPermission::Deny;
        let (bans, grants): (Vec<_>, Vec<_>) =
            plan.create.iter().cloned().partition(|(b, _)| is_ban(b));
        let (old_bans, old_grants): (Vec<_>, Vec<_>) =
            plan.delete.iter().cloned().partition(is_ban);
        self.create(bans).await?;
        self.delete(old_grants).await?;
        let grants = self.without_limits(grants);
        self.create(grants).await?;
        self.delete(old_bans).await
    }

    /// Grants whose ban was refused would give more here than they give at the source.
    fn without_limits(&mut self, grants: Vec<(AclBinding, Origin)>) -> Vec<(AclBinding, Origin)> {
        let bans: Vec<_> = self
            .applied
            .refused
            .iter()
            .map(|r| r.binding.clone())
            .collect();
        let (held, grants): (Vec<_>, Vec<_>) = grants
            .into_iter()
            .partition(|(grant, _)| bans.iter().any(|ban| limits(ban, grant)));
        let refused = held.into_iter().map(|(binding, _)| Refused {
            binding,
            reason: "not created, because a ban that limits it was refused".to_owned(),
        });
        self.applied.refused.extend(refused);
        grants
    }

    async fn create(&mut self, bindings: Vec<(AclBinding, Origin)>) -> Result<(), Obstacle> {
        for chunk in bindings.chunks(BINDINGS) {
            self.stored(Change::Add(chunk)).await?;
            let request = CreateAclsRequest {
                bindings: chunk.iter().map(|(binding, _)| binding.clone()).collect(),
            };
            let answer = self.destination.call_any(Use::Admin, &request).await;
            // They may have been created nevertheless, so they stay in the record.
            let answer = answer.map_err(|error| {
                self.applied.unanswered += chunk.len();
                Obstacle::Trouble(format!("destination: CreateAcls failed: {error}"))
            })?;
            let mut outcomes = answer.outcomes.into_iter();
            let (mut not_made, mut obstacle) = (Vec::new(), None);
            for (binding, _) in chunk {
                match refusal("CreateAcls", outcomes.next()) {
                    Ok(()) => self.applied.created.push(binding.clone()),
                    Err((code, reason)) => {
                        obstacle = obstacle.or_else(|| Obstacle::of(Side::Destination, code));
                        not_made.push(binding.clone());
                        let binding = binding.clone();
                        self.applied.refused.push(Refused { binding, reason });
                    }
                }
            }
            self.stored(Change::Remove(&not_made)).await?;
            obstacle.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    async fn delete(&mut self, bindings: Vec<AclBinding>) -> Result<(), Obstacle> {
        for chunk in bindings.chunks(BINDINGS) {
            let request = DeleteAclsRequest {
                filters: chunk.iter().cloned().map(AclFilter::Exactly).collect(),
            };
            let answer = self.destination.call_any(Use::Admin, &request).await;
            let answer = answer.map_err(|error| {
                self.applied.unanswered += chunk.len();
                Obstacle::Trouble(format!("destination: DeleteAcls failed: {error}"))
            })?;
            let mut filters = answer.filters.into_iter();
            let (mut gone, mut obstacle) = (Vec::new(), None);
            for binding in chunk {
                let outcome = filters.next().map(|filter| {
                    let single = filter.bindings.into_iter().map(|(_, outcome)| outcome);
                    let mut all = std::iter::once(filter.outcome).chain(single);
                    all.find(|outcome| outcome.error != ErrorCode::NONE)
                        .unwrap_or(AclOutcome {
                            error: ErrorCode::NONE,
                            error_message: None,
                        })
                });
                match refusal("DeleteAcls", outcome) {
                    Ok(()) => gone.push(binding.clone()),
                    Err((code, reason)) => {
                        obstacle = obstacle.or_else(|| Obstacle::of(Side::Destination, code));
                        let binding = binding.clone();
                        self.applied.refused.push(Refused { binding, reason });
                    }
                }
            }
            self.stored(Change::Remove(&gone)).await?;
            self.applied.deleted.extend(gone);
            obstacle.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    async fn stored(&mut self, change: Change<'_>) -> Result<(), Obstacle> {
        let stored = match change {
            Change::Add(made) => self.record.add(made).await,
            Change::Remove(gone) => self.record.remove(gone).await,
        };
        stored.map_err(|error| Obstacle::Trouble(error.to_string()))
    }
}

enum Change<'a> {
    Add(&'a [(AclBinding, Origin)]),
    Remove(&'a [AclBinding]),
}

fn refusal(what: &str, outcome: Option<AclOutcome>) -> Result<(), (ErrorCode, String)> {
    match outcome {
        Some(outcome) if outcome.error == ErrorCode::NONE => Ok(()),
        Some(AclOutcome {
            error,
            error_message,
        }) => {
            let words = error_message.filter(|words| !words.is_empty());
            let words = words.map(|words| format!(": {words}")).unwrap_or_default();
            let reason = format!("destination answered {what} with {error}{words}");
            Err((error, reason))
        }
        None => {
            let reason = format!("destination did not answer {what} for it");
            Err((ErrorCode::UNKNOWN_SERVER_ERROR, reason))
        }
    }
}
