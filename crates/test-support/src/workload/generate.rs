//! Records from a seed: null, empty, small and large, with headers in every awkward form.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::judge::ReadRecord;

/// 2025-01-01 00:00 UTC. Far enough from now that append times cannot be mistaken for these.
const FIRST_TIMESTAMP: i64 = 1_735_689_600_000;

/// What the records look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Everything random comes from here.
    pub seed: u64,
    /// Who produces; stands in every value, so that records of several generators differ.
    pub producer: u32,
    /// Records go to partitions 0 to this, exclusive.
    pub partitions: i32,
    /// The largest value in bytes.
    pub largest_value: usize,
    /// If set, every key and value has a fixed size and there are no headers: for benchmarks.
    pub uniform: Option<usize>,
}

impl Shape {
    /// Mixed records with values up to 64 KiB.
    #[must_use]
    pub fn mixed(seed: u64, partitions: i32) -> Self {
        Self {
            seed,
            producer: 0,
            partitions,
            largest_value: 64 * 1024,
            uniform: None,
        }
    }

    /// Records whose value has this many bytes, half of it compressible, with a short key.
    #[must_use]
    pub fn uniform(seed: u64, partitions: i32, value_bytes: usize) -> Self {
        Self {
            seed,
            producer: 0,
            partitions,
            largest_value: value_bytes,
            uniform: Some(value_bytes),
        }
    }

    /// The same, from another producer.
    #[must_use]
    pub fn producer(mut self, producer: u32) -> Self {
        self.producer = producer;
        self
    }

    /// The same with another largest value.
    #[must_use]
    pub fn largest_value(mut self, bytes: usize) -> Self {
        self.largest_value = bytes;
        self
    }
}

/// A record to be produced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedRecord {
    /// Where it goes.
    pub partition: i32,
    /// Milliseconds since 1970; mostly rising, sometimes not.
    pub timestamp: i64,
    /// Null, empty or not.
    pub key: Option<Vec<u8>>,
    /// Null, empty or not.
    pub value: Option<Vec<u8>>,
    /// In order; keys repeat, values are null or empty now and then.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl GeneratedRecord {
    /// What the judge reads when this record arrived unchanged.
    #[must_use]
    pub fn as_read(&self, offset: i64) -> ReadRecord {
        ReadRecord {
            offset,
            timestamp: Some(self.timestamp),
            key: self.key.clone(),
            value: self.value.clone(),
            headers: self.headers.clone(),
        }
    }
}

/// An endless sequence of records.
#[derive(Debug)]
pub struct Generator {
    shape: Shape,
    random: StdRng,
    sequence: u64,
    /// Random bytes that values take pieces of: making each byte anew would cost more than producing it.
    noise: Vec<u8>,
}

impl Generator {
    /// From the beginning of the shape's sequence.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let mut random = StdRng::seed_from_u64(shape.seed ^ (u64::from(shape.producer) << 32));
        let noise = (0..shape.largest_value.max(1024) * 2)
            .map(|_| random.random())
            .collect();
        Self {
            shape,
            random,
            sequence: 0,
            noise,
        }
    }

    fn key(&mut self) -> Option<Vec<u8>> {
        match self.random.random_range(0..10) {
            0 | 1 => None,
            2 => Some(Vec::new()),
            // Few different keys: they repeat, as in compacted topics.
            _ => Some(format!("key-{}", self.random.random_range(0..50)).into_bytes()),
        }
    }

    fn value(&mut self, partition: i32) -> Option<Vec<u8>> {
        let largest = self.shape.largest_value;
        match self.random.random_range(0..100) {
            0..8 => None,
            8..16 => Some(Vec::new()),
            16..90 => Some(self.bytes(partition, 24, largest.min(400))),
            90..99 => Some(self.bytes(partition, 400, largest.min(8 * 1024))),
            _ => Some(self.bytes(partition, largest / 2, largest)),
        }
    }

    /// Producer, partition and sequence, then noise, then a stretch that compresses well.
    fn bytes(&mut self, partition: i32, least: usize, most: usize) -> Vec<u8> {
        let length = if least < most {
            self.random.random_range(least..=most)
        } else {
            most
        };
        let mut bytes =
            format!("{}/{partition}/{};", self.shape.producer, self.sequence).into_bytes();
        let noisy = length.saturating_sub(bytes.len()) / 2;
        let at = self.random.random_range(0..=self.noise.len() - noisy);
        bytes.extend_from_slice(&self.noise[at..at + noisy]);
        bytes.resize(length.max(bytes.len()), b'.');
        bytes
    }

    fn headers(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let count = self.random.random_range(0_usize..8).saturating_sub(3);
        (0..count)
            .map(|_| {
                let name = ["trace", "trace", "schema id", ""][self.random.random_range(0..4)];
                let value = match self.random.random_range(0..4) {
                    0 => None,
                    1 => Some(Vec::new()),
                    _ => Some(self.random.random::<u64>().to_be_bytes().to_vec()),
                };
                (name.to_owned(), value)
            })
            .collect()
    }
}

impl Iterator for Generator {
    type Item = GeneratedRecord;

    fn next(&mut self) -> Option<GeneratedRecord> {
        let partition = self.random.random_range(0..self.shape.partitions);
        let elapsed = i64::try_from(self.sequence).unwrap_or(i64::MAX / 2);
        let record = if let Some(size) = self.shape.uniform {
            let key =
                Some(format!("key-{:08}", self.random.random_range(0..1_000_000)).into_bytes());
            let value = Some(self.bytes(partition, size, size));
            GeneratedRecord {
                partition,
                timestamp: FIRST_TIMESTAMP + elapsed,
                key,
                value,
                headers: Vec::new(),
            }
        } else {
            // Producers' clocks jump back now and then.
            let back = if self.random.random_range(0..20) == 0 {
                5_000
            } else {
                0
            };
            GeneratedRecord {
                partition,
                timestamp: FIRST_TIMESTAMP + elapsed - back,
                key: self.key(),
                value: self.value(partition),
                headers: self.headers(),
            }
        };
        self.sequence += 1;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_records_and_another_does_not() {
        let take = |seed| {
            Generator::new(Shape::mixed(seed, 3))
                .take(500)
                .collect::<Vec<_>>()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }

    #[test]
    fn every_awkward_shape_occurs() {
        let records: Vec<_> = Generator::new(Shape::mixed(7, 3)).take(2000).collect();
        let any = |holds: &dyn Fn(&GeneratedRecord) -> bool| assert!(records.iter().any(holds));
        any(&|record| record.key.is_none());
        any(&|record| record.key.as_ref().is_some_and(Vec::is_empty));
        any(&|record| record.value.is_none());
        any(&|record| record.value.as_ref().is_some_and(Vec::is_empty));
        any(&|record| {
            record
                .value
                .as_ref()
                .is_some_and(|value| value.len() > 32 * 1024)
        });
        any(&|record| record.headers.len() >= 2 && record.headers[0].0 == record.headers[1].0);
        any(&|record| record.headers.iter().any(|(_, value)| value.is_none()));
        any(&|record| {
            record
                .headers
                .iter()
                .any(|(_, value)| value.as_ref().is_some_and(Vec::is_empty))
        });
        any(&|record| record.headers.iter().any(|(name, _)| name.is_empty()));
        any(&|record| record.partition == 2);
    }

    #[test]
    fn uniform_records_have_the_size_that_was_asked_for() {
        for record in Generator::new(Shape::uniform(1, 12, 1024)).take(100) {
            assert_eq!(record.value.map(|value| value.len()), Some(1024));
        }
    }
}
