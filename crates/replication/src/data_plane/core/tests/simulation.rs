//! Thousands of short lives of one link between two simulated clusters, with everything that may go
//! wrong between them: lost connections of unknown outcome, requests that land late, leaders that
//! move, foreign writers, refusals after the append, crashes with a store that lags.
//!
//! After each the faults end, everything has to come to rest, and the destination's logs, the offset
//! map and every position that was ever stored are compared with the truth. A failing life prints its
//! number; [`SEEDS`] is the place to keep it.
//!
//! In some lives a process is overtaken and runs on beside its successor, until it has looked whose the link is; in some somebody
//! else writes where records have the source's offsets, which then are mapped.
//!
//! In some lives cleaners and retention take records away, before or after they were copied: those may be
//! missing, and what is reported as possibly twice may be twice, but nothing else. In some the destination
//! refuses records, which are to be left out and reported; its limits change.
//!
//! How much is lived is chosen when the tests are built: `TRIBUTARY_SIMULATION_STEPS` is the least number of steps for each of a
//! thousand seeds, in each kind of lives. Ten million steps over a thousand seeds are
//!
//! ```text
//! TRIBUTARY_SIMULATION_STEPS=5000 cargo test --release -p replication simulation -- --nocapture
//! ```
//!
//! A checker that cannot fail proves nothing: the same lives with a fault planted in the glue (never
//! in the product) have to be found out.

#![expect(
    clippy::print_stdout,
    reason = "what happened in all lives is worth a line"
)]

mod life;
mod logs;

use life::{Life, Plant, Tally};

use crate::data_plane::DecodeReason;

/// Lives that once failed.
const SEEDS: [u64; 8] = [641_000_000, 208, 626, 1402, 1825, 3672, 4124, 587_000_026];
/// The same, where brokers forget: late copies behind a batch that left a hole, and before a position that was stored soon.
const FORGETTING_SEEDS: [u64; 4] = [68_000_015, 62_000_015, 189_000_002, 275_000_003];
/// The same, where the source loses records: a batch took the place of the one before it, and the source lost both.
const LOSING_SEEDS: [u64; 1] = [314_000_041];
/// A process that was overtaken stored, under a new producer, what its successor had not stored before it wrote.
const OVERTAKEN_SEEDS: [u64; 1] = [259_000_027];
/// Lives of one run.
const LIVES: u64 = 2000;
/// Seeds of a long one; each gives as many lives as its steps need.
const LONG_SEEDS: u64 = 1000;
/// Lives of one seed of a long run at most: they are numbered apart.
const OF_ONE_SEED: u64 = 1_000_000;

/// The least number of steps of each seed, in a long run.
fn long_steps() -> Option<u64> {
    option_env!("TRIBUTARY_SIMULATION_STEPS")?.parse().ok()
}

/// Lives all the lives of a run, and says what happened in them.
fn lived(first: &[u64], make: fn(u64, Plant) -> Life) -> Tally {
    let mut all = Tally::default();
    let mut live = |seed| match make(seed, Plant::Nothing).live() {
        Ok(tally) => {
            all += tally;
            tally.steps
        }
        Err(found) => panic!("life {seed}: {found}"),
    };
    first.iter().copied().chain(0..LIVES).for_each(|seed| {
        live(seed);
    });
    if let Some(least) = long_steps() {
        for seed in 1..=LONG_SEEDS {
            let (mut steps, mut number) = (0, seed * OF_ONE_SEED);
            while steps < least {
                steps += live(number);
                number += 1;
            }
        }
    }
    all
}

#[test]
fn nothing_is_lost_doubled_or_displaced_whatever_happens() {
    let all = lived(&SEEDS, Life::new);
    println!("{all:?}");
    // Lives in which nothing happens prove nothing.
    let eventful = all.crashes > LIVES / 10
        // A partition whose leader moved has nothing on its way that could be cut.
        && all.cuts > LIVES / 3
        && all.raised_epochs > LIVES / 10
        && all.landed > LIVES
        && all.let_go > LIVES / 100
        && all.apart > LIVES / 4
        && all.records > 20 * LIVES
        && all.cleaned > LIVES / 2
        && all.skipped > LIVES / 2
        && all.repeated > LIVES / 20
        && [
            DecodeReason::Thinned,
            DecodeReason::TooLarge,
            DecodeReason::BegunInside,
            DecodeReason::Merged,
        ]
        .iter()
        .all(|reason| all.decoded[*reason as usize] > LIVES / 50);
    assert!(eventful, "{all:?}");
}

#[test]
fn records_keep_their_offsets_whatever_happens() {
    let all = lived(&[], Life::preserving);
    println!("{all:?}");
    let eventful = all.crashes > LIVES / 10
        && all.cuts > LIVES / 4
        && all.markers > 2 * LIVES
        && all.beside > LIVES / 50
        && all.records > 10 * LIVES;
    assert!(eventful, "{all:?}");
    // Where brokers forget, a late copy may come through; it is seldom, and never silent.
    let usual = all.steps / 210;
    assert!(all.stopped < usual / 20, "{all:?}");
}

