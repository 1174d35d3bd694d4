//! An HTTP endpoint that takes CloudEvents 1.0, in binary or in structured mode.

mod client;
mod config;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use client::CloudEvents;
pub use config::{Config, Mode};
