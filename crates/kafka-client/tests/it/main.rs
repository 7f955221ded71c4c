//! The client against scripted peers: what brokers seldom do, and what only a broken or hostile one does.
//!
//! Every exchange has a limit; nothing here waits for a time to pass, except where a limit is the promise.

mod aws;
mod hostile;
mod mutated;
mod peer;
mod produce;
mod reaching;
mod secure;
mod session;
mod topic_log;
