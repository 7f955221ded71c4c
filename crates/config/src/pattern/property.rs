//! `\p{…}`: names that Java knows, as sets.
//!
//! Java has four vocabularies under one syntax: POSIX classes (ASCII, unless the flag `U` is set), general
//! categories, binary properties and scripts after `Is` or `script=`, and its own methods. Blocks (`In…`) and
//! methods (`java…`) have no counterpart in the engines and are refused.

use super::set::Set;

/// General categories that both sides know under the same name. `Cs` (surrogates) is missing: no name contains
/// one.
const CATEGORIES: [&str; 36] = [
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Me", "Mc", "N", "Nd", "Nl", "No", "Z", "Zs",
    "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn", "P", "Pd", "Ps", "Pe", "Pc", "Po", "Pi", "Pf", "S",
    "Sm", "Sc", "Sk", "So",
];

/// How a property is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The flag `i`: Java widens the properties of case to both cases.
    pub(super) any_case: bool,
    /// The flag `U`: POSIX classes are those of Unicode.
    pub(super) unicode_classes: bool,
}

/// The set that Java means by `\p{name}`, or why there is none.
pub(super) fn property(name: &str, reading: Reading) -> Result<Set, String> {
    if let Some((kind, value)) = name.split_once('=') {
        return match kind.to_ascii_lowercase().as_str() {
            "sc" | "script" => Ok(script(value)),
            "gc" | "general_category" => category(value, reading).ok_or_else(|| unknown(name)),
            "blk" | "block" => Err(no_blocks(name)),
            _ => Err(unknown(name)),
        };
    }
    if name.starts_with("In") {
        return Err(no_blocks(name));
    }
    if name.starts_with("java") {
        return Err(format!(
            "\\p{{{name}}} asks a method of Java and has no counterpart here"
        ));
    }
    if let Some(rest) = name.strip_prefix("Is") {
        return Ok(binary(rest, reading)
            .or_else(|| category(rest, reading))
            .unwrap_or_else(|| script(rest)));
    }
    if reading.unicode_classes
        && let Some(set) = posix_unicode(&name.to_ascii_uppercase(), reading)
    {
        return Ok(set);
    }
    posix_ascii(name, reading)
        .or_else(|| category(name, reading))
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> String {
    format!("\\p{{{name}}} is no property that Java knows")
}

fn no_blocks(name: &str) -> String {
    format!(
        "\\p{{{name}}} is a block, which has no counterpart here; a script like \\p{{IsGreek}} has"
    )
}

fn known(text: &str) -> Set {
    Set::Property(format!(r"\p{{{text}}}"))
}

/// Whether the engine knows the script shows when the expression is compiled.
fn script(name: &str) -> Set {
    known(&format!("sc={name}"))
}

fn both_cases() -> Set {
    known("Lu").union(known("Ll")).union(known("Lt"))
}

fn category(name: &str, reading: Reading) -> Option<Set> {
    match name {
        "Lu" | "Ll" | "Lt" if reading.any_case => Some(both_cases()),
        "LC" => Some(both_cases()),
        "LD" => Some(known("L").union(known("Nd"))),
        "L1" => Some(Set::range(0, 0xFF)),
        "all" => Some(Set::empty().not()),
        "Cs" => Some(Set::empty()),
        _ => CATEGORIES.contains(&name).then(|| known(name)),
    }
}

/// Binary properties after `Is`, in any case.
fn binary(name: &str, reading: Reading) -> Option<Set> {
    let name = name.to_ascii_uppercase();
    Some(match name.as_str() {
        "LOWERCASE" | "UPPERCASE" | "TITLECASE" if reading.any_case => known("Lowercase")
            .union(known("Uppercase"))
            .union(known("Lt")),
        "ALPHABETIC" => known("Alphabetic"),
        "LETTER" => known("L"),
        "IDEOGRAPHIC" => known("Ideographic"),
        "LOWERCASE" => known("Lowercase"),
        "UPPERCASE" => known("Uppercase"),
        "TITLECASE" => known("Lt"),
        "WHITE_SPACE" | "WHITESPACE" => known("White_Space"),
        "CONTROL" => known("Cc"),
        "PUNCTUATION" => known("P"),
        "HEX_DIGIT" | "HEXDIGIT" => known("Nd").union(known("Hex_Digit")),
        "ASSIGNED" => known("Cn").not(),
        "NONCHARACTER_CODE_POINT" | "NONCHARACTERCODEPOINT" => known("Noncharacter_Code_Point"),
        "JOIN_CONTROL" | "JOINCONTROL" => known("Join_Control"),
        "DIGIT" => known("Nd"),
        "WORD" => Set::Property(r"\w".to_owned()),
        "ALNUM" => known("Alphabetic").union(known("Nd")),
        "BLANK" => known("Zs").union(Set::one('\t')),
        "GRAPH" => unicode_graph(),
        "PRINT" => unicode_print(),
        _ => return posix_unicode(&name, reading),
    })
}

fn unicode_graph() -> Set {
    known("White_Space")
        .union(known("Cc"))
        .union(known("Cn"))
        .not()
}

fn unicode_print() -> Set {
    let blank = known("Zs").union(Set::one('\t'));
    unicode_graph().union(blank).intersection(known("Cc").not())
}

/// POSIX classes under the flag `U`; the name in upper case.
fn posix_unicode(name: &str, reading: Reading) -> Option<Set> {
    Some(match name {
        "LOWER" | "UPPER" if reading.any_case => known("Lowercase")
            .union(known("Uppercase"))
            .union(known("Lt")),
        "ALPHA" => known("Alphabetic"),
        "LOWER" => known("Lowercase"),
        "UPPER" => known("Uppercase"),
        "SPACE" => known("White_Space"),
        "PUNCT" => known("P"),
        "XDIGIT" => known("Nd").union(known("Hex_Digit")),
        "ALNUM" => known("Alphabetic").union(known("Nd")),
        "CNTRL" => known("Cc"),
        "DIGIT" => known("Nd"),
        "BLANK" => known("Zs").union(Set::one('\t')),
        "GRAPH" => unicode_graph(),
        "PRINT" => unicode_print(),
        _ => return None,
    })
}

/// POSIX classes without flags: ASCII only.
fn posix_ascii(name: &str, reading: Reading) -> Option<Set> {
    Some(match name {
        "Lower" | "Upper" if reading.any_case => Set::ranges(&[('A', 'Z'), ('a', 'z')]),
        "Lower" => Set::ranges(&[('a', 'z')]),
        "Upper" => Set::ranges(&[('A', 'Z')]),
        "Alpha" => Set::ranges(&[('A', 'Z'), ('a', 'z')]),
        "Digit" => Set::ranges(&[('0', '9')]),
        "Alnum" => Set::ranges(&[('0', '9'), ('A', 'Z'), ('a', 'z')]),
        "Punct" => Set::ranges(&[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
        "Graph" => Set::ranges(&[('!', '~')]),
        "Print" => Set::ranges(&[(' ', '~')]),
        "Blank" => Set::ranges(&[(' ', ' '), ('\t', '\t')]),
        "Cntrl" => Set::ranges(&[('\0', '\x1F'), ('\x7F', '\x7F')]),
        "XDigit" => Set::ranges(&[('0', '9'), ('A', 'F'), ('a', 'f')]),
        "Space" => Set::ranges(&[(' ', ' '), ('\t', '\r')]),
        "ASCII" => Set::range(0, 0x7F),
        _ => return None,
    })
}
