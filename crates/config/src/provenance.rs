//! Which records are copied although their provenance header says that they came from the destination.

use crate::pattern::Pattern;

/// `provenance.header.enable`: records get a header that says where they came from, and those that came from the
/// destination topic itself are left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Provenance {
    /// `provenance.header.filter.overrides`: exceptions from leaving out.
    pub overrides: Vec<Override>,
}

/// An exception.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Override {
    /// Matches the id of the cluster the record came from.
    pub cluster: Pattern,
    /// Matches the topic the record came from.
    pub topic: Pattern,
    /// First time of the first copy, in milliseconds since 1970; open without.
    pub from: Option<i64>,
    /// The time behind the last one; open without.
    pub to: Option<i64>,
}

impl Provenance {
    /// Reads the value of `provenance.header.filter.overrides`.
    ///
    /// # Errors
    /// What is wrong with the first exception that cannot be used.
    pub fn parse(overrides: &str) -> Result<Self, String> {
        let items = overrides.split(';').map(str::trim);
        let items = items.filter(|item| !item.is_empty());
        Ok(Self {
            overrides: items.map(one).collect::<Result<_, _>>()?,
        })
    }

    /// Whether a record is copied that came from this cluster and topic and was copied first at this time.
    #[must_use]
    pub fn overrides(&self, cluster: &str, topic: &str, first_copy: i64) -> bool {
        self.overrides.iter().any(|item| {
            item.from.is_none_or(|from| first_copy >= from)
                && item.to.is_none_or(|to| first_copy < to)
                // What is too costly to match is no exception: a loop has no end.
                && item.cluster.is_match(cluster) == Ok(true)
                && item.topic.is_match(topic) == Ok(true)
        })
    }
}

fn one(item: &str) -> Result<Override, String> {
    let wrong = || format!("\"{item}\" is not <cluster id>,<topic>,<start ms>-<end ms>");
    let (names, times) = item.rsplit_once(',').ok_or_else(wrong)?;
    let (cluster, topic) = names.split_once(',').ok_or_else(wrong)?;
    let (from, to) = times.split_once('-').ok_or_else(wrong)?;
    let time = |text: &str| match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| wrong()),
    };
    let pattern = |text: &str| Pattern::parse(text.trim()).map_err(|problem| problem.to_string());
    Ok(Override {
        cluster: pattern(cluster)?,
        topic: pattern(topic)?,
        from: time(from)?,
        to: time(to)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_matches_cluster_topic_and_time() {
        let provenance =
            Provenance::parse("abc.*,orders|payments,10-20; x,.*,-5;y,t,7-").expect("legal");
        for (cluster, topic, time, expected) in [
            ("abcd", "orders", 10, true),
            ("abcd", "orders", 20, false),
            ("abcd", "orders", 9, false),
            ("abcd", "other", 10, false),
            ("x", "anything", 4, true),
            ("x", "anything", 5, false),
            ("y", "t", 1_000, true),
            ("z", "t", 1_000, false),
        ] {
            let found = provenance.overrides(cluster, topic, time);
            assert_eq!(found, expected, "{cluster}, {topic}, {time}");
        }
        for wrong in ["a", "a,b", "a,b,c", "a,b,1-x", "(,b,1-2"] {
            Provenance::parse(wrong).expect_err(wrong);
        }
    }
}
