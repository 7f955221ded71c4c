//! The tools, how each is asked for its version, and how the answer is read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something the commands need that Cargo does not bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Kafka itself; 17 is the oldest that Kafka 4 brokers start with.
    Java,
    /// Resolves Kafka's jars by their coordinates.
    Maven,
    /// Fetches the demo's public data, and clients of the REST API.
    Npm,
    /// Runs clients of the REST API, in an environment of their own.
    Python,
    /// Asks the REST API, with and without TLS.
    Curl,
    /// Builds librdkafka, the judge.
    Make,
    CCompiler,
    /// librdkafka builds its C++ face too, and so do the fuzz targets.
    CppCompiler,
    /// The Kerberos realm of the tests: the center, its administration, a person's tools.
    KerberosCenter,
    KerberosAdministration,
    KerberosTools,
    /// Prometheus' tool: reads what is measured, and tests the alert rules.
    Promtool,
    /// Shells that complete what is typed.
    Zsh,
    Fish,
}

/// What asking a tool for its version gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no such program, or it cannot be started.
    Nothing,
    /// It ran and printed this, on both streams.
    Printed(String),
}

impl Tool {
    /// The lowest major version that will do; 0 where any will.
    pub(crate) fn least_major(self) -> u32 {
        match self {
            Self::Java => 17,
            Self::Maven => 3,
            Self::Npm => 7,
            Self::Python => 3,
            Self::Make
            | Self::CCompiler
            | Self::CppCompiler
            | Self::KerberosCenter
            | Self::KerberosAdministration
            | Self::KerberosTools
            | Self::Curl
            | Self::Promtool
            | Self::Zsh
            | Self::Fish => 0,
        }
    }

    /// Runs the tool for its version.
    pub(crate) fn probe(self) -> Found {
        if let Some(program) = self.daemon() {
            return look_for(program);
        }
        let (program, argument) = match self {
            Self::Java => (java(), "-version"),
            Self::Maven => ("mvn".into(), "--version"),
            Self::Npm => ("npm".into(), "--version"),
            // Debian's Python comes without what makes an environment.
            Self::Python => return python(),
            Self::Curl => ("curl".into(), "--version"),
            Self::Make => ("make".into(), "--version"),
            Self::CCompiler => ("cc".into(), "--version"),
            Self::CppCompiler => ("c++".into(), "--version"),
            Self::Promtool => ("promtool".into(), "--version"),
            Self::Zsh => ("zsh".into(), "--version"),
            Self::Fish => ("fish".into(), "--version"),
            Self::KerberosCenter | Self::KerberosAdministration | Self::KerberosTools => {
                return Found::Nothing;
            }
        };
        match Command::new(program).arg(argument).output() {
            // `java -version` speaks on standard error, the others on standard output, npm warns on standard error.
            Ok(output) if output.status.success() => {
                let streams = if self == Self::Java {
                    output.stderr
                } else {
                    output.stdout
                };
                Found::Printed(String::from_utf8_lossy(&streams).into_owned())
            }
            Ok(_) | Err(_) => Found::Nothing,
        }
    }

    /// A program that is not asked for its version, because it would rather begin its work.
    fn daemon(self) -> Option<&'static str> {
        match self {
            Self::KerberosCenter => Some("krb5kdc"),
            Self::KerberosAdministration => Some("kadmin.local"),
            Self::KerberosTools => Some("kinit"),
            _ => None,
        }
    }

    /// Finds the version in what the tool printed: the first word that begins with a digit, quotes aside. Java before
    /// 9 counted `1.8`, which is 8.
    pub(crate) fn version(self, printed: &str) -> Option<(u32, String)> {
        let word = printed
            .split_whitespace()
            .map(|word| word.trim_matches('"'))
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut numbers = word
            .split(|c: char| !c.is_ascii_digit())
            .map(str::parse::<u32>);
        let first = numbers.next()?.ok()?;
        let major = match (self, first) {
            (Self::Java, 1) => numbers.next()?.ok()?,
            _ => first,
        };
        // Maven prints escape codes for bold right behind its version.
        let plain = |c: &char| c.is_ascii_alphanumeric() || "._-+".contains(*c);
        Some((major, word.chars().take_while(plain).collect()))
    }
}

/// Python, if it can make an environment with an installer in it.
fn python() -> Found {
    let asked = Command::new("python3")
        .args([
            "-c",
            "import venv, ensurepip, platform; print(platform.python_version())",
        ])
        .output();
    match asked {
        Ok(output) if output.status.success() => {
            Found::Printed(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(_) | Err(_) => Found::Nothing,
    }
}

/// Looks where the tests look.
fn look_for(program: &str) -> Found {
    let places = test_support::kdc::PLACES.iter();
    match places
        .map(|place| Path::new(place).join(program))
        .find(|path| path.is_file())
    {
        Some(path) => Found::Printed(path.display().to_string()),
        None => Found::Nothing,
    }
}

/// The `java` that brokers will be started with: the one of `JAVA_HOME` where it is set and there, else that on `PATH`.
#[expect(
    clippy::disallowed_methods,
    reason = "a developer command looks for tools where the developer's environment says they are"
)]
fn java() -> PathBuf {
    std::env::var_os("JAVA_HOME")
        .map(|home| PathBuf::from(home).join("bin").join("java"))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| "java".into())
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Java => "JDK",
            Self::Maven => "Maven",
            Self::Npm => "npm (Node.js)",
            Self::Python => "Python (python3, with venv)",
            Self::Curl => "curl",
            Self::Make => "make",
            Self::CCompiler => "C compiler (cc)",
            Self::CppCompiler => "C++ compiler (c++)",
            Self::KerberosCenter => "Kerberos key distribution center (krb5kdc)",
            Self::KerberosAdministration => "Kerberos administration (kadmin.local)",
            Self::KerberosTools => "Kerberos tools (kinit)",
            Self::Promtool => "Prometheus (promtool)",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        })
    }
}
