//! What the principal of a connection may do with a resource, as answers say it when asked (KIP-430).

use std::fmt;

use super::DecodeError;
use super::acl::AclOperation;
use super::reader::Reader;

/// Operations that are allowed: of the number *n* where bit *n* is set. A right to ALL shows as each
/// single one of the resource.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthorizedOperations(pub i32);

/// What a broker says when it was not asked, or cannot say.
const NOT_SAID: i32 = i32::MIN;

impl AuthorizedOperations {
    pub(super) fn read(reader: &mut Reader) -> Result<Option<Self>, DecodeError> {
        let bits = reader.i32("authorized operations")?;
        Ok((bits != NOT_SAID).then_some(Self(bits)))
    }

    /// Whether `operation` is allowed.
    #[must_use]
    pub fn allows(self, operation: AclOperation) -> bool {
        u32::try_from(operation.wire())
            .ok()
            .and_then(|bit| 1_i32.checked_shl(bit))
            .is_some_and(|bit| self.0 & bit != 0)
    }
}

/// The operations' names, as ACLs have them.
impl fmt::Debug for AuthorizedOperations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allowed = (0..31).filter(|bit| self.0 & (1 << bit) != 0);
        let names = allowed.map(|bit| AclOperation::from_wire(bit).to_string());
        f.debug_set().entries(names).finish()
    }
}
