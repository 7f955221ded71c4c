//! Links by name, or by patterns of names: `-e`.

use clap::Args;
use config::pattern::Pattern;

use super::{Exit, Reach, all, items, steer};
use crate::asking::Workers;
use crate::output;

/// How names are meant.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Matching {
    /// Names are regular expressions (Java's dialect) that match whole names of links
    #[arg(short = 'e', long, alias = "reg-exp")]
    regex: bool,
}

impl Matching {
    /// The links that are meant; the word for what they are may stand in front of them. Nothing after what is wrong was printed.
    pub(super) async fn links(
        self,
        names: &[String],
        workers: &Workers,
        reach: &Reach,
    ) -> Result<Vec<String>, Exit> {
        let names = steer::without_noun(names);
        if !self.regex {
            return Ok(names.to_vec());
        }
        let patterns: Result<Vec<Pattern>, _> =
            names.iter().map(|name| Pattern::parse(name)).collect();
        let patterns = patterns.map_err(|problem| {
            output::error(&problem.to_string());
            Exit::Usage
        })?;
        let links = all(workers, "/api/v1/links").await;
        let links = links.map_err(|failure| reach.failed("no link can be found", &failure))?;
        let links = items(&links)
            .iter()
            .filter_map(|link| link["name"].as_str());
        let found = matched(links, &patterns);
        if found.is_empty() {
            output::error(&format!("no link matches {}", names.join(" or ")));
            return Err(Exit::Error);
        }
        Ok(found)
    }
}

/// Those that a pattern matches, in the order of their names. One that takes too long to compare matches nothing.
fn matched<'a>(links: impl Iterator<Item = &'a str>, patterns: &[Pattern]) -> Vec<String> {
    let is_meant = |link: &&str| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| pattern.is_match(link).unwrap_or(false))
    };
    let mut found: Vec<String> = links.filter(is_meant).map(str::to_owned).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_and_each_link_is_meant_once() {
        let patterns = ["orders.*", ".*-dr"].map(|one| Pattern::parse(one).expect("right"));
        let links = ["orders-dr", "audit-dr", "my-orders", "orders"];
        assert_eq!(
            matched(links.into_iter(), &patterns),
            ["audit-dr", "orders", "orders-dr"]
        );
    }
}
