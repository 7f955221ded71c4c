//! From settings and files to what rustls needs, and the check of a broker's certificate.
//!
//! The provider is given explicitly everywhere: where two are compiled in (tests do that), rustls would otherwise
//! panic for want of a choice.

use std::sync::Arc;

use config::client::HostPort;
use config::security::TlsSettings;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme, SupportedProtocolVersion,
};

use super::store::KeyAndChain;

/// The name of a host as certificates and SNI know it.
///
/// # Errors
/// It can stand in no certificate.
pub(crate) fn server_name(peer: &HostPort) -> Result<ServerName<'static>, String> {
    ServerName::try_from(peer.host.clone())
        .map_err(|_| format!("{} can be the name of no certificate", peer.host))
}

/// Who is trusted, and who we are.
pub(super) struct Material {
    /// `None` stands for the system's roots.
    pub(super) trusted: Option<Vec<CertificateDer<'static>>>,
    pub(super) identity: Option<KeyAndChain>,
}

impl Material {
    /// The same once more.
    pub(super) fn duplicate(&self) -> Self {
        Self {
            trusted: self.trusted.clone(),
            identity: self.identity.as_ref().map(KeyAndChain::duplicate),
        }
    }
}

/// The settings of rustls.
pub(super) fn client_config(
    settings: &TlsSettings,
    material: Material,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(provider(settings));
    let versions = versions(settings, &provider);
    let verifier = Verifier {
        trusted: material.trusted.clone().unwrap_or_default(),
        roots: roots(material.trusted)?,
        check_host_name: settings.check_host_name,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(no_version)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match material.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(KeyAndChain { key, chain }) => builder
            .with_client_auth_cert(chain, key)
            .map_err(unusable_key),
    }
}

pub(super) fn versions(
    settings: &TlsSettings,
    provider: &CryptoProvider,
) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    if settings.tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if settings.tls12 {
        versions.push(&rustls::version::TLS12);
    }
    // A version without suites of its own cannot be offered.
    versions.retain(|version| {
        let suites = &provider.cipher_suites;
        suites.iter().any(|suite| suite.version() == *version)
    });
    versions
}

pub(super) fn no_version(error: Error) -> String {
    format!("no version of TLS is left: {error}")
}

pub(super) fn unusable_key(error: Error) -> String {
    match error {
        Error::InconsistentKeys(_) => {
            "the private key does not belong to the certificate".to_owned()
        }
        error => format!("the private key cannot be used: {error}"),
    }
}

pub(super) fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if !settings.cipher_suites.is_empty() {
        provider.cipher_suites.retain(|suite| {
            // rustls says TLS13_… where IANA says TLS_….
            let name = suite
                .suite()
                .as_str()
                .unwrap_or("")
                .replace("TLS13_", "TLS_");
            settings.cipher_suites.contains(&name)
        });
    }
    provider
}

pub(super) fn roots(
    trusted: Option<Vec<CertificateDer<'static>>>,
) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(trusted) = trusted {
        for certificate in trusted {
            roots
                .add(certificate)
                .map_err(|error| format!("a trusted certificate cannot be read: {error}"))?;
        }
        return Ok(roots);
    }
    // Single certificates of the system that cannot be read are no reason to trust none.
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

pub(super) fn is_own_authority(error: &OtherError) -> bool {
    error.0.to_string() == "CaUsedAsEndEntity"
}

/// Checks the chain always, and the name unless the user has switched that off.
#[derive(Debug)]
struct Verifier {
    roots: RootCertStore,
    /// What the user trusts by name; empty with the system's roots.
    trusted: Vec<CertificateDer<'static>>,
    check_host_name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// Whether a certificate itself, not only its authority, is among the trusted ones.
    fn trusts(&self, certificate: &CertificateDer<'_>) -> bool {
        self.trusted
            .iter()
            .any(|trusted| trusted.as_ref() == certificate.as_ref())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms;
        let signed = verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            algorithms.all,
        );
        match signed {
            Ok(()) => {}
            // A certificate that signs itself and calls itself an authority, as openssl makes them, is believed where
            // it is trusted itself, as in Java. Its dates have been checked before its kind.
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
                if is_own_authority(&other) && self.trusts(end_entity) => {}
            // So is one that is trusted itself while its issuer is not: everything else about it has been checked before
            // somebody was looked for who signed it.
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
                if self.trusts(end_entity) => {}
            Err(Error::InvalidCertificate(CertificateError::BadSignature)) => {
                // Another authority of the same name.
                return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
            }
            Err(error) => return Err(error),
        }
        if self.check_host_name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use test_support::certificates::Authority;

    use super::super::pem;
    use super::*;

    fn certificates(text: &str) -> Vec<CertificateDer<'static>> {
        pem::certificates(text).expect("a certificate")
    }

    fn verify(trusted: &str, shown: &str, check_host_name: bool) -> Result<(), Error> {
        let trusted = certificates(trusted);
        let verifier = Verifier {
            roots: roots(Some(trusted.clone())).expect("readable"),
            trusted,
            check_host_name,
            provider: Arc::new(provider(&TlsSettings::default())),
        };
        let shown = certificates(shown);
        let name = ServerName::try_from("broker.example").expect("a name");
        verifier
            .verify_server_cert(&shown[0], &[], &name, &[], UnixTime::now())
            .map(drop)
    }

    #[test]
    fn what_is_trusted_itself_is_believed_also_when_it_calls_itself_an_authority() {
        let own = Authority::new("self-made").expect("an authority");
        let other = Authority::new("self-made").expect("an authority");
        verify(own.certificate(), own.certificate(), false).expect("trusted itself");
        verify(other.certificate(), own.certificate(), false).expect_err("another one's");
        verify(own.certificate(), own.certificate(), true).expect_err("it names no host");
        let issued = own
            .issue("broker", &["broker.example"])
            .expect("a certificate");
        verify(own.certificate(), &issued.certificate, true).expect("of a trusted authority");
        verify(&issued.certificate, &issued.certificate, true).expect("pinned");
        let elsewhere = own
            .issue("broker", &["other.example"])
            .expect("a certificate");
        verify(&elsewhere.certificate, &elsewhere.certificate, true)
            .expect_err("pinned, for another host");
        let former = own
            .issue_until("broker", &["broker.example"], Some(2020))
            .expect("a certificate");
        verify(&former.certificate, &former.certificate, true).expect_err("pinned, and expired");
        let twin = verify(other.certificate(), &issued.certificate, true).expect_err("of its twin");
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(twin, unknown);
    }

    #[test]
    fn suites_and_versions_are_limited_as_configured() {
        let settings = |suites: &[&str], tls12, tls13| TlsSettings {
            tls12,
            tls13,
            cipher_suites: suites.iter().map(|suite| (*suite).to_owned()).collect(),
            ..TlsSettings::default()
        };
        let material = || Material {
            trusted: Some(Vec::new()),
            identity: None,
        };
        let all = provider(&settings(&config::security::CIPHER_SUITES, true, true));
        assert_eq!(
            all.cipher_suites.len(),
            config::security::CIPHER_SUITES.len()
        );
        let one = settings(&["TLS_AES_128_GCM_SHA256"], true, true);
        assert_eq!(provider(&one).cipher_suites.len(), 1);
        client_config(&one, material()).expect("TLS 1.3 is left");
        let none = settings(&["TLS_AES_128_GCM_SHA256"], true, false);
        client_config(&none, material()).expect_err("TLS 1.2 has no such suite");
    }
}
