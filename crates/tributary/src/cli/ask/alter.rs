//! `tributary diff`, `patch` and `edit`: what a link's configuration is, what it is to be, and the way from one to the other.
//!
//! What is shown, and what stands in the file that an editor opens, has `[hidden]` in the place of secrets; the worker puts
//! what it has stored in its place.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::change::validated;
use super::difference::{differences, lines, object};
use super::given::{self, config_of, files};
use super::matching::Matching;
use super::{Exit, Reach, confirmed, plain, steer, unread};
use crate::asking::{Failure, Workers, encode};
use crate::{output, settings};

/// Show which keys of links differ from files.
///
/// Ends with code 3 when any does, or when a link is not there.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary diff -f orders-dr.json || tributary apply -f orders-dr.json"
)]
pub(in crate::cli) struct DiffArgs {
    /// Files with links: properties with one, JSON or YAML with one or several; a folder of such, or - for the input
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    reach: Reach,
}

/// Set and remove single keys of links.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary patch link orders-dr -s topic.poll.interval.ms=10000 -r topic.blacklist --dry-run"
)]
pub(in crate::cli) struct PatchArgs {
    /// Names of links, with or without the word link in front
    #[arg(required = true)]
    names: Vec<String>,

    #[command(flatten)]
    matching: Matching,

    /// A key and its new value (repeatable); secrets belong in a file
    #[arg(short, long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// A key to be removed (repeatable)
    #[arg(short, long, value_name = "KEY")]
    remove: Vec<String>,

    /// Only show which keys would change
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Change the configuration of a link in an editor.
///
/// It opens what VISUAL or EDITOR name, else vi. Nothing is changed when the file stays as it is, when its configuration is
/// not valid, or when somebody else has changed the link meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  EDITOR=nano tributary edit link orders-dr")]
pub(in crate::cli) struct EditArgs {
    /// Name of the link, with or without the word link in front
    #[arg(required = true, num_args = 1..=2)]
    names: Vec<String>,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Only show which keys would change
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// The stored configuration; nothing where there is no such link.
pub(super) async fn stored(workers: &Workers, name: &str) -> Result<Option<Value>, Failure> {
    match workers
        .get(&format!("/connectors/{}/config", encode(name)))
        .await
    {
        Ok(stored) => Ok(Some(stored)),
        Err(failure) if failure.status == Some(404) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Runs `diff`.
pub(in crate::cli) async fn diff(args: DiffArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let (mut objects, mut text) = (Vec::new(), Vec::new());
    let (all, mut exit) = given::all(&files(&args.files), None);
    for given in &all {
        let found = match stored(&workers, &given.name).await {
            Ok(found) => found,
            Err(failure) => {
                let what = format!("link/{} cannot be compared", given.name);
                exit = args.reach.failed(&what, &failure);
                continue;
            }
        };
        let changes = differences(found.as_ref().unwrap_or(&Value::Null), &given.config);
        let action = match (&found, changes.is_empty()) {
            (None, _) => "created",
            (Some(_), true) => "unchanged",
            (Some(_), false) => "updated",
        };
        objects.push(object(&given.name, action, &changes));
        text.push(match action {
            "unchanged" => format!("link/{} is as in the file", given.name),
            "created" => format!("link/{} is not there", given.name),
            _ => format!("link/{} differs", given.name),
        });
        text.extend(lines(&changes));
        if action != "unchanged" && exit == Exit::Done {
            exit = Exit::NotReady;
        }
    }
    let document = json!({"schema": "tributary/v1/Diff", "items": objects});
    args.reach.print(&document, |_| text);
    exit
}

/// The changes that the options ask for; a null removes.
fn patch_of(args: &PatchArgs) -> Result<Map<String, Value>, String> {
    let mut patch = Map::new();
    for setting in &args.set {
        let (key, value) = setting
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty())
            .ok_or_else(|| format!("--set {setting}: write KEY=VALUE"))?;
        let key = key.trim();
        if config::key::holds_secret(key) && !value.contains("${") {
            return Err(format!(
                "--set {key}: a secret on the command line can be seen by everybody on this machine; use `tributary edit`, \
                 or name a variable: '{key}=${{file:/path:key}}'"
            ));
        }
        patch.insert(key.to_owned(), Value::from(value));
    }
    for key in &args.remove {
        if patch.insert(key.trim().to_owned(), Value::Null).is_some() {
            return Err(format!("{key} is to be set and to be removed"));
        }
    }
    if patch.is_empty() {
        return Err("nothing is to be changed: say --set KEY=VALUE or --remove KEY".to_owned());
    }
    Ok(patch)
}

fn patched(stored: &Value, patch: &Map<String, Value>) -> Map<String, Value> {
    let mut wanted = stored.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        match value {
            Value::Null => drop(wanted.remove(key)),
            value => drop(wanted.insert(key.clone(), value.clone())),
        }
    }
    wanted
}

/// Runs `patch`.
pub(in crate::cli) async fn patch(args: PatchArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let patch = match patch_of(&args) {
        Ok(patch) => patch,
        Err(problem) => {
            output::error(&problem);
            return Exit::Usage;
        }
    };
    let found = args
        .matching
        .links(&args.names, &workers, &args.reach)
        .await;
    let names = match found {
        Ok(names) => names,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Done;
    for name in &names {
        match patch_one(&args, &workers, name, &patch).await {
            Ok(action) => args
                .reach
                .done(&format!("link/{name}"), action, args.dry_run),
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("link/{name} cannot be changed"), &failure);
            }
        }
    }
    exit
}

async fn patch_one(
    args: &PatchArgs,
    workers: &Workers,
    name: &str,
    patch: &Map<String, Value>,
) -> Result<&'static str, Failure> {
    let path = format!("/connectors/{}/config", encode(name));
    let stored = workers.get(&path).await?;
    let wanted = patched(&stored, patch);
    let changes = differences(&stored, &wanted);
    if changes.is_empty() {
        return Ok("unchanged");
    }
    let warnings =
        unread::warnings(&stored, patch).map_err(|message| Failure::of(None, message))?;
    warnings.iter().for_each(|line| output::notice(line));
    if args.dry_run {
        validated(workers, &wanted, &stored).await?;
        lines(&changes).iter().for_each(|line| output::notice(line));
    } else {
        let body = Value::Object(patch.clone());
        workers.send("PATCH", &path, Some(&body)).await?;
    }
    Ok("updated")
}

