//! Whose tickets GSSAPI shows, and for which service.

use std::time::Duration;

use crate::jaas::JaasEntry;
use crate::security::{Kerberos, TicketCache, TicketRenewal};

use super::Builder;

const MODULE: &str = "com.sun.security.auth.module.Krb5LoginModule";
const SERVICE: &str = "sasl.kerberos.service.name";
const JAAS: &str = "sasl.jaas.config";

impl Builder<'_> {
    /// `chosen`: the mechanism is given, and not the default.
    pub(super) fn kerberos(&mut self, jaas: Option<&JaasEntry>, chosen: bool) -> Option<Kerberos> {
        let Some(jaas) = jaas else {
            if self.entry(JAAS).is_none() {
                let wrong = if chosen {
                    "GSSAPI needs a key table or a ticket cache"
                } else {
                    "sasl.mechanism is not set, which means GSSAPI, and that needs a key table or a ticket cache"
                };
                self.missing(
                    JAAS,
                    wrong,
                    format!(
                        "set it to {MODULE} required useKeyTab=true keyTab=\"…\" principal=\"…\"; or set \
                         sasl.mechanism"
                    ),
                );
            }
            return None;
        };
        let is_set = |name: &str| {
            jaas.option(name)
                .is_some_and(|value| value.expose().eq_ignore_ascii_case("true"))
        };
        let text = |name: &str| {
            jaas.option(name)
                .map(|value| value.expose().trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let file = |name: &str| {
            text(name).map(|path| {
                path.strip_prefix("FILE:")
                    .unwrap_or(&path)
                    .to_owned()
                    .into()
            })
        };
        let before = self.problems.len();
        let key_table = is_set("useKeyTab").then(|| file("keyTab")).flatten();
        if is_set("useKeyTab") && key_table.is_none() {
            self.refuse(
                JAAS,
                "the option keyTab is missing",
                "add keyTab=\"/path/to.keytab\" before the semicolon",
            );
        }
        let ticket_cache = is_set("useTicketCache").then(|| match file("ticketCache") {
            Some(path) => TicketCache::File(path),
            None => TicketCache::Default,
        });
        if !is_set("useKeyTab") && ticket_cache.is_none() {
            self.refuse(
                JAAS,
                "it names neither a key table nor a ticket cache, and nobody is there to be asked for a password",
                "add useKeyTab=true keyTab=\"…\" principal=\"…\", or useTicketCache=true",
            );
        }
        let service = self.service(text("serviceName"));
        let renewal = self.ticket_renewal();
        (self.problems.len() == before).then_some(())?;
        Some(Kerberos {
            service: service?,
            principal: text("principal"),
            key_table,
            ticket_cache,
            renewal,
        })
    }

    fn service(&mut self, of_module: Option<String>) -> Option<String> {
        let own = self.text(SERVICE).map(str::to_owned);
        match (own, of_module) {
            (Some(own), Some(other)) if own != other => {
                self.refuse(
                    SERVICE,
                    "the option serviceName of sasl.jaas.config says something else",
                    "leave one of both out",
                );
                None
            }
            (Some(name), _) | (None, Some(name)) => Some(name),
            (None, None) => {
                self.missing(
                    SERVICE,
                    "it is not said by which name brokers are known to Kerberos",
                    "set it to the part of the brokers' principals before the slash, mostly kafka",
                );
                None
            }
        }
    }

    fn ticket_renewal(&self) -> TicketRenewal {
        let defaults = TicketRenewal::default();
        let per_mille = |name: &str, otherwise| self.per_mille(name).unwrap_or(otherwise);
        TicketRenewal {
            window_per_mille: per_mille(
                "sasl.kerberos.ticket.renew.window.factor",
                defaults.window_per_mille,
            ),
            jitter_per_mille: per_mille(
                "sasl.kerberos.ticket.renew.jitter",
                defaults.jitter_per_mille,
            ),
            min_pause: self
                .text("sasl.kerberos.min.time.before.relogin")
                .and_then(|text| text.parse().ok())
                .map_or(defaults.min_pause, Duration::from_millis),
        }
    }

    /// A share of something, in thousandths.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    pub(super) fn per_mille(&self, name: &str) -> Option<u32> {
        let share: f64 = self.text(name)?.parse().ok()?;
        Some((share.clamp(0.0, 1.0) * 1_000.0).round() as u32)
    }
}
