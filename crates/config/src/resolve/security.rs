//! Settings of TLS and SASL, from the keys of one client.
//!
//! Flow: `gather` collects the keys from their places, stronger ones over weaker; `Builder` makes settings of them and
//! reports everything that is wrong. The same builder runs again for every new connection whose settings hold
//! variables ([`security_now`]), so that a secret that was replaced in its file holds from then on.

use std::collections::BTreeMap;

use crate::client::ClientConfig;
use crate::key::Treatment;
use crate::keys::{is_security, security_row};
use crate::problem::{ConfigProblem, Notice};
use crate::raw::RawEntry;
use crate::resolve::reader::Reader;
use crate::rest::{ClientAuth, ListenerTls};
use crate::secret::Secret;
use crate::security::{
    CIPHER_SUITES, Given, Identity, Security, StoreFile, TlsSettings, Trust, is_tls13_suite,
};
use crate::variables::Variables;

mod allowed;
mod aws;
mod kerberos;
mod oauth;
mod sasl;
mod unsecured;

/// How a notice begins about keys of TLS that do nothing.
const PLAIN_TEXT: &str = "connections are made in plain text, because";

/// Puts the security of a client together from the keys behind `prefixes`, the strongest first. Settings of `base`
/// hold where no key is given, but only for the same brokers: credentials are not shown to others.
pub(super) fn security(
    reader: &mut Reader<'_>,
    prefixes: &[&str],
    base: Option<&ClientConfig>,
    client: &mut ClientConfig,
) {
    let inherited = base.filter(|base| base.bootstrap_servers == client.bootstrap_servers);
    let mut given = inherited
        .map(|base| base.given_security.clone())
        .unwrap_or_default();
    let own = gather(reader, prefixes);
    allowed::check(reader, &own);
    client.security = Security::Plaintext;
    if inherited.is_none()
        && own.is_empty()
        && let Some(base) = base
        && base.security != Security::Plaintext
    {
        reader.warn(
            "the destination's brokers are not those of the worker, so that the worker's security settings do not hold \
             for them: connections are made in plain text",
        );
    }
    if own.is_empty() && inherited.is_some() {
        client.security = inherited
            .map(|base| base.security.clone())
            .unwrap_or_default();
        client.given_security = given;
        return;
    }
    given.entries.extend(own);
    given.variables = reader.raw.variables().cloned();
    given.unsecured_tokens = reader.unsecured_tokens;
    let entries = match replaced(&given) {
        Ok(entries) => entries,
        // Reported where all variables are replaced.
        Err(problem) => {
            reader.problems.push(*problem);
            return;
        }
    };
    let mut builder = Builder::new(&entries, given.variables.as_ref());
    builder.unsecured_tokens = given.unsecured_tokens;
    builder.empty();
    let security = builder.security();
    for problem in builder.problems {
        if !reader.problems.iter().any(|known| known.key == problem.key) {
            reader.problems.push(problem);
        }
    }
    reader.notices.extend(builder.notices);
    client.security = security.unwrap_or_default();
    client.given_security = given;
}

/// The settings as they are now.
pub(crate) fn security_now(given: &Given) -> Result<Security, String> {
    let entries = replaced(given).map_err(|problem| problem.to_string())?;
    let mut builder = Builder::new(&entries, given.variables.as_ref());
    builder.unsecured_tokens = given.unsecured_tokens;
    builder.illegal();
    builder.empty();
    let security = builder.security();
    match security {
        Some(security) if builder.problems.is_empty() => Ok(security),
        _ => Err(builder.in_words(&entries)),
    }
}

/// TLS of listeners, from the keys behind `prefix`. As in Connect one of them replaces all of the worker's own.
pub(super) fn of_listeners(reader: &mut Reader<'_>, prefix: &str) -> Option<ListenerTls> {
    let all = reader.raw.entries().iter();
    let own: BTreeMap<String, RawEntry> = all
        .filter_map(|entry| {
            Some((
                entry.key.strip_prefix(prefix)?.to_owned(),
                entry.as_written(),
            ))
        })
        .collect();
    let worker = || {
        let all = reader.raw.entries().iter();
        let of_tls = all.filter(|entry| entry.key.starts_with("ssl."));
        of_tls
            .map(|entry| (entry.key.clone(), entry.as_written()))
            .collect()
    };
    if own.is_empty() {
        // What was said to have no effect on connections to brokers has one here.
        let plain =
            |notice: &Notice| notice.text.starts_with(PLAIN_TEXT) && !notice.text.contains("sasl.");
        reader.notices.retain(|notice| !plain(notice));
    }
    let given = Given {
        entries: if own.is_empty() { worker() } else { own },
        unsecured_tokens: false,
        variables: reader.raw.variables().cloned(),
    };
    let entries = match replaced(&given) {
        Ok(entries) => entries,
        // Reported where all variables are replaced.
        Err(problem) => {
            reader.problems.push(*problem);
            return None;
        }
    };
    let mut builder = Builder::new(&entries, given.variables.as_ref());
    let settings = builder.of_listeners();
    let client_auth = builder.client_auth();
    reader.problems.append(&mut builder.problems);
    reader.notices.append(&mut builder.notices);
    Some(ListenerTls {
        settings: settings?,
        client_auth,
        given,
    })
}

