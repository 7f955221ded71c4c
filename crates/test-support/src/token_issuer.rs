//! An issuer of signed tokens (ES256) with its key set, and a token endpoint over http or https.
//!
//! The endpoint knows one client, and one key whose assertions it takes. It remembers how often it was asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::certificates::Issued;

/// Who the tokens are for.
pub const AUDIENCE: &str = "kafka-test";
/// Whom they name.
pub const SUBJECT: &str = "token-bearer";
/// The client that the endpoint knows.
pub const CLIENT_ID: &str = "tributary-client";
/// Its secret, planted so that it can be searched for.
pub const CLIENT_SECRET: &str = "planted-oauth-2Lm9";

/// Signs tokens.
#[derive(Debug, Clone)]
pub struct TokenIssuer(Arc<EcdsaKeyPair>);

impl Default for TokenIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenIssuer {
    /// An issuer with a new key.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self(Arc::new(pair.expect("randomness")))
    }

    /// Its public key as a JSON Web Key Set.
    #[must_use]
    pub fn key_set(&self) -> String {
        let point = self.0.public_key().as_ref();
        let (x, y) = (
            URL_SAFE_NO_PAD.encode(&point[1..33]),
            URL_SAFE_NO_PAD.encode(&point[33..65]),
        );
        format!(
            "{{\"keys\":[{{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"use\":\"sig\",\"kid\":\"1\",\"x\":\"{x}\",\"y\":\"{y}\"}}]}}"
        )
    }

    /// A token that ends after so many seconds.
    ///
    /// # Panics
    /// When the system's clock is before 1970, or there is no randomness.
    #[must_use]
    pub fn token(&self, seconds: u64) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let end = now + seconds;
        let header = r#"{"alg":"ES256","kid":"1","typ":"JWT"}"#;
        let claims = format!(
            "{{\"iss\":\"test\",\"sub\":\"{SUBJECT}\",\"aud\":\"{AUDIENCE}\",\"scope\":\"kafka\",\"iat\":{now},\"exp\":{end}}}"
        );
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.expect("randomness");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A listening endpoint; ends when dropped.
#[derive(Debug)]
pub struct TokenEndpoint {
    address: SocketAddr,
    tls: bool,
    asked: Arc<AtomicUsize>,
    forms: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl TokenEndpoint {
    /// Starts an endpoint whose tokens live so many seconds, over https where it has a certificate.
    ///
    /// # Errors
    /// When no port can be had, or the certificate cannot be used.
    pub async fn start(
        issuer: &TokenIssuer,
        seconds: u64,
        certificate: Option<&Issued>,
    ) -> std::io::Result<Self> {
        let acceptor = certificate.map(acceptor).transpose()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let asked = Arc::new(AtomicUsize::new(0));
        let forms = Arc::new(Mutex::default());
        let desk = Desk {
            issuer: issuer.clone(),
            seconds,
            asked: Arc::clone(&asked),
            forms: Arc::clone(&forms),
        };
        let tls = acceptor.is_some();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (desk, acceptor) = (desk.clone(), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => desk.serve(stream).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => desk.serve(stream).await,
                            Err(_) => None,
                        },
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            tls,
            asked,
            forms,
            _tasks: tasks,
        })
    }

    /// Where tokens are.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/oauth/token", self.address)
    }

    /// How many tokens it has given.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// The bodies of all requests.
    #[must_use]
    pub fn forms(&self) -> Vec<String> {
        self.forms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A text in base 64, as the header of a name and a password has it.
#[must_use]
pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// A server's side of TLS with this certificate, for peers that tests write themselves.
///
/// # Errors
/// When the certificate cannot be used.
pub fn acceptor(certificate: &Issued) -> std::io::Result<TlsAcceptor> {
    let chain = CertificateDer::from_pem_slice(certificate.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes());
    let chain = chain.map_err(std::io::Error::other)?;
    let key = key.map_err(std::io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let builder = builder.with_no_client_auth();
            builder.with_single_cert(vec![chain], key)
        })
        .map_err(std::io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[derive(Clone)]
struct Desk {
    issuer: TokenIssuer,
    seconds: u64,
    asked: Arc<AtomicUsize>,
    forms: Arc<Mutex<Vec<String>>>,
}

impl Desk {
    /// Answers one request; `None` where it is none.
    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let field = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        let mut form = vec![0; field("content-length")?.parse().ok()?];
        stream.read_exact(&mut form).await.ok()?;
        let form = String::from_utf8(form).ok()?;
        let basic = format!(
            "Basic {}",
            STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"))
        );
        let known = if form.contains("grant_type=client_credentials") {
            field("authorization").as_deref() == Some(basic.as_str())
        } else {
            form.contains("jwt-bearer&assertion=eyJ")
        };
        self.forms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(form);
        let (status, body) = if known {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let token = self.issuer.token(self.seconds);
            let life = self.seconds;
            let body = format!(
                "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{life}}}"
            );
            ("200 OK", body)
        } else {
            let body = r#"{"error":"invalid_client","error_description":"who are you?"}"#;
            ("401 Unauthorized", body.to_owned())
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()
    }
}
