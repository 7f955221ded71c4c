//! What the connections to one cluster are secured with at this moment.
//!
//! Flow: before every new connection, and every few seconds besides, variables are looked up and files read again. When
//! anything differs from what is in use, the new material is built; only if that works it takes the old one's place and
//! gets a new generation, which is the sign for open connections to be followed by new ones.

mod ends;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use config::client::{ClientConfig, HostPort};
use config::security::{
    Assertion, AwsCredentials, AwsKeys, AwsProfile, Given, Identity, Mechanism, OAuth,
    SaslSettings, Security, TlsSettings, TokenSource, Trust,
};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::certificate::ends_at;
use super::sasl::Login;
use super::store::{self, KeyAndChain};
use super::tls::{Material, client_config};
use super::{aws_profile, aws_roles, kerberos, pem, token};
use crate::error::ClientError;

/// How often files and variables are looked at while no connection is made.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// What a broker refuses is fetched anew at most so often.
const REFUSED: Duration = Duration::from_secs(30);
/// Largest file that is read, in bytes; trust stores of whole companies are far below.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Protection {
    initial: Security,
    given: Given,
    state: Mutex<State>,
    generations: watch::Sender<u64>,
    /// One token is fetched at a time; the others wait for it and take it from the state.
    fetching: Semaphore,
    kerberos: kerberos::Logins,
}

#[derive(Debug, Default)]
struct State {
    loaded: Option<Arc<Loaded>>,
    token: Option<token::Token>,
    /// The keys of a role.
    role: Option<aws_roles::Session>,
    /// What was last said about material that cannot be used.
    said: Option<String>,
}

#[derive(Debug)]
struct Loaded {
    security: Security,
    fingerprint: [u8; 32],
    generation: u64,
    tls: Option<Arc<rustls::ClientConfig>>,
    /// When the own certificate ends.
    certificate: Option<SystemTime>,
    /// The token of a file.
    token: Option<token::Token>,
    /// Where keys of AWS come from; no profile any more.
    aws: Option<AwsCredentials>,
}

/// What one new connection needs.
#[derive(Debug)]
pub(crate) struct Ready {
    loaded: Arc<Loaded>,
    /// Who to authenticate as.
    pub(crate) login: Option<Login>,
}

impl Ready {
    /// The settings it was made from.
    pub(crate) fn security(&self) -> &Security {
        &self.loaded.security
    }

    /// TLS, where it is used.
    pub(crate) fn tls(&self) -> Option<(&Arc<rustls::ClientConfig>, &TlsSettings)> {
        Some((self.loaded.tls.as_ref()?, self.loaded.security.tls()?))
    }

    /// Which material it is.
    pub(crate) fn generation(&self) -> u64 {
        self.loaded.generation
    }
}

impl Protection {
    /// `None` where connections are not protected.
    pub(crate) fn new(config: &ClientConfig) -> Option<Self> {
        if config.security == Security::Plaintext && !config.given_security.has_variables() {
            return None;
        }
        Some(Self {
            initial: config.security.clone(),
            given: config.given_security.clone(),
            state: Mutex::default(),
            generations: watch::Sender::new(0),
            fetching: Semaphore::new(1),
            kerberos: kerberos::Logins::new(),
        })
    }

    /// Tells the newest generation.
    pub(crate) fn generations(&self) -> watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// What holds for a new connection to `peer`.
    ///
    /// # Errors
    /// `Credentials` where nothing can be used.
    pub(crate) async fn ready(&self, peer: &HostPort) -> Result<Ready, ClientError> {
        let unusable = |cause| ClientError::Credentials {
            peer: peer.clone(),
            cause,
        };
        let loaded = self.load().await.map_err(unusable)?;
        let login = match loaded.security.sasl() {
            None => None,
            Some(SaslSettings { mechanism }) => Some(Login {
                token: match mechanism {
                    Mechanism::OAuthBearer(oauth) => {
                        let token = self.token(oauth, &loaded).await.map_err(unusable)?;
                        Some(token.text)
                    }
                    _ => None,
                },
                aws: match (mechanism, &loaded.aws) {
                    (Mechanism::AwsMskIam(_), Some(credentials)) => {
                        Some(self.role(credentials).await.map_err(unusable)?)
                    }
                    _ => None,
                },
                kerberos: match mechanism {
                    Mechanism::Gssapi(settings) => {
                        let begun = self.kerberos.begin(settings, &peer.host, loaded.generation);
                        Some(begun.await.map_err(unusable)?)
                    }
                    _ => None,
                },
                mechanism: mechanism.clone(),
            }),
        };
        Ok(Ready { loaded, login })
    }

