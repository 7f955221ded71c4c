//! Requests between workers, and the key they are signed with (KIP-507). Pure.
//!
//! The leader writes a key to the config topic, which only workers read; every request between workers carries a
//! signature of its body. Checked in Connect's order, with Connect's words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::group::SigningConfig;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng as _;
use sha2::{Sha256, Sha384, Sha512};

use crate::config_record::ConfigRecord;
use crate::refusal::{Kind, Refusal};

/// The header that holds the signature.
pub const SIGNATURE_HEADER: &str = "X-Connect-Authorization";
/// The header that names its algorithm.
pub const ALGORITHM_HEADER: &str = "X-Connect-Request-Signature-Algorithm";

/// What requests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    bytes: Vec<u8>,
    algorithm: String,
    created: i64,
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKey")
            .field("algorithm", &self.algorithm)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of(algorithm: &str) -> Option<Self> {
        let known = [
            ("HmacSHA256", Self::Sha256),
            ("HmacSHA384", Self::Sha384),
            ("HmacSHA512", Self::Sha512),
        ];
        known
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(algorithm))
            .map(|(_, hash)| hash)
    }

    /// Bytes of a key where nothing is said.
    fn key_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

const ANY_KEY: &str = "a key of any length can be used";

impl SessionKey {
    /// A new one.
    #[must_use]
    pub fn generate(config: &SigningConfig, now: i64) -> Self {
        let usual = Hash::of(&config.key_algorithm).map_or(32, Hash::key_bytes);
        let length = config
            .key_size
            .map_or(usual, |bits| bits.div_ceil(8) as usize);
        let mut bytes = vec![0; length];
        rand::rng().fill_bytes(&mut bytes);
        Self {
            bytes,
            algorithm: config.key_algorithm.clone(),
            created: now,
        }
    }

    /// From the config topic.
    #[must_use]
    pub fn read(key: &str, algorithm: &str, created: i64) -> Option<Self> {
        Some(Self {
            bytes: STANDARD.decode(key).ok()?,
            algorithm: algorithm.to_owned(),
            created,
        })
    }

    /// As it is written to the config topic.
    #[must_use]
    pub fn record(&self) -> ConfigRecord {
        ConfigRecord::SessionKey {
            key: STANDARD.encode(&self.bytes),
            algorithm: self.algorithm.clone(),
            created: self.created,
        }
    }

    /// Whether the leader has to write another one: it is old, or not as the settings say.
    #[must_use]
    pub fn is_due(&self, config: &SigningConfig, now: i64) -> bool {
        let life = i64::try_from(config.key_life.as_millis()).unwrap_or(i64::MAX);
        let other_size = config
            .key_size
            .is_some_and(|bits| bits.div_ceil(8) as usize != self.bytes.len());
        self.algorithm != config.key_algorithm
            || other_size
            || now.saturating_sub(self.created) >= life
    }

    /// The headers of a request with this body.
    #[must_use]
    pub fn headers(&self, algorithm: &str, body: &[u8]) -> Option<[(&'static str, String); 2]> {
        let signature = digest(algorithm, &self.bytes, body)?;
        Some([
            (SIGNATURE_HEADER, STANDARD.encode(signature)),
            (ALGORITHM_HEADER, algorithm.to_owned()),
        ])
    }
}

fn digest(algorithm: &str, key: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    Some(match Hash::of(algorithm)? {
        Hash::Sha256 => {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_KEY);
            mac.update(body);
            mac.finalize().into_bytes().to_vec()
        }
        Hash::Sha384 => {
            let mut mac = Hmac::<Sha384>::new_from_slice(key).expect(ANY_KEY);
            mac.update(body);
            mac.finalize().into_bytes().to_vec()
        }
        Hash::Sha512 => {
            let mut mac = Hmac::<Sha512>::new_from_slice(key).expect(ANY_KEY);
            mac.update(body);
            mac.finalize().into_bytes().to_vec()
        }
    })
}

/// What a request between workers came with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signature {
    /// The signature, in base64.
    pub signature: Option<String>,
    /// Its algorithm.
    pub algorithm: Option<String>,
}

