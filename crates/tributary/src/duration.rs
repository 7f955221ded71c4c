//! Durations on the command line.

use std::time::Duration;

/// A duration, or none at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OrOff(pub(crate) Option<Duration>);

/// `500ms`, `30s`, `10m`, `26h`, `7d`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    config::unit::parse_duration(text).map_err(|error| error.to_string())
}

/// As [`parse`], or `off`.
pub(crate) fn parse_or_off(text: &str) -> Result<OrOff, String> {
    if text == "off" {
        return Ok(OrOff(None));
    }
    parse(text).map(|duration| OrOff(Some(duration)))
}
