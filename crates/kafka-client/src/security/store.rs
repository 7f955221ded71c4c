//! Keys and certificates out of a file of any kind: its content decides, not its name.

use p12_keystore::{Pkcs12Archive, error::Error as Pkcs12Error};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{jks, pem};

/// A key with its certificates, ours first.
pub(super) struct KeyAndChain {
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) chain: Vec<CertificateDer<'static>>,
}

impl KeyAndChain {
    /// The same once more.
    pub(super) fn duplicate(&self) -> Self {
        Self {
            key: self.key.clone_key(),
            chain: self.chain.clone(),
        }
    }
}

enum Kind {
    Pem,
    Pkcs12,
    Jks,
}

fn kind(bytes: &[u8]) -> Result<Kind, String> {
    if bytes.starts_with(&jks::MAGIC) {
        return Ok(Kind::Jks);
    }
    if bytes.starts_with(&[0xce, 0xce, 0xce, 0xce]) {
        return Err(
            "it is a JCEKS store, which cannot be read; convert it with: keytool -importkeystore -srckeystore FILE \
             -destkeystore FILE.p12 -deststoretype PKCS12"
                .to_owned(),
        );
    }
    if pem::is_pem(bytes) {
        return Ok(Kind::Pem);
    }
    match bytes.first() {
        Some(0x30) => Ok(Kind::Pkcs12),
        None => Err("the file is empty".to_owned()),
        _ => Err("it is neither PEM nor PKCS12 nor JKS".to_owned()),
    }
}

/// The certificates that a store says to trust.
pub(super) fn trusted(
    bytes: &[u8],
    password: Option<&str>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<Vec<u8>> = match kind(bytes)? {
        Kind::Pem => return pem::certificates(text(bytes)?),
        Kind::Jks => {
            let jks = jks::read(bytes, password)?;
            // Java trusts the certificates of its own keys too.
            let own = jks
                .keys
                .into_iter()
                .filter_map(|key| key.chain.into_iter().next());
            jks.trusted.into_iter().chain(own).collect()
        }
        Kind::Pkcs12 => {
            let archive = archive(bytes, password)?;
            let marked = archive.certs.iter().any(|bag| bag.trusted);
            // Java marks what is trusted; stores that other programs made have no marks.
            archive
                .certs
                .iter()
                .filter(|bag| bag.trusted || !marked)
                .map(|bag| bag.cert.as_der().to_vec())
                .collect()
        }
    };
    if found.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(found.into_iter().map(CertificateDer::from).collect())
}

/// The first key of a store with its certificates.
pub(super) fn identity(
    bytes: &[u8],
    password: Option<&str>,
    key_password: Option<&str>,
) -> Result<KeyAndChain, String> {
    let of_key = key_password.or(password);
    let no_key = || "there is no private key in it".to_owned();
    match kind(bytes)? {
        Kind::Pem => {
            let text = text(bytes)?;
            Ok(KeyAndChain {
                key: pem::private_key(text, of_key)?,
                chain: pem::certificates(text)?,
            })
        }
        Kind::Jks => {
            let jks = jks::read(bytes, password)?;
            let key = jks.keys.into_iter().next().ok_or_else(no_key)?;
            let Some(of_key) = of_key else {
                return Err("ssl.keystore.password is not set".to_owned());
            };
            Ok(KeyAndChain {
                key: PrivatePkcs8KeyDer::from(key.open(of_key)?).into(),
                chain: key.chain.into_iter().map(CertificateDer::from).collect(),
            })
        }
        Kind::Pkcs12 => {
            let archive = archive(bytes, password)?;
            let bag = archive.keys.first().ok_or_else(no_key)?;
            let chain = chain(
                &archive,
                bag.local_key_id.as_ref().map(|id| id.0.as_slice()),
            );
            if chain.is_empty() {
                return Err("the key in it has no certificate".to_owned());
            }
            Ok(KeyAndChain {
                key: PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec()).into(),
                chain,
            })
        }
    }
}

/// The certificate of a key, and its issuers as far as they are in the archive.
fn chain(archive: &Pkcs12Archive, id: Option<&[u8]>) -> Vec<CertificateDer<'static>> {
    let own = archive
        .certs
        .iter()
        .find(|bag| id.is_some() && bag.local_key_id.as_deref() == id)
        .or_else(|| archive.certs.iter().find(|bag| !bag.trusted));
    let mut chain: Vec<&p12_keystore::Certificate> = Vec::new();
    let mut next = own.map(|bag| &bag.cert);
    while let Some(certificate) = next.filter(|certificate| !chain.contains(certificate)) {
        chain.push(certificate);
        next = archive
            .certs
            .iter()
            .map(|bag| &bag.cert)
            .find(|issuer| issuer.subject() == certificate.issuer());
    }
    chain
        .into_iter()
        .map(|certificate| CertificateDer::from(certificate.as_der().to_vec()))
        .collect()
}

fn archive(bytes: &[u8], password: Option<&str>) -> Result<Pkcs12Archive, String> {
    Pkcs12Archive::from_pkcs12(bytes, password.unwrap_or("")).map_err(|error| match error {
        Pkcs12Error::MacError(_) if password.is_none() => {
            "it is a PKCS12 store, and its password is not set".to_owned()
        }
        Pkcs12Error::MacError(_) | Pkcs12Error::UnpadError | Pkcs12Error::Pkcs5Error(_) => {
            "the password of the store is wrong".to_owned()
        }
        error => format!("it cannot be read as a PKCS12 store: {error}"),
    })
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())
}
