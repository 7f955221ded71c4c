//! Patterns on names, compared with what `java.util.regex` of JDK 17 said (`tests/golden/java_patterns.md`).

use config::pattern::probably_meant;
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
        ("orders", None),
    ];
    for (text, expected) in cases {
        assert_eq!(probably_meant(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn dots_of_plain_names_stand_for_any_character_but_the_end_of_a_line() {
    let one = Pattern::parse("eu.orders").expect("legal");
    let list = |items: &[&str]| PatternList::parse(items.iter().copied()).expect("legal");
    let many = list(&["eu.orders", "eu-orders", "us.orders"]);
    for (name, expected) in [
        ("eu.orders", true),
        ("eu-orders", true),
        ("euéorders", true),
        ("eu\norders", false),
        ("eu\u{2028}orders", false),
        ("euorders", false),
        ("eu.orders.x", false),
        ("EU.orders", false),
        ("eu.order", false),
    ] {
        assert_eq!(one.is_match(name), Ok(expected), "{name}");
        assert_eq!(many.is_match(name), expected, "{name}");
    }
    assert_eq!(many.matching("eu-orders"), Ok(Some("eu-orders")));
    assert_eq!(many.matching("us+orders"), Ok(Some("us.orders")));
    assert!(many.item_matches(0, "eu-orders") && !many.item_matches(2, "eu-orders"));
}

#[test]
fn a_list_may_have_any_number_of_plain_names_and_a_thousand_other_patterns() {
    let names: Vec<String> = (0..200_000).map(|n| format!("team.topic-{n}")).collect();
    let plain = PatternList::parse(names.iter().map(String::as_str)).expect("plain");
    assert!(plain.is_match("team.topic-199999") && plain.is_match("team-topic-7"));
    assert!(!plain.is_match("team.topic-200000"));
    let more: Vec<String> = (0..1_001).map(|n| format!("t{n}.*")).collect();
    let problem = PatternList::parse(more.iter().map(String::as_str)).expect_err("too many");
    assert!(problem.what.contains("1001"), "{problem}");
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
