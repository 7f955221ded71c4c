//! The option of Java that concerns a library: `-Djava.security.krb5.conf=` in `KAFKA_OPTS`.
//!
//! The system's Kerberos library learns the place of its settings from `KRB5_CONFIG` alone. A process cannot safely change
//! its environment once it has threads, so the program is begun anew in its own place, once, before it does anything.

use std::ffi::OsString;

/// What the library reads.
const LIBRARY: &str = "KRB5_CONFIG";

/// Returns where nothing has to be done, or the program could not be begun anew.
///
/// # Errors
/// Why it could not.
#[expect(
    clippy::disallowed_methods,
    reason = "the program's own environment is handed on to itself"
)]
pub(crate) fn hand_over() -> Result<(), String> {
    if std::env::var_os(LIBRARY).is_some() {
        return Ok(());
    }
    let Some(file) = std::env::var("KAFKA_OPTS")
        .ok()
        .as_deref()
        .and_then(kerberos_file)
        .map(OsString::from)
    else {
        return Ok(());
    };
    anew(&file).map_err(|error| {
        format!("KAFKA_OPTS names Kerberos settings that cannot be used ({error}); set {LIBRARY} to the file instead")
    })
}

#[cfg(unix)]
fn anew(file: &std::ffi::OsStr) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let mut arguments = std::env::args_os();
    let mut program = std::process::Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        // Other products' programs are known by their names.
        program.arg0(name);
    }
    Err(program.args(arguments).env(LIBRARY, file).exec())
}

#[cfg(not(unix))]
fn anew(_: &std::ffi::OsStr) -> std::io::Result<()> {
    Err(std::io::Error::other("not on this system"))
}

/// The last one holds, as in Java.
fn kerberos_file(java_options: &str) -> Option<&str> {
    let options = java_options.split_whitespace();
    let mut files = options.filter_map(|option| option.strip_prefix("-Djava.security.krb5.conf="));
    files.next_back().filter(|file| !file.is_empty())
}

#[cfg(test)]
mod tests {
    use super::kerberos_file;

    #[test]
    fn the_last_file_among_the_options_of_java_holds() {
        let name = "-Djava.security.krb5.conf";
        for (options, expected) in [
            (format!("-Xmx1g {name}=/a -Dx=y"), Some("/a")),
            (format!("{name}=/a {name}=/b"), Some("/b")),
            (format!("{name}="), None),
            (String::new(), None),
        ] {
            assert_eq!(kerberos_file(&options), expected, "{options}");
        }
    }
}
