//! Points in time on the command line.

use jiff::{SignedDuration, Timestamp};

use crate::error::{CliError, CliResult, Exit};

/// Nanoseconds since 1970 of an RFC 3339 time, or of a span back from `now` such as `15m`.
pub fn unix_nanos(flag: &str, text: &str, now: Timestamp) -> CliResult<u64> {
    let at = match text.parse::<SignedDuration>() {
        Ok(back) => now.checked_sub(back).ok(),
        Err(_) => text.parse::<Timestamp>().ok(),
    };
    at.and_then(|at| u64::try_from(at.as_nanosecond()).ok())
        .ok_or_else(|| {
            CliError::new(Exit::Usage, format!("{flag}: `{text}` is not a time"))
                .hint("write it as 2026-01-31T12:00:00Z, or as a span back from now such as 15m")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_times_and_spans() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let nanos = |text| unix_nanos("--from", text, now).unwrap();
        assert_eq!(nanos("2026-01-01T00:00:00Z"), 1_767_225_600_000_000_000);
        assert_eq!(nanos("15m"), 1_767_225_600_000_000_000 - 900_000_000_000);
        assert!(unix_nanos("--from", "yesterday", now).is_err());
        assert!(unix_nanos("--from", "1900-01-01T00:00:00Z", now).is_err());
    }
}
