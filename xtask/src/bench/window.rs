//! Samples of a run, and the windows cut from them; pure.
//!
//! ```text
//!  start of process                 half of the records            last record
//!  ├──────────────── whole ─────────────────────────────────────────────┤
//!                                    ├─────────── steady ───────────────┤
//! ```
//! *Whole* counts everything from the start of the process, a Java machine's warming up included: what an operator pays
//! for a migration. *Steady* begins when half of the records have arrived: what it costs to keep running.

use std::time::Duration;

use super::machine::Ticks;

/// One look at a running replicator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Since the replicator's start.
    pub(super) at: Duration,
    /// Records at the destination; offsets of the copy until it is complete, see [`of_records`].
    pub(super) records: u64,
    /// Processor time used so far, all threads, user and system.
    pub(super) replicator: Duration,
    pub(super) source_broker: Duration,
    pub(super) destination_broker: Duration,
    /// Most resident memory of the replicator so far, in bytes.
    pub(super) peak_bytes: u64,
    pub(super) machine: Ticks,
}

/// The difference of two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) seconds: f64,
    /// Wire bytes of the source that were copied in it.
    pub(super) bytes: f64,
    pub(super) replicator_seconds: f64,
    pub(super) source_broker_seconds: f64,
    pub(super) destination_broker_seconds: f64,
}

impl Window {
    /// Processor seconds of the replicator per 10⁹ wire bytes.
    pub(super) fn seconds_per_gigabyte(&self) -> f64 {
        self.replicator_seconds / (self.bytes / 1e9)
    }

    /// 10⁶ wire bytes per second.
    pub(super) fn megabytes_per_second(&self) -> f64 {
        self.bytes / 1e6 / self.seconds
    }
}

/// Samples of records made of samples of offsets. Where markers of transactions or what is not copied take offsets too, a copy
/// spans more of them than it has records: its last sample has all records, and those before it their share.
pub(super) fn of_records(mut samples: Vec<Sample>, records: u64) -> Vec<Sample> {
    let all = samples.last().map_or(0, |sample| sample.records);
    if all != records && all > 0 {
        for sample in &mut samples {
            let share = u128::from(sample.records) * u128::from(records) / u128::from(all);
            sample.records = u64::try_from(share).unwrap_or(records);
        }
    }
    samples
}

/// From the start of the process to the last sample. `first` is the sample of the moment it was started.
pub(super) fn whole(samples: &[Sample], records: u64, bytes: u64) -> Option<Window> {
    Some(between(samples.first()?, samples.last()?, records, bytes))
}

/// From the first sample with half of the records to the last; nothing when they are the same one.
pub(super) fn steady(samples: &[Sample], records: u64, bytes: u64) -> Option<Window> {
    let half = samples
        .iter()
        .find(|sample| sample.records >= records / 2)?;
    let last = samples.last()?;
    (half.at < last.at && half.records < last.records).then(|| between(half, last, records, bytes))
}

/// Seconds from the start of the process to the first sample with a record.
pub(super) fn first_record(samples: &[Sample]) -> Option<f64> {
    let first = samples.iter().find(|sample| sample.records > 0)?;
    Some(first.at.as_secs_f64())
}

/// The share of processor time that the host gave to other machines, 0 to 1.
pub(super) fn stolen(samples: &[Sample]) -> f64 {
    share(samples, |sample| to_f64(sample.machine.stolen) / 100.0)
}

/// The share of processor time that neither the replicator nor the brokers used: kernel threads, the judge's counting,
/// and whatever else ran on the machine, 0 to 1. A run with much of it did not have the machine to itself.
pub(super) fn others(samples: &[Sample]) -> f64 {
    share(samples, |sample| {
        let ours = sample.replicator + sample.source_broker + sample.destination_broker;
        to_f64(sample.machine.busy) / 100.0 - ours.as_secs_f64()
    })
}

/// How much `seconds` grew, as a share of all processor time.
fn share(samples: &[Sample], seconds: impl Fn(&Sample) -> f64) -> f64 {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return 0.0;
    };
    let all = to_f64(last.machine.all.saturating_sub(first.machine.all)) / 100.0;
    if all > 0.0 {
        ((seconds(last) - seconds(first)) / all).max(0.0)
    } else {
        0.0
    }
}

fn between(first: &Sample, last: &Sample, records: u64, bytes: u64) -> Window {
    let seconds =
        |pick: fn(&Sample) -> Duration| pick(last).saturating_sub(pick(first)).as_secs_f64();
    let copied = to_f64(last.records.saturating_sub(first.records));
    Window {
        seconds: seconds(|sample| sample.at),
        bytes: to_f64(bytes) * copied / to_f64(records),
        replicator_seconds: seconds(|sample| sample.replicator),
        source_broker_seconds: seconds(|sample| sample.source_broker),
        destination_broker_seconds: seconds(|sample| sample.destination_broker),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts far below 2⁵², where floating point is exact"
)]
pub(super) fn to_f64(number: u64) -> f64 {
    number as f64
}

/// Median, lowest and highest; nothing for no numbers.
pub(super) fn spread(mut numbers: Vec<f64>) -> Option<[f64; 3]> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let median = if numbers.len().is_multiple_of(2) {
        f64::midpoint(*numbers.get(middle.checked_sub(1)?)?, *numbers.get(middle)?)
    } else {
        *numbers.get(middle)?
    };
    Some([median, *numbers.first()?, *numbers.last()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: u64, records: u64, replicator: u64) -> Sample {
        Sample {
            at: Duration::from_secs(at),
            records,
            replicator: Duration::from_secs(replicator),
            ..Sample::default()
        }
    }

    #[test]
    fn the_steady_window_leaves_the_start_out() {
        let samples = [
            sample(0, 0, 0),
            sample(10, 0, 9),
            sample(20, 50, 15),
            sample(30, 100, 20),
        ];
        let whole = whole(&samples, 100, 2_000_000_000).expect("there are samples");
        assert!((whole.seconds_per_gigabyte() - 10.0).abs() < 1e-9);
        let steady = steady(&samples, 100, 2_000_000_000).expect("there are two halves");
        assert!((steady.seconds_per_gigabyte() - 5.0).abs() < 1e-9);
        assert!((steady.megabytes_per_second() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_run_seen_only_once_after_its_middle_has_no_steady_window() {
        assert_eq!(steady(&[sample(0, 0, 0), sample(1, 100, 1)], 100, 1), None);
    }

    #[test]
    fn offsets_that_hold_no_records_are_shared_out() {
        let samples = vec![sample(0, 0, 0), sample(10, 60, 1), sample(20, 120, 2)];
        let records = |samples: Vec<Sample>| -> Vec<u64> {
            let samples = of_records(samples, 100).into_iter();
            samples.map(|sample| sample.records).collect()
        };
        assert_eq!(records(samples), [0, 50, 100]);
        assert_eq!(records(vec![sample(0, 0, 0)]), [0]);
    }

    #[test]
    fn what_others_used_is_told_apart_from_what_was_stolen() {
        let machine = Ticks {
            all: 1000,
            busy: 700,
            stolen: 50,
        };
        let last = Sample {
            machine,
            replicator: Duration::from_secs(4),
            ..sample(5, 100, 0)
        };
        let samples = [sample(0, 0, 0), last];
        assert!((stolen(&samples) - 0.05).abs() < 1e-9);
        assert!((others(&samples) - 0.3).abs() < 1e-9);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(spread(vec![4.0, 1.0, 3.0, 2.0]), Some([2.5, 1.0, 4.0]));
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), Some([2.0, 1.0, 3.0]));
        assert_eq!(spread(Vec::new()), None);
    }
}