/// The settings as they are now.
pub(crate) fn listener_tls_now(given: &Given) -> Result<TlsSettings, String> {
    let entries = replaced(given).map_err(|problem| problem.to_string())?;
    let mut builder = Builder::new(&entries, given.variables.as_ref());
    builder.illegal();
    builder.empty();
    let settings = builder.of_listeners();
    match settings {
        Some(settings) if builder.problems.is_empty() => Ok(settings),
        _ => Err(builder.in_words(&entries)),
    }
}

/// The entries of security, as written, by their names without prefix.
fn gather(reader: &Reader<'_>, prefixes: &[&str]) -> BTreeMap<String, RawEntry> {
    let mut entries = BTreeMap::new();
    for prefix in prefixes.iter().rev() {
        for entry in reader.raw.entries() {
            if let Some(name) = entry.key.strip_prefix(prefix)
                && is_security(name)
                && !(prefix.is_empty() && is_of_worker(&entry.key))
            {
                entries.insert(name.to_owned(), entry.as_written());
            }
        }
    }
    entries
}

/// Keys of the worker's HTTP server that look like those of a client.
fn is_of_worker(key: &str) -> bool {
    key == "ssl.client.auth"
}

fn replaced(given: &Given) -> Result<BTreeMap<String, RawEntry>, Box<ConfigProblem>> {
    given
        .entries
        .iter()
        .map(|(name, entry)| {
            let entry = entry.replace(given.variables.as_ref())?;
            Ok((name.clone(), entry))
        })
        .collect()
}

struct Builder<'a> {
    entries: &'a BTreeMap<String, RawEntry>,
    variables: Option<&'a Variables>,
    problems: Vec<ConfigProblem>,
    notices: Vec<Notice>,
    unsecured_tokens: bool,
}

impl<'a> Builder<'a> {
    fn new(entries: &'a BTreeMap<String, RawEntry>, variables: Option<&'a Variables>) -> Self {
        Self {
            entries,
            variables,
            problems: Vec::new(),
            notices: Vec::new(),
            unsecured_tokens: false,
        }
    }

    /// Values that are none of their keys. At the start each entry is judged by its row before; a variable may bring
    /// something else later, and without this a slip in `security.protocol` would mean plain text.
    fn illegal(&mut self) {
        for (name, entry) in self.entries {
            let value = entry.value.trim();
            if let Some(row) = security_row(name)
                && !value.is_empty()
                && let Err((wrong, remedy)) = row.check(value)
            {
                self.problems.push(row.problem(entry, wrong, Some(remedy)));
            }
        }
    }

    /// Variables that brought nothing: a file that is being written, most likely. Unset would mean something else, such as
    /// the system's authorities in place of one's own.
    fn empty(&mut self) {
        for (name, entry) in self.entries {
            if entry.is_replaced() && entry.value.trim().is_empty() {
                self.refuse(
                    name,
                    "its variables bring nothing",
                    "give them a value, or leave the key out",
                );
            }
        }
    }

