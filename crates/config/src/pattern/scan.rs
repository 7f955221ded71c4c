//! Characters of a pattern with their positions, `\Q…\E` already resolved.
//!
//! Java resolves quoting before it parses, everywhere, also inside classes: what stands between the marks is
//! literal and never part of a construct, and the marks themselves leave nothing behind (`a\Q\E*` is `a*`).

/// One character of a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub(super) character: char,
    /// Whether it stood in `\Q…\E`.
    pub(super) quoted: bool,
    /// Index of the character in the pattern as written, from 0.
    pub(super) at: usize,
}

/// The characters of `pattern` without quote marks. An unclosed quote extends to the end, as in Java.
pub(super) fn scan(pattern: &str) -> Vec<Token> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut tokens = Vec::with_capacity(characters.len());
    let mut quoted = false;
    let mut at = 0;
    while at < characters.len() {
        let next = characters.get(at + 1).copied();
        match (quoted, characters[at], next) {
            (false, '\\', Some('Q')) => {
                quoted = true;
                at += 2;
            }
            (true, '\\', Some('E')) => {
                quoted = false;
                at += 2;
            }
            // An escaped character is looked at together with its backslash: in `\\Q` nothing is quoted.
            (false, '\\', Some(escaped)) => {
                tokens.push(Token {
                    character: '\\',
                    quoted,
                    at,
                });
                tokens.push(Token {
                    character: escaped,
                    quoted,
                    at: at + 1,
                });
                at += 2;
            }
            (_, character, _) => {
                tokens.push(Token {
                    character,
                    quoted,
                    at,
                });
                at += 1;
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, literal: &str, quoted: &str) {
        let tokens = scan(pattern);
        let of = |want| {
            tokens
                .iter()
                .filter(move |t| t.quoted == want)
                .map(|t| t.character)
        };
        assert_eq!(of(false).collect::<String>(), literal, "{pattern}");
        assert_eq!(of(true).collect::<String>(), quoted, "{pattern}");
    }

    #[test]
    fn quotes_are_resolved_and_escapes_are_not_mistaken_for_them() {
        check(r"a\Qb.c\Ed", "ad", "b.c");
        check(r"a\Q", "a", "");
        check(r"\Qa.\b", "", r"a.\b");
        check(r"\\Qa", r"\\Qa", "");
        check(r"\\\Qa", r"\\", "a");
        check(r"a\E", r"a\E", "");
        check(r"\Qa\Q\E\E", r"\E", r"a\Q");
        check("a\\", "a\\", "");
    }
}
