//! The report: Markdown and a picture for people, CSV for tools, with every run, the lost ones too.

mod chart;
mod costs;
mod goals;
mod method;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::log::LogSize;
use super::peer::Peer;
use super::relay::{self, Sides};
use super::run::{Figures, Outcome, Run};
use super::window::{spread, to_f64};
use super::workload::Case;
use super::{Layout, machine};
use crate::failure::{Attempt as _, Result};

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Report {
    /// Name and value of what describes machine, versions and command.
    pub(super) description: Vec<(String, String)>,
    /// Processor seconds per GB of the relay, run by run.
    pub(super) floor: Vec<f64>,
    /// The same between ends that behave as brokers.
    pub(super) between_brokers: Vec<f64>,
    /// The same with TLS, where somebody runs with it.
    pub(super) tls_floors: Vec<(Sides, Vec<f64>)>,
    pub(super) series: Vec<Series>,
    pub(super) pairs: u32,
    pub(super) layout: Layout,
}

/// All runs of one case.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) case: Case,
    pub(super) size: LogSize,
    pub(super) records: u64,
    /// Bytes of keys and values.
    pub(super) logical_bytes: u64,
    /// Processor seconds that source and destination broker use in a second while nothing is copied.
    pub(super) at_rest: [f64; 2],
    pub(super) runs: Vec<Run>,
}

impl Series {
    fn peers(&self) -> Vec<Peer> {
        let mut peers = Vec::new();
        for run in &self.runs {
            if !peers.contains(&run.peer) {
                peers.push(run.peer);
            }
        }
        peers
    }

    /// The runs of a peer that count.
    fn figures(&self, peer: Peer) -> impl Iterator<Item = (u32, &Figures)> {
        self.runs
            .iter()
            .filter(move |run| run.peer == peer)
            .filter_map(|run| match &run.outcome {
                Outcome::Measured(figures) if figures.counts() => Some((run.pair, figures)),
                Outcome::Measured(_) | Outcome::Lost(_) => None,
            })
    }

    fn spread(&self, peer: Peer, pick: impl Fn(&Figures) -> Option<f64>) -> Option<[f64; 3]> {
        spread(
            self.figures(peer)
                .filter_map(|(_, figures)| pick(figures))
                .collect(),
        )
    }

    /// How many times the processor seconds of Tributary a peer uses, pair by pair, both picked from their figures.
    fn ratios(
        &self,
        peer: Peer,
        of_peer: impl Fn(&Figures) -> Option<f64>,
        of_tributary: impl Fn(&Figures) -> Option<f64>,
    ) -> Option<[f64; 3]> {
        let paired = self.figures(peer).filter_map(|(pair, figures)| {
            let (_, ours) = self
                .figures(Peer::Tributary)
                .find(|(other, _)| *other == pair)?;
            Some(of_peer(figures)? / of_tributary(ours)?)
        });
        spread(paired.collect())
    }
}

impl Series {
    /// What a peer uses more than Tributary without TLS, pair by pair.
    fn more(&self, peer: Peer, pick: impl Fn(&Figures) -> Option<f64>) -> Option<[f64; 3]> {
        let paired = self.figures(peer).filter_map(|(pair, figures)| {
            let (_, plain) = self
                .figures(Peer::Tributary)
                .find(|(other, _)| *other == pair)?;
            Some(pick(figures)? - pick(plain)?)
        });
        spread(paired.collect())
    }
}

fn median(spread: Option<[f64; 3]>) -> f64 {
    spread.map_or(f64::NAN, |[median, ..]| median)
}

impl Report {
    /// How many runs have no numbers.
    pub(super) fn lost(&self) -> usize {
        let runs = self.series.iter().flat_map(|series| &series.runs);
        runs.filter(|run| matches!(run.outcome, Outcome::Lost(_)))
            .count()
    }

    /// What Tributary costs, steady, as a multiple of the floor, in the median of the series where that is highest.
    pub(super) fn worst_over_floor(&self) -> Option<f64> {
        let [floor, ..] = spread(self.floor.clone())?;
        let steady = |figures: &Figures| figures.steady.map(|w| w.seconds_per_gigabyte());
        let medians = self
            .series
            .iter()
            .filter_map(|series| series.spread(Peer::Tributary, steady));
        medians
            .map(|[median, ..]| median / floor)
            .max_by(f64::total_cmp)
    }

    fn bars(&self) -> Vec<(String, Vec<chart::Bar>)> {
        let floor = spread(self.floor.clone()).map(|floor| ("the floor".to_owned(), floor));
        let group = |series: &Series| {
            let peers = series.peers().into_iter();
            let peers =
                peers.filter_map(|peer| Some((peer.to_string(), series.spread(peer, steady)?)));
            (
                series.case.name.clone(),
                floor.clone().into_iter().chain(peers).collect(),
            )
        };
        self.series.iter().map(group).collect()
    }

