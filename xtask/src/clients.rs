//! `cargo xtask clients`: clients of Connect's REST API that other people wrote, for the tests that drive a worker with
//! them. pip and npm install them under Cargo's build directory; nothing of them is part of this repository.

use test_support::client_libraries::{self, Libraries};
use tokio::time::Instant;

use crate::failure::{Attempt as _, Result};
use crate::{output, setup};

/// Looks for the installers, and installs what is not there.
pub(crate) fn run() -> Result<()> {
    output::heading("set-up");
    setup::ensure(setup::FOR_CLIENTS)?;
    fetch()
}

/// Provides all sets and says where they are.
pub(crate) fn fetch() -> Result<()> {
    for libraries in Libraries::ALL {
        let began = Instant::now();
        let name = libraries.name();
        let directory = client_libraries::fetch(libraries)
            .attempting(format!("install the clients for {name}"))?;
        let took = output::spoken(began.elapsed());
        output::line(format!("   {name}: {} ({took})", directory.display()));
    }
    Ok(())
}