    /// Looks for changes until it is dropped.
    pub(crate) async fn watch(&self) {
        loop {
            sleep(LOOK).await;
            // Before the first connection there is nothing to compare with; what is wrong then is said there.
            if self.state().loaded.is_some() {
                drop(self.load().await);
            }
        }
    }

    /// A broker has refused what was fetched for a login: the next one asks for something new, unless that is what has just
    /// been done. Whoever gave it may have taken it back, or this machine's clock was wrong when it came.
    pub(crate) fn refused(&self, login: &Login) {
        let now = SystemTime::now();
        let mut state = self.state();
        if state.token.as_ref().is_some_and(|held| {
            login.token.as_ref() == Some(&held.text) && held.is_held_for(REFUSED, now)
        }) {
            state.token = None;
        }
        if state.role.as_ref().is_some_and(|held| {
            login.aws.as_ref() == Some(&held.keys) && held.is_held_for(REFUSED, now)
        }) {
            state.role = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest material that can be used.
    async fn load(&self) -> Result<Arc<Loaded>, String> {
        match self.look().await {
            Ok(loaded) => {
                self.state().said = None;
                Ok(loaded)
            }
            Err(problem) => {
                let mut state = self.state();
                let Some(loaded) = state.loaded.clone() else {
                    return Err(problem);
                };
                // Half-written files are looked at again soon; what is in use goes on meanwhile.
                if state.said.as_ref() != Some(&problem) {
                    tracing::warn!(
                        "credentials have changed and cannot be used, the former ones stay: {problem}"
                    );
                    state.said = Some(problem);
                }
                Ok(loaded)
            }
        }
    }

    async fn look(&self) -> Result<Arc<Loaded>, String> {
        let security = if self.given.has_variables() {
            self.given.resolve()?
        } else {
            self.initial.clone()
        };
        let files = Files::read(&security).await?;
        let fingerprint = files.fingerprint();
        let former = self.state().loaded.clone();
        if let Some(former) = &former
            && former.fingerprint == fingerprint
            && former.security == security
        {
            return Ok(Arc::clone(former));
        }
        let mut certificate = None;
        let tls = match security.tls() {
            Some(settings) => {
                let material = files.material(settings)?;
                let own = material.identity.as_ref();
                certificate = own.and_then(|own| ends_at(own.chain.first()?));
                Some(Arc::new(client_config(settings, material)?))
            }
            None => None,
        };
        let token = files.token(&security)?;
        let aws = files.aws(&security)?;
        let mut state = self.state();
        // Somebody else may have looked meanwhile: what is the same is no change.
        if let Some(newer) = &state.loaded
            && newer.fingerprint == fingerprint
            && newer.security == security
        {
            return Ok(Arc::clone(newer));
        }
        let generation = match &state.loaded {
            Some(former) => former.generation + 1,
            None => 0,
        };
        let loaded = Arc::new(Loaded {
            security,
            fingerprint,
            generation,
            tls,
            certificate,
            token,
            aws,
        });
        state.loaded = Some(Arc::clone(&loaded));
        state.token = None;
        state.role = None;
        drop(state);
        if generation > 0 {
            tracing::info!("credentials have changed; connections are renewed with the new ones");
            self.generations.send_replace(generation);
        }
        Ok(loaded)
    }

    async fn token(&self, oauth: &OAuth, loaded: &Loaded) -> Result<token::Token, String> {
        if let Some(token) = &loaded.token {
            if token.is_alive(SystemTime::now()) {
                return Ok(token.clone());
            }
            return Err("the token in the file has expired".to_owned());
        }
        let fresh = |token: &token::Token| !token.is_due(SystemTime::now(), oauth.refresh);
        if let Some(token) = self.state().token.clone().filter(fresh) {
            return Ok(token);
        }
        // Before its turn: keys of AWS are fetched in turns as well.
        let aws = match &loaded.aws {
            Some(credentials) => Some(self.role(credentials).await?),
            None => None,
        };
        let _turn = self.fetching.acquire().await;
        let former = self.state().token.clone();
        if let Some(token) = former.clone().filter(fresh) {
            return Ok(token);
        }
        let fetched = token::fetch(oauth, aws.as_ref(), SystemTime::now()).await;
        match (fetched, former) {
            (Ok(token), _) => {
                self.state().token = Some(token.clone());
                Ok(token)
            }
            // An endpoint that is down for a moment does no harm while the former token lives.
            (Err(_), Some(former)) if former.is_alive(SystemTime::now()) => Ok(former),
            (Err(problem), _) => Err(problem),
        }
    }
}

impl Protection {
    /// Keys of AWS for now.
    async fn role(&self, credentials: &AwsCredentials) -> Result<AwsKeys, String> {
        if let AwsCredentials::Keys(keys) = credentials {
            return Ok(keys.clone());
        }
        let fresh = |session: &aws_roles::Session| !session.is_due(SystemTime::now());
        let held = || self.state().role.clone();
        if let Some(session) = held().filter(fresh) {
            return Ok(session.keys);
        }
        let _turn = self.fetching.acquire().await;
        let former = held();
        if let Some(session) = former.clone().filter(fresh) {
            return Ok(session.keys);
        }
        match (
            aws_roles::obtain(credentials, SystemTime::now()).await,
            former,
        ) {
            (Ok(session), _) => {
                self.state().role = Some(session.clone());
                Ok(session.keys)
            }
            // A service that is down for a moment does no harm while the former keys live.
            (Err(_), Some(former)) if former.is_alive(SystemTime::now()) => Ok(former.keys),
            (Err(problem), _) => Err(problem),
        }
    }
}

/// What is in the files that settings name.
struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl Files {
    async fn read(security: &Security) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        let of_tls = security.tls().map(tls_files).unwrap_or_default();
        for (key, path) in of_tls.into_iter().chain(sasl_files(security)) {
            let bytes = read_file(path).await;
            let bytes = bytes.map_err(|problem| of_file(key, path, &problem))?;
            files.insert(path.to_owned(), bytes);
        }
        // Either of AWS's files may be missing; what is needed of them is looked for afterwards.
        for path in aws_files(security) {
            if let Ok(bytes) = read_file(path).await {
                files.insert(path.to_owned(), bytes);
            }
        }
        Ok(Self(files))
    }

    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (path, bytes) in &self.0 {
            hash.update(path.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        }
        hash.finalize().into()
    }

    fn bytes(&self, path: &Path) -> &[u8] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    fn material(&self, settings: &TlsSettings) -> Result<Material, String> {
        let trusted = match &settings.trust {
            Trust::System => None,
            Trust::Inline(certificates) => Some(
                pem::certificates(certificates.expose())
                    .map_err(|problem| format!("ssl.truststore.certificates: {problem}"))?,
            ),
            Trust::Store(file) => {
                let password = file.password.as_ref().map(|p| p.expose().as_str());
                let trusted = store::trusted(self.bytes(&file.path), password);
                let key = "ssl.truststore.location";
                let hint = "ssl.truststore.password";
                Some(trusted.map_err(|p| of_file(key, &file.path, &with_key(&p, hint)))?)
            }
        };
        let identity = match &settings.identity {
            None => None,
            Some(Identity::Inline {
                key,
                chain,
                key_password,
            }) => {
                let password = key_password.as_ref().map(|p| p.expose().as_str());
                let key = pem::private_key(key.expose(), password)
                    .map_err(|problem| format!("ssl.keystore.key: {problem}"))?;
                let chain = pem::certificates(chain.expose())
                    .map_err(|problem| format!("ssl.keystore.certificate.chain: {problem}"))?;
                Some(KeyAndChain { key, chain })
            }
            Some(Identity::Store {
                store: file,
                key_password,
            }) => {
                let password = file.password.as_ref().map(|p| p.expose().as_str());
                let key_password = key_password.as_ref().map(|p| p.expose().as_str());
                let identity = store::identity(self.bytes(&file.path), password, key_password);
                let key = "ssl.keystore.location";
                let hint = "ssl.keystore.password";
                Some(identity.map_err(|p| of_file(key, &file.path, &with_key(&p, hint)))?)
            }
        };
        Ok(Material { trusted, identity })
    }

    fn aws(&self, security: &Security) -> Result<Option<AwsCredentials>, String> {
        let Some(credentials) = aws_credentials(security) else {
            return Ok(None);
        };
        let resolve = |profile: &AwsProfile| {
            let text = |path: &Path| String::from_utf8_lossy(self.bytes(path)).into_owned();
            aws_profile::resolve(profile, &text(&profile.file), &text(&profile.config_file))
        };
        Ok(Some(match credentials {
            AwsCredentials::Profile(profile) => resolve(profile)?,
            AwsCredentials::Role { source, role } => match source.as_ref() {
                AwsCredentials::Profile(profile) => AwsCredentials::Role {
                    source: Box::new(resolve(profile)?),
                    role: role.clone(),
                },
                _ => credentials.clone(),
            },
            other => other.clone(),
        }))
    }

    fn token(&self, security: &Security) -> Result<Option<token::Token>, String> {
        let Some(TokenSource::File(path)) = token_source(security) else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(self.bytes(path));
        let claims = match security.sasl().map(|sasl| &sasl.mechanism) {
            Some(Mechanism::OAuthBearer(oauth)) => oauth.claims.as_slice(),
            _ => &[],
        };
        token::Token::new(&text, SystemTime::now(), None)
            .and_then(|token| token.with(claims))
            .map(Some)
            .map_err(|problem| of_file("sasl.oauthbearer.token.endpoint.url", path, &problem))
    }
}

fn of_file(key: &str, path: &Path, problem: &str) -> String {
    format!("{key} {}: {problem}", path.display())
}

/// Names the key of a store's password where it is what is wrong.
fn with_key(problem: &str, key: &str) -> String {
    let wrong = "the password of the store is wrong";
    problem
        .replace(wrong, &format!("{wrong} ({key})"))
        .replace("its password is not set", &format!("{key} is not set"))
}

fn tls_files(settings: &TlsSettings) -> Vec<(&'static str, &Path)> {
    let mut files = Vec::new();
    if let Trust::Store(file) = &settings.trust {
        files.push(("ssl.truststore.location", file.path.as_path()));
    }
    if let Some(Identity::Store { store, .. }) = &settings.identity {
        files.push(("ssl.keystore.location", store.path.as_path()));
    }
    files
}

fn token_source(security: &Security) -> Option<&TokenSource> {
    match &security.sasl()?.mechanism {
        Mechanism::OAuthBearer(oauth) => Some(&oauth.source),
        _ => None,
    }
}

/// Who we are at AWS, where that is of use.
fn aws_credentials(security: &Security) -> Option<&AwsCredentials> {
    match (&security.sasl()?.mechanism, token_source(security)) {
        (Mechanism::AwsMskIam(credentials), _) => Some(credentials),
        (_, Some(TokenSource::Aws(token))) => Some(&token.credentials),
        _ => None,
    }
}

fn aws_files(security: &Security) -> Vec<&Path> {
    let Some(credentials) = aws_credentials(security) else {
        return Vec::new();
    };
    let profile = match credentials {
        AwsCredentials::Profile(profile) => Some(profile),
        AwsCredentials::Role { source, .. } => match source.as_ref() {
            AwsCredentials::Profile(profile) => Some(profile),
            _ => None,
        },
        _ => None,
    };
    profile.map_or_else(Vec::new, |profile| {
        vec![profile.file.as_path(), profile.config_file.as_path()]
    })
}

/// Files whose change asks for new connections. A key that signs assertions is read when it signs.
fn sasl_files(security: &Security) -> Vec<(&'static str, &Path)> {
    if let Some(Mechanism::Gssapi(settings)) = security.sasl().map(|sasl| &sasl.mechanism)
        && settings.ticket_cache.is_none()
        && let Some(key_table) = &settings.key_table
    {
        return vec![("keyTab of sasl.jaas.config", key_table)];
    }
    match token_source(security) {
        Some(TokenSource::File(path)) => vec![("sasl.oauthbearer.token.endpoint.url", path)],
        Some(TokenSource::JwtBearer {
            assertion: Assertion::File(path),
            ..
        }) => vec![("sasl.oauthbearer.assertion.file", path)],
        _ => Vec::new(),
    }
}

/// A file of ordinary size.
pub(super) async fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let in_words = |error: std::io::Error| format!("the file cannot be read: {error}");
    let file = tokio::fs::File::open(path).await.map_err(in_words)?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).await;
    read.map_err(in_words)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST_FILE {
        return Err(format!("the file is larger than {LARGEST_FILE} bytes"));
    }
    Ok(bytes)
}

