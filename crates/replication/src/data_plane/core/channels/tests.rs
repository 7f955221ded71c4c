//! How many connections there are over lines of all kinds.

use super::*;

const TRIP: Duration = Duration::from_millis(100);

/// An answer of so many bytes, over a way as long as [`TRIP`].
fn answer(bytes: usize, took: Duration) -> Reading {
    Reading {
        bytes,
        took,
        round_trip: TRIP,
        ..Reading::default()
    }
}

/// Answers for a minute, of a line that carries `line` bytes per second and connections that carry `each`.
fn read(channels: &mut Channels, line: f64, each: f64, begin: Instant) -> Vec<u16> {
    let mut counts = Vec::new();
    let mut now = begin;
    while now < begin + Duration::from_secs(60) {
        let count = channels.count();
        let bytes = 800_000.0;
        let pace = each.min(line / f64::from(count));
        let took = TRIP + Duration::from_secs_f64(bytes / pace);
        now += took;
        for _ in 0..count {
            let reading = answer(800_000, took);
            channels.add(&reading, now, |_| true);
        }
        if counts.last() != Some(&channels.count()) {
            counts.push(channels.count());
        }
    }
    counts
}

#[test]
fn connections_are_added_while_each_is_limited_by_its_window() {
    let mut channels = Channels::new(32);
    assert_eq!(channels.way(Side::Source, NodeId(3)), None);
    let counts = read(&mut channels, 50e6, 1e6, Instant::now());
    assert_eq!(counts, [1, 4, 16, 28]);
    let way = channels
        .way(Side::Source, NodeId(3))
        .expect("it is far away");
    assert_eq!((way.broker, way.connections, way.round_trip), (3, 28, TRIP));
    let window = way.window.expect("it was found");
    assert!((80_000..=100_000).contains(&window), "{window}");
}

#[test]
fn where_the_line_is_full_the_last_step_is_taken_back() {
    let mut channels = Channels::new(32);
    let counts = read(&mut channels, 4e6, 1e6, Instant::now());
    assert_eq!(counts, [1, 4, 16, 4]);
}

#[test]
fn that_more_did_not_help_says_nothing_where_there_are_fewer() {
    let mut channels = Channels::new(32);
    let begin = Instant::now();
    read(&mut channels, 4e6, 1e6, begin);
    let begin = begin + Duration::from_secs(60);
    read(&mut channels, 4e6, 1e6, begin);
    // Nothing is read for more than a minute, but for a word now and then.
    let small = Reading {
        bytes: 1_000,
        took: TRIP,
        ..Reading::default()
    };
    let mut now = begin + Duration::from_secs(60);
    while channels.count() > 1 {
        now += Duration::from_secs(1);
        channels.add(&small, now, |_| false);
        assert!(now < begin + Duration::from_secs(180));
    }
    let counts = read(&mut channels, 4e6, 1e6, now);
    assert_eq!(counts[..2], [1, 4], "{counts:?}");
}

#[test]
fn where_nothing_is_behind_more_are_not_tried_and_not_found_useless() {
    let mut channels = Channels::new(32);
    let reading = answer(80_000, TRIP);
    let mut now = Instant::now();
    for _ in 0..600 {
        now += TRIP;
        channels.add(&reading, now, |_| false);
        assert_eq!(channels.count(), 1);
    }
    let counts = read(&mut channels, 50e6, 1e6, now);
    assert_eq!(counts, [4, 16, 28]);
}

#[test]
fn a_step_ends_where_a_broker_refuses_connections() {
    let mut channels = Channels::new(32);
    let mut now = Instant::now();
    let reading = answer(800_000, TRIP * 10);
    while channels.count() == 1 {
        now += reading.took;
        channels.add(&reading, now, |_| true);
    }
    // One that there was before breaks now and then.
    channels.on_failed(0, now);
    assert_eq!(channels.count(), 4);
    channels.on_failed(2, now);
    assert_eq!(channels.count(), 1);
}

#[test]
fn full_answers_under_a_low_limit_are_what_a_connection_is_busy_with() {
    let mut channels = Channels::new(32);
    let reading = answer(52_000, TRIP);
    let mut now = Instant::now();
    for _ in 0..30 {
        now += reading.took;
        channels.add(&reading, now, |_| true);
    }
    assert_eq!(channels.count(), 4);
}

