//! Tokens without a signature, for brokers of tests, from the options that Java's login module has for them.
//!
//! Whoever may make such tokens is whoever he says he is, so they are made only where the worker allows it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Number, Value};

use crate::jaas::JaasEntry;
use crate::security::{TokenSource, UnsecuredToken};

use super::Builder;
use super::oauth::URL;

const JAAS: &str = "sasl.jaas.config";
const PREFIX: &str = "unsecuredLogin";

/// Whether a login module asks for such tokens.
pub(super) fn is_unsecured(jaas: &JaasEntry) -> bool {
    jaas.options
        .iter()
        .any(|(name, _)| name.starts_with(PREFIX))
}

impl Builder<'_> {
    pub(super) fn unsecured(&mut self, jaas: &JaasEntry) -> Option<TokenSource> {
        if !self.unsecured_tokens {
            self.refuse(
                JAAS,
                "its unsecuredLogin options ask for a token that nobody has signed",
                "obtain tokens by sasl.oauthbearer.*; for tests set tributary.oauth.unsecured=true in the worker's \
                 configuration",
            );
            return None;
        }
        if self.entry(URL).is_some() {
            self.refuse(
                URL,
                "tokens come from here, or are made by the unsecuredLogin options of sasl.jaas.config",
                "leave one of both out",
            );
            return None;
        }
        let option = |name: &str| {
            jaas.option(&format!("{PREFIX}{name}"))
                .map(|value| value.expose().as_str())
        };
        let mut claims = BTreeMap::new();
        for (name, value) in &jaas.options {
            let Some(name) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let Some((claim, value)) = claim(name, value.expose()) else {
                self.refuse(
                    JAAS,
                    format!("the option {PREFIX}{name} is none of such tokens, or its value cannot be read"),
                    "options are unsecuredLoginStringClaim_NAME, unsecuredLoginNumberClaim_NAME with a number, \
                     unsecuredLoginListClaim_NAME with a separator before each item, unsecuredLoginPrincipalClaimName, \
                     unsecuredLoginScopeClaimName and unsecuredLoginLifetimeSeconds with a whole number",
                );
                return None;
            };
            if let Some(claim) = claim {
                claims.insert(claim.to_owned(), value);
            }
        }
        let principal = option("PrincipalClaimName").unwrap_or("sub");
        if !claims.get(principal).is_some_and(Value::is_string) {
            self.refuse(
                JAAS,
                format!("the token would not say who we are: it has no claim {principal}"),
                format!("add {PREFIX}StringClaim_{principal}=\"NAME\""),
            );
            return None;
        }
        let seconds = option("LifetimeSeconds").and_then(|text| text.parse().ok());
        Some(TokenSource::Unsecured(UnsecuredToken {
            claims,
            lifetime: Duration::from_secs(u64::from(seconds.unwrap_or(3_600_u32))),
        }))
    }
}

/// A claim with its value, or no claim where an option is about the token; `None` for what is neither.
fn claim<'a>(option: &'a str, value: &str) -> Option<(Option<&'a str>, Value)> {
    if let Some(name) = option.strip_prefix("StringClaim_") {
        return Some((Some(name), value.into()));
    }
    if let Some(name) = option.strip_prefix("NumberClaim_") {
        let number: Number = value.trim().parse().ok()?;
        return Some((Some(name), Value::Number(number)));
    }
    if let Some(name) = option.strip_prefix("ListClaim_") {
        let separator = value.chars().next()?;
        let items = value[separator.len_utf8()..].split(separator);
        return Some((Some(name), items.map(Value::from).collect()));
    }
    let is_known = match option {
        "PrincipalClaimName" | "ScopeClaimName" => !value.is_empty(),
        "LifetimeSeconds" => value.parse::<u32>().is_ok_and(|life| life > 0),
        _ => false,
    };
    is_known.then_some((None, Value::Null))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_texts_numbers_and_lists() {
        for (option, value, expected) in [
            ("StringClaim_sub", "al", Some((Some("sub"), json!("al")))),
            ("NumberClaim_iat", " 17 ", Some((Some("iat"), json!(17)))),
            ("NumberClaim_iat", "x", None),
            (
                "ListClaim_scope",
                "|a|b",
                Some((Some("scope"), json!(["a", "b"]))),
            ),
            ("ListClaim_scope", "", None),
            ("LifetimeSeconds", "60", Some((None, Value::Null))),
            ("LifetimeSeconds", "0", None),
            ("PrincipalName", "x", None),
        ] {
            assert_eq!(claim(option, value), expected, "{option}={value}");
        }
    }
}
