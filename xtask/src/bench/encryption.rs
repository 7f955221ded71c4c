//! TLS in the benchmark: the certificates, and both ends of a TLS connection for the relay that measures what encryption
//! costs by itself.
//!
//! The same library and the same suite as Tributary's, so that the relay's extra cost is encryption and nothing else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use test_support::certificates::{Authority, write};
use test_support::kafka_cluster::ClusterBuilder;

use crate::failure::{Attempt as _, Failure, Result};

/// The listener with TLS.
pub(super) const LISTENER: &str = "TLS";
const HOST: &str = "127.0.0.1";

/// Bytes that go both ways, encrypted or not.
pub(super) trait Stream: Read + Write + Send {
    /// Says that no more comes.
    fn end(&mut self) -> std::io::Result<()>;
}

impl Stream for TcpStream {
    fn end(&mut self) -> std::io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn end(&mut self) -> std::io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }
}

impl Stream for StreamOwned<ServerConnection, TcpStream> {
    fn end(&mut self) -> std::io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }
}

/// The files of one benchmark.
#[derive(Debug, Clone)]
pub(super) struct Material {
    directory: PathBuf,
}

impl Material {
    /// Makes an authority, and a certificate for this machine.
    pub(super) fn new(directory: &Path) -> Result<Self> {
        let authority = Authority::new("Tributary benchmark").attempting("make certificates")?;
        let issued = authority
            .issue("benchmark", &["localhost", HOST])
            .attempting("make certificates")?;
        let this = Self::in_directory(directory);
        write(&this.own(), &issued.pem()).attempting("write certificates")?;
        write(&this.trusted(), authority.certificate()).attempting("write certificates")?;
        let settings = format!(
            "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location={}\n",
            this.trusted().display()
        );
        write(&this.settings(), &settings).attempting("write client settings")?;
        Ok(this)
    }

    /// What [`Material::new`] has made there.
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn own(&self) -> PathBuf {
        self.directory.join("own.pem")
    }

    fn trusted(&self) -> PathBuf {
        self.directory.join("trusted.pem")
    }

    /// Client settings for the listener with TLS.
    pub(super) fn settings(&self) -> PathBuf {
        self.directory.join("tls.properties")
    }

    /// Adds the listener to a cluster.
    pub(super) fn listener(&self, builder: ClusterBuilder) -> ClusterBuilder {
        let prefix = format!("listener.name.{}.", LISTENER.to_lowercase());
        let own = self.own().display().to_string();
        builder
            .listener(LISTENER, "SSL")
            .property(&format!("{prefix}ssl.keystore.type"), "PEM")
            .property(&format!("{prefix}ssl.keystore.location"), &own)
    }

    /// The end that was dialled.
    pub(super) fn accepted(&self, stream: TcpStream) -> Result<Box<dyn Stream>> {
        let chain = CertificateDer::from_pem_file(self.own()).attempting("read a certificate")?;
        let key = PrivateKeyDer::from_pem_file(self.own()).attempting("read a key")?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .attempting("set TLS up")?
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .attempting("set TLS up")?;
        // Nobody reads them at the other end: the connection would end with a reset.
        config.send_tls13_tickets = 0;
        let connection = ServerConnection::new(Arc::new(config)).attempting("set TLS up")?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }

    /// The end that dials.
    pub(super) fn dialled(&self, stream: TcpStream) -> Result<Box<dyn Stream>> {
        let mut roots = RootCertStore::empty();
        let trusted =
            CertificateDer::from_pem_file(self.trusted()).attempting("read a certificate")?;
        roots.add(trusted).attempting("trust a certificate")?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .attempting("set TLS up")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).map_err(|_| Failure::new("no name"))?;
        let connection = ClientConnection::new(Arc::new(config), name).attempting("set TLS up")?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
