//! Partitions that catch up move to connections that have nothing left to read.
//!
//! Partitions are spread over the connections to a broker by their numbers, which is even, but not to the end: where connections have two or
//! three each, those with two are done when a third of the others' is left. And where brokers lead every fourth partition, those of one lie on
//! every fourth of its connections. So whoever has several gives one away to whoever has none. What has nothing to catch up with stays
//! where it is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::channels::Channel;
use super::connecting::catches_up;
use super::precedence::left;
use super::reading::Reader;
use super::{Core, Index};

/// How partitions are moved.
#[derive(Clone, Copy)]
pub(super) enum Levelling {
    /// To connections that have nothing to catch up with, from those that have several such partitions: each move costs what is on its
    /// way.
    Idle,
    /// So that all to this broker have about as many, where their number is another one and everything is asked for anew.
    All(NodeId),
}

impl Core {
    /// Gives connections something to read. Each moves what has most left.
    pub(super) fn level(&mut self, how: Levelling, now: Instant) {
        let several = self.channels.iter();
        let concerned = |one: NodeId| match how {
            Levelling::Idle => true,
            Levelling::All(node) => node == one,
        };
        let several = several.filter(|(node, channels)| concerned(**node) && channels.count() > 1);
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
        let fails = |node: NodeId, number: usize| {
            let channel = u16::try_from(number).map(|number| Channel {
                number,
                ..node.into()
            });
            let reader = channel.ok().and_then(|channel| self.readers.get(&channel));
            reader.is_some_and(Reader::fails)
        };
        let moved = loads.into_iter().flat_map(|(node, loads)| {
            let may_take = |number| !fails(node, number);
            match how {
                Levelling::Idle => moves(loads, may_take),
                Levelling::All(_) => even(loads, may_take),
            }
        });
        let moved: Vec<(Index, usize)> = moved.collect();
        for (index, number) in moved {
            self.move_to(index, u16::try_from(number).ok());
        }
    }
}

/// What is left of each partition of a connection.
type Load = Vec<(i64, Index)>;

/// Which partitions move to which connections that have none and `may_take` one.
fn moves(mut loads: Vec<Load>, may_take: impl Fn(usize) -> bool) -> Vec<(Index, usize)> {
    let empty = loads.iter().enumerate();
    let empty = empty.filter(|(number, load)| load.is_empty() && may_take(*number));
    let empty: Vec<usize> = empty.map(|(number, _)| number).collect();
    for load in &mut loads {
        load.sort_unstable();
    }
    let gives = |number: usize| {
        let fullest = loads.iter_mut().max_by_key(|load| load.len());
        let (_, index) = fullest.filter(|load| load.len() > 1)?.pop()?;
        Some((index, number))
    };
    empty.into_iter().map_while(gives).collect()
}

/// Which partitions move for those connections that `may_take` them to have about as many as the others: those with the least left,
/// because it costs a pause.
pub(super) fn even(mut loads: Vec<Load>, may_take: impl Fn(usize) -> bool) -> Vec<(Index, usize)> {
    for load in &mut loads {
        load.sort_unstable_by_key(|(left, _)| Reverse(*left));
    }
    let mut counts: Vec<usize> = loads.iter().map(Vec::len).collect();
    let takers: Vec<usize> = (0..loads.len())
        .filter(|number| may_take(*number))
        .collect();
    let mut moved = Vec::new();
    loop {
        let takes = takers.iter().copied().min_by_key(|number| counts[*number]);
        let gives = (0..loads.len()).max_by_key(|number| counts[*number]);
        let both = gives
            .zip(takes)
            .filter(|(gives, takes)| counts[*gives] > counts[*takes] + 1);
        let Some((index, gives, takes)) =
            both.and_then(|(gives, takes)| Some((loads[gives].pop()?.1, gives, takes)))
        else {
            return moved;
        };
        moved.push((index, takes));
        counts[gives] -= 1;
        counts[takes] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(loads: Vec<Load>) -> Vec<(Index, usize)> {
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

    /// How many each has after moves.
    fn counts(loads: &[Load], moved: &[(Index, usize)]) -> Vec<usize> {
        let mut counts: Vec<usize> = loads.iter().map(Vec::len).collect();
        for (index, takes) in moved {
            let gives = loads
                .iter()
                .position(|load| load.iter().any(|(_, one)| one == index));
            counts[gives.expect("it was somewhere")] -= 1;
            counts[*takes] += 1;
        }
        counts
    }

    #[test]
    fn all_have_about_as_many_and_as_few_move_as_that_takes() {
        let load =
            |from: Index, count: usize| (from..from + count).map(|index| (7, index)).collect();
        let check = |sizes: &[usize], moves: usize, after: &[usize]| {
            let loads: Vec<Load> = sizes
                .iter()
                .zip(0..)
                .map(|(count, at)| load(at * 100, *count))
                .collect();
            let moved = even(loads.clone(), |_| true);
            assert_eq!((moved.len(), &counts(&loads, &moved)[..]), (moves, after));
        };
        check(&[], 0, &[]);
        check(&[3], 0, &[3]);
        check(&[0, 16, 0, 0], 12, &[4, 4, 4, 4]);
        check(&[2, 1, 1, 2], 0, &[2, 1, 1, 2]);
        check(&[6, 1, 1], 3, &[3, 3, 2]);
        // One that fails takes nothing.
        let loads: Vec<Load> = vec![vec![], load(0, 4), vec![]];
        let moved = even(loads.clone(), |number| number != 0);
        assert_eq!(counts(&loads, &moved), [0, 2, 2]);
        // What has least left moves.
        assert_eq!(
            even(vec![vec![(5, 0), (9, 1), (2, 2)], vec![]], |_| true),
            [(2, 1)]
        );
    }
}
