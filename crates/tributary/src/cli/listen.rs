//! The address of an option such as `--listen`.

use config::rest::Listener;

/// An address, or none.
#[derive(Clone, Debug)]
pub(super) struct Listen(pub(super) Option<Listener>);

/// Reads `host:port`, or `off`.
pub(super) fn parse(text: &str) -> Result<Listen, String> {
    if text == "off" {
        return Ok(Listen(None));
    }
    let wrong = || "write HOST:PORT, for example 127.0.0.1:8083, or off".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(Listen(Some(Listener {
        https: false,
        host: (!host.is_empty()).then(|| host.to_owned()),
        port: port.parse().map_err(|_| wrong())?,
    })))
}
