//! `[…]`: unions, ranges, nested classes and intersections, as JDK 9 and later read them.
//!
//! ```text
//! class := '[' '^'? part ('&&' part)* ']'      part := (class | range | character | escape)*
//! ```
//!
//! `-`, `~` and `&` alone are ordinary characters; `^` negates the whole of it, nested classes included.

use super::escape::Escaped;
use super::fold;
use super::parse::{Parsed, Parser, WithRemedy, refuse};
use super::scan::Token;
use super::set::Set;

/// What has been read of a class so far.
#[derive(Default)]
struct Part {
    set: Option<Set>,
    /// Items that Java keeps one by one, and whether there were plain characters, which it collects.
    items: usize,
    characters: bool,
}

impl Part {
    fn add(&mut self, set: Set) {
        self.set = Some(match self.set.take() {
            Some(before) => before.union(set),
            None => set,
        });
    }
}

enum Item {
    /// A plain character of Latin-1.
    Character(Set),
    Other(Set),
}

fn is_blank(token: Token) -> bool {
    token.character == '#' || token.character.is_ascii_whitespace() || token.character == '\x0B'
}

impl Parser {
    /// A class; its opening bracket is the next token.
    pub(super) fn class(&mut self) -> Parsed<Set> {
        let open = self.here();
        self.enter(open)?;
        self.next += 1;
        // Looked at without passing over blanks: under the flag x, `[ ^a]` does not negate.
        let negated = self.take_if('^');
        let set = self.class_body(open)?;
        self.next += 1;
        self.leave();
        Ok(if negated { set.not() } else { set })
    }

    /// Everything up to the closing bracket, which stays the next token.
    fn class_body(&mut self, open: usize) -> Parsed<Set> {
        let mut part = Part::default();
        loop {
            let Some(token) = self.peek() else {
                return refuse(open, "this class is not closed")
                    .with_remedy("write \\[ for the character");
            };
            if token.is('[') {
                let set = self.class()?;
                part.add(set);
                part.items += 1;
            } else if token.is(']')
                && let Some(set) = part.set.take()
            {
                return Ok(set);
            } else if token.is('&') && self.flags.comments && self.raw(1).is_some_and(is_blank) {
                return refuse(
                    token.at,
                    "a & before a blank under the flag x is read in unexpected ways",
                )
                .with_remedy("remove the blank");
            } else if token.is('&') && self.raw(1).is_some_and(|next| next.is('&')) {
                self.next += 2;
                self.intersect(&mut part, open, token.at)?;
            } else {
                match self.class_item()? {
                    Item::Character(set) => {
                        part.add(set);
                        part.characters = true;
                    }
                    Item::Other(set) => {
                        part.add(set);
                        part.items += 1;
                    }
                }
            }
        }
    }

    /// What follows `&&`, which has been taken.
    fn intersect(&mut self, left: &mut Part, open: usize, at: usize) -> Parsed<()> {
        let mut right = Part::default();
        loop {
            match self.peek() {
                None => return refuse(open, "this class is not closed"),
                Some(token) if token.is(']') => break,
                Some(token) if token.is('&') => break,
                Some(token) if token.is('[') => right.add(self.class()?),
                Some(_) => {
                    self.enter(at)?;
                    right.add(self.class_body(open)?);
                    self.leave();
                }
            }
        }
        match (left.set.take(), right.set) {
            (Some(before), Some(right)) => left.set = Some(before.intersection(right)),
            (None, Some(right)) => left.set = Some(right),
            (None, None) => return refuse(at, "nothing stands on either side of this &&"),
            // Java then intersects with the last item alone, where it kept several.
            (Some(_), None) if left.items > 1 || (left.items == 1 && left.characters) => {
                return refuse(at, "nothing stands behind this &&");
            }
            (Some(before), None) => left.set = Some(before),
        }
        if self.raw(0).is_some_and(|token| token.is('&'))
            && !self.raw(1).is_some_and(|token| token.is('&'))
        {
            return refuse(
                at,
                "a single & behind && means something else than it seems to",
            )
            .with_remedy("write \\& for the character");
        }
        // What Java would intersect with now is the right side, or what the left side was.
        left.items = 1;
        left.characters = false;
        Ok(())
    }

    /// A character, a range or an escape.
    fn class_item(&mut self) -> Parsed<Item> {
        let folding = self.flags.folding();
        let begin = self.here();
        let is = |ahead, character| self.raw(ahead).is_some_and(|token| token.is(character));
        if is(0, '\\') && is(1, 'v') && is(2, '-') {
            return refuse(
                begin,
                "\\v is a set of characters, and cannot begin a range",
            );
        }
        let first = match self.class_character()? {
            Escaped::Character(character) => character,
            Escaped::Set(set) => return Ok(Item::Other(set)),
            Escaped::Node(_) => return refuse(begin, "this escape has no meaning in a class"),
        };
        let dash = self.peek().is_some_and(|token| token.is('-'));
        // Without passing over blanks, as Java looks ahead here.
        let ends_there = self
            .raw(1)
            .is_some_and(|token| token.is('[') || token.is(']'));
        if !dash || ends_there {
            let set = fold::literal(first, folding);
            let collected = u32::from(first) < 0x100 && folding != fold::Folding::Unicode;
            return Ok(if collected {
                Item::Character(set)
            } else {
                Item::Other(set)
            });
        }
        self.next += 1;
        if self.peek().is_none() {
            return refuse(begin, "this range has no end");
        }
        match self.class_character()? {
            Escaped::Character(last) if first <= last => {
                Ok(Item::Other(fold::range(first, last, folding)))
            }
            Escaped::Character(last) => refuse(
                begin,
                format!("the range {first}-{last} ends before it begins"),
            ),
            _ => refuse(begin, "a range needs a single character at each end")
                .with_remedy("write \\- for the character"),
        }
    }

    fn class_character(&mut self) -> Parsed<Escaped> {
        match self.peek() {
            Some(token) if token.is('\\') => self.escaped(),
            Some(token) => {
                self.next += 1;
                Ok(Escaped::Character(token.character))
            }
            None => refuse(self.here(), "this class is not closed"),
        }
    }
}
