//! `tributary standalone`: links from files.

use super::{Exit, StandaloneArgs};

pub(super) async fn run(_args: StandaloneArgs) -> Exit {
    Exit::Error
}
