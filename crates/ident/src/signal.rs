//! The three OTLP signals that have a stable export service.

use std::fmt;
use std::str::FromStr;

/// One kind of telemetry, as OTLP divides it (opentelemetry-proto, `collector/*/v1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Signal {
    /// Spans: `ExportTraceServiceRequest`.
    Traces = 1,
    /// Metric data points: `ExportMetricsServiceRequest`.
    Metrics = 2,
    /// Log records and events: `ExportLogsServiceRequest`.
    Logs = 3,
}

impl Signal {
    /// Every signal, in the order of its code.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// The lower-case name used in flags, labels and paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// What the signal's items are called in the upstream Collector's metric names
    /// (`otelcol_receiver_accepted_spans`, …).
    pub const fn items_name(self) -> &'static str {
        match self {
            Signal::Traces => "spans",
            Signal::Metrics => "metric_points",
            Signal::Logs => "log_records",
        }
    }

    /// The OTLP/HTTP request path (OTLP specification, "OTLP/HTTP Request").
    pub const fn http_path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        }
    }

    /// The gRPC method path of the signal's export service.
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The number that stands for the signal in stored files. It never changes.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The signal of a stored [`code`](Self::code), if there is one.
    pub const fn from_code(code: u8) -> Option<Signal> {
        match code {
            1 => Some(Signal::Traces),
            2 => Some(Signal::Metrics),
            3 => Some(Signal::Logs),
            _ => None,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSignalError(String);

impl fmt::Display for ParseSignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a signal: expected `traces`, `metrics` or `logs`",
            self.0
        )
    }
}

impl std::error::Error for ParseSignalError {}

impl FromStr for Signal {
    type Err = ParseSignalError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Signal::ALL
            .into_iter()
            .find(|signal| signal.as_str() == word)
            .ok_or_else(|| ParseSignalError(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_round_trip() {
        for signal in Signal::ALL {
            assert_eq!(Signal::from_code(signal.code()), Some(signal));
            assert_eq!(signal.as_str().parse(), Ok(signal));
        }
        assert_eq!(Signal::from_code(0), None);
        assert!("trace".parse::<Signal>().is_err());
    }
}
