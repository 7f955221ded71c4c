//! The tokens of OAUTHBEARER: what is in them as far as it concerns us, when they are replaced, where they come from.
//!
//! The broker judges a token; here it is only looked at for its end.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use config::Secret;
use config::security::{AwsKeys, Endpoint, OAuth, Refresh, TokenSource, UnsecuredToken};
use rand::RngExt as _;
use serde_json::Value;
use tokio::time::sleep;

use super::endpoint::{Limits, Question};
use super::{assertion, aws_roles, endpoint};

/// Longest token that is used, in bytes.
const LONGEST: usize = 64 * 1024;

/// A token and its time.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: Secret<String>,
    obtained: SystemTime,
    expires: Option<SystemTime>,
    /// Between 0 and 1: which part of the jitter holds for it.
    scatter: f64,
}

impl Token {
    /// Takes a token as it was received.
    pub(super) fn new(
        text: &str,
        now: SystemTime,
        lifetime: Option<Duration>,
    ) -> Result<Self, String> {
        let text = text.trim();
        let legal = !text.is_empty()
            && text.len() <= LONGEST
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !legal {
            return Err("what was received is no token".to_owned());
        }
        // A life beyond all calendars is none that ends.
        let expires = expiry(text).or_else(|| now.checked_add(lifetime?));
        Ok(Self {
            text: Secret::new(text.to_owned()),
            obtained: now,
            expires,
            scatter: rand::rng().random(),
        })
    }

