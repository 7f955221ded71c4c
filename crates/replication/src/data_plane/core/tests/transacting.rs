//! Scenes of transactions: when they end, what spoils them, and what is taken back.

use std::time::Duration;

use kafka_wire::batch::BatchHeader;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::TransactionVersion;
use kafka_wire::types::ProducerIdentity;

use super::scene::{Scene, Sent, batch, destination, position, response, settings, source};
use crate::data_plane::partition::Phase;
use crate::data_plane::transaction::{Step, StepOutcome, TransactionPlan};
use crate::position_store::{StoreEntry, Stored, StoredLink};

const INTERVAL: Duration = Duration::from_millis(100);

fn writer(epoch: i16) -> ProducerIdentity {
    ProducerIdentity { id: 900, epoch }
}

/// Two partitions that run, with nothing copied, in transactions.
fn scene(version: TransactionVersion) -> Scene {
    let mut scene = Scene::new(settings());
    scene.core.transact(TransactionPlan {
        id: "link-0".to_owned(),
        version,
        writer: writer(0),
        interval: INTERVAL,
    });
    for partition in 0..2 {
        let stored = position(0, 100, 0);
        let stored = crate::position::Position {
            transactional: true,
            ..stored
        };
        scene.assign(source(partition), destination(partition), Some(stored));
    }
    scene.settle();
    scene.order();
    scene
}

fn step(scene: &mut Scene) -> Option<Step> {
    scene.core.next_step(scene.now)
}

/// The transaction ends, at its boundary.
fn commit(scene: &mut Scene) -> Vec<StoreEntry> {
    assert!(step(scene).is_none(), "the boundary is not reached");
    scene.now += INTERVAL;
    match step(scene) {
        Some(Step::Commit(entries)) => entries,
        other => panic!("a commit is due: {other:?}"),
    }
}

fn stored(entries: &[StoreEntry]) -> StoredLink {
    let stored = |entry: &StoreEntry| Stored {
        position: Some(entry.position.clone()),
        ..Stored::default()
    };
    let entries = entries.iter();
    entries
        .map(|entry| (entry.partition.clone(), stored(entry)))
        .collect()
}

fn is_transactional(sent: &Sent) -> bool {
    let batches = sent.request.topics.iter().flat_map(|t| &t.partitions);
    let mut headers = batches.map(|p| BatchHeader::new(&p.header));
    let all = headers.all(|header| header.attributes().is_transactional());
    all && sent.request.transactional_id.is_some()
}

#[test]
fn a_partition_is_announced_before_its_first_batch_where_brokers_ask_for_that() {
    let mut scene = scene(TransactionVersion::Announced);
    scene.fetched(0, 0, &[batch(0, 3)]);
    assert!(scene.send().is_empty(), "not announced yet");
    let Some(Step::Announce(partitions)) = step(&mut scene) else {
        panic!("an announcement is due");
    };
    assert_eq!(partitions, [destination(0)]);
    scene.core.on_step(StepOutcome::Announced);
    let sent = scene.send();
    assert_eq!(sent.len(), 1);
    assert!(is_transactional(&sent[0]));
}

#[test]
fn a_transaction_ends_at_its_boundary_when_all_is_answered_and_positions_go_with_it() {
    let mut scene = scene(TransactionVersion::EpochPerTransaction);
    scene.fetched(0, 0, &[batch(0, 3)]);
    let sent = scene.send();
    assert_eq!(sent[0].batches(), [(destination(0), 0, 0)]);
    assert!(step(&mut scene).is_none());
    scene.now += INTERVAL;
    assert!(step(&mut scene).is_none(), "a batch is on its way");
    scene.fetched(1, 0, &[batch(0, 2)]);
    assert!(scene.send().is_empty(), "it belongs to the next one");
    scene.answer(&sent[0], Ok(100));
    let Some(Step::Commit(entries)) = step(&mut scene) else {
        panic!("all is answered, and the boundary is passed");
    };
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].position.offset.0, 3);
    assert!(entries[0].position.transactional);
    assert!(scene.send().is_empty(), "not before it is committed");
    scene.core.on_step(StepOutcome::Committed(writer(1)));
    let sent = scene.send();
    assert_eq!(sent[0].batches(), [(destination(1), 1, 0)]);
}

#[test]
fn an_answer_that_does_not_come_takes_everything_back_to_what_is_stored() {
    let mut scene = scene(TransactionVersion::EpochPerTransaction);
    scene.fetched(0, 0, &[batch(0, 3)]);
    let first = scene.send();
    scene.answer(&first[0], Ok(100));
    let committed = stored(&commit(&mut scene));
    scene.core.on_step(StepOutcome::Committed(writer(1)));

    // Both are in the next one; the answer of one is lost.
    scene.fetched(0, 3, &[batch(3, 2)]);
    scene.fetched(1, 0, &[batch(0, 2)]);
    let sent = scene.send();
    let tags: Vec<u64> = sent.iter().map(|sent| sent.tag).collect();
    let now = scene.now;
    scene.core.on_lane_ended(sent[0].lane, &tags, "cut", now);
    assert!(scene.send().is_empty());
    assert!(step(&mut scene).is_none(), "after a pause");
    scene.now += Duration::from_secs(1);
    let Some(Step::Renew { was_open: false }) = step(&mut scene) else {
        panic!("a new identity is due, and nothing is known to be open");
    };
    let version = TransactionVersion::EpochPerTransaction;
    let renewed = StepOutcome::Renewed(writer(2), version, committed);
    scene.core.on_step(renewed);
    let positions: Vec<Option<i64>> = scene
        .core
        .partitions
        .values()
        .map(|p| p.position.as_ref().map(|p| p.offset.0))
        .collect();
    // Nothing was stored of the second.
    assert_eq!(positions, [Some(3), None]);
    for partition in scene.core.partitions.values() {
        assert!(matches!(partition.phase, Phase::Starting));
    }
}

#[test]
fn a_batch_that_is_refused_before_it_was_appended_spoils_nothing() {
    let mut scene = scene(TransactionVersion::EpochPerTransaction);
    scene.fetched(0, 0, &[batch(0, 3)]);
    scene.fetched(1, 0, &[batch(0, 2)]);
    let sent = scene.send();
    let now = scene.now;
    for sent in &sent {
        let outcome = |partition| match partition {
            0 => Some(Err(ErrorCode::INVALID_RECORD)),
            _ => Some(Ok(100)),
        };
        scene
            .core
            .on_answer(sent.tag, &response(sent, outcome), now);
    }
    assert!(scene.stop_of(0).is_some(), "its records are refused");
    let entries = commit(&mut scene);
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].partition, source(1));
}

#[test]
fn a_process_that_was_taken_over_stops_everything() {
    let mut scene = scene(TransactionVersion::Announced);
    scene
        .core
        .on_step(StepOutcome::Fenced("another".to_owned()));
    for partition in scene.core.partitions.values() {
        let Phase::Stopped(stop) = &partition.phase else {
            panic!("{:?}", partition.phase);
        };
        assert_eq!(stop.state, "taken-over");
    }
    scene.fetched(0, 0, &[batch(0, 3)]);
    assert!(scene.send().is_empty());
}
