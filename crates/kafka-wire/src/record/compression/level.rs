//! A codec and how hard it works, and how hard each codec is to work.

use std::ops::RangeInclusive;

use crate::batch::Codec;

/// A level that the codec does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{codec} has no level {level}; {}", allowed(*.codec))]
pub struct LevelOutOfRange {
    /// The codec.
    pub codec: Codec,
    /// The level that was asked for.
    pub level: i32,
}

fn allowed(codec: Codec) -> String {
    levels(codec).map_or_else(
        || "it has no levels".to_owned(),
        |range| format!("allowed are {} to {}", range.start(), range.end()),
    )
}

/// Kafka's bounds (KIP-390).
fn levels(codec: Codec) -> Option<RangeInclusive<i32>> {
    match codec {
        Codec::Gzip => Some(1..=9),
        Codec::Lz4 => Some(1..=17),
        Codec::Zstd => Some(-131_072..=22),
        Codec::None | Codec::Snappy | Codec::Unknown(_) => None,
    }
}

/// How a payload is to be compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

impl Compression {
    /// No compression.
    pub const NONE: Self = Self {
        codec: Codec::None,
        level: 0,
    };

    /// A codec at Kafka's default level: 6 of gzip, 9 of lz4, 3 of zstd. `None` for a codec that Kafka
    /// does not know.
    #[must_use]
    pub fn new(codec: Codec) -> Option<Self> {
        Levels::default().of(codec)
    }

    /// The same codec at another level. Every level of lz4 is the fast one; the number is accepted
    /// because Kafka has it. −1 is gzip's name for its default.
    ///
    /// # Errors
    /// Where the codec has no such level.
    pub fn with_level(self, level: i32) -> Result<Self, LevelOutOfRange> {
        let codec = self.codec;
        if codec == Codec::Gzip && level == -1 {
            return Ok(Self { codec, level: 6 });
        }
        match levels(codec) {
            Some(range) if range.contains(&level) => Ok(Self { codec, level }),
            _ => Err(LevelOutOfRange { codec, level }),
        }
    }

    /// The codec; never an unknown one.
    #[must_use]
    pub fn codec(self) -> Codec {
        self.codec
    }

    /// The level; 0 where the codec has none.
    #[must_use]
    pub fn level(self) -> i32 {
        self.level
    }
}

/// The level of each codec that has levels; Kafka's defaults at first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Levels {
    gzip: i32,
    lz4: i32,
    zstd: i32,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            gzip: 6,
            lz4: 9,
            zstd: 3,
        }
    }
}

impl Levels {
    /// The codecs that have levels, by the names that Kafka's settings give them.
    pub const CODECS: [(&str, Codec); 3] = [
        ("gzip", Codec::Gzip),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd),
    ];

    /// The same with another level of one codec.
    ///
    /// # Errors
    /// Where the codec has no such level.
    pub fn with(mut self, codec: Codec, level: i32) -> Result<Self, LevelOutOfRange> {
        let level = Compression { codec, level }.with_level(level)?.level;
        match codec {
            Codec::Gzip => self.gzip = level,
            Codec::Lz4 => self.lz4 = level,
            Codec::Zstd => self.zstd = level,
            Codec::None | Codec::Snappy | Codec::Unknown(_) => {}
        }
        Ok(self)
    }

    /// A codec at its level. `None` for a codec that Kafka does not know.
    #[must_use]
    pub fn of(self, codec: Codec) -> Option<Compression> {
        let level = match codec {
            Codec::None | Codec::Snappy => 0,
            Codec::Gzip => self.gzip,
            Codec::Lz4 => self.lz4,
            Codec::Zstd => self.zstd,
            Codec::Unknown(_) => return None,
        };
        Some(Compression { codec, level })
    }
}
