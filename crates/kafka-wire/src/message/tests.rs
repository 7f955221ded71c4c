//! Every message in every version against `kafka-protocol`, and against hostile bytes.

pub(super) mod compare;

mod acls;
mod cluster;
mod connect;
mod golden;
mod groups;
mod header;
mod hostile;
mod inspection;
mod logs;
mod members;
mod sasl;
mod topics;
mod transactions;
