//! What this process uses, as Linux tells it; elsewhere nothing is told.

use std::path::Path;
use std::time::Duration;

use metrics::{Page, catalogue};

/// `USER_HZ` of every architecture that Rust supports, ticks in a second.
const TICKS: f64 = 100.0;
const PAGE_BYTES: u64 = 4096;

/// Processor time and memory in RAM.
pub(super) fn weight() -> (Option<Duration>, Option<u64>) {
    let boot = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let used = used(&read("stat"), &boot);
    let processor = used.map(|used| Duration::from_secs_f64(used.processor));
    (processor, resident(&read("statm")))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new("/proc/self").join(name)).unwrap_or_default()
}

fn resident(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(PAGE_BYTES))
}

pub(super) fn add_to(page: &mut Page) {
    let boot = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    if let Some(used) = used(&read("stat"), &boot) {
        page.add(&catalogue::PROCESS_CPU, &[], used.processor);
        page.add(&catalogue::PROCESS_START, &[], used.started);
        page.add(&catalogue::PROCESS_VIRTUAL, &[], used.virtual_bytes);
    }
    if let Some(bytes) = resident(&read("statm")) {
        page.add(&catalogue::PROCESS_RESIDENT, &[], bytes);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        page.add(&catalogue::PROCESS_OPEN_FILES, &[], open.count());
    }
    if let Some(most) = most_files(&read("limits")) {
        page.add(&catalogue::PROCESS_MAX_FILES, &[], most);
    }
}

#[derive(PartialEq, Debug)]
struct Used {
    processor: f64,
    started: f64,
    virtual_bytes: u64,
}

/// From the process's line and the system's table.
fn used(stat: &str, boot: &str) -> Option<Used> {
    // Behind the program's name, which may contain anything: the first is field 3.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let booted = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
    let booted: f64 = booted.trim().parse().ok()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks of a machine's life are few"
    )]
    let seconds = |ticks: u64| ticks as f64 / TICKS;
    Some(Used {
        processor: seconds(field(14)?) + seconds(field(15)?),
        started: booted + seconds(field(22)?),
        virtual_bytes: field(23)?,
    })
}

fn most_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_linux_are_understood() {
        let stat =
            "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 1000 1073741824 2000 184";
        let expected = Used {
            processor: 2.0,
            started: 1_700_000_010.0,
            virtual_bytes: 1_073_741_824,
        };
        assert_eq!(used(stat, "cpu 1\nbtime 1700000000\n"), Some(expected));
        assert_eq!(used("", ""), None);
        let limits =
            "Limit  Soft Limit  Hard Limit\nMax open files            1024     4096     files\n";
        assert_eq!(most_files(limits), Some(1024));
    }
}
