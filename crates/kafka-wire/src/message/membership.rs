//! Who a request about a group comes from.

use super::EncodeError;
use super::writer::Writer;

/// A member of a group in one of its generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The generation as JoinGroup answered it; −1 for none.
    pub generation: i32,
    /// The member id as JoinGroup answered it; empty for none.
    pub member_id: String,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance_id: Option<String>,
}

impl Membership {
    /// No member. Offsets of a group may be committed so while it has no members.
    pub const NONE: Self = Self {
        generation: -1,
        member_id: String::new(),
        instance_id: None,
    };

    /// Writes generation and member id, and from `instance_since` on the instance id.
    pub(super) fn write(
        &self,
        instance_since: i16,
        writer: &mut Writer<'_>,
    ) -> Result<(), EncodeError> {
        writer.i32(self.generation);
        writer.string("member id", &self.member_id)?;
        write_instance(self.instance_id.as_deref(), instance_since, writer)
    }
}

/// Writes the instance id from `since` on; a static member cannot do without.
pub(super) fn write_instance(
    instance_id: Option<&str>,
    since: i16,
    writer: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    if instance_id.is_some() || writer.since(since) {
        writer.needs("instance id", since)?;
        writer.nullable_string("instance id", instance_id)?;
    }
    Ok(())
}
