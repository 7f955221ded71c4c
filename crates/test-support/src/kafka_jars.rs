//! The jars of Apache Kafka, resolved once by Maven and kept in Cargo's build directory.
//!
//! `<build directory>/kafka/<version>/` holds everything one version needs to run; versions are never mixed. The
//! directory appears by a rename, so it is either complete or absent, and a locked file lets one process at a time
//! fetch. It carries a copy of the `pom.xml` it was made from and is made anew when that changes.
//!
//! Nothing of Kafka is committed or shipped.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use crate::environment;

const POM: &str = include_str!("../pom.xml");
const POM_COPY: &str = "pom.xml";
/// The `-q` of Maven still prints what went wrong; more than this is its stack traces.
const TAIL_LINES: usize = 15;

/// A version of Apache Kafka that the tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KafkaVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl KafkaVersion {
    /// The last release with ZooKeeper-era request versions; clusters run KRaft all the same.
    pub const V3_9_1: Self = Self {
        major: 3,
        minor: 9,
        patch: 1,
    };
    /// A release whose Connect workers are compared with ours; nothing else of it runs.
    pub const V4_2_0: Self = Self {
        major: 4,
        minor: 2,
        patch: 0,
    };
    /// The newest release whose tools and Connect jars are published; the default.
    pub const V4_3_1: Self = Self {
        major: 4,
        minor: 3,
        patch: 1,
    };
    /// The newest broker. Its tools and Connect jars are not published.
    pub const V4_4_0: Self = Self {
        major: 4,
        minor: 4,
        patch: 0,
    };
    /// Every version the tests run, oldest first.
    pub const ALL: [Self; 4] = [Self::V3_9_1, Self::V4_2_0, Self::V4_3_1, Self::V4_4_0];
    /// Those whose brokers they run.
    pub const BROKERS: [Self; 3] = [Self::V3_9_1, Self::V4_3_1, Self::V4_4_0];

    /// Whether `kafka-tools`, `connect-runtime` and `connect-mirror` exist for this version.
    #[must_use]
    pub fn has_tools(self) -> bool {
        self != Self::V4_4_0
    }

    /// The version whose tools to use with brokers of this one.
    #[must_use]
    pub fn tools(self) -> Self {
        if self.has_tools() { self } else { Self::V4_3_1 }
    }
}

impl Default for KafkaVersion {
    fn default() -> Self {
        Self::V4_3_1
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for KafkaVersion {
    type Err = JarError;

    fn from_str(text: &str) -> Result<Self, JarError> {
        Self::ALL
            .into_iter()
            .find(|version| version.to_string() == text)
            .ok_or_else(|| JarError::UnknownVersion {
                given: text.to_owned(),
            })
    }
}

/// The jars could not be provided.
#[derive(Debug, thiserror::Error)]
pub enum JarError {
    /// A version nobody prepared.
    #[error("unknown Kafka version \"{given}\"; known are 3.9.1, 4.2.0, 4.3.1 and 4.4.0")]
    UnknownVersion {
        /// What was asked for.
        given: String,
    },
    /// There is no workspace above the current directory.
    #[error("found no Cargo workspace above the current directory; run this inside the checkout")]
    NoWorkspace,
    /// A program is missing.
    #[error("{program} is not on PATH{hint}; on Debian or Ubuntu: apt-get install {package}", hint = if *.program == "java" { " and JAVA_HOME is not set" } else { "" })]
    Missing {
        /// What to run.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// Maven could not resolve the jars.
    #[error(
        "Maven could not resolve the jars of Kafka {version} ({status}); it needs its repository or a filled cache. It said:\n{tail}"
    )]
    Maven {
        /// Of which version.
        version: KafkaVersion,
        /// How it ended.
        status: String,
        /// Its last lines.
        tail: String,
    },
    /// The file system refused something.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// With which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The jars of one version, ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaJars {
    version: KafkaVersion,
    directory: PathBuf,
    java: PathBuf,
}

impl KafkaJars {
    /// Which version it is.
    #[must_use]
    pub fn version(&self) -> KafkaVersion {
        self.version
    }

