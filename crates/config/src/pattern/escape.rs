//! What a backslash introduces, outside and inside of classes.

use super::fold;
use super::parse::{Parsed, Parser, WithRemedy, refuse};
use super::property::{Reading, property};
use super::set::Set;
use super::tree::{Node, Place};

/// What an escape stands for.
pub(super) enum Escaped {
    /// A character: may be an end of a range.
    Character(char),
    Set(Set),
    /// Something that has no place in a class.
    Node(Node),
}

/// Lower-case escapes that stand for one character.
fn simple(letter: char) -> Option<char> {
    Some(match letter {
        'a' => '\x07',
        'e' => '\x1B',
        'f' => '\x0C',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        _ => return None,
    })
}

fn horizontal_blanks() -> Set {
    Set::ranges(&[
        ('\t', '\t'),
        (' ', ' '),
        ('\u{A0}', '\u{A0}'),
        ('\u{1680}', '\u{1680}'),
        ('\u{180E}', '\u{180E}'),
        ('\u{2000}', '\u{200A}'),
        ('\u{202F}', '\u{202F}'),
        ('\u{205F}', '\u{205F}'),
        ('\u{3000}', '\u{3000}'),
    ])
}

fn line_breaks() -> Set {
    Set::ranges(&[('\n', '\r'), ('\u{85}', '\u{85}'), ('\u{2028}', '\u{2029}')])
}

impl Parser {
    /// An escape as an atom; the backslash is the next token.
    pub(super) fn escape(&mut self) -> Parsed<Node> {
        Ok(match self.escaped()? {
            Escaped::Character(character) => {
                Node::One(fold::literal(character, self.flags.folding()))
            }
            Escaped::Set(set) => Node::One(set),
            Escaped::Node(node) => node,
        })
    }

    /// What an escape stands for; the backslash is the next token.
    pub(super) fn escaped(&mut self) -> Parsed<Escaped> {
        let at = self.here();
        self.next += 1;
        let Some(token) = self.take() else {
            return refuse(at, "nothing follows this backslash")
                .with_remedy("write \\\\ for the character");
        };
        let letter = token.character;
        if token.quoted || !letter.is_ascii_alphanumeric() {
            return Ok(Escaped::Character(letter));
        }
        if let Some(character) = simple(letter) {
            return Ok(Escaped::Character(character));
        }
        if let Some(place) = self.place(letter, at)? {
            return Ok(Escaped::Node(Node::At(place)));
        }
        if let Some(set) = self.shorthand(letter) {
            return Ok(Escaped::Set(set));
        }
        match letter {
            '0' => self.octal(at).map(Escaped::Character),
            'x' => self.hexadecimal(at).map(Escaped::Character),
            'u' => self.utf16(at).map(Escaped::Character),
            'c' => match self
                .take()
                .and_then(|token| char::from_u32(u32::from(token.character) ^ 64))
            {
                Some(character) => Ok(Escaped::Character(character)),
                None => refuse(at, "\\c needs a character"),
            },
            'p' | 'P' => self.property(at, letter == 'P').map(Escaped::Set),
            '1'..='9' | 'k' => self.backreference(letter, at).map(Escaped::Node),
            'R' => {
                let pair = vec![Node::One(Set::one('\r')), Node::One(Set::one('\n'))];
                let choice = vec![Node::Sequence(pair), Node::One(line_breaks())];
                Ok(Escaped::Node(Node::Choice(choice)))
            }
            'X' => refuse(at, "\\X (what looks like one character) is not supported"),
            'N' => refuse(at, "\\N (a character by its name) is not supported")
                .with_remedy("write its number: \\x{…}"),
            'E' => refuse(at, "this \\E ends no quotation"),
            _ => refuse(at, format!("\\{letter} is no escape that Java knows")),
        }
    }

    fn place(&mut self, letter: char, at: usize) -> Parsed<Option<Place>> {
        Ok(Some(match letter {
            'b' if self.raw(0).is_some_and(|token| token.is('{')) => {
                return refuse(
                    at,
                    "\\b{…} (other boundaries than those of words) is not supported",
                );
            }
            'b' => Place::WordBoundary,
            'B' => Place::NoWordBoundary,
            // There is no earlier match that \G could refer to.
            'A' | 'G' => Place::Start,
            'z' | 'Z' => Place::End,
            _ => return Ok(None),
        }))
    }

