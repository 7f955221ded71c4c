//! The grammar of `java.util.regex.Pattern` as of JDK 17, with no flags set from outside.
//!
//! ```text
//! choice   := sequence ('|' sequence)*
//! sequence := (atom quantifier?)*
//! atom     := '(' … ')'  |  '[' … ']'  |  '\' …  |  '.' '^' '$'  |  a character
//! ```
//!
//! Invariants: flags are resolved while parsing, so the tree has none; whatever is not understood with
//! certainty is refused by name, never passed on. What Java accepts with a meaning nobody expects (`a{2}{3}`)
//! is refused too.

use std::collections::HashMap;

use super::fold::{self, Folding};
use super::scan::{Token, scan};
use super::set::Set;
use super::tree::{Greed, Node, Place};

/// Groups and classes inside each other, so that no pattern can exhaust the stack.
const MAX_DEPTH: usize = 100;

/// Why a pattern is not accepted.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Index of the character in question, from 0.
    pub(super) at: usize,
    pub(super) what: String,
    /// What to write instead, where that can be said.
    pub(super) remedy: Option<String>,
}

pub(super) type Parsed<T> = Result<T, Refusal>;

#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Flags {
    pub(super) any_case: bool,
    pub(super) unicode_case: bool,
    pub(super) unicode_classes: bool,
    pub(super) comments: bool,
    pub(super) dot_all: bool,
    pub(super) unix_lines: bool,
    pub(super) multi_line: bool,
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    /// Index of the next token.
    pub(super) next: usize,
    /// Number of characters of the pattern: the position of its end.
    length: usize,
    pub(super) flags: Flags,
    /// Capturing groups opened so far.
    pub(super) groups: u32,
    /// Those of them that are still open.
    pub(super) open: Vec<u32>,
    pub(super) names: HashMap<String, u32>,
    depth: usize,
}

/// Parses a whole pattern.
pub(super) fn parse(pattern: &str) -> Parsed<Node> {
    parse_with_groups(pattern).map(|(tree, ..)| tree)
}

/// Parses a whole pattern, and tells how many capturing groups it has and what they are called.
pub(super) fn parse_with_groups(pattern: &str) -> Parsed<(Node, u32, HashMap<String, u32>)> {
    let mut parser = Parser {
        tokens: scan(pattern),
        next: 0,
        length: pattern.chars().count(),
        flags: Flags::default(),
        groups: 0,
        open: Vec::new(),
        names: HashMap::new(),
        depth: 0,
    };
    let tree = parser.choice()?;
    match parser.peek() {
        None => Ok((tree, parser.groups, parser.names)),
        // `choice` ends at the end or at this.
        Some(token) => {
            refuse(token.at, "this ) closes no group").with_remedy("write \\) for the character")
        }
    }
}

pub(super) fn refuse<T>(at: usize, what: impl Into<String>) -> Parsed<T> {
    Err(Refusal {
        at,
        what: what.into(),
        remedy: None,
    })
}

pub(super) trait WithRemedy {
    fn with_remedy(self, remedy: impl Into<String>) -> Self;
}

impl<T> WithRemedy for Parsed<T> {
    fn with_remedy(self, remedy: impl Into<String>) -> Self {
        self.map_err(|refusal| Refusal {
            remedy: Some(remedy.into()),
            ..refusal
        })
    }
}

impl Token {
    /// Whether it is this character with a meaning of its own.
    pub(super) fn is(self, character: char) -> bool {
        !self.quoted && self.character == character
    }
}

impl Flags {
    pub(super) fn folding(self) -> Folding {
        match (self.any_case, self.unicode_case) {
            (false, _) => Folding::None,
            (true, false) => Folding::Ascii,
            (true, true) => Folding::Unicode,
        }
    }

