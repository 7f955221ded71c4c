//! A parsed pattern in the engines' syntax, around it the anchors of a whole-name match.
//!
//! Every part stands in a group of its own and every character that could be an operator is a number, so that
//! nothing depends on precedence or on what an engine takes for special.

use std::fmt::Write as _;

use super::tree::{Greed, Node, Place};

/// The expression for `regex`, or for `fancy-regex` where the tree needs backtracking.
pub(super) fn emit(tree: &Node) -> String {
    let mut out = String::from(r"\A(?:");
    node(tree, &mut out);
    out.push_str(r")\z");
    out
}

/// The expression to be found anywhere in a name.
pub(super) fn emit_part(tree: &Node) -> String {
    let mut out = String::from("(?:");
    node(tree, &mut out);
    out.push(')');
    out
}

fn node(tree: &Node, out: &mut String) {
    match tree {
        Node::Empty => {}
        Node::One(set) => set.emit(out),
        Node::At(place) => out.push_str(match place {
            Place::Start => r"\A",
            Place::End => r"\z",
            Place::WordBoundary => r"\b",
            Place::NoWordBoundary => r"\B",
        }),
        Node::Sequence(nodes) => nodes.iter().for_each(|part| node(part, out)),
        Node::Choice(nodes) => {
            out.push_str("(?:");
            for (index, part) in nodes.iter().enumerate() {
                if index > 0 {
                    out.push('|');
                }
                node(part, out);
            }
            out.push(')');
        }
        Node::Capture(_, inner) => group("(", inner, out),
        // In a group of its own, or a digit that follows would become part of the number.
        Node::Backreference(number) => {
            write!(out, r"(?:\{number})").expect("writing to a string does not fail");
        }
        Node::Repeat {
            node,
            min,
            max,
            kind,
        } => repeat(node, *min, *max, *kind, out),
        Node::Atomic(inner) => group("(?>", inner, out),
        Node::Look {
            behind,
            negative,
            node,
        } => group(
            match (behind, negative) {
                (false, false) => "(?=",
                (false, true) => "(?!",
                (true, false) => "(?<=",
                (true, true) => "(?<!",
            },
            node,
            out,
        ),
    }
}

fn group(open: &str, inner: &Node, out: &mut String) {
    out.push_str(open);
    node(inner, out);
    out.push(')');
}

fn repeat(inner: &Node, min: u32, max: Option<u32>, kind: Greed, out: &mut String) {
    if kind == Greed::Possessive {
        out.push_str("(?>");
    }
    group("(?:", inner, out);
    match (min, max) {
        (0, None) => out.push('*'),
        (1, None) => out.push('+'),
        (0, Some(1)) => out.push('?'),
        (min, None) => write!(out, "{{{min},}}").expect("writing to a string does not fail"),
        (min, Some(max)) => {
            write!(out, "{{{min},{max}}}").expect("writing to a string does not fail");
        }
    }
    match kind {
        Greed::Greedy => {}
        Greed::Reluctant => out.push('?'),
        Greed::Possessive => out.push(')'),
    }
}
