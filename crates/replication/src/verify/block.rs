//! Names every record of a block: the records between two places at which both sides agree.
//!
//! ```text
//!   same records in another order ─▶ moved
//!   longest common order          ─▶ paired (at other places than expected, perhaps)
//!   of the rest: equal            ─▶ moved
//!                resembling       ─▶ altered
//!                nothing          ─▶ absent, extra
//! ```

use super::fingerprint::Fingerprint;
use super::memory::Multiset;

/// Blocks with more cells than this are not searched for their longest common order.
const CELLS: usize = 4_000_000;

/// What the records of a block are. Indices are those of the two lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Equal, in the common order.
    pub(super) paired: Vec<(usize, usize)>,
    /// Equal, and out of order.
    pub(super) moved: Vec<(usize, usize)>,
    /// Something of it is another.
    pub(super) altered: Vec<(usize, usize)>,
    /// The destination has none.
    pub(super) absent: Vec<usize>,
    /// The source has none.
    pub(super) extra: Vec<usize>,
}

/// Names the records of a block. `expected` gives the destination offset a source record should have.
pub(super) fn name(
    source: &[Fingerprint],
    destination: &[Fingerprint],
    expected: impl Fn(&Fingerprint) -> Option<i64>,
) -> Named {
    let mut named = Named::default();
    let (mut here, mut there) = (vec![false; source.len()], vec![false; destination.len()]);
    if !source.is_empty() && !destination.is_empty() {
        if let Some(moved) = permutation(source, destination) {
            named.moved = moved;
            return named;
        }
        named.paired = common_order(source, destination);
        mark(&named.paired, &mut here, &mut there);
        let mut left = Multiset::of(
            (0..destination.len())
                .filter(|&d| !there[d])
                .map(|d| (d, destination[d].content())),
        );
        for s in (0..source.len()).filter(|&s| !here[s]) {
            if let Some(d) = left.take(source[s].content())
                && source[s].is_copy_of(&destination[d])
            {
                named.moved.push((s, d));
            }
        }
        mark(&named.moved, &mut here, &mut there);
        named.altered = altered(source, destination, (&here, &there), expected);
        mark(&named.altered, &mut here, &mut there);
    }
    named.absent = (0..source.len()).filter(|&s| !here[s]).collect();
    named.extra = (0..destination.len()).filter(|&d| !there[d]).collect();
    named
}

fn mark(pairs: &[(usize, usize)], here: &mut [bool], there: &mut [bool]) {
    for &(s, d) in pairs {
        here[s] = true;
        there[d] = true;
    }
}

/// Pairs, if both sides have the same records; those at the same place are left out.
fn permutation(source: &[Fingerprint], destination: &[Fingerprint]) -> Option<Vec<(usize, usize)>> {
    if source.len() != destination.len() {
        return None;
    }
    let mut set = Multiset::of(destination.iter().map(Fingerprint::content).enumerate());
    let mut pairs = Vec::new();
    for (s, record) in source.iter().enumerate() {
        let d = set.take(record.content())?;
        if !record.is_copy_of(&destination[d]) {
            return None;
        }
        pairs.push((s, d));
    }
    let in_order = pairs.iter().all(|(s, d)| s == d);
    (!in_order).then_some(pairs)
}

/// The longest common subsequence.
fn common_order(source: &[Fingerprint], destination: &[Fingerprint]) -> Vec<(usize, usize)> {
    let (rows, columns) = (source.len(), destination.len());
    if rows.saturating_mul(columns) > CELLS {
        return greedy_order(source, destination);
    }
    let width = columns + 1;
    let mut lengths = vec![0_u16; (rows + 1) * width];
    for s in (0..rows).rev() {
        for d in (0..columns).rev() {
            lengths[s * width + d] = if source[s].is_copy_of(&destination[d]) {
                lengths[(s + 1) * width + d + 1] + 1
            } else {
                lengths[(s + 1) * width + d].max(lengths[s * width + d + 1])
            };
        }
    }
    let (mut s, mut d, mut pairs) = (0, 0, Vec::new());
    while s < rows && d < columns {
        if source[s].is_copy_of(&destination[d]) {
            pairs.push((s, d));
            (s, d) = (s + 1, d + 1);
        } else if lengths[(s + 1) * width + d] >= lengths[s * width + d + 1] {
            s += 1;
        } else {
            d += 1;
        }
    }
    pairs
}

