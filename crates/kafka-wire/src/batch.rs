//! Record batches v2: the header as a view, splitting, rewriting, CRC-32C.
