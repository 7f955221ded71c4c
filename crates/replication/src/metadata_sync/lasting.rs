//! What stays known of topics while clusters cannot be looked at (pure).
//!
//! A round that could not look has found nothing. Shown as it is, a link would have no topics in an outage, nobody would know
//! for how long the source keeps what waits, and nobody when both clusters were compared last.

use std::sync::Arc;

use super::run::Round;

impl Round {
    /// This round; one that could not look, with what was found `before` it, and its trouble. Its time is that of the look.
    pub(crate) fn or_as_before(self: &Arc<Self>, before: &Self) -> Arc<Self> {
        if self.trouble.is_none() {
            return Arc::clone(self);
        }
        Arc::new(Self {
            number: self.number,
            operations: self.operations,
            trouble: self.trouble.clone(),
            ..before.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, Instant};

    use super::*;

    #[test]
    fn in_an_outage_topics_stay_known_as_of_when_they_were_looked_at() {
        let looked = Instant::now();
        let good = Arc::new(Round {
            number: 3,
            selected: [("t".into(), 4)].into_iter().collect(),
            everything: true,
            seen: 7,
            at: Some(looked),
            ..Round::default()
        });
        let blind = Arc::new(Round {
            number: 4,
            trouble: Some("no broker answers".to_owned()),
            at: Some(looked + Duration::from_secs(60)),
            ..Round::default()
        });
        let shown = blind.or_as_before(&good.or_as_before(&Round::default()));
        assert_eq!((shown.number, shown.at), (4, Some(looked)));
        assert_eq!(shown.trouble.as_deref(), Some("no broker answers"));
        assert_eq!((shown.selected.len(), shown.seen), (1, 7));
        // And the next one that can look says how it is now.
        let again = Arc::new(Round {
            number: 5,
            ..Round::default()
        });
        let shown = again.or_as_before(&shown);
        assert!(Arc::ptr_eq(&again, &shown), "it is there once");
        assert_eq!((&shown.trouble, shown.selected.len()), (&None, 0));
    }

    #[test]
    fn before_the_first_look_nothing_is_known() {
        let blind = Arc::new(Round {
            number: 1,
            trouble: Some("no broker answers".to_owned()),
            at: Some(Instant::now()),
            ..Round::default()
        });
        assert_eq!(blind.or_as_before(&Round::default()).at, None);
    }
}
