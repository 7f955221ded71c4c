//! What is known about each configuration key: declared once, read by everything.
//!
//! `resolve` takes types and treatment from here; documentation and the `validate` model of a REST API can be
//! rendered from the same rows. Adding a key: a row in `keys/`, and where it has an effect, a line in `resolve`.

use crate::jaas::JaasEntry;
use crate::keys;
use crate::problem::ConfigProblem;
use crate::raw::RawEntry;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// Name within its scope. A row for a family ends with `*`.
    pub name: &'static str,
    /// Type and bounds.
    pub kind: Kind,
    /// What holds where the key is unset; `None` where that is nothing.
    pub default: Option<&'static str>,
    /// What it means.
    pub doc: &'static str,
    /// How much a reader of the reference should care.
    pub importance: Importance,
    /// Section of the reference.
    pub group: Group,
    /// What this build does with it.
    pub treatment: Treatment,
}

/// Type of a value, with its bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown.
    Password,
    /// Texts with commas between them.
    List,
    /// `true` or `false`, in any case.
    Boolean,
    /// A whole number, ends included.
    Number(i64, i64),
    /// A decimal fraction.
    Fraction,
    /// The name of a Java class; never loaded.
    Class,
    /// The name of one of these classes, never loaded, and what to do instead of another one. A name with a
    /// package is compared as a whole, one without stands for that class in any package.
    ClassOf(&'static [&'static str], &'static str),
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// How much a reader of the reference should care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Importance {
    /// Most configurations set it.
    High,
    /// Worth knowing.
    Medium,
    /// For special cases and compatibility.
    Low,
}

/// Section of the reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// The link itself.
    Link,
    /// Which topics, and where from.
    Source,
    /// Where to, and how topics are made there.
    Destination,
    /// Reading data.
    Fetch,
    /// Writing data.
    Produce,
    /// Positions and consumer groups.
    Offsets,
    /// Connections.
    Client,
    /// TLS and SASL.
    Security,
    /// Names and permissions of topics and groups.
    Metadata,
    /// The process.
    Worker,
    /// HTTP.
    Rest,
    /// Accepted from other products.
    Compatibility,
}

