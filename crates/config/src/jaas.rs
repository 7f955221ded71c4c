//! The value of `sasl.jaas.config`: one login module with its options.
//!
//! ```text
//! <class> (required|requisite|sufficient|optional) (<option>=<value>)* ;
//! ```
//!
//! Read strictly: what Java's parser takes by accident (a second entry, text after the semicolon) is an error here.
//! Invariant: no problem contains any of the text beyond the class and the names of options.

use std::fmt;

use crate::secret::Secret;

/// One login module with its options, in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JaasEntry {
    /// Class of the login module.
    pub module: String,
    /// Names and values.
    pub options: Vec<(String, Secret<String>)>,
}

/// What is wrong with a text; never shows values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JaasProblem(String);

impl fmt::Display for JaasProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JaasEntry {
    /// The value of an option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&Secret<String>> {
        self.options
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// It does not follow the grammar.
    pub fn parse(text: &str) -> Result<Self, JaasProblem> {
        let mut tokens = Tokens {
            rest: text.chars().collect::<Vec<_>>().into_iter().peekable(),
        };
        let module = match tokens.next()? {
            Some(Token::Word(class)) if is_class(&class) => class,
            Some(_) => return problem("it has to begin with the class of a login module"),
            None => return problem("it is empty"),
        };
        match tokens.next()? {
            Some(Token::Word(flag)) if is_control_flag(&flag) => {}
            _ => {
                return problem(
                    "the class has to be followed by required, requisite, sufficient or optional",
                );
            }
        }
        let mut options: Vec<(String, Secret<String>)> = Vec::new();
        loop {
            let name = match tokens.next()? {
                Some(Token::End) => break,
                Some(Token::Word(name)) if is_name(&name) => name,
                Some(_) => return problem(&after(&options, "is no option of the form name=value")),
                None => return problem(&after(&options, "a semicolon is missing at the end")),
            };
            match tokens.next()? {
                Some(Token::Equals) => {}
                _ => return problem(&after(&options, "is no option of the form name=value")),
            }
            let value = match tokens.next()? {
                Some(Token::Word(value) | Token::Quoted(value)) => value,
                _ => return problem(&format!("the option {name} has no value")),
            };
            if options.iter().any(|(known, _)| *known == name) {
                return problem(&format!("the option {name} is given twice"));
            }
            options.push((name, Secret::new(value)));
        }
        match tokens.next()? {
            None => Ok(Self { module, options }),
            Some(_) => problem(
                "something follows the semicolon; there can be one login module only, and values with blanks or \
                 semicolons belong in quotes",
            ),
        }
    }
}

fn problem<T>(text: &str) -> Result<T, JaasProblem> {
    Err(JaasProblem(text.to_owned()))
}

/// Names the place by the option before it: what stands there may be a secret.
fn after(options: &[(String, Secret<String>)], wrong: &str) -> String {
    let place = match options.last() {
        Some((name, _)) => format!("the value of {name}"),
        None => "the word required".to_owned(),
    };
    if wrong.starts_with("is ") {
        format!("what follows {place} {wrong}")
    } else {
        format!("{wrong}, after {place}")
    }
}

fn is_class(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$'))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn is_control_flag(text: &str) -> bool {
    ["required", "requisite", "sufficient", "optional"]
        .iter()
        .any(|flag| flag.eq_ignore_ascii_case(text))
}

enum Token {
    Word(String),
    Quoted(String),
    Equals,
    End,
}

struct Tokens {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
}

impl Tokens {
    fn next(&mut self) -> Result<Option<Token>, JaasProblem> {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = self.rest.next() else {
            return Ok(None);
        };
        match first {
            ';' => Ok(Some(Token::End)),
            '=' => Ok(Some(Token::Equals)),
            '"' | '\'' => self.quoted(first).map(Some),
            _ => {
                let mut word = String::from(first);
                while let Some(next) = self
                    .rest
                    .next_if(|c| !c.is_whitespace() && !matches!(c, ';' | '=' | '"' | '\''))
                {
                    word.push(next);
                }
                Ok(Some(Token::Word(word)))
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Token, JaasProblem> {
        let mut text = String::new();
        while let Some(next) = self.rest.next() {
            match next {
                _ if next == quote => return Ok(Token::Quoted(text)),
                '\\' => match self.rest.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(escaped) => text.push(escaped),
                    None => break,
                },
                _ => text.push(next),
            }
        }
        problem("a quotation mark is not closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_bare_and_quoted_over_several_lines() {
        let entry = JaasEntry::parse(
            "org.example.Module required\n  username=\"al ice\"\n  password='p\\'w;=\\\\\"'\tdebug=true ;\n",
        )
        .expect("it follows the grammar");
        assert_eq!(entry.module, "org.example.Module");
        let option = |name| entry.option(name).map(|value| value.expose().as_str());
        assert_eq!(option("username"), Some("al ice"));
        assert_eq!(option("password"), Some("p'w;=\\\""));
        assert_eq!(option("debug"), Some("true"));
        assert_eq!(option("other"), None);
        let none = JaasEntry::parse("M REQUIRED;").expect("it follows the grammar");
        assert!(none.options.is_empty());
    }

    #[test]
    fn what_does_not_follow_the_grammar_is_refused_without_showing_values() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let problem = JaasEntry::parse(text).expect_err(text).to_string();
            assert!(problem.contains(expected), "{problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
        check("", "it is empty");
        check("\"hunter2\" required;", "begin with the class");
        check("M password=hunter2;", "followed by required");
        check(
            "M required password=hunter2",
            "a semicolon is missing at the end, after the value of password",
        );
        check(
            "M required password=\"hunter2;",
            "quotation mark is not closed",
        );
        check("M required password=;", "the option password has no value");
        check(
            "M required hunter2;",
            "what follows the word required is no option",
        );
        check(
            "M required user=a hunter2 x=y;",
            "what follows the value of user is no option",
        );
        check(
            "M required password=hunter2 password=hunter2;",
            "given twice",
        );
        check(
            "M required password=hun;ter2;",
            "something follows the semicolon",
        );
        check(
            "M required password=hunter2; N required;",
            "something follows the semicolon",
        );
    }
}
