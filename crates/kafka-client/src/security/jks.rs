//! Java's own key store format, read only.
//!
//! ```text
//! FE ED FE ED · version · count · entries · SHA-1 over (password, "Mighty Aphrodite", all before)
//! entry: 1 · alias · date · protected key · chain          2 · alias · date · certificate
//! ```
//!
//! The digest proves both that the password is right and that the file is whole. Keys are hidden under a key stream
//! made of SHA-1, which is weak, and the reason why Java makes PKCS12 stores today.
//!
//! Invariant: every length is held against the bytes that are left before memory is reserved.

use sha1::{Digest, Sha1};

/// How such a file begins.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

/// What is in a store.
#[derive(Debug, Default)]
pub(super) struct Jks {
    /// Certificates that are trusted, as DER.
    pub(super) trusted: Vec<Vec<u8>>,
    /// Protected keys with their chains.
    pub(super) keys: Vec<ProtectedKey>,
}

/// A key with its chain.
#[derive(Debug)]
pub(super) struct ProtectedKey {
    protected: Vec<u8>,
    /// Certificates, the key's own first.
    pub(super) chain: Vec<Vec<u8>>,
}

const CUT: &str = "the file is cut off or damaged";

/// Reads a store. Without a password its wholeness is not checked, as in Java.
pub(super) fn read(bytes: &[u8], password: Option<&str>) -> Result<Jks, String> {
    let Some((content, digest)) = bytes.split_last_chunk::<20>() else {
        return Err(CUT.to_owned());
    };
    if let Some(password) = password {
        let mut hash = Sha1::new();
        hash.update(utf16(password));
        hash.update(b"Mighty Aphrodite");
        hash.update(content);
        if hash.finalize().as_slice() != digest {
            return Err("the password of the store is wrong, or the file is damaged".to_owned());
        }
    }
    let mut reader = Reader(content);
    if reader.take(4)? != MAGIC {
        return Err("it is no JKS store".to_owned());
    }
    let version = reader.u32()?;
    if !(1..=2).contains(&version) {
        return Err(format!("JKS version {version} is not known"));
    }
    let count = reader.u32()?;
    let mut jks = Jks::default();
    for _ in 0..count {
        let tag = reader.u32()?;
        reader.text()?;
        reader.take(8)?;
        match tag {
            1 => {
                let protected = reader.field()?.to_vec();
                let certificates = reader.u32()?;
                let mut chain = Vec::new();
                for _ in 0..certificates {
                    chain.push(reader.certificate(version)?);
                }
                jks.keys.push(ProtectedKey { protected, chain });
            }
            2 => jks.trusted.push(reader.certificate(version)?),
            _ => return Err(CUT.to_owned()),
        }
    }
    Ok(jks)
}

impl ProtectedKey {
    /// The key in PKCS#8 form.
    pub(super) fn open(&self, password: &str) -> Result<Vec<u8>, String> {
        let damaged = || CUT.to_owned();
        // SEQUENCE { algorithm SEQUENCE, OCTET STRING }
        let (outer, _) = der(&self.protected, 0x30).ok_or_else(damaged)?;
        let (_, rest) = der(outer, 0x30).ok_or_else(damaged)?;
        let (data, _) = der(rest, 0x04).ok_or_else(damaged)?;
        let (salt, rest) = data.split_first_chunk::<20>().ok_or_else(damaged)?;
        let (hidden, check) = rest.split_last_chunk::<20>().ok_or_else(damaged)?;
        let password = utf16(password);
        let mut stream = *salt;
        let mut key = Vec::with_capacity(hidden.len());
        for block in hidden.chunks(20) {
            let digest = Sha1::new().chain_update(&password).chain_update(stream);
            stream = digest.finalize().into();
            key.extend(block.iter().zip(stream).map(|(byte, mask)| byte ^ mask));
        }
        let digest = Sha1::new().chain_update(&password).chain_update(&key);
        if digest.finalize().as_slice() == check {
            Ok(key)
        } else {
            Err("the password of the key is wrong (ssl.key.password)".to_owned())
        }
    }
}

/// Java's characters, high byte first.
fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// The content of a DER element with this tag, and what follows it.
fn der(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        let length = digits
            .iter()
            .fold(0, |length, digit| (length << 8) | usize::from(*digit));
        (length, rest)
    };
    rest.split_at_checked(length)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?.try_into().map_err(|_| CUT)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn field(&mut self) -> Result<&'a [u8], String> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| CUT)?)
    }

    fn text(&mut self) -> Result<&'a [u8], String> {
        let bytes = self.take(2)?.try_into().map_err(|_| CUT)?;
        self.take(usize::from(u16::from_be_bytes(bytes)))
    }

    fn certificate(&mut self, version: u32) -> Result<Vec<u8>, String> {
        if version == 2 && self.text()? != b"X.509" {
            return Err("it holds certificates that are not X.509".to_owned());
        }
        Ok(self.field()?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(entries: &[u8], count: u32, password: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(2_u32.to_be_bytes());
        bytes.extend(count.to_be_bytes());
        bytes.extend(entries);
        let digest = Sha1::new()
            .chain_update(utf16(password))
            .chain_update(b"Mighty Aphrodite")
            .chain_update(&bytes)
            .finalize();
        bytes.extend(digest);
        bytes
    }

    fn trusted() -> Vec<u8> {
        let mut entry = 2_u32.to_be_bytes().to_vec();
        entry.extend([0, 2, b'c', b'a']);
        entry.extend([0; 8]);
        entry.extend([0, 5]);
        entry.extend(b"X.509");
        entry.extend(3_u32.to_be_bytes());
        entry.extend([1, 2, 3]);
        entry
    }

    #[test]
    fn a_store_opens_with_its_password_and_trust_alone_without() {
        let bytes = store(&trusted(), 1, "pässword");
        for password in [Some("pässword"), None] {
            let jks = read(&bytes, password).expect("right");
            assert_eq!(jks.trusted, [vec![1, 2, 3]]);
        }
        let wrong = read(&bytes, Some("hunter2")).expect_err("wrong");
        assert!(wrong.contains("password of the store is wrong"), "{wrong}");
    }

    #[test]
    fn whatever_is_in_a_file_it_is_read_or_refused() {
        let bytes = store(&trusted(), 1, "x");
        for length in 0..bytes.len() {
            // Either outcome is right without a password; there is no panic.
            let _ = read(&bytes[..length], None);
        }
        for count in [2, u32::MAX] {
            read(&store(&trusted(), count, "x"), Some("x")).expect_err("too few entries");
        }
        let mut huge = trusted();
        let at = huge.len() - 7;
        huge[at..at + 4].copy_from_slice(&[0xff; 4]);
        read(&store(&huge, 1, "x"), Some("x")).expect_err("too long");
        for protected in [
            vec![],
            vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            vec![0x30; 60],
        ] {
            let key = ProtectedKey {
                protected,
                chain: vec![],
            };
            key.open("x").expect_err("no key");
        }
    }
}
