//! What copies are called, and which topics cannot have the name they would get.

use std::collections::{BTreeMap, BTreeSet};

use kafka_wire::types::TopicName;

use super::super::condition::{Condition, Problem};
use super::super::history::History;
use super::super::observe::Observation;
use super::Rules;

/// The copies' names by source topic, and what is wrong with all others.
pub(super) fn names(
    seen: &Observation,
    history: &History,
    rules: &Rules,
) -> (BTreeMap<TopicName, TopicName>, Vec<Problem>) {
    let mut names = BTreeMap::new();
    let mut problems = Vec::new();
    for source in seen.source.keys() {
        match name(source, seen, rules) {
            Ok(copy) => drop(names.insert(source.clone(), copy)),
            Err((state, reason)) => problems.push(Problem::new(source, state, reason)),
        }
    }
    if seen.same_cluster {
        leave_out_copies(&mut names, &mut problems, seen, history, rules);
    }
    let replicates = |source: &TopicName, copy: &TopicName| {
        let known = history.replicated.get(source);
        known.is_some_and(|known| known.destination == *copy)
    };
    if !rules.settings.naming.may_merge() {
        let same = |copy: &TopicName| copy.to_string();
        let exists = |_: &TopicName| false;
        keep_one(&mut names, &mut problems, same, replicates, exists, false);
    }
    // Brokers keep one metric for both: names that differ in these two characters only cannot coexist.
    let alike = |copy: &TopicName| copy.as_str().replace('.', "_");
    let exists = |copy: &TopicName| seen.destination.contains_key(copy);
    keep_one(&mut names, &mut problems, alike, replicates, exists, true);
    (names, problems)
}

fn name(
    source: &TopicName,
    seen: &Observation,
    rules: &Rules,
) -> Result<TopicName, (Condition, String)> {
    let naming = &rules.settings.naming;
    if naming.leads_back(source.as_str()) {
        let reason = "its name says that it is a copy that came from the destination";
        return Err((Condition::Cycle, reason.to_owned()));
    }
    let copy = naming
        .apply(source.as_str())
        .map_err(|problem| (Condition::NameInvalid, problem.to_string()))?;
    if rules.reserved.contains(&copy) {
        let reason = format!("{copy:?} holds this program's own state at the destination");
        return Err((Condition::NameInvalid, reason));
    }
    if seen.same_cluster && copy == source.as_str() {
        let reason = "both sides are the same cluster, and it would be copied onto itself";
        return Err((Condition::Cycle, reason.to_owned()));
    }
    Ok(copy.into())
}

/// Within one cluster copies of copies would go on without end. A copy is one also while its original cannot be seen.
fn leave_out_copies(
    names: &mut BTreeMap<TopicName, TopicName>,
    problems: &mut Vec<Problem>,
    seen: &Observation,
    history: &History,
    rules: &Rules,
) {
    let known = history.replicated.iter();
    let known = known.map(|(source, known)| (known.destination.clone(), source.clone()));
    let absent = seen.absent.keys().filter_map(|source| {
        let copy = rules.settings.naming.apply(source.as_str()).ok()?;
        Some((copy.into(), source.clone()))
    });
    let now = names.iter();
    let now = now.map(|(source, copy)| (copy.clone(), source.clone()));
    let copies: BTreeMap<TopicName, TopicName> = known.chain(absent).chain(now).collect();
    names.retain(|source, _| {
        let Some(original) = copies.get(source) else {
            return true;
        };
        let reason =
            format!("both sides are the same cluster, and it is the copy of {original} itself");
        problems.push(Problem::new(source, Condition::Cycle, reason));
        false
    });
}

/// Of several source topics whose copies' names give the same key, one keeps it: the one that
/// replicates already, else the one whose copy exists, else the first. `shared` names are a merge.
fn keep_one(
    names: &mut BTreeMap<TopicName, TopicName>,
    problems: &mut Vec<Problem>,
    key: impl Fn(&TopicName) -> String,
    replicates: impl Fn(&TopicName, &TopicName) -> bool,
    exists: impl Fn(&TopicName) -> bool,
    shared: bool,
) {
    let mut groups: BTreeMap<String, Vec<(TopicName, TopicName)>> = BTreeMap::new();
    for (source, copy) in names.iter() {
        let group = groups.entry(key(copy)).or_default();
        group.push((source.clone(), copy.clone()));
    }
    let mut losers = BTreeSet::new();
    for group in groups.into_values().filter(|group| group.len() > 1) {
        let holder = group
            .iter()
            .find(|(source, copy)| replicates(source, copy))
            .or_else(|| group.iter().find(|(_, copy)| exists(copy)))
            .or(group.first());
        let Some((first, kept)) = holder.cloned() else {
            continue;
        };
        for (source, copy) in group {
            if source == first || (shared && copy == kept) {
                continue;
            }
            let reason = if copy == kept {
                format!("{first} is already copied to {kept}")
            } else {
                format!(
                    "brokers do not tell {copy} from {kept}, the copy of {first}: they differ in '.' and '_' only"
                )
            };
            problems.push(Problem::new(&source, Condition::NameCollision, reason));
            losers.insert(source);
        }
    }
    names.retain(|source, _| !losers.contains(source));
}
