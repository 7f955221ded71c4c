//! The grammar of `java.util.Properties`, exactly, over text that is UTF-8 already.
//!
//! Own code because every deviation reads a configuration differently than the products that it comes from:
//! comments are not unescaped, surrogate pairs are joined, a file that ends in a continuation keeps its last
//! key, and only space, tab and form feed count as blank.

use std::iter::Peekable;
use std::str::Lines;

use crate::key::{holds_secret, looks_secret};

/// One key with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Property {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Number of its first line, from 1.
    pub(crate) line: usize,
    /// The first backslash of the value that was dropped before a character which it does not change.
    dropped_backslash: Option<char>,
    /// Whether the key ended at a blank rather than at `=` or `:`.
    ended_at_blank: bool,
}

impl Property {
    /// What the format reads differently than it looks.
    pub(crate) fn traps(&self) -> Vec<String> {
        let mut traps = Vec::new();
        let Self { key, value, .. } = self;
        match self.dropped_backslash {
            // The character after it is part of what nobody is to know.
            Some(_) if holds_secret(key) || looks_secret(value) => traps.push(format!(
                "a single backslash is dropped from the value of {key}; write two to keep it"
            )),
            Some(character) => traps.push(format!(
                "a single backslash is dropped, {key} is read as \"{value}\"; write \\\\{character} to keep it"
            )),
            None => {}
        }
        if self.ended_at_blank && value.starts_with("->") {
            traps.push(format!(
                "the key ends at the blank, so it is \"{key}\"; write it without blanks, as in A->B.enabled"
            ));
        }
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        if value.len() > 1 && quote.is_some_and(|quote| value.ends_with(quote)) {
            traps.push(format!(
                "the quotes around the value of {key} are part of it; leave them out"
            ));
        }
        traps
    }
}

/// The properties of a text in their order; an error is the number of a line with a malformed `\u`.
pub(crate) fn read(text: &str) -> impl Iterator<Item = Result<Property, usize>> {
    LogicalLines {
        lines: NaturalLines::new(text),
    }
    .map(|(number, line)| parse(&line, number).ok_or(number))
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\x0C')
}

/// Lines that end with `\n`, `\r` or `\r\n`.
struct NaturalLines<'a> {
    pieces: Peekable<Lines<'a>>,
    rest: std::str::Split<'a, char>,
    number: usize,
}

impl<'a> NaturalLines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            pieces: text.lines().peekable(),
            rest: "".split('\r'),
            number: 0,
        }
    }
}

impl<'a> Iterator for NaturalLines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.number == 0 {
            self.rest = self.pieces.next()?.split('\r');
        }
        loop {
            if let Some(line) = self.rest.next() {
                self.number += 1;
                return Some((self.number, line));
            }
            self.rest = self.pieces.next()?.split('\r');
        }
    }
}

/// Lines with their continuations joined; without comments and blank lines.
struct LogicalLines<'a> {
    lines: NaturalLines<'a>,
}

impl Iterator for LogicalLines<'_> {
    type Item = (usize, String);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, line) = self.lines.next()?;
            let line = line.trim_start_matches(is_blank);
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let mut logical = line.to_owned();
            while continues(&logical) {
                logical.pop();
                if logical.is_empty() {
                    break;
                }
                match self.lines.next() {
                    Some((_, more)) => logical.push_str(more.trim_start_matches(is_blank)),
                    None => break,
                }
            }
            // A line of a single backslash continues nothing: what follows may still be a comment.
            if logical.is_empty() {
                continue;
            }
            return Some((number, logical));
        }
    }
}

/// Whether it ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// `None` for a malformed `\u`.
fn parse(line: &str, number: usize) -> Option<Property> {
    let mut escaped = false;
    let end = line.find(|character| {
        let ends = !escaped && (matches!(character, '=' | ':') || is_blank(character));
        escaped = !escaped && character == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    let (separated, rest) = match rest.strip_prefix(['=', ':']) {
        Some(rest) => (true, rest.trim_start_matches(is_blank)),
        None => (false, rest),
    };
    let (key, _) = unescape(key)?;
    let (value, dropped_backslash) = unescape(rest)?;
    Some(Property {
        key,
        value,
        line: number,
        dropped_backslash,
        ended_at_blank: !separated && end.is_some(),
    })
}

/// The text, and the first character whose backslash was dropped although it may have been meant. `None` for a
/// malformed `\u`.
fn unescape(text: &str) -> Option<(String, Option<char>)> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut dropped = None;
    let mut buffer = [0; 2];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            units.extend_from_slice(character.encode_utf16(&mut buffer));
            continue;
        }
        let Some(escaped) = characters.next() else {
            break;
        };
        match escaped {
            't' => units.push(0x09),
            'n' => units.push(0x0A),
            'f' => units.push(0x0C),
            'r' => units.push(0x0D),
            'u' => {
                let digits: String = characters.by_ref().take(4).collect();
                let hexadecimal =
                    digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                units.push(
                    u16::from_str_radix(&digits, 16)
                        .ok()
                        .filter(|_| hexadecimal)?,
                );
            }
            other => {
                if is_meant_for_a_pattern(other) {
                    dropped = dropped.or(Some(other));
                }
                units.extend_from_slice(other.encode_utf16(&mut buffer));
            }
        }
    }
    String::from_utf16(&units).ok().map(|text| (text, dropped))
}

