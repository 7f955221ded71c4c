//! What follows from the end of the destination's log, as tables.

use kafka_wire::batch::BatchBuilder;
use kafka_wire::types::{ProducerIdentity, TopicId};

use super::*;
use crate::data_plane::establish::tests::order_at;

const DATA: ProducerIdentity = ProducerIdentity { id: 7, epoch: 3 };
const MARKER: ProducerIdentity = ProducerIdentity { id: 8, epoch: 0 };

fn preserved() -> Preserved {
    Preserved {
        marker: MARKER,
        coordinator_epoch: 4,
        padding: 0,
    }
}

/// Everything before offset 40 is there; next sequence 10.
fn position() -> Position {
    Position {
        offset: Source(40),
        leader_epoch: 5,
        topic_id: Source(TopicId([1; 16])),
        destination_topic_id: Destination(TopicId([2; 16])),
        destination_end: Destination(40),
        producer: DATA,
        sequence: 10,
        placement: Placement::Preserved(preserved()),
        transactional: false,
    }
}

fn readings() -> Readings {
    Readings {
        max_message_bytes: None,
        at_time: None,
        levels: Default::default(),
        log_start: 0,
        end: 1000,
        epoch_end: Some(1000),
        destination_start: 0,
        destination_end: 40,
        topic: crate::placement::Topic::UNKNOWN,
    }
}

fn order() -> EstablishOrder {
    order_at(position(), OnGap::Stop)
}

fn batch(producer: ProducerIdentity, sequence: i32, base: i64, records: usize) -> RawBatch {
    let builder = BatchBuilder::new(base).producer(producer, sequence);
    let builder = (0..records).fold(builder, |b, _| b.record(None, Some(b"v")));
    RawBatch::parse(builder.build()).expect("built well formed")
}

/// A log that ends with these batches.
fn ending(batches: &[RawBatch]) -> (Readings, Ending) {
    let end = batches.last().map_or(40, |b| b.info().next_offset());
    let readings = Readings {
        destination_end: end,
        ..readings()
    };
    let ending = Ending {
        since: batches.iter().map(|b| *b.info()).collect(),
        last: batches.last().map(|b| *b.info()),
        comparison: Comparison::default(),
    };
    (readings, ending)
}

/// The outcome in one line.
fn outcome(order: &EstablishOrder, readings: Readings, ending: &Ending) -> String {
    let padding = Some(readings.log_start);
    match go_on(order, &position(), preserved(), readings, ending, padding) {
        Established::Ready {
            position,
            store_first,
            ..
        } => {
            let first = if store_first { ", stored first" } else { "" };
            let (offset, end) = (position.offset.0, position.destination_end.0);
            let end = match offset == end {
                true => String::new(),
                false => format!(" at {end}"),
            };
            format!(
                "{offset}{end} sequence {} epoch {}{first}",
                position.sequence, position.producer.epoch
            )
        }
        Established::Stop(stop) | Established::StopAndTell(stop, _) => {
            format!("stop {} at {:?}", stop.state, stop.offset)
        }
        Established::Foreign(stop) => format!("foreign at {:?}", stop.offset),
        Established::CannotPlace(stop) => format!("{} at {:?}", stop.state, stop.offset),
        other @ (Established::Retry(_) | Established::Behind(_) | Established::Unsettled(_)) => {
            panic!("decided: {other:?}")
        }
    }
}

#[test]
fn the_end_of_the_log_is_the_position_and_the_sequence_goes_on_behind_its_last_batch() {
    let (readings, nothing) = ending(&[]);
    assert_eq!(
        outcome(&order(), readings, &nothing),
        "40 sequence 10 epoch 3"
    );
    let (readings, grown) = ending(&[batch(DATA, 10, 40, 3), batch(DATA, 13, 43, 2)]);
    assert_eq!(
        outcome(&order(), readings, &grown),
        "45 sequence 15 epoch 3"
    );
    let raised = ProducerIdentity { epoch: 5, ..DATA };
    let (readings, grown) = ending(&[batch(DATA, 10, 40, 3), batch(raised, 0, 43, 2)]);
    assert_eq!(
        outcome(&order(), readings, &grown),
        "45 sequence 2 epoch 5, stored first"
    );
}

#[test]
fn the_epoch_is_raised_only_where_no_batch_tells_the_sequence_or_the_broker_disagrees() {
    // Only markers were written since, and the records before are gone.
    let (readings, markers) = ending(&[batch(MARKER, -1, 40, 1)]);
    assert_eq!(
        outcome(&order(), readings, &markers),
        "41 sequence 0 epoch 4, stored first"
    );
    let refused = EstablishOrder {
        raise_epoch: true,
        ..order()
    };
    let (readings, nothing) = ending(&[]);
    assert_eq!(
        outcome(&refused, readings, &nothing),
        "40 sequence 0 epoch 4, stored first"
    );
    // A second writer of the same stream was faster: a raised epoch would write its records again.
    let (readings, grown) = ending(&[batch(DATA, 10, 40, 3)]);
    assert_eq!(
        outcome(&refused, readings, &grown),
        "43 sequence 13 epoch 3"
    );
}

