//! The workloads by their names, as data: what the source holds, how it is copied, and who copies besides those asked for.
//!
//! A workload becomes one case for each of its codecs, numbers of partitions and commit intervals. Cases with the same data
//! follow each other, so that it is loaded once.

use super::peer::Peer;

/// No transactions: there is no interval between commits.
const NO_TRANSACTIONS: &[Option<u32>] = &[None];
/// Every record in a batch of its own.
const ONE_RECORD: u32 = 1;
/// Partitions of the common case.
const COMMON_PARTITIONS: u32 = 12;
/// Who has no transactions, or is Tributary in a way that is not asked about with them.
const WITHOUT_TRANSACTIONS: &[Peer] = &[
    Peer::Librdkafka,
    Peer::Mapped,
    Peer::Unmerged,
    Peer::Decoded,
    Peer::Checked,
];

/// A workload of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// 1 KB, zstd, 64 KB batches, 12 partitions: the common case
    W1,
    /// The same with lz4
    W2,
    /// The same with gzip
    W3,
    /// The same with snappy
    W4,
    /// The same uncompressed: work per record
    W5,
    /// 100 B, lz4, 16 KB batches: many records
    W6,
    /// 1 MB, one record a batch, none and zstd, 4 partitions: large copies
    W7,
    /// 1 KB, one record a batch, none and lz4, 1 and 12 partitions: the worst case
    W8,
    /// W1 on 4 partitions beside 1,000 that rest
    W9,
    /// W1 in transactions of Connect's mode, committed every 100 ms, 1 s and 10 s
    W10,
    /// W1 written in transactions, every tenth aborted
    W11,
    /// Compacted, lz4, half of the batches thinned
    W12,
    /// W1 with TLS at the source, at the destination and on both sides
    W13,
    /// lz4 into a topic that is kept as zstd: brokers compress again
    W14,
}

/// How the source was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Plain,
    /// In transactions, every tenth aborted.
    Transactions,
    /// Compacted, until the cleaner has thinned half of the batches.
    Thinned,
}

impl Shape {
    /// As the judge calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Transactions => "transactions",
            Self::Thinned => "thinned",
        }
    }
}

/// A line of the table: where several values stand, each makes cases of its own.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Bytes of a record's value.
    record_bytes: u32,
    codecs: &'static [&'static str],
    /// Size of a batch on the wire, about.
    batch_bytes: u32,
    partitions: &'static [u32],
    /// Partitions of a second topic that is copied too and holds nothing.
    idle: u32,
    shape: Shape,
    /// Settings of the source topic, which copies get too.
    settings: &'static [&'static str],
    /// Settings of the destination topic, where it is not made by who copies.
    destination: &'static [&'static str],
    /// Milliseconds between commits of Connect's transactional mode.
    commits: &'static [Option<u32>],
    /// Who runs besides those asked for.
    further: &'static [Peer],
    /// Who cannot run.
    without: &'static [Peer],
    /// What a heading says more.
    remark: &'static str,
}

const COMMON: Row = Row {
    record_bytes: 1000,
    codecs: &["zstd"],
    batch_bytes: 65_536,
    partitions: &[COMMON_PARTITIONS],
    idle: 0,
    shape: Shape::Plain,
    settings: &["compression.type=producer"],
    destination: &[],
    commits: NO_TRANSACTIONS,
    further: &[],
    without: &[],
    remark: "",
};