/// What this build does with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Treatment {
    /// It has the effect described.
    Implemented,
    /// It is meant to have the effect described and has none yet: one line says so, and why that may matter.
    NotYet(&'static str),
    /// No effect, and none expected.
    Ignored,
    /// No effect, though the user probably expects one: one line says why.
    IgnoredWarn(&'static str),
    /// The configuration cannot be used with it: what to do instead.
    Rejected(&'static str),
    /// An older name: the value is moved to this key before anything is judged, unless that is set too.
    Mapped(&'static str),
}

/// A row of a table. `Medium`, unless [`ConfigKey::high`] or [`ConfigKey::low`] follows.
pub(crate) const fn key(
    group: Group,
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    treatment: Treatment,
    doc: &'static str,
) -> ConfigKey {
    ConfigKey {
        name,
        kind,
        default,
        doc,
        importance: Importance::Medium,
        group,
        treatment,
    }
}

impl ConfigKey {
    pub(crate) const fn high(mut self) -> Self {
        self.importance = Importance::High;
        self
    }

    pub(crate) const fn low(mut self) -> Self {
        self.importance = Importance::Low;
        self
    }

    /// Whether the row stands for this name.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(family) => name.starts_with(family),
            None => self.name == name,
        }
    }

    /// Whether `value` is of the key's type; otherwise what is wrong and what would be right.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, value: &str) -> Result<(), (String, String)> {
        match self.kind {
            Kind::Text | Kind::Password | Kind::List | Kind::Class => Ok(()),
            Kind::ClassOf(classes, remedy) => {
                let simple = value.rsplit('.').next().unwrap_or(value);
                let known = classes
                    .iter()
                    .any(|class| *class == value || *class == simple);
                if value.is_empty() || known {
                    return Ok(());
                }
                Err(("Tributary runs no Java plugins".into(), remedy.into()))
            }
            Kind::Boolean => match parse_boolean(value) {
                Some(_) => Ok(()),
                None => Err((
                    "it is neither true nor false".into(),
                    "write true or false".into(),
                )),
            },
            Kind::Number(low, high) => self.check_number(value, low, high),
            Kind::Fraction => match value.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(()),
                _ => Err(("it is no number".into(), self.example("0.5"))),
            },
            Kind::OneOf(choices) if choices.contains(&value) => Ok(()),
            Kind::OneOf(choices) => {
                let written = choices
                    .iter()
                    .find(|choice| choice.eq_ignore_ascii_case(value));
                let remedy = match written {
                    Some(choice) => format!("write {choice}"),
                    None => format!("choose one of {}", choices.join(", ")),
                };
                Err(("there is no such choice".into(), remedy))
            }
        }
    }

    fn check_number(&self, value: &str, low: i64, high: i64) -> Result<(), (String, String)> {
        if value
            .parse::<i64>()
            .is_ok_and(|number| (low..=high).contains(&number))
        {
            return Ok(());
        }
        let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            let remedy = format!("it has to be from {low} to {high}");
            return Err(("the number is out of range".into(), remedy));
        }
        let begins_with_number = value.starts_with(|c: char| c.is_ascii_digit());
        let wrong = if begins_with_number && self.name.ends_with(".ms") {
            "it is no whole number of milliseconds; the unit is part of the key"
        } else if begins_with_number && self.name.ends_with("bytes") {
            "it is no whole number of bytes; the unit is part of the key"
        } else {
            "it is no whole number"
        };
        Err((wrong.into(), self.example(&low.max(1).to_string())))
    }

    fn example(&self, otherwise: &str) -> String {
        format!(
            "an example: {}",
            self.default
                .filter(|text| !text.is_empty())
                .unwrap_or(otherwise)
        )
    }

    pub(crate) fn problem(
        &self,
        entry: &RawEntry,
        wrong: String,
        remedy: Option<String>,
    ) -> ConfigProblem {
        ConfigProblem {
            key: entry.written().to_owned(),
            shown: Some(shown_of(entry)),
            origin: Some(entry.origin.clone()),
            wrong,
            remedy,
            did_you_mean: None,
        }
    }
}

/// The value of an entry as a problem shows it. What variables brought into it is not even known by its mark: it reads as it is
/// written.
pub(crate) fn shown_of(entry: &RawEntry) -> String {
    match entry.is_replaced() {
        true => shown_to_readers(&entry.key, entry.given_value().trim()),
        false => shown_in_changes(&entry.key, entry.value.trim()),
    }
}

/// A value as people see it: a secret by its mark. A variable is none.
fn shown(secret: bool, value: &str) -> String {
    if secret && !crate::variables::is_reference(value.trim()) {
        marked(value)
    } else {
        without_user_info(value)
    }
}

/// What stands for a secret.
pub const HIDDEN: &str = "[hidden]";

/// What stands for this secret: whether it became another one can be seen by it, and not what it is.
fn marked(secret: &str) -> String {
    format!("{HIDDEN} {}", fingerprint(secret))
}

