//! Who may ask: users with passwords, bearers of tokens, each an administrator or a viewer.
//!
//! The file is one of properties: `admin.basic.NAME=PASSWORD`, `viewer.bearer.NAME=TOKEN`; a value may be written as
//! `sha256:HEX`, so that it need not be known. Secrets are compared by their digests, in constant time.

use std::fmt;

use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::raw::RawConfig;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::route::Endpoint;

/// What somebody may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Everything.
    Admin,
    /// Look.
    Viewer,
}

impl Role {
    /// As the file of users has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Caller {
    /// The name in the file of users; nothing where everybody may ask.
    pub(crate) user: Option<String>,
    /// What they may do.
    pub(crate) role: Role,
    /// `none`, `basic` or `bearer`.
    pub(crate) authentication: &'static str,
}

impl Caller {
    /// Whoever asks where everybody may do everything.
    pub(crate) const ANYBODY: Self = Self {
        user: None,
        role: Role::Admin,
        authentication: "none",
    };

    /// Whether they may change something.
    pub(crate) fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

struct User {
    role: Role,
    name: String,
    /// Known by a token alone, and not by name and password.
    by_token: bool,
    digest: [u8; 32],
}

/// All who may ask.
#[derive(Default)]
pub struct Users(Vec<User>);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} users", self.0.len())
    }
}

/// A line of the file that cannot be used. It never holds a secret.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AuthProblem {
    /// A key that means nothing.
    #[error(
        "{key} ({place}) names nobody; write admin.basic.NAME, viewer.basic.NAME, admin.bearer.NAME or viewer.bearer.NAME"
    )]
    Key {
        /// The key.
        key: String,
        /// Where it stands.
        place: String,
    },
    /// A secret that is empty, or a digest that is none.
    #[error(
        "the secret of {key} ({place}) is empty, or no digest of 64 hexadecimal digits after sha256:"
    )]
    Secret {
        /// The key.
        key: String,
        /// Where it stands.
        place: String,
    },
    /// A file without anybody in it.
    #[error("nobody stands in it, so nobody could ask")]
    Nobody,
}

/// What is done about a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It may be done.
    Allowed,
    /// It is not known who asks.
    Unknown,
    /// It is known, and may not.
    Forbidden,
}

/// Whether a request is one of other workers, which sign it.
pub(crate) fn is_signed(method: &Method, endpoint: Endpoint) -> bool {
    endpoint == Endpoint::Fence || (endpoint == Endpoint::Tasks && method == Method::POST)
}

impl Users {
    /// Reads the file's text. `file` is its name, for problems.
    ///
    /// # Errors
    /// The first line that cannot be used.
    pub fn parse(file: &str, text: &str) -> Result<Self, AuthProblem> {
        let (raw, _) =
            RawConfig::from_properties(file, text).map_err(|problem| AuthProblem::Key {
                key: "a line".to_owned(),
                place: problem.to_string(),
            })?;
        let mut users = Vec::new();
        for entry in raw.entries() {
            let (key, place) = (entry.key.clone(), entry.origin.to_string());
            let Some((role, name, by_token)) = who(&entry.key) else {
                // A line that is a secret alone would be a key to the reader of properties.
                let is_meant = key.starts_with("admin.") || key.starts_with("viewer.");
                let key = if is_meant { key } else { "a key".to_owned() };
                return Err(AuthProblem::Key { key, place });
            };
            let digest = digest_of(entry.value.trim());
            let digest = digest.ok_or(AuthProblem::Secret { key, place })?;
            users.push(User {
                role,
                name,
                by_token,
                digest,
            });
        }
        if users.is_empty() {
            return Err(AuthProblem::Nobody);
        }
        Ok(Self(users))
    }

    /// Judges a request by its credentials.
    pub(crate) fn judge(
        &self,
        headers: &HeaderMap,
        method: &Method,
        endpoint: Option<Endpoint>,
    ) -> Verdict {
        if endpoint.is_some_and(|endpoint| is_signed(method, endpoint)) {
            return Verdict::Allowed;
        }
        let Some(Caller { role, .. }) = self.caller(headers) else {
            return Verdict::Unknown;
        };
        let looks = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
            || endpoint == Some(Endpoint::Validate);
        match role {
            Role::Admin => Verdict::Allowed,
            Role::Viewer if looks => Verdict::Allowed,
            Role::Viewer => Verdict::Forbidden,
        }
    }

