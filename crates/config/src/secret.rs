//! Values that are never shown.

use std::fmt;

/// A secret: it can be used, but not printed, logged or serialised by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Takes a value into custody.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, at the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_inside_anything_is_not_shown() {
        let secret = Some((1, Secret::new("hunter2".to_owned())));
        assert_eq!(
            format!("{secret:?} {secret:#?}").matches("hunter2").count(),
            0
        );
        assert_eq!(format!("{:?}", Secret::new(5)), "[redacted]");
        assert_eq!(Secret::from("x").expose(), &"x");
    }
}