#[test]
fn a_step_is_not_judged_by_what_was_on_its_way_before() {
    let begin = Instant::now();
    // When an answer comes, its megabytes, and how many seconds it took: how many connections there are then.
    let counts = |answers: &[(u64, usize, u64)]| -> Vec<u16> {
        let mut channels = Channels::new(8);
        let count = |&(at, megabytes, seconds): &(u64, usize, u64)| {
            let reading = answer(megabytes * 1_000_000, Duration::from_secs(seconds));
            channels.add(&reading, begin + Duration::from_secs(at), |_| true);
            channels.count()
        };
        answers.iter().map(count).collect()
    };
    // What comes within a second of the step is not counted; of the next one a quarter came after that.
    let before = counts(&[(0, 1, 2), (2, 1, 2), (3, 4, 4), (4, 4, 4), (5, 0, 1)]);
    assert_eq!(before, [1, 4, 4, 4, 1]);
    let after = counts(&[(0, 1, 2), (2, 1, 2), (3, 4, 4), (4, 4, 1), (5, 0, 1)]);
    assert_eq!(after, [1, 4, 4, 4, 4]);
}

#[test]
fn there_is_one_over_short_distances() {
    let mut channels = Channels::new(32);
    let mut now = Instant::now();
    for _ in 0..1000 {
        now += Duration::from_millis(10);
        let reading = Reading {
            bytes: 8_000_000,
            took: Duration::from_millis(10),
            round_trip: Duration::from_millis(1),
            ..Reading::default()
        };
        assert_eq!(channels.add(&reading, now, |_| true), Step::None);
    }
    assert_eq!(channels.count(), 1);
    let answer = channels.answer().expect("its pace is known");
    assert!(answer >= 700_000_000, "{answer}");
}

#[test]
fn answers_take_a_few_round_trips_at_the_pace_of_a_connection() {
    let mut channels = Channels::new(1);
    read(&mut channels, 50e6, 1e6, Instant::now());
    let answer = channels.answer().expect("it is distant");
    assert!((800_000..1_100_000).contains(&answer), "{answer}");
}

/// What a line and each connection over it carry, in bytes per second, and how long the way there and back takes.
struct Line {
    trip: Duration,
    all: f64,
    each: f64,
}

const NEARBY: Line = Line {
    trip: Duration::from_micros(300),
    all: 500e6,
    each: 500e6,
};
const FAR: Line = Line {
    trip: TRIP,
    all: 8e6,
    each: 1e6,
};

impl Line {
    /// An answer that is asked for now, and when it is there.
    fn answer(&self, channels: &Channels, most: f64, now: Instant) -> (Instant, Reading) {
        let bytes = channels.answer().map_or(most, f64::from).min(most);
        let pace = self.each.min(self.all / f64::from(channels.count()));
        let took = self.trip + Duration::from_secs_f64(bytes / pace);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "few"
        )]
        let bytes = bytes as usize;
        let reading = Reading {
            bytes,
            took,
            ..Reading::default()
        };
        (now + took, reading)
    }
}

/// Reads for so many seconds, with a question about ends in each: the numbers of connections, and in which second each began.
fn read_over(
    channels: &mut Channels,
    line: &Line,
    most: f64,
    (begin, seconds): (Instant, u64),
) -> Vec<(u64, u16)> {
    let mut counts = Vec::new();
    let (mut now, mut asks) = (begin, begin);
    let mut open = Vec::new();
    while now < begin + Duration::from_secs(seconds) {
        let count = usize::from(channels.count());
        open.truncate(count);
        // A connection is made, and asks.
        open.resize_with(count, || line.answer(channels, most, now + line.trip * 3));
        let next = open.iter_mut().min_by_key(|(there, _)| *there);
        let next = next.expect("at least one");
        let (there, reading) = *next;
        now = there;
        while asks <= now {
            channels.on_question(line.trip, asks);
            asks += Duration::from_secs(1);
        }
        channels.add(&reading, now, |_| true);
        *next = line.answer(channels, most, now);
        if counts
            .last()
            .is_none_or(|(_, last)| *last != channels.count())
        {
            counts.push(((now - begin).as_secs(), channels.count()));
        }
    }
    counts
}

