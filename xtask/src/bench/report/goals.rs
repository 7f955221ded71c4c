//! Which of the published goals a report can tell about, and whether their medians hold.

use super::{Report, Series, push, said, steady};
use crate::bench::Layout;
use crate::bench::peer::Peer;
use crate::bench::run::Figures;
use crate::bench::window::spread;
use crate::bench::workload::Workload;

/// 64 MiB and the default of `tributary.buffer.memory`.
const MOST_MIB: f64 = 192.0;
/// The workloads with batches that pass untouched, by codec.
const BY_CODEC: [Workload; 5] = [
    Workload::W1,
    Workload::W2,
    Workload::W3,
    Workload::W4,
    Workload::W5,
];

/// What a goal asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    AtMost(f64),
    AtLeast(f64),
}

impl Asked {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// A goal beside what was measured.
#[derive(Debug)]
struct Found {
    goal: &'static str,
    what: &'static str,
    value: Option<[f64; 3]>,
    asked: Asked,
}

/// A table of them; nothing where no workload with a goal was measured.
pub(super) fn write(report: &Report, text: &mut String) {
    let mut rows = String::new();
    for series in &report.series {
        for found in goals(report, series) {
            // A peer that did not run says nothing of a goal.
            let Some([median, ..]) = found.value else {
                continue;
            };
            let (asked, holds) = match found.asked {
                Asked::AtMost(limit) => (format!("≤ {limit}"), found.asked.holds(median)),
                Asked::AtLeast(limit) => (format!("≥ {limit}"), found.asked.holds(median)),
            };
            let holds = if holds { "holds" } else { "**does not hold**" };
            push(
                &mut rows,
                format_args!(
                    "| {} | {} | {} | {asked} | {} | {holds} |\n",
                    found.goal,
                    series.case.name,
                    found.what,
                    said(found.value, 2)
                ),
            );
        }
    }
    if !rows.is_empty() {
        text.push_str("\n## Goals\n\n| goal | series | of what | asked | median (lowest to highest) | |\n|---|---|---|---|---|---|\n");
        text.push_str(&rows);
    }
}

fn goals(report: &Report, series: &Series) -> Vec<Found> {
    let Some(workload) = series.case.workload else {
        return Vec::new();
    };
    let mut found = vec![Found {
        goal: "G6",
        what: "peak MiB",
        value: series.spread(Peer::Tributary, |figures| {
            Some(crate::bench::window::to_f64(figures.peak_bytes) / f64::from(1 << 20))
        }),
        asked: Asked::AtMost(MOST_MIB),
    }];
    match report.layout {
        Layout::Pinned => pinned(report, series, workload, &mut found),
        Layout::Free => free(series, workload, &mut found),
    }
    if workload == Workload::W8 {
        found.push(Found {
            goal: "G12",
            what: "drain rate, times MirrorMaker 2 tuned's",
            value: rates(series, Peer::MirrorMakerTuned),
            asked: Asked::AtLeast(1.0),
        });
        found.push(times(
            series,
            "G12",
            Peer::MirrorMakerTuned,
            "MirrorMaker 2 tuned's CPU-s/GB, times ours",
            2.0,
        ));
    }
    found
}

/// Processor time, where each side has a core of its own.
fn pinned(report: &Report, series: &Series, workload: Workload, found: &mut Vec<Found>) {
    let floor = spread(report.floor.clone()).map(|[median, ..]| median);
    if BY_CODEC.contains(&workload) {
        found.push(Found {
            goal: "G1",
            what: "CPU-s/GB, plaintext",
            value: series.spread(Peer::Tributary, steady),
            asked: Asked::AtMost(0.6),
        });
        found.push(Found {
            goal: "G3",
            what: "times the floor",
            value: series.spread(Peer::Tributary, |figures| Some(steady(figures)? / floor?)),
            asked: Asked::AtMost(3.0),
        });
    }
    let less = match workload {
        Workload::W1 => Some(("G4", 40.0, 30.0)),
        Workload::W5 => Some(("G5", 10.0, 5.0)),
        _ => None,
    };
    if let Some((goal, mirror_maker, native)) = less {
        let whose = "MirrorMaker 2 tuned's CPU-s/GB, times ours";
        found.push(times(
            series,
            goal,
            Peer::MirrorMakerTuned,
            whose,
            mirror_maker,
        ));
        let whose = "the librdkafka loop's CPU-s/GB, times ours";
        found.push(times(series, goal, Peer::Librdkafka, whose, native));
    }
    if workload == Workload::W13 {
        found.push(Found {
            goal: "G2",
            what: "CPU-s/GB, TLS on both sides",
            value: series.spread(Peer::TlsBoth, steady),
            asked: Asked::AtMost(1.1),
        });
    }
}

/// The rate, where everybody has the whole machine.
fn free(series: &Series, workload: Workload, found: &mut Vec<Found>) {
    if workload != Workload::W1 {
        return;
    }
    found.push(Found {
        goal: "G11",
        what: "drain rate, times MirrorMaker 2 tuned's",
        value: rates(series, Peer::MirrorMakerTuned),
        asked: Asked::AtLeast(4.0),
    });
    let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    found.push(Found {
        goal: "G11",
        what: "share of the machine's cores that Tributary uses: below a quarter the brokers bound the rate",
        value: series.spread(Peer::Tributary, |figures| {
            let window = figures.steady?;
            Some(window.replicator_seconds / window.seconds / cores)
        }),
        asked: Asked::AtMost(0.25),
    });
}

fn times(series: &Series, goal: &'static str, peer: Peer, what: &'static str, least: f64) -> Found {
    Found {
        goal,
        what,
        value: series.ratios(peer, steady, steady),
        asked: Asked::AtLeast(least),
    }
}

/// Tributary's rate, times a peer's, pair by pair; both without their starts.
fn rates(series: &Series, peer: Peer) -> Option<[f64; 3]> {
    let slowness = |figures: &Figures| Some(1.0 / figures.steady?.megabytes_per_second());
    series.ratios(peer, slowness, slowness)
}
