//! Values of the source and of the destination have different types, so that they cannot be mixed.

use std::fmt;

macro_rules! side {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name<T>(pub T);

        impl<T: fmt::Display> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

side!(
    /// A value of the source cluster.
    Source
);
side!(
    /// A value of the destination cluster.
    Destination
);
