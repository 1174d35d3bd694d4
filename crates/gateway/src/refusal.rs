//! Why a request is not taken, and how that is said in gRPC and in HTTP.
//!
//! The codes follow the OTLP specification ("Failures", "Retryable Response Codes", "OTLP/HTTP
//! Throttling"): a client that may send the same request again is told so, and when.

use std::time::Duration;

use ::http::StatusCode;

/// What kind of refusal, from which both transports' codes follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not OTLP: never send it again.
    Malformed,
    /// Not gRPC's framing.
    Framing,
    /// Over the size limit: never send it again as it is.
    TooLarge,
    /// Compressed in a way that is not known here.
    Encoding,
    /// A content type that is not OTLP's.
    MediaType,
    /// No such method or path.
    UnknownPath,
    /// Not the path's HTTP method.
    Method,
    /// The sender took too long.
    Slow,
    /// A limit is reached that will pass: wait.
    Busy,
    /// The journal cannot write just now: wait.
    Unavailable,
    /// Nobody that is known here.
    Unauthenticated,
    /// Somebody who may not do this.
    PermissionDenied,
    /// The sender went away within its request.
    Cancelled,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 13] = [
        Kind::Malformed,
        Kind::Framing,
        Kind::TooLarge,
        Kind::Encoding,
        Kind::MediaType,
        Kind::UnknownPath,
        Kind::Method,
        Kind::Slow,
        Kind::Busy,
        Kind::Unavailable,
        Kind::Unauthenticated,
        Kind::PermissionDenied,
        Kind::Cancelled,
    ];

    /// The word in the metric's label.
    pub const fn reason(self) -> &'static str {
        match self {
            Kind::Malformed => "malformed",
            Kind::Framing => "framing",
            Kind::TooLarge => "too_large",
            Kind::Encoding => "encoding",
            Kind::MediaType => "media_type",
            Kind::UnknownPath => "unknown_path",
            Kind::Method => "method",
            Kind::Slow => "slow",
            Kind::Busy => "busy",
            Kind::Unavailable => "unavailable",
            Kind::Unauthenticated => "unauthenticated",
            Kind::PermissionDenied => "permission_denied",
            Kind::Cancelled => "cancelled",
        }
    }

    /// The gRPC status code (grpc/grpc, `doc/statuscodes.md`).
    pub const fn grpc_code(self) -> u32 {
        match self {
            Kind::Cancelled => 1,
            Kind::Malformed => 3,
            Kind::Slow => 4,
            Kind::PermissionDenied => 7,
            Kind::TooLarge | Kind::Busy => 8,
            Kind::Encoding | Kind::UnknownPath | Kind::Method => 12,
            Kind::Framing | Kind::MediaType => 13,
            Kind::Unavailable => 14,
            Kind::Unauthenticated => 16,
        }
    }

    /// The HTTP status code. A slow sender gets 504, which is google.rpc.Code's counterpart of
    /// `DEADLINE_EXCEEDED` and lets an OTLP client try again; after 408 it must drop the data.
    pub const fn http_status(self) -> StatusCode {
        match self {
            Kind::Malformed | Kind::Framing | Kind::Cancelled => StatusCode::BAD_REQUEST,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Encoding | Kind::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::UnknownPath => StatusCode::NOT_FOUND,
            Kind::Method => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Slow => StatusCode::GATEWAY_TIMEOUT,
            Kind::Busy => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::PermissionDenied => StatusCode::FORBIDDEN,
        }
    }
}

/// A request that is not taken. The message goes to the sender, so it holds nothing of the
/// gateway's own (paths, other tenants) and none of the request's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind.
    pub kind: Kind,
    /// What the sender is told.
    pub message: String,
    /// How long to wait before the same request may be sent again.
    pub retry_after: Option<Duration>,
    /// How many items the request had, where that was found out.
    pub items: u64,
}

impl Refusal {
    /// A refusal that sending again does not mend.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Refusal {
            kind,
            message: message.into(),
            retry_after: None,
            items: 0,
        }
    }

    /// A refusal that passes: try again after `wait`.
    pub fn retry(kind: Kind, message: impl Into<String>, wait: Duration) -> Self {
        Refusal {
            retry_after: Some(wait),
            ..Refusal::new(kind, message)
        }
    }

    /// A limit was reached that passes soon.
    pub(crate) fn busy(limit: &str) -> Self {
        let message = format!("the gateway's limit of {limit} is reached");
        Refusal::retry(Kind::Busy, message, Duration::from_secs(1))
    }

    /// The request is larger than `limit`.
    pub(crate) fn too_large(what: &str, limit: usize) -> Self {
        Refusal::new(
            Kind::TooLarge,
            format!("the {what} is larger than {limit} bytes"),
        )
    }

    pub(crate) fn with_items(mut self, items: u64) -> Self {
        self.items = items;
        self
    }
}