/// A common subsequence that need not be the longest: each record with the next equal one.
fn greedy_order(source: &[Fingerprint], destination: &[Fingerprint]) -> Vec<(usize, usize)> {
    let mut set = Multiset::of(destination.iter().map(Fingerprint::content).enumerate());
    let (mut behind, mut pairs) = (0, Vec::new());
    for (s, record) in source.iter().enumerate() {
        if let Some(d) = set.take(record.content())
            && d >= behind
            && record.is_copy_of(&destination[d])
        {
            pairs.push((s, d));
            behind = d + 1;
        }
    }
    pairs
}

/// Pairs records of which one was made from the other: first those at the offset where they should be, then in order.
fn altered(
    source: &[Fingerprint],
    destination: &[Fingerprint],
    (here, there): (&[bool], &[bool]),
    expected: impl Fn(&Fingerprint) -> Option<i64>,
) -> Vec<(usize, usize)> {
    let left: Vec<usize> = (0..source.len()).filter(|&s| !here[s]).collect();
    let mut right: Vec<usize> = (0..destination.len()).filter(|&d| !there[d]).collect();
    let mut pairs = Vec::new();
    let mut rest = Vec::new();
    for s in left {
        let place = expected(&source[s]);
        let at = right.iter().position(|&d| {
            Some(destination[d].offset) == place && source[s].resembles(&destination[d])
        });
        match at {
            Some(at) => pairs.push((s, right.remove(at))),
            None => rest.push(s),
        }
    }
    for s in rest {
        // Only records that stood at no other's place: those in order, from the front.
        let at = right
            .iter()
            .position(|&d| source[s].resembles(&destination[d]));
        if let Some(at) = at {
            pairs.push((s, right[at]));
            right.drain(..=at);
        }
    }
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_wire::record::{Headers, Record};

    /// A record with its letter as key and value, and its place as time.
    fn records(letters: &str) -> Vec<Fingerprint> {
        let letters = letters.bytes().enumerate();
        letters
            .map(|(offset, letter)| {
                let text = [letter.to_ascii_lowercase()];
                let value = if letter.is_ascii_uppercase() {
                    b"changed"
                } else {
                    &text[..]
                };
                let time = i64::from(letter.to_ascii_lowercase());
                let record =
                    Record::new(offset as i64, time, Some(&text), Some(value), Headers::NONE);
                Fingerprint::of(&record, None)
            })
            .collect()
    }

    fn check(
        source: &str,
        destination: &str,
        expected: [&[(usize, usize)]; 3],
        absent: &[usize],
        extra: &[usize],
    ) {
        let named = name(&records(source), &records(destination), |_| None);
        let [paired, moved, altered] = expected.map(<[_]>::to_vec);
        let (absent, extra) = (absent.to_vec(), extra.to_vec());
        let wanted = Named {
            paired,
            moved,
            altered,
            absent,
            extra,
        };
        assert_eq!(named, wanted, "{source} and {destination}");
    }

    #[test]
    fn records_of_a_block_get_their_names() {
        check("ab", "ba", [&[], &[(0, 1), (1, 0)], &[]], &[], &[]);
        check("a", "A", [&[], &[], &[(0, 0)]], &[], &[]);
        check("a", "", [&[], &[], &[]], &[0], &[]);
        check("", "a", [&[], &[], &[]], &[], &[0]);
        check("a", "b", [&[], &[], &[]], &[0], &[0]);
        check(
            "abc",
            "xabc",
            [&[(0, 1), (1, 2), (2, 3)], &[], &[]],
            &[],
            &[0],
        );
        check(
            "abcd",
            "aCd",
            [&[(0, 0), (3, 2)], &[], &[(2, 1)]],
            &[1],
            &[],
        );
        check(
            "abcd",
            "dbxa",
            [&[(3, 0)], &[(0, 3), (1, 1)], &[]],
            &[2],
            &[2],
        );
    }
}
