//! The file in which Kafka Connect's standalone mode keeps offsets: a Java `HashMap<byte[], byte[]>`, serialised.
//!
//! Only what Java writes for exactly such a map is understood (Java Object Serialization Specification, chapter 6), with
//! every length held against what is there.

/// The beginning of every stream of Java objects.
pub(super) const MAGIC: [u8; 2] = [0xac, 0xed];

const VERSION: u16 = 5;
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const ARRAY: u8 = 0x75;
const BLOCK: u8 = 0x77;
const END: u8 = 0x78;

/// Key and value; no value where there is none.
pub(super) type Entry = (Vec<u8>, Option<Vec<u8>>);

struct Stream<'a>(&'a [u8]);

impl<'a> Stream<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or("it ends in the middle")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn short(&mut self) -> Result<u16, String> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn int(&mut self) -> Result<usize, String> {
        let bytes = self.take(4)?;
        let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        usize::try_from(number).map_err(|_| "a number is too large".to_owned())
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), String> {
        if self.byte()? == byte {
            Ok(())
        } else {
            Err(format!("there is no {what} where one belongs"))
        }
    }

    /// A description of a class; its name, unless it is one that was described before.
    fn class(&mut self) -> Result<Option<&'a [u8]>, String> {
        match self.byte()? {
            REFERENCE => {
                self.take(4)?;
                Ok(None)
            }
            CLASS => {
                let length = usize::from(self.short()?);
                let name = self.take(length)?;
                // Version and flags.
                self.take(8 + 1)?;
                for _ in 0..self.short()? {
                    let kind = self.byte()?;
                    let length = usize::from(self.short()?);
                    self.take(length)?;
                    if !b"BCDFIJSZ".contains(&kind) {
                        return Err("a class has fields that a map has not".to_owned());
                    }
                }
                self.expect(END, "end of a class")?;
                self.expect(NULL, "end of the classes above")?;
                Ok(Some(name))
            }
            _ => Err("there is no class where one belongs".to_owned()),
        }
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self.byte()? {
            NULL => Ok(None),
            ARRAY => {
                if self.class()?.is_some_and(|name| name != b"[B") {
                    return Err("it holds something else than bytes".to_owned());
                }
                let length = self.int()?;
                Ok(Some(self.take(length)?.to_vec()))
            }
            _ => Err("it holds something else than bytes".to_owned()),
        }
    }
}

/// Reads the entries of such a file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let mut stream = Stream(bytes);
    stream.take(MAGIC.len())?;
    if stream.short()? != VERSION {
        return Err("it has another version of Java's format".to_owned());
    }
    stream.expect(OBJECT, "object")?;
    if stream.class()? != Some(b"java.util.HashMap") {
        return Err("it holds something else than a HashMap".to_owned());
    }
    // The load factor and the threshold.
    stream.take(4 + 4)?;
    stream.expect(BLOCK, "block of the map")?;
    if stream.byte()? != 8 {
        return Err("the map does not say how large it is".to_owned());
    }
    // The number of buckets.
    stream.int()?;
    let count = stream.int()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let key = stream.bytes()?.ok_or("a key is missing")?;
        entries.push((key, stream.bytes()?));
    }
    stream.expect(END, "end of the map")?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Java 17 writes it: `new ObjectOutputStream(…).writeObject(new HashMap<>(Map.of("k", "v")))`, with the bytes of
    /// the texts for key and value.
    fn sample() -> Vec<u8> {
        let mut bytes = vec![0xac, 0xed, 0x00, 0x05, 0x73, 0x72, 0x00, 0x11];
        bytes.extend_from_slice(b"java.util.HashMap");
        bytes.extend_from_slice(&[
            0x05, 0x07, 0xda, 0xc1, 0xc3, 0x16, 0x60, 0xd1, 0x03, 0x00, 0x02,
        ]);
        bytes.extend_from_slice(b"F\x00\x0aloadFactorI\x00\x09threshold");
        bytes.extend_from_slice(&[0x78, 0x70, 0x3f, 0x40, 0, 0, 0, 0, 0, 0x0c, 0x77, 8]);
        bytes.extend_from_slice(&[0, 0, 0, 16, 0, 0, 0, 1]);
        bytes.extend_from_slice(&[0x75, 0x72, 0x00, 0x02, b'[', b'B']);
        bytes.extend_from_slice(&[
            0xac, 0xf3, 0x17, 0xf8, 0x06, 0x08, 0x54, 0xe0, 0x02, 0, 0, 0x78, 0x70,
        ]);
        bytes.extend_from_slice(&[0, 0, 0, 1, b'k']);
        bytes.extend_from_slice(&[0x75, 0x71, 0x00, 0x7e, 0x00, 0x02, 0, 0, 0, 1, b'v', 0x78]);
        bytes
    }

    #[test]
    fn a_map_of_bytes_is_read_and_nothing_else() {
        let bytes = sample();
        assert_eq!(read(&bytes), Ok(vec![(b"k".to_vec(), Some(b"v".to_vec()))]));
        for end in 2..bytes.len() {
            read(&bytes[..end]).expect_err("it ends in the middle");
        }
        for index in 2..bytes.len() {
            let mut broken = bytes.clone();
            broken[index] ^= 0xff;
            // Whatever it holds, reading it ends.
            drop(read(&broken));
        }
    }
}