#[test]
fn a_foreign_batch_or_another_record_than_the_sources_is_noticed_before_anything_is_written() {
    let other = ProducerIdentity { id: 99, epoch: 0 };
    let (readings, foreign) = ending(&[batch(DATA, 10, 40, 3), batch(other, 0, 43, 1)]);
    assert_eq!(outcome(&order(), readings, &foreign), "foreign at Some(43)");
    let (readings, again) = ending(&[batch(DATA, 10, 40, 3), batch(DATA, 10, 43, 3)]);
    assert_eq!(outcome(&order(), readings, &again), "foreign at Some(43)");
    let (readings, mut changed) = ending(&[batch(DATA, 10, 40, 3)]);
    changed.comparison.differs = Some(41);
    assert_eq!(outcome(&order(), readings, &changed), "foreign at Some(41)");
}

#[test]
fn a_second_copy_of_what_was_acknowledged_is_noticed_also_where_records_are_alike() {
    // Its first copy ends at the position: nothing behind it has that number.
    let (readings, late) = ending(&[batch(DATA, 7, 40, 3), batch(DATA, 10, 43, 3)]);
    assert_eq!(outcome(&order(), readings, &late), "foreign at Some(40)");
}

#[test]
fn a_batch_that_took_the_place_of_the_one_before_it_is_noticed_also_where_the_source_has_lost_both()
{
    // Numbers 13 and 14 were refused, and the broker had forgotten that they were to come first.
    let (readings, taken) = ending(&[batch(DATA, 10, 40, 3), batch(DATA, 15, 43, 2)]);
    assert_eq!(outcome(&order(), readings, &taken), "foreign at Some(43)");
    // What a cleaner has taken away left its offsets.
    let (readings, cleaned) = ending(&[batch(DATA, 10, 40, 3), batch(DATA, 15, 45, 2)]);
    assert_eq!(
        outcome(&order(), readings, &cleaned),
        "47 sequence 17 epoch 3"
    );
}

#[test]
fn what_the_source_has_lost_or_taken_back_is_named() {
    let (readings, nothing) = ending(&[]);
    let lost = Readings {
        log_start: 60,
        ..readings
    };
    assert_eq!(
        outcome(&order(), lost, &nothing),
        "stop source-gap at Some(40)"
    );
    let goes_on = EstablishOrder {
        on_gap: OnGap::Continue,
        ..order()
    };
    assert_eq!(
        outcome(&goes_on, lost, &nothing),
        "60 at 40 sequence 10 epoch 3, stored first"
    );
    let short = Readings {
        end: 30,
        ..readings
    };
    // Also where no epoch tells.
    let short = Readings {
        epoch_end: None,
        ..short
    };
    assert_eq!(
        outcome(&order(), short, &nothing),
        "stop source-truncated at Some(30)"
    );
    assert_eq!(
        outcome(&goes_on, short, &nothing),
        "source-truncated at Some(30)"
    );
    let cut = Readings {
        epoch_end: Some(35),
        ..readings
    };
    assert_eq!(
        outcome(&order(), cut, &nothing),
        "stop source-truncated at Some(35)"
    );
    assert_eq!(
        outcome(&goes_on, cut, &nothing),
        "source-truncated at Some(35)"
    );
}

/// A hole at the end of a compacted log, which waits for the next record, and then goes the way of all records.
#[test]
fn what_is_known_to_hold_nothing_is_not_lost_when_the_source_deletes_it() {
    let waits = Position {
        offset: Source(60),
        ..position()
    };
    let (readings, nothing) = ending(&[]);
    for (log_start, expected) in [
        (40, Some((40, 40))),
        (55, Some((55, 40))),
        (60, Some((60, 40))),
        (61, None),
    ] {
        let moved = Readings {
            log_start,
            ..readings
        };
        let order = order_at(waits.clone(), OnGap::Stop);
        let outcome = go_on(&order, &waits, preserved(), moved, &nothing, None);
        let begins = match outcome {
            Established::Ready {
                position, ground, ..
            } => {
                assert_eq!(ground.lost, None);
                Some((position.offset.0, position.destination_end.0))
            }
            _ => None,
        };
        assert_eq!(begins, expected, "the source's log begins at {log_start}");
    }
}

#[test]
fn copies_may_stand_where_the_source_has_nothing_and_nothing_else_where_it_has_a_record() {
    let original = Digests::from([(10, 1), (12, 2)]);
    let with_copies = Digests::from([(9, 1), (10, 1), (11, 2), (12, 2)]);
    let equal = compare(&with_copies, &[11], &original, false);
    assert_eq!((equal.equal, equal.differs), (2, None));
    let displaced = Digests::from([(10, 2), (11, 2)]);
    assert_eq!(compare(&displaced, &[], &original, false).differs, Some(10));
    // A marker too many stands where a record was to go.
    let marked = compare(&Digests::from([(10, 1)]), &[11, 12], &original, false);
    assert_eq!(marked.differs, Some(12));
    // The record at 10 was left out, and a copy of the next one stands there.
    let left_out = Digests::from([(10, 2), (11, 2), (12, 2)]);
    assert_eq!(compare(&left_out, &[], &original, true).differs, None);
    assert_eq!(compare(&left_out, &[], &original, false).differs, Some(10));
    let other = Digests::from([(10, 3), (11, 2), (12, 2)]);
    assert_eq!(compare(&other, &[], &original, true).differs, Some(10));
}
