//! `tributary.bandwidth.limit`: how many bytes a link may read in a second, by the time of day.
//!
//! ```text
//! 20MB                                       always
//! 100MB, 08:00-18:00=10MB, 22:00-04:00=none  by time (UTC); the first window that holds counts
//! ```

use crate::unit::parse_size;

/// Below this rate a link would seem to stand: answers are not asked for in less than 64 KiB.
const LEAST: u64 = 10_000;
/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bandwidth {
    /// Outside of all windows; `None` for no limit.
    pub otherwise: Option<u64>,
    /// In the order in which they were written.
    pub windows: Vec<Window>,
}

/// A time of the day, and what holds in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// First minute of the day, in UTC.
    pub from: u16,
    /// The minute after the last; before `from` where the window goes over midnight.
    pub until: u16,
    /// Bytes per second; `None` for no limit.
    pub rate: Option<u64>,
}

impl Window {
    fn holds(self, minute: u16) -> bool {
        if self.from < self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }
}

impl Bandwidth {
    /// Bytes per second at a time, in seconds since 1970; `None` for no limit.
    #[must_use]
    pub fn at(&self, seconds: u64) -> Option<u64> {
        let minute = u16::try_from(seconds / 60 % u64::from(DAY)).unwrap_or(0);
        let window = self.windows.iter().find(|window| window.holds(minute));
        window.map_or(self.otherwise, |window| window.rate)
    }

    /// The same part of it for each of so many.
    #[must_use]
    pub fn divided(mut self, by: u32) -> Self {
        let rates = self.windows.iter_mut().map(|window| &mut window.rate);
        for rate in rates.chain([&mut self.otherwise]) {
            *rate = rate.map(|bytes| (bytes / u64::from(by.max(1))).max(1));
        }
        self
    }

    /// Reads the text of the key.
    ///
    /// # Errors
    /// Which part is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',').map(str::trim);
        let otherwise = rate(parts.next().unwrap_or_default())?;
        let windows = parts.map(window).collect::<Result<_, _>>()?;
        Ok(Self { otherwise, windows })
    }
}

fn window(text: &str) -> Result<Window, String> {
    let wrong = || format!("\"{text}\" is no window; an example: 08:00-18:00=10MB");
    let (times, bytes) = text.split_once('=').ok_or_else(wrong)?;
    let (from, until) = times.split_once('-').ok_or_else(wrong)?;
    let [from, until] = [from, until].map(minute);
    let (Some(from), Some(until)) = (from, until) else {
        return Err(wrong());
    };
    if from == until {
        return Err(format!("\"{text}\" begins when it ends"));
    }
    Ok(Window {
        from,
        until,
        rate: rate(bytes.trim())?,
    })
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 24 || minutes > 59 {
        return None;
    }
    // 24:00 is the end of a day.
    let all = hours * 60 + minutes;
    (all <= DAY).then_some(all % DAY)
}

/// Bytes per second: a number, also with a unit, or `none`.
fn rate(text: &str) -> Result<Option<u64>, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let bytes = text.parse().ok().or_else(|| parse_size(text).ok());
    match bytes {
        Some(0) => Err("0 would let nothing pass; pause the link instead".to_owned()),
        Some(bytes) if bytes < LEAST => Err(format!(
            "{bytes} bytes per second is too little: 64 KiB or more are asked for at a time, and between them nothing would \
             pass for many seconds; the least is 10KB, and a link can be paused"
        )),
        Some(bytes) => Ok(Some(bytes)),
        None => Err(format!(
            "\"{text}\" is no number of bytes per second; examples: 5000000, 5MB, none"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bandwidth: &Bandwidth, hour: u64, minute: u64) -> Option<u64> {
        bandwidth.at(1_700_006_400 / 86_400 * 86_400 + hour * 3600 + minute * 60)
    }

    #[test]
    fn a_rate_alone_holds_always() {
        for text in ["5000000", "5MB", " 5 MB "] {
            let bandwidth = Bandwidth::parse(text).expect("a rate");
            assert_eq!(at(&bandwidth, 3, 0), Some(5_000_000), "{text}");
        }
        assert_eq!(Bandwidth::parse("none").expect("no limit").at(0), None);
    }

    #[test]
    fn tasks_have_the_same_part_each_at_any_time() {
        let bandwidth = Bandwidth::parse("100MB, 08:00-18:00=10MB, 22:00-04:00=none").expect("ok");
        let part = bandwidth.divided(4);
        let rates = [7, 9, 23].map(|hour| at(&part, hour, 0));
        assert_eq!(rates, [Some(25_000_000), Some(2_500_000), None]);
        let whole = Bandwidth::parse("10KB").expect("a rate");
        assert_eq!(whole.divided(u32::MAX).otherwise, Some(1));
    }

    #[test]
    fn the_first_window_that_holds_counts_also_over_midnight() {
        let text = "100MB, 08:00-18:00=10MB, 22:00-04:00=none, 00:00-24:00=1MB";
        let bandwidth = Bandwidth::parse(text);
        // A window of a whole day begins when it ends.
        assert!(bandwidth.is_err());
        let bandwidth = Bandwidth::parse("100MB, 08:00-18:00=10MB, 22:00-04:00=none").expect("ok");
        for (hour, minute, rate) in [
            (7, 59, Some(100_000_000)),
            (8, 0, Some(10_000_000)),
            (17, 59, Some(10_000_000)),
            (18, 0, Some(100_000_000)),
            (22, 0, None),
            (3, 59, None),
            (4, 0, Some(100_000_000)),
        ] {
            assert_eq!(at(&bandwidth, hour, minute), rate, "{hour}:{minute}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for text in [
            "",
            "fast",
            "0",
            "-5",
            "5MB,",
            "5MB, 8-18=1MB",
            "5MB, 08:00-18:00",
            "5MB, 25:00-26:00=1MB",
            "5MB, 2000:00-09:00=1MB",
            "5MB, 09:65535-10:00=1MB",
            "5MB, 08:60-09:00=1MB",
            "5MB, 08:00-09:00=0",
        ] {
            assert!(Bandwidth::parse(text).is_err(), "{text}");
        }
    }
}
