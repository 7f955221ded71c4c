//! Whatever a user or a peer sends as configuration is answered, never with a panic.
//!
//! A failing case is printed with the values that led to it, and kept by proptest.

use config::address::parse_addresses;
use config::jaas::JaasEntry;
use config::raw::RawConfig;
use config::report::{FileKind, kind_of, report};
use config::unit::{parse_duration, parse_size};
use config::{Pattern, RenameFormat, resolve_link, resolve_mirrors, resolve_worker};
use proptest::prelude::*;

use crate::no_cluster;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_pattern_is_read_or_refused(text in r"[a-c.*+?{}\[\]()|\\^$&:<=!QEdpPukx0-9,#\- é😀]{0,14}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            let _ = pattern.is_match("abc");
            prop_assert_eq!(pattern.as_str(), text);
        }
    }

    #[test]
    fn any_text_is_a_configuration_or_refused(text in r#"(?s)[a-c=:.\\u0-9{}\[\]",# \r\n\t😀]{0,40}"#) {
        let properties = RawConfig::from_properties("f", &text).map(|(raw, _)| raw);
        for raw in [properties, RawConfig::from_json("f", &text)].into_iter().flatten() {
            let _ = resolve_link(&raw, &no_cluster());
            let _ = resolve_worker(&raw);
            let _ = resolve_mirrors(&raw, None);
            for kind in [FileKind::Worker, FileKind::Link, FileKind::Mirror, FileKind::Client] {
                let _ = report(&raw, kind, None, true);
            }
        }
    }

    #[test]
    fn any_file_of_flows_is_used_or_refused(
        lines in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "clusters", "a.bootstrap.servers", "b.bootstrap.servers", "a->b.enabled", "b->a.enabled",
                    "a->a.enabled", "enabled", "topics", "a->b.topics.blacklist", "a->b.", "->", "a->", "a.",
                    "a->b.replication.policy.separator", "replication.policy.class", "a.consumer.client.id",
                    "offset.storage.topic", "a->c.topics", "a->b->a.topics", "tasks.max", "security.protocol",
                ]),
                prop::sample::select(vec![
                    "a,b", "a,b,c", "", "a:1", "b:1", "true", "false", "x", ".*", "*", "a{1,2}", "-1", "ä", "${env:X}",
                ]),
            ),
            0..14,
        ),
    ) {
        let text: String = lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let (raw, _) = RawConfig::from_properties("f", &text).expect("no escapes");
        if let Ok((flows, _)) = resolve_mirrors(&raw, None) {
            prop_assert!(!flows.is_empty());
        }
        let said = report(&raw, kind_of(&raw), None, false);
        // Each key has its row, and what is invalid has its problem.
        prop_assert!(said.rows.len() >= raw.entries().len());
    }

    #[test]
    fn any_value_of_a_key_is_used_or_refused(
        key in prop::sample::select(vec![
            "name", "tasks.max", "topic.regex", "topic.whitelist", "topic.rename.format",
            "src.kafka.bootstrap.servers", "src.consumer.fetch.max.bytes", "tributary.start",
            "producer.override.max.request.size", "connector.class", "config.properties.exclude",
        ]),
        value in any::<String>(),
    ) {
        let mut raw = crate::link("");
        raw.set_flag("--set", key, &value);
        let _ = resolve_link(&raw, &no_cluster());
    }

    #[test]
    fn any_jaas_text_is_read_or_refused_without_showing_values(text in r#"[a-z.]{0,3} ?(required)?[a-b =;"'\\\n]{0,20}"#) {
        let text = text.replace('b', "hunter2");
        if let Err(problem) = JaasEntry::parse(&text) {
            // Names of options are shown; white space may stand between a name and its sign.
            let mut behind = text.split("hunter2").skip(1);
            let is_name = behind.any(|rest| rest.trim_start().starts_with('='));
            prop_assert!(!problem.to_string().contains("hunter2") || is_name);
        }
    }

    #[test]
    fn any_security_setting_is_used_or_refused(
        key in prop::sample::select(vec![
            "sasl.jaas.config", "sasl.mechanism", "ssl.cipher.suites", "ssl.enabled.protocols", "ssl.keystore.key",
            "sasl.oauthbearer.token.endpoint.url", "sasl.login.refresh.window.factor", "ssl.truststore.location",
        ]),
        mechanism in prop::sample::select(vec!["PLAIN", "OAUTHBEARER", "AWS_MSK_IAM"]),
        value in any::<String>(),
    ) {
        let mut raw = crate::link("");
        raw.set_flag("--set", "src.kafka.security.protocol", "SASL_SSL");
        raw.set_flag("--set", "src.kafka.sasl.mechanism", mechanism);
        raw.set_flag("--set", &format!("src.kafka.{key}"), &value);
        let _ = resolve_link(&raw, &no_cluster());
    }

    #[test]
    fn any_small_text_is_read_or_refused(text in any::<String>()) {
        let _ = parse_addresses(&text);
        let _ = parse_duration(&text);
        let _ = parse_size(&text);
        if let Ok(format) = RenameFormat::parse(&text) {
            prop_assert_eq!(format.to_string(), text);
        }
    }
}