/// What TLS settings name, as it is in their files now, with a sum of the files that differs when they do.
pub(super) async fn tls_material(settings: &TlsSettings) -> Result<(Material, [u8; 32]), String> {
    let files = Files::read(&Security::Tls(Box::new(settings.clone()))).await?;
    Ok((files.material(settings)?, files.fingerprint()))
}

/// TLS as settings say, for once.
pub(super) async fn load_tls(settings: &TlsSettings) -> Result<Arc<rustls::ClientConfig>, String> {
    let (material, _) = tls_material(settings).await?;
    Ok(Arc::new(client_config(settings, material)?))
}

#[cfg(test)]
mod tests {
    use config::security::UnsecuredToken;

    use super::*;

    #[tokio::test]
    async fn a_token_that_a_broker_refuses_is_replaced_unless_it_is_new() {
        let peer = HostPort {
            host: "broker".to_owned(),
            port: 9092,
        };
        let mut config = ClientConfig::new(vec![peer.clone()]);
        let oauth = OAuth {
            source: TokenSource::Unsecured(UnsecuredToken {
                claims: [("sub".to_owned(), "al".into())].into(),
                lifetime: Duration::from_secs(3_600),
            }),
            extensions: Vec::new(),
            tls: None,
            connect_timeout: LOOK,
            read_timeout: LOOK,
            refresh: config::security::Refresh::default(),
            retry: config::security::LoginRetry::default(),
            claims: Vec::new(),
        };
        config.security = Security::SaslPlaintext(Box::new(SaslSettings {
            mechanism: Mechanism::OAuthBearer(Box::new(oauth)),
        }));
        let protection = Protection::new(&config).expect("it is protected");
        let login = protection.ready(&peer).await.expect("a token").login;
        let mut login = login.expect("it logs in");
        protection.refused(&login);
        assert!(protection.state().token.is_some(), "new");
        let text = "held-for-a-minute";
        let then = SystemTime::now() - 2 * REFUSED;
        let held = token::Token::new(text, then, Some(10 * REFUSED)).expect("a token");
        protection.state().token = Some(held);
        protection.refused(&login);
        assert!(protection.state().token.is_some(), "another one");
        login.token = Some(text.to_owned().into());
        protection.refused(&login);
        assert!(protection.state().token.is_none());
    }
}
