//! Compiled expressions that somebody uses, by their text.
//!
//! Links of a process have the same defaults, and often the same patterns: compiled for each, they would weigh more than all
//! the rest of an idle link.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::Engine;

type Used = HashMap<Arc<str>, Weak<Engine>>;

static USED: LazyLock<Mutex<Used>> = LazyLock::new(Mutex::default);

fn used() -> MutexGuard<'static, Used> {
    USED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The expression of this text, where it is in use.
pub(super) fn find(text: &str) -> Option<Arc<Engine>> {
    used().get(text)?.upgrade()
}

/// Lets others find it for as long as somebody uses it.
pub(super) fn add(text: &Arc<str>, engine: &Arc<Engine>) {
    let mut used = used();
    if used.len() == used.capacity() {
        used.retain(|_, engine| engine.strong_count() > 0);
    }
    used.insert(Arc::clone(text), Arc::downgrade(engine));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Pattern;
    use super::find;

    #[test]
    fn a_text_is_compiled_once_for_all_who_use_it_and_forgotten_with_the_last() {
        let text = "once-[0-9]+-for-all";
        let parsed = || Pattern::parse(text).expect("legal");
        let (one, other) = (parsed(), parsed());
        assert!(Arc::ptr_eq(&one.engine, &other.engine));
        assert_eq!(other.is_match("once-42-for-all"), Ok(true));
        drop(one);
        assert!(find(text).is_some());
        drop(other);
        assert!(find(text).is_none());
        assert_eq!(parsed().is_match("once-x-for-all"), Ok(false));
    }
}
