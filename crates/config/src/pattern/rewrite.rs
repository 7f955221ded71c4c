//! A pattern with a replacement, as `RegexRouter` of Kafka Connect uses them.
//!
//! Connect asks whether the whole name matches, and then replaces the first part that is found
//! (`Matcher.matches`, `Matcher.replaceFirst`): with alternatives that need not be the whole name.

use std::sync::Arc;

use super::{BACKTRACK_LIMIT, PROGRAM_LIMIT, Pattern, PatternProblem, SIZE_LIMIT, TooCostly};
use super::{emit, parse, uncompiled};

/// A pattern, and what takes the place of what it finds.
#[derive(Clone, Debug)]
pub struct Rewrite {
    pattern: Pattern,
    replacement: String,
    parts: Vec<Part>,
    /// The same pattern, found anywhere.
    search: Arc<fancy_regex::Regex>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Literal(String),
    Group(usize),
}

impl Rewrite {
    /// Reads a pattern and a replacement in Java's notation: `$1`, `${name}`, `\` before a character that means
    /// itself.
    ///
    /// # Errors
    /// As [`Pattern::parse`], and for a replacement that names a group that is not there.
    pub fn parse(pattern: &str, replacement: &str) -> Result<Self, PatternProblem> {
        let whole = Pattern::parse(pattern)?;
        let problem = |what: String| PatternProblem {
            pattern: pattern.to_owned(),
            position: 0,
            what,
            remedy: None,
        };
        let (tree, groups, names) =
            parse::parse_with_groups(pattern).map_err(|refusal| problem(refusal.what))?;
        let search = fancy_regex::RegexBuilder::new(&emit::emit_part(&tree))
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(SIZE_LIMIT)
            .max_prog_size(PROGRAM_LIMIT)
            .build()
            .map_err(|error| uncompiled(pattern, &error.to_string()))?;
        let parts =
            parts(replacement, groups, |name| names.get(name).copied()).map_err(|what| {
                problem(format!(
                    "its replacement {replacement} cannot be used: {what}"
                ))
            })?;
        Ok(Self {
            pattern: whole,
            replacement: replacement.to_owned(),
            parts,
            search: Arc::new(search),
        })
    }

    /// The name with its first match replaced; `None` where the whole name does not match.
    ///
    /// # Errors
    /// As [`Pattern::is_match`].
    pub fn apply(&self, name: &str) -> Result<Option<String>, TooCostly> {
        if !self.pattern.is_match(name)? {
            return Ok(None);
        }
        let Some(found) = self.search.captures(name).map_err(|_| TooCostly)? else {
            return Ok(Some(name.to_owned()));
        };
        let Some(all) = found.get(0) else {
            return Ok(Some(name.to_owned()));
        };
        let mut made = name[..all.start()].to_owned();
        for part in &self.parts {
            match part {
                Part::Literal(text) => made.push_str(text),
                // A group that took no part in the match is nothing, as in Java.
                Part::Group(number) => {
                    made.push_str(found.get(*number).map_or("", |group| group.as_str()));
                }
            }
        }
        made.push_str(&name[all.end()..]);
        Ok(Some(made))
    }

    /// The pattern.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}

impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern && self.replacement == other.replacement
    }
}

impl Eq for Rewrite {}

/// `Matcher.appendExpandedReplacement` of JDK 17.
fn parts(
    replacement: &str,
    groups: u32,
    named: impl Fn(&str) -> Option<u32>,
) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = replacement.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => literal.push(rest.next().ok_or("it ends with a single \\")?),
            '$' => {
                let number = match rest.next() {
                    Some('{') => {
                        let mut is_closed = false;
                        let name: String = rest
                            .by_ref()
                            .take_while(|c| {
                                is_closed = *c == '}';
                                !is_closed
                            })
                            .collect();
                        if !is_closed {
                            return Err(format!("the }} behind ${{{name} is missing"));
                        }
                        named(&name).ok_or_else(|| format!("there is no group {{{name}}}"))?
                    }
                    Some(digit) if digit.is_ascii_digit() => {
                        let mut number = digit.to_digit(10).unwrap_or(0);
                        if number > groups {
                            return Err(format!("there is no group {number}"));
                        }
                        // As many digits as still name a group.
                        while let Some(more) = rest.peek().and_then(|c| c.to_digit(10)) {
                            let longer = number.saturating_mul(10).saturating_add(more);
                            if longer > groups {
                                break;
                            }
                            number = longer;
                            rest.next();
                        }
                        number
                    }
                    _ => return Err("a group's number or {name} has to follow $".to_owned()),
                };
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(Part::Group(number as usize));
            }
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, replacement: &str, name: &str, expected: Option<&str>) {
        let rewrite = Rewrite::parse(pattern, replacement).expect("legal");
        assert_eq!(rewrite.apply(name).expect("cheap").as_deref(), expected);
    }

    #[test]
    fn names_are_rewritten_as_java_rewrites_them() {
        check("(.*)-(\\d+)", "$1", "orders-12", Some("orders"));
        check("(.*)-(\\d+)", "$1", "orders", None);
        check("(?<head>a+)(b)?", "${head}$2x", "aa", Some("aax"));
        check(".*", "all", "orders", Some("all"));
        check("orders", "\\$1\\\\", "orders", Some("$1\\"));
        // Ten groups are not there, so it is the first and a zero.
        check("(o)(.*)", "$10", "orders", Some("o0"));
        // The whole name matches by the second alternative, the first is what is found.
        check("a|ab", "x", "ab", Some("xb"));
        check("(a)\\1", "$1", "aa", Some("a"));
    }

    #[test]
    fn a_replacement_that_java_would_refuse_is_refused() {
        for replacement in ["$1", "$", "${x}", "$a", "\\"] {
            Rewrite::parse("orders", replacement).expect_err(replacement);
        }
        Rewrite::parse("(?<name>orders)", "${name").expect_err("not closed");
    }
}
