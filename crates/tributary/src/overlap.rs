//! Links of one process that write to the same topic of the same cluster: allowed, since topics of several regions may
//! be gathered like that, but seldom meant. Each of them is told, once.
//!
//! Deliberately absent: links of other processes.

use std::collections::{BTreeMap, BTreeSet};

use kafka_wire::types::TopicName;
use replication::link::LinkStatus;

/// A link, another one, and the topic that both write to.
type Pair = (String, String, TopicName);

/// What has been said.
#[derive(Debug, Default)]
pub(crate) struct Overlap {
    rounds: Vec<u64>,
    said: BTreeSet<Pair>,
}

impl Overlap {
    /// Says what has not been said before.
    pub(crate) fn say_new(&mut self, links: &[(&str, LinkStatus)]) {
        let rounds: Vec<u64> = links.iter().map(|(_, link)| link.round.number).collect();
        if self.rounds == rounds {
            return;
        }
        self.rounds = rounds;
        let copies = links.iter().filter_map(|(name, link)| {
            let topics = link.round.copies.iter().map(|copy| &copy.destination);
            Some((*name, link.destination.as_deref()?, topics))
        });
        for pair in pairs(copies) {
            if self.said.insert(pair.clone()) {
                let (link, other, topic) = pair;
                tracing::warn!(
                    link,
                    topic = %topic,
                    "link {link} and link {other} both write to {topic}; unless topics are gathered on purpose, give \
                     copies names of their own by topic.rename.format"
                );
            }
        }
    }
}

/// Every link with every other one that writes to the same topic. `links` are names, clusters and topics.
fn pairs<'a, T>(links: impl Iterator<Item = (&'a str, &'a str, T)>) -> BTreeSet<Pair>
where
    T: IntoIterator<Item = &'a TopicName>,
{
    let mut writers: BTreeMap<(&str, &TopicName), BTreeSet<&str>> = BTreeMap::new();
    for (link, cluster, topics) in links {
        for topic in topics {
            writers.entry((cluster, topic)).or_default().insert(link);
        }
    }
    let mut pairs = BTreeSet::new();
    for ((_, topic), links) in writers {
        for link in &links {
            let others = links.iter().filter(|other| *other != link);
            pairs.extend(others.map(|o| ((*link).to_owned(), (*o).to_owned(), topic.clone())));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_paired_where_cluster_and_topic_are_the_same() {
        let [a, b] = ["a", "b"].map(TopicName::from);
        let found = pairs(
            [
                ("one", "x", vec![&a, &b]),
                ("two", "x", vec![&a]),
                ("three", "y", vec![&a, &b]),
            ]
            .into_iter(),
        );
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned(), a.clone());
        let expected = BTreeSet::from([pair("one", "two"), pair("two", "one")]);
        assert_eq!(found, expected);
    }
}
