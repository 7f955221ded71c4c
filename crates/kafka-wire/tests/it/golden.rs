//! Bytes that a real broker wrote (`tests/golden/*.bin`, each with a note of how it was captured)
//! hold what Kafka's own log dump says of them (`*.txt`).

use std::path::PathBuf;

use bytes::Bytes;
use kafka_wire::batch::{
    AbortedFilter, AbortedTransaction, BatchHeader, Batches, ControlType, Dropped, Entry, Identity,
    Obstacle, PassLimits, Passage, RawBatch, Verdict, control_type, passage, rewrite_header,
    verify_crc,
};
use kafka_wire::types::ProducerIdentity;

/// Files that consist of whole batches and have a dump.
pub(crate) const DUMPED: [&str; 14] = [
    "append_time",
    "codec_gzip",
    "codec_lz4",
    "codec_none",
    "codec_snappy",
    "codec_zstd",
    "compacted_none",
    "compacted_transactions",
    "compacted_zstd",
    "fetch_inside_batch",
    "fetch_read_committed",
    "java_snappy",
    "java_transactions",
    "transactions",
];

fn path(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(file)
}

/// The captured bytes of `name`.
pub(crate) fn captured(name: &str) -> Bytes {
    let path = path(&format!("{name}.bin"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into()
}

fn batches(record_set: Bytes) -> Vec<RawBatch> {
    Batches::new(record_set)
        .map(|entry| match entry.unwrap() {
            Entry::Batch(batch) => batch,
            Entry::Legacy(entry) => panic!("a current broker wrote {entry:?}"),
        })
        .collect()
}

/// One batch in the words of Kafka's `DumpLogSegments`.
fn dumped(batch: &RawBatch, position: usize) -> String {
    let (info, header) = (batch.info(), batch.header());
    let last_sequence = match info.base_sequence {
        -1 => -1,
        base => base + header.last_offset_delta(),
    };
    let horizon = match header.has_delete_horizon() {
        true => format!("[{}]", header.base_timestamp()),
        false => ".empty".to_owned(),
    };
    let clock = if header.has_log_append_time() {
        "LogAppendTime"
    } else {
        "CreateTime"
    };
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {last_sequence} \
         producerId: {} producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} \
         isControl: {} deleteHorizonMs: OptionalLong{horizon} position: {position} {clock}: {} \
         size: {} magic: {} compresscodec: {} crc: {} isvalid: {}",
        info.base_offset,
        info.last_offset,
        info.records,
        info.base_sequence,
        info.producer_id,
        info.producer_epoch,
        info.leader_epoch,
        header.is_transactional(),
        header.is_control(),
        info.max_timestamp,
        info.size,
        header.magic(),
        header.codec(),
        header.crc(),
        verify_crc(batch.bytes()),
    )
}

#[test]
fn headers_say_what_kafkas_own_dump_says() {
    for name in DUMPED {
        let dump = std::fs::read_to_string(path(&format!("{name}.txt"))).unwrap();
        let expected = dump.lines().filter(|line| line.starts_with("baseOffset"));
        let mut position = 0;
        let mut found = Vec::new();
        for batch in batches(captured(name)) {
            found.push(dumped(&batch, position));
            position += batch.bytes().len();
        }
        assert_eq!(found, expected.collect::<Vec<_>>(), "{name}");
        assert_eq!(position, captured(name).len(), "{name}");
    }
}

#[test]
fn markers_say_what_kafkas_own_dump_says() {
    let mut markers = 0;
    for name in DUMPED {
        let dump = std::fs::read_to_string(path(&format!("{name}.txt"))).unwrap();
        let expected: Vec<_> = dump
            .lines()
            .filter_map(|line| line.split_once("endTxnMarker: "))
            .map(|(_, rest)| match rest.split(' ').next() {
                Some("COMMIT") => ControlType::Commit,
                Some("ABORT") => ControlType::Abort,
                other => panic!("{name}: the dump has a marker {other:?}"),
            })
            .collect();
        let found: Vec<_> = batches(captured(name))
            .iter()
            .filter(|batch| batch.info().attributes.is_control())
            .map(|batch| control_type(batch).unwrap().unwrap())
            .collect();
        assert_eq!(found, expected, "{name}");
        markers += found.len();
    }
    assert!(markers > 20, "the captures hold only {markers} markers");
}

#[test]
fn a_rewritten_batch_still_verifies_and_a_damaged_one_still_does_not() {
    let identity = Identity::new(ProducerIdentity { id: 9001, epoch: 3 }, 500);
    let mut seen = 0;
    for (identity, transactional) in [(identity, false), (identity, true), (None, false)] {
        for batch in DUMPED.into_iter().flat_map(|name| batches(captured(name))) {
            let header = rewrite_header(batch.header_bytes(), identity, transactional);
            let mut bytes = [&header[..], &batch.payload()].concat();
            assert!(verify_crc(&bytes), "{:?}", batch.info());
            assert_eq!(BatchHeader::new(&header).codec(), batch.header().codec());
            for position in (61..bytes.len()).step_by(7) {
                bytes[position] ^= 0x10;
                assert!(!verify_crc(&bytes), "{:?}, byte {position}", batch.info());
                bytes[position] ^= 0x10;
            }
            seen += 1;
        }
    }
    assert!(seen > 200, "only {seen} batches");
}

