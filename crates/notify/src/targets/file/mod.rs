//! A file of JSON lines, for sites that nothing leaves: whoever wants to know reads it.
//!
//! A line is synced before the event counts as told. A crash may leave half a line, which the next
//! one ends; the event is then written once more.

mod client;
mod config;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use client::File;
pub use config::Config;
pub(crate) use encode::line;
