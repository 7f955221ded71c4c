//! Broker error codes and what they mean for a retry: one table.
