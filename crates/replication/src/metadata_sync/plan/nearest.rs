//! Names that somebody may have meant.

/// How many are shown.
const SHOWN: usize = 3;

/// The names that differ least from `wanted`, the nearest first; none that differ in more than a third
/// of it.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = wanted.chars().count().div_ceil(3);
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| name.len().abs_diff(wanted.len()) <= limit)
        .map(|name| (distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.into_iter().take(SHOWN).map(|(_, name)| name).collect()
}

/// Characters to insert, remove or replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_nearest_names_are_found() {
        let names = ["orders", "order", "ordres", "0rders", "payments"];
        let near = nearest("orderz", names.into_iter());
        assert_eq!(near, ["order", "orders", "0rders"]);
        assert_eq!(nearest("x", ["payments"].into_iter()), [""; 0]);
    }

    #[test]
    fn the_distance_counts_changed_characters() {
        for (one, other, expected) in [("", "ab", 2), ("ab", "ab", 0), ("kitten", "sitting", 3)] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
