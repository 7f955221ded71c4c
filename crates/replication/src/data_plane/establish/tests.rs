//! What follows from two logs and a position, as tables.

use kafka_wire::batch::{Attributes, BatchBuilder, RawBatch};
use kafka_wire::types::TopicId;

use super::*;

const PRODUCER: ProducerIdentity = ProducerIdentity { id: 7, epoch: 3 };

/// Source offset 40, destination end 140, next sequence 10.
pub(super) fn position() -> Position {
    Position {
        offset: Source(40),
        leader_epoch: 5,
        topic_id: Source(TopicId([1; 16])),
        destination_topic_id: Destination(TopicId([2; 16])),
        destination_end: Destination(140),
        producer: PRODUCER,
        sequence: 10,
        placement: Placement::Mapped,
        transactional: false,
    }
}

/// Nothing has happened since the position was stored.
pub(super) fn readings() -> Readings {
    Readings {
        max_message_bytes: None,
        at_time: Some(70),
        levels: Default::default(),
        log_start: 0,
        end: 1000,
        epoch_end: Some(1000),
        destination_start: 0,
        destination_end: 140,
        topic: placement::Topic::UNKNOWN,
    }
}

#[test]
fn nothing_is_written_before_what_was_appended_is_replicated() {
    let waits = |order: &EstablishOrder, appended| waits_for_replicas(order, 140, appended);
    let mut order = order(OnGap::Stop);
    let trouble = waits(&order, Some(143)).expect("three offsets are hidden yet");
    assert!(trouble.contains("[140, 143)"), "{trouble}");
    assert_eq!(waits(&order, Some(140)), None);
    // More has come since.
    assert_eq!(waits(&order, Some(139)), None);
    assert_eq!(waits(&order, None), None, "a broker that does not say");
    order.shared = true;
    assert_eq!(waits(&order, Some(143)), None, "others write all the time");
}

fn order(on_gap: OnGap) -> EstablishOrder {
    order_at(position(), on_gap)
}

/// A partition that goes on at a position.
pub(super) fn order_at(position: Position, on_gap: OnGap) -> EstablishOrder {
    EstablishOrder {
        shared: false,
        changed: false,
        index: 0,
        source: TopicPartition::new("s".into(), 0),
        source_id: TopicId([1; 16]),
        destination: TopicPartition::new("d".into(), 0),
        destination_id: TopicId([2; 16]),
        position: Some(position),
        start: StartPosition::Earliest,
        raise_epoch: false,
        readings: 0,
        on_gap,
        offsets: Default::default(),
        given_up: None,
        memory: Default::default(),
        leaves_out: false,
        transaction: None,
        first: false,
        store_first: false,
        source_epoch: -1,
        sent_epoch: None,
        sent_to: 0,
        doubt: None,
    }
}

/// A batch in the destination's log.
fn batch(producer: ProducerIdentity, sequence: i32, base: i64, records: usize) -> BatchInfo {
    let builder = BatchBuilder::new(base).producer(producer, sequence);
    let builder = (0..records).fold(builder, |b, _| b.record(None, Some(b"v")));
    *RawBatch::parse(builder.build())
        .expect("built well formed")
        .info()
}

fn ours(sequence: i32, base: i64, records: usize) -> BatchInfo {
    batch(PRODUCER, sequence, base, records)
}

fn foreign(base: i64, records: usize) -> BatchInfo {
    batch(ProducerIdentity { id: -1, epoch: -1 }, -1, base, records)
}

fn pairs(landed: &[Landed]) -> Vec<(i64, i64)> {
    landed.iter().map(|l| (l.base.0, l.offsets)).collect()
}

/// First offset and number of offsets.
fn at(base: i64, offsets: i64) -> (i64, i64) {
    (base, offsets)
}

/// What lands, with the destination's log beginning at `start`. A batch that is still there is kept, to be
/// compared with the source's.
fn check(
    position: &Position,
    start: i64,
    tail: &[BatchInfo],
    expected: Result<Vec<(i64, i64)>, i32>,
) {
    let readings = Readings {
        destination_start: start,
        ..readings()
    };
    let found = landed(position, readings, tail, &mut Vec::new());
    if let Ok(found) = &found {
        for one in found {
            let there = tail.iter().find(|b| b.base_offset == one.base.0);
            assert_eq!(one.batch.as_ref(), there, "{tail:?}");
        }
    }
    assert_eq!(found.map(|all| pairs(&all)), expected, "{tail:?}");
}