#[test]
fn a_way_that_becomes_long_while_it_is_read_over_and_short_again_is_noticed() {
    // Answers under a limit, and as large as they become without one.
    for (most, within) in [(0.8e6, 10), (6e6, 14)] {
        let mut channels = Channels::new(32);
        let begin = Instant::now();
        let near = read_over(&mut channels, &NEARBY, most, (begin, 60));
        assert_eq!(
            (near, channels.way(Side::Source, NodeId(3))),
            (vec![(0, 1)], None)
        );
        let then = begin + Duration::from_secs(70);
        let far = read_over(&mut channels, &FAR, most, (then, 60));
        let counts: Vec<u16> = far.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [1, 4, 16, 28, 16], "{far:?}");
        assert!(far[2].0 <= within, "{far:?}");
        let way = channels
            .way(Side::Source, NodeId(3))
            .expect("it is far away");
        assert_eq!((way.round_trip, way.connections), (TRIP, 16));
        let again = then + Duration::from_secs(70);
        let near = read_over(&mut channels, &NEARBY, most, (again, 60));
        assert_eq!(near, [(0, 16), (10, 1)]);
        assert_eq!(channels.way(Side::Source, NodeId(3)), None);
    }
}

#[test]
fn that_more_did_not_help_over_another_way_says_nothing() {
    let mut channels = Channels::new(32);
    let begin = Instant::now();
    let full = Line { all: 0.2e6, ..FAR };
    let counts = read_over(&mut channels, &full, 1e6, (begin, 30));
    assert_eq!(
        counts.last().map(|(_, count)| *count),
        Some(1),
        "{counts:?}"
    );
    let farther = Line {
        trip: TRIP * 3,
        all: 8e6,
        each: 0.33e6,
    };
    let then = begin + Duration::from_secs(31);
    let counts = read_over(&mut channels, &farther, 1e6, (then, 35));
    assert!(channels.count() >= 4, "{counts:?}");
}

#[test]
fn a_broker_that_is_late_now_and_then_stays_near() {
    let mut channels = Channels::new(32);
    let begin = Instant::now();
    for second in 0..600 {
        let now = begin + Duration::from_secs(second);
        let late = Duration::from_millis(if second % 5 > 1 { 40 } else { 2 });
        channels.on_question(late, now);
        let reading = Reading {
            bytes: 8_000_000,
            took: Duration::from_millis(900),
            ..Reading::default()
        };
        channels.add(&reading, now, |_| true);
        assert_eq!((channels.is_distant(), channels.count()), (false, 1));
    }
}

#[test]
fn a_large_answer_says_by_when_it_began_how_long_the_way_is_at_most() {
    let mut channels = Channels::new(32);
    let begin = Instant::now();
    for second in 0..8 {
        channels.on_question(TRIP, begin + Duration::from_secs(second));
    }
    assert!(channels.is_distant());
    let reading = Reading {
        bytes: 8_000_000,
        took: TRIP,
        began: Some(Duration::from_millis(1)),
        ..Reading::default()
    };
    channels.add(&reading, begin + Duration::from_secs(8), |_| true);
    assert_eq!(
        (channels.is_distant(), channels.round_trip()),
        (false, TRIP / 100)
    );
}

#[test]
fn all_may_be_for_writing_and_answers_that_come_together_say_what_a_connection_carries() {
    let mut channels = Channels::for_writing(32);
    for _ in 0..3 {
        channels.on_question(TRIP, Instant::now());
    }
    let mut now = Instant::now();
    let mut counts = vec![];
    for _ in 0..600 {
        now += TRIP;
        for _ in 0..channels.count() {
            // 100 KB in each round trip, in five requests whose answers are taken in at once.
            for part in 0..5 {
                let took = if part == 0 {
                    TRIP
                } else {
                    Duration::from_micros(10)
                };
                let reading = Reading {
                    bytes: 20_000,
                    took,
                    began: Some(TRIP),
                    ..Reading::default()
                };
                channels.add(&reading, now, |_| true);
            }
        }
        counts.push(channels.count());
    }
    counts.dedup();
    assert_eq!(counts, [1, 4, 16, 32]);
    let way = channels
        .way(Side::Destination, NodeId(3))
        .expect("it is far away");
    let window = way.window.expect("it was found");
    assert!((90_000..=110_000).contains(&window), "{window}");
    let answer = channels.answer().expect("it is known");
    assert!((900_000..=1_100_000).contains(&answer), "{answer}");
}

#[test]
fn a_connection_that_carries_nothing_for_a_minute_is_the_only_one() {
    let mut channels = Channels::new(32);
    let begin = Instant::now();
    read(&mut channels, 50e6, 1e6, begin);
    let end = begin + Duration::from_secs(60);
    channels.rest(end + Duration::from_secs(58));
    assert_eq!(channels.count(), 28);
    channels.rest(end + Duration::from_secs(63));
    assert_eq!(channels.count(), 1);
}