/// Runs `edit`.
pub(in crate::cli) async fn edit(args: EditArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let [name] = steer::without_noun(&args.names) else {
        output::error("one link at a time: tributary edit link NAME");
        return Exit::Usage;
    };
    match edited(&args, &workers, name).await {
        Ok(Some(action)) => {
            args.reach
                .done(&format!("link/{name}"), action, args.dry_run);
            Exit::Done
        }
        Ok(None) => Exit::Usage,
        Err(failure) => args
            .reach
            .failed(&format!("link/{name} cannot be changed"), &failure),
    }
}

/// What was done; nothing where that was said already.
async fn edited(
    args: &EditArgs,
    workers: &Workers,
    name: &str,
) -> Result<Option<&'static str>, Failure> {
    // First the version: whatever is changed after it is noticed.
    let link = workers
        .get(&format!("/api/v1/links/{}", encode(name)))
        .await?;
    let version = link["config_version"].as_str().unwrap_or("*").to_owned();
    let path = format!("/connectors/{}/config", encode(name));
    let stored = workers.get(&path).await?;
    let text = properties(&hidden(&stored));
    let said = |problem: String| {
        output::error(&problem);
        Ok(None)
    };
    let wanted = match opened(name, &text).await {
        Ok(wanted) => wanted,
        Err(problem) => return said(problem),
    };
    let changes = differences(&stored, &wanted);
    if changes.is_empty() {
        return Ok(Some("unchanged"));
    }
    validated(workers, &wanted, &stored).await?;
    lines(&changes).iter().for_each(|line| output::notice(line));
    if args.dry_run {
        return Ok(Some("updated"));
    }
    if !args.yes && !confirmed(&format!("change {name}?")) {
        return said("nothing was changed: say so at the prompt, or with --yes".to_owned());
    }
    let body = Value::Object(wanted);
    workers.send_if(&version, "PUT", &path, &body).await?;
    Ok(Some("updated"))
}

