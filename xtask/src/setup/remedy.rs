//! What is missing and what to do about it; pure.

use std::fmt;

use super::{Found, Tool};

/// The machine, as far as installing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    /// Debian or a relative of it, and we may install.
    DebianRoot,
    Debian,
    Fedora,
    MacOs,
    Other,
}

/// A tool that is not there, or too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shortfall {
    tool: Tool,
    /// The version that was found and is too old.
    too_old: Option<String>,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.tool.least_major();
        match (&self.too_old, least) {
            (Some(version), _) => {
                write!(f, "{} {least} or newer (found {version})", self.tool)
            }
            (None, 0) => write!(f, "{}", self.tool),
            (None, _) => write!(f, "{} {least} or newer", self.tool),
        }
    }
}

/// The version found, or what is wanting.
pub(super) fn assess(tool: Tool, found: &Found) -> Result<String, Shortfall> {
    let Found::Printed(printed) = found else {
        return Err(Shortfall {
            tool,
            too_old: None,
        });
    };
    match tool.version(printed) {
        Some((major, version)) if major >= tool.least_major() => Ok(version),
        Some((_, version)) => Err(Shortfall {
            tool,
            too_old: Some(version),
        }),
        // Compilers print their version in many ways; that they run is enough.
        None if tool.least_major() == 0 => Ok(String::from("(version not stated)")),
        None => Err(Shortfall {
            tool,
            too_old: Some(String::from("an unreadable version")),
        }),
    }
}

/// The Debian packages that bring what is missing.
pub(super) fn debian_packages(missing: &[Shortfall]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for shortfall in missing {
        let wanted: &[&str] = match shortfall.tool {
            Tool::Java => &["default-jdk-headless"],
            Tool::Maven => &["maven"],
            Tool::Npm => &["nodejs", "npm"],
            Tool::Python => &["python3", "python3-venv"],
            Tool::Curl => &["curl"],
            Tool::Make => &["make"],
            Tool::CCompiler => &["gcc", "libc6-dev"],
            Tool::CppCompiler => &["g++"],
            Tool::KerberosCenter => &["krb5-kdc"],
            Tool::KerberosAdministration => &["krb5-admin-server"],
            Tool::KerberosTools => &["krb5-user"],
            Tool::Promtool => &["prometheus"],
            Tool::Zsh => &["zsh"],
            Tool::Fish => &["fish"],
        };
        packages.extend_from_slice(wanted);
    }
    packages
}

/// Further packages to try where the first ones left a tool too old.
pub(super) fn debian_fallback(missing: &[Shortfall]) -> Vec<&'static str> {
    let java = missing.iter().any(|shortfall| shortfall.tool == Tool::Java);
    if java {
        vec!["openjdk-17-jdk-headless"]
    } else {
        Vec::new()
    }
}

