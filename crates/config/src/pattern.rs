//! Java's regular expressions over names of topics, groups and settings.
//!
//! ```text
//! text ──scan, parse──▶ tree, without flags and classes ──emit──▶ `regex`, or `fancy-regex` where needed
//! ```
//!
//! Invariants:
//! * The whole name has to match, as in Java's `matches()`; names are case-sensitive.
//! * What Java refuses is refused, with the place. What Java accepts and cannot be expressed exactly is
//!   refused by name. Nothing of a pattern ever reaches an engine as written: many constructs compile there
//!   and mean something else, and would silently select other topics.
//!
//! Searching, captures and replacement are in `rewrite` alone.

mod class;
mod emit;
mod escape;
mod fold;
mod parse;
mod property;
pub mod rewrite;
mod scan;
mod set;
mod tree;
mod used;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// How large a compiled expression may become, in bytes.
const SIZE_LIMIT: usize = 64 * 1024 * 1024;

/// Instructions of a compiled expression where backtracking is needed.
const PROGRAM_LIMIT: usize = 1_000_000;

/// Steps that matching one name may take where backtracking is needed.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// Patterns of a list that have to be compiled. Whoever configures a link is not to hold up the others: a thousand take tens of
/// milliseconds, and as many kilobytes each.
const MOST_PATTERNS: usize = 1_000;

/// A whole-name pattern in the dialect of `java.util.regex`, as of JDK 17, with no flags set.
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    engine: Arc<Engine>,
}

enum Engine {
    /// The text itself: nothing in it stands for something else, but for dots. Lists have thousands of such names.
    Plain,
    /// Takes time in proportion to the name.
    Linear(regex::Regex),
    /// For look-around, references to groups, atomic and possessive parts.
    Backtracking(fancy_regex::Regex),
}

/// Why a pattern cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub struct PatternProblem {
    /// The pattern as written.
    pub pattern: String,
    /// Which character it is about, from 1; 0 where it is about all of them.
    pub position: usize,
    /// What is wrong with it.
    pub what: String,
    /// What to write instead, where that can be said.
    pub remedy: Option<String>,
}

/// Matching one name took more than a million steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("matching took more than a million steps")]
pub struct TooCostly;

// === impl Pattern ===

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What Java refuses, and what cannot be expressed here.
    pub fn parse(text: &str) -> Result<Self, PatternProblem> {
        if let Some(engine) = used::find(text) {
            let text = text.into();
            return Ok(Self { text, engine });
        }
        let engine = Arc::new(Self::compile(text)?);
        let text: Arc<str> = text.into();
        used::add(&text, &engine);
        Ok(Self { text, engine })
    }

    fn compile(text: &str) -> Result<Engine, PatternProblem> {
        if is_plain(text) {
            return Ok(Engine::Plain);
        }
        let tree = parse::parse(text).map_err(|refusal| PatternProblem {
            pattern: text.to_owned(),
            position: refusal.at + 1,
            what: refusal.what,
            remedy: glob_remedy(text).or(refusal.remedy),
        })?;
        let expression = emit::emit(&tree);
        if tree.needs_backtracking() {
            fancy_regex::RegexBuilder::new(&expression)
                .backtrack_limit(BACKTRACK_LIMIT)
                .delegate_size_limit(SIZE_LIMIT)
                .max_prog_size(PROGRAM_LIMIT)
                .build()
                .map(Engine::Backtracking)
                .map_err(|error| uncompiled(text, &error.to_string()))
        } else {
            regex::RegexBuilder::new(&expression)
                .size_limit(SIZE_LIMIT)
                .build()
                .map(Engine::Linear)
                .map_err(|error| uncompiled(text, &error.to_string()))
        }
    }

    /// Whether the whole name matches.
    ///
    /// # Errors
    /// Patterns with look-around or references to groups can take too long on an unlucky name.
    pub fn is_match(&self, name: &str) -> Result<bool, TooCostly> {
        match &*self.engine {
            Engine::Plain => Ok(plain_matches(&self.text, name)),
            Engine::Linear(engine) => Ok(engine.is_match(name)),
            Engine::Backtracking(engine) => engine.is_match(name).map_err(|_| TooCostly),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// For a legal pattern that looks like a file-name wild card (`orders*`): what it probably should be. It repeats only its
/// last character.
#[must_use]
pub fn probably_meant(text: &str) -> Option<String> {
    let before = text.strip_suffix('*')?;
    let mut last = before.chars().rev();
    let is_name = last.next().is_some_and(is_of_names);
    (is_name && last.next() != Some('\\')).then(|| format!("{before}.*"))
}

fn is_of_names(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// Whether no character but dots stands for anything else than itself.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| is_of_names(c) || c == '.')
}

/// Whether a plain pattern matches: each of its dots any character but the ends of lines, as in Java.
fn plain_matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    loop {
        match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some('.'), Some('\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')) => return false,
            (Some(expected), Some(found)) if expected == '.' || expected == found => {}
            _ => return false,
        }
    }
}

