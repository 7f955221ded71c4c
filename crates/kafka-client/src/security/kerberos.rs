//! GSSAPI (RFC 4752): tickets, when they are replaced, and the exchange with a broker.
//!
//! ```text
//! begin: tickets in use ── due? ──▶ log in anew ──▶ ticket for the broker's service, first message   (blocks: KDC)
//! challenge: broker's message ──▶ ours ──▶ … ──▶ both proved ──▶ layer "auth" chosen                 (arithmetic)
//! ```
//!
//! Everything that asks a key distribution center happens in `begin`, before the broker is dialled, on a thread that may
//! block, one at a time for a cluster. Decision 23 says why.
//!
//! Deliberately absent: delegated tickets, layers of protection other than `auth` (TLS does that), renewal of tickets in
//! somebody else's cache.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use config::security::{Kerberos, TicketCache, TicketRenewal};
use rand::RngExt as _;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::gssapi::{Context, Credential};

/// Limit of a login with its ticket for a service. The library asks every center several times, a second or more each.
const LIMIT: Duration = Duration::from_secs(30);
/// The layer `auth`: nothing is protected after authentication.
const NO_LAYER: u8 = 1;

/// The tickets for one cluster.
#[derive(Debug)]
pub(super) struct Logins {
    /// Part of the name of the tickets' place, which is one for the whole process.
    id: u64,
    turn: Arc<Semaphore>,
    held: Arc<Mutex<Held>>,
    /// A broker has refused what was shown to it.
    refused: Arc<AtomicBool>,
}

#[derive(Default)]
struct Held {
    login: Option<Login>,
    /// Which of two places the next login's tickets go to.
    place: u8,
    /// When a login was last tried.
    tried: Option<SystemTime>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

/// What a login gave.
struct Login {
    credential: Arc<Credential>,
    generation: u64,
    life: Life,
}

/// The time of tickets.
#[derive(Clone, Copy, Debug)]
struct Life {
    renew: Option<SystemTime>,
    end: Option<SystemTime>,
}

impl Life {
    /// `jitter` is between 0 and 1.
    fn new(now: SystemTime, seconds: Option<u32>, renewal: TicketRenewal, jitter: f64) -> Self {
        let Some(life) = seconds.map(|seconds| Duration::from_secs(seconds.into())) else {
            return Self {
                renew: None,
                end: None,
            };
        };
        // As Java's login: a point of the life, somewhat later at random.
        let thousandths =
            f64::from(renewal.window_per_mille) + f64::from(renewal.jitter_per_mille) * jitter;
        Self {
            renew: Some(now + life.mul_f64((thousandths / 1_000.0).clamp(0.0, 1.0))),
            end: Some(now + life),
        }
    }

    fn is_over(self, now: SystemTime) -> bool {
        self.end.is_some_and(|end| now >= end)
    }

