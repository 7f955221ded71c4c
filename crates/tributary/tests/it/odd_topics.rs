//! Names and settings that brokers allow and nobody expects, with the program killed while it copies them.

use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{self, Codec, Generator, Load, Mode, Shape, topic_settings};

use crate::support::{
    Replicate, both_directions, committed, compared, new_topic, offsets, stored, transactions,
    unique,
};

const SEED: u64 = 249;
/// The longest name that a broker takes.
const LONGEST: usize = 249;

/// A topic: name, partitions, settings, codec, and whether its records come in transactions.
type Odd = (
    String,
    i32,
    &'static [(&'static str, &'static str)],
    Codec,
    bool,
);

fn odd_topics(prefix: &str) -> Vec<Odd> {
    let longest = format!("{prefix}.{}", "z".repeat(LONGEST - 1 - prefix.len()));
    vec![
        (
            format!("-{prefix}"),
            1,
            &[("segment.ms", "1")],
            Codec::Gzip,
            false,
        ),
        (
            format!(".{prefix}"),
            2,
            &[
                ("cleanup.policy", "compact"),
                ("min.compaction.lag.ms", "9223372036854775807"),
            ],
            Codec::Zstd,
            false,
        ),
        // The destination's broker compresses anew: what landed cannot be recognised by its bytes.
        (
            format!("{prefix}_"),
            1,
            &[("compression.type", "zstd")],
            Codec::Lz4,
            true,
        ),
        (
            format!("{prefix}..x"),
            3,
            &[("compression.type", "uncompressed"), ("retention.ms", "-1")],
            Codec::Snappy,
            false,
        ),
        (longest, 1, &[("retention.bytes", "-1")], Codec::None, true),
        (
            prefix.to_uppercase(),
            50,
            &[
                ("unclean.leader.election.enable", "true"),
                ("flush.messages", "1"),
            ],
            Codec::Lz4,
            false,
        ),
        (
            format!("{prefix}-stamped"),
            1,
            &[("message.timestamp.type", "LogAppendTime")],
            Codec::Gzip,
            false,
        ),
    ]
}

#[tokio::test]
async fn odd_names_and_settings_arrive_whole_although_the_program_is_killed() {
    both_directions(odd).await;
}

async fn odd(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("odd");
    let topics = odd_topics(&prefix);
    for (topic, partitions, settings, codec, transactional) in &topics {
        new_topic(source, topic, *partitions, settings).await;
        let compacted = settings.contains(&("cleanup.policy", "compact"));
        let shape = match compacted {
            true => Shape::uniform(SEED, *partitions, 300),
            false => Shape::mixed(SEED, *partitions),
        };
        let mode = match transactional {
            true => transactions(SEED),
            false => Mode::Plain,
        };
        Load::new(source.bootstrap(), topic)
            .codec(*codec)
            .setting("batch.size", "16384")
            .mode(mode)
            .send(Generator::new(shape).take(1_500))
            .await
            .expect("acknowledged");
    }
    let pattern = format!(".*({prefix}|{}).*", prefix.to_uppercase());
    let link = Replicate::new(source, destination, &pattern)
        .with(&["--set", "tributary.timestamps=appended"]);
    let copies: Vec<_> = topics
        .iter()
        .map(|(topic, ..)| stored(destination, topic))
        .collect();
    for stage in 1..4 {
        let program = link.start();
        let begun = async || {
            let mut sum = 0;
            for copy in &copies {
                sum += offsets(copy).await;
            }
            sum >= stage * 1_500
        };
        test_support::eventually::eventually_true("a part", crate::support::COPIED, begun)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
        program.kill9();
    }
    let run = link.until_caught_up().await.ended_with(0);
    let there = workload::topics(&destination.bootstrap())
        .await
        .expect("listed");
    for ((topic, partitions, settings, ..), copy) in topics.iter().zip(&copies) {
        let verdict = compared(&committed(source, topic), copy).await;
        assert!(verdict.is_equal(), "{topic}, seed {SEED}: {verdict}\n{run}");
        assert_eq!(
            there[topic],
            usize::try_from(*partitions).expect("few"),
            "{topic}"
        );
        let seen = topic_settings(&destination.bootstrap(), topic).await;
        let seen = seen.expect("readable");
        for (key, value) in *settings {
            // Records keep the times that the source has given them.
            let expected = match *key {
                "message.timestamp.type" => "CreateTime",
                _ => value,
            };
            let found = seen.get(*key).map_or("", String::as_str);
            assert_eq!(found, expected, "{topic}: {key}");
        }
    }
}