impl Workload {
    fn row(self) -> Row {
        match self {
            Self::W1 => COMMON,
            Self::W2 => with_codecs(&["lz4"]),
            Self::W3 => with_codecs(&["gzip"]),
            Self::W4 => with_codecs(&["snappy"]),
            Self::W5 => with_codecs(&["none"]),
            Self::W6 => Row {
                record_bytes: 100,
                batch_bytes: 16_384,
                ..with_codecs(&["lz4"])
            },
            Self::W7 => Row {
                record_bytes: 1_000_000,
                batch_bytes: ONE_RECORD,
                partitions: &[4],
                settings: &["compression.type=producer", "max.message.bytes=10485760"],
                ..with_codecs(&["none", "zstd"])
            },
            Self::W8 => Row {
                batch_bytes: ONE_RECORD,
                partitions: &[1, COMMON_PARTITIONS],
                ..with_codecs(&["none", "lz4"])
            },
            Self::W9 => Row {
                partitions: &[4],
                idle: 1000,
                remark: "beside 1,000 partitions that rest",
                ..COMMON
            },
            Self::W10 => Row {
                commits: &[Some(100), Some(1000), Some(10_000)],
                without: WITHOUT_TRANSACTIONS,
                ..COMMON
            },
            Self::W11 => Row {
                shape: Shape::Transactions,
                further: &[Peer::Mapped],
                remark: "written in transactions, every tenth aborted",
                ..COMMON
            },
            Self::W12 => Row {
                shape: Shape::Thinned,
                // Small, so that the cleaner leaves little alone. The copies are not cleaned: see `clusters`.
                settings: &[
                    "compression.type=producer",
                    "cleanup.policy=compact",
                    "segment.bytes=1048576",
                    "min.cleanable.dirty.ratio=0.01",
                ],
                further: &[Peer::Mapped],
                remark: "compacted",
                ..with_codecs(&["lz4"])
            },
            Self::W13 => Row {
                further: &[Peer::TlsSource, Peer::TlsDestination, Peer::TlsBoth],
                ..COMMON
            },
            Self::W14 => Row {
                destination: &["compression.type=zstd"],
                remark: "into a topic that is kept as zstd",
                ..with_codecs(&["lz4"])
            },
        }
    }
}

const fn with_codecs(codecs: &'static [&'static str]) -> Row {
    Row { codecs, ..COMMON }
}

/// What replaces the values of the table.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrides {
    pub(super) codecs: Vec<String>,
    pub(super) partitions: Option<u32>,
    pub(super) batch_bytes: Option<u32>,
}

/// What the source holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) record_bytes: u32,
    pub(super) codec: String,
    pub(super) batch_bytes: u32,
    pub(super) partitions: u32,
    pub(super) idle: u32,
    pub(super) shape: Shape,
    pub(super) settings: &'static [&'static str],
}

impl Data {
    /// Whether a cleaner goes through it, so that only the last record of each key counts.
    pub(super) fn is_compacted(&self) -> bool {
        self.shape == Shape::Thinned
    }
}

/// One series of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// The workload it is of; `None` where only codecs were asked for.
    pub(super) workload: Option<Workload>,
    /// What the report calls it; no two of a report are called the same.
    pub(super) name: String,
    pub(super) data: Data,
    /// Settings of a destination topic that is there before.
    pub(super) destination: &'static [&'static str],
    /// Milliseconds between commits of Connect's transactional mode.
    pub(super) commit: Option<u32>,
    /// Who runs beside Tributary.
    pub(super) peers: Vec<Peer>,
}

/// All cases of some workloads, those with the same data behind each other; without workloads those of the codecs.
pub(super) fn cases(workloads: &[Workload], overrides: &Overrides, peers: &[Peer]) -> Vec<Case> {
    let mut cases = Vec::new();
    if workloads.is_empty() {
        let row = with_codecs(&["zstd", "none"]);
        cases_of(None, &row, overrides, peers, &mut cases);
    }
    for workload in workloads {
        cases_of(
            Some(*workload),
            &workload.row(),
            overrides,
            peers,
            &mut cases,
        );
    }
    let mut ordered: Vec<Case> = Vec::new();
    for case in cases {
        let same = ordered.iter().rposition(|other| other.data == case.data);
        ordered.insert(same.map_or(ordered.len(), |at| at + 1), case);
    }
    ordered
}