    /// Whether a login is due, where one was last tried at `tried`.
    fn is_due(
        self,
        now: SystemTime,
        tried: Option<SystemTime>,
        refused: bool,
        renewal: TicketRenewal,
    ) -> bool {
        let wanted = refused || self.renew.is_some_and(|renew| now >= renew);
        // A clock that was put back says nothing about how long it was waited.
        let waited = tried.is_none_or(|tried| now < tried || now >= tried + renewal.min_pause);
        wanted && waited || self.is_over(now)
    }
}

impl Logins {
    pub(super) fn new() -> Self {
        Self {
            id: rand::rng().random(),
            turn: Arc::new(Semaphore::new(1)),
            held: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// Logs in where that is due, and makes the first message to the broker on `host`.
    pub(super) async fn begin(
        &self,
        settings: &Kerberos,
        host: &str,
        generation: u64,
    ) -> Result<Handshake, String> {
        let work = async {
            let permit = Arc::clone(&self.turn).acquire_owned().await;
            let (held, refused) = (Arc::clone(&self.held), Arc::clone(&self.refused));
            let (settings, id) = (settings.clone(), self.id);
            let service = format!("{}@{host}", settings.service);
            spawn_blocking(move || {
                // Kept until the library is done, even if nobody waits any more.
                let _permit = permit;
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                let credential = held.credential(&settings, id, generation, &refused)?;
                let mut context = Context::new(&service, credential)?;
                let (message, established) = context.step(&[])?;
                Ok(Handshake {
                    context,
                    message,
                    established,
                    finished: false,
                    refused,
                })
            })
            .await
            .unwrap_or_else(|_| Err("the Kerberos library failed".to_owned()))
        };
        let explained = |words: String| explain(&words, settings, host);
        match timeout(LIMIT, work).await {
            Ok(outcome) => outcome.map_err(explained),
            Err(_) => Err(explained(format!(
                "Cannot contact any KDC: no answer within {LIMIT:?}"
            ))),
        }
    }
}

impl Held {
    fn credential(
        &mut self,
        settings: &Kerberos,
        id: u64,
        generation: u64,
        refused: &AtomicBool,
    ) -> Result<Arc<Credential>, String> {
        let now = SystemTime::now();
        let mut from_cache = None;
        if let Some(cache) = &settings.ticket_cache {
            match from_ticket_cache(settings, cache) {
                Ok(credential) => return Ok(Arc::new(credential)),
                Err(problem) => from_cache = Some(problem),
            }
        }
        let Some(key_table) = &settings.key_table else {
            return Err(from_cache.unwrap_or_default());
        };
        let tried = self.tried;
        let former = self
            .login
            .as_ref()
            .filter(|login| login.generation == generation)
            .map(|login| (Arc::clone(&login.credential), login.life));
        let was_refused = refused.load(Ordering::Relaxed);
        if let Some((credential, life)) = &former
            && !life.is_due(now, tried, was_refused, settings.renewal)
        {
            return Ok(Arc::clone(credential));
        }
        self.tried = Some(now);
        match from_key_table(settings, key_table, id, generation, self.place) {
            Ok((credential, seconds)) => {
                refused.store(false, Ordering::Relaxed);
                self.place ^= 1;
                let life = Life::new(now, seconds, settings.renewal, rand::rng().random());
                tracing::debug!(life_seconds = seconds, "logged in to Kerberos");
                let credential = Arc::new(credential);
                self.login = Some(Login {
                    credential: Arc::clone(&credential),
                    generation,
                    life,
                });
                Ok(credential)
            }
            // A center that is down for a moment does no harm while the former tickets live.
            Err(problem) => match former.filter(|(_, life)| !life.is_over(now)) {
                Some((credential, _)) => {
                    tracing::debug!(problem, "the Kerberos login cannot be renewed yet");
                    Ok(credential)
                }
                None => Err(problem),
            },
        }
    }
}

fn from_ticket_cache(settings: &Kerberos, cache: &TicketCache) -> Result<Credential, String> {
    let file = match cache {
        TicketCache::Default => None,
        TicketCache::File(path) => Some(format!("FILE:{}", path.display())),
    };
    let store: Vec<(&str, &str)> = file.iter().map(|file| ("ccache", file.as_str())).collect();
    let (credential, seconds) = Credential::acquire(settings.principal.as_deref(), &store)?;
    if seconds == Some(0) {
        return Err("Ticket expired".to_owned());
    }
    Ok(credential)
}

/// Fresh tickets. The key table is named for the login only: a credential that knows it would renew itself when half of
/// its life is over, whatever is configured.
fn from_key_table(
    settings: &Kerberos,
    key_table: &Path,
    id: u64,
    generation: u64,
    place: u8,
) -> Result<(Credential, Option<u32>), String> {
    let tickets = format!("MEMORY:tributary-{id:016x}-{generation}-{place}");
    let table = format!("FILE:{}", key_table.display());
    let principal = settings.principal.as_deref();
    let store = [("client_keytab", table.as_str()), ("ccache", &tickets)];
    let login = Credential::acquire(principal, &store)?;
    drop(login);
    Credential::acquire(principal, &[("ccache", &tickets)])
}

/// An authentication that is under way.
pub(super) struct Handshake {
    context: Context,
    message: Vec<u8>,
    established: bool,
    finished: bool,
    refused: Arc<AtomicBool>,
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake")
            .field("established", &self.established)
            .finish_non_exhaustive()
    }
}

impl Handshake {
    /// The next message to the broker.
    pub(super) fn message(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.message)
    }

