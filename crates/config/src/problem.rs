//! What is wrong with a configuration, and what is worth saying about one that is right.
//!
//! Invariant: neither ever contains a secret.

use std::fmt;

use crate::raw::Origin;

/// One thing that has to change before a link or worker can start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigProblem {
    /// The key it is about.
    pub key: String,
    /// Its value, `[hidden]` for secrets; `None` where it is missing.
    pub shown: Option<String>,
    /// Where the value was given.
    pub origin: Option<Origin>,
    /// What is wrong.
    pub wrong: String,
    /// What would be right.
    pub remedy: Option<String>,
    /// The key that probably was meant.
    pub did_you_mean: Option<String>,
}

impl ConfigProblem {
    /// A key that has to be set and is not.
    pub(crate) fn missing(key: &str, wrong: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            shown: None,
            origin: None,
            wrong: wrong.into(),
            remedy: Some(remedy.into()),
            did_you_mean: None,
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.shown {
            write!(f, "={value}")?;
        }
        if let Some(origin) = &self.origin {
            write!(f, " ({origin})")?;
        }
        write!(f, ": {}", self.wrong)?;
        if let Some(remedy) = &self.remedy {
            write!(f, "; {remedy}")?;
        }
        if let Some(key) = &self.did_you_mean {
            write!(f, "; did you mean {key} ?")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigProblem {}

/// A line for the log about a configuration that can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// How important it is.
    pub level: NoticeLevel,
    /// The line.
    pub text: String,
}

/// How important a notice is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoticeLevel {
    /// For the record.
    Info,
    /// The user probably expected something else.
    Warn,
}

impl Notice {
    pub(crate) fn info(text: impl Into<String>) -> Self {
        Self {
            level: NoticeLevel::Info,
            text: text.into(),
        }
    }

    pub(crate) fn warn(text: impl Into<String>) -> Self {
        Self {
            level: NoticeLevel::Warn,
            text: text.into(),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
