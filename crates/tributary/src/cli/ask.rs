//! Commands that ask a worker: options that all of them have, and how results and errors are printed.

mod alter;
mod change;
mod context;
mod described;
mod difference;
mod effective;
mod events;
mod explain;
mod export;
mod given;
mod lag;
mod list;
mod loggers;
mod matching;
mod mirror;
mod names;
mod offsets;
mod preflight;
mod preview;
mod prune;
mod resume;
mod schemas;
mod status;
mod steer;
mod table;
mod unread;
mod version;
mod yaml;

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use config::security::{Identity, StoreFile, TlsSettings, Trust};
use serde_json::{Value, json};

pub(super) use self::alter::{DiffArgs, EditArgs, PatchArgs};
pub(super) use self::change::{ApplyArgs, CreateArgs, DeleteArgs};
use self::context::Context;
pub(super) use self::context::ContextVerb;
pub(super) use self::effective::EffectiveArgs;
pub(super) use self::events::EventsArgs;
pub(super) use self::explain::ExplainArgs;
pub(super) use self::export::ExportArgs;
pub(super) use self::lag::LagArgs;
pub(super) use self::list::{DescribeArgs, GetArgs};
pub(super) use self::loggers::LoggersArgs;
pub(super) use self::mirror::MirrorVerb;
pub(super) use self::names::Named;
pub(super) use self::offsets::OffsetsVerb;
pub(super) use self::resume::ResumeArgs;
pub(super) use self::status::{StatusArgs, TopArgs};
pub(super) use self::steer::{RestartArgs, SteerArgs, TopicsVerb};
pub(super) use self::version::{SchemaArgs, VersionArgs};
use super::Exit;
use crate::asking::{Credentials, Failure, Workers};
use crate::{duration, output};

pub(super) use self::{
    alter::{diff, edit, patch},
    change::{apply, create, delete},
    context::contexts,
    effective::effective,
    events::events,
    explain::explain,
    export::export,
    lag::lag,
    list::{describe, get},
    loggers::loggers,
    mirror::mirror,
    names::names,
    offsets::offsets,
    preflight::preflight,
    preview::{Wanted, preview},
    resume::resume,
    status::{status, top},
    steer::{Steer, restart, steer, topics},
    version::{schema, version},
};

/// Which worker, who asks, and how results look.
#[derive(Debug, Args)]
#[command(next_help_heading = "Worker and output")]
pub(super) struct Reach {
    /// Addresses of workers, tried in order [default: TRIBUTARY_URL, or http://localhost:8083]
    #[arg(long, alias = "worker", value_name = "URL[,URL]")]
    url: Option<String>,

    /// What `config set-context` has kept; options win over it [default: TRIBUTARY_CONTEXT, or the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// User for Basic authentication [default: TRIBUTARY_USER]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// File with the user's password [default: the value of TRIBUTARY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// File with a bearer token [default: the value of TRIBUTARY_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// File with certificates that are believed of workers with https [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// File with the certificate that is shown to them
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// File with its key, where that of --cert has none
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// How results look [default: TRIBUTARY_OUTPUT, or table]
    #[arg(short, long, value_enum)]
    output: Option<Format>,

    /// Tables without headings
    #[arg(long)]
    no_headers: bool,

    /// Tables in ASCII
    #[arg(long)]
    ascii: bool,

    /// Print results, and nothing beside them but what is wrong
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// Print each request too, as a command of curl without secrets
    #[arg(short, long)]
    verbose: bool,

    /// Limit of each request
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "30s")]
    timeout: Duration,
}

/// How a result is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    #[value(aliases = ["human", "text"])]
    Table,
    Wide,
    Json,
    Yaml,
    Csv,
    Name,
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// A name as other places take it: what is no letter or digit becomes `other`.
fn plain(name: &str, other: char) -> impl Iterator<Item = char> {
    let plain = move |one: char| match one.is_ascii_alphanumeric() {
        true => one,
        false => other,
    };
    name.chars().map(plain)
}

/// A whole list, as the API answers with one.
fn list_of(schema: &str, items: &[Value]) -> Value {
    json!({
        "schema": format!("tributary/v1/{schema}"), "items": items, "total": items.len(), "next_cursor": null, "incomplete": [],
        "as_of": worker_group::detail::instant(SystemTime::now()),
    })
}

/// Whether somebody at the terminal says yes; where nobody is there, nobody does.
fn confirmed(question: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    output::beside(&format!("{question} Type yes:"));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == "yes"
}