/// What to type where we do not install ourselves, or where installing did not help.
pub(super) fn instructions(host: Host, missing: &[Shortfall]) -> String {
    let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let wanted = list.join(", ");
    let has = |tool| missing.iter().any(|shortfall| shortfall.tool == tool);
    let compilers = has(Tool::Make) || has(Tool::CCompiler) || has(Tool::CppCompiler);
    let kerberos =
        has(Tool::KerberosCenter) || has(Tool::KerberosAdministration) || has(Tool::KerberosTools);
    let pick = |[java, npm, compiler, realm, prometheus]: [&'static str; 5]| {
        let mut packages = Vec::new();
        if has(Tool::Java) {
            packages.push(java);
        }
        if has(Tool::Maven) {
            packages.push("maven");
        }
        if has(Tool::Npm) {
            packages.push(npm);
        }
        if has(Tool::Python) {
            packages.push("python3");
        }
        if has(Tool::Curl) {
            packages.push("curl");
        }
        if compilers && !compiler.is_empty() {
            packages.push(compiler);
        }
        if kerberos {
            packages.push(realm);
        }
        if has(Tool::Promtool) {
            packages.push(prometheus);
        }
        if has(Tool::Zsh) {
            packages.push("zsh");
        }
        if has(Tool::Fish) {
            packages.push("fish");
        }
        packages.join(" ")
    };
    let debian = debian_packages(missing).join(" ");
    let commands = match host {
        Host::Debian => format!("sudo apt-get update\nsudo apt-get install --yes {debian}"),
        Host::DebianRoot => {
            return format!(
                "still missing after apt-get: {wanted}. `java -version` and `mvn --version` must \
                 show the new versions; `update-alternatives --config java` chooses between JDKs"
            );
        }
        Host::Fedora => {
            format!(
                "sudo dnf install {}",
                pick([
                    "java-21-openjdk-devel",
                    "nodejs-npm",
                    "make gcc-c++",
                    "krb5-server krb5-workstation",
                    "golang-github-prometheus"
                ])
            )
        }
        Host::MacOs => {
            let brew = format!(
                "brew install {}",
                pick(["openjdk@21", "node", "", "krb5", "prometheus"])
            );
            if compilers {
                format!("xcode-select --install\n{brew}")
            } else {
                brew
            }
        }
        Host::Other => String::from("install them with your system's package manager"),
    };
    format!("this needs {wanted}. Nothing was changed. Please run:\n\n{commands}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Found {
        Found::Printed(text.to_owned())
    }

    #[test]
    fn java_versions_are_read_as_java_prints_them() {
        let debian = "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment";
        assert_eq!(
            assess(Tool::Java, &printed(debian)),
            Ok("17.0.15".to_owned())
        );
        assert_eq!(
            assess(Tool::Java, &printed("java version \"21\" 2023-09-19")),
            Ok("21".into())
        );
        let old = Shortfall {
            tool: Tool::Java,
            too_old: Some("1.8.0_372".to_owned()),
        };
        assert_eq!(
            assess(Tool::Java, &printed("openjdk version \"1.8.0_372\"")),
            Err(old)
        );
    }

    #[test]
    fn maven_and_compilers_are_read_too() {
        let maven = "\u{1b}[1mApache Maven 3.8.7\u{1b}[m\nMaven home: /usr/share/maven";
        assert_eq!(assess(Tool::Maven, &printed(maven)), Ok("3.8.7".to_owned()));
        let cc = "cc (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022";
        assert!(assess(Tool::CCompiler, &printed(cc)).is_ok());
    }

    #[test]
    fn a_missing_tool_is_named_with_the_version_that_will_do() {
        let missing = assess(Tool::Java, &Found::Nothing).expect_err("it is not there");
        assert_eq!(missing.to_string(), "JDK 17 or newer");
        let text = instructions(Host::Debian, &[missing]);
        assert!(
            text.contains("sudo apt-get install --yes default-jdk-headless"),
            "{text}"
        );
    }

    #[test]
    fn the_kerberos_realm_of_the_tests_has_packages_of_its_own() {
        let missing = [
            Tool::KerberosCenter,
            Tool::KerberosAdministration,
            Tool::KerberosTools,
        ]
        .map(|tool| assess(tool, &Found::Nothing).expect_err("it is not there"));
        assert_eq!(
            debian_packages(&missing),
            ["krb5-kdc", "krb5-admin-server", "krb5-user"]
        );
        let text = instructions(Host::Fedora, &missing);
        assert!(
            text.contains("dnf install krb5-server krb5-workstation"),
            "{text}"
        );
        assert!(assess(Tool::KerberosCenter, &printed("/usr/sbin/krb5kdc")).is_ok());
    }

    #[test]
    fn other_systems_get_their_own_command() {
        let missing: Vec<Shortfall> = [Tool::Java, Tool::Maven, Tool::Npm, Tool::CppCompiler]
            .map(|tool| Shortfall {
                tool,
                too_old: None,
            })
            .to_vec();
        let mac = instructions(Host::MacOs, &missing);
        assert!(
            mac.contains("xcode-select --install\nbrew install openjdk@21 maven node"),
            "{mac}"
        );
        let fedora = instructions(Host::Fedora, &missing);
        assert!(fedora.contains("dnf install java-21-openjdk-devel maven nodejs-npm make gcc-c++"));
    }
}
