//! Which bindings the destination should have, from those of the source.
//!
//! Never wider than the source: a name that would also cover topics that are not copied is replaced by those that are,
//! or left out; a grant whose ban cannot be copied is left out with it.

use std::collections::BTreeMap;

use config::link::{AclMode, AclSettings};
use config::naming::Naming;
use kafka_wire::message::acl::{AclBinding, AclOperation, AclPattern, AclPermission, AclResource};
use kafka_wire::types::TopicName;

use super::{AclNote, AclTopics, OwnPrincipals};

/// The principal that stands for everybody.
const EVERYBODY: &str = "User:*";
/// The literal name that stands for every resource.
const EVERYTHING: &str = "*";

/// What decides how a binding is translated.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// `tributary.acl.…`.
    pub settings: &'a AclSettings,
    /// How copies are called.
    pub naming: &'a Naming,
    /// As whom we are known.
    pub own: &'a OwnPrincipals,
    /// What is copied.
    pub topics: &'a AclTopics,
}

/// A binding the destination should have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The source topic it is there for; `None` where it is about a beginning of names, or about no topic.
    pub source_topic: Option<TopicName>,
    /// Whether what it is about exists at the destination.
    pub ready: bool,
}

/// All bindings the destination should have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Desired {
    /// Them.
    pub bindings: BTreeMap<AclBinding, Wanted>,
    /// What is left out, and why.
    pub notes: Vec<AclNote>,
}

impl Desired {
    /// Translates the source's bindings.
    #[must_use]
    pub fn new(source: &[AclBinding], rules: Rules<'_>) -> Self {
        let mut desired = Self::default();
        let mut bans = Vec::new();
        for binding in source {
            desired.add(binding, rules, &mut bans);
        }
        // Without its ban, a grant would give more at the destination than it gives at the source.
        desired
            .bindings
            .retain(|binding, _| !bans.iter().any(|ban| limits(ban, binding)));
        desired.notes.sort();
        desired
    }

    fn add(&mut self, binding: &AclBinding, rules: Rules<'_>, bans: &mut Vec<AclBinding>) {
        let settings = rules.settings;
        let principal = &binding.principal;
        if !settings.principals.is_match(principal)
            || settings.principals_exclude.is_match(principal)
        {
            return;
        }
        let operations = operations(binding, settings);
        if operations.is_empty() {
            return;
        }
        let names = self.names(binding, rules);
        let own = |name: &Option<String>| name.as_ref() == Some(principal);
        let ours = own(&rules.own.destination);
        let bans_us = binding.permission == AclPermission::Deny && (ours || principal == EVERYBODY);
        if !bans_us && (ours || own(&rules.own.source)) {
            return;
        }
        if bans_us && !names.is_empty() {
            let reason = "it is not copied, because it would forbid Tributary's own work at the destination, and neither \
                          are the grants that it limits; forbid it for single principals instead";
            self.note(binding, true, reason.to_owned());
        }
        for (pattern, name, wanted) in names {
            for operation in &operations {
                let copy = AclBinding {
                    name: name.as_str().into(),
                    pattern,
                    operation: *operation,
                    ..binding.clone()
                };
                if bans_us {
                    bans.push(copy);
                } else {
                    self.want(copy, wanted.clone());
                }
            }
        }
    }

    /// Several source topics may yield the same binding: it is ready as soon as one is.
    fn want(&mut self, binding: AclBinding, wanted: Wanted) {
        let ready = wanted.ready;
        let known = self.bindings.entry(binding).or_insert(wanted);
        known.ready |= ready;
    }

    fn note(&mut self, binding: &AclBinding, error: bool, reason: String) {
        self.notes.push(AclNote {
            error,
            binding: binding.clone(),
            reason,
        });
    }

    /// The names a binding has at the destination.
    fn names(
        &mut self,
        binding: &AclBinding,
        rules: Rules<'_>,
    ) -> Vec<(AclPattern, String, Wanted)> {
        let everywhere = Wanted {
            source_topic: None,
            ready: true,
        };
        let name = &*binding.name;
        if matches!(binding.pattern, AclPattern::Other(_)) {
            let reason = "it is not copied, because its kind of name is not known to this version";
            self.note(binding, false, reason.to_owned());
            return Vec::new();
        }
        if binding.resource != AclResource::Topic {
            return vec![(binding.pattern, name.to_owned(), everywhere)];
        }
        let prefix = rules.naming.prefix();
        match (binding.pattern, prefix.as_deref()) {
            (AclPattern::Literal, _) if name != EVERYTHING => topics(rules, |topic| topic == name),
            (AclPattern::Literal, Some(prefix)) if !prefix.is_empty() => {
                vec![(AclPattern::Prefixed, prefix.to_owned(), everywhere)]
            }
            // A ban on single topics is narrower than the source's, and better than none.
            (AclPattern::Literal, _) if binding.permission == AclPermission::Deny => {
                topics(rules, |_| true)
            }
            (AclPattern::Literal, _) => {
                let reason = "it is not copied, because names of copies do not begin alike and it would also grant \
                              what is not copied; grant it at the destination, or rename by a prefix";
                self.note(binding, false, reason.to_owned());
                Vec::new()
            }
            (_, Some(prefix)) if !prefix.is_empty() => {
                vec![(AclPattern::Prefixed, format!("{prefix}{name}"), everywhere)]
            }
            (_, Some(_)) if rules.settings.mode == AclMode::Exact => {
                vec![(AclPattern::Prefixed, name.to_owned(), everywhere)]
            }
            _ => topics(rules, |topic| topic.starts_with(name)),
        }
    }
}