    /// Who asks, by their credentials; nothing for somebody who is not known.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let credentials = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, rest) = credentials.split_once(' ')?;
        let (name, secret) = if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(rest.trim()).ok()?;
            let decoded = String::from_utf8(decoded).ok()?;
            let (name, password) = decoded.split_once(':')?;
            (Some(name.to_owned()), password.to_owned())
        } else if scheme.eq_ignore_ascii_case("bearer") {
            (None, rest.trim().to_owned())
        } else {
            return None;
        };
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        // Every user is looked at, so that the time tells nothing.
        let mut found = None;
        for user in &self.0 {
            let named = match &name {
                Some(name) => !user.by_token && user.name == *name,
                None => user.by_token,
            };
            if same(&user.digest, &digest) && named {
                found = Some(user);
            }
        }
        let user = found?;
        Some(Caller {
            user: Some(user.name.clone()),
            role: user.role,
            authentication: if user.by_token { "bearer" } else { "basic" },
        })
    }
}

/// Role, name, and whether it is known by a token.
fn who(key: &str) -> Option<(Role, String, bool)> {
    let (role, rest) = key.split_once('.')?;
    let (kind, name) = rest.split_once('.')?;
    let role = match role {
        "admin" => Role::Admin,
        "viewer" => Role::Viewer,
        _ => return None,
    };
    match kind {
        _ if name.is_empty() => None,
        "basic" => Some((role, name.to_owned(), false)),
        "bearer" => Some((role, name.to_owned(), true)),
        _ => None,
    }
}

fn digest_of(value: &str) -> Option<[u8; 32]> {
    match value.strip_prefix("sha256:") {
        None if value.is_empty() => None,
        None => Some(Sha256::digest(value.as_bytes()).into()),
        Some(hex) => {
            let mut digest = [0; 32];
            if hex.len() != 64 {
                return None;
            }
            for (index, byte) in digest.iter_mut().enumerate() {
                *byte = u8::from_str_radix(hex.get(index * 2..index * 2 + 2)?, 16).ok()?;
            }
            Some(digest)
        }
    }
}

/// Equality that takes the same time wherever the difference is.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(users: &Users, credentials: Option<&str>, method: Method) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(credentials) = credentials {
            headers.insert(header::AUTHORIZATION, credentials.parse().expect("a value"));
        }
        users.judge(&headers, &method, Some(Endpoint::Connectors))
    }

    #[test]
    fn administrators_do_everything_and_viewers_look() {
        let text = "admin.basic.ann=secret\nviewer.bearer.graphs=token\n\
                    viewer.basic.vic=sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n";
        let users = Users::parse("auth.properties", text).expect("users");
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let check = |credentials: Option<&str>, get: Verdict, post: Verdict| {
            assert_eq!(
                judged(&users, credentials, Method::GET),
                get,
                "{credentials:?}"
            );
            assert_eq!(
                judged(&users, credentials, Method::POST),
                post,
                "{credentials:?}"
            );
        };
        use Verdict::{Allowed, Forbidden, Unknown};
        check(Some(&basic("ann:secret")), Allowed, Allowed);
        check(Some(&basic("vic:secret")), Allowed, Forbidden);
        check(Some("bearer token"), Allowed, Forbidden);
        check(None, Unknown, Unknown);
        for wrong in [
            basic("ann:Secret"),
            basic("bob:secret"),
            basic("ann"),
            "Basic ???".into(),
            "Bearer secret".into(),
            "Bearer".into(),
            "Digest x".into(),
        ] {
            check(Some(&wrong), Unknown, Unknown);
        }
    }

    #[test]
    fn a_file_that_would_lock_everybody_out_or_in_is_refused() {
        for text in [
            "",
            "admin.basic.=x",
            "root.basic.a=x",
            "admin.basic.a=",
            "admin.digest.a=x",
            "admin.basic.a=sha256:12",
        ] {
            let problem = Users::parse("auth.properties", text).expect_err(text);
            assert!(!problem.to_string().is_empty());
        }
        let alone = Users::parse("auth.properties", "admin.basic.a=x\nhunter2\n");
        let problem = alone.expect_err("a secret alone").to_string();
        assert!(
            problem.contains("line 2") && !problem.contains("hunter2"),
            "{problem}"
        );
    }
}