#[test]
fn where_brokers_forget_writers_what_is_there_twice_is_told() {
    let all = lived(&FORGETTING_SEEDS, Life::forgetting);
    println!("{all:?}");
    let eventful = all.crashes > LIVES / 10 && all.cuts > LIVES / 4 && all.twice > LIVES / 100;
    assert!(eventful, "{all:?}");
    let usual = all.steps / 210;
    assert!(all.stopped < usual / 20, "{all:?}");
    // After a crash it may be told again; what is there once is not.
    assert!(all.repeated < 5 * all.twice, "{all:?}");
}

#[test]
fn a_copy_whose_source_lost_records_goes_on_at_equal_offsets_and_nobody_reads_filler() {
    let all = lived(&LOSING_SEEDS, Life::losing);
    println!("{all:?}");
    let eventful = all.crashes > LIVES / 10 && all.markers > 2 * LIVES;
    assert!(eventful, "{all:?}");
}

#[test]
fn what_is_written_in_transactions_is_there_once_whatever_happens() {
    let all = lived(&[], Life::transacting);
    println!("{all:?}");
    let eventful = all.crashes > LIVES / 10 && all.cuts > LIVES / 4 && all.records > 10 * LIVES;
    assert!(eventful, "{all:?}");
    assert_eq!((all.repeated, all.twice), (0, 0), "{all:?}");
}

#[test]
fn a_process_that_runs_on_beside_its_successor_leaves_every_record_once() {
    let all = lived(&OVERTAKEN_SEEDS, Life::overtaken);
    println!("{all:?}");
    let eventful = all.crashes > LIVES / 10 && all.beside > LIVES / 10;
    assert!(eventful, "{all:?}");
    assert_eq!((all.repeated, all.twice), (0, 0), "{all:?}");
}

#[test]
fn what_an_overtaken_process_writes_twice_where_brokers_forget_writers_is_told() {
    let all = lived(&[], Life::overtaken_and_forgotten);
    println!("{all:?}");
    let eventful = all.crashes > LIVES / 10 && all.beside > LIVES / 10;
    assert!(eventful, "{all:?}");
    assert!(all.stopped < all.steps / 210 / 20, "{all:?}");
}

#[test]
fn a_process_that_runs_on_beside_its_successor_leaves_every_record_at_its_offset() {
    let all = lived(&[], Life::overtaken_in_place);
    println!("{all:?}");
    let eventful = all.crashes > LIVES / 10 && all.beside > LIVES / 10;
    assert!(eventful, "{all:?}");
}

#[test]
fn where_others_write_among_preserved_offsets_every_record_is_there_once_and_mapped() {
    let all = lived(&[], Life::handing);
    println!("{all:?}");
    let eventful = all.crashes > LIVES / 10 && all.cuts > LIVES / 4 && all.handed > LIVES / 10;
    assert!(eventful, "{all:?}");
}

#[test]
fn a_commit_that_is_taken_for_done_when_its_answer_is_lost_is_found_out() {
    let lives = 500;
    let found = |seed: &u64| {
        Life::transacting(*seed, Plant::BelieveInCuts)
            .live()
            .is_err()
    };
    let found = (0..lives).filter(found).count();
    assert!(found > 5, "only {found} of {lives} lives noticed");
}

#[test]
fn markers_that_are_written_again_without_a_look_at_the_end_are_found_out() {
    found_out_in_places(Plant::MarkersAgain);
}

#[test]
fn a_gap_that_is_filled_although_the_process_before_may_have_done_so_is_found_out() {
    found_out_in_places(Plant::UnreadGap);
}

#[test]
fn an_end_that_is_read_only_once_after_a_doubt_is_found_out() {
    found_out_in_places(Plant::OneReading);
}

fn found_out_in_places(plant: Plant) {
    let lives = 1500;
    let found = (0..lives).filter(|seed| Life::preserving(*seed, plant).live().is_err());
    let found = found.count();
    assert!(found > 2, "only {found} of {lives} lives noticed {plant:?}");
}

#[test]
fn a_process_that_never_learns_that_it_was_overtaken_is_found_out() {
    let (lives, plant) = (1500, Plant::NeverAsk);
    let found = (0..lives).filter(|seed| Life::overtaken_in_place(*seed, plant).live().is_err());
    let found = found.count();
    assert!(found > 2, "only {found} of {lives} lives noticed");
}

#[test]
fn positions_stored_ahead_of_the_acknowledgement_are_found_out() {
    found_out(Plant::StoreAhead);
}

#[test]
fn a_forgotten_look_at_the_destinations_tail_is_found_out() {
    found_out(Plant::ForgetTail);
}

#[test]
fn calls_that_are_taken_for_answered_when_a_connection_ends_are_found_out() {
    found_out(Plant::BelieveInCuts);
}

#[test]
fn a_partition_that_is_not_rewound_is_found_out() {
    found_out(Plant::ForgetRewind);
}

#[test]
fn what_is_sent_again_without_a_raised_epoch_is_found_out() {
    found_out(Plant::KeepEpoch);
}

fn found_out(plant: Plant) {
    let lives = 120;
    let found = (0..lives).filter(|seed| Life::new(*seed, plant).live().is_err());
    let found = found.count();
    assert!(found > 5, "only {found} of {lives} lives noticed {plant:?}");
}
