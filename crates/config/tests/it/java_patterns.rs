//! Patterns on names, compared with what `java.util.regex` of JDK 17 said (`tests/golden/java_patterns.md`).

use config::{Pattern, PatternList};
use serde_json::Value;

const GOLDEN: &str = include_str!("../golden/java_patterns.json");

#[test]
fn every_recorded_pattern_selects_what_java_selects() {
    let golden: Value = serde_json::from_str(GOLDEN).expect("JSON");
    let names: Vec<&str> = texts(&golden["names"]);
    let rows = golden["patterns"].as_array().expect("a list");
    assert!(rows.len() > 300, "the recording is complete");
    for row in rows {
        let text = row["pattern"].as_str().expect("a text");
        let expected = row["result"].as_str().expect("a text");
        let result = match Pattern::parse(text) {
            Err(_) => "refused".to_owned(),
            Ok(pattern) => {
                let matches = |name: &&str| pattern.is_match(name).expect("cheap");
                names
                    .iter()
                    .map(|name| if matches(name) { '1' } else { '0' })
                    .collect()
            }
        };
        assert_eq!(result, expected, "{text:?} on {names:?}");
    }
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(|text| text.as_str().expect("a text"))
        .collect()
}

#[test]
fn what_java_accepts_and_we_do_not_is_refused_by_name() {
    let cases = [
        (
            r"\X",
            "\\X (what looks like one character) is not supported",
        ),
        (
            r"\N{DIGIT ONE}",
            "\\N (a character by its name) is not supported",
        ),
        (
            r"\b{g}",
            "\\b{…} (other boundaries than those of words) is not supported",
        ),
        (
            r"\p{InGreek}",
            "\\p{InGreek} is a block, which has no counterpart here",
        ),
        (
            r"\p{javaLowerCase}",
            "\\p{javaLowerCase} asks a method of Java and has no counterpart here",
        ),
        (
            "(?m)^a$",
            "^ under the flag m (several lines) is not supported",
        ),
        (
            "(?c)a",
            "the flag c (canonical equivalence) is not supported",
        ),
        (
            "a{2}{3}",
            "two counts in a row mean different things to different engines",
        ),
        (
            r"(a)\2",
            "this refers to a group that does not stand before it",
        ),
        (
            r"(?i)(a)\1",
            "a reference to a group under the flag i is not supported",
        ),
        ("(?<=a+)b", "a look-behind needs a bounded length"),
        (r"\ud83d", "half of a surrogate pair is no character"),
        ("(?=a)*a", "a look-ahead or look-behind is not repeated"),
        (
            r"\p{IsNoScript}",
            "it has no counterpart here: Unicode property value not found",
        ),
        ("a{99999999}{", "two counts in a row"),
        ("(?:(?:(?:a{999}){999}){999}){999}", "it is too large"),
    ];
    for (text, expected) in cases {
        let problem = Pattern::parse(text).expect_err(text);
        assert!(problem.what.starts_with(expected), "{text}: {problem}");
    }
    let deep = "(".repeat(5000) + &")".repeat(5000);
    let problem = Pattern::parse(&deep).expect_err("too deep");
    assert_eq!(
        problem.what,
        "more than 100 groups or classes inside each other"
    );
}

#[test]
fn a_pattern_that_takes_too_long_gives_up() {
    let pattern = Pattern::parse(r"(a*)(a*)(a*)(a*)\1\2\3\4b").expect("legal");
    assert!(pattern.is_match(&"a".repeat(249)).is_err());
}

#[test]
fn wild_cards_are_recognised() {
    let cases = [
        ("orders*", Some("orders.*")),
        ("a-*", Some("a-.*")),
        ("orders.*", None),
        (r"\d*", None),
        ("*", None),
        ("orders", None),
    ];
    for (text, expected) in cases {
        let meant = Pattern::parse(text)
            .ok()
            .and_then(|pattern| pattern.probably_meant());
        assert_eq!(meant.as_deref(), expected, "{text}");
    }
}

#[test]
fn a_list_counts_as_one_pattern() {
    let list = |items: &[&str]| PatternList::parse(items.iter().copied()).expect("legal");
    assert!(!list(&[]).is_match(""));
    assert!(list(&["a", "b-c"]).is_match("b-c"));
    assert!(list(&["a.*", "b"]).is_match("b"));
    assert!(!list(&["a.*", "b"]).is_match("xb"));
    assert!(
        list(&["(?i)foo", "bar"]).is_match("BAR"),
        "a flag covers what follows, as in MirrorMaker 2"
    );
    assert_eq!(list(&["a", "b.*"]).items(), ["a", "b.*"]);
}
