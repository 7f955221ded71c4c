//! Links of files, as `create`, `apply` and `diff` are given them: which files, and what is in them.

use std::path::{Path, PathBuf};

use config::RawConfig;
use serde_json::{Map, Value};

use super::Exit;
use crate::{output, settings};

/// A link of a file.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) config: Map<String, Value>,
    pub(super) initial: Option<String>,
}

/// The files that are meant; of a folder, those in it that may be links, by name.
pub(super) fn files(given: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in given {
        let Ok(entries) = std::fs::read_dir(path) else {
            all.push(path.clone());
            continue;
        };
        let inside = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut inside: Vec<PathBuf> = inside
            .filter(|path| {
                let extension = path.extension().and_then(|extension| extension.to_str());
                matches!(extension, Some("properties" | "json" | "yaml" | "yml"))
            })
            .collect();
        inside.sort_unstable();
        all.extend(inside);
    }
    all
}

/// What a file says, as a worker takes it.
pub(super) fn config_of(raw: &RawConfig) -> Map<String, Value> {
    let entries = raw.entries().iter();
    entries
        .map(|entry| (entry.key.clone(), Value::from(entry.value.clone())))
        .collect()
}

/// The links of a file, or what is wrong with it. A name that is given wins over that of the file.
fn read(path: &Path, name: Option<&str>) -> Result<Vec<Given>, String> {
    let input = Path::new("/dev/stdin");
    let place = if path == Path::new("-") { input } else { path };
    let links = settings::read_all(place)?;
    links.iter().map(|raw| link(raw, path, name)).collect()
}

/// The links of all these files. What is wrong with one of them is said, and is an error at the end.
pub(super) fn all(files: &[PathBuf], name: Option<&str>) -> (Vec<Given>, Exit) {
    let (mut all, mut exit) = (Vec::new(), Exit::Done);
    for path in files {
        match read(path, name) {
            Ok(given) => all.extend(given),
            Err(problem) => {
                output::error(&problem);
                exit = Exit::Error;
            }
        }
    }
    (all, exit)
}

fn link(raw: &RawConfig, path: &Path, name: Option<&str>) -> Result<Given, String> {
    let mut config = config_of(raw);
    if let Some(name) = name {
        config.insert("name".to_owned(), Value::from(name));
    }
    let found = config.get("name").and_then(Value::as_str);
    let Some(name) = found.map(str::to_owned) else {
        return Err(format!("{} has no name: add name=…", path.display()));
    };
    Ok(Given {
        name,
        config,
        initial: raw.initial_state.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_several_links_in_json_and_yaml() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            read(&path, None)
        };
        let yaml = "# two\nname: a\nconfig:\n  topic.regex: a.*\ninitial_state: STOPPED\n---\nname: b\ntasks.max: 2\n";
        let json = r#"{"name": "a", "config": {"topic.regex": "a.*"}, "initial_state": "STOPPED"} {"name": "b", "tasks.max": 2}"#;
        for (file, text) in [
            ("two.yaml", yaml),
            ("two.yml", yaml),
            ("input", yaml),
            ("two.json", json),
        ] {
            let links = of(file, text).expect(file);
            let [a, b] = &links[..] else {
                panic!("{file}: {links:?}");
            };
            assert_eq!((&*a.name, a.initial.as_deref()), ("a", Some("STOPPED")));
            assert_eq!(a.config["topic.regex"], "a.*", "{file}");
            assert_eq!((&*b.name, &b.config["tasks.max"]), ("b", &Value::from("2")));
        }
        let one = of("one.properties", "name: c\n").expect("properties");
        assert_eq!(one[0].name, "c");
        for (file, text) in [
            ("nameless.yaml", "tasks.max: 2\n"),
            ("empty.yaml", "# nothing\n"),
            ("list.yaml", "- name: a\n"),
            ("half.json", r#"{"name": "a"} {"#),
        ] {
            of(file, text).expect_err(file);
        }
        let mut found = files(&[folder.path().to_owned()]);
        found.retain(|path| path.ends_with("two.yml") || path.ends_with("input"));
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
