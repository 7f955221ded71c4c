//! The difference between what the destination should have and what it has.

use std::collections::BTreeSet;
use std::fmt;

use config::selection::TopicSelection;
use kafka_wire::message::acl::{AclBinding, AclPermission};

use super::AclNote;
use super::desired::{Desired, Rules};
use super::observe::AclObservation;
use super::record::{Origin, Recorded};

/// What is going to be changed, and what is not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AclPlan {
    /// To be created, bans first; with what is to be recorded.
    pub create: Vec<(AclBinding, Origin)>,
    /// To be deleted, grants first.
    pub delete: Vec<AclBinding>,
    /// Made by this link and no longer yielded by the source; left because deleting is switched off.
    pub drift: Vec<AclBinding>,
    /// Not created, because somebody keeps removing them.
    pub paused: Vec<AclBinding>,
    /// Recorded, but gone without us: what appears under this name from now on is somebody else's.
    pub forget: Vec<AclBinding>,
    /// What the source has and is not copied as it is.
    pub notes: Vec<AclNote>,
}

impl AclPlan {
    /// Compares. `is_deleted` says of what a binding was made for whether it is only gone at the source, and may
    /// come back; `delete` is `tributary.acl.delete`.
    #[must_use]
    pub fn new(
        desired: &Desired,
        existing: &BTreeSet<AclBinding>,
        recorded: &Recorded,
        paused: &BTreeSet<AclBinding>,
        is_deleted: impl Fn(&Origin) -> bool,
        delete: bool,
    ) -> Self {
        let mut plan = Self {
            notes: desired.notes.clone(),
            ..Self::default()
        };
        for (binding, wanted) in &desired.bindings {
            if !wanted.ready || existing.contains(binding) {
                continue;
            }
            if paused.contains(binding) {
                plan.paused.push(binding.clone());
                continue;
            }
            let origin = Origin {
                source_topic: wanted.source_topic.clone(),
            };
            plan.create.push((binding.clone(), origin));
        }
        for (binding, origin) in recorded {
            let there = existing.contains(binding);
            let wanted = desired.bindings.get(binding);
            let created = wanted.is_some_and(|wanted| wanted.ready) && !paused.contains(binding);
            if !there && !created {
                plan.forget.push(binding.clone());
            } else if there && wanted.is_none() && !is_deleted(origin) {
                let list = if delete {
                    &mut plan.delete
                } else {
                    &mut plan.drift
                };
                list.push(binding.clone());
            }
        }
        let ban = |binding: &AclBinding| binding.permission == AclPermission::Deny;
        plan.create.sort_by_key(|(binding, _)| !ban(binding));
        plan.delete.sort_by_key(ban);
        plan
    }

    /// Translates the source's bindings and compares. A topic that is selected and that the source does not have was
    /// deleted there: what was made for it stays.
    #[must_use]
    pub fn of(
        observation: &AclObservation,
        rules: Rules<'_>,
        selection: &TopicSelection,
        recorded: &Recorded,
        paused: &BTreeSet<AclBinding>,
    ) -> (Desired, Self) {
        let desired = Desired::new(&observation.source, rules);
        let is_deleted = |origin: &Origin| {
            let topic = origin.source_topic.as_ref();
            topic.is_some_and(|topic| {
                selection.is_selected(topic.as_str()) && !rules.topics.present.contains(topic)
            })
        };
        let plan = Self::new(
            &desired,
            &observation.destination,
            recorded,
            paused,
            is_deleted,
            rules.settings.delete,
        );
        (desired, plan)
    }

    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.create.is_empty() && self.delete.is_empty()
    }

    /// The changes, a line for each.
    pub fn steps(&self) -> impl Iterator<Item = String> {
        let create = self.create.iter();
        let create = create.map(|(binding, _)| format!("create {binding}"));
        let delete = self.delete.iter();
        create.chain(delete.map(|binding| format!("delete {binding}")))
    }
}

/// A line for each change, and for each thing that is not done.
impl fmt::Display for AclPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.steps() {
            writeln!(f, "{step}")?;
        }
        for binding in &self.drift {
            writeln!(f, "keep {binding} (tributary.acl.delete=false)")?;
        }
        for binding in &self.paused {
            writeln!(f, "wait with {binding} (somebody keeps removing it)")?;
        }
        for note in &self.notes {
            let kind = if note.error { "error" } else { "warning" };
            writeln!(f, "{kind}: {note}")?;
        }
        Ok(())
    }
}
