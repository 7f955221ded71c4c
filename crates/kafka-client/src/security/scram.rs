//! SCRAM (RFC 5802, RFC 7677), the client's half, without I/O.
//!
//! Flow: [`Scram::first`] → the server's first message → [`Scram::last`] → the server's last message →
//! [`Expected::check`]. The password never leaves; the server has to prove that it knows it too.
//!
//! Invariant: what a server can make us compute is bounded ([`MOST_ITERATIONS`]).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use config::security::ScramHash;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

use super::explain::words_of_peer;

/// Java's clients refuse less: fewer make guessing too cheap for whoever reads along.
const FEWEST_ITERATIONS: u32 = 4_096;
/// A tenth of a second. Kafka itself stores 16,384 at most.
const MOST_ITERATIONS: u32 = 131_072;
/// Longest nonce and salt that are looked at, in bytes.
const LONGEST: usize = 1_024;

/// A client that wants in.
pub(super) struct Scram<'a> {
    pub(super) hash: ScramHash,
    pub(super) username: &'a str,
    pub(super) password: &'a str,
    /// The name is the id of a delegation token.
    pub(super) token: bool,
    /// Random, printable, without commas.
    pub(super) nonce: String,
}

/// What the server has to answer at last.
pub(super) struct Expected {
    signature: Vec<u8>,
}

const HEADER: &str = "n,,";

impl Scram<'_> {
    fn first_bare(&self) -> String {
        let name = self.username.replace('=', "=3D").replace(',', "=2C");
        let token = if self.token { ",tokenauth=true" } else { "" };
        format!("n={name},r={}{token}", self.nonce)
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("{HEADER}{}", self.first_bare())
    }

    /// The last message, in answer to the server's first.
    pub(super) fn last(&self, server_first: &str) -> Result<(String, Expected), String> {
        let mut fields = server_first.split(',');
        let mut field = |name: &str| {
            fields
                .next()
                .and_then(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let (Some(nonce), Some(salt), Some(iterations)) = (field("r"), field("s"), field("i"))
        else {
            return Err("its first message does not follow RFC 5802".to_owned());
        };
        if nonce.len() <= self.nonce.len()
            || !nonce.starts_with(&self.nonce)
            || nonce.len() > LONGEST
        {
            return Err("its nonce does not go on from ours".to_owned());
        }
        let salt = BASE64
            .decode(salt)
            .ok()
            .filter(|salt| !salt.is_empty() && salt.len() <= LONGEST)
            .ok_or("its salt cannot be read")?;
        let iterations: u32 = iterations
            .parse()
            .map_err(|_| "its number of iterations cannot be read")?;
        if !(FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations) {
            return Err(format!(
                "it asks for {iterations} iterations; {FEWEST_ITERATIONS} to {MOST_ITERATIONS} are accepted"
            ));
        }
        let salted = self.salted(&salt, iterations);
        let without_proof = format!("c={},r={nonce}", BASE64.encode(HEADER));
        let signed = format!("{},{server_first},{without_proof}", self.first_bare());
        let client_key = self.hmac(&salted, b"Client Key");
        let stored_key = self.digest(&client_key);
        let signature = self.hmac(&stored_key, signed.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = self.hmac(&salted, b"Server Key");
        let expected = Expected {
            signature: self.hmac(&server_key, signed.as_bytes()),
        };
        let last = format!("{without_proof},p={}", BASE64.encode(proof));
        Ok((last, expected))
    }

    fn salted(&self, salt: &[u8], iterations: u32) -> Vec<u8> {
        let password = self.password.as_bytes();
        match self.hash {
            ScramHash::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations).to_vec()
            }
            ScramHash::Sha512 => {
                pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, iterations).to_vec()
            }
        }
    }

    fn hmac(&self, key: &[u8], text: &[u8]) -> Vec<u8> {
        const ANY_KEY: &str = "HMAC takes keys of any length";
        match self.hash {
            ScramHash::Sha256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_KEY);
                mac.update(text);
                mac.finalize().into_bytes().to_vec()
            }
            ScramHash::Sha512 => {
                let mut mac = Hmac::<Sha512>::new_from_slice(key).expect(ANY_KEY);
                mac.update(text);
                mac.finalize().into_bytes().to_vec()
            }
        }
    }

    fn digest(&self, text: &[u8]) -> Vec<u8> {
        match self.hash {
            ScramHash::Sha256 => Sha256::digest(text).to_vec(),
            ScramHash::Sha512 => Sha512::digest(text).to_vec(),
        }
    }
}

impl Expected {
    /// Whether the server's last message proves that it knows the password.
    pub(super) fn check(&self, server_last: &str) -> Result<(), String> {
        let first = server_last.split(',').next().unwrap_or("");
        if let Some(error) = first.strip_prefix("e=") {
            return Err(format!("it says: {}", words_of_peer(error)));
        }
        let signature = first
            .strip_prefix("v=")
            .and_then(|text| BASE64.decode(text).ok())
            .ok_or("its last message does not follow RFC 5802")?;
        verify_slices_are_equal(&signature, &self.signature).map_err(|_| {
            "it does not know the password itself: it is not the broker it pretends to be"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3.
    fn example() -> Scram<'static> {
        Scram {
            hash: ScramHash::Sha256,
            username: "user",
            password: "pencil",
            token: false,
            nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
        }
    }

    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_example_of_the_standard_is_reproduced() {
        let scram = example();
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (last, expected) = scram.last(SERVER_FIRST).expect("legal");
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        expected
            .check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
            .expect("the server knows the password");
        let wrong = expected.check("v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(
            wrong
                .expect_err("forged")
                .contains("does not know the password")
        );
        let refused = expected.check("e=invalid-proof").expect_err("refused");
        assert_eq!(refused, "it says: invalid-proof");
    }

    #[test]
    fn names_with_commas_and_tokens_are_written_as_the_standard_wants() {
        let scram = Scram {
            username: "a,b=c",
            token: true,
            nonce: "x".to_owned(),
            ..example()
        };
        assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=x,tokenauth=true");
    }

    #[test]
    fn a_hostile_server_is_refused_before_anything_is_computed() {
        let scram = example();
        let nonce = "rOprNGfwEbeRWgbNEkqO";
        let long = "x".repeat(2_000);
        for (first, expected) in [
            (String::new(), "RFC 5802"),
            (format!("m=x,r={nonce}y,s=AAAA,i=4096"), "RFC 5802"),
            (format!("r={nonce},s=AAAA,i=4096"), "nonce"),
            ("r=other,s=AAAA,i=4096".to_owned(), "nonce"),
            (format!("r={nonce}{long},s=AAAA,i=4096"), "nonce"),
            (format!("r={nonce}y,s=,i=4096"), "salt"),
            (format!("r={nonce}y,s=!!,i=4096"), "salt"),
            (format!("r={nonce}y,s=AAAA,i=1"), "asks for 1 iterations"),
            (
                format!("r={nonce}y,s=AAAA,i=4294967295"),
                "asks for 4294967295 iterations",
            ),
            (format!("r={nonce}y,s=AAAA,i=99999999999"), "cannot be read"),
        ] {
            let problem = scram.last(&first).map(|_| ()).expect_err(&first);
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