    /// Makes sure that it has the claims that keys name.
    pub(super) fn with(self, claims: &[(&'static str, String)]) -> Result<Self, String> {
        for (key, claim) in claims {
            let found = payload(self.text.expose()).and_then(|claims| claims.get(claim).cloned());
            let is_there = found.is_some_and(|value| match value {
                Value::String(text) => !text.is_empty(),
                Value::Array(parts) => !parts.is_empty(),
                _ => false,
            });
            if !is_there {
                return Err(format!("the token has no claim {claim}, which {key} names"));
            }
        }
        Ok(self)
    }

    /// When it ends, where that is known.
    pub(super) fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// Whether it can be used at all.
    pub(super) fn is_alive(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether a newer one should be asked for.
    pub(super) fn is_due(&self, now: SystemTime, refresh: Refresh) -> bool {
        let Some(expires) = self.expires else {
            return false;
        };
        let life = expires
            .duration_since(self.obtained)
            .unwrap_or(Duration::ZERO);
        let jitter = f64::from(refresh.jitter_per_mille) * self.scatter;
        let share = (f64::from(refresh.window_per_mille) + jitter) / 1_000.0;
        let window = life.mul_f64(share.min(1.0));
        // As in Java: pauses that leave no room in the token's life do not count.
        let due = if refresh.buffer + refresh.min_period < life {
            window
                .min(life.saturating_sub(refresh.buffer))
                .max(refresh.min_period)
        } else {
            window
        };
        self.obtained.checked_add(due).is_some_and(|due| now >= due)
    }

    /// Whether it has been held for so long that a refusal is a reason to ask for another one. A clock that was put back
    /// says nothing about its age, and may be why it is refused.
    pub(super) fn is_held_for(&self, pause: Duration, now: SystemTime) -> bool {
        now.duration_since(self.obtained)
            .map_or(true, |age| age >= pause)
    }
}

/// The claims of a token that is a JWT.
fn payload(text: &str) -> Option<Value> {
    let payload = text.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// The claim `exp` of a token that is a JWT.
fn expiry(text: &str) -> Option<SystemTime> {
    let claims = payload(text)?;
    let claim = claims.get("exp")?;
    let seconds = claim
        .as_u64()
        .or_else(|| claim.as_f64().and_then(whole_seconds))?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range"
)]
fn whole_seconds(seconds: f64) -> Option<u64> {
    (0.0..1e12).contains(&seconds).then_some(seconds as u64)
}

/// Obtains a token over the network. Tokens in files are read with all other files. `aws`: who we are at AWS, where
/// tokens come from there.
pub(super) async fn fetch(
    oauth: &OAuth,
    aws: Option<&AwsKeys>,
    now: SystemTime,
) -> Result<Token, String> {
    let mut form: Vec<(&str, String)> = Vec::new();
    let mut basic = None;
    let (at, scope) = match &oauth.source {
        TokenSource::File(_) => return Err("the token file has not been read".to_owned()),
        TokenSource::Aws(wanted) => {
            let keys = aws.ok_or("there are no keys of AWS")?;
            return aws_roles::token(wanted, keys, now)
                .await?
                .with(&oauth.claims);
        }
        TokenSource::Unsecured(wanted) => return unsecured(wanted, now)?.with(&oauth.claims),
        TokenSource::ClientCredentials {
            endpoint,
            client_id,
            client_secret,
            scope,
            urlencode,
        } => {
            form.push(("grant_type", "client_credentials".to_owned()));
            basic = Some(endpoint::basic(client_id, client_secret, *urlencode));
            (endpoint, scope)
        }
        TokenSource::JwtBearer {
            endpoint,
            assertion,
            scope,
        } => {
            let kind = "urn:ietf:params:oauth:grant-type:jwt-bearer";
            form.push(("grant_type", kind.to_owned()));
            form.push(("assertion", assertion::make(assertion, now).await?));
            (endpoint, scope)
        }
    };
    if let Some(scope) = scope {
        form.push(("scope", scope.clone()));
    }
    let answer = asked(oauth, at, basic, &form)
        .await
        .map_err(|problem| format!("the token endpoint {at} gives no token: {problem}"))?;
    let unreadable =
        || format!("the token endpoint {at} gives no token: its answer cannot be read");
    let answer: Value = serde_json::from_slice(&answer).map_err(|_| unreadable())?;
    let text = answer
        .get("access_token")
        .and_then(Value::as_str)
        .ok_or_else(unreadable)?;
    let lifetime = answer
        .get("expires_in")
        .and_then(Value::as_u64)
        .map(Duration::from_secs);
    Token::new(text, now, lifetime)?.with(&oauth.claims)
}

/// A token that says what it is to say, and that nobody has signed (RFC 7515, appendix A.5).
fn unsecured(wanted: &UnsecuredToken, now: SystemTime) -> Result<Token, String> {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_err(|_| "this machine's clock is wrong")?
        .as_secs();
    let mut claims = wanted.claims.clone();
    let end = seconds.saturating_add(wanted.lifetime.as_secs());
    for (name, time) in [("iat", seconds), ("exp", end)] {
        claims.entry(name.to_owned()).or_insert_with(|| time.into());
    }
    let claims = serde_json::to_string(&claims).map_err(|_| "its claims cannot be written")?;
    let text = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(claims)
    );
    Token::new(&text, now, None)
}

/// Asks until there is an answer, or `sasl.login.retry.backoff.max.ms` of pauses are over; a refusal is an answer.
async fn asked(
    oauth: &OAuth,
    at: &Endpoint,
    basic: Option<Secret<String>>,
    form: &[(&str, String)],
) -> Result<Bytes, String> {
    let mut pause = oauth.retry.first;
    let mut waited = Duration::ZERO;
    loop {
        let mut question = Question::form(form);
        if let Some(basic) = &basic {
            question = question.with("authorization", basic.clone());
        }
        let problem = match endpoint::ask(&Limits::of(oauth), at, question).await {
            Ok(answer) => return Ok(answer),
            Err(problem) => problem,
        };
        if !problem.may_pass() || pause.is_zero() || waited + pause > oauth.retry.longest {
            return Err(problem.in_words());
        }
        sleep(pause).await;
        waited += pause;
        pause *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_replaced_in_time_and_used_until_its_end() {
        #[track_caller]
        fn check(life: u64, due: u64) {
            let token = Token::new(
                &jwt(&format!("{{\"exp\":{}}}", 1_000 + life)),
                at(1_000),
                None,
            )
            .expect("a token");
            let refresh = Refresh {
                jitter_per_mille: 0,
                ..Refresh::default()
            };
            assert!(
                !token.is_due(at(1_000 + due - 1), refresh),
                "{life}: not before {due}"
            );
            assert!(token.is_due(at(1_000 + due), refresh), "{life}: at {due}");
            assert!(token.is_alive(at(1_000 + life - 1)));
            assert!(!token.is_alive(at(1_000 + life)));
        }
        check(3_600, 2_880);
        check(1_000, 700);
        check(361, 61);
        // Too short for buffer and pause: the window alone.
        check(300, 240);
        check(10, 8);
    }

    #[test]
    fn claims_that_keys_name_have_to_be_there() {
        let token =
            || Token::new(&jwt("{\"sub\":\"me\",\"scp\":[]}"), at(0), None).expect("a token");
        let key = "sasl.oauthbearer.sub.claim.name";
        token()
            .with(&[(key, "sub".to_owned())])
            .expect("it is there");
        for claim in ["scp", "client"] {
            let problem = token().with(&[(key, claim.to_owned())]).expect_err(claim);
            assert!(
                problem.contains(claim) && problem.contains(key),
                "{problem}"
            );
        }
        let opaque = Token::new("opaque", at(0), None).expect("a token");
        opaque
            .with(&[(key, "sub".to_owned())])
            .expect_err("cannot be read");
    }

    #[test]
    fn a_token_without_a_signature_says_what_it_is_to_say_and_when_it_ends() {
        let wanted = UnsecuredToken {
            claims: [("sub".to_owned(), Value::from("al"))].into(),
            lifetime: Duration::from_secs(60),
        };
        let token = unsecured(&wanted, at(1_000)).expect("a token");
        let parts: Vec<&str> = token.text.expose().split('.').collect();
        assert_eq!((parts.len(), parts[2]), (3, ""));
        let claims = payload(token.text.expose()).expect("claims");
        assert_eq!(
            claims,
            serde_json::json!({"sub":"al","iat":1000,"exp":1060})
        );
        assert!(token.is_alive(at(1_059)) && !token.is_alive(at(1_060)));
    }

    #[test]
    fn what_is_no_token_is_refused_and_what_is_no_jwt_has_the_life_that_was_announced() {
        for text in ["", " \n", "a b", "a\x01b", "ü"] {
            Token::new(text, at(0), None).expect_err(text);
        }
        Token::new(&"a".repeat(LONGEST + 1), at(0), None).expect_err("too long");
        let opaque =
            Token::new(" opaque\n", at(0), Some(Duration::from_secs(10))).expect("a token");
        assert_eq!(opaque.text.expose(), "opaque");
        assert!(opaque.is_alive(at(9)) && !opaque.is_alive(at(10)));
        let endless = Token::new("opaque", at(0), None).expect("a token");
        assert!(endless.is_alive(at(1 << 40)) && !endless.is_due(at(1 << 40), Refresh::default()));
        for life in [u64::MAX, 1 << 62] {
            let life = Duration::from_secs(life);
            let token = Token::new("opaque", at(5), Some(life)).expect("a token");
            assert!(token.is_alive(at(1 << 40)) && !token.is_due(at(6), Refresh::default()));
        }
        let last = Token::new(&jwt(&format!("{{\"exp\":{}}}", i64::MAX)), at(5), None);
        assert!(!last.expect("a token").is_due(at(6), Refresh::default()));
        for claims in ["{\"exp\":\"x\"}", "{\"exp\":1e300}", "[]", "{"] {
            let token = Token::new(&jwt(claims), at(0), None).expect("a token");
            assert!(token.is_alive(at(1 << 40)), "{claims}");
        }
    }
}
