//! TLS of connections that others make to this process: keys and certificates from the same kinds of files as towards
//! brokers, read again when they change. Connections that are open stay as they are.
//!
//! Workers of a group that reach each other through such listeners show the listener's certificate, and believe what it
//! believes of clients, as Connect's do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use config::client::HostPort;
use config::rest::{ClientAuth, ListenerTls};
use config::security::TlsSettings;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::handshake_failed;
use super::protection::{LOOK, load_tls, tls_material};
use super::store::KeyAndChain;
use super::tls::{
    Material, client_config, is_own_authority, no_version, provider, roots, server_name,
    unusable_key, versions,
};
use crate::error::ClientError;

/// The only protocol that is spoken behind TLS.
const HTTP: &[u8] = b"http/1.1";

/// See the module.
#[derive(Debug)]
pub struct ListenerProtection {
    tls: ListenerTls,
    loaded: Mutex<Loaded>,
}

#[derive(Clone, Debug)]
struct Loaded {
    settings: TlsSettings,
    fingerprint: [u8; 32],
    config: Arc<ServerConfig>,
    /// For connections to listeners of the same kind.
    outward: Arc<ClientConfig>,
}

impl ListenerProtection {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// What cannot be used, with the key it belongs to.
    pub async fn open(tls: ListenerTls) -> Result<Self, String> {
        let loaded = load(&tls, None).await?.expect("nothing was loaded before");
        Ok(Self {
            tls,
            loaded: Mutex::new(loaded),
        })
    }

    /// What holds for the next connection.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.loaded().config)
    }

    /// Speaks TLS to another worker, at the other end of `stream`.
    ///
    /// # Errors
    /// What is wrong with who answers, or what it does not like about this one, and the remedy.
    pub async fn connect(
        &self,
        peer: &HostPort,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let Loaded {
            settings, outward, ..
        } = self.loaded().clone();
        let protection = OutwardProtection {
            settings,
            config: outward,
        };
        let connected = protection.connect(peer, stream).await;
        connected.map_err(|problem| {
            format!("{problem} (behind listeners.https., where such keys are set)")
        })
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for changes until it is dropped. What cannot be used is said once, and the former material stays.
    pub async fn watch(&self) {
        let mut said = None;
        loop {
            sleep(LOOK).await;
            let before = self.loaded().clone();
            match load(&self.tls, Some(&before)).await {
                Ok(None) => said = None,
                Ok(Some(loaded)) => {
                    *self.loaded() = loaded;
                    said = None;
                    tracing::info!("the certificates of the HTTP listener have changed");
                }
                Err(problem) if said.as_ref() == Some(&problem) => {}
                Err(problem) => {
                    tracing::warn!(
                        "the certificates of the HTTP listener have changed and cannot be used, the former ones stay: \
                         {problem}"
                    );
                    said = Some(problem);
                }
            }
        }
    }
}

/// TLS towards listeners of workers, for who only asks them.
#[derive(Debug)]
pub struct OutwardProtection {
    settings: TlsSettings,
    config: Arc<ClientConfig>,
}

impl OutwardProtection {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// What cannot be used, with the key it belongs to.
    pub async fn open(settings: TlsSettings) -> Result<Self, String> {
        let config = load_tls(&settings).await?;
        Ok(Self { settings, config })
    }

    /// Speaks TLS to the worker at the other end of `stream`.
    ///
    /// # Errors
    /// What is wrong with who answers, or what it does not like about us, and the remedy.
    pub async fn connect(
        &self,
        peer: &HostPort,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = server_name(peer)?;
        let connected = TlsConnector::from(Arc::clone(&self.config))
            .connect(name, stream)
            .await;
        connected.map_err(
            |error| match handshake_failed(peer, &self.settings, &error) {
                ClientError::Tls { cause, remedy, .. } => format!("{cause}; {remedy}"),
                other => other.to_string(),
            },
        )
    }
}

/// What is there now; `None` where it is what there was.
async fn load(tls: &ListenerTls, before: Option<&Loaded>) -> Result<Option<Loaded>, String> {
    let settings = tls.now()?;
    let (material, fingerprint) = tls_material(&settings).await?;
    let same = |before: &&Loaded| before.fingerprint == fingerprint && before.settings == settings;
    if before.filter(same).is_some() {
        return Ok(None);
    }
    let outward = client_config(&settings, material.duplicate())?;
    let config = server_config(&settings, tls.client_auth, material)?;
    Ok(Some(Loaded {
        settings,
        fingerprint,
        config: Arc::new(config),
        outward: Arc::new(outward),
    }))
}

fn server_config(
    settings: &TlsSettings,
    client_auth: ClientAuth,
    material: Material,
) -> Result<ServerConfig, String> {
    let provider = Arc::new(provider(settings));
    let versions = versions(settings, &provider);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(no_version)?;
    let builder = match client_auth {
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::Requested | ClientAuth::Required => {
            let trusted = material.trusted.clone().unwrap_or_default();
            let roots = Arc::new(roots(material.trusted)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = match client_auth {
                ClientAuth::Requested => verifier.allow_unauthenticated(),
                ClientAuth::None | ClientAuth::Required => verifier,
            };
            let chains = verifier
                .build()
                .map_err(|error| format!("ssl.truststore: {error}"))?;
            builder.with_client_cert_verifier(Arc::new(Clients { chains, trusted }))
        }
    };
    let KeyAndChain { key, chain } = material
        .identity
        .ok_or("ssl.keystore.location: there is no key")?;
    let mut config = builder.with_single_cert(chain, key).map_err(unusable_key)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(config)
}

/// Believes certificates of trusted authorities, and such as are trusted themselves, as Java does.
#[derive(Debug)]
struct Clients {
    chains: Arc<dyn ClientCertVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        self.chains.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chains.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chains
            .verify_client_cert(end_entity, intermediates, now);
        match verified {
            // Its dates have been checked before its kind.
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
                if is_own_authority(&other)
                    && self
                        .trusted
                        .iter()
                        .any(|trusted| trusted.as_ref() == end_entity.as_ref()) =>
            {
                Ok(ClientCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
