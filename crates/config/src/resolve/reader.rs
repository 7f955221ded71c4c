//! Typed access to the entries of a configuration, and the lists of what there is to say about it.
//!
//! A value of the wrong type has been reported by `classify`; here it reads as unset.

use std::time::Duration;

use crate::key::{self, ConfigKey, parse_boolean};
use crate::keys::Scope;
use crate::problem::{ConfigProblem, Notice};
use crate::raw::{RawConfig, RawEntry};

pub(super) struct Reader<'a> {
    pub(super) raw: &'a RawConfig,
    pub(super) scope: Scope,
    pub(super) problems: Vec<ConfigProblem>,
    pub(super) notices: Vec<Notice>,
    /// Where credentials may go and which files may be read for tokens; `None` sets no limit.
    pub(super) allowed_urls: Option<Vec<String>>,
    /// Tokens without a signature may be made.
    pub(super) unsecured_tokens: bool,
    /// What is asked for and not there yet, by the reason that is said; one line for each reason.
    not_yet: Vec<(&'static str, Vec<String>)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(raw: &'a RawConfig, scope: Scope) -> Self {
        Self {
            raw,
            scope,
            problems: Vec::new(),
            notices: Vec::new(),
            allowed_urls: None,
            unsecured_tokens: false,
            not_yet: Vec::new(),
        }
    }

    /// The entry of a key whose value is not blank and of the key's type.
    pub(super) fn entry(&self, key: &str) -> Option<&'a RawEntry> {
        let entry = self
            .raw
            .get(key)
            .filter(|entry| !entry.value.trim().is_empty())?;
        let legal = self.row(key)?.check(entry.value.trim()).is_ok();
        legal.then_some(entry)
    }

    /// Whether a key is given at all, be it with a blank value.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.row(key).is_some() && self.raw.get(key).is_some()
    }

    /// The entry of a key that is given without a value.
    pub(super) fn blank(&self, key: &str) -> Option<&'a RawEntry> {
        let entry = self.raw.get(key).filter(|_| self.row(key).is_some());
        entry.filter(|entry| entry.value.trim().is_empty())
    }

    fn row(&self, key: &str) -> Option<&'static ConfigKey> {
        self.scope.find(key)
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.entry(key).map(|entry| entry.value.trim())
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse::<i64>().ok()?.try_into().ok()
    }

    pub(super) fn millis(&self, key: &str) -> Option<Duration> {
        self.number::<u64>(key).map(Duration::from_millis)
    }

    pub(super) fn seconds(&self, key: &str) -> Option<Duration> {
        self.number::<u64>(key).map(Duration::from_secs)
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        self.text(key).and_then(parse_boolean)
    }

    /// The items of a list, trimmed; none where it is unset.
    pub(super) fn list(&self, key: &str) -> Vec<&'a str> {
        self.text(key)
            .map(|text| text.split(',').map(str::trim).collect())
            .unwrap_or_default()
    }

    /// Keys below a prefix, without it, with their values.
    pub(super) fn below(&self, prefix: &str) -> Vec<(String, String)> {
        let entries = self.raw.entries().iter();
        entries
            .filter_map(|entry| {
                let key = entry.key.strip_prefix(prefix)?;
                Some((key.to_owned(), entry.value.trim().to_owned()))
            })
            .collect()
    }

    /// The first of these keys that is set.
    pub(super) fn first(&self, keys: &[String]) -> Option<&'a RawEntry> {
        keys.iter().find_map(|key| self.entry(key))
    }

    /// Notes that `what` is asked for and has no effect, for a reason that several keys may share.
    pub(super) fn not_yet(&mut self, reason: &'static str, what: String) {
        match self.not_yet.iter_mut().find(|(known, _)| *known == reason) {
            // One value may be laid over several clients.
            Some((_, all)) if all.contains(&what) => {}
            Some((_, all)) => all.push(what),
            None => self.not_yet.push((reason, vec![what])),
        }
    }

    /// Says what was noted so.
    pub(super) fn say_not_yet(&mut self) {
        for (reason, what) in std::mem::take(&mut self.not_yet) {
            let are = if what.len() == 1 { "is" } else { "are" };
            let what = what.join(", ");
            self.warn(format!(
                "{what} {are} accepted, but not implemented yet: {reason}"
            ));
        }
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.notices.push(Notice::warn(text));
    }

    /// Reports a value; it is shown, unless it is a secret. What has been reported already is not judged again.
    pub(super) fn refuse(
        &mut self,
        entry: &RawEntry,
        wrong: impl Into<String>,
        remedy: Option<String>,
    ) {
        if self
            .problems
            .iter()
            .any(|problem| problem.key == entry.written())
        {
            return;
        }
        let problem = match self.row(&entry.key) {
            Some(row) => row.problem(entry, wrong.into(), remedy),
            None => ConfigProblem {
                key: entry.written().to_owned(),
                shown: Some(key::shown_of(entry)),
                origin: Some(entry.origin.clone()),
                wrong: wrong.into(),
                remedy,
                did_you_mean: None,
            },
        };
        self.problems.push(problem);
    }

    /// Reports a key that has to be set and is not.
    pub(super) fn missing(&mut self, key: &str, wrong: &str, remedy: &str) {
        self.problems
            .push(ConfigProblem::missing(key, wrong, remedy));
    }
}