    /// The directory that holds all jars of the version and nothing of another.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The class path for `java -cp`, with the wildcard that Java itself expands.
    #[must_use]
    pub fn classpath(&self) -> String {
        format!("{}/*", self.directory.display())
    }

    /// The `java` program to run them with.
    #[must_use]
    pub fn java(&self) -> &Path {
        &self.java
    }
}

/// Provides the jars of a version; does nothing when they are there. Blocks, for a minute on the very first use.
///
/// # Errors
/// When Java or Maven is missing, or Maven cannot resolve the jars; the error carries Maven's last lines.
pub fn fetch(version: KafkaVersion) -> Result<KafkaJars, JarError> {
    let java = environment::java().ok_or(JarError::Missing {
        program: "java",
        package: "openjdk-17-jdk-headless",
    })?;
    let parent = environment::build_directory()
        .ok_or(JarError::NoWorkspace)?
        .join("kafka");
    let directory = parent.join(version.to_string());
    let jars = KafkaJars {
        version,
        directory,
        java,
    };
    if is_current(&jars.directory) {
        return Ok(jars);
    }
    create_directory(&parent)?;
    let lock_path = parent.join(format!("{version}.lock"));
    let lock = File::create(&lock_path).map_err(file_error("create", &lock_path))?;
    lock.lock().map_err(file_error("lock", &lock_path))?;
    // Another process may have fetched while this one waited.
    if !is_current(&jars.directory) {
        resolve(version, &parent, &jars.directory)?;
    }
    Ok(jars)
}

fn is_current(directory: &Path) -> bool {
    std::fs::read_to_string(directory.join(POM_COPY)).is_ok_and(|pom| pom == POM)
}

/// Fetches into a new directory beside the final one and puts it in place.
fn resolve(version: KafkaVersion, parent: &Path, directory: &Path) -> Result<(), JarError> {
    let maven = environment::program("mvn").ok_or(JarError::Missing {
        program: "mvn",
        package: "maven",
    })?;
    let fresh = tempfile::Builder::new()
        .prefix(&format!("{version}-"))
        .tempdir_in(parent)
        .map_err(file_error("create a directory in", parent))?;
    let pom = fresh.path().join(POM_COPY);
    std::fs::write(&pom, POM).map_err(file_error("write", &pom))?;
    let output = Command::new(&maven)
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(&pom)
        .args([
            "--activate-profiles",
            if version.has_tools() {
                "complete"
            } else {
                "broker"
            },
        ])
        .arg(format!("-Dkafka.version={version}"))
        .arg(format!("-DoutputDirectory={}", fresh.path().display()))
        .arg("dependency:copy-dependencies")
        .stdin(Stdio::null())
        .output()
        .map_err(file_error("run", &maven))?;
    if !output.status.success() {
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        return Err(JarError::Maven {
            version,
            status: output.status.to_string(),
            tail: tail(&text),
        });
    }
    if directory.exists() {
        std::fs::remove_dir_all(directory).map_err(file_error("remove", directory))?;
    }
    std::fs::rename(fresh.keep(), directory).map_err(file_error("put in place", directory))
}

fn create_directory(path: &Path) -> Result<(), JarError> {
    std::fs::create_dir_all(path).map_err(file_error("create", path))
}

fn file_error(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JarError {
    let path = path.to_path_buf();
    move |source| JarError::File { what, path, source }
}

/// The last lines that say something.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_back_as_they_are_printed() {
        for version in KafkaVersion::ALL {
            assert_eq!(
                version.to_string().parse::<KafkaVersion>().expect("known"),
                version
            );
        }
        assert!("4.3".parse::<KafkaVersion>().is_err());
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let error = JarError::Missing {
            program: "java",
            package: "openjdk-17-jdk-headless",
        }
        .to_string();
        assert!(
            error.contains("JAVA_HOME") && error.contains("apt-get install openjdk-17"),
            "{error}"
        );
    }

    #[test]
    fn mavens_last_lines_are_kept_and_the_rest_is_not() {
        let text: String = (0..100).map(|line| format!("line {line}\n\n")).collect();
        let tail = tail(&text);
        assert!(
            tail.starts_with("line 85") && tail.ends_with("line 99"),
            "{tail}"
        );
    }
}