    /// Whether that is the last one.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// To be called when the broker has refused: its key may have changed, so that tickets for the old one are of no
    /// use any more.
    pub(super) fn refused(&self) -> Refusal {
        Refusal(Arc::clone(&self.refused))
    }

    /// Answers the broker.
    pub(super) async fn challenge(self, challenge: Vec<u8>) -> Result<Self, String> {
        let work = spawn_blocking(move || {
            let mut this = self;
            this.answer(&challenge)?;
            Ok(this)
        });
        work.await
            .unwrap_or_else(|_| Err("the Kerberos library failed".to_owned()))
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<(), String> {
        if !self.established {
            (self.message, self.established) = self.context.step(challenge)?;
            return Ok(());
        }
        let offered = self.context.unwrap(challenge)?;
        self.message = self.context.wrap(&chosen(&offered)?)?;
        self.finished = true;
        Ok(())
    }
}

/// Remembers that a broker has refused.
pub(super) struct Refusal(Arc<AtomicBool>);

impl Refusal {
    pub(super) fn remember(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// RFC 4752, 3.1: the broker offers layers, and says how much it takes at once; we choose none, and take nothing.
fn chosen(offered: &[u8]) -> Result<[u8; 4], String> {
    match offered {
        [layers, _, _, _] if layers & NO_LAYER != 0 => Ok([NO_LAYER, 0, 0, 0]),
        [_, _, _, _] => Err(
            "it wants every message protected by Kerberos itself, which Tributary does not do; offer \
             \"auth\" there, and TLS for the rest"
                .to_owned(),
        ),
        _ => Err("its offer of protection cannot be read".to_owned()),
    }
}

/// What the library says, and what to do about it.
fn explain(words: &str, settings: &Kerberos, host: &str) -> String {
    let table = settings
        .key_table
        .as_ref()
        .map_or_else(String::new, |path| path.display().to_string());
    let service = &settings.service;
    let has = |part: &str| words.contains(part);
    let remedy = if has("cannot be loaded") {
        return words.to_owned();
    } else if has("No credentials cache") && settings.ticket_cache.is_none() {
        // What the library says where a key table lacks the principal: it then looks for tickets of somebody else.
        return format!(
            "Kerberos: {table} has no key of {}; check principal in sasl.jaas.config, `klist -k` shows what the file \
             has",
            settings.principal.as_deref().unwrap_or("anybody")
        );
    } else if has("Clock skew") || has("Ticket not yet valid") {
        "the clocks of this machine, of the key distribution center and of the broker must not differ by more than \
         five minutes"
            .to_owned()
    } else if has("Cannot contact any KDC") || has("Cannot find KDC") {
        "check the realm's kdc entries in krb5.conf (KRB5_CONFIG names another file) and the way to them".to_owned()
    } else if has("Cannot determine realm") || has("default realm") {
        "set default_realm in krb5.conf (KRB5_CONFIG names another file)".to_owned()
    } else if has("Server not found") || has("not found in Kerberos database") && has("Server") {
        format!(
            "the broker is asked for as {service}/{host}: check sasl.kerberos.service.name, and that brokers advertise \
             the host names of their principals"
        )
    } else if has("not found in Kerberos database") {
        "check principal in sasl.jaas.config".to_owned()
    } else if has("Preauthentication failed") || has("Decrypt integrity check failed") {
        format!("the key in {table} is not that of the center: export the key table anew")
    } else if has("no suitable keys") || has("No suitable keys") {
        format!("{table} has no key of that principal: `klist -k` shows what the file has")
    } else if has("Key table file") || has("keytab") && settings.ticket_cache.is_none() {
        "check keyTab in sasl.jaas.config, and that the file may be read".to_owned()
    } else if has("expired") {
        "get a new ticket with kinit, or give keyTab instead of a ticket cache".to_owned()
    } else if has("No credentials") || has("No Kerberos credentials") || has("credentials cache") {
        let place = match &settings.ticket_cache {
            Some(TicketCache::File(path)) => format!("into {}", path.display()),
            _ => "into the default cache (KRB5CCNAME names another)".to_owned(),
        };
        format!(
            "get a ticket {place} with kinit, or give useKeyTab=true, keyTab and principal in sasl.jaas.config"
        )
    } else {
        "KRB5_TRACE=/dev/stderr shows what the Kerberos library does".to_owned()
    };
    format!("Kerberos: {words}; {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENEWAL: TicketRenewal = TicketRenewal {
        window_per_mille: 800,
        jitter_per_mille: 50,
        min_pause: Duration::from_secs(60),
    };

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn tickets_are_replaced_in_time_and_not_all_the_time() {
        let life = Life::new(at(0), Some(1_000), RENEWAL, 0.0);
        let due = |now, tried, refused| life.is_due(at(now), Some(at(tried)), refused, RENEWAL);
        assert!(!due(799, 0, false) && due(800, 0, false));
        // Tried a moment ago, without success.
        assert!(!due(820, 800, false) && due(860, 800, false));
        assert!(due(1_000, 999, false), "there is no other way");
        // A broker's refusal is a reason too.
        assert!(due(100, 0, true) && !due(59, 0, true));
        let later = Life::new(at(0), Some(1_000), RENEWAL, 1.0);
        assert!(!later.is_due(at(849), None, false, RENEWAL));
        assert!(later.is_due(at(850), None, false, RENEWAL));
        let endless = Life::new(at(0), None, RENEWAL, 0.0);
        assert!(!endless.is_due(at(1 << 40), None, false, RENEWAL));
    }

    #[test]
    fn only_the_layer_without_protection_is_chosen() {
        assert_eq!(chosen(&[7, 0, 16, 0]), Ok([1, 0, 0, 0]));
        assert_eq!(chosen(&[1, 0, 0, 0]), Ok([1, 0, 0, 0]));
        for (offered, says) in [
            (&[6, 0, 16, 0][..], "protected by Kerberos itself"),
            (&[], "cannot be read"),
            (&[1, 0, 0, 0, 0], "cannot be read"),
        ] {
            let problem = chosen(offered).expect_err(says);
            assert!(problem.contains(says), "{problem}");
        }
    }

    #[test]
    fn the_librarys_words_are_followed_by_what_to_do() {
        let settings = Kerberos {
            service: "kafka".to_owned(),
            principal: Some("link@EXAMPLE".to_owned()),
            key_table: Some("/run/link.keytab".into()),
            ticket_cache: None,
            renewal: RENEWAL,
        };
        for (words, remedy) in [
            ("Clock skew too great", "five minutes"),
            ("Cannot contact any KDC for realm 'EXAMPLE'", "krb5.conf"),
            (
                "Configuration file does not specify default realm",
                "default_realm",
            ),
            (
                "Server kafka/b1@EXAMPLE not found in Kerberos database",
                "asked for as kafka/b1: check sasl.kerberos.service.name",
            ),
            (
                "Client 'link@EXAMPLE' not found in Kerberos database",
                "check principal",
            ),
            ("Preauthentication failed", "export the key table anew"),
            (
                "Keytab FILE:/run/link.keytab contains no suitable keys for x@EXAMPLE: no suitable keys",
                "klist -k",
            ),
            ("Ticket expired", "kinit"),
            ("Something else", "KRB5_TRACE"),
        ] {
            let text = explain(words, &settings, "b1");
            assert!(text.contains(words) && text.contains(remedy), "{text}");
        }
        let words = "No credentials cache found";
        let text = explain(words, &settings, "b1");
        assert!(
            text.contains("/run/link.keytab has no key of link@EXAMPLE"),
            "{text}"
        );
        let cached = Kerberos {
            ticket_cache: Some(TicketCache::Default),
            ..settings
        };
        let text = explain(words, &cached, "b1");
        assert!(
            text.contains("into the default cache (KRB5CCNAME"),
            "{text}"
        );
    }
}