/// The outcome in one line: position, sequence, epoch, destination end, offsets landed; or the stop.
fn outcome(order: &EstablishOrder, readings: Readings, tail: &[BatchInfo]) -> String {
    match decide(order, position(), readings, tail) {
        Established::Ready {
            position,
            landed,
            store_first,
            end,
            ..
        } => {
            assert_eq!(end, readings.end);
            let there: i64 = landed.iter().map(|l| l.offsets).sum();
            let first = if store_first { ", stored first" } else { "" };
            format!(
                "{} sequence {} epoch {} end {} landed {there}{first}",
                position.offset,
                position.sequence,
                position.producer.epoch,
                position.destination_end
            )
        }
        Established::Stop(stop) | Established::StopAndTell(stop, _) => {
            assert!(!stop.reason.is_empty());
            format!("{} at {:?}", stop.state, stop.offset)
        }
        Established::Retry(trouble) | Established::Behind(trouble) => trouble,
        other @ (Established::Unsettled(_)
        | Established::Foreign(_)
        | Established::CannotPlace(_)) => {
            panic!("only where offsets are preserved: {other:?}")
        }
    }
}

fn stops(readings: Readings, tail: &[BatchInfo], expected: &str) {
    assert_eq!(outcome(&order(OnGap::Stop), readings, tail), expected);
}

fn goes_on(readings: Readings, tail: &[BatchInfo], expected: &str) {
    assert_eq!(outcome(&order(OnGap::Continue), readings, tail), expected);
}

#[test]
fn own_batches_behind_the_position_are_found_in_order() {
    check(&position(), 0, &[], Ok(vec![]));
    check(
        &position(),
        0,
        &[ours(10, 140, 3), ours(13, 143, 1)],
        Ok(vec![at(140, 3), at(143, 1)]),
    );
}

#[test]
fn batches_of_others_are_passed_over() {
    let other_epoch = ProducerIdentity {
        epoch: 2,
        ..PRODUCER
    };
    let other_id = ProducerIdentity { id: 8, ..PRODUCER };
    check(
        &position(),
        0,
        &[
            foreign(140, 5),
            ours(10, 145, 2),
            batch(other_epoch, 12, 147, 1),
            batch(other_id, 12, 148, 1),
            foreign(149, 1),
            ours(12, 150, 1),
        ],
        Ok(vec![at(145, 2), at(150, 1)]),
    );
    check(&position(), 0, &[foreign(140, 5)], Ok(vec![]));
}

#[test]
fn a_log_that_was_cut_short_and_written_to_by_others_is_told() {
    let order = order(OnGap::Stop);
    let found = |position: &Position, batch: BatchInfo| replaced(&order, position, &[batch]);
    // Ours ends where the position says, whatever follows.
    assert_eq!(found(&position(), ours(0, 130, 10)), None);
    let stop = found(&position(), foreign(135, 8)).expect("another's in its place");
    assert_eq!(stop.state, "destination-behind");
    assert!(stop.reason.contains("135–142"), "{}", stop.reason);
    assert!(
        found(&position(), ours(0, 138, 10)).is_some(),
        "ours, and not where it was"
    );
    // What a cleaner has taken is not there, and says nothing.
    assert_eq!(found(&position(), foreign(140, 8)), None);
    // Before the first acknowledgement there is nothing to be lost.
    let new = Position {
        sequence: 0,
        ..position()
    };
    assert_eq!(found(&new, foreign(135, 5)), None);
    let marker = kafka_wire::batch::control_batch(
        139,
        ProducerIdentity { id: 8, epoch: 0 },
        kafka_wire::batch::ControlType::Commit,
    );
    let marker = *RawBatch::parse(marker).expect("built well formed").info();
    assert_eq!(found(&position(), marker), None);
}

#[test]
fn control_batches_of_our_name_do_not_count() {
    let mut control = ours(10, 140, 1);
    control.attributes = Attributes(Attributes::CONTROL);
    check(
        &position(),
        0,
        &[control, ours(10, 141, 1)],
        Ok(vec![at(141, 1)]),
    );
}

#[test]
fn a_hole_in_our_sequence_is_named() {
    check(&position(), 0, &[ours(11, 140, 3)], Err(11));
    check(
        &position(),
        0,
        &[ours(10, 140, 2), ours(13, 142, 1)],
        Err(13),
    );
}

#[test]
fn records_that_are_there_a_second_time_are_counted_once() {
    check(
        &position(),
        0,
        &[
            ours(7, 140, 3),
            ours(10, 143, 2),
            ours(10, 145, 2),
            ours(12, 147, 1),
        ],
        Ok(vec![at(143, 2), at(147, 1)]),
    );
}

