//! The part of YAML that configurations are written in: mappings of texts, one inside another at most, and several documents in a
//! file. What is outside of it is refused with its line, never guessed at.
//!
//! Flow: text → lines with their depth → entries (`parent`, `key`, `value`, line) by document. Values are texts as they stand there:
//! numbers and words are not read as anything else. Deliberately absent: lists, anchors, tags, flow collections but JSON's in double
//! quotes, plain texts over several lines.

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
pub(crate) type Wrong = (usize, &'static str);

struct Line<'a> {
    number: usize,
    depth: usize,
    text: &'a str,
}

/// The entries of each document; one without any is none.
pub(crate) fn read(text: &str) -> Result<Vec<Vec<Entry>>, Wrong> {
    let mut documents = Vec::new();
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        let is_mark = text == "---" || text.starts_with("--- ") || text.trim_end() == "...";
        if is_mark {
            documents.push(std::mem::take(&mut lines));
            continue;
        }
        let inner = text.trim_start_matches(' ');
        lines.push(Line {
            number,
            depth: text.len() - inner.len(),
            text: inner,
        });
    }
    documents.push(lines);
    let read: Result<Vec<Vec<Entry>>, Wrong> = documents.iter().map(|all| document(all)).collect();
    Ok(read?.into_iter().filter(|one| !one.is_empty()).collect())
}

fn is_blank(line: &Line<'_>) -> bool {
    let text = line.text.trim();
    text.is_empty() || text.starts_with('#')
}

fn document(lines: &[Line<'_>]) -> Result<Vec<Entry>, Wrong> {
    let mut entries: Vec<Entry> = Vec::new();
    // The mapping that is open, and how deep it stands.
    let mut open: Option<(String, Option<usize>)> = None;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if is_blank(line) {
            continue;
        }
        if line.depth == 0 {
            open = None;
        }
        let parent = match &mut open {
            None if line.depth == 0 => None,
            // The first one in a mapping says how deep it is.
            Some((parent, depth)) if depth.unwrap_or(line.depth) == line.depth => {
                *depth = Some(line.depth);
                Some(parent.clone())
            }
            _ => return Err((line.number, "it stands deeper than what it belongs to")),
        };
        let (key, rest) = split(line)?;
        let (value, taken) = value(line, rest, &lines[at..])?;
        at += taken;
        if rest.is_empty() && parent.is_none() && is_deeper(&lines[at..]) {
            open = Some((key.clone(), None));
        }
        entries.push(Entry {
            parent,
            key,
            value,
            line: line.number,
        });
    }
    Ok(entries)
}

fn is_deeper(lines: &[Line<'_>]) -> bool {
    let next = lines.iter().find(|line| !is_blank(line));
    next.is_some_and(|line| line.depth > 0)
}

/// The key of a line, and what stands behind it.
fn split<'a>(line: &Line<'a>) -> Result<(String, &'a str), Wrong> {
    let wrong = |what| Err((line.number, what));
    let text = line.text.trim_end();
    if text.starts_with('\t') {
        return wrong("tabs do not indent in YAML");
    }
    if text == "-" || text.starts_with("- ") {
        return wrong("a list has no place here: a list of texts is one text with commas");
    }
    if text.starts_with(['"', '\'']) {
        let (key, rest) = quoted(line, text)?;
        return match rest.trim_start().strip_prefix(':') {
            Some(rest) => Ok((key, rest.trim())),
            None => wrong("a key is followed by a colon"),
        };
    }
    if text.starts_with(['{', '[', '&', '*', '!', '?', '|', '>', '%', '@', '`']) {
        return wrong("this part of YAML is not read: write KEY: VALUE");
    }
    let (key, rest) = match (text.split_once(": "), text.strip_suffix(':')) {
        (Some((key, rest)), _) => (key, rest),
        (None, Some(key)) => (key, ""),
        (None, None) => return wrong("KEY: VALUE is expected, with a blank behind the colon"),
    };
    let rest = rest.trim();
    // A comment is no value.
    let rest = if rest.starts_with('#') { "" } else { rest };
    Ok((key.trim_end().to_owned(), rest))
}

