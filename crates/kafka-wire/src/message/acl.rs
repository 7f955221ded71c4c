//! Access rights (ACLs) as the three APIs about them name them.
//!
//! A right is one *binding*: who may, or must not, do what, from where, to which resource. A code
//! that a later broker invents is kept as a number, so that a binding can be handed on unchanged.

use std::fmt;
use std::sync::Arc;

use super::reader::Reader;
use super::writer::Writer;
use super::{DecodeError, EncodeError};

macro_rules! coded {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $code:literal $text:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// One that is not known here, by its number.
            Other(i8),
        }

        impl $name {
            /// All that have a name here.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)+];

            /// The number in the protocol.
            #[must_use]
            pub fn wire(self) -> i8 {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            /// By the number in the protocol.
            #[must_use]
            pub fn from_wire(code: i8) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    other => Self::Other(other),
                }
            }
        }

        /// As Kafka's tools spell it; the number where it is not known here.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)+
                    Self::Other(code) => code.fmt(f),
                }
            }
        }
    };
}

coded! {
    /// Kind of what a binding is about.
    AclResource {
        /// A topic.
        Topic = 2 "TOPIC",
        /// A consumer group.
        Group = 3 "GROUP",
        /// The cluster as a whole.
        Cluster = 4 "CLUSTER",
        /// A transactional id.
        TransactionalId = 5 "TRANSACTIONAL_ID",
        /// A delegation token.
        DelegationToken = 6 "DELEGATION_TOKEN",
        /// A user, for tokens that are made for others (KIP-373).
        User = 7 "USER",
    }
}

coded! {
    /// How a binding's name is meant (KIP-290).
    AclPattern {
        /// The resource of exactly this name; `*` is every resource.
        Literal = 3 "LITERAL",
        /// Every resource whose name begins so.
        Prefixed = 4 "PREFIXED",
    }
}

coded! {
    /// What is done to a resource.
    AclOperation {
        /// Everything.
        All = 2 "ALL",
        /// Reading; implies describing.
        Read = 3 "READ",
        /// Writing; implies describing.
        Write = 4 "WRITE",
        /// Creating.
        Create = 5 "CREATE",
        /// Deleting; implies describing.
        Delete = 6 "DELETE",
        /// Altering; implies describing.
        Alter = 7 "ALTER",
        /// Looking at it.
        Describe = 8 "DESCRIBE",
        /// What brokers do among themselves.
        ClusterAction = 9 "CLUSTER_ACTION",
        /// Looking at its configuration.
        DescribeConfigs = 10 "DESCRIBE_CONFIGS",
        /// Changing its configuration; implies looking at it.
        AlterConfigs = 11 "ALTER_CONFIGS",
        /// Writing as an idempotent producer.
        IdempotentWrite = 12 "IDEMPOTENT_WRITE",
        /// Making delegation tokens for a user.
        CreateTokens = 13 "CREATE_TOKENS",
        /// Looking at delegation tokens of a user.
        DescribeTokens = 14 "DESCRIBE_TOKENS",
        /// Taking part in a two-phase commit (KIP-939).
        TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
    }
}

coded! {
    /// Whether a binding grants or forbids. A ban wins over every grant.
    AclPermission {
        /// Forbidden.
        Deny = 2 "DENY",
        /// Granted.
        Allow = 3 "ALLOW",
    }
}

/// One access right.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AclBinding {
    /// The kind of resource.
    pub resource: AclResource,
    /// Its name, or the beginning of it. Shared: an answer gives the name once for all of its bindings, and a copy
    /// for each could take far more memory than the answer has bytes.
    pub name: Arc<str>,
    /// Which of both.
    pub pattern: AclPattern,
    /// Whom it is about, as `Type:name`; `User:*` is everybody.
    pub principal: String,
    /// Which address they come from; `*` is any.
    pub host: String,
    /// What is done.
    pub operation: AclOperation,
    /// Whether it is granted.
    pub permission: AclPermission,
}

impl fmt::Display for AclBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            name,
            pattern,
            principal,
            host,
            operation,
            permission,
        } = self;
        write!(
            f,
            "{permission} {operation} on {resource} {pattern} {name} for {principal} from {host}"
        )
    }
}

/// What is left open in a filter: matches everything.
const ANY: i8 = 1;

/// Which bindings are meant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AclFilter {
    /// All of one kind of resource.
    Resource(AclResource),
    /// Exactly this one.
    Exactly(AclBinding),
}

impl AclFilter {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Resource(resource) => {
                writer.i8(resource.wire());
                writer.nullable_string("resource name", None)?;
                writer.i8(ANY);
                writer.nullable_string("principal", None)?;
                writer.nullable_string("host", None)?;
                writer.i8(ANY);
                writer.i8(ANY);
            }
            // A filter's texts are nullable, and a text that is there is written like any other.
            Self::Exactly(binding) => binding.write_fields(writer)?,
        }
        writer.end();
        Ok(())
    }
}

impl AclBinding {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.write_fields(writer)?;
        writer.end();
        Ok(())
    }

    fn write_fields(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.i8(self.resource.wire());
        writer.string("resource name", &self.name)?;
        writer.i8(self.pattern.wire());
        writer.string("principal", &self.principal)?;
        writer.string("host", &self.host)?;
        writer.i8(self.operation.wire());
        writer.i8(self.permission.wire());
        Ok(())
    }

    /// Reads all fields; tagged fields are the caller's.
    pub(super) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            resource: AclResource::from_wire(reader.i8("resource type")?),
            name: reader.string("resource name")?.into(),
            pattern: AclPattern::from_wire(reader.i8("pattern type")?),
            principal: reader.string("principal")?,
            host: reader.string("host")?,
            operation: AclOperation::from_wire(reader.i8("operation")?),
            permission: AclPermission::from_wire(reader.i8("permission")?),
        })
    }
}