#[test]
fn what_is_there_twice_is_told_also_behind_a_hole_and_under_an_earlier_epoch() {
    let earlier = ProducerIdentity {
        epoch: 2,
        ..PRODUCER
    };
    let told = |tail: &[BatchInfo]| match decide(&order(OnGap::Stop), position(), readings(), tail)
    {
        Established::Ready { ground, .. } => (true, ground.copies),
        Established::StopAndTell(_, copies) => (false, copies),
        other => panic!("{other:?}"),
    };
    let (goes_on, copies) = told(&[batch(earlier, 4, 140, 3), ours(10, 143, 2)]);
    assert_eq!((goes_on, &*copies), (true, &[(140, 143)][..]));
    // 10 and 11 are missing and come late; what was copied before, and what stands behind the hole already, is there twice.
    let tail = [
        ours(12, 140, 2),
        ours(4, 142, 4),
        ours(10, 146, 2),
        ours(14, 148, 1),
        ours(12, 149, 2),
        batch(earlier, 20, 151, 1),
        foreign(152, 1),
    ];
    let (goes_on, copies) = told(&tail);
    let expected = [(142, 146), (149, 151), (151, 152)];
    assert_eq!((goes_on, &*copies), (false, &expected[..]));
}

#[test]
fn what_retention_removed_in_front_of_our_batches_had_landed() {
    // [140, 145) has expired, and the first batch that is left says how much of it was ours.
    check(
        &position(),
        145,
        &[ours(15, 145, 2)],
        Ok(vec![at(140, 5), at(145, 2)]),
    );
    check(
        &position(),
        145,
        &[ours(13, 145, 2)],
        Ok(vec![at(142, 3), at(145, 2)]),
    );
    // More is missing than can have expired.
    check(&position(), 145, &[ours(16, 145, 2)], Err(16));
    // All of it has expired.
    check(&position(), 145, &[], Ok(vec![at(140, 5)]));
    check(&position(), 140, &[], Ok(vec![]));
}

#[test]
fn what_the_cleaner_removed_between_our_batches_had_landed() {
    // [142, 147) are empty: three of them were ours, as the sequence tells.
    check(
        &position(),
        0,
        &[ours(10, 140, 2), ours(15, 147, 1)],
        Ok(vec![at(140, 2), at(144, 3), at(147, 1)]),
    );
    // Nothing was removed behind the foreign batch that could have been ours.
    let tail = [ours(10, 140, 2), foreign(144, 1), ours(15, 145, 1)];
    check(&position(), 0, &tail, Err(15));
}

#[test]
fn sequences_wrap_between_batches_and_inside_one() {
    let near = Position {
        sequence: i32::MAX - 1,
        ..position()
    };
    check(
        &near,
        0,
        &[ours(i32::MAX - 1, 140, 3), ours(1, 143, 2)],
        Ok(vec![at(140, 3), at(143, 2)]),
    );
    check(
        &near,
        0,
        &[ours(i32::MAX - 1, 140, 2), ours(0, 142, 2)],
        Ok(vec![at(140, 2), at(142, 2)]),
    );
    check(&near, 0, &[ours(5, 140, 1)], Err(5));
}

#[test]
fn nothing_new_goes_on_at_the_position() {
    let expected = "40 sequence 10 epoch 3 end 140 landed 0";
    stops(readings(), &[], expected);
    // An epoch the source does not know says nothing.
    let unknown = Readings {
        epoch_end: None,
        ..readings()
    };
    stops(unknown, &[], expected);
    // The log may start, and the epoch may end, exactly at the position.
    let exact = Readings {
        log_start: 40,
        epoch_end: Some(40),
        ..readings()
    };
    stops(exact, &[], expected);
}

#[test]
fn what_landed_is_compared_with_the_source_from_the_position_on() {
    let readings = Readings {
        destination_end: 145,
        ..readings()
    };
    stops(
        readings,
        &[ours(10, 140, 3), ours(13, 143, 2)],
        "40 sequence 10 epoch 3 end 140 landed 5",
    );
}

#[test]
fn a_source_that_dropped_records_before_they_were_copied_is_a_gap() {
    let gap = Readings {
        log_start: 50,
        ..readings()
    };
    stops(gap, &[], "source-gap at Some(40)");
    goes_on(gap, &[], "50 sequence 10 epoch 3 end 140 landed 0");
    // Three of them had been copied.
    let tail = [ours(10, 140, 3)];
    stops(gap, &tail, "source-gap at Some(43)");
    let there = Readings {
        destination_end: 143,
        ..gap
    };
    goes_on(
        there,
        &tail,
        "50 sequence 0 epoch 4 end 143 landed 0, stored first",
    );
}

#[test]
fn a_gap_is_told_with_its_range_and_its_remedy() {
    let gap = Readings {
        log_start: 50,
        ..readings()
    };
    let Established::StopAndTell(stop, _) = decide(&order(OnGap::Stop), position(), gap, &[])
    else {
        panic!("a gap stops");
    };
    for words in ["s-0", "10 offsets", "[40, 50)", "tributary.on.gap=continue"] {
        assert!(stop.reason.contains(words), "{words}: {}", stop.reason);
    }
}