    /// Writes `<date>-<label>.md`, `.csv` and `.svg`; returns the path of the first.
    pub(super) fn write(&self, directory: &Path, label: &str) -> Result<PathBuf> {
        fs::create_dir_all(directory).attempting(format!("create {}", directory.display()))?;
        let date = machine::date()?;
        let path = directory.join(format!("{date}-{label}.md"));
        fs::write(&path, self.markdown(&format!("{date}-{label}.svg")))
            .attempting(format!("write {}", path.display()))?;
        let picture = path.with_extension("svg");
        fs::write(&picture, chart::chart(&self.bars()))
            .attempting(format!("write {}", picture.display()))?;
        let csv = path.with_extension("csv");
        fs::write(&csv, self.csv()).attempting(format!("write {}", csv.display()))?;
        Ok(path)
    }

    /// The tables of medians, for the terminal.
    pub(super) fn summary(&self) -> String {
        let mut text = String::new();
        for series in &self.series {
            self.medians(series, &mut text);
        }
        text
    }

    fn markdown(&self, picture: &str) -> String {
        let mut text = String::from("# Copying, beside others\n\n");
        push(
            &mut text,
            format_args!("![Processor seconds per GB](./{picture})\n\n"),
        );
        text.push_str("| | |\n|---|---|\n");
        for (name, value) in &self.description {
            push(&mut text, format_args!("| {name} | {value} |\n"));
        }
        text.push_str(method::METHOD);
        goals::write(self, &mut text);
        text.push_str("\n## Medians (lowest to highest)\n\n");
        for series in &self.series {
            self.medians(series, &mut text);
        }
        text.push_str("## Every run\n\n");
        let heading = "series | pair | replicator | CPU-s whole | CPU-s/GB whole | CPU-s/GB steady | MB/s whole | \
                       MB/s steady | peak MiB | source broker CPU-s | destination broker CPU-s | stolen % | others % | batch \
                       KB at destination | outcome";
        let columns = heading.split('|').count();
        push(
            &mut text,
            format_args!("| {heading} |\n|{}\n", "---|".repeat(columns)),
        );
        for series in &self.series {
            for run in &series.runs {
                push(
                    &mut text,
                    format_args!("| {} |\n", cells(series, run).join(" | ")),
                );
            }
        }
        text
    }

    fn medians(&self, series: &Series, text: &mut String) {
        costs::heading(series, self.pairs, text);
        text.push_str(
            "| | CPU-s/GB steady | CPU-s/GB whole | × floor | MB/s steady | MB/s whole | peak MiB | first record s | runs that \
             count |\n|---|---|---|---|---|---|---|---|---|\n",
        );
        let floor = spread(self.floor.clone());
        push(
            text,
            format_args!(
                "| relay (the floor) | {} | | 1 | | | | | {} |\n",
                said(floor, 2),
                self.floor.len()
            ),
        );
        let between_brokers = (relay::BETWEEN_BROKERS, &self.between_brokers);
        let tls = self.tls_floors.iter();
        let others = tls.map(|(sides, runs)| (sides.suffix(), runs));
        for (suffix, runs) in [between_brokers].into_iter().chain(others) {
            if runs.is_empty() {
                continue;
            }
            push(
                text,
                format_args!(
                    "| relay{suffix} | {} | | {:.1} | | | | | {} |\n",
                    said(spread(runs.clone()), 2),
                    median(spread(runs.clone())) / median(floor),
                    runs.len()
                ),
            );
        }
        for peer in series.peers() {
            let whole = |figures: &Figures| Some(figures.whole.seconds_per_gigabyte());
            let floor_median = floor.map_or(f64::NAN, |[median, ..]| median);
            let over_floor =
                |figures: &Figures| whole(figures).map(|seconds| seconds / floor_median);
            let rate = |figures: &Figures| Some(figures.whole.megabytes_per_second());
            push(
                text,
                format_args!(
                    "| {peer} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                    said(series.spread(peer, steady), 2),
                    said(series.spread(peer, whole), 2),
                    said(series.spread(peer, over_floor), 1),
                    said(
                        series.spread(peer, |f| f.steady.map(|w| w.megabytes_per_second())),
                        0
                    ),
                    said(series.spread(peer, rate), 0),
                    said(series.spread(peer, |f| Some(to_f64(f.peak_bytes >> 20))), 0),
                    said(series.spread(peer, |f| f.first_record), 1),
                    series.figures(peer).count(),
                ),
            );
        }
        text.push('\n');
        if let Some([between, ..]) = spread(self.between_brokers.clone()) {
            let over = |f: &Figures| Some(f.whole.seconds_per_gigabyte() / between);
            let over = series.spread(Peer::Tributary, over);
            push(
                text,
                format_args!(
                    "- Tributary uses {} times the CPU-s/GB of the relay{}, whole\n\n",
                    said(over, 2),
                    relay::BETWEEN_BROKERS
                ),
            );
        }
        costs::table(series, text);
        for peer in series
            .peers()
            .into_iter()
            .filter(|peer| *peer != Peer::Tributary)
        {
            ratios(series, peer, text);
        }
        for (sides, runs) in &self.tls_floors {
            self.encryption(series, *sides, runs, text);
        }
    }