/// The first 8 hex digits of a text's SHA-256.
#[must_use]
pub fn fingerprint(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(text.as_bytes());
    let digits = digest.iter().take(4).map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// The value of `key` as somebody sees it who may not know secrets. Variables are none, but what stands beside them may
/// be one.
#[must_use]
pub fn shown_to_readers(key: &str, value: &str) -> String {
    match is_secret(key, value) {
        true => HIDDEN.to_owned(),
        false => without_user_info(value),
    }
}

/// The same beside what it was before or will be: a secret with its mark, so that a change of it is seen.
#[must_use]
pub fn shown_in_changes(key: &str, value: &str) -> String {
    shown(is_secret(key, value), value)
}

/// Whether a text is what is shown of a stored value in its place, one way or the other. A mark says of itself which value it is of.
#[must_use]
pub fn stands_for(key: &str, text: &str, stored: &str) -> bool {
    text.contains(HIDDEN)
        && (shown_to_readers(key, stored) == text
            || shown_in_changes(key, stored) == text
            || marked(stored) == text)
}

/// Whether a text can only be what was shown in the place of a value, so that it is none itself.
#[must_use]
pub fn is_shown_only(key: &str, text: &str) -> bool {
    text.trim_start().starts_with(HIDDEN)
        || text.contains("://[hidden]@")
        || holds_secret(key) && text.contains(HIDDEN)
}

/// Whether a value is hidden, by its key or by what it looks like. Whoever shows values and whoever takes back what was shown asks
/// this.
#[must_use]
pub fn is_secret(key: &str, value: &str) -> bool {
    let reference = |value: &str| crate::variables::is_reference(value.trim());
    let only_references = reference(value)
        || key.to_ascii_lowercase().ends_with("sasl.jaas.config")
            && JaasEntry::parse(value).is_ok_and(|entry| {
                let options = &entry.options;
                let secrets = options.iter().filter(|(name, _)| holds_secret(name));
                let secrets: Vec<_> = secrets.collect();
                // Which options of other modules are secret is not known.
                let has_none = ["Krb5LoginModule", "IAMLoginModule"]
                    .iter()
                    .any(|module| entry.module.ends_with(module));
                let is_known = has_none || options.is_empty() || !secrets.is_empty();
                is_known && secrets.iter().all(|(_, value)| reference(value.expose()))
            });
    let hides = || holds_secret(key) || keys::is_password(key) || is_unknown_secret(key, value);
    !only_references && hides()
}

/// Nobody knows what it is for, and it looks like credentials. An address is shown, without its user.
fn is_unknown_secret(key: &str, value: &str) -> bool {
    let is_hidden_else = || without_user_info(value) != value && !looks_like_credentials(value);
    looks_secret(value) && !is_hidden_else() && !keys::is_known(key)
}

/// A text with `[hidden]` in place of names and passwords in URLs.
fn without_user_info(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("://") {
        let (before, after) = rest.split_at(begin + 3);
        out.push_str(before);
        // A password may hold any character, so the last @ before a blank or the next address counts.
        let next = after.find("://").unwrap_or(after.len());
        let blank = after.find(char::is_whitespace).unwrap_or(after.len());
        rest = match after[..next.min(blank)].rfind('@') {
            Some(at) => {
                out.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
    }
    out.push_str(rest);
    out
}

/// Whether a value may hold credentials whatever its key is: a login module, a private key, or a URL with a user.
pub(crate) fn looks_secret(value: &str) -> bool {
    looks_like_credentials(value) || (value.contains("://") && value.contains('@'))
}

fn looks_like_credentials(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let words = ["password", "loginmodule", "-----begin"];
    words.iter().any(|word| lower.contains(word))
}

/// Whether a key's name says that its value is a secret, known or not.
#[must_use]
pub fn holds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let last = key.rsplit(['.', '-', '_']).next().unwrap_or(&key);
    key.ends_with("sasl.jaas.config")
        || key.ends_with("user.info")
        || ["pwd", "key"].contains(&last)
        || [
            "password",
            "passwd",
            "secret",
            "passphrase",
            "token",
            "credentials",
            "apikey",
            "accesskey",
            "accesskeyid",
            "secretkey",
            "privatekey",
        ]
        .iter()
        .any(|word| last.ends_with(word))
}

/// `true` or `false`, in any case.
pub(crate) fn parse_boolean(value: &str) -> Option<bool> {
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_in_addresses_are_not_shown() {
        for (text, expected) in [
            ("https://al:hunter2@idp:8/x?y", "https://[hidden]@idp:8/x?y"),
            ("https://al:hun/t@er2@idp", "https://[hidden]@idp"),
            (
                "http://a:hunter2@b,http://c/d",
                "http://[hidden]@b,http://c/d",
            ),
            ("https://idp/x", "https://idp/x"),
            ("a@b", "a@b"),
            ("://", "://"),
        ] {
            assert_eq!(shown(false, text), expected);
        }
    }

    #[test]
    fn a_secret_is_shown_by_a_mark_that_changes_with_it_and_stands_for_it() {
        let key = "src.kafka.ssl.key.password";
        assert_eq!(shown_in_changes(key, "hunter2"), "[hidden] f52fbd32");
        assert_eq!(shown_in_changes(key, "hunter3"), "[hidden] fb8c2e2b");
        assert_eq!(shown_to_readers(key, "hunter2"), "[hidden]");
        for value in ["${file:/a:b}", "${env:A}"] {
            assert_eq!(shown_in_changes(key, value), value);
            assert_eq!(shown(true, value), value);
        }
        assert_eq!(shown_in_changes("tasks.max", "2"), "2");
        for (text, stands) in [
            ("[hidden]", true),
            ("[hidden] f52fbd32", true),
            ("[hidden] fb8c2e2b", false),
            ("[hidden] ", false),
            ("hunter2", false),
        ] {
            assert_eq!(stands_for(key, text, "hunter2"), stands, "{text}");
        }
    }

    #[test]
    fn what_is_shown_in_the_place_of_a_value_stands_for_it_whatever_its_key() {
        let pem = "-----BEGIN CERTIFICATE-----";
        for (key, value, is_hidden) in [
            ("ssl.truststore.certificates", pem, true),
            ("src.kafka.ssl.truststore.certificates", pem, true),
            ("b.ssl.keystore.certificate.chain", pem, true),
            ("confluent.license", "eyJ0", true),
            ("my.plugin.login", "user=a password=b", true),
            ("my.plugin.url", "http://al:hunter2@r", false),
            ("topic.regex", "password.*", false),
            ("my.plugin.name", "a", false),
        ] {
            assert_eq!(is_secret(key, value), is_hidden, "{key}");
            for shown in [shown_to_readers(key, value), shown_in_changes(key, value)] {
                assert_eq!(shown.starts_with(HIDDEN), is_hidden, "{key}: {shown}");
                assert!(
                    shown == value || stands_for(key, &shown, value),
                    "{key}: {shown}"
                );
                assert_eq!(is_shown_only(key, &shown), shown != value, "{key}: {shown}");
            }
        }
        // A mark says of itself what it is of, and a bare one does not.
        assert!(stands_for("topic.regex", &marked("a"), "a"));
        assert!(!stands_for("topic.regex", HIDDEN, "a"));
    }

    #[test]
    fn readers_see_variables_and_no_secret_beside_them() {
        let jaas = "src.kafka.sasl.jaas.config";
        let password = "src.kafka.ssl.keystore.password";
        for (key, value, is_shown) in [
            (password, "${file:/run/s:p}", true),
            (password, " ${env:A}${env:B} ", true),
            (password, "hunter2", false),
            (password, "hun${ter2", false),
            (password, "${topic}hunter2", false),
            (password, "hunter2${env:A}", false),
            (
                jaas,
                "M required username=\"al\" password=\"${env:P}\";",
                true,
            ),
            (
                jaas,
                "M required username=\"${env:U}\" password=\"hunter2\";",
                false,
            ),
            (
                jaas,
                "M required clientId=\"${env:U}\" clientSecret=\"hunter2\";",
                false,
            ),
            (
                jaas,
                "M required username=\"${env:U}\" password=hunter2",
                false,
            ),
            (jaas, "M required x=\"hunter2\";", false),
            (jaas, "a.Krb5LoginModule required keyTab=\"/k\";", true),
            ("topic.rename.format", "${topic}", true),
        ] {
            let expected = if is_shown { value } else { HIDDEN };
            assert_eq!(shown_to_readers(key, value), expected, "{key}={value}");
        }
        let url = "schema.registry.url";
        assert_eq!(
            shown_to_readers(url, "http://al:hunter2@r:1"),
            "http://[hidden]@r:1"
        );
    }
}
