//! What a topic weighs on a broker's disk: bytes and batches, read from the segments themselves.
//!
//! These are the wire bytes of the report: what a replicator receives and sends, framing aside. A log on disk is a row of
//! record batches; each begins with its base offset (8 bytes) and the length of what follows (4 bytes, big endian).

use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::failure::{Attempt as _, Failure, Result};

/// Bytes of base offset and length field.
const PREFIX: u64 = 12;

/// Size of a topic's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LogSize {
    pub(super) bytes: u64,
    pub(super) batches: u64,
}

/// Adds up the segments of all partitions of `topic` in a broker's log directory.
pub(super) fn measure(log_directory: &Path, topic: &str) -> Result<LogSize> {
    let mut size = LogSize::default();
    let prefix = format!("{topic}-");
    for entry in fs::read_dir(log_directory).attempting("list the broker's log directory")? {
        let entry = entry.attempting("list the broker's log directory")?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let partition = name
            .strip_prefix(&prefix)
            .is_some_and(|rest| rest.parse::<u32>().is_ok());
        if !partition {
            continue;
        }
        for segment in fs::read_dir(entry.path()).attempting("list a partition")? {
            let path = segment.attempting("list a partition")?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                add_segment(&path, &mut size)?;
            }
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

fn add_segment(path: &Path, size: &mut LogSize) -> Result<()> {
    let what = || format!("read {}", path.display());
    let file = File::open(path).attempting(what())?;
    let total = file.metadata().attempting(what())?.len();
    let mut reader = BufReader::new(file);
    let mut at = 0;
    while at + PREFIX <= total {
        let mut prefix = [0; 12];
        reader.seek(SeekFrom::Start(at)).attempting(what())?;
        reader.read_exact(&mut prefix).attempting(what())?;
        let [.., a, b, c, d] = prefix;
        let length = u64::from(u32::from_be_bytes([a, b, c, d]));
        if length == 0 {
            // A segment that is still written may be longer than what was written to it.
            break;
        }
        at += PREFIX + length;
        size.bytes += PREFIX + length;
        size.batches += 1;
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
        assert_eq!(
            size,
            LogSize {
                bytes: 49 + 60 + 50 + 51 + 4 * 12,
                batches: 4
            }
        );
        assert!(measure(directory.path(), "absent").is_err());
    }
}
