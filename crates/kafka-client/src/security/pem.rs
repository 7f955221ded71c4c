//! PEM texts, as leniently as Kafka reads them: blanks where line breaks belong, several sections in any order, and
//! text between them.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What stands between BEGIN and END.
pub(super) struct Section {
    label: String,
    der: Vec<u8>,
}

/// Whether a text has PEM sections at all.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    bytes
        .windows(BEGIN.len())
        .any(|window| window == BEGIN.as_bytes())
}

const BEGIN: &str = "-----BEGIN ";

/// All sections of a text.
pub(super) fn sections(text: &str) -> Result<Vec<Section>, String> {
    let mut sections = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        rest = &rest[begin + BEGIN.len()..];
        let Some((label, body)) = rest.split_once("-----") else {
            return Err("a PEM section has no end".to_owned());
        };
        let end = format!("-----END {label}-----");
        let Some((body, after)) = body.split_once(end.as_str()) else {
            return Err(format!("the PEM section {label} has no end"));
        };
        if body.contains("ENCRYPTED") {
            return Err(
                "the key is encrypted in OpenSSL's old form; convert it with: openssl pkcs8 -topk8 -in KEY -out KEY.pem"
                    .to_owned(),
            );
        }
        let digits: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let der = BASE64
            .decode(digits)
            .map_err(|_| format!("the PEM section {label} is not base64"))?;
        sections.push(Section {
            label: label.to_owned(),
            der,
        });
        rest = after;
    }
    Ok(sections)
}

/// All certificates of a text, in their order.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> = sections(text)?
        .into_iter()
        .filter(|section| {
            ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"]
                .contains(&section.label.as_str())
        })
        .map(|section| CertificateDer::from(section.der))
        .collect();
    if found.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(found)
}

/// The first private key of a text.
pub(super) fn private_key(
    text: &str,
    password: Option<&str>,
) -> Result<PrivateKeyDer<'static>, String> {
    for Section { label, der } in sections(text)? {
        return match label.as_str() {
            "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(der).into()),
            "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(der).into()),
            "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(der).into()),
            "ENCRYPTED PRIVATE KEY" => decrypted(&der, password),
            _ => continue,
        };
    }
    Err("there is no private key in it".to_owned())
}

/// A private key out of PKCS#8's encrypted form.
pub(super) fn decrypted(
    der: &[u8],
    password: Option<&str>,
) -> Result<PrivateKeyDer<'static>, String> {
    let Some(password) = password else {
        return Err("the key is encrypted, and ssl.key.password is not set".to_owned());
    };
    let encrypted = pkcs8::EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|_| "the encrypted key cannot be read".to_owned())?;
    let key = encrypted
        .decrypt(password)
        .map_err(|_| "the password of the key is wrong (ssl.key.password)".to_owned())?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}
