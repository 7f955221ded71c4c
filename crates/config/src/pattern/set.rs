//! Sets of characters: what a literal, a class or an escape matches.
//!
//! Everything that can be is resolved to ranges here, so that no class of a pattern reaches an engine as text:
//! Java and Rust disagree on the meaning of `[a-z--b]`, `[[:alpha:]]`, `[a&&]` and many more. Only Unicode
//! properties stay symbolic; both sides take them from the same standard.

use std::fmt::Write as _;

const LAST: u32 = 0x10_FFFF;

/// A set of characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Set {
    /// Sorted ranges, ends included, that neither overlap nor touch.
    Ranges(Vec<(u32, u32)>),
    /// A property in the engine's spelling, for example `\p{Lu}`.
    Property(String),
    Union(Box<Set>, Box<Set>),
    Intersection(Box<Set>, Box<Set>),
    Not(Box<Set>),
}

impl Set {
    pub(super) fn empty() -> Self {
        Self::Ranges(Vec::new())
    }

    pub(super) fn one(character: char) -> Self {
        Self::range(u32::from(character), u32::from(character))
    }

    pub(super) fn range(first: u32, last: u32) -> Self {
        Self::Ranges(vec![(first, last)])
    }

    pub(super) fn ranges(ranges: &[(char, char)]) -> Self {
        Self::Ranges(normalised(
            ranges
                .iter()
                .map(|(a, b)| (u32::from(*a), u32::from(*b)))
                .collect(),
        ))
    }

    pub(super) fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Ranges(mut ranges), Self::Ranges(more)) => {
                ranges.extend(more);
                Self::Ranges(normalised(ranges))
            }
            (one, other) => Self::Union(Box::new(one), Box::new(other)),
        }
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        match (self, other) {
            // By De Morgan: one place less in which bounds can be off by one.
            (one @ Self::Ranges(_), other @ Self::Ranges(_)) => one.not().union(other.not()).not(),
            (one, other) => Self::Intersection(Box::new(one), Box::new(other)),
        }
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::Ranges(ranges) => {
                let mut gaps = Vec::with_capacity(ranges.len() + 1);
                let mut next = 0;
                for (first, last) in ranges {
                    if first > next {
                        gaps.push((next, first - 1));
                    }
                    next = last + 1;
                }
                if next <= LAST {
                    gaps.push((next, LAST));
                }
                Self::Ranges(gaps)
            }
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Whether the character belongs to it; `None` where a property would have to be looked up.
    #[cfg(test)]
    pub(super) fn contains(&self, character: u32) -> Option<bool> {
        match self {
            Self::Ranges(ranges) => Some(
                ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&character)),
            ),
            _ => None,
        }
    }

    /// In the syntax of the engines: ranges of numbers, brackets around everything, so that nothing in it can
    /// be taken for an operator.
    pub(super) fn emit(&self, out: &mut String) {
        match self {
            Self::Ranges(ranges) => emit_ranges(ranges, out),
            Self::Property(text) => out.push_str(text),
            Self::Union(one, other) => emit_pair(one, "", other, out),
            Self::Intersection(one, other) => emit_pair(one, "&&", other, out),
            Self::Not(inner) => {
                out.push_str("[^");
                inner.emit(out);
                out.push(']');
            }
        }
    }
}

fn emit_pair(one: &Set, operator: &str, other: &Set, out: &mut String) {
    out.push('[');
    one.emit(out);
    out.push_str(operator);
    other.emit(out);
    out.push(']');
}

fn emit_ranges(ranges: &[(u32, u32)], out: &mut String) {
    if let [(first, last)] = ranges
        && first == last
        && let Some(character) = char::from_u32(*first)
    {
        return emit_character(character, out);
    }
    if ranges.is_empty() {
        return out.push_str(r"[^\x{0}-\x{10FFFF}]");
    }
    out.push('[');
    for (first, last) in ranges {
        write!(
            out,
            r"\x{{{:X}}}-\x{{{:X}}}",
            off_surrogates(*first, 0xE000),
            off_surrogates(*last, 0xD7FF)
        )
        .expect("writing to a string does not fail");
    }
    out.push(']');
}

/// Surrogates are no characters in UTF-8 text. A range consisting of them only cannot arise: the parser refuses
/// them, and complements extend beyond them.
fn off_surrogates(bound: u32, instead: u32) -> u32 {
    if (0xD800..=0xDFFF).contains(&bound) {
        instead
    } else {
        bound
    }
}

/// A single character, readable where that is safe.
pub(super) fn emit_character(character: char, out: &mut String) {
    if character.is_ascii_alphanumeric() || character == '_' {
        out.push(character);
    } else {
        write!(out, r"\x{{{:X}}}", u32::from(character))
            .expect("writing to a string does not fail");
    }
}

fn normalised(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut result: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match result.last_mut() {
            Some(previous) if first <= previous.1.saturating_add(1) => {
                previous.1 = previous.1.max(last);
            }
            _ => result.push((first, last)),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u32, u32)]) -> Set {
        Set::Ranges(normalised(ranges.to_vec()))
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        assert_eq!(set(&[(5, 9), (1, 4), (8, 12)]), Set::Ranges(vec![(1, 12)]));
        assert_eq!(set(&[(1, 3), (5, 6)]), Set::Ranges(vec![(1, 3), (5, 6)]));
    }

    #[test]
    fn complements_and_intersections_keep_their_bounds() {
        assert_eq!(set(&[]).not(), Set::range(0, LAST));
        assert_eq!(set(&[(0, LAST)]).not(), Set::empty());
        assert_eq!(set(&[(3, 4)]).not(), Set::Ranges(vec![(0, 2), (5, LAST)]));
        assert_eq!(
            set(&[(1, 5), (9, 9)]).intersection(set(&[(4, 9)])),
            set(&[(4, 5), (9, 9)])
        );
        assert_eq!(set(&[(1, 2)]).intersection(set(&[(3, 4)])), Set::empty());
        let letters = Set::Property(r"\p{L}".to_owned());
        assert_eq!(letters.clone().not().not(), letters);
    }

    #[test]
    fn what_is_emitted_means_the_same_to_the_engine() {
        let sets = [
            Set::empty(),
            Set::one('.'),
            Set::ranges(&[('a', 'c'), ('-', '-'), ('&', '&')]),
            Set::one('\n').not(),
            Set::ranges(&[('a', 'z'), ('^', '^')]).not(),
        ];
        for set in sets {
            let mut text = String::new();
            set.emit(&mut text);
            let engine = regex::Regex::new(&format!(r"\A{text}\z")).expect("legal");
            for character in [
                'a', 'b', 'z', '.', '-', '&', '^', '\n', ']', 'é', '\u{E000}', '😀',
            ] {
                let expected = set.contains(u32::from(character)).expect("ranges only");
                assert_eq!(
                    engine.is_match(&character.to_string()),
                    expected,
                    "{text} {character:?}"
                );
            }
        }
    }
}
