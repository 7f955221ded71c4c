//! Case-insensitive matching as Java does it.
//!
//! Without the flag `u`, only ASCII letters have two cases. With it, Java compares `toLowerCase(toUpperCase(c))`
//! with simple mappings. Engines fold by the standard's folding table instead, which differs for single
//! characters (Java's `i` matches the dotted capital I), so that both are resolved to ranges here.

use std::sync::LazyLock;

use super::set::Set;

/// Which letters count as equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Folding {
    None,
    Ascii,
    Unicode,
}

/// A character that has another case, with `toUpperCase(c)` and `toLowerCase(toUpperCase(c))`.
struct Cased {
    character: u32,
    upper: u32,
    folded: u32,
}

static CASED: LazyLock<Vec<Cased>> = LazyLock::new(|| {
    ('\0'..=char::MAX)
        .map(|character| {
            let upper = upper(character);
            Cased {
                character: character.into(),
                upper: upper.into(),
                folded: lower(upper).into(),
            }
        })
        .filter(|cased| cased.upper != cased.character || cased.folded != cased.character)
        .collect()
});

fn upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    // Where the full mapping has several characters, no simple one leads to an equality that the way down does
    // not also find.
    if mapped.len() == 1 {
        mapped.next().unwrap_or(character)
    } else {
        character
    }
}

fn lower(character: char) -> char {
    // The one capital whose full mapping has two characters; the simple one is plain i.
    if character == '\u{130}' {
        return 'i';
    }
    let mut mapped = character.to_lowercase();
    if mapped.len() == 1 {
        mapped.next().unwrap_or(character)
    } else {
        character
    }
}

/// What a literal character matches.
pub(super) fn literal(character: char, folding: Folding) -> Set {
    match folding {
        Folding::None => Set::one(character),
        Folding::Ascii => {
            Set::one(character.to_ascii_lowercase()).union(Set::one(character.to_ascii_uppercase()))
        }
        Folding::Unicode => {
            let folded = u32::from(lower(upper(character)));
            let mut all = Set::one(character);
            if let Some(folded) = char::from_u32(folded) {
                all = all.union(Set::one(folded));
            }
            for cased in CASED.iter().filter(|cased| cased.folded == folded) {
                all = all.union(Set::range(cased.character, cased.character));
            }
            all
        }
    }
}

/// What a range of characters matches.
pub(super) fn range(first: char, last: char, folding: Folding) -> Set {
    let (first, last) = (u32::from(first), u32::from(last));
    let plain = Set::range(first, last);
    let inside = |character: u32| (first..=last).contains(&character);
    let others: Vec<u32> = match folding {
        Folding::None => return plain,
        Folding::Ascii => (b'A'..=b'z')
            .filter(u8::is_ascii_alphabetic)
            .filter(|c| {
                inside(c.to_ascii_lowercase().into()) || inside(c.to_ascii_uppercase().into())
            })
            .map(u32::from)
            .collect(),
        Folding::Unicode => CASED
            .iter()
            .filter(|cased| inside(cased.upper) || inside(cased.folded))
            .map(|cased| cased.character)
            .collect(),
    };
    others.into_iter().fold(plain, |all, character| {
        all.union(Set::range(character, character))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &Set, belongs: &str, others: &str) {
        for character in belongs.chars() {
            assert_eq!(set.contains(character.into()), Some(true), "{character:?}");
        }
        for character in others.chars() {
            assert_eq!(set.contains(character.into()), Some(false), "{character:?}");
        }
    }

    #[test]
    fn ascii_folding_leaves_other_letters_alone() {
        check(&literal('k', Folding::Ascii), "kK", "\u{212A}j");
        check(&literal('é', Folding::Ascii), "é", "É");
        check(&range('b', 'd', Folding::Ascii), "bBcCdD", "aAeE");
        check(&range('Z', 'a', Folding::Ascii), "zZaA[_", "bY");
    }

    #[test]
    fn unicode_folding_is_javas() {
        check(&literal('k', Folding::Unicode), "kK\u{212A}", "j");
        check(&literal('i', Folding::Unicode), "iIİı", "j");
        check(&literal('é', Folding::Unicode), "éÉ", "e");
        check(&literal('σ', Folding::Unicode), "σΣς", "s");
        check(&literal('7', Folding::Unicode), "7", "8");
        check(&range('h', 'j', Folding::Unicode), "hHiIjJİı", "kK");
    }
}
