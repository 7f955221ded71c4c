//! `tributary export`: the configuration of a link in the spellings of other tools. Secrets read `[hidden]`, which a worker
//! that has the link takes for what it has stored.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::{Exit, Reach, alter, plain, steer};
use crate::asking::encode;
use crate::output;

/// Print the configuration of a link, to be kept or applied elsewhere.
///
/// Secrets are hidden: a worker that has the link puts what it has stored in their place, another one refuses them.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary export link orders-dr --as properties >orders-dr.properties\n  \
    tributary export link orders-dr --as curl"
)]
pub(in crate::cli) struct ExportArgs {
    /// Name of the link, with or without the word link in front
    #[arg(required = true, num_args = 1..=2)]
    names: Vec<String>,

    /// How it is spelled
    #[arg(long = "as", value_enum, default_value_t = Spelling::Json)]
    spelling: Spelling,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Spelling {
    /// {"name", "config"}, as create and apply take it
    Json,
    /// A file for standalone, create and apply
    Properties,
    /// A request to Connect's API
    Curl,
    /// The command that applies it
    Cli,
    /// A resource of the provider Mongey/kafka-connect
    Terraform,
    /// A ConfigMap for Kubernetes, to be mounted as a file
    Helm,
}

/// Runs `export`.
pub(in crate::cli) async fn export(args: ExportArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let [name] = steer::without_noun(&args.names) else {
        output::error("one link at a time: tributary export link NAME");
        return Exit::Usage;
    };
    match alter::stored(&workers, name).await {
        Ok(Some(config)) => {
            let config = alter::hidden(&config);
            output::text(&spelled(args.spelling, name, &config, &workers.first()));
            Exit::Done
        }
        Ok(None) => {
            output::error(&format!("there is no link of the name {name}"));
            Exit::Error
        }
        Err(failure) => args.reach.failed("nothing can be exported", &failure),
    }
}

fn spelled(spelling: Spelling, name: &str, config: &Map<String, Value>, url: &str) -> String {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("texts");
    match spelling {
        Spelling::Json => format!("{}\n", pretty(&json!({"name": name, "config": config}))),
        Spelling::Properties => alter::properties(config),
        Spelling::Curl => format!(
            "curl -X PUT -H 'Content-Type: application/json' {} -d @- <<'END'\n{}\nEND\n",
            quoted(&format!("{url}/connectors/{}/config", encode(name))),
            pretty(&json!(config)),
        ),
        Spelling::Cli => format!(
            "tributary apply --url {} -f - <<'END'\n{}END\n",
            quoted(url),
            alter::properties(config)
        ),
        Spelling::Terraform => terraform(name, config),
        Spelling::Helm => helm(name, config),
    }
}

/// For a shell: whatever it is stays one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn terraform(name: &str, config: &Map<String, Value>) -> String {
    let quoted = |text: &str| {
        let text = Value::from(text).to_string();
        text.replace("${", "$${").replace("%{", "%%{")
    };
    let label: String = plain(name, '_').collect();
    let mut text = format!(
        "resource \"kafka-connect_connector\" \"link_{label}\" {{\n  name = {}\n\n  config = {{\n",
        quoted(name)
    );
    for (key, value) in config {
        let value = value.as_str().unwrap_or_default();
        text.push_str(&format!("    {} = {}\n", quoted(key), quoted(value)));
    }
    text.push_str("  }\n}\n");
    text
}

fn helm(name: &str, config: &Map<String, Value>) -> String {
    let name = name.to_ascii_lowercase();
    let label: String = plain(&name, '-').collect();
    let indented: String = alter::properties(config)
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\ndata:\n  link.properties: |\n{indented}",
        Value::from(format!("tributary-link-{}", label.trim_matches('-')))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_keeps_what_is_in_it() {
        let config =
            json!({"name": "it's", "topic.regex": "a\\.b", "topic.rename.format": "x.${topic}"});
        let config = config.as_object().expect("an object");
        let of = |spelling| spelled(spelling, "it's", config, "http://a:1");
        let read: Value = serde_json::from_str(&of(Spelling::Json)).expect("one document");
        assert_eq!(read["config"], json!(config));
        let curl = of(Spelling::Curl);
        assert!(
            curl.contains("'http://a:1/connectors/it%27s/config'"),
            "{curl}"
        );
        let body = curl.split("<<'END'\n").nth(1).expect("a body");
        let body = body.trim_end().trim_end_matches("END");
        let read: Value = serde_json::from_str(body).expect("a document");
        assert_eq!(read, json!(config));
        assert!(of(Spelling::Cli).contains("-f - <<'END'\nname=it's\n"));
        let terraform = of(Spelling::Terraform);
        assert!(terraform.contains("\"link_it_s\""), "{terraform}");
        assert!(
            terraform.contains("\"topic.rename.format\" = \"x.$${topic}\""),
            "{terraform}"
        );
        let helm = of(Spelling::Helm);
        assert!(helm.contains("  name: \"tributary-link-it-s\"\n"), "{helm}");
        assert!(helm.contains("    topic.regex=a\\\\.b\n"), "{helm}");
    }
}
