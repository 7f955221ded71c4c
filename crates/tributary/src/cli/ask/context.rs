//! Contexts: workers and who asks them, kept under a name. `tributary config set-context` and its like.
//!
//! They lie in `$XDG_CONFIG_HOME/tributary/contexts.json`, which only its owner may read. Secrets are not among them: files
//! are named that have them.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::table::{self, Kind, column};
use super::{Exit, Format, environment};
use crate::output;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ContextVerb {
    /// Keep workers, and who asks them, under a name
    SetContext(SetArgs),
    /// Ask these workers from now on, unless an option says otherwise
    UseContext(NameArgs),
    /// Which workers are asked
    CurrentContext,
    /// All contexts
    GetContexts,
    /// Forget a context
    RemoveContext(NameArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary config set-context prod --url https://worker-1:8083,https://worker-2:8083 --ca-file ca.pem\n  \
    tributary config use-context prod"
)]
pub(in crate::cli) struct SetArgs {
    /// Its name
    name: String,

    /// Addresses of workers, tried in order
    #[arg(long, value_name = "URL[,URL]")]
    url: Option<String>,

    /// User for Basic authentication
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// File with the user's password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// File with a bearer token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// File with certificates that are believed of workers with https
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// File with the certificate that is shown to them
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// File with its key, where that of --cert has none
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NameArgs {
    /// Its name
    name: String,
}

/// What is kept under a name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Context {
    pub(super) url: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

impl Context {
    fn of(value: &Value) -> Self {
        let text = |member: &str| value[member].as_str().map(str::to_owned);
        let path = |member: &str| text(member).map(PathBuf::from);
        Self {
            url: text("url"),
            user: text("user"),
            password_file: path("password_file"),
            token_file: path("token_file"),
            ca_file: path("ca_file"),
            cert: path("cert"),
            key: path("key"),
        }
    }
}

/// The context of that name, else the current one; without any, an empty one.
pub(super) fn find(name: Option<&str>) -> Result<Context, String> {
    let named = name.map(str::to_owned);
    let Some(path) = place() else {
        return match named {
            Some(name) => Err(unknown(&name)),
            None => Ok(Context::default()),
        };
    };
    let kept = read(&path)?;
    let chosen = named.or_else(|| kept["current"].as_str().map(str::to_owned));
    match chosen {
        None => Ok(Context::default()),
        Some(name) => match kept["contexts"].get(&name) {
            Some(context) => Ok(Context::of(context)),
            None => Err(unknown(&name)),
        },
    }
}

fn unknown(name: &str) -> String {
    format!(
        "there is no context {name}: `tributary config get-contexts` lists them, `tributary config set-context {name} --url \
         …` makes it"
    )
}

/// Names of all contexts; none where they cannot be read.
pub(super) fn names() -> Vec<String> {
    let kept = place().and_then(|path| read(&path).ok());
    let contexts = kept.as_ref().and_then(|kept| kept["contexts"].as_object());
    contexts
        .map(|contexts| contexts.keys().cloned().collect())
        .unwrap_or_default()
}

/// Where something is kept beside the contexts.
pub(super) fn beside(file: &str) -> Result<PathBuf, String> {
    let contexts = place();
    let contexts = contexts.ok_or("neither XDG_CONFIG_HOME nor HOME says where it is kept")?;
    Ok(contexts.with_file_name(file))
}

fn place() -> Option<PathBuf> {
    let folder = environment("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(environment("HOME")?).join(".config")))?;
    Some(folder.join("tributary").join("contexts.json"))
}

fn read(path: &Path) -> Result<Value, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| failed(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(json!({"current": null, "contexts": {}}))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// In one step, so that nobody reads half of it.
pub(super) fn write(path: &Path, kept: &Value) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh);
    let text = serde_json::to_string_pretty(kept).expect("texts");
    let written = opened.and_then(|mut file| writeln!(file, "{text}"));
    written
        .and_then(|()| std::fs::rename(&fresh, path))
        .map_err(failed)
}

/// Adds what was given; a file's path becomes a whole one, because it is used from other folders too.
fn set(kept: &mut Value, args: &SetArgs) -> Result<(), String> {
    let mut members = Map::new();
    let texts = [("url", &args.url), ("user", &args.user)];
    for (member, text) in texts {
        members.extend(text.as_ref().map(|text| (member.to_owned(), json!(text))));
    }
    let paths = [
        ("password_file", &args.password_file),
        ("token_file", &args.token_file),
        ("ca_file", &args.ca_file),
        ("cert", &args.cert),
        ("key", &args.key),
    ];
    for (member, path) in paths {
        let Some(path) = path else { continue };
        let whole = std::path::absolute(path)
            .map_err(|error| format!("--{}: {error}", member.replace('_', "-")))?;
        members.insert(member.to_owned(), json!(whole));
    }
    let before = kept["contexts"][&args.name].as_object();
    if before.is_none() && !members.contains_key("url") {
        return Err("a new context needs --url".to_owned());
    }
    let mut whole = before.cloned().unwrap_or_default();
    whole.extend(members);
    kept["contexts"][&args.name] = Value::Object(whole);
    // The first one is the current one.
    if kept["current"].is_null() {
        kept["current"] = json!(args.name);
    }
    Ok(())
}

fn changed(kept: &mut Value, verb: &ContextVerb) -> Result<String, String> {
    let known = |kept: &Value, name: &str| match kept["contexts"].get(name) {
        Some(_) => Ok(()),
        None => Err(unknown(name)),
    };
    match verb {
        ContextVerb::SetContext(args) => {
            set(kept, args)?;
            Ok(format!("context/{} set", args.name))
        }
        ContextVerb::UseContext(NameArgs { name }) => {
            known(kept, name)?;
            kept["current"] = json!(name);
            Ok(format!("context/{name} is the current one"))
        }
        ContextVerb::RemoveContext(NameArgs { name }) => {
            known(kept, name)?;
            if let Some(all) = kept["contexts"].as_object_mut() {
                all.remove(name);
            }
            if kept["current"] == **name {
                kept["current"] = Value::Null;
            }
            Ok(format!("context/{name} removed"))
        }
        ContextVerb::CurrentContext | ContextVerb::GetContexts => Ok(String::new()),
    }
}

fn rows(kept: &Value) -> Vec<Value> {
    let all = kept["contexts"].as_object().into_iter().flatten();
    let row = |(name, one): (&String, &Value)| {
        let mark = if kept["current"] == **name { "*" } else { "" };
        json!({"current": mark, "name": name, "url": one["url"], "user": one["user"]})
    };
    all.map(row).collect()
}

/// Runs `config set-context` and its like.
pub(in crate::cli) fn contexts(verb: &ContextVerb) -> Exit {
    match done(verb) {
        Ok(lines) => {
            lines.iter().for_each(|line| output::line(line));
            Exit::Done
        }
        Err(problem) => {
            output::error(&problem);
            Exit::Error
        }
    }
}

fn done(verb: &ContextVerb) -> Result<Vec<String>, String> {
    let path = place().ok_or("neither XDG_CONFIG_HOME nor HOME says where contexts are kept")?;
    let mut kept = read(&path)?;
    match verb {
        ContextVerb::CurrentContext => {
            let name = kept["current"].as_str();
            Ok(vec![name.ok_or("there is no current context")?.to_owned()])
        }
        ContextVerb::GetContexts => {
            let look = table::Look {
                format: Format::Table,
                headers: true,
                ascii: false,
            };
            let columns = [
                column("CURRENT", "current", Kind::Text(7)),
                column("NAME", "name", Kind::Text(24)),
                column("URL", "url", Kind::Text(50)),
                column("USER", "user", Kind::Text(16)),
            ];
            Ok(table::lines(&rows(&kept), &columns, &look))
        }
        ContextVerb::SetContext(_) | ContextVerb::UseContext(_) | ContextVerb::RemoveContext(_) => {
            let said = changed(&mut kept, verb)?;
            write(&path, &kept)?;
            Ok(vec![said])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_args(name: &str, url: Option<&str>, token: Option<&str>) -> ContextVerb {
        ContextVerb::SetContext(SetArgs {
            name: name.to_owned(),
            url: url.map(str::to_owned),
            user: None,
            password_file: None,
            token_file: token.map(PathBuf::from),
            ca_file: None,
            cert: None,
            key: None,
        })
    }

    #[test]
    fn a_context_is_made_changed_used_and_removed() {
        let mut kept = json!({"current": null, "contexts": {}});
        let name = |name: &str| NameArgs {
            name: name.to_owned(),
        };
        changed(&mut kept, &set_args("a", None, None)).expect_err("no address");
        changed(&mut kept, &set_args("a", Some("http://a"), None)).expect("made");
        changed(&mut kept, &set_args("b", Some("http://b"), None)).expect("made");
        // What was not said again stays.
        changed(&mut kept, &set_args("a", None, Some("/token"))).expect("changed");
        let context = Context::of(&kept["contexts"]["a"]);
        assert_eq!(
            (context.url.as_deref(), context.token_file),
            (Some("http://a"), Some(PathBuf::from("/token")))
        );
        assert_eq!(kept["current"], "a");
        changed(&mut kept, &ContextVerb::UseContext(name("c"))).expect_err("unknown");
        changed(&mut kept, &ContextVerb::UseContext(name("b"))).expect("known");
        let marks: Vec<Value> = rows(&kept)
            .iter()
            .map(|row| row["current"].clone())
            .collect();
        assert_eq!(marks, ["", "*"]);
        changed(&mut kept, &ContextVerb::RemoveContext(name("b"))).expect("known");
        assert_eq!((&kept["current"], rows(&kept).len()), (&Value::Null, 1));
    }

    #[test]
    fn contexts_are_kept_in_a_file_that_only_its_owner_reads() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("contexts.json");
        assert_eq!(read(&path).expect("nothing yet")["current"], Value::Null);
        let kept = json!({"current": "a", "contexts": {"a": {"url": "http://a"}}});
        write(&path, &kept).expect("written");
        write(&path, &kept).expect("written again");
        assert_eq!(read(&path), Ok(kept));
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "{").expect("written");
        read(&path).expect_err("not whole");
    }
}
