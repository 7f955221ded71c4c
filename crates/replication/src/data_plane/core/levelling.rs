//! Partitions that catch up move to connections that have nothing left to read.
//!
//! Partitions are spread over the connections to a broker by their numbers, which is even, but not to the end: where connections have two or
//! three each, those with two are done when a third of the others' is left. And where brokers lead every fourth partition, those of one lie on
//! every fourth of its connections. So whoever has several gives one away to whoever has none. What has nothing to catch up with stays
//! where it is.

use std::collections::BTreeMap;

use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::channels::Channel;
use super::connecting::catches_up;
use super::precedence::left;
use super::reading::Reader;
use super::{Core, Index};

impl Core {
    /// Gives connections something to read that have nothing to catch up with, from those that have several such partitions. Each moves
    /// what has most left.
    pub(super) fn level(&mut self, now: Instant) {
        let several = self.channels.iter();
        let several = several.filter(|(_, channels)| channels.count() > 1);
        let mut loads: BTreeMap<NodeId, Vec<Vec<(i64, Index)>>> = several
            .map(|(node, channels)| (*node, vec![Vec::new(); usize::from(channels.count())]))
            .collect();
        if loads.is_empty() {
            return;
        }
        let readable = self.partitions.iter();
        let readable = readable.filter(|(_, one)| one.is_readable() && catches_up(one, now));
        for (index, partition) in readable {
            let Some(Channel {
                node,
                tails: false,
                number,
            }) = self.channel_of(*index)
            else {
                continue;
            };
            let loads = loads.get_mut(&node);
            if let Some(load) = loads.and_then(|loads| loads.get_mut(usize::from(number))) {
                load.push((left(partition), *index));
            }
        }
        let fails = |node: NodeId, number: u16| {
            let channel = Channel {
                number,
                ..node.into()
            };
            self.readers.get(&channel).is_some_and(Reader::fails)
        };
        let moved = loads.into_iter();
        let moved = moved.flat_map(|(node, loads)| moves(loads, |number| !fails(node, number)));
        let moved: Vec<(Index, u16)> = moved.collect();
        for (index, number) in moved {
            self.move_to(index, Some(number));
        }
    }
}

/// Which partitions move to which connections that `may_take` them, given those of each with what is left of them.
fn moves(mut loads: Vec<Vec<(i64, Index)>>, may_take: impl Fn(u16) -> bool) -> Vec<(Index, u16)> {
    let empty = (0..).zip(&loads);
    let empty = empty.filter(|(number, load)| load.is_empty() && may_take(*number));
    let empty: Vec<u16> = empty.map(|(number, _)| number).collect();
    for load in &mut loads {
        load.sort_unstable();
    }
    let gives = |number: u16| {
        let fullest = loads.iter_mut().max_by_key(|load| load.len());
        let (_, index) = fullest.filter(|load| load.len() > 1)?.pop()?;
        Some((index, number))
    };
    empty.into_iter().map_while(gives).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(loads: Vec<Vec<(i64, Index)>>) -> Vec<(Index, u16)> {
        moves(loads, |_| true)
    }

    #[test]
    fn who_has_several_gives_to_who_has_none() {
        let one = |left: i64| vec![(left, 10)];
        assert_eq!(all(vec![]), []);
        assert_eq!(all(vec![one(5), vec![], one(3)]), []);
        let loads = vec![
            vec![(5, 0), (9, 1), (2, 2)],
            vec![],
            vec![(7, 3), (1, 4)],
            vec![],
            vec![(8, 5)],
        ];
        assert_eq!(all(loads), [(1, 1), (3, 3)]);
        // All lie on one of four.
        let loads = vec![
            vec![],
            (0..16).map(|index| (100, index)).collect(),
            vec![],
            vec![],
        ];
        assert_eq!(all(loads), [(15, 0), (14, 2), (13, 3)]);
        // Nobody gives what is the last of it.
        assert_eq!(all(vec![vec![(5, 0), (9, 1)], vec![], vec![]]), [(1, 1)]);
        // One that fails takes nothing.
        let loads = vec![vec![], vec![(5, 0), (9, 1), (7, 2)], vec![]];
        assert_eq!(moves(loads, |number| number != 0), [(1, 2)]);
    }
}