/// What a reader sees of `record_set`: the offsets of each batch that is delivered.
fn delivered(record_set: Bytes, aborted: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let list = aborted
        .iter()
        .map(|&(producer_id, first_offset)| AbortedTransaction {
            producer_id,
            first_offset,
        });
    let mut filter = AbortedFilter::new(list.collect());
    let mut offsets = Vec::new();
    for batch in batches(record_set) {
        let info = batch.info();
        let control = info
            .attributes
            .is_control()
            .then(|| control_type(&batch).unwrap())
            .flatten();
        if filter.on_batch(info, control) == Verdict::Deliver {
            offsets.push((info.base_offset, info.last_offset));
        }
    }
    offsets
}

#[test]
fn of_interleaved_transactions_only_the_committed_ones_are_delivered() {
    // The broker's own index of aborted transactions: version, producer id, first offset, last
    // offset, last stable offset; 34 bytes an entry.
    let index = captured("transactions_index");
    let aborted: Vec<_> = index
        .chunks_exact(34)
        .map(|entry| {
            let number = |at: usize| i64::from_be_bytes(entry[at..at + 8].try_into().unwrap());
            (number(2), number(10))
        })
        .collect();
    assert_eq!(aborted, [(3, 3), (2, 18), (2, 21)]);
    let committed = [(0, 2), (6, 7), (8, 9), (14, 16), (22, 22), (24, 24)];
    assert_eq!(delivered(captured("transactions"), &aborted), committed);
    assert_eq!(delivered(captured("transactions"), &[]).len(), 10);
}

#[test]
fn an_aborted_transaction_that_began_before_the_answer_is_not_delivered() {
    // The list is that of the same answer; its first entry lies before the answer's first offset.
    let record_set = captured("fetch_read_committed");
    assert_eq!(batches(record_set.clone())[0].info().base_offset, 5);
    let committed = [(6, 7), (8, 9), (14, 16), (22, 22), (24, 24)];
    assert_eq!(
        delivered(record_set, &[(3, 3), (2, 18), (2, 21)]),
        committed
    );
}

#[test]
fn a_cut_off_answer_gives_its_whole_batches_and_tells_what_is_missing() {
    let record_set = captured("fetch_cut_off");
    let mut entries = Batches::new(record_set.clone());
    assert_eq!(entries.by_ref().filter(Result::is_ok).count(), 1);
    let cut_off = entries.cut_off().unwrap();
    assert_eq!(
        (cut_off.position, cut_off.available, cut_off.claimed),
        (1103, 397, Some(1117))
    );
    assert_eq!(entries.remainder(), &record_set[1103..]);
}

#[test]
fn an_answer_from_inside_a_batch_begins_before_the_wanted_offset() {
    // Asked for offset 3, and for less than the batch has.
    let [batch] = &batches(captured("fetch_inside_batch"))[..] else {
        panic!("more than one batch");
    };
    let limits = PassLimits {
        first_offset: Some(3),
        ..PassLimits::default()
    };
    let obstacle = Obstacle::BeginsBefore {
        base_offset: 0,
        first_offset: 3,
    };
    assert_eq!(passage(batch.info(), &limits), Passage::Blocked(obstacle));
}

#[test]
fn what_compaction_left_is_told_apart_by_the_header() {
    for name in ["compacted_none", "compacted_zstd"] {
        let found: Vec<_> = batches(captured(name))
            .iter()
            .map(|batch| passage(batch.info(), &PassLimits::default()))
            .collect();
        let thinned = |records, offsets| Passage::Blocked(Obstacle::Thinned { records, offsets });
        assert_eq!(found[0], Passage::Drop(Dropped::Empty), "{name}");
        // The cleaner removes records; what the batch covers stays as the producer cut it.
        assert!(matches!(
            found[1],
            Passage::Blocked(Obstacle::Thinned { records: 4, .. })
        ));
        assert_eq!(found[2], thinned(4, 8), "{name}");
        assert_eq!(
            found[3..],
            [Passage::Untouched, thinned(1, 2), Passage::Untouched],
            "{name}"
        );
    }
}

#[test]
fn a_delete_horizon_does_not_reach_the_destination() {
    let all = batches(captured("compacted_zstd"));
    let kept = all
        .iter()
        .find(|batch| batch.header().has_delete_horizon())
        .unwrap();
    let header = rewrite_header(kept.header_bytes(), None, false);
    assert!(!BatchHeader::new(&header).has_delete_horizon());
}

#[test]
fn batches_with_append_times_pass_unless_exact_times_are_asked_for() {
    for batch in batches(captured("append_time")) {
        assert_eq!(
            passage(batch.info(), &PassLimits::default()),
            Passage::Untouched
        );
        let exact = PassLimits {
            keep_append_time: true,
            ..PassLimits::default()
        };
        assert_eq!(
            passage(batch.info(), &exact),
            Passage::Blocked(Obstacle::AppendTime)
        );
        let header = rewrite_header(batch.header_bytes(), None, false);
        assert!(!BatchHeader::new(&header).has_log_append_time());
    }
}