/// Backslashes before these are common in patterns, and have no use in properties.
fn is_meant_for_a_pattern(character: char) -> bool {
    ".*+?()[]{}|^$-".contains(character) || character.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str, usize)]) {
        let read: Vec<_> = read(text)
            .map(|property| property.expect("well-formed"))
            .map(|property| (property.key, property.value, property.line))
            .collect();
        let read: Vec<_> = read
            .iter()
            .map(|(k, v, line)| (k.as_str(), v.as_str(), *line))
            .collect();
        assert_eq!(read, expected, "{text:?}");
    }

    #[track_caller]
    fn check_traps(text: &str, expected: &[&str]) {
        let traps: Vec<_> = read(text)
            .flat_map(|property| property.expect("well-formed").traps())
            .collect();
        assert_eq!(traps, expected, "{text}");
    }

    #[test]
    fn keys_end_at_the_first_separator_that_is_not_escaped() {
        check("a=b", &[("a", "b", 1)]);
        check("a:b=c", &[("a", "b=c", 1)]);
        check("a b c", &[("a", "b c", 1)]);
        check(" \t a \t = \x0C b ", &[("a", "b ", 1)]);
        check(r"a\ b\=c\:d=e", &[("a b=c:d", "e", 1)]);
        check(r"a\\=b", &[(r"a\", "b", 1)]);
        check("a", &[("a", "", 1)]);
        check("=b", &[("", "b", 1)]);
        check("a = = b", &[("a", "= b", 1)]);
    }

    #[test]
    fn secrets_with_a_backslash_are_not_shown() {
        for line in [
            r"src.kafka.ssl.keystore.password=hunter\.2",
            r"sasl.jaas.config=M required x=hunter\$2;",
            r"unknown=org.example.PlainLoginModule required x=hunter\$2;",
        ] {
            let key = line.split('=').next().expect("a key");
            let expected = format!(
                "a single backslash is dropped from the value of {key}; write two to keep it"
            );
            check_traps(line, &[&expected]);
        }
    }

    #[test]
    fn comments_blank_lines_and_all_line_ends_are_read_as_java_does() {
        check(
            "# x=\\u12\n! y\n\n  # z\na=1\r\nb=2\rc=3",
            &[("a", "1", 5), ("b", "2", 6), ("c", "3", 7)],
        );
        check("# no continuation \\\na=1", &[("a", "1", 2)]);
        check("\u{A0}a=1", &[("\u{A0}a", "1", 1)]);
        check("", &[]);
        check("\n\n", &[]);
    }

    #[test]
    fn lines_continue_after_an_odd_number_of_backslashes() {
        check(
            "a=1,\\\n   2,\\\n# 3\nb=4",
            &[("a", "1,2,# 3", 1), ("b", "4", 4)],
        );
        check("a=1\\\\\nb=2", &[("a", "1\\", 1), ("b", "2", 2)]);
        check("a=1\\", &[("a", "1", 1)]);
        check("a=1\\\n", &[("a", "1", 1)]);
        check("a\\\n  b=1", &[("ab", "1", 1)]);
        check("\\\n# no key\n\\\na=1\n\\", &[("a", "1", 4)]);
    }

    #[test]
    fn escapes_are_decoded_and_unknown_ones_lose_their_backslash() {
        check(r"a=\t\n\f\r\u0041\u00e9", &[("a", "\t\n\x0C\rAé", 1)]);
        check(r"a=\ud83d\ude00", &[("a", "😀", 1)]);
        check(r"a=\q\.\\.", &[("a", r"q.\.", 1)]);
        check("ключ=значение", &[("ключ", "значение", 1)]);
    }

    #[test]
    fn malformed_unicode_escapes_are_refused_with_their_line() {
        for text in [
            "a=1\nb=\\u12",
            "a=1\nb=\\u12G4",
            "a=1\nb=\\u+123",
            "a=1\nb=\\ud83d",
        ] {
            let errors: Vec<_> = read(text).filter_map(Result::err).collect();
            assert_eq!(errors, [2], "{text}");
        }
    }

    #[test]
    fn spellings_that_look_different_than_they_are_read_are_told() {
        check_traps(
            r"topics=orders\.v1",
            &[
                r#"a single backslash is dropped, topics is read as "orders.v1"; write \\. to keep it"#,
            ],
        );
        check_traps(r"topics=orders\\.v1", &[]);
        check_traps(
            "A -> B.enabled = true",
            &[
                r#"the key ends at the blank, so it is "A"; write it without blanks, as in A->B.enabled"#,
            ],
        );
        check_traps("A->B.enabled = true", &[]);
        check_traps(
            "topics=\"a,b\"",
            &["the quotes around the value of topics are part of it; leave them out"],
        );
        check_traps("key with blanks", &[]);
    }
}