/// The copied topics whose source names are chosen; one that is not there yet is not ready.
fn topics(rules: Rules<'_>, chosen: impl Fn(&str) -> bool) -> Vec<(AclPattern, String, Wanted)> {
    let there = rules.topics.copies.iter().map(|(source, copy)| {
        let wanted = Wanted {
            source_topic: Some(source.clone()),
            ready: true,
        };
        (source, copy.to_string(), wanted)
    });
    let waiting = rules.topics.present.iter();
    let waiting = waiting.filter(|source| !rules.topics.copies.contains_key(*source));
    let waiting = waiting.filter_map(|source| {
        let wanted = Wanted {
            source_topic: Some(source.clone()),
            ready: false,
        };
        // A name that cannot be is the concern of topics.
        let name = rules.naming.apply(source.as_str()).ok()?;
        Some((source, name, wanted))
    });
    there
        .chain(waiting)
        .filter(|(source, ..)| chosen(source.as_str()))
        .map(|(_, name, wanted)| (AclPattern::Literal, name, wanted))
        .collect()
}

/// What a binding's operation becomes; none if it is not copied.
fn operations(binding: &AclBinding, settings: &AclSettings) -> Vec<AclOperation> {
    use AclOperation::{All, Describe, DescribeConfigs, Read};
    let enabled = match binding.resource {
        AclResource::Topic => settings.topics,
        AclResource::Group => settings.groups,
        AclResource::TransactionalId => settings.transactional_ids,
        AclResource::Cluster
        | AclResource::DelegationToken
        | AclResource::User
        | AclResource::Other(_) => false,
    };
    let group = binding.resource == AclResource::Group;
    match (binding.permission, settings.mode) {
        _ if !enabled => vec![],
        (AclPermission::Other(_), _) => vec![],
        (_, AclMode::Exact) => vec![binding.operation],
        (_, AclMode::ReadOnly) if binding.resource == AclResource::TransactionalId => vec![],
        (AclPermission::Deny, AclMode::ReadOnly) => vec![binding.operation],
        (AclPermission::Allow, AclMode::ReadOnly) => match binding.operation {
            Read | Describe => vec![binding.operation],
            DescribeConfigs if !group => vec![DescribeConfigs],
            All if group => vec![Read],
            All => vec![Read, DescribeConfigs],
            _ => vec![],
        },
    }
}

/// Whether a ban takes something away that a grant gives.
pub(super) fn limits(ban: &AclBinding, grant: &AclBinding) -> bool {
    ban.permission == AclPermission::Deny
        && grant.permission == AclPermission::Allow
        && ban.resource == grant.resource
        && (ban.principal == grant.principal || ban.principal == EVERYBODY)
        && names_meet(ban, grant)
        && operations_meet(ban.operation, grant.operation)
}

fn names_meet(one: &AclBinding, other: &AclBinding) -> bool {
    let (a, b) = (&*one.name, &*other.name);
    let everything = |binding: &AclBinding| {
        binding.pattern == AclPattern::Literal && &*binding.name == EVERYTHING
    };
    if everything(one) || everything(other) {
        return true;
    }
    match (one.pattern, other.pattern) {
        (AclPattern::Literal, AclPattern::Literal) => a == b,
        (AclPattern::Literal, _) => a.starts_with(b),
        (_, AclPattern::Literal) => b.starts_with(a),
        _ => a.starts_with(b) || b.starts_with(a),
    }
}

fn operations_meet(banned: AclOperation, granted: AclOperation) -> bool {
    use AclOperation::{All, Alter, AlterConfigs, Delete, Describe, DescribeConfigs, Read, Write};
    let implied = match banned {
        Describe => [Read, Write, Delete, Alter].contains(&granted),
        DescribeConfigs => granted == AlterConfigs,
        _ => false,
    };
    implied || banned == granted || banned == All || granted == All
}