    fn entry(&self, name: &str) -> Option<&'a RawEntry> {
        let entry = self.entries.get(name)?;
        let value = entry.value.trim();
        let legal = security_row(name).is_none_or(|row| row.check(value).is_ok());
        (legal && !value.is_empty()).then_some(entry)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.entry(name).map(|entry| entry.value.trim())
    }

    fn secret(&self, name: &str) -> Option<Secret<String>> {
        self.text(name).map(|text| Secret::new(text.to_owned()))
    }

    fn list(&self, name: &str) -> Vec<&'a str> {
        self.text(name)
            .map(|text| text.split(',').map(str::trim).collect())
            .unwrap_or_default()
    }

    /// The full name of a key of this client.
    fn full(&self, name: &str) -> String {
        let prefix = self
            .entries
            .iter()
            .find(|(known, _)| known.as_str() == "security.protocol")
            .or_else(|| self.entries.iter().next())
            .map_or("", |(known, entry)| {
                entry.key.strip_suffix(known.as_str()).unwrap_or("")
            });
        format!("{prefix}{name}")
    }

    fn refuse(&mut self, name: &str, wrong: impl Into<String>, remedy: impl Into<String>) {
        let (Some(entry), Some(row)) = (self.entries.get(name), security_row(name)) else {
            return self.missing(name, wrong, remedy);
        };
        self.problems
            .push(row.problem(entry, wrong.into(), Some(remedy.into())));
    }

    fn missing(&mut self, name: &str, wrong: impl Into<String>, remedy: impl Into<String>) {
        let problem = ConfigProblem::missing(&self.full(name), wrong, remedy);
        self.problems.push(problem);
    }

    fn warn(&mut self, text: String) {
        self.notices.push(Notice::warn(text));
    }

    /// What is wrong, without values.
    fn in_words(&mut self, entries: &BTreeMap<String, RawEntry>) -> String {
        super::conceal_entries(entries.values(), &mut self.problems, &mut []);
        let texts: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        texts.join("; ")
    }

    /// `None` where something has been reported.
    fn security(&mut self) -> Option<Security> {
        let protocol = self.text("security.protocol").unwrap_or("PLAINTEXT");
        match protocol {
            "SSL" => self.tls().map(|tls| Security::Tls(Box::new(tls))),
            "SASL_PLAINTEXT" => {
                let sasl = self.sasl()?;
                if sasl.mechanism.shows_secrets() {
                    let key = self.full("security.protocol");
                    let mechanism = sasl.mechanism.name();
                    self.warn(format!(
                        "{key}=SASL_PLAINTEXT with {mechanism} sends the secret readable over the network; SASL_SSL \
                         protects it"
                    ));
                }
                Some(Security::SaslPlaintext(Box::new(sasl)))
            }
            "SASL_SSL" => {
                let (tls, sasl) = (self.tls(), self.sasl());
                Some(Security::SaslTls(Box::new(tls?), Box::new(sasl?)))
            }
            _ => {
                self.without_protocol();
                Some(Security::Plaintext)
            }
        }
    }

    /// Somebody who names a key store expects it to be used.
    fn without_protocol(&mut self) {
        let expected: Vec<&str> = self
            .entries
            .iter()
            .filter(|(name, entry)| {
                let value = entry.value.trim();
                name.as_str() != "security.protocol"
                    && !value.is_empty()
                    && security_row(name).is_some_and(|row| {
                        row.treatment == Treatment::Implemented && row.default != Some(value)
                    })
            })
            .map(|(_, entry)| entry.key.as_str())
            .collect();
        if !expected.is_empty() {
            let protocol = self.full("security.protocol");
            let keys = expected.join(", ");
            self.warn(format!(
                "{PLAIN_TEXT} {protocol} is PLAINTEXT or not set: no effect has \
                 {keys}"
            ));
        }
    }

    fn tls(&mut self) -> Option<TlsSettings> {
        let before = self.problems.len();
        let (tls12, tls13) = self.versions();
        let cipher_suites = self.cipher_suites(tls12, tls13);
        let check_host_name = self.check_host_name();
        let trust = self.trust();
        let identity = self.identity();
        (self.problems.len() == before).then_some(TlsSettings {
            tls12,
            tls13,
            cipher_suites,
            trust,
            identity,
            check_host_name,
        })
    }

    /// TLS of those who are connected to: they have to show who they are, and dial nobody.
    fn of_listeners(&mut self) -> Option<TlsSettings> {
        let before = self.problems.len();
        let (tls12, tls13) = self.versions();
        let cipher_suites = self.cipher_suites(tls12, tls13);
        let trust = self.trust();
        let identity = self.identity();
        if identity.is_none() && self.problems.len() == before {
            self.missing(
                "ssl.keystore.location",
                "a listener is https, and it is not said who it is",
                "set it to a file with the private key and its certificates (PEM, PKCS12 or JKS)",
            );
        }
        (self.problems.len() == before).then_some(TlsSettings {
            tls12,
            tls13,
            cipher_suites,
            trust,
            identity,
            // For requests to other workers, whose listeners these settings are those of, too.
            check_host_name: self.check_host_name(),
        })
    }

    fn client_auth(&mut self) -> ClientAuth {
        let name = "ssl.client.auth";
        match self.text(name).unwrap_or("none") {
            "none" => ClientAuth::None,
            "requested" => ClientAuth::Requested,
            "required" => ClientAuth::Required,
            _ => {
                // Without a prefix it is judged by its own row.
                if let Some(entry) = self.entries.get(name).filter(|entry| entry.key != name) {
                    let wrong = "there is no such choice";
                    let remedy = "choose one of none, requested, required";
                    self.problems.push(ConfigProblem {
                        shown: Some(entry.value.trim().to_owned()),
                        origin: Some(entry.origin.clone()),
                        ..ConfigProblem::missing(&entry.key, wrong, remedy)
                    });
                }
                ClientAuth::Required
            }
        }
    }

    fn versions(&mut self) -> (bool, bool) {
        if let Some(protocol) = self.text("ssl.protocol")
            && !["TLS", "TLSv1.2", "TLSv1.3"].contains(&protocol)
        {
            self.refuse(
                "ssl.protocol",
                "only TLS 1.2 and 1.3 are spoken; older versions are not safe",
                "choose one of TLSv1.3, TLSv1.2, TLS",
            );
        }
        let mut enabled = (false, false);
        let list = self.list("ssl.enabled.protocols");
        if list.is_empty() {
            return (true, true);
        }
        let mut dropped = Vec::new();
        for name in list {
            match name {
                "TLSv1.2" => enabled.0 = true,
                "TLSv1.3" => enabled.1 = true,
                _ => dropped.push(name),
            }
        }
        if enabled == (false, false) {
            self.refuse(
                "ssl.enabled.protocols",
                "only TLS 1.2 and 1.3 are spoken; older versions are not safe",
                "write TLSv1.2,TLSv1.3",
            );
        } else if !dropped.is_empty() {
            let key = self.full("ssl.enabled.protocols");
            let dropped = dropped.join(", ");
            self.warn(format!("{key}: {dropped} cannot be used and is left out"));
        }
        enabled
    }

    fn cipher_suites(&mut self, tls12: bool, tls13: bool) -> Vec<String> {
        let list = self.list("ssl.cipher.suites");
        let (known, unknown): (Vec<&str>, Vec<&str>) = list
            .iter()
            .filter(|name| !name.is_empty())
            .partition(|name| CIPHER_SUITES.contains(name));
        let usable = known
            .iter()
            .any(|name| if is_tls13_suite(name) { tls13 } else { tls12 });
        if !list.is_empty() && !usable && (tls12 || tls13) {
            self.refuse(
                "ssl.cipher.suites",
                "no suite is left that can be used",
                format!("leave it out, or choose among {}", CIPHER_SUITES.join(", ")),
            );
        } else if !unknown.is_empty() {
            let key = self.full("ssl.cipher.suites");
            let unknown = unknown.join(", ");
            self.warn(format!("{key}: {unknown} cannot be used and is left out"));
        }
        known.into_iter().map(str::to_owned).collect()
    }

    fn check_host_name(&mut self) -> bool {
        let name = "ssl.endpoint.identification.algorithm";
        let Some(entry) = self.entries.get(name) else {
            return true;
        };
        match entry.value.trim() {
            value if value.eq_ignore_ascii_case("https") => true,
            "" => {
                self.warn(format!(
                    "{} is empty: the certificate need not name the broker, and whoever has any certificate of the \
                     same authority can pretend to be it",
                    entry.key
                ));
                false
            }
            _ => {
                self.refuse(name, "there is no such choice", "write https, or nothing");
                true
            }
        }
    }

    fn trust(&mut self) -> Trust {
        let inline = self.secret("ssl.truststore.certificates");
        let location = self.text("ssl.truststore.location");
        match (inline, location) {
            (Some(_), Some(_)) => {
                self.refuse(
                    "ssl.truststore.certificates",
                    "certificates are given here and by ssl.truststore.location",
                    "leave one of both out",
                );
                Trust::System
            }
            (Some(certificates), None) => Trust::Inline(certificates),
            (None, Some(path)) => Trust::Store(StoreFile {
                path: path.into(),
                password: self.secret("ssl.truststore.password"),
            }),
            (None, None) => Trust::System,
        }
    }

    fn identity(&mut self) -> Option<Identity> {
        let key = self.secret("ssl.keystore.key");
        let chain = self.secret("ssl.keystore.certificate.chain");
        let location = self.text("ssl.keystore.location");
        let key_password = self.secret("ssl.key.password");
        match (key, chain, location) {
            (None, None, None) => None,
            (None, None, Some(path)) => Some(Identity::Store {
                store: StoreFile {
                    path: path.into(),
                    password: self.secret("ssl.keystore.password"),
                },
                key_password,
            }),
            (Some(key), Some(chain), None) => Some(Identity::Inline {
                key,
                chain,
                key_password,
            }),
            (Some(_), None, None) => {
                let remedy = "set it to the certificate of ssl.keystore.key, followed by those of its issuers";
                self.missing(
                    "ssl.keystore.certificate.chain",
                    "the certificate is missing",
                    remedy,
                );
                None
            }
            (None, Some(_), None) => {
                self.missing(
                    "ssl.keystore.key",
                    "the private key is missing",
                    "set it to the key of ssl.keystore.certificate.chain, in PKCS#8 form",
                );
                None
            }
            (key, _, Some(_)) => {
                let name = match key {
                    Some(_) => "ssl.keystore.key",
                    None => "ssl.keystore.certificate.chain",
                };
                self.refuse(
                    name,
                    "a key is given here and by ssl.keystore.location",
                    "leave one of both out",
                );
                None
            }
        }
    }
}