/// A configuration as it may lie in a file.
pub(super) fn hidden(config: &Value) -> Map<String, Value> {
    let members = config.as_object().into_iter().flatten();
    let shown = members.map(|(key, value)| {
        let value = value.as_str().unwrap_or_default();
        let value = config::key::shown_to_readers(key, value);
        (key.clone(), Value::from(value))
    });
    shown.collect()
}

/// A configuration as a properties file, its name first.
pub(super) fn properties(config: &Map<String, Value>) -> String {
    let mut keys: Vec<&String> = config.keys().collect();
    keys.sort_by_key(|key| (*key != "name", *key));
    let mut text = String::new();
    for key in keys {
        let value = config[key].as_str().unwrap_or_default();
        text.push_str(&escaped(key, true));
        text.push('=');
        text.push_str(&escaped(value, false));
        text.push('\n');
    }
    text
}

/// As Java's properties have it. Blanks separate in keys, and are dropped at the begin of values.
fn escaped(text: &str, is_key: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, one) in text.char_indices() {
        match one {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            '\\' => out.push_str("\\\\"),
            ' ' if is_key || at == 0 => out.push_str("\\ "),
            '=' | ':' if is_key => out.extend(['\\', one]),
            '#' | '!' if is_key && at == 0 => out.extend(['\\', one]),
            one => out.push(one),
        }
    }
    out
}

/// Has a text changed in an editor, and reads what came of it.
async fn opened(name: &str, text: &str) -> Result<Map<String, Value>, String> {
    let path = place(name);
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    // Whatever lies there already is somebody else's.
    let created = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    let mut file = created.map_err(|error| failed(&error))?;
    let written = file.write_all(text.as_bytes());
    drop(file);
    let changed = match written {
        Ok(()) => in_editor(&path).await,
        Err(error) => Err(failed(&error)),
    };
    let read = changed.and_then(|()| settings::read(&path));
    // It is gone whatever came of it.
    let removed = std::fs::remove_file(&path);
    let raw = read?;
    removed.map_err(|error| failed(&error))?;
    Ok(config_of(&raw))
}

fn place(name: &str) -> PathBuf {
    let name: String = plain(name, '-').take(60).collect();
    let number = std::process::id();
    std::env::temp_dir().join(format!("tributary-{name}-{number}.properties"))
}

async fn in_editor(path: &Path) -> Result<(), String> {
    let editor = super::environment("VISUAL").or_else(|| super::environment("EDITOR"));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // It may have options; the shell takes them apart, and the path comes as a parameter.
    let mut command = std::process::Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(path);
    let ended = tokio::task::spawn_blocking(move || command.status()).await;
    let ended = ended
        .map_err(|error| error.to_string())
        .and_then(|ended| ended.map_err(|error| format!("no editor: {error}")))?;
    match ended.success() {
        true => Ok(()),
        false => Err(format!(
            "the editor ({editor}) ended with {ended}; nothing was changed"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn a_patch_sets_removes_and_takes_no_secrets() {
        use clap::Parser as _;
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: PatchArgs,
        }
        let parsed = |all: &[&str]| {
            let line = Line::try_parse_from([&["patch", "a"], all].concat()).expect("right");
            patch_of(&line.args)
        };
        let patch = parsed(&["-s", "b=x=y", "-r", "c"]).expect("right");
        assert_eq!(patch, map(json!({"b": "x=y", "c": null})));
        let stored = json!({"a": "1", "b": "2", "c": "3"});
        assert_eq!(patched(&stored, &patch), map(json!({"a": "1", "b": "x=y"})));
        for wrong in [
            &["-s", "b"][..],
            &["-s", "=b"],
            &["-s", "b=1", "-r", "b"],
            &["-s", "dest.kafka.sasl.password=x"],
            &[],
        ] {
            parsed(wrong).expect_err("wrong");
        }
        parsed(&["-s", "dest.kafka.ssl.key.password=${file:/a:b}"]).expect("a variable is none");
    }

    #[test]
    fn a_configuration_is_read_back_from_properties_as_it_was() {
        let config = map(json!({
            "topic.regex": "a\\.b|#c", "name": " x", "odd key=:": "a\nb\t\u{e9}", "#": "!", "empty": "",
        }));
        let text = properties(&config);
        assert!(text.starts_with("name=\\ x\n"), "{text}");
        let (raw, _) = config::raw::RawConfig::from_properties("a", &text).expect("readable");
        assert_eq!(config_of(&raw), config);
    }
}