/// Whether a request comes from another worker.
///
/// # Errors
/// It does not, or that cannot be said yet.
pub fn check(
    given: &Signature,
    body: &[u8],
    key: Option<&SessionKey>,
    config: &SigningConfig,
) -> Result<(), Refusal> {
    let (Some(signature), Some(algorithm)) = (&given.signature, &given.algorithm) else {
        return Err(Refusal::bad("Internal request missing required signature"));
    };
    if Hash::of(algorithm).is_none() {
        return Err(Refusal::bad(format!(
            "the signature algorithm {algorithm} is not known"
        )));
    }
    let signature = STANDARD
        .decode(signature)
        .map_err(|_| Refusal::bad("the signature of an internal request is not base64"))?;
    if !config.accepted.contains(algorithm) {
        let accepted = config.accepted.join(", ");
        return Err(Refusal::bad(format!(
            "This worker does not support the '{algorithm}' key signing algorithm used by other workers. This worker is \
             currently configured to use: [{accepted}]. Check that all workers' configuration files permit the same set \
             of signature algorithms, and correct any misconfigured worker and restart it."
        )));
    }
    let Some(key) = key else {
        return Err(Refusal::new(
            Kind::Unavailable,
            "This worker is still starting up and has not been able to read a session key from the config topic yet",
        ));
    };
    let expected = digest(algorithm, &key.bytes, body).unwrap_or_default();
    if !same(&expected, &signature) {
        return Err(Refusal::new(
            Kind::Forbidden,
            "Internal request contained invalid signature.",
        ));
    }
    Ok(())
}

/// Compares all bytes, however soon they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differing == 0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::time::Duration;

    pub(crate) fn config() -> SigningConfig {
        SigningConfig {
            key_algorithm: "HmacSHA256".into(),
            key_size: None,
            key_life: Duration::from_secs(3600),
            algorithm: "HmacSHA256".into(),
            accepted: vec!["HmacSHA256".into()],
        }
    }

    #[test]
    fn what_one_worker_signs_another_accepts() {
        let key = SessionKey::generate(&config(), 5);
        let ConfigRecord::SessionKey {
            key: text,
            algorithm,
            created,
        } = key.record()
        else {
            panic!("a session key");
        };
        let read = SessionKey::read(&text, &algorithm, created).expect("it reads back");
        assert_eq!(read, key);
        let headers = key.headers("HmacSHA256", b"body").expect("signed");
        let given = Signature {
            signature: Some(headers[0].1.clone()),
            algorithm: Some(headers[1].1.clone()),
        };
        assert_eq!(check(&given, b"body", Some(&read), &config()), Ok(()));
        let refused = check(&given, b"bodY", Some(&read), &config()).expect_err("another body");
        assert_eq!(refused.kind, Kind::Forbidden);
    }

    #[test]
    fn signatures_are_those_of_java() {
        // RFC 4231, test case 2.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let signature = digest("HmacSHA256", b"Jefe", b"what do ya want for nothing?");
        let signature: String = signature
            .expect("known")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(signature, expected);
    }

    #[test]
    fn what_is_wrong_is_said_in_connects_order() {
        let key = SessionKey::generate(&config(), 0);
        let given = |signature: Option<&str>, algorithm: Option<&str>| Signature {
            signature: signature.map(str::to_owned),
            algorithm: algorithm.map(str::to_owned),
        };
        let refused = |given: &Signature, key| {
            let refusal = check(given, b"", key, &config()).expect_err("refused");
            (refusal.kind, refusal.message)
        };
        let (kind, message) = refused(&given(None, Some("HmacSHA256")), None);
        assert_eq!(
            (kind, message.as_str()),
            (
                Kind::BadRequest,
                "Internal request missing required signature"
            )
        );
        assert_eq!(
            refused(&given(Some("AA=="), Some("X")), None).0,
            Kind::BadRequest
        );
        assert_eq!(
            refused(&given(Some("!"), Some("HmacSHA256")), None).0,
            Kind::BadRequest
        );
        let (kind, message) = refused(&given(Some("AA=="), Some("HmacSHA512")), None);
        assert_eq!(kind, Kind::BadRequest);
        assert!(
            message.starts_with("This worker does not support the 'HmacSHA512' key signing"),
            "{message}"
        );
        assert!(
            message.contains("currently configured to use: [HmacSHA256]."),
            "{message}"
        );
        assert_eq!(
            refused(&given(Some("AA=="), Some("HmacSHA256")), None).0,
            Kind::Unavailable
        );
        assert_eq!(
            refused(&given(Some("AA=="), Some("HmacSHA256")), Some(&key)).0,
            Kind::Forbidden
        );
    }

    #[test]
    fn a_key_is_replaced_when_it_is_old_or_not_as_configured() {
        let key = SessionKey::generate(&config(), 1_000);
        assert!(!key.is_due(&config(), 3_600_999));
        assert!(key.is_due(&config(), 3_601_000));
        let larger = SigningConfig {
            key_size: Some(512),
            ..config()
        };
        assert!(key.is_due(&larger, 1_000));
        assert_eq!(SessionKey::generate(&larger, 0).bytes.len(), 64);
        let other = SigningConfig {
            key_algorithm: "HmacSHA512".into(),
            ..config()
        };
        assert!(key.is_due(&other, 1_000));
    }
}
