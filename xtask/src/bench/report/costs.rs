//! What a series is of, and what its copies cost besides the replicator's seconds per GB: per record, per GB as consumers see it,
//! and at the brokers.

use super::{Series, push, said};
use crate::bench::run::Figures;
use crate::bench::window::to_f64;
use crate::bench::workload::Shape;

/// What was copied.
pub(super) fn heading(series: &Series, pairs: u32, text: &mut String) {
    let (size, data) = (&series.size, &series.case.data);
    let bytes = match data.record_bytes {
        bytes if bytes >= 1_000_000 => format!("{} MB", bytes / 1_000_000),
        bytes if bytes >= 1000 => format!("{} KB", bytes / 1000),
        bytes => format!("{bytes} B"),
    };
    let thinned = match data.shape {
        Shape::Thinned => {
            let share = 100.0 * to_f64(size.thinned) / to_f64(size.batches);
            format!(" ({share:.0} % of them thinned)")
        }
        Shape::Transactions => ", aborted ones and markers included".to_owned(),
        Shape::Plain => String::new(),
    };
    push(
        text,
        format_args!(
            "### {}\n\n{} records of {bytes}, {:.3} GB on the wire in batches of {:.1} KB{thinned}, {:.3} GB of keys and values, on {} \
             partitions; {pairs} pairs\n\n",
            series.case.name,
            series.records,
            to_f64(size.bytes) / 1e9,
            to_f64(size.bytes) / to_f64(size.batches) / 1e3,
            to_f64(series.logical_bytes) / 1e9,
            data.partitions,
        ),
    );
}

/// The second table of a series.
pub(super) fn table(series: &Series, text: &mut String) {
    let [source, destination] = series.at_rest;
    push(
        text,
        format_args!(
            "| | CPU-s per 10⁶ records | CPU-s per logical GB | source broker CPU-s/GB | less at rest | destination broker CPU-s/GB | less \
             at rest |\n|---|---|---|---|---|---|---|\n"
        ),
    );
    // A window's share of the records is its share of the bytes.
    let bytes = to_f64(series.size.bytes);
    let of_records = bytes / 1e3 / to_f64(series.records.max(1));
    let of_logical = bytes / to_f64(series.logical_bytes.max(1));
    for peer in series.peers() {
        let steady = |times: f64| {
            let picked = series.spread(peer, move |figures| {
                Some(figures.steady?.seconds_per_gigabyte() * times)
            });
            said(picked, 2)
        };
        let broker = |pick: fn(&Figures) -> f64, at_rest: f64| {
            let picked = series.spread(peer, |figures| {
                let idle = at_rest * figures.whole.seconds;
                Some((pick(figures) - idle).max(0.0) / (figures.whole.bytes / 1e9))
            });
            said(picked, 2)
        };
        let at_source = |figures: &Figures| figures.whole.source_broker_seconds;
        let at_destination = |figures: &Figures| figures.whole.destination_broker_seconds;
        push(
            text,
            format_args!(
                "| {peer} | {} | {} | {} | {} | {} | {} |\n",
                steady(of_records),
                steady(of_logical),
                broker(at_source, 0.0),
                broker(at_source, source),
                broker(at_destination, 0.0),
                broker(at_destination, destination),
            ),
        );
    }
    push(
        text,
        format_args!(
            "\nBrokers at rest use {source:.3} (source) and {destination:.3} (destination) processor seconds in a second.\n\n"
        ),
    );
}
