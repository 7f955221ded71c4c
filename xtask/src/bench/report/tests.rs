//! The report holds every run and takes its medians only from those that count.

use super::*;
use crate::bench::window::Window;

fn run(peer: Peer, pair: u32, seconds: f64, stolen: f64) -> Run {
    let whole = Window {
        seconds: 10.0,
        bytes: 1e9,
        replicator_seconds: seconds,
        source_broker_seconds: 1.0,
        destination_broker_seconds: 2.0,
    };
    let size = LogSize {
        bytes: 1_000_000_000,
        batches: 10_000,
    };
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
    let size = LogSize {
        bytes: 1_000_000_000,
        batches: 10_000,
    };
    let series = Series {
        codec: "zstd".to_owned(),
        size,
        records: 3_500_000,
        runs,
    };
    Report {
        description: vec![("kernel".to_owned(), "Linux".to_owned())],
        floor: vec![0.25, 0.25, 0.3],
        tls_floors: vec![(Sides::Both, vec![0.75, 0.75, 0.8])],
        series: vec![series],
        pairs: 2,
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