/// For `*`, `*.orders` and the like: Java's spelling.
fn glob_remedy(text: &str) -> Option<String> {
    let looks_like_glob = text.starts_with('*')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '.' | '_' | '-'));
    looks_like_glob.then(|| {
        let meant = text
            .replace(".*", "*")
            .replace('.', r"\.")
            .replace('*', ".*");
        format!("did you mean {meant} ?")
    })
}

fn uncompiled(text: &str, error: &str) -> PatternProblem {
    let what = if error.contains("size limit") || error.contains("building NFA") {
        "it is too large: compiled it would take more than 64 MiB".to_owned()
    } else {
        // Places in the engines' messages are those of the emitted expression.
        let reason = error.lines().last().unwrap_or(error);
        let reason = reason
            .rsplit_once(": ")
            .map_or(reason, |(_, reason)| reason);
        format!("it has no counterpart here: {reason}")
    };
    PatternProblem {
        pattern: text.to_owned(),
        position: 0,
        what,
        remedy: None,
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for PatternProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            0 => write!(
                f,
                "the pattern {} cannot be used: {}",
                self.pattern, self.what
            )?,
            position => {
                write!(
                    f,
                    "the pattern {}, character {position}: {}",
                    self.pattern, self.what
                )?;
            }
        }
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

// === PatternList ===

/// Several patterns that count as one, as a comma-separated list of a configuration gives them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PatternList {
    items: Vec<String>,
    matcher: Matcher,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Matcher {
    /// All items are plain: thousands of them are nothing unusual. Those with dots, which may stand for something else,
    /// also by their lengths.
    Names(HashSet<String>, HashMap<usize, Vec<String>>),
    /// All of them at once, and each alone to say which one it was.
    Joined(Pattern, Vec<Pattern>),
}

impl Default for Matcher {
    fn default() -> Self {
        Self::Names(HashSet::new(), HashMap::new())
    }
}

impl Matcher {
    fn of_plain(items: &[String]) -> Self {
        let mut dotted: HashMap<usize, Vec<String>> = HashMap::new();
        for item in items.iter().filter(|item| item.contains('.')) {
            dotted.entry(item.len()).or_default().push(item.clone());
        }
        Self::Names(items.iter().cloned().collect(), dotted)
    }

    /// The plain item that matches.
    fn plain<'a>(
        names: &'a HashSet<String>,
        dotted: &'a HashMap<usize, Vec<String>>,
        name: &str,
    ) -> Option<&'a str> {
        let found = names.get(name).or_else(|| {
            // Patterns are ASCII, and one character of a name each.
            let alike = dotted.get(&name.chars().count())?;
            alike.iter().find(|item| plain_matches(item, name))
        });
        found.map(String::as_str)
    }
}

