//! Headers that are put on every answer, because the configuration says so.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response};
use config::rest::{HeaderRule, HeaderValue as Rule};

/// Applies the rules, in their order.
pub(crate) fn apply(rules: &[HeaderRule], response: &mut Response<Body>) {
    for rule in rules {
        let text = match &rule.value {
            Rule::Text(text) => text.clone(),
            Rule::Date(millis) => date(*millis),
        };
        // Both were checked when the configuration was read.
        let (Ok(name), Ok(value)) = (
            rule.name.parse::<HeaderName>(),
            HeaderValue::from_str(&text),
        ) else {
            continue;
        };
        if rule.replace {
            response.headers_mut().insert(name, value);
        } else {
            response.headers_mut().append(name, value);
        }
    }
}

/// A moment, so many milliseconds from now, as HTTP writes it.
fn date(millis: i64) -> String {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let now = SystemTime::now();
    let moment = if millis < 0 {
        now.checked_sub(distance)
    } else {
        now.checked_add(distance)
    };
    let since = moment
        .unwrap_or(now)
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    http_date(since.as_secs())
}

fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let mut left = days;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    let weekday = DAYS[usize::try_from(days % 7).unwrap_or(0)];
    format!(
        "{weekday}, {:02} {} {year} {:02}:{:02}:{:02} GMT",
        left + 1,
        MONTHS[month],
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_writes_them() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(1_709_210_096), "Thu, 29 Feb 2024 12:34:56 GMT");
    }
}
