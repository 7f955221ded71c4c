//! TxnOffsetCommit: offsets of a group that are final when the transaction commits.

use bytes::{Bytes, BytesMut};

use super::reader::Reader;
use super::transaction::write_producer;
use super::writer::Writer;
use super::{
    ApiKey, ByTopic, CommittedOffset, DecodeError, EncodeError, Membership, PartitionOutcome,
    Request, Transaction, TransactionVersion, VersionRange,
};

/// Commits offsets within a transaction. Goes to the coordinator of the *group*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnOffsetCommitRequest {
    /// The transaction.
    pub transaction: Transaction,
    /// How its transactions are dealt with: decides the version.
    pub transaction_version: TransactionVersion,
    /// The group.
    pub group: String,
    /// Who commits, so that a member of an older generation is refused (KIP-447). Anything but
    /// [`Membership::NONE`] needs version 3.
    pub member: Membership,
    /// Topics, each once, with offsets.
    pub topics: ByTopic<CommittedOffset>,
}

/// Whether the offsets are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnOffsetCommitResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each partition. Errors of the group or the producer stand at each of them.
    pub topics: ByTopic<PartitionOutcome>,
}

/// The first version that carries who commits.
const WITH_MEMBER: i16 = 3;

impl Request for TxnOffsetCommitRequest {
    type Response = TxnOffsetCommitResponse;
    const API: ApiKey = ApiKey::TXN_OFFSET_COMMIT;
    const VERSIONS: VersionRange = VersionRange::new(0, 5);

    fn versions(&self) -> VersionRange {
        self.transaction_version
            .narrow(Self::VERSIONS)
            .since_if(WITH_MEMBER, self.member != Membership::NONE)
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        self.transaction_version.check::<Self>(version, &writer)?;
        writer.string("transactional id", &self.transaction.transactional_id)?;
        writer.string("group", &self.group)?;
        write_producer(self.transaction.producer, &mut writer);
        if self.member != Membership::NONE {
            writer.needs("member", WITH_MEMBER)?;
        }
        if writer.since(WITH_MEMBER) {
            self.member.write(WITH_MEMBER, &mut writer)?;
        }
        writer.by_topic(&self.topics, |writer, committed| committed.write(2, writer))?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<TxnOffsetCommitResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.by_topic(PartitionOutcome::read)?;
        reader.skip_tags("TxnOffsetCommit")?;
        reader.finish("TxnOffsetCommit")?;
        Ok(TxnOffsetCommitResponse {
            throttle_time_ms,
            topics,
        })
    }
}
