//! What a topic weighs on a broker's disk: bytes and batches, read from the segments themselves.
//!
//! These are the wire bytes of the report: what a replicator receives and sends, framing aside. A log on disk is a row of
//! record batches; each begins with its base offset (8 bytes) and the length of what follows (4 bytes, big endian). A batch that
//! spans more offsets than it has records was thinned by the cleaner.

use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::failure::{Attempt as _, Failure, Result};

/// Bytes of base offset and length field.
const PREFIX: u64 = 12;

/// Bytes of a batch's header: the last offset's delta stands at 23, the number of records at 57, four bytes each.
const HEADER: usize = 61;

/// Size of a topic's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LogSize {
    pub(super) bytes: u64,
    pub(super) batches: u64,
    /// How many of them the cleaner has taken records out of.
    pub(super) thinned: u64,
}

/// Adds up the segments of all partitions of `topic` in a broker's log directory.
pub(super) fn measure(log_directory: &Path, topic: &str) -> Result<LogSize> {
    let mut size = LogSize::default();
    for (_, segments) in segments(log_directory, topic)? {
        for path in segments {
            add_segment(&path, &mut size)?;
        }
    }
    if size.batches == 0 {
        let place = log_directory.display();
        return Err(Failure::new(format!(
            "there are no batches of {topic} in {place}"
        )));
    }
    Ok(size)
}

/// The base offset of each partition's newest segment.
pub(super) fn newest_segments(log_directory: &Path, topic: &str) -> Result<Vec<(u32, i64)>> {
    let newest = |(partition, segments): (u32, Vec<PathBuf>)| {
        let base = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<i64>().ok();
        Some((partition, segments.iter().filter_map(base).max()?))
    };
    Ok(segments(log_directory, topic)?
        .into_iter()
        .filter_map(newest)
        .collect())
}

/// The segments of each partition.
fn segments(log_directory: &Path, topic: &str) -> Result<Vec<(u32, Vec<PathBuf>)>> {
    let prefix = format!("{topic}-");
    let mut found = Vec::new();
    for entry in fs::read_dir(log_directory).attempting("list the broker's log directory")? {
        let entry = entry.attempting("list the broker's log directory")?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix(&prefix).map(str::parse::<u32>);
        let Some(Ok(partition)) = number else {
            continue;
        };
        let mut segments = Vec::new();
        for segment in fs::read_dir(entry.path()).attempting("list a partition")? {
            let path = segment.attempting("list a partition")?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                segments.push(path);
            }
        }
        found.push((partition, segments));
    }
    Ok(found)
}

fn add_segment(path: &Path, size: &mut LogSize) -> Result<()> {
    let what = || format!("read {}", path.display());
    let file = File::open(path).attempting(what())?;
    let total = file.metadata().attempting(what())?.len();
    let mut reader = BufReader::new(file);
    let mut at = 0;
    while at + PREFIX <= total {
        let mut header = [0; HEADER];
        let known = usize::try_from(total - at).unwrap_or(HEADER).min(HEADER);
        reader.seek(SeekFrom::Start(at)).attempting(what())?;
        reader.read_exact(&mut header[..known]).attempting(what())?;
        let number = |at: usize| {
            let bytes = header[at..at + 4].first_chunk();
            u32::from_be_bytes(*bytes.expect("four bytes of 61"))
        };
        let length = u64::from(number(8));
        if length == 0 {
            // A segment that is still written may be longer than what was written to it.
            break;
        }
        at += PREFIX + length;
        size.bytes += PREFIX + length;
        size.batches += 1;
        size.thinned += u64::from(known == HEADER && number(57) <= number(23));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_counted_and_other_topics_are_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let batch = |length: u8| {
            let mut bytes = vec![0; 11];
            bytes.push(length);
            bytes.extend(vec![7; usize::from(length)]);
            bytes
        };
        for (name, lengths) in [
            ("bench-0", [49, 60]),
            ("bench-1", [50, 51]),
            ("bench-x-0", [9, 9]),
        ] {
            let partition = directory.path().join(name);
            fs::create_dir(&partition).expect("a directory");
            let bytes = lengths.map(batch).concat();
            fs::write(partition.join("00000000000000000000.log"), bytes).expect("a file");
        }
        let size = measure(directory.path(), "bench").expect("it is there");
        assert_eq!((size.bytes, size.batches), (49 + 60 + 50 + 51 + 4 * 12, 4));
        assert!(measure(directory.path(), "absent").is_err());
        let newest = newest_segments(directory.path(), "bench").expect("it is there");
        assert_eq!(newest.len(), 2);
        assert!(newest.iter().all(|(_, base)| *base == 0), "{newest:?}");
    }

    #[test]
    fn a_batch_with_fewer_records_than_offsets_is_thinned() {
        let directory = tempfile::tempdir().expect("a directory");
        let partition = directory.path().join("bench-0");
        fs::create_dir(&partition).expect("a directory");
        let batch = |last_delta: u8, records: u8| {
            let mut bytes = [0; HEADER];
            (bytes[11], bytes[26], bytes[60]) = (49, last_delta, records);
            bytes
        };
        let bytes = [batch(9, 10), batch(9, 7), batch(0, 1), batch(3, 1)].concat();
        fs::write(partition.join("00000000000000000000.log"), bytes).expect("a file");
        let size = measure(directory.path(), "bench").expect("it is there");
        assert_eq!((size.batches, size.thinned), (4, 2));
    }
}
