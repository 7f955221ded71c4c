//! What an operator should know about what is selected and what is not (pure).
//!
//! One wrong character in a pattern otherwise looks like success.

use std::collections::BTreeSet;

use config::link::TopicSettings;
use config::selection::{Decision, Reason};
use kafka_wire::types::TopicName;

use super::super::condition::{Condition, Problem};
use super::super::observe::Observation;
use super::nearest;

/// Patterns that select nothing, and items of lists that select more than it seems.
pub(super) fn notices(seen: &Observation, settings: &TopicSettings) -> BTreeSet<String> {
    let mut notices = BTreeSet::new();
    if seen.seen() == 0 {
        return notices;
    }
    notices.extend(taken_for_heartbeats(seen, settings));
    let selection = &settings.selection;
    for pattern in selection.include() {
        let any = |name: &TopicName| pattern.is_match(name.as_str()).unwrap_or(true);
        if !seen.source.keys().any(any) && !seen.absent.keys().any(any) {
            notices.insert(selects_none("the pattern", pattern.as_str(), seen));
        }
    }
    let list = selection.topics();
    for (number, item) in list.items().iter().enumerate() {
        let literally = TopicName::from(item.as_str());
        let is_topic = seen.source.contains_key(&literally);
        if is_topic && let Some(meant) = with_literal_dots(item) {
            notices.insert(format!(
                "the item {item} is a pattern, and a dot in it matches any character; to select the topic {item} and \
                 nothing else write {meant}"
            ));
        }
        let any = |name: &TopicName| list.item_matches(number, name.as_str());
        if !is_topic && !seen.source.keys().any(any) && !seen.unselected.iter().any(any) {
            notices.insert(selects_none("the item", item, seen));
        }
    }
    notices
}

/// Topics that are renamed although names are kept.
fn taken_for_heartbeats(seen: &Observation, settings: &TopicSettings) -> Option<String> {
    let naming = &settings.naming;
    let taken = seen.source.keys();
    let mut taken = taken.filter(|name| naming.takes_for_heartbeats(name.as_str()));
    let first = taken.next()?;
    let copy = naming.apply(first.as_str()).ok()?;
    let more = match taken.count() {
        0 => String::new(),
        more => format!(", and so for {more} more"),
    };
    Some(format!(
        "{first} is copied to {copy}{more}: IdentityReplicationPolicy keeps all names but those that end in heartbeats, as \
         MirrorMaker 2 does"
    ))
}

fn selects_none(what: &str, text: &str, seen: &Observation) -> String {
    let near = nearest::nearest(text, seen.unselected.iter().map(TopicName::as_str));
    let hint = match near.as_slice() {
        [] => String::new(),
        near => format!("; similar names: {}", near.join(", ")),
    };
    format!(
        "{what} {text} selects none of the source's {} topics{hint}",
        seen.seen()
    )
}

/// An item that reads like a name although a dot stands between two of its characters, as it was probably meant.
fn with_literal_dots(item: &str) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let inside = item.trim_matches('.');
    (item.chars().all(is_name) && inside.contains('.')).then(|| item.replace('.', "\\."))
}

/// Topics that are left out because of their names, and perhaps should not be: those that MirrorMaker 2's names make
/// copies of what the destination has, although it has nothing of that name (`dev.orders`, where the destination's
/// alias is `dev`), and heartbeats that went in a circle.
pub(super) fn caught(seen: &Observation, settings: &TopicSettings) -> Vec<Problem> {
    let is_there = |original: &TopicName| {
        seen.destination.contains_key(original) || seen.hidden.contains_key(original)
    };
    let originals = originals(seen, settings).into_iter();
    let strangers = originals.filter(|(_, original)| !is_there(original));
    let strangers = strangers.map(|(topic, original)| {
        let reason = format!(
            "its name makes it a copy of {original}, which the destination does not have; if it is none, the \
             destination needs another alias, or names another separator"
        );
        Problem::new(&topic, Condition::Cycle, reason)
    });
    let circles = left_out(seen, settings, Reason::HeartbeatsLoop).map(|topic| {
        let reason = "these heartbeats came from the source itself: links copy them in a circle";
        Problem::new(topic, Condition::Cycle, reason)
    });
    strangers.chain(circles).collect()
}

/// Topics that are left out because their names lead back, and what the destination calls their originals.
pub(in super::super) fn originals(
    seen: &Observation,
    settings: &TopicSettings,
) -> Vec<(TopicName, TopicName)> {
    left_out(seen, settings, Reason::LeadsBack)
        .filter_map(|name| {
            let original = settings.naming.original(name.as_str())?;
            Some((name.clone(), original.into()))
        })
        .collect()
}

fn left_out<'a>(
    seen: &'a Observation,
    settings: &TopicSettings,
    why: Reason,
) -> impl Iterator<Item = &'a TopicName> {
    let is_so = move |name: &&TopicName| match settings.selection.decide(name.as_str()) {
        Decision::Excluded { reason, .. } => reason == why,
        Decision::Selected { .. } => false,
    };
    seen.unselected.iter().filter(is_so)
}
