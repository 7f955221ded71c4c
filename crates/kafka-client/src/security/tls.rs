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
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
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

/// The settings of rustls.
pub(super) fn client_config(
    settings: &TlsSettings,
    material: Material,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(provider(settings));
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
    let verifier = Verifier {
        roots: roots(material.trusted)?,
        check_host_name: settings.check_host_name,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| format!("no version of TLS is left: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match material.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(KeyAndChain { key, chain }) => {
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| match error {
                    Error::InconsistentKeys(_) => {
                        "the private key does not belong to the certificate".to_owned()
                    }
                    error => format!("the private key cannot be used: {error}"),
                })
        }
    }
}

fn provider(settings: &TlsSettings) -> CryptoProvider {
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

fn roots(trusted: Option<Vec<CertificateDer<'static>>>) -> Result<RootCertStore, String> {
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

/// Checks the chain always, and the name unless the user has switched that off.
#[derive(Debug)]
struct Verifier {
    roots: RootCertStore,
    check_host_name: bool,
    provider: Arc<CryptoProvider>,
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
        // A chain that is expired is usually also noticed to be of unknown origin, or the other way round; the
        // first is what the user can do something about.
        signed.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::BadSignature) => {
                Error::InvalidCertificate(CertificateError::UnknownIssuer)
            }
            error => error,
        })?;
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
