//! A program of the site's own, for whatever nothing else fits: it is started for each event.
//!
//! It gets the event as one line of JSON on its standard input, and no shell, no environment, and no
//! more time than it has. Exit code 0 means that the event was taken, 65 (`EX_DATAERR`) that it
//! never will be; any other is tried again.

mod client;
mod config;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use client::Command;
pub use config::Config;