/// The value that stands behind a key or below it, and how many more lines it takes.
fn value(
    line: &Line<'_>,
    rest: &str,
    below: &[Line<'_>],
) -> Result<(Option<String>, usize), Wrong> {
    let wrong = |what| Err((line.number, what));
    match rest.chars().next() {
        None => Ok((None, 0)),
        Some('"' | '\'') => {
            let (text, after) = quoted(line, rest)?;
            match after.trim_start() {
                "" => Ok((Some(text), 0)),
                after if after.starts_with('#') => Ok((Some(text), 0)),
                _ => wrong("something stands behind the closing quote"),
            }
        }
        Some('|' | '>') => block(line, rest, below),
        Some('[' | '{') => {
            wrong("a list has no place here: a list of texts is one text with commas")
        }
        Some('&' | '*' | '!' | '%' | '@' | '`') => {
            wrong("this part of YAML is not read: put the value into quotes")
        }
        Some(_) => {
            let plain = rest.split(" #").next().unwrap_or(rest).trim_end();
            if plain.contains(": ") || plain.ends_with(':') {
                return wrong(
                    "a colon with a blank behind it begins a mapping: put the value into quotes",
                );
            }
            let next = below.iter().find(|next| !is_blank(next));
            if next.is_some_and(|next| next.depth > line.depth) {
                return wrong("a text over several lines begins with | or >");
            }
            let is_null = ["~", "null", "Null", "NULL"].contains(&plain);
            Ok(((!is_null).then(|| plain.to_owned()), 0))
        }
    }
}

/// A text in quotes at the begin, and what stands behind it.
fn quoted<'a>(line: &Line<'_>, text: &'a str) -> Result<(String, &'a str), Wrong> {
    let open = (line.number, "a quote is not closed in its line");
    if let Some(inner) = text.strip_prefix('\'') {
        let mut out = String::new();
        let mut rest = inner;
        loop {
            let (before, after) = rest.split_once('\'').ok_or(open)?;
            out.push_str(before);
            match after.strip_prefix('\'') {
                Some(after) => {
                    out.push('\'');
                    rest = after;
                }
                None => return Ok((out, after)),
            }
        }
    }
    let mut is_escaped = false;
    for (at, one) in text.char_indices().skip(1) {
        match one {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => {
                let (whole, after) = text.split_at(at + 1);
                let read = serde_json::from_str(whole)
                    .map_err(|_| (line.number, "in double quotes JSON's escapes are read"));
                return Ok((read?, after));
            }
            _ => {}
        }
    }
    Err(open)
}

/// A text of the lines below, as `|` keeps them or `>` joins them.
fn block(
    line: &Line<'_>,
    rest: &str,
    below: &[Line<'_>],
) -> Result<(Option<String>, usize), Wrong> {
    let head = rest.split(" #").next().unwrap_or(rest).trim_end();
    let (joins, ending) = match head {
        "|" => (false, "\n"),
        "|-" => (false, ""),
        ">" => (true, "\n"),
        ">-" => (true, ""),
        _ => {
            return Err((
                line.number,
                "of texts over several lines |, |-, > and >- are read",
            ));
        }
    };
    let is_inside = |next: &&Line<'_>| next.depth > line.depth || next.text.trim().is_empty();
    let inside: Vec<&Line<'_>> = below.iter().take_while(is_inside).collect();
    let depth = inside
        .iter()
        .find(|line| !line.text.trim().is_empty())
        .map_or(0, |line| line.depth);
    let texts: Vec<String> = inside
        .iter()
        .map(|line| {
            let deeper = line.depth.saturating_sub(depth);
            format!("{}{}", " ".repeat(deeper), line.text.trim_end_matches('\r'))
        })
        .collect();
    let mark = if joins { " " } else { "\n" };
    let text = texts.join(mark);
    let text = text.trim_end_matches([' ', '\n']);
    Ok((Some(format!("{text}{ending}")), inside.len()))
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
            ("a: [1]\n", 1),
            ("a: {b: c}\n", 1),
            ("a: &x 1\n", 1),
            ("a: *x\n", 1),
            ("a: !!int 1\n", 1),
            ("? a\n", 1),
            ("a\n", 1),
            ("a: 'b\n", 1),
            ("a: \"b\n", 1),
            ("a: \"\\q\"\n", 1),
            ("a: b: c\n", 1),
            ("a: b\n  c\n", 1),
            ("\ta: b\n", 1),
            ("a:\n  b: 1\n    c: 2\n", 2),
            ("a:\n  b:\n    c: 2\n", 3),
            ("  a: 1\n", 1),
            ("a: |2\n  b\n", 1),
        ] {
            let (found, _) = read(text).expect_err(text);
            assert_eq!(found, line, "{text}");
        }
    }
}
