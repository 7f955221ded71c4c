//! What requests about a transaction have in common.

use crate::types::ProducerIdentity;

use super::writer::Writer;
use super::{EncodeError, EncodeProblem, Request, VersionRange};

/// Whose transaction a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The transactional id.
    pub transactional_id: String,
    /// The identity that InitProducerId, or the end of the last transaction, gave for it. With an
    /// older one the coordinator answers PRODUCER_FENCED or, in versions that do not know that,
    /// INVALID_PRODUCER_EPOCH.
    pub producer: ProducerIdentity,
}

impl Transaction {
    /// Writes transactional id, producer id and epoch.
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.string("transactional id", &self.transactional_id)?;
        write_producer(self.producer, writer);
        Ok(())
    }
}

pub(super) fn write_producer(producer: ProducerIdentity, writer: &mut Writer<'_>) {
    writer.i64(producer.id);
    writer.i16(producer.epoch);
}

/// How a producer and its coordinator deal with transactions: the cluster's feature
/// `transaction.version`, as ApiVersions names it (KIP-890). Chosen when a transaction begins, and
/// kept until it ends: the version of a request tells the coordinator which one is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionVersion {
    /// Features 0 and 1, and brokers before 4.0: partitions and groups are announced before anything
    /// is sent to them, and the identity stays the same. Batches go with Produce 11 at most.
    Announced,
    /// Feature 2: nothing is announced, the brokers do that for Produce 12 and TxnOffsetCommit 5; the
    /// end of each transaction gives the identity of the next one.
    EpochPerTransaction,
}

/// The last version, of EndTxn and of TxnOffsetCommit, in which transactions are announced.
const LAST_ANNOUNCED: i16 = 4;

impl TransactionVersion {
    /// The versions of EndTxn or TxnOffsetCommit that mean this.
    pub(super) fn narrow(self, range: VersionRange) -> VersionRange {
        match self {
            Self::Announced => range.until_if(LAST_ANNOUNCED, true),
            Self::EpochPerTransaction => range.since_if(LAST_ANNOUNCED + 1, true),
        }
    }

    /// Refuses a version of `R` that means the other one.
    pub(super) fn check<R: Request>(
        self,
        version: i16,
        writer: &Writer<'_>,
    ) -> Result<(), EncodeError> {
        let range = self.narrow(R::VERSIONS);
        if range.contains(version) {
            return Ok(());
        }
        Err(writer.error("transaction version", EncodeProblem::Version { range }))
    }
}
