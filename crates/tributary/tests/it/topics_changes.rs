//! What changes underneath a running link.
