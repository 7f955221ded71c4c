//! Dates in messages.

/// Seconds since 1970 as `YYYY-MM-DD`, in UTC.
pub(super) fn date(seconds: u64) -> String {
    // Howard Hinnant's days-to-civil algorithm; years begin in March so that leap days come last.
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds since 1970 of `YYYY-MM-DDThh:mm:ssZ`, as AWS writes it; fractions of a second are left out.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (day, time) = text.trim().strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, between: char| {
        let parts: Option<Vec<u64>> = text.split(between).map(|part| part.parse().ok()).collect();
        parts.filter(|parts| parts.len() == 3)
    };
    let (day, time) = (numbers(day, '-')?, numbers(time.split('.').next()?, ':')?);
    let (&[year, month, day], &[hour, minute, second]) = (&day[..], &time[..]) else {
        return None;
    };
    let legal = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !legal {
        return None;
    }
    // The same algorithm the other way round.
    let year = year - u64::from(month <= 2);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + day_of_year;
    let days = (year / 400 * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::{date, seconds};

    #[test]
    fn seconds_are_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_735_689_599, "2024-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn times_of_aws_are_seconds() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:30:01Z", Some(951_827_401)),
            ("2026-11-26T01:02:03.456Z", Some(1_795_654_923)),
            ("2026-13-26T01:02:03Z", None),
            ("2026-11-26", None),
            ("2026-11-26T01:02:03", None),
            ("x", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        for day in [0, 951_782_400, 1_735_689_600, 4_107_542_400] {
            assert_eq!(seconds(&format!("{}T00:00:00Z", date(day))), Some(day));
        }
    }
}