fn cases_of(
    workload: Option<Workload>,
    row: &Row,
    overrides: &Overrides,
    peers: &[Peer],
    cases: &mut Vec<Case>,
) {
    let own = row.codecs.iter().map(|codec| (*codec).to_owned());
    let codecs = match overrides.codecs.is_empty() {
        true => own.collect(),
        false => overrides.codecs.clone(),
    };
    let partitions = match overrides.partitions {
        Some(count) => vec![count],
        None => row.partitions.to_vec(),
    };
    let mut all: Vec<Peer> = Vec::new();
    for peer in peers.iter().chain(row.further) {
        if !all.contains(peer) && !row.without.contains(peer) {
            all.push(*peer);
        }
    }
    for (codec, partitions) in codecs
        .iter()
        .flat_map(|codec| partitions.iter().map(move |count| (codec, *count)))
    {
        for commit in row.commits {
            let data = Data {
                record_bytes: row.record_bytes,
                codec: codec.clone(),
                batch_bytes: overrides.batch_bytes.unwrap_or(row.batch_bytes),
                partitions,
                idle: row.idle,
                shape: row.shape,
                settings: row.settings,
            };
            cases.push(Case {
                workload,
                name: name(workload, row, &data, *commit),
                data,
                destination: row.destination,
                commit: *commit,
                peers: all.clone(),
            });
        }
    }
}

fn name(workload: Option<Workload>, row: &Row, data: &Data, commit: Option<u32>) -> String {
    let Some(workload) = workload else {
        return data.codec.clone();
    };
    let mut name = format!("{workload:?} {}", data.codec);
    if row.partitions.len() > 1 || data.partitions != COMMON_PARTITIONS {
        let plural = if data.partitions == 1 { "" } else { "s" };
        name.push_str(&format!(", {} partition{plural}", data.partitions));
    }
    if let Some(commit) = commit {
        name.push_str(&format!(", committed every {commit} ms"));
    }
    if !row.remark.is_empty() {
        name.push_str(", ");
        name.push_str(row.remark);
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum as _;

    use super::*;

    fn all(peers: &[Peer]) -> Vec<Case> {
        cases(Workload::value_variants(), &Overrides::default(), peers)
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let cases = all(&[]);
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
        assert_eq!(cases.len(), 20);
        for name in [
            "W8 lz4, 1 partition",
            "W8 none, 12 partitions",
            "W10 zstd, committed every 10000 ms",
        ] {
            assert!(names.contains(name), "{name}: {names:?}");
        }
    }

    #[test]
    fn cases_with_the_same_data_follow_each_other() {
        let cases = all(&[]);
        let mut changes = 1;
        let mut different: Vec<&Data> = vec![&cases[0].data];
        for pair in cases.windows(2) {
            changes += usize::from(pair[0].data != pair[1].data);
            if !different.contains(&&pair[1].data) {
                different.push(&pair[1].data);
            }
        }
        assert_eq!(changes, different.len());
    }

    #[test]
    fn a_workload_brings_its_peers_and_leaves_out_those_that_cannot() {
        let of = |workload| {
            let cases = cases(
                &[workload],
                &Overrides::default(),
                &[Peer::Librdkafka, Peer::MirrorMakerTuned],
            );
            cases[0].peers.clone()
        };
        assert_eq!(of(Workload::W10), [Peer::MirrorMakerTuned]);
        assert_eq!(
            of(Workload::W11),
            [Peer::Librdkafka, Peer::MirrorMakerTuned, Peer::Mapped]
        );
    }

    #[test]
    fn options_replace_what_the_table_says() {
        let overrides = Overrides {
            codecs: vec!["gzip".to_owned()],
            partitions: Some(3),
            batch_bytes: Some(4096),
        };
        let cases = cases(&[Workload::W8], &overrides, &[]);
        let [case] = &cases[..] else {
            panic!("one of each: {cases:?}");
        };
        assert_eq!(
            (
                case.data.codec.as_str(),
                case.data.partitions,
                case.data.batch_bytes
            ),
            ("gzip", 3, 4096)
        );
    }

    #[test]
    fn without_workloads_codecs_are_series() {
        let cases = cases(&[], &Overrides::default(), &[]);
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["zstd", "none"]);
    }
}