#[expect(clippy::disallowed_methods, reason = "this is the program")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Reach {
    /// Where only this much can be said.
    pub(super) fn of(url: Option<String>, context: Option<String>, json: bool) -> Self {
        Self {
            url,
            context,
            user: None,
            password_file: None,
            token_file: None,
            ca_file: None,
            cert: None,
            key: None,
            output: Some(if json { Format::Json } else { Format::Table }),
            no_headers: false,
            ascii: false,
            quiet: false,
            verbose: false,
            // Clusters are looked at.
            timeout: Duration::from_secs(120),
        }
    }

    /// The workers, or nothing after what is wrong was printed.
    fn workers(&self) -> Option<Workers> {
        if self.quiet {
            output::be_quiet();
        }
        self.found().map_err(|problem| output::error(&problem)).ok()
    }

    /// The addresses of the workers, and what was kept about them.
    fn address(&self) -> Result<(String, Context), String> {
        let url = self.url.clone().or_else(|| environment("TRIBUTARY_URL"));
        let named = self.context.clone();
        let named = named.or_else(|| environment("TRIBUTARY_CONTEXT"));
        // Who says whom to ask shows nobody what was kept for others.
        let context = match (&named, &url) {
            (None, Some(_)) => Context::default(),
            _ => context::find(named.as_deref())?,
        };
        let url = url.or_else(|| context.url.clone());
        let url = url.unwrap_or_else(|| "http://localhost:8083".to_owned());
        Ok((url, context))
    }

    fn found(&self) -> Result<Workers, String> {
        let (url, context) = self.address()?;
        Workers::new(
            &url,
            self.credentials(&context)?.as_ref(),
            self.tls(&context)?,
            Some(self.timeout).filter(|limit| !limit.is_zero()),
        )
        .map(|workers| workers.saying(self.verbose))
    }

    fn tls(&self, context: &Context) -> Result<TlsSettings, String> {
        let mut tls = TlsSettings::default();
        if let Some(path) = self.ca_file.as_ref().or(context.ca_file.as_ref()) {
            tls.trust = Trust::Store(StoreFile {
                path: path.clone(),
                password: None,
            });
        }
        let (cert, key) = match &self.cert {
            Some(cert) => (Some(cert), self.key.as_ref()),
            None => (context.cert.as_ref(), context.key.as_ref()),
        };
        tls.identity = match (cert, key) {
            (None, _) => None,
            (Some(cert), None) => Some(Identity::Store {
                store: StoreFile {
                    path: cert.clone(),
                    password: None,
                },
                key_password: None,
            }),
            (Some(cert), Some(key)) => Some(Identity::Inline {
                key: read(key)?.into(),
                chain: read(cert)?.into(),
                key_password: None,
            }),
        };
        Ok(tls)
    }

    fn credentials(&self, context: &Context) -> Result<Option<Credentials>, String> {
        let read =
            |path: &PathBuf| read(path).map(|text| text.trim_end_matches(['\n', '\r']).to_owned());
        // What is said here wins over what the environment says, and that over what was kept.
        let token = self.token_file.as_ref().map(read).transpose()?;
        if let Some(token) = token.or_else(|| environment("TRIBUTARY_TOKEN")) {
            return Ok(Some(Credentials::Bearer(token)));
        }
        let user = self.user.clone().or_else(|| environment("TRIBUTARY_USER"));
        if let (None, Some(path)) = (&user, &context.token_file) {
            return Ok(Some(Credentials::Bearer(read(path)?)));
        }
        let Some(user) = user.or_else(|| context.user.clone()) else {
            return Ok(None);
        };
        let password = self.password_file.as_ref().map(read).transpose()?;
        let password = password.or_else(|| environment("TRIBUTARY_PASSWORD"));
        let kept = || context.password_file.as_ref().map(read).transpose();
        let password = match password {
            Some(password) => Some(password),
            None => kept()?,
        };
        let password = password.ok_or("a user needs --password-file or TRIBUTARY_PASSWORD")?;
        Ok(Some(Credentials::Basic(user, password)))
    }

    fn format(&self) -> Format {
        let given = environment("TRIBUTARY_OUTPUT");
        self.output
            .or_else(|| Format::from_str(&given?, true).ok())
            .unwrap_or_default()
    }

    /// Prints one document, or the lines that `table` makes of it.
    fn print(&self, document: &Value, table: impl FnOnce(&table::Look) -> Vec<String>) {
        let format = self.format();
        match format {
            Format::Json => output::line(&document.to_string()),
            Format::Yaml => output::text(&yaml::text(document)),
            Format::Table | Format::Wide | Format::Csv | Format::Name => {
                let look = table::Look {
                    format,
                    headers: !self.no_headers,
                    ascii: self.ascii,
                };
                for line in table(&look) {
                    output::line(&look.plain(&line));
                }
            }
        }
    }

    /// Prints what came of a change.
    fn done(&self, object: &str, action: &str, dry_run: bool) {
        let document = json!({
            "schema": "tributary/v1/Result", "object": object, "action": action, "dry_run": dry_run,
        });
        self.print(&document, |_| {
            let suffix = if dry_run { " (dry run)" } else { "" };
            vec![format!("{object} {action}{suffix}")]
        });
    }

    /// Prints why something was not done.
    fn failed(&self, what: &str, failure: &Failure) -> Exit {
        let explanation = failure.explanation.as_ref();
        let hints: Vec<&str> = ["fix", "commands"]
            .iter()
            .filter_map(|key| explanation?[*key].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if matches!(self.format(), Format::Json | Format::Yaml) {
            let document = json!({
                "schema": "tributary/v1/Error", "error_code": failure.status, "message": failure.message,
                "explanation": explanation, "hints": hints,
            });
            output::beside(&document.to_string());
            return Exit::Error;
        }
        output::error(&format!("{what}: {}", failure.message));
        if let Some(explanation) = explanation {
            let text = |key: &str| explanation[key].as_str().unwrap_or("");
            output::notice(&format!(
                "cause: {} (explanation {})",
                text("cause"),
                text("id")
            ));
        }
        for hint in hints {
            output::notice(&format!("hint:  {hint}"));
        }
        Exit::Error
    }
}

/// All items of a list, page by page. `path` may have a query.
async fn all(workers: &Workers, path: &str) -> Result<Value, Failure> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let mut whole = workers.get(&format!("{path}{mark}limit=1000")).await?;
    loop {
        let Some(cursor) = whole["next_cursor"].as_str().map(str::to_owned) else {
            return Ok(whole);
        };
        let next = workers
            .get(&format!("{path}{mark}limit=1000&cursor={cursor}"))
            .await?;
        whole["next_cursor"] = next["next_cursor"].clone();
        let more = next["items"].as_array().cloned().unwrap_or_default();
        if let Some(items) = whole["items"].as_array_mut() {
            items.extend(more);
        }
    }
}

/// The members of a list.
fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}
