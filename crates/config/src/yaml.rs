//! Configurations in YAML: mappings of texts, one inside another at most, and several documents in a file. What is outside of it is
//! refused with its line, never guessed at.
//!
//! Flow: text → events of the parser → entries (`parent`, `key`, `value`, line) by document. Values are texts as they stand there:
//! numbers and words are not read as anything else. Deliberately absent: lists, aliases and tags.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// A key with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// The key of the mapping that it stands in; nothing at the top.
    pub(crate) parent: Option<String>,
    pub(crate) key: String,
    /// `None` for null, and for a mapping.
    pub(crate) value: Option<String>,
    /// From 1.
    pub(crate) line: usize,
}

/// What cannot be read, with its line.
pub(crate) type Wrong = (usize, String);

/// What plain words mean that nothing is set.
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// The entries of each document; one without any is none.
pub(crate) fn read(text: &str) -> Result<Vec<Vec<Entry>>, Wrong> {
    let mut documents = Vec::new();
    let mut document = Document::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| (error.marker().line(), error.info().to_owned()))?;
        let line = span.start.line();
        if event == Event::DocumentEnd {
            documents.push(std::mem::take(&mut document).entries);
        } else {
            document
                .take(event, line)
                .map_err(|what| (line, what.to_owned()))?;
        }
    }
    documents.retain(|entries| !entries.is_empty());
    Ok(documents)
}

/// A document as far as it was read.
#[derive(Default)]
struct Document {
    entries: Vec<Entry>,
    /// The mappings that are open, by the key that each belongs to.
    open: Vec<Option<String>>,
    /// The key whose value comes next, and its line.
    key: Option<(String, usize)>,
}

impl Document {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), &'static str> {
        match event {
            Event::SequenceStart(..) => {
                Err("a list has no place here: a list of texts is one text with commas")
            }
            Event::Alias(_) => Err("an alias has no place here: put the value into quotes"),
            Event::Scalar(_, _, anchor, tag) | Event::MappingStart(anchor, tag)
                if anchor > 0 || tag.is_some() =>
            {
                Err("anchors and tags have no place here: put the value into quotes")
            }
            Event::MappingStart(..) => self.begin(),
            Event::MappingEnd => {
                self.open.pop();
                Ok(())
            }
            Event::Scalar(text, style, ..) => {
                let is_null = style == ScalarStyle::Plain && NULL.contains(&text.as_ref());
                self.text(text.into_owned(), is_null, line)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self) -> Result<(), &'static str> {
        match (self.open.len(), self.key.take()) {
            (0, _) => self.open.push(None),
            (1, Some((key, line))) => {
                self.open.push(Some(key.clone()));
                self.add(None, key, None, line)?;
            }
            _ => return Err("it stands deeper than what it belongs to"),
        }
        Ok(())
    }

    fn text(&mut self, text: String, is_null: bool, line: usize) -> Result<(), &'static str> {
        let Some(parent) = self.open.last() else {
            // A document of comments is null.
            return match is_null {
                true => Ok(()),
                false => Err("KEY: VALUE is expected, with a blank behind the colon"),
            };
        };
        match self.key.take() {
            None => {
                self.key = Some((text, line));
                Ok(())
            }
            Some((key, line)) => {
                let parent = parent.clone();
                self.add(parent, key, (!is_null).then_some(text), line)
            }
        }
    }

    fn add(
        &mut self,
        parent: Option<String>,
        key: String,
        value: Option<String>,
        line: usize,
    ) -> Result<(), &'static str> {
        let is_same = |entry: &Entry| entry.key == key && entry.parent == parent;
        if self.entries.iter().any(is_same) {
            return Err("the key stands there twice");
        }
        self.entries.push(Entry {
            parent,
            key,
            value,
            line,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(text: &str) -> Vec<(String, Option<String>)> {
        let documents = read(text).expect("readable");
        let entries = documents.into_iter().flatten();
        entries
            .map(|entry| match entry.parent {
                Some(parent) => (format!("{parent}/{}", entry.key), entry.value),
                None => (entry.key, entry.value),
            })
            .collect()
    }

    #[test]
    fn keys_and_texts_are_read_as_they_stand() {
        let check = |text: &str, expected: &[(&str, Option<&str>)]| {
            let expected: Vec<(String, Option<String>)> = expected
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
                .collect();
            assert_eq!(flat(text), expected, "{text}");
        };
        check(
            "# links\nname: a # mine\n\ntasks.max: 2\n",
            &[("name", Some("a")), ("tasks.max", Some("2"))],
        );
        check(
            "a: 'it''s # here'\nb: \"x\\ty \\\"\" # c\n\"c d\": e:f\ng: http://h:1/#x\n",
            &[
                ("a", Some("it's # here")),
                ("b", Some("x\ty \"")),
                ("c d", Some("e:f")),
                ("g", Some("http://h:1/#x")),
            ],
        );
        check(
            "a: null\nb: ~\nc:\nd: ''\n",
            &[("a", None), ("b", None), ("c", None), ("d", Some(""))],
        );
        check(
            "name: a\nconfig:\n  topic.regex: .*\\.x\n  # none\n  x: |\n    one\n      two\n\n  y: >-\n    one\n    two\n",
            &[
                ("name", Some("a")),
                ("config", None),
                ("config/topic.regex", Some(".*\\.x")),
                ("config/x", Some("one\n  two\n")),
                ("config/y", Some("one two")),
            ],
        );
    }

    #[test]
    fn documents_stand_one_behind_the_other() {
        let two = read("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n").expect("readable");
        let keys: Vec<(&str, usize)> = two
            .iter()
            .map(|one| (one[0].key.as_str(), one[0].line))
            .collect();
        assert_eq!(keys, [("a", 2), ("b", 6)]);
    }

    #[test]
    fn what_is_not_read_is_refused_with_its_line() {
        for (text, line) in [
            ("a: 1\n- b\n", 2),
            ("- a: 1\n", 1),
            ("a: [1]\n", 1),
            ("a: &x 1\n", 1),
            ("a: *x\n", 1),
            ("a: !!int 1\n", 1),
            ("a\n", 1),
            ("a: 1\nb: 2\na: 3\n", 3),
            ("a: b: c\n", 1),
            ("a:\n  b:\n    c: 2\n", 3),
        ] {
            let (found, _) = read(text).expect_err(text);
            assert_eq!(found, line, "{text}");
        }
        for text in ["a: 'b\n", "a: \"\\q\"\n", "a:\n  b: 1\n    c: 2\n"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
