//! `up --demo`: lifelike traffic, sent through the real OTLP port.
//!
//! A handful of services answer requests: each request is one trace over several of them, with
//! latency tails, errors, correlated logs, request metrics, and (as real senders do) secrets and
//! personal data in attributes. Everything is made up; the secrets are examples.

mod scene;
mod traffic;

pub use traffic::run;
