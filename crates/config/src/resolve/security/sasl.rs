//! The mechanism and its credentials.

use crate::jaas::JaasEntry;
use crate::security::{Credentials, Mechanism, SaslSettings, ScramHash};

use super::Builder;

/// Login modules of the mechanisms.
const MODULES: [(&str, &[&str]); 5] = [
    (
        "org.apache.kafka.common.security.plain.PlainLoginModule",
        &["PLAIN"],
    ),
    (
        "org.apache.kafka.common.security.scram.ScramLoginModule",
        &["SCRAM-SHA-256", "SCRAM-SHA-512"],
    ),
    (
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
        &["OAUTHBEARER"],
    ),
    ("com.sun.security.auth.module.Krb5LoginModule", &["GSSAPI"]),
    (
        "software.amazon.msk.auth.iam.IAMLoginModule",
        &["AWS_MSK_IAM"],
    ),
];

const MECHANISMS: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, GSSAPI and AWS_MSK_IAM";

impl Mechanism {
    /// Whether somebody who reads along learns enough to authenticate himself.
    pub(super) fn shows_secrets(&self) -> bool {
        match self {
            Self::Plain(_) | Self::OAuthBearer(_) => true,
            Self::Scram { .. } | Self::AwsMskIam(_) | Self::Gssapi(_) => false,
        }
    }
}

