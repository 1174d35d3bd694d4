//! A Prometheus Alertmanager, over its API v2.
//!
//! An incident is one alert: it fires from the incident's beginning to its end, and closing the
//! incident resolves it. What else happens is an alert that ends by itself after some minutes.

mod client;
mod config;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use client::Alertmanager;
pub use config::Config;
