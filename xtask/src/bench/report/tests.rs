//! The report holds every run and takes its medians only from those that count.

use super::*;
use crate::bench::window::Window;
use crate::bench::workload::{Overrides, Workload, cases};

const SIZE: LogSize = LogSize {
    bytes: 1_000_000_000,
    batches: 10_000,
    thinned: 0,
};

fn run(peer: Peer, pair: u32, seconds: f64, stolen: f64) -> Run {
    let whole = Window {
        seconds: 10.0,
        bytes: 1e9,
        replicator_seconds: seconds,
        source_broker_seconds: 1.0,
        destination_broker_seconds: 2.0,
    };
    let size = SIZE;
    let figures = Figures {
        whole,
        steady: Some(whole),
        peak_bytes: 64 << 20,
        first_record: Some(0.4),
        stolen,
        others: 0.01,
        destination: size,
    };
    Run {
        peer,
        pair,
        outcome: Outcome::Measured(figures),
    }
}

fn report(runs: Vec<Run>) -> Report {
    report_of(Layout::Pinned, runs)
}

fn report_of(layout: Layout, runs: Vec<Run>) -> Report {
    let overrides = Overrides::default();
    let [case, ..] = &cases(&[Workload::W1], &overrides, &[])[..] else {
        panic!("W1 has a case");
    };
    let series = Series {
        case: case.clone(),
        size: SIZE,
        records: 4_000_000,
        logical_bytes: 5_000_000_000,
        at_rest: [0.01, 0.02],
        runs,
    };
    Report {
        description: vec![("kernel".to_owned(), "Linux".to_owned())],
        floor: vec![0.25, 0.25, 0.3],
        between_brokers: vec![0.5, 0.4, 0.6],
        tls_floors: vec![(Sides::Both, vec![0.75, 0.75, 0.8])],
        series: vec![series],
        pairs: 2,
        layout,
    }
}

#[test]
fn ratios_are_taken_pair_by_pair() {
    let runs = vec![
        run(Peer::Tributary, 1, 0.5, 0.0),
        run(Peer::MirrorMakerTuned, 1, 20.0, 0.0),
        run(Peer::Tributary, 2, 1.0, 0.0),
        run(Peer::MirrorMakerTuned, 2, 30.0, 0.0),
    ];
    let text = report(runs).markdown("picture.svg");
    assert!(text.contains("- both whole: 35.0 (30.0–40.0)"), "{text}");
    assert!(text.contains("| Tributary | 0.75 (0.50–1.00) |"), "{text}");
}

#[test]
fn what_tls_costs_stands_beside_what_encryption_costs_the_relay() {
    let runs = vec![
        run(Peer::Tributary, 1, 0.5, 0.0),
        run(Peer::TlsBoth, 1, 1.1, 0.0),
        run(Peer::Tributary, 2, 0.5, 0.0),
        run(Peer::TlsBoth, 2, 1.3, 0.0),
    ];
    let text = report(runs).markdown("picture.svg");
    assert!(
        text.contains("TLS on both sides uses 0.70 (0.60–0.80) CPU-s/GB more than without, whole; the relay 0.50: 1.40 times"),
        "{text}"
    );
    assert!(text.contains("| relay, TLS on both sides | 0.75"), "{text}");
}

#[test]
fn the_relay_between_logs_stands_below_the_floor_and_beside_us() {
    let text = report(vec![run(Peer::Tributary, 1, 0.6, 0.0)]).markdown("picture.svg");
    let row = "| relay between logs, with brokers' buffers | 0.50 (0.40–0.60) | | 2.0 |";
    assert!(text.contains(row), "{text}");
    let beside = "- Tributary uses 1.20 (1.20–1.20) times the CPU-s/GB of the relay between logs";
    assert!(text.contains(beside), "{text}");
}

#[test]
fn a_run_with_stolen_time_is_listed_and_does_not_count() {
    let runs = vec![
        run(Peer::Tributary, 1, 0.5, 0.0),
        run(Peer::Tributary, 2, 9.0, 0.2),
    ];
    let text = report(runs).markdown("picture.svg");
    assert!(text.contains("not counted: stolen"), "{text}");
    assert!(text.contains("| Tributary | 0.50 (0.50–0.50) |"), "{text}");
}

#[test]
fn a_lost_run_is_listed_with_its_reason_and_without_numbers() {
    let outcome = Outcome::Lost("the copy is not equal | 3".to_owned());
    let report = report(vec![Run {
        peer: Peer::Tributary,
        pair: 1,
        outcome,
    }]);
    assert_eq!(report.lost(), 1);
    assert!(
        report
            .markdown("picture.svg")
            .contains("lost: the copy is not equal / 3")
    );
    let csv = report.csv();
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns, [15, 15], "{csv}");
}

#[test]
fn the_picture_has_a_bar_for_the_floor_and_for_each_replicator() {
    let runs = vec![
        run(Peer::Tributary, 1, 0.5, 0.0),
        run(Peer::MirrorMakerTuned, 1, 20.0, 0.0),
    ];
    let picture = chart::chart(&report(runs).bars());
    assert_eq!(picture.matches("<rect").count(), 4, "{picture}");
    for said in [
        "the floor",
        ">0.25<",
        ">0.50<",
        "MirrorMaker 2 tuned",
        ">20.00<",
    ] {
        assert!(picture.contains(said), "{said}: {picture}");
    }
}

#[test]
fn brokers_are_reported_with_and_without_what_they_use_at_rest() {
    let text = report(vec![run(Peer::Tributary, 1, 0.5, 0.0)]).markdown("picture.svg");
    // Of 4 million records and 5 GB as consumers see them; ten seconds at rest are 0.1 and 0.2.
    let row = "| Tributary | 0.12 (0.12–0.12) | 0.10 (0.10–0.10) | 1.00 (1.00–1.00) | 0.90 (0.90–0.90) | 2.00 (2.00–2.00) | 1.80 (1.80–1.80) |";
    assert!(text.contains(row), "{text}");
}

#[test]
fn goals_are_those_of_the_workload_and_of_the_layout() {
    let runs = vec![
        run(Peer::Tributary, 1, 0.5, 0.0),
        run(Peer::MirrorMakerTuned, 1, 15.0, 0.0),
    ];
    let pinned = report_of(Layout::Pinned, runs.clone()).markdown("picture.svg");
    for row in [
        "| G1 | W1 zstd | CPU-s/GB, plaintext | ≤ 0.6 | 0.50 (0.50–0.50) | holds |",
        "| G3 | W1 zstd | times the floor | ≤ 3 | 2.00 (2.00–2.00) | holds |",
        "| G4 | W1 zstd | MirrorMaker 2 tuned's CPU-s/GB, times ours | ≥ 40 | 30.00 (30.00–30.00) | **does not hold** |",
    ] {
        assert!(pinned.contains(row), "{row}: {pinned}");
    }
    assert!(
        !pinned.contains("G11") && !pinned.contains("loop's CPU-s/GB"),
        "{pinned}"
    );
    let free = report_of(Layout::Free, runs).markdown("picture.svg");
    let row = "| G11 | W1 zstd | drain rate, times MirrorMaker 2 tuned's | ≥ 4 | 1.00 (1.00–1.00) | **does not hold** |";
    assert!(free.contains(row) && !free.contains("| G1 |"), "{free}");
}
