//! Why a configuration cannot work.

use super::Time;

/// Why a configuration cannot work. Each text ends with a hint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A length of time out of its range.
    #[error("`sampling.{key}` is {value}\nhint: use {least} to {most}")]
    Time {
        /// Which.
        key: &'static str,
        /// Its value.
        value: Time,
        /// The least allowed.
        least: Time,
        /// The most allowed.
        most: Time,
    },
    /// A size of a table out of its range.
    #[error("`sampling.{key}` is {value}\nhint: use {least} to {most}")]
    Traces {
        /// Which.
        key: &'static str,
        /// Its value.
        value: usize,
        /// The least allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// Something about one policy.
    #[error("the sampling policy `{policy}` {what}\nhint: {hint}")]
    Policy {
        /// Its name, with those of the policies that it is in.
        policy: String,
        /// What is wrong with it.
        what: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// More than the state of a trace has room for.
    #[error("{count} {what} in the sampling policies\nhint: at most {most} have room")]
    TooMany {
        /// How many.
        count: usize,
        /// Of what.
        what: &'static str,
        /// The most allowed.
        most: usize,
    },
}
