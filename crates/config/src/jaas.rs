//! The value of `sasl.jaas.config`: one login module with its options. And the same in a file of Java's, where it stands
//! in a section.
//!
//! ```text
//! <class> (required|requisite|sufficient|optional) (<option>=<value>)* ;
//! <section> { … };
//! ```
//!
//! Read strictly: what Java's parser takes by accident (a second entry, text after the semicolon) is an error here.
//! Invariant: no problem contains any of the text beyond the class and the names of options.

use std::fmt;
use std::path::PathBuf;

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
        let mut tokens = Tokens::of(text);
        let entry = match tokens.next()? {
            Some(first) => Self::read(first, &mut tokens)?,
            None => return problem("it is empty"),
        };
        match tokens.next()? {
            None => Ok(entry),
            Some(_) => problem(
                "something follows the semicolon; there can be one login module only, and values with blanks or \
                 semicolons belong in quotes",
            ),
        }
    }

    /// Reads the one entry of a section of a file; `None` where there is no such section.
    ///
    /// # Errors
    /// The file does not follow the grammar up to the section's end, or the section has several entries.
    pub fn of_file(text: &str, section: &str) -> Result<Option<Self>, JaasProblem> {
        let text = without_comments(text);
        let mut tokens = Tokens::of(&text);
        while let Some(name) = tokens.next()? {
            let (Token::Word(name) | Token::Quoted(name)) = name else {
                return problem("a section has to begin with its name");
            };
            if !matches!(tokens.next()?, Some(Token::Open)) {
                return problem("the name of a section has to be followed by {");
            }
            let mut entries = Vec::new();
            loop {
                match tokens.next()? {
                    Some(Token::Close) => break,
                    Some(first) => entries.push(Self::read(first, &mut tokens)?),
                    None => return problem("a section is not closed by };"),
                }
            }
            if !matches!(tokens.next()?, Some(Token::End)) {
                return problem("a section has to end with };");
            }
            if name == section {
                let entry = entries.pop();
                return match (entry, entries.len()) {
                    (Some(entry), 0) => Ok(Some(entry)),
                    _ => problem("the section has to name one login module"),
                };
            }
        }
        Ok(None)
    }

    /// An entry whose first token has been taken, to its semicolon.
    fn read(first: Token, tokens: &mut Tokens) -> Result<Self, JaasProblem> {
        let module = match first {
            Token::Word(class) if is_class(&class) => class,
            _ => return problem("it has to begin with the class of a login module"),
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
        Ok(Self { module, options })
    }
}

/// The file of `-Djava.security.auth.login.config=` among a Java program's options; the last one holds, as in Java.
pub(crate) fn file_of(java_options: &str) -> Option<PathBuf> {
    let named = java_options
        .split_whitespace()
        .filter_map(|option| option.strip_prefix("-Djava.security.auth.login.config="))
        .next_back()?;
    // A second = means in Java that no other file holds.
    let named = named.strip_prefix('=').unwrap_or(named);
    let path = named.strip_prefix("file:").unwrap_or(named);
    (!path.is_empty()).then(|| path.into())
}

/// A text with a blank in place of each comment, `// …` and `/* … */`.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut quote) = (text.chars().peekable(), None);
    while let Some(next) = rest.next() {
        match (quote, next, rest.peek()) {
            (Some(_), '\\', Some(_)) => {
                out.push(next);
                out.extend(rest.next());
                continue;
            }
            (Some(open), _, _) if next == open => quote = None,
            (None, '"' | '\'', _) => quote = Some(next),
            (None, '/', Some('/')) => {
                while rest.next_if(|c| *c != '\n').is_some() {}
                out.push(' ');
                continue;
            }
            (None, '/', Some('*')) => {
                rest.next();
                let mut before = ' ';
                for c in rest.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
                out.push(' ');
                continue;
            }
            _ => {}
        }
        out.push(next);
    }
    out
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
    Open,
    Close,
}

struct Tokens {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
}

impl Tokens {
    fn of(text: &str) -> Self {
        Self {
            rest: text.chars().collect::<Vec<_>>().into_iter().peekable(),
        }
    }

    fn next(&mut self) -> Result<Option<Token>, JaasProblem> {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = self.rest.next() else {
            return Ok(None);
        };
        match first {
            ';' => Ok(Some(Token::End)),
            '=' => Ok(Some(Token::Equals)),
            '{' => Ok(Some(Token::Open)),
            '}' => Ok(Some(Token::Close)),
            '"' | '\'' => self.quoted(first).map(Some),
            _ => {
                let mut word = String::from(first);
                while let Some(next) = self.rest.next_if(|c| {
                    !c.is_whitespace() && !matches!(c, ';' | '=' | '{' | '}' | '"' | '\'')
                }) {
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

    #[test]
    fn a_section_of_a_file_is_found_among_others_and_comments() {
        let text = "// Brokers: not for us { }\nKafkaServer {\n  M required user_a=\"}; // no comment\";\n  N optional;\n};\n\
                    /* Clients\n   with ; and } */ KafkaClient {\n org.example.M required\n username=al // me\n \
                    password='a/*b*/\\'c';\n};\nClient { Z required; };";
        let entry = JaasEntry::of_file(text, "KafkaClient").expect("a file");
        let entry = entry.expect("the section is there");
        assert_eq!(entry.module, "org.example.M");
        let option = |name| entry.option(name).map(|value| value.expose().as_str());
        assert_eq!(option("username"), Some("al"));
        assert_eq!(option("password"), Some("a/*b*/'c"));
        assert_eq!(JaasEntry::of_file(text, "Other"), Ok(None));
        assert_eq!(JaasEntry::of_file("", "KafkaClient"), Ok(None));
        for (text, expected) in [
            (
                "KafkaClient { M required password=hunter2; N required; };",
                "one login module",
            ),
            ("KafkaClient { };", "one login module"),
            (
                "KafkaClient { M required password=hunter2; }",
                "end with };",
            ),
            ("KafkaClient { M required password=hunter2;", "not closed"),
            ("M required password=hunter2;", "followed by {"),
        ] {
            let problem = JaasEntry::of_file(text, "KafkaClient")
                .expect_err(text)
                .to_string();
            assert!(problem.contains(expected), "{problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn the_file_is_the_last_one_among_the_options_of_java() {
        for (options, expected) in [
            (
                "-Xmx1g -Djava.security.auth.login.config=/etc/k.jaas -Dx=y",
                Some("/etc/k.jaas"),
            ),
            (
                "-Djava.security.auth.login.config=/a -Djava.security.auth.login.config==/b",
                Some("/b"),
            ),
            ("-Djava.security.auth.login.config=file:/a", Some("/a")),
            ("-Djava.security.auth.login.config=", None),
            ("", None),
        ] {
            assert_eq!(file_of(options), expected.map(PathBuf::from), "{options}");
        }
    }
}