impl PatternList {
    /// Reads a list of patterns. Without any, nothing matches.
    ///
    /// They are joined by `|` without grouping, as MirrorMaker 2 does: a flag in one item also covers the
    /// items that follow.
    ///
    /// # Errors
    /// As [`Pattern::parse`], for the first item that cannot be used; and more than a thousand that are not plain names.
    pub fn parse<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, PatternProblem> {
        let items: Vec<String> = items.into_iter().map(str::to_owned).collect();
        let compiled = items.iter().filter(|item| !is_plain(item)).count();
        if compiled == 0 {
            let matcher = Matcher::of_plain(&items);
            return Ok(Self { items, matcher });
        }
        if compiled > MOST_PATTERNS {
            return Err(PatternProblem {
                pattern: items
                    .iter()
                    .find(|item| !is_plain(item))
                    .cloned()
                    .unwrap_or_default(),
                position: 0,
                what: format!(
                    "it is one of {compiled} in a list, which may have {MOST_PATTERNS} besides plain names"
                ),
                remedy: Some("say the same with fewer patterns".to_owned()),
            });
        }
        let single = |item: &String| {
            Pattern::parse(item).map_err(|problem| cut_by_comma(problem, items.len()))
        };
        let each = items.iter().map(single).collect::<Result<_, _>>()?;
        let matcher = Matcher::Joined(Pattern::parse(&items.join("|"))?, each);
        Ok(Self { items, matcher })
    }

    /// Whether one of the patterns matches the whole name. What is too costly to decide counts as a match: the
    /// lists of this kind exclude.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Names(names, dotted) => Matcher::plain(names, dotted, name).is_some(),
            Matcher::Joined(pattern, _) => pattern.is_match(name).unwrap_or(true),
        }
    }

    /// The item that matches the whole name; the whole list where only all together do.
    ///
    /// # Errors
    /// As [`Pattern::is_match`].
    pub fn matching(&self, name: &str) -> Result<Option<&str>, TooCostly> {
        match &self.matcher {
            Matcher::Names(names, dotted) => Ok(Matcher::plain(names, dotted, name)),
            Matcher::Joined(pattern, each) => Ok(pattern.is_match(name)?.then(|| {
                let one = each.iter().find(|item| item.is_match(name) == Ok(true));
                one.unwrap_or(pattern).as_str()
            })),
        }
    }

    /// Whether the item alone matches the whole name; what is too costly to decide counts as a match. Flags that an
    /// item before it leaves on are not seen here.
    #[must_use]
    pub fn item_matches(&self, number: usize, name: &str) -> bool {
        match &self.matcher {
            Matcher::Names(..) => {
                let item = self.items.get(number);
                item.is_some_and(|item| plain_matches(item, name))
            }
            Matcher::Joined(_, each) => each
                .get(number)
                .is_some_and(|item| item.is_match(name).unwrap_or(true)),
        }
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All items as one pattern, for messages.
    #[must_use]
    pub fn joined(&self) -> &str {
        match &self.matcher {
            Matcher::Names(..) => self.items.first().map_or("", String::as_str),
            Matcher::Joined(pattern, _) => pattern.as_str(),
        }
    }

    /// The items as they were written.
    #[must_use]
    pub fn items(&self) -> &[String] {
        &self.items
    }
}

/// A list is split at commas, also at those of a count: `a{1,3}` becomes `a{1` and `3}`.
fn cut_by_comma(problem: PatternProblem, items: usize) -> PatternProblem {
    let open = problem
        .pattern
        .rfind('{')
        .filter(|open| !problem.pattern[*open..].contains('}'));
    match open {
        Some(_) if items > 1 => PatternProblem {
            what: "a list is split at every comma, also at the one of a count like {1,3}"
                .to_owned(),
            remedy: Some("write the alternatives: (a|aa|aaa)".to_owned()),
            ..problem
        },
        _ => problem,
    }
}
