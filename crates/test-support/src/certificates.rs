//! Certificates for tests: authorities, certificates of any names and dates, and stores in every form that Java's users
//! have. JKS and PKCS12 stores are made by the JDK's own keytool, because that is who makes them in real life.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::environment;

/// Password of stores, unless a test says otherwise.
pub const STORE_PASSWORD: &str = "store-secret-4711";

/// Certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// By rcgen.
    #[error("a certificate cannot be made: {0}")]
    Made(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("{path} cannot be written: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// keytool did not do what it was asked.
    #[error("keytool failed:\n{0}")]
    Keytool(String),
}

/// Who issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate with its key, as PEM texts.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key, in PKCS#8 form.
    pub key: String,
}

/// Form of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreForm {
    /// Java's own.
    Jks,
    /// The standard.
    Pkcs12,
}

impl StoreForm {
    fn name(self) -> &'static str {
        match self {
            Self::Jks => "JKS",
            Self::Pkcs12 => "PKCS12",
        }
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// `Made`.
    pub fn new(name: &str) -> Result<Self, CertificateError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self {
            issuer,
            certificate,
        })
    }

    /// Its certificate as PEM text.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for servers and clients: `name` is its subject, `hosts` are names and addresses.
    ///
    /// # Errors
    /// `Made`.
    pub fn issue(&self, name: &str, hosts: &[&str]) -> Result<Issued, CertificateError> {
        self.issue_until(name, hosts, None)
    }

    /// As [`Authority::issue`], with a year in which it ends.
    ///
    /// # Errors
    /// `Made`.
    pub fn issue_until(
        &self,
        name: &str,
        hosts: &[&str],
        year: Option<i32>,
    ) -> Result<Issued, CertificateError> {
        self.issue_with(name, hosts, |params| {
            if let Some(year) = year {
                params.not_before = date_time_ymd(year - 1, 1, 1);
                params.not_after = date_time_ymd(year, 1, 1);
            }
        })
    }

    /// As [`Authority::issue`], good from now on for so long.
    ///
    /// # Errors
    /// `Made`.
    pub fn issue_for(
        &self,
        name: &str,
        hosts: &[&str],
        time: Duration,
    ) -> Result<Issued, CertificateError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = date_time_ymd(1970, 1, 1) + since.unwrap_or_default();
        self.issue_with(name, hosts, |params| {
            // Clocks differ.
            params.not_before = now - Duration::from_secs(60);
            params.not_after = now + time;
        })
    }

    fn issue_with(
        &self,
        name: &str,
        hosts: &[&str],
        validity: impl FnOnce(&mut CertificateParams),
    ) -> Result<Issued, CertificateError> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        validity(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued {
            certificate,
            key: key.serialize_pem(),
        })
    }

    /// A trust store with this authority's certificate.
    ///
    /// # Errors
    /// `File`, `Keytool`.
    pub fn trust_store(&self, path: &Path, form: StoreForm) -> Result<(), CertificateError> {
        let certificate = path.with_extension("ca.pem");
        write(&certificate, &self.certificate)?;
        keytool(&[
            "-importcert",
            "-noprompt",
            "-alias",
            "ca",
            "-file",
            &certificate.display().to_string(),
            "-keystore",
            &path.display().to_string(),
            "-storetype",
            form.name(),
            "-storepass",
            STORE_PASSWORD,
        ])
    }
}

impl Issued {
    /// Key and certificate in one text, as `ssl.keystore.type=PEM` wants it.
    #[must_use]
    pub fn pem(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }
}

/// A key store with a key that keytool makes, and a certificate for it that signs itself. The certificate is given
/// back as PEM text, to be trusted.
///
/// # Errors
/// `File`, `Keytool`.
pub fn key_store(
    path: &Path,
    form: StoreForm,
    name: &str,
    key_password: &str,
) -> Result<String, CertificateError> {
    let store = path.display().to_string();
    let subject = format!("CN={name}");
    let mut arguments = vec![
        "-genkeypair",
        "-alias",
        "key",
        "-keyalg",
        "RSA",
        "-keysize",
        "2048",
    ];
    arguments.extend(["-dname", &subject, "-validity", "30", "-keystore", &store]);
    arguments.extend(["-storetype", form.name(), "-storepass", STORE_PASSWORD]);
    arguments.extend(["-keypass", key_password]);
    keytool(&arguments)?;
    let exported = path.with_extension("export.pem");
    let file = exported.display().to_string();
    let mut arguments = vec!["-exportcert", "-rfc", "-alias", "key", "-file", &file];
    arguments.extend(["-keystore", &store, "-storepass", STORE_PASSWORD]);
    keytool(&arguments)?;
    std::fs::read_to_string(&exported).map_err(|source| CertificateError::File {
        path: exported,
        source,
    })
}

/// Writes a file whole: it is renamed into its place, so that whoever looks for changes never finds it half written.
///
/// # Errors
/// `File`.
pub fn write(path: &Path, text: &str) -> Result<(), CertificateError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|source| CertificateError::File {
        path: path.to_owned(),
        source,
    })
}

fn keytool(arguments: &[&str]) -> Result<(), CertificateError> {
    let beside = environment::java().map(|java| java.with_file_name("keytool"));
    let program = beside
        .filter(|path| path.exists())
        .unwrap_or_else(|| "keytool".into());
    let output = Command::new(program)
        .arg("-J-XX:TieredStopAtLevel=1")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| CertificateError::Keytool(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(CertificateError::Keytool(
        String::from_utf8_lossy(&text).into_owned(),
    ))
}
