//! A link that `tributary create` is told of by options, in the keys of a file.

use std::path::PathBuf;

use clap::Args;
use config::RawConfig;
use config::resolve::OWN_CLASS;

use crate::cli::replicate::{give, select, side};
use crate::settings;

/// What stands in a link's file otherwise.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "A link without a file")]
pub(super) struct Described {
    /// Addresses of brokers of the source
    #[arg(long, value_name = "HOST:PORT", requires_all = ["destination", "names"], conflicts_with = "files")]
    pub(super) source: Option<String>,

    /// Addresses of brokers of the destination
    #[arg(long, value_name = "HOST:PORT", requires = "source")]
    destination: Option<String>,

    /// Which topics: a regular expression that has to match the whole name (repeatable)
    #[arg(long, value_name = "REGEX", requires = "source")]
    topics: Vec<String>,

    /// A topic by its name (repeatable)
    #[arg(long, value_name = "TOPIC", requires = "source")]
    topic: Vec<String>,

    /// How copies are named
    #[arg(long, value_name = "FORMAT", requires = "source")]
    rename: Option<String>,

    /// Properties file with client settings of the source, as Kafka's own tools take it: TLS, SASL, …
    #[arg(long, value_name = "FILE", requires = "source")]
    source_config: Option<PathBuf>,

    /// Properties file with client settings of the destination
    #[arg(long, value_name = "FILE", requires = "source")]
    destination_config: Option<PathBuf>,

    /// Any other key of a link (repeatable); wins
    #[arg(long, value_name = "KEY=VALUE", requires = "source")]
    set: Vec<String>,

    /// What it begins as: RUNNING, PAUSED or STOPPED
    #[arg(long, value_name = "STATE", requires = "source")]
    pub(super) initial_state: Option<String>,
}

impl Described {
    /// The configuration of a link of this name.
    ///
    /// # Errors
    /// A sentence about a file that cannot be read, or a setting that is none.
    pub(super) fn config(&self, name: &str) -> Result<RawConfig, String> {
        let mut raw = RawConfig::new();
        raw.set_flag("name", "name", name);
        raw.set_flag("default", "connector.class", OWN_CLASS);
        for (flag, key, value) in [
            ("--source", "src.kafka.bootstrap.servers", &self.source),
            (
                "--destination",
                "dest.kafka.bootstrap.servers",
                &self.destination,
            ),
            ("--rename", "topic.rename.format", &self.rename),
        ] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                raw.set_flag(flag, key, value);
            }
        }
        select(&mut raw, &self.topics, &self.topic);
        for (file, prefix) in [
            (&self.source_config, "src.kafka."),
            (&self.destination_config, "dest.kafka."),
        ] {
            give(&mut raw, prefix, &side(file.as_deref(), "--set", &[])?);
        }
        settings::overlay(&mut raw, "--set", &self.set)?;
        Ok(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_the_keys_of_a_file_and_what_is_set_wins() {
        let described = Described {
            source: Some("west:9092".to_owned()),
            destination: Some("east:9092".to_owned()),
            topics: vec!["a.*".to_owned(), "b".to_owned()],
            topic: vec!["c".to_owned()],
            rename: Some("west.${topic}".to_owned()),
            set: vec!["tasks.max=3".to_owned(), "topic.whitelist=d".to_owned()],
            ..Described::default()
        };
        let raw = described.config("west-east").expect("all is well");
        let get = |key: &str| raw.get(key).map(|entry| entry.value.clone());
        for (key, value) in [
            ("name", "west-east"),
            ("connector.class", OWN_CLASS),
            ("src.kafka.bootstrap.servers", "west:9092"),
            ("dest.kafka.bootstrap.servers", "east:9092"),
            ("topic.regex", "(?:a.*)|(?:b)"),
            ("topic.whitelist", "d"),
            ("topic.rename.format", "west.${topic}"),
            ("tasks.max", "3"),
        ] {
            assert_eq!(get(key).as_deref(), Some(value), "{key}");
        }
        let wrong = Described {
            set: vec!["nothing".to_owned()],
            ..described
        };
        assert!(wrong.config("x").expect_err("no value").contains("nothing"));
    }
}