    fn set(&mut self, flag: char, on: bool) -> bool {
        match flag {
            'i' => self.any_case = on,
            'm' => self.multi_line = on,
            's' => self.dot_all = on,
            'd' => self.unix_lines = on,
            'u' => self.unicode_case = on,
            'x' => self.comments = on,
            'U' => {
                self.unicode_classes = on;
                self.unicode_case = on;
            }
            _ => return false,
        }
        true
    }
}

impl Parser {
    /// The next token; under the flag `x`, blanks and comments before it are passed over.
    pub(super) fn peek(&mut self) -> Option<Token> {
        if self.flags.comments {
            self.skip_comments();
        }
        self.raw(0)
    }

    /// The token `ahead` places further, whatever it is.
    pub(super) fn raw(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.next + ahead).copied()
    }

    /// Takes the next token, whatever it is.
    pub(super) fn take(&mut self) -> Option<Token> {
        let token = self.raw(0)?;
        self.next += 1;
        Some(token)
    }

    /// Takes the next token if it is this character with a meaning of its own.
    pub(super) fn take_if(&mut self, character: char) -> bool {
        let found = self.raw(0).is_some_and(|token| token.is(character));
        self.next += usize::from(found);
        found
    }

    /// Position of the next token, or of the end.
    pub(super) fn here(&self) -> usize {
        self.raw(0).map_or(self.length, |token| token.at)
    }

    fn skip_comments(&mut self) {
        let mut in_comment = false;
        while let Some(token) = self.raw(0) {
            let line_end = match token.character {
                '\n' => true,
                '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => !self.flags.unix_lines,
                _ => false,
            };
            if in_comment {
                in_comment = !line_end;
            } else if token.is('#') {
                in_comment = true;
            } else if token.quoted || !matches!(token.character, ' ' | '\t'..='\r') {
                return;
            }
            self.next += 1;
        }
    }

    /// Enters a group or class; the caller leaves it with [`Parser::leave`].
    pub(super) fn enter(&mut self, at: usize) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return refuse(
                at,
                format!("more than {MAX_DEPTH} groups or classes inside each other"),
            );
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    fn choice(&mut self) -> Parsed<Node> {
        let mut alternatives = vec![self.sequence()?];
        while self.peek().is_some_and(|token| token.is('|')) {
            self.next += 1;
            alternatives.push(self.sequence()?);
        }
        Ok(match alternatives.len() {
            1 => alternatives.remove(0),
            _ => Node::Choice(alternatives),
        })
    }

    fn sequence(&mut self) -> Parsed<Node> {
        let mut nodes = Vec::new();
        while let Some(token) = self.peek() {
            if token.is('|') || token.is(')') {
                break;
            }
            if let Some(node) = self.atom(token)? {
                nodes.push(self.quantified(node)?);
            }
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Sequence(nodes),
        })
    }

    /// `None` for a group that only sets flags.
    fn atom(&mut self, token: Token) -> Parsed<Option<Node>> {
        if token.quoted {
            self.next += 1;
            return Ok(Some(self.literal(token.character)));
        }
        match token.character {
            '(' => return self.group(token.at),
            '[' => return self.class().map(|set| Some(Node::One(set))),
            '\\' => return self.escape().map(Some),
            _ => {}
        }
        self.next += 1;
        Ok(Some(match token.character {
            '.' => Node::One(self.dot()),
            '^' => self.line_anchor(token, Place::Start)?,
            '$' => self.line_anchor(token, Place::End)?,
            '*' => {
                return refuse(
                    token.at,
                    "nothing stands before this * that it could repeat",
                )
                .with_remedy("\"any text\" is written .*");
            }
            quantifier @ ('+' | '?') => {
                return refuse(
                    token.at,
                    format!("nothing stands before this {quantifier} that it could repeat"),
                )
                .with_remedy(format!("write \\{quantifier} for the character"));
            }
            '{' => {
                return refuse(token.at, "this { repeats nothing")
                    .with_remedy("write \\{ for the character");
            }
            character => self.literal(character),
        }))
    }

    fn literal(&self, character: char) -> Node {
        Node::One(fold::literal(character, self.flags.folding()))
    }

    fn dot(&self) -> Set {
        if self.flags.dot_all {
            Set::empty().not()
        } else if self.flags.unix_lines {
            Set::one('\n').not()
        } else {
            let ends = [
                ('\n', '\n'),
                ('\r', '\r'),
                ('\u{85}', '\u{85}'),
                ('\u{2028}', '\u{2029}'),
            ];
            Set::ranges(&ends).not()
        }
    }

    /// Where the whole name has to match, `^` and `$` can only hold at its ends. (Java's `$` also holds before a
    /// final line break; only a name with one could tell.)
    fn line_anchor(&self, token: Token, place: Place) -> Parsed<Node> {
        if self.flags.multi_line {
            let what = format!(
                "{} under the flag m (several lines) is not supported",
                token.character
            );
            return refuse(token.at, what);
        }
        Ok(Node::At(place))
    }

    fn quantified(&mut self, node: Node) -> Parsed<Node> {
        let Some(token) = self.peek().filter(|token| !token.quoted) else {
            return Ok(node);
        };
        if matches!(node, Node::Look { .. }) && "*+?{".contains(token.character) {
            return refuse(token.at, "a look-ahead or look-behind is not repeated");
        }
        let (min, max) = match token.character {
            '*' => (0, None),
            '+' => (1, None),
            '?' => (0, Some(1)),
            '{' => self.counts(token.at)?,
            _ => return Ok(node),
        };
        if token.character != '{' {
            self.next += 1;
        }
        let kind = match self.peek() {
            Some(token) if token.is('?') => Greed::Reluctant,
            Some(token) if token.is('+') => Greed::Possessive,
            _ => Greed::Greedy,
        };
        if kind != Greed::Greedy {
            self.next += 1;
        }
        if let Some(token) = self.peek().filter(|token| token.is('{')) {
            return refuse(
                token.at,
                "two counts in a row mean different things to different engines",
            )
            .with_remedy("put the inner one into a group: (?:…{2}){3}");
        }
        Ok(Node::Repeat {
            node: Box::new(node),
            min,
            max,
            kind,
        })
    }

    /// `{n}`, `{n,}`, `{n,m}`.
    fn counts(&mut self, open: usize) -> Parsed<(u32, Option<u32>)> {
        self.next += 1;
        let Some(min) = self.number()? else {
            return refuse(open, "a count needs a number: {2}, {2,} or {2,5}")
                .with_remedy("write \\{ for the character");
        };
        let max = if self.take_if(',') {
            if self.raw(0).is_some_and(|token| token.is('}')) {
                None
            } else {
                self.number()?
            }
        } else {
            Some(min)
        };
        if !self.take_if('}') {
            return refuse(open, "this count is not closed by }");
        }
        if max.is_some_and(|max| max < min) {
            return refuse(
                open,
                "the second number of this count is smaller than the first",
            );
        }
        Ok((min, max))
    }

    /// Decimal digits; Java's bound.
    fn number(&mut self) -> Parsed<Option<u32>> {
        let begin = self.here();
        let mut value: Option<u32> = None;
        while let Some(digit) = self
            .raw(0)
            .filter(|token| !token.quoted)
            .and_then(|token| token.character.to_digit(10))
        {
            self.next += 1;
            value = Some(value.unwrap_or(0).saturating_mul(10).saturating_add(digit));
        }
        if value.is_some_and(|value| value > i32::MAX.unsigned_abs()) {
            return refuse(begin, "this count is too large");
        }
        Ok(value)
    }

    fn group(&mut self, open: usize) -> Parsed<Option<Node>> {
        self.next += 1;
        self.enter(open)?;
        let outside = self.flags;
        let node = if self.peek().is_some_and(|token| token.is('?')) {
            self.next += 1;
            match self.special_group(open)? {
                Some(node) => node,
                None => {
                    self.leave();
                    return Ok(None);
                }
            }
        } else {
            self.capture(open)?
        };
        self.flags = outside;
        self.leave();
        Ok(Some(node))
    }

    /// The inside of a group up to its end.
    fn inside(&mut self, open: usize) -> Parsed<Node> {
        let node = self.choice()?;
        if self.peek().is_none() {
            return refuse(open, "this group is not closed")
                .with_remedy("write \\( for the character");
        }
        self.next += 1;
        Ok(node)
    }

    fn capture(&mut self, open: usize) -> Parsed<Node> {
        self.groups += 1;
        let number = self.groups;
        self.open.push(number);
        let node = self.inside(open)?;
        self.open.pop();
        Ok(Node::Capture(number, Box::new(node)))
    }

    /// What begins with `(?`, which has been taken. `None` where it only sets flags.
    fn special_group(&mut self, open: usize) -> Parsed<Option<Node>> {
        let Some(token) = self.take() else {
            return refuse(open, "this group is not closed");
        };
        let node = match token.character {
            _ if token.quoted => return refuse(token.at, "unknown kind of group"),
            ':' => self.inside(open)?,
            '>' => Node::Atomic(Box::new(self.inside(open)?)),
            '=' => self.look(open, false, false)?,
            '!' => self.look(open, false, true)?,
            '<' if self.take_if('=') => self.look(open, true, false)?,
            '<' if self.take_if('!') => self.look(open, true, true)?,
            '<' => {
                let name = self.group_name()?;
                if self.names.insert(name.clone(), self.groups + 1).is_some() {
                    return refuse(token.at, format!("there already is a group named {name}"));
                }
                self.capture(open)?
            }
            'P' => {
                return refuse(open, "(?P is not known to Java").with_remedy("write (?<name>…)");
            }
            _ => {
                self.next -= 1;
                if self.flag_changes(open)? {
                    return Ok(None);
                }
                self.inside(open)?
            }
        };
        Ok(Some(node))
    }

    fn look(&mut self, open: usize, behind: bool, negative: bool) -> Parsed<Node> {
        let node = self.inside(open)?;
        if behind && !node.is_bounded() {
            return refuse(open, "a look-behind needs a bounded length")
                .with_remedy("replace * and + in it by counts like {0,9}");
        }
        Ok(Node::Look {
            behind,
            negative,
            node: Box::new(node),
        })
    }

    /// A group's name up to and with `>`: ASCII letters and digits, a letter first.
    pub(super) fn group_name(&mut self) -> Parsed<String> {
        let begin = self.here();
        let mut name = String::new();
        while let Some(token) = self.take() {
            let first = name.is_empty();
            match token.character {
                '>' if !token.quoted && !first => return Ok(name),
                c if c.is_ascii_alphabetic() || (!first && c.is_ascii_digit()) => name.push(c),
                _ => break,
            }
        }
        refuse(
            begin,
            "a group's name consists of letters and digits, a letter first, and ends with >",
        )
    }

    /// `i`, `-i`, `im-s` … up to `)` (true: for what follows) or `:` (false: for this group).
    fn flag_changes(&mut self, open: usize) -> Parsed<bool> {
        let mut on = true;
        while let Some(token) = self.take() {
            match token.character {
                _ if token.quoted => return refuse(token.at, "unknown kind of group"),
                ')' => return Ok(true),
                ':' => return Ok(false),
                '-' if on => on = false,
                'c' => {
                    return refuse(
                        token.at,
                        "the flag c (canonical equivalence) is not supported",
                    );
                }
                flag => {
                    if !self.flags.set(flag, on) {
                        return refuse(token.at, format!("(?{flag} is no group that Java knows"));
                    }
                }
            }
        }
        refuse(open, "this group is not closed")
    }
}
