//! A Kerberos realm of its own on free loopback ports: MIT's `krb5kdc` with its tools, as Debian's packages `krb5-kdc`,
//! `krb5-admin-server` (for `kadmin.local`) and `krb5-user` (for `kinit`) bring them.
//!
//! Everything is in one directory: database, settings, logs. The system's own `/etc/krb5.conf` is never read, because
//! every process gets `KRB5_CONFIG`. Invariant: the center ends with its value, as every managed process does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::eventually::{NotInTime, eventually};
use crate::managed_process::{ManagedProcess, Output, ProcessError, ProcessSpec};
use crate::ports::{PortError, PortLease};

/// The name of the realm.
pub const REALM: &str = "TRIBUTARY.TEST";
const LIMIT: Duration = Duration::from_secs(20);

/// A realm could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KdcError {
    /// A program is missing.
    #[error(
        "there is no {program}; `cargo xtask test` installs it on Debian (apt-get install krb5-kdc krb5-admin-server \
         krb5-user)"
    )]
    Missing {
        /// Its name.
        program: String,
    },
    /// A tool did not do what it was asked.
    #[error("{program} failed ({status}):\n{output}")]
    Tool {
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
    /// Files or processes.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// No port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The center did not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It does not answer.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
}

/// A realm with its key distribution center.
#[derive(Debug)]
pub struct Kdc {
    directory: tempfile::TempDir,
    port: PortLease,
    process: Mutex<Option<ManagedProcess>>,
}

impl Kdc {
    /// Makes a realm and starts its center.
    ///
    /// # Errors
    /// No programs, or the center does not start.
    pub async fn start() -> Result<Self, KdcError> {
        let this = Self {
            directory: tempfile::tempdir()?,
            port: PortLease::new()?,
            process: Mutex::default(),
        };
        let (port, at) = (this.port.port(), this.directory.path().display());
        std::fs::write(
            this.configuration(),
            format!(
                "[libdefaults]\n default_realm = {REALM}\n dns_lookup_realm = false\n dns_lookup_kdc = false\n \
                 dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n\
                 [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
            ),
        )?;
        std::fs::write(
            this.path("kdc.conf"),
            format!(
                "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n\
                 [realms]\n {REALM} = {{\n  database_name = {at}/principal\n  key_stash_file = {at}/stash\n  \
                 acl_file = {at}/acl\n  max_life = 12h\n }}\n[logging]\n kdc = FILE:{at}/kdc.log\n"
            ),
        )?;
        this.run("kdb5_util", &["create", "-s", "-P", "master", "-r", REALM])?;
        this.resume().await?;
        Ok(this)
    }

    /// The `krb5.conf` that everybody who uses the realm has to be told of.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.path("krb5.conf")
    }

    /// A file of the realm.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a principal with tickets that live so long, and puts its key into a new file.
    ///
    /// # Errors
    /// The tool's.
    pub fn key_table(&self, principal: &str, life: &str, file: &str) -> Result<PathBuf, KdcError> {
        let add = format!("addprinc -randkey -maxlife \"{life}\" {principal}");
        self.run("kadmin.local", &["-r", REALM, "-q", &add])?;
        self.export(principal, file)
    }

    /// Gives a principal a new key, and puts it into a file; older files are of no use any more.
    ///
    /// # Errors
    /// The tool's.
    pub fn export(&self, principal: &str, file: &str) -> Result<PathBuf, KdcError> {
        let path = self.path(file);
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        let export = format!("ktadd -k {} {principal}", path.display());
        self.run("kadmin.local", &["-r", REALM, "-q", &export])?;
        Ok(path)
    }

    /// Gets tickets with a key table and puts them into a file, as `kinit` does for people.
    ///
    /// # Errors
    /// The tool's.
    pub fn tickets(
        &self,
        principal: &str,
        key_table: &Path,
        file: &str,
    ) -> Result<PathBuf, KdcError> {
        let (path, table) = (self.path(file), key_table.display().to_string());
        let cache = path.display().to_string();
        self.run("kinit", &["-k", "-t", &table, "-c", &cache, principal])?;
        Ok(path)
    }

    /// Ends the center; its port stays ours.
    pub fn end(&self) {
        self.process
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Starts the center.
    ///
    /// # Errors
    /// It does not start.
    pub async fn resume(&self) -> Result<(), KdcError> {
        let mut spec = ProcessSpec::new("krb5kdc", program("krb5kdc")?)
            .arguments(["-n", "-r", REALM])
            .output(Output::File(self.path("krb5kdc.out")));
        spec.environment = self.environment();
        let process = ManagedProcess::start(spec)?;
        let address = self.port.address();
        eventually("the key distribution center", LIMIT, async || {
            tokio::net::TcpStream::connect(address).await.map(drop)
        })
        .await?;
        let mut held = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(process);
        Ok(())
    }

    fn environment(&self) -> Vec<(String, OsString)> {
        vec![
            ("KRB5_CONFIG".to_owned(), self.configuration().into()),
            ("KRB5_KDC_PROFILE".to_owned(), self.path("kdc.conf").into()),
        ]
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Result<(), KdcError> {
        let output = Command::new(program(name)?)
            .args(arguments)
            .envs(self.environment())
            .stdin(std::process::Stdio::null())
            .output()?;
        let printed = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        // `kadmin.local -q` says what went wrong and ends well.
        let failed = !output.status.success() || printed.contains("while ");
        if failed {
            return Err(KdcError::Tool {
                program: format!("{name} {}", arguments.join(" ")),
                status: output.status,
                output: printed,
            });
        }
        Ok(())
    }
}

/// Where the programs are looked for: Debian keeps those of servers where only root's path leads.
pub const PLACES: &[&str] = &[
    "/usr/sbin",
    "/usr/bin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/opt/homebrew/opt/krb5/sbin",
    "/opt/homebrew/opt/krb5/bin",
];

fn program(name: &str) -> Result<PathBuf, KdcError> {
    PLACES
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| KdcError::Missing {
            program: name.to_owned(),
        })
}
