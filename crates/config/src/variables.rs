//! Variables in values: `${provider:key}` and `${provider:path:key}`, Kafka's config providers.
//!
//! Flow: the worker's keys `config.providers…` and the built-in names `env`, `file` and `dir` make [`Variables`]; a
//! configuration that has them resolves every value as late as it is used. What they read goes through [`Sources`],
//! because files and the environment belong to the program.
//!
//! Invariant: a problem names the variable, never a value. Deliberately absent: variables in what a variable brings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::pattern::Pattern;
use crate::problem::ConfigProblem;
use crate::raw::RawConfig;

/// What variables are read from.
pub trait Sources: Send + Sync {
    /// A variable of the environment.
    fn environment(&self, name: &str) -> Option<String>;

    /// The text of a file.
    ///
    /// # Errors
    /// In the system's words.
    fn file(&self, path: &Path) -> Result<String, String>;
}

/// The providers of one process.
#[derive(Clone)]
pub struct Variables {
    providers: Arc<BTreeMap<String, Provider>>,
    sources: Arc<dyn Sources>,
}

#[derive(Debug)]
enum Provider {
    Environment { allowed: Option<Pattern> },
    File { allowed: Vec<PathBuf> },
    Directory { allowed: Vec<PathBuf> },
}

impl PartialEq for Variables {
    /// The same providers, not equal ones.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.providers, &other.providers)
    }
}

impl Eq for Variables {}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables")
            .field("providers", &self.providers)
            .finish_non_exhaustive()
    }
}

/// A variable as it stands in a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Variable<'a> {
    provider: &'a str,
    path: Option<&'a str>,
    key: &'a str,
}

/// The first variable of a text: before it, itself, after it. `${topic}` is none.
fn next(text: &str) -> Option<(&str, Variable<'_>, &str)> {
    let mut from = 0;
    loop {
        let begin = from + text[from..].find("${")?;
        let end = begin + text[begin..].find('}')?;
        let inside = &text[begin + 2..end];
        if let Some((provider, rest)) = inside.split_once(':') {
            let (path, key) = match rest.split_once(':') {
                Some((path, key)) => (Some(path), key),
                None => (None, rest),
            };
            let variable = Variable {
                provider,
                path,
                key,
            };
            return Some((&text[..begin], variable, &text[end + 1..]));
        }
        from = begin + 2;
    }
}

/// The first variable of a text, as it is written.
pub(crate) fn first(text: &str) -> Option<&str> {
    let (before, _, after) = next(text)?;
    Some(&text[before.len()..text.len() - after.len()])
}

/// Whether a text has variables in it.
#[must_use]
pub fn are_in(text: &str) -> bool {
    next(text).is_some()
}

