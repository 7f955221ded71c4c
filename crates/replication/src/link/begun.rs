//! What a link found when it began: a configured start holds for that, and what appears later is copied from its first record.
//!
//! Later is also later than a former process of it, or, where several workers share it, than a former task. So it is kept beside
//! positions, before the first of them, where the start is another one than the first record.

use config::link::{LinkConfig, StartPosition};

use crate::link_memory::{FirstLook, first_look};
use crate::position_store::PositionStore;

/// See the module.
#[derive(Debug)]
pub(super) enum Begun {
    /// It has: that is what it found.
    Known(FirstLook),
    /// It does with the first look, which is kept under the link's name.
    NotYet(String, PositionStore),
}

impl Begun {
    /// `first` is what is stored of it. A link with positions has begun, though a former release did not say with which topics.
    pub(super) fn of(
        config: &LinkConfig,
        first: Option<FirstLook>,
        has_positions: bool,
        store: PositionStore,
    ) -> Self {
        match first {
            Some(first) => Self::Known(first),
            None if has_positions || config.start.everywhere == StartPosition::Earliest => {
                Self::Known(FirstLook::new())
            }
            None => Self::NotYet(config.name.clone(), store),
        }
    }

    /// Takes a look at the source for the first one, if there was none. `false` when that could not be kept: the next look tries
    /// it again, and nothing may be copied before.
    pub(super) async fn at(&mut self, look: &FirstLook) -> bool {
        let Self::NotYet(link, store) = self else {
            return true;
        };
        if let Err(error) = store.save_texts(&first_look(link, look)).await {
            tracing::warn!(
                link,
                "what was found at first cannot be stored, and nothing is copied until it is: {error}"
            );
            return false;
        }
        *self = Self::Known(look.clone());
        true
    }

    /// What was found when the link began, once it has.
    pub(super) fn found(&self) -> Option<&FirstLook> {
        match self {
            Self::Known(first) => Some(first),
            Self::NotYet(..) => None,
        }
    }
}
