//! Durations and sizes with units, as the command line takes them. Keys of configurations have none.

use std::time::Duration;

use thiserror::Error;

/// Why a text is no duration or size.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum UnitProblem {
    /// No number in front.
    #[error("\"{0}\" is no duration; examples: 500ms, 30s, 10m, 26h, 7d")]
    NotADuration(String),
    /// No number in front.
    #[error("\"{0}\" is no size; examples: 64MiB, 50MB, 4096B")]
    NotASize(String),
    /// A number alone.
    #[error("\"{0}\" has no unit; a duration ends with ms, s, m, h or d")]
    NoTimeUnit(String),
    /// A number alone.
    #[error("\"{0}\" has no unit; a size ends with B, KiB, MiB, GiB, TiB, kB, MB, GB or TB")]
    NoSizeUnit(String),
    /// A unit that does not exist.
    #[error("\"{0}\" has an unknown unit; a duration ends with ms, s, m, h or d")]
    UnknownTimeUnit(String),
    /// A unit that does not exist.
    #[error(
        "\"{0}\" has an unknown unit; a size ends with B, KiB, MiB, GiB, TiB, kB, MB, GB or TB"
    )]
    UnknownSizeUnit(String),
    /// More than fits.
    #[error("\"{0}\" is too large")]
    TooLarge(String),
}

/// Reads `500ms`, `30s`, `10m`, `26h` or `7d`: a whole number and one unit.
///
/// # Errors
/// Anything else.
pub fn parse_duration(text: &str) -> Result<Duration, UnitProblem> {
    let given = text.trim();
    let (number, unit) = split(given).ok_or_else(|| UnitProblem::NotADuration(given.to_owned()))?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err(UnitProblem::NoTimeUnit(given.to_owned())),
        _ => return Err(UnitProblem::UnknownTimeUnit(given.to_owned())),
    };
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(millis))
        .map(Duration::from_millis)
        .ok_or_else(|| UnitProblem::TooLarge(given.to_owned()))
}

/// Reads `64MiB`, `50MB` or `4096B` into bytes: a whole number and one unit. `MiB` is 1024², `MB` is 1000².
///
/// # Errors
/// Anything else.
pub fn parse_size(text: &str) -> Result<u64, UnitProblem> {
    let given = text.trim();
    let (number, unit) = split(given).ok_or_else(|| UnitProblem::NotASize(given.to_owned()))?;
    let bytes: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "" => return Err(UnitProblem::NoSizeUnit(given.to_owned())),
        _ => return Err(UnitProblem::UnknownSizeUnit(given.to_owned())),
    };
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(bytes))
        .ok_or_else(|| UnitProblem::TooLarge(given.to_owned()))
}

/// Digits and what follows; blanks between them are allowed.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (!number.is_empty()).then(|| (number, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("26h", 93_600_000),
            ("7d", 604_800_000),
            ("0s", 0),
            (" 5 s ", 5_000),
        ];
        for (text, millis) in cases {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal_by_their_unit() {
        let cases = [
            ("64MiB", 64 << 20),
            ("50MB", 50_000_000),
            ("4096B", 4096),
            ("1GiB", 1 << 30),
            ("2 kB", 2000),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_told_with_examples() {
        let durations = [
            (
                "",
                "\"\" is no duration; examples: 500ms, 30s, 10m, 26h, 7d",
            ),
            (
                "soon",
                "\"soon\" is no duration; examples: 500ms, 30s, 10m, 26h, 7d",
            ),
            (
                "-5s",
                "\"-5s\" is no duration; examples: 500ms, 30s, 10m, 26h, 7d",
            ),
            (
                "30",
                "\"30\" has no unit; a duration ends with ms, s, m, h or d",
            ),
            (
                "1.5h",
                "\"1.5h\" has an unknown unit; a duration ends with ms, s, m, h or d",
            ),
            (
                "3w",
                "\"3w\" has an unknown unit; a duration ends with ms, s, m, h or d",
            ),
            (
                "99999999999999999999s",
                "\"99999999999999999999s\" is too large",
            ),
            ("999999999999999d", "\"999999999999999d\" is too large"),
        ];
        for (text, expected) in durations {
            assert_eq!(parse_duration(text).expect_err(text).to_string(), expected);
        }
        let sizes = [
            (
                "64",
                "\"64\" has no unit; a size ends with B, KiB, MiB, GiB, TiB, kB, MB, GB or TB",
            ),
            (
                "64mb",
                "\"64mb\" has an unknown unit; a size ends with B, KiB, MiB, GiB, TiB, kB, MB, GB or TB",
            ),
            ("much", "\"much\" is no size; examples: 64MiB, 50MB, 4096B"),
            ("99999999TiB", "\"99999999TiB\" is too large"),
        ];
        for (text, expected) in sizes {
            assert_eq!(parse_size(text).expect_err(text).to_string(), expected);
        }
    }
}