#[test]
fn a_source_that_was_cut_short_below_the_position_is_told() {
    let cut = Readings {
        epoch_end: Some(30),
        ..readings()
    };
    stops(cut, &[], "source-truncated at Some(40)");
    goes_on(cut, &[], "30 sequence 10 epoch 3 end 140 landed 0");
}

/// As when a cluster was restored from an older state, whose epochs are older too.
#[test]
fn a_source_that_ends_before_the_copy_is_told_where_no_epoch_tells() {
    let short = Readings {
        end: 35,
        epoch_end: None,
        ..readings()
    };
    let mut order = order(OnGap::Stop);
    let seems = outcome(&order, short, &[]);
    assert!(seems.contains("seems to end at 35"), "{seems}");
    order.readings = READINGS;
    assert_eq!(outcome(&order, short, &[]), "source-truncated at Some(40)");
    order.on_gap = OnGap::Continue;
    assert_eq!(
        outcome(&order, short, &[]),
        "35 sequence 10 epoch 3 end 140 landed 0"
    );
    // What has landed since counts.
    let tail = [ours(10, 140, 3)];
    let short = Readings {
        end: 41,
        destination_end: 143,
        ..short
    };
    order.on_gap = OnGap::Stop;
    assert_eq!(
        outcome(&order, short, &tail),
        "source-truncated at Some(43)"
    );
}

#[test]
fn a_destination_that_is_shorter_than_it_was_stops() {
    let behind = Readings {
        destination_end: 139,
        ..readings()
    };
    stops(behind, &[], "destination-behind at Some(40)");
    goes_on(behind, &[], "destination-behind at Some(40)");
}

#[test]
fn a_hole_in_the_destination_stops() {
    let tail = [ours(12, 140, 1)];
    stops(readings(), &tail, "destination-foreign-writes at Some(40)");
}

#[test]
fn a_raised_epoch_begins_at_sequence_zero_and_is_stored_first() {
    let raising = EstablishOrder {
        raise_epoch: true,
        ..order(OnGap::Stop)
    };
    let later = Readings {
        destination_end: 145,
        ..readings()
    };
    let told = outcome(&raising, later, &[foreign(140, 5)]);
    assert_eq!(told, "40 sequence 0 epoch 4 end 145 landed 0, stored first");
    // What landed is taken over first; the epoch is raised if it is needed then.
    let told = outcome(&raising, later, &[ours(10, 140, 5)]);
    assert_eq!(
        told,
        "40 sequence 10 epoch 3 end 140 landed 5, stored first"
    );
}

#[test]
fn a_first_position_begins_where_the_configuration_says() {
    let readings = Readings {
        log_start: 17,
        ..readings()
    };
    for (start, offset) in [
        (StartPosition::Earliest, 17),
        (StartPosition::Latest, 1000),
        (StartPosition::Time(5), 70),
        (StartPosition::Offset(500), 500),
    ] {
        let order = EstablishOrder {
            start,
            ..order(OnGap::Stop)
        };
        let position = first_position(&order, readings, PRODUCER);
        assert_eq!((position.offset.0, position.sequence), (offset, 0));
        assert_eq!(position.destination_end, Destination(140));
        assert_eq!(position.producer, PRODUCER);
    }
}

#[test]
fn what_expired_counts_as_ours_only_where_nobody_else_can_have_written_it() {
    let gone = Readings {
        destination_start: 240,
        destination_end: 240,
        ..readings()
    };
    let landed_in =
        |order: &EstablishOrder, readings: Readings| match decide(order, position(), readings, &[])
        {
            Established::Ready { landed, .. } => pairs(&landed),
            other => panic!("{other:?}"),
        };
    assert_eq!(landed_in(&order(OnGap::Stop), gone), [at(140, 100)]);
    let merged = EstablishOrder {
        shared: true,
        changed: false,
        ..order(OnGap::Stop)
    };
    assert_eq!(landed_in(&merged, gone), []);
    // The source never had so much behind the position: somebody else wrote it.
    let short = Readings { end: 50, ..gone };
    assert_eq!(landed_in(&order(OnGap::Stop), short), []);
}

#[test]
fn a_start_behind_the_last_stable_offset_waits_for_the_transaction_that_holds_it() {
    let order = EstablishOrder {
        position: None,
        start: StartPosition::Offset(120),
        ..order(OnGap::Stop)
    };
    // A group that reads what is not committed has come to 120, and the log ends there.
    let waits = |end, open: i64| waits_for_transactions(&order, end, Some(&Ok(open)));
    let said = waits(100, 120).expect("it waits");
    assert!(said.contains("open there at 100"), "{said}");
    assert_eq!(waits(120, 120), None);
    // Its log is shorter than that.
    assert_eq!(waits(100, 119), None);
    let shorter = Readings {
        end: 100,
        ..readings()
    };
    let stop = no_beginning(&order, shorter).expect("it stops");
    assert_eq!((stop.state, stop.offset), ("no-position", Some(120)));
}