/// Whether a text is made of variables alone.
pub(crate) fn is_reference(text: &str) -> bool {
    let mut rest = text;
    while let Some((before, _, after)) = next(rest) {
        if !before.is_empty() {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// A text with its variables replaced, and what they brought, by the variable as written.
pub(crate) struct Expanded {
    pub(crate) text: String,
    pub(crate) values: Vec<(String, String)>,
}

impl Variables {
    /// The built-in providers.
    #[must_use]
    pub fn new(sources: Arc<dyn Sources>) -> Self {
        let built_in = [
            ("env", Provider::Environment { allowed: None }),
            ("file", Provider::File { allowed: vec![] }),
            ("dir", Provider::Directory { allowed: vec![] }),
        ];
        Self {
            providers: Arc::new(built_in.map(|(name, p)| (name.to_owned(), p)).into()),
            sources,
        }
    }

    /// The built-in providers and those that a worker's configuration declares.
    ///
    /// # Errors
    /// All problems of these keys.
    pub fn of_worker(
        sources: Arc<dyn Sources>,
        worker: &RawConfig,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut this = Self::new(sources);
        let mut problems = Vec::new();
        let mut providers = BTreeMap::new();
        let names = worker
            .get("config.providers")
            .map_or("", |entry| entry.value.trim());
        for name in names.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            match provider(worker, name) {
                Ok(provider) => {
                    providers.insert(name.to_owned(), provider);
                }
                Err(problem) => problems.push(*problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let all = Arc::get_mut(&mut this.providers).expect("not shared yet");
        all.extend(providers);
        Ok(this)
    }

    /// A variable of the environment that has a meaning of its own.
    pub(crate) fn environment(&self, name: &str) -> Option<String> {
        self.sources.environment(name)
    }

    /// The text of a file that has a meaning of its own.
    pub(crate) fn file(&self, path: &Path) -> Result<String, String> {
        self.sources.file(path)
    }

    /// The file in which Java programs would look for login modules.
    pub(crate) fn jaas_file(&self) -> Option<PathBuf> {
        crate::jaas::file_of(&self.environment("KAFKA_OPTS")?)
    }

    /// Replaces the variables of a value.
    ///
    /// # Errors
    /// What is wrong with which variable.
    pub(crate) fn expand(&self, value: &str) -> Result<Expanded, String> {
        let mut expanded = Expanded {
            text: String::new(),
            values: Vec::new(),
        };
        let mut rest = value;
        while let Some((before, variable, after)) = next(rest) {
            let written = &rest[before.len()..rest.len() - after.len()];
            let found = self
                .look_up(variable)
                .map_err(|reason| format!("the variable {written} cannot be replaced: {reason}"))?;
            expanded.text.push_str(before);
            expanded.text.push_str(&found);
            expanded.values.push((written.to_owned(), found));
            rest = after;
        }
        expanded.text.push_str(rest);
        Ok(expanded)
    }

    fn look_up(&self, variable: Variable<'_>) -> Result<String, String> {
        let Variable {
            provider,
            path,
            key,
        } = variable;
        let Some(found) = self.providers.get(provider) else {
            let known: Vec<&str> = self.providers.keys().map(String::as_str).collect();
            return Err(format!(
                "there is no provider {provider}; there are {}, and config.providers declares more",
                known.join(", ")
            ));
        };
        match found {
            Provider::Environment { allowed } => {
                if allowed
                    .as_ref()
                    .is_some_and(|pattern| !pattern.is_match(key).unwrap_or(false))
                {
                    return Err("param.allowlist.pattern does not allow it".to_owned());
                }
                self.sources
                    .environment(key)
                    .ok_or_else(|| format!("the environment has no variable {key}"))
            }
            Provider::File { allowed } => {
                let path = allowed_path(path, allowed)?;
                let text = self
                    .sources
                    .file(&path)
                    .map_err(|error| format!("the file cannot be read: {error}"))?;
                property(&text, key)
            }
            Provider::Directory { allowed } => {
                if key.contains(['/', '\\']) || key == ".." {
                    return Err("the last part is the name of a file in the directory".to_owned());
                }
                let path = allowed_path(path, allowed)?.join(key);
                let text = self
                    .sources
                    .file(&path)
                    .map_err(|error| format!("the file cannot be read: {error}"))?;
                // Editors end a file with a line break; no secret does.
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
            }
        }
    }
}

fn property(text: &str, key: &str) -> Result<String, String> {
    let mut found = None;
    for property in crate::properties::read(text) {
        let property = property
            .map_err(|line| format!("line {line} of the file has a \\u without four digits"))?;
        if property.key == key {
            found = Some(property.value);
        }
    }
    found.ok_or_else(|| format!("the file has no key {key}"))
}

fn allowed_path(path: Option<&str>, allowed: &[PathBuf]) -> Result<PathBuf, String> {
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return Err("it needs a path: ${provider:path:key}".to_owned());
    };
    let path = PathBuf::from(path);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if allowed.is_empty() || (!climbs && allowed.iter().any(|start| path.starts_with(start))) {
        return Ok(path);
    }
    Err("param.allowed.paths does not allow it".to_owned())
}

fn provider(worker: &RawConfig, name: &str) -> Result<Provider, Box<ConfigProblem>> {
    let prefix = format!("config.providers.{name}.");
    let parameter = |key: &str| {
        worker
            .get(&format!("{prefix}param.{key}"))
            .map(|entry| entry.value.trim())
            .filter(|value| !value.is_empty())
    };
    let paths = || -> Vec<PathBuf> {
        parameter("allowed.paths")
            .map(|list| list.split(',').map(|path| path.trim().into()).collect())
            .unwrap_or_default()
    };
    let key = format!("{prefix}class");
    let entry = worker.get(&key);
    let class = entry.map_or("", |entry| entry.value.trim());
    let problem = |key: String, wrong: &str, remedy: &str| {
        Box::new(ConfigProblem {
            shown: worker.get(&key).map(|entry| entry.value.trim().to_owned()),
            origin: worker.get(&key).map(|entry| entry.origin.clone()),
            key,
            wrong: wrong.to_owned(),
            remedy: Some(remedy.to_owned()),
            did_you_mean: None,
        })
    };
    match class.rsplit('.').next().unwrap_or(class) {
        "FileConfigProvider" => Ok(Provider::File { allowed: paths() }),
        "DirectoryConfigProvider" => Ok(Provider::Directory { allowed: paths() }),
        "EnvVarConfigProvider" => {
            let allowed = match parameter("allowlist.pattern").map(Pattern::parse) {
                None => None,
                Some(Ok(pattern)) => Some(pattern),
                Some(Err(wrong)) => {
                    let key = format!("{prefix}param.allowlist.pattern");
                    let remedy = "write a regular expression over names of variables";
                    return Err(problem(key, &wrong.to_string(), remedy));
                }
            };
            Ok(Provider::Environment { allowed })
        }
        _ => Err(problem(
            key,
            "Tributary runs no Java plugins",
            "use FileConfigProvider, DirectoryConfigProvider or EnvVarConfigProvider of \
             org.apache.kafka.common.config.provider",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::Origin;

    struct Fixed;

    impl Sources for Fixed {
        fn environment(&self, name: &str) -> Option<String> {
            (name == "PASSWORD").then(|| "hunter2".to_owned())
        }

        fn file(&self, path: &Path) -> Result<String, String> {
            match path.to_str() {
                Some("/run/s.properties") => Ok("a\\ b=1\npassword=hun\\u0074er2\n".to_owned()),
                Some("/run/secrets/password") => Ok("hunter2\n".to_owned()),
                _ => Err("No such file or directory".to_owned()),
            }
        }
    }

    fn worker(lines: &[(&str, &str)]) -> RawConfig {
        let mut raw = RawConfig::new();
        for (key, value) in lines {
            raw.set(
                (*key).to_owned(),
                (*value).to_owned(),
                Origin::Flag("--set".into()),
            );
        }
        raw
    }

    #[test]
    fn variables_are_replaced_wherever_they_stand() {
        let variables = Variables::new(Arc::new(Fixed));
        for (text, expected) in [
            ("plain ${topic} $ {} ${", "plain ${topic} $ {} ${"),
            ("${env:PASSWORD}", "hunter2"),
            (
                "a${env:PASSWORD}b${topic}${file:/run/s.properties:password}",
                "ahunter2b${topic}hunter2",
            ),
            ("${file:/run/s.properties:a b}", "1"),
            ("${dir:/run/secrets:password}", "hunter2"),
        ] {
            let expanded = variables.expand(text).map(|expanded| expanded.text);
            assert_eq!(expanded.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_named() {
        let variables = Variables::new(Arc::new(Fixed));
        for (text, expected) in [
            (
                "x${env:NOBODY}",
                "the variable ${env:NOBODY} cannot be replaced: the environment has no variable NOBODY",
            ),
            (
                "${vault:a:b}",
                "there is no provider vault; there are dir, env, file",
            ),
            (
                "${file:/run/s.properties:other}",
                "the file has no key other",
            ),
            (
                "${file:/gone:other}",
                "the file cannot be read: No such file",
            ),
            ("${file:password}", "it needs a path"),
            (
                "${dir:/run/secrets:../password}",
                "the name of a file in the directory",
            ),
        ] {
            let problem = variables
                .expand(text)
                .map(|expanded| expanded.text)
                .expect_err(text);
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_worker_declares_providers_with_limits() {
        let class = "org.apache.kafka.common.config.provider.FileConfigProvider";
        let environment = "org.apache.kafka.common.config.provider.EnvVarConfigProvider";
        let raw = worker(&[
            ("config.providers", "s, e"),
            ("config.providers.s.class", class),
            ("config.providers.s.param.allowed.paths", "/run"),
            ("config.providers.e.class", environment),
            ("config.providers.e.param.allowlist.pattern", "T_.*"),
        ]);
        let variables = Variables::of_worker(Arc::new(Fixed), &raw).expect("two providers");
        let expand = |text| variables.expand(text).map(|expanded| expanded.text);
        assert_eq!(
            expand("${s:/run/s.properties:password}").as_deref(),
            Ok("hunter2")
        );
        for refused in [
            "${s:/etc/passwd:x}",
            "${s:/run/../etc/passwd:x}",
            "${e:PASSWORD}",
        ] {
            let problem = expand(refused).expect_err(refused);
            assert!(problem.contains("does not allow it"), "{problem}");
        }
        let other = worker(&[
            ("config.providers", "v"),
            ("config.providers.v.class", "com.example.VaultProvider"),
        ]);
        let problems = Variables::of_worker(Arc::new(Fixed), &other).expect_err("another class");
        assert!(
            problems[0].to_string().contains("use FileConfigProvider"),
            "{problems:?}"
        );
    }
}
