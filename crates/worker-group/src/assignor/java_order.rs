//! In which order a hash set of Java gives the names that are in it.
//!
//! Of several workers that came empty it says which one is first given what was lost.

/// The entries of a `HashSet` into which these were put one after the other. None is in it twice.
pub(super) fn java_order(mut names: Vec<String>) -> Vec<String> {
    let mut buckets: usize = 16;
    // It grows when more than three quarters are taken.
    while names.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    // Stable: within a bucket they stand as they came.
    names.sort_by_key(|name| {
        let hash = java_hash(name);
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
    names
}

/// The value of `String.hashCode`.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        for (text, hash) in [
            ("", 0),
            ("a", 97),
            ("ü", 252),
            ("polygenelubricants", 1 << 31),
        ] {
            assert_eq!(java_hash(text), hash, "{text}");
        }
    }

    #[test]
    fn entries_stand_in_the_order_of_their_buckets() {
        let names = ["q", "a", "b", "1"].map(str::to_owned).to_vec();
        // 113, 97, 98 and 49, modulo 16: 1, 1, 2, 1.
        assert_eq!(java_order(names), ["q", "a", "1", "b"]);
    }
}