    /// The sets that have a letter of their own: ASCII, unless the flag `U` is set.
    fn shorthand(&self, letter: char) -> Option<Set> {
        let unicode = self.flags.unicode_classes;
        let set = match letter.to_ascii_lowercase() {
            lower @ ('d' | 's' | 'w') if unicode => Set::Property(format!("\\{lower}")),
            'd' => Set::ranges(&[('0', '9')]),
            's' => Set::ranges(&[(' ', ' '), ('\t', '\r')]),
            'w' => Set::ranges(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
            'h' => horizontal_blanks(),
            'v' => line_breaks(),
            _ => return None,
        };
        Some(if letter.is_ascii_uppercase() {
            set.not()
        } else {
            set
        })
    }

    /// `\0n`, `\0nn`, `\0mnn` with m up to 3.
    fn octal(&mut self, at: usize) -> Parsed<char> {
        let mut value: Option<u32> = None;
        for _ in 0..3 {
            let digit = self
                .raw(0)
                .filter(|t| !t.quoted)
                .and_then(|t| t.character.to_digit(8));
            let Some(digit) = digit else { break };
            let longer = value.unwrap_or(0) * 8 + digit;
            if longer > 0o377 {
                break;
            }
            value = Some(longer);
            self.next += 1;
        }
        match value.and_then(char::from_u32) {
            Some(character) => Ok(character),
            None => refuse(at, "\\0 needs an octal number"),
        }
    }

    fn hexadecimal(&mut self, at: usize) -> Parsed<char> {
        let value = if self.take_if('{') {
            let mut value: Option<u32> = None;
            while let Some(digit) = self.hex_digit() {
                value = Some(value.unwrap_or(0).saturating_mul(16).saturating_add(digit));
            }
            if self.take_if('}') { value } else { None }
        } else {
            self.hex_digits(2)
        };
        match value {
            None => refuse(at, "a character by its number is written \\xhh or \\x{h…h}"),
            Some(value) => character(value, at),
        }
    }

    /// `\uhhhh`, or two of them that together are one character.
    fn utf16(&mut self, at: usize) -> Parsed<char> {
        let Some(unit) = self.hex_digits(4) else {
            return refuse(at, "a character by its number is written \\uhhhh");
        };
        let follows = |parser: &Self, ahead, c| parser.raw(ahead).is_some_and(|t| t.is(c));
        if (0xD800..0xDC00).contains(&unit) && follows(self, 0, '\\') && follows(self, 1, 'u') {
            self.next += 2;
            return match self.hex_digits(4) {
                Some(low @ 0xDC00..0xE000) => {
                    character(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00), at)
                }
                _ => character(unit, at),
            };
        }
        character(unit, at)
    }

    fn hex_digit(&mut self) -> Option<u32> {
        let digit = self
            .raw(0)
            .filter(|token| !token.quoted)?
            .character
            .to_digit(16)?;
        self.next += 1;
        Some(digit)
    }

    fn hex_digits(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value * 16 + self.hex_digit()?))
    }

    fn property(&mut self, at: usize, negated: bool) -> Parsed<Set> {
        let mut name = String::new();
        let complete = if self.take_if('{') {
            loop {
                match self.take() {
                    Some(token) if token.is('}') => break true,
                    Some(token) => name.push(token.character),
                    None => break false,
                }
            }
        } else {
            name.extend(self.take().map(|token| token.character));
            true
        };
        if !complete || name.is_empty() {
            return refuse(at, "a property is written \\pL or \\p{name}");
        }
        let reading = Reading {
            any_case: self.flags.any_case,
            unicode_classes: self.flags.unicode_classes,
        };
        match property(&name, reading) {
            Ok(set) => Ok(if negated { set.not() } else { set }),
            Err(what) => refuse(at, what),
        }
    }

    fn backreference(&mut self, letter: char, at: usize) -> Parsed<Node> {
        let number = match letter.to_digit(10) {
            Some(first) => Some(self.reference_number(first)),
            None if self.take_if('<') => {
                let name = self.group_name()?;
                self.names.get(&name).copied()
            }
            None => return refuse(at, "a named group is referred to by \\k<name>"),
        };
        let Some(number) = number.filter(|number| *number <= self.groups) else {
            return refuse(at, "this refers to a group that does not stand before it");
        };
        if self.open.contains(&number) {
            return refuse(at, "this refers to the group in which it stands");
        }
        if self.flags.any_case {
            return refuse(
                at,
                "a reference to a group under the flag i is not supported",
            );
        }
        Ok(Node::Backreference(number))
    }

    /// Java takes further digits as long as there are so many groups.
    fn reference_number(&mut self, first: u32) -> u32 {
        let mut number = first;
        while let Some(digit) = self
            .raw(0)
            .filter(|token| !token.quoted)
            .and_then(|token| token.character.to_digit(10))
        {
            let longer = number.saturating_mul(10).saturating_add(digit);
            if longer > self.groups {
                break;
            }
            number = longer;
            self.next += 1;
        }
        number
    }
}

fn character(value: u32, at: usize) -> Parsed<char> {
    match char::from_u32(value) {
        Some(character) => Ok(character),
        None if value <= 0xFFFF => refuse(at, "half of a surrogate pair is no character"),
        None => refuse(at, "there is no character of so large a number"),
    }
}