    /// What TLS costs Tributary, beside what it costs the relay.
    fn encryption(&self, series: &Series, sides: Sides, relay: &[f64], text: &mut String) {
        let Some(peer) = series
            .peers()
            .into_iter()
            .find(|peer| peer.sides() == sides)
        else {
            return;
        };
        let own = median(spread(relay.to_vec())) - median(spread(self.floor.clone()));
        let whole = |figures: &Figures| Some(figures.whole.seconds_per_gigabyte());
        for (what, more) in [
            ("steady", series.more(peer, steady)),
            ("whole", series.more(peer, whole)),
        ] {
            push(
                text,
                format_args!(
                    "- {peer} uses {} CPU-s/GB more than without, {what}; the relay {own:.2}: {:.2} times encryption's own \
                     cost\n",
                    said(more, 2),
                    median(more) / own,
                ),
            );
        }
        text.push('\n');
    }

    fn csv(&self) -> String {
        let mut text = String::from(
            "series,pair,replicator,cpu_s_whole,cpu_s_per_gb_whole,cpu_s_per_gb_steady,mb_per_s_whole,mb_per_s_steady,\
             peak_mib,source_broker_cpu_s,destination_broker_cpu_s,stolen_percent,others_percent,batch_kb_at_destination,outcome\n",
        );
        for series in &self.series {
            for run in &series.runs {
                let cells = cells(series, run)
                    .into_iter()
                    .map(|cell| cell.replace(',', ";"));
                push(
                    &mut text,
                    format_args!("{}\n", cells.collect::<Vec<_>>().join(",")),
                );
            }
        }
        text
    }
}

fn steady(figures: &Figures) -> Option<f64> {
    figures.steady.map(|window| window.seconds_per_gigabyte())
}

fn ratios(series: &Series, peer: Peer, text: &mut String) {
    let whole = |figures: &Figures| Some(figures.whole.seconds_per_gigabyte());
    let rows = [
        ("both steady", series.ratios(peer, steady, steady)),
        ("both whole", series.ratios(peer, whole, whole)),
        (
            "it steady, Tributary whole (the strictest)",
            series.ratios(peer, steady, whole),
        ),
    ];
    push(
        text,
        format_args!("{peer} uses, in processor seconds per GB, times those of Tributary:\n\n"),
    );
    for (what, ratio) in rows {
        push(text, format_args!("- {what}: {}\n", said(ratio, 1)));
    }
    text.push('\n');
}

/// Median (lowest–highest), or a dash.
pub(super) fn said(spread: Option<[f64; 3]>, digits: usize) -> String {
    spread.map_or_else(
        || "–".to_owned(),
        |[median, low, high]| format!("{median:.digits$} ({low:.digits$}–{high:.digits$})"),
    )
}

fn cells(series: &Series, run: &Run) -> Vec<String> {
    let mut cells = vec![
        series.case.name.clone(),
        run.pair.to_string(),
        run.peer.to_string(),
    ];
    match &run.outcome {
        Outcome::Lost(reason) => {
            cells.extend(std::iter::repeat_n(String::new(), 11));
            let reason = reason.lines().next().unwrap_or_default().replace('|', "/");
            cells.push(format!("lost: {reason}"));
        }
        Outcome::Measured(figures) => {
            let batch =
                to_f64(figures.destination.bytes) / to_f64(figures.destination.batches) / 1e3;
            let number = |value: f64| format!("{value:.2}");
            let optional = |value: Option<f64>| value.map_or_else(String::new, number);
            let rate = figures.steady.map(|window| window.megabytes_per_second());
            cells.extend([
                number(figures.whole.replicator_seconds),
                number(figures.whole.seconds_per_gigabyte()),
                optional(steady(figures)),
                number(figures.whole.megabytes_per_second()),
                optional(rate),
                (figures.peak_bytes >> 20).to_string(),
                number(figures.whole.source_broker_seconds),
                number(figures.whole.destination_broker_seconds),
                number(figures.stolen * 100.0),
                number(figures.others * 100.0),
                number(batch),
                if figures.counts() {
                    "equal".to_owned()
                } else {
                    "equal, not counted: stolen".to_owned()
                },
            ]);
        }
    }
    cells
}

/// Writes to the end of a text.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments)
        .expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests;
