#![forbid(unsafe_code)]
//! What is measured, as Prometheus reads it.
//!
//! ```text
//!   catalogue: each metric once ──▶ Page: series, gathered at a scrape ──▶ text, in one of two formats
//! ```
//!
//! Nothing is registered and nothing counted here: a page is made from values that are kept anyway, when somebody asks, and
//! forgotten. So a series is gone when what it is about is gone.
//!
//! Invariants
//! - No value is NaN, and no series is there twice: whoever fills a page names each combination of labels once.
//! - Every metric has help, and a unit where its name has one.
//!
//! Deliberately absent: a server, a clock, what the values mean to other rooms.

pub mod catalogue;
pub mod compat;
pub mod histogram;
mod page;

pub use catalogue::{Kind, Metric};
pub use histogram::Histogram;
pub use page::{Format, Page, Value};