impl Builder<'_> {
    pub(super) fn sasl(&mut self) -> Option<SaslSettings> {
        let before = self.problems.len();
        self.handlers();
        let of_handlers = self.problems.len();
        let jaas = self.jaas();
        if self.problems.len() > of_handlers {
            return None;
        }
        let mechanism = self.mechanism(jaas.as_ref());
        (self.problems.len() == before)
            .then_some(mechanism)
            .flatten()
            .map(|mechanism| SaslSettings { mechanism })
    }

    fn jaas(&mut self) -> Option<JaasEntry> {
        let Some(text) = self.text("sasl.jaas.config") else {
            return self.jaas_of_file();
        };
        match JaasEntry::parse(text) {
            Ok(entry) => Some(entry),
            Err(problem) => {
                self.refuse(
                    "sasl.jaas.config",
                    problem.to_string(),
                    "the form is: CLASS required name=\"value\" …;",
                );
                None
            }
        }
    }

    /// As Java programs do it: the section `KafkaClient` of a file that `KAFKA_OPTS` names.
    fn jaas_of_file(&mut self) -> Option<JaasEntry> {
        const SECTION: &str = "KafkaClient";
        let variables = self.variables?;
        let path = variables.jaas_file()?;
        let entry = variables
            .file(&path)
            .map_err(|error| format!("it cannot be read: {error}"))
            .and_then(|text| {
                JaasEntry::of_file(&text, SECTION).map_err(|problem| problem.to_string())
            });
        // Who needs no login module need not have one.
        let needless = ["OAUTHBEARER", "AWS_MSK_IAM"];
        let wrong = match entry {
            Ok(Some(entry)) => return Some(entry),
            Ok(None)
                if self
                    .text("sasl.mechanism")
                    .is_some_and(|m| needless.contains(&m)) =>
            {
                return None;
            }
            Ok(None) => format!("it has no section {SECTION}"),
            Err(wrong) => wrong,
        };
        let file = path.display();
        self.missing(
            "sasl.jaas.config",
            format!("the login module stands in {file}, which KAFKA_OPTS names, and {wrong}"),
            format!("set the key, or write {SECTION} {{ CLASS required name=\"value\" …; }}; into that file"),
        );
        None
    }

    fn mechanism(&mut self, jaas: Option<&JaasEntry>) -> Option<Mechanism> {
        let given = self.text("sasl.mechanism");
        let name = given.unwrap_or("GSSAPI");
        let of_module = match jaas {
            Some(entry) => Some(self.module(entry)?),
            None => None,
        };
        if let Some(mechanisms) = of_module
            && !mechanisms.contains(&name)
        {
            let fits = mechanisms.join(" or ");
            match given {
                Some(_) => self.refuse(
                    "sasl.mechanism",
                    format!("the login module of sasl.jaas.config is that of {fits}"),
                    format!("write {fits}, or name the login module of {name}"),
                ),
                None => self.missing(
                    "sasl.mechanism",
                    format!(
                        "it is not set, which means GSSAPI, but the login module of sasl.jaas.config is that of {fits}"
                    ),
                    format!("set it to {fits}"),
                ),
            }
            return None;
        }
        match name {
            "PLAIN" => self.credentials(jaas, name).map(Mechanism::Plain),
            "SCRAM-SHA-256" | "SCRAM-SHA-512" => {
                let hash = match name {
                    "SCRAM-SHA-256" => ScramHash::Sha256,
                    _ => ScramHash::Sha512,
                };
                let token = jaas
                    .and_then(|entry| entry.option("tokenauth"))
                    .is_some_and(|value| value.expose().eq_ignore_ascii_case("true"));
                self.credentials(jaas, name)
                    .map(|credentials| Mechanism::Scram {
                        hash,
                        credentials,
                        token,
                    })
            }
            "OAUTHBEARER" => self
                .oauth(jaas)
                .map(|oauth| Mechanism::OAuthBearer(Box::new(oauth))),
            "AWS_MSK_IAM" => self.aws(jaas).map(Mechanism::AwsMskIam),
            "GSSAPI" => self.kerberos(jaas, given.is_some()).map(Mechanism::Gssapi),
            _ => {
                self.refuse(
                    "sasl.mechanism",
                    "there is no such choice",
                    format!("choose one of {MECHANISMS}"),
                );
                None
            }
        }
    }

    fn module(&mut self, entry: &JaasEntry) -> Option<&'static [&'static str]> {
        let found = MODULES.iter().find(|(class, _)| *class == entry.module);
        if let Some((_, mechanisms)) = found {
            return Some(mechanisms);
        }
        let known: Vec<&str> = MODULES.iter().map(|(class, _)| *class).collect();
        self.refuse(
            "sasl.jaas.config",
            format!(
                "the login module {} is not known; Tributary runs no Java plugins",
                entry.module
            ),
            format!("name one of {}", known.join(", ")),
        );
        None
    }

    fn credentials(&mut self, jaas: Option<&JaasEntry>, mechanism: &str) -> Option<Credentials> {
        let Some(jaas) = jaas else {
            if self.entry("sasl.jaas.config").is_none() {
                let class = MODULES
                    .iter()
                    .find(|(_, mechanisms)| mechanisms.contains(&mechanism))
                    .map_or("", |(class, _)| class);
                self.missing(
                    "sasl.jaas.config",
                    format!("{mechanism} needs a name and a password"),
                    format!("set it to {class} required username=\"…\" password=\"…\";"),
                );
            }
            return None;
        };
        let (username, password) = (jaas.option("username"), jaas.option("password"));
        for (option, value) in [("username", username), ("password", password)] {
            if value.is_none_or(|value| value.expose().is_empty()) {
                self.refuse(
                    "sasl.jaas.config",
                    format!("the option {option} is missing"),
                    format!("add {option}=\"…\" before the semicolon"),
                );
            }
        }
        Some(Credentials {
            username: username?.expose().clone(),
            password: password?.clone(),
        })
    }

    /// Callback handlers are Java code; those of Kafka itself stand for what is done here.
    fn handlers(&mut self) {
        let known = [
            "OAuthBearerLoginCallbackHandler",
            "OAuthBearerSaslClientCallbackHandler",
            "SaslClientCallbackHandler",
            "ScramSaslClientCallbackHandler",
        ];
        for name in [
            "sasl.login.callback.handler.class",
            "sasl.client.callback.handler.class",
        ] {
            let Some(class) = self.text(name) else {
                continue;
            };
            let simple = class.rsplit('.').next().unwrap_or(class);
            let of_aws = "software.amazon.msk.auth.iam.IAMClientCallbackHandler";
            let of_kafka = class.starts_with("org.apache.kafka.") && known.contains(&simple);
            if !of_kafka && class != of_aws {
                self.refuse(
                    name,
                    "Tributary runs no Java plugins",
                    "leave it out; sasl.oauthbearer.* says how tokens are obtained",
                );
            }
        }
    }
}
