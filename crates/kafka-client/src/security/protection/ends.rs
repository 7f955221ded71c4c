//! Until when what connections are made with is good.

use std::time::SystemTime;

use super::Protection;
use crate::security::token::Token;

impl Protection {
    /// When the own certificate and the token end, as far as there are some and they do.
    pub(crate) fn ends(&self) -> (Option<SystemTime>, Option<SystemTime>) {
        let state = self.state();
        let loaded = state.loaded.as_ref();
        let token = loaded.and_then(|loaded| loaded.token.as_ref());
        let token = token.or(state.token.as_ref());
        let certificate = loaded.and_then(|loaded| loaded.certificate);
        (certificate, token.and_then(Token::expires))
    }
}
