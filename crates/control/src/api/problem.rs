//! Errors as RFC 9457 says them: `application/problem+json`.

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Denied;
use crate::incident::Refusal;
use crate::register::Failure;

/// What went wrong (RFC 9457).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// `urn:stella:problem:CODE`: programs tell problems apart by it.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What was wrong with this request.
    detail: String,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip)]
    code: &'static str,
}

impl Problem {
    /// A problem. A `hint:` line that ends the text stands in a key of its own.
    pub fn new(status: StatusCode, code: &'static str, text: &str) -> Problem {
        let (detail, hint) = match text.split_once("\nhint: ") {
            Some((detail, hint)) => (detail, Some(hint.to_owned())),
            None => (text, None),
        };
        Problem {
            kind: format!("urn:stella:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
            hint,
            code,
        }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Its code.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Unknown => StatusCode::NOT_FOUND,
            Refusal::KeyReused { .. }
            | Refusal::Closed { .. }
            | Refusal::StillOpen { .. }
            | Refusal::NoCapture { .. }
            | Refusal::HeldBack(_)
            | Refusal::Shorter { .. }
            | Refusal::TimelineFull { .. }
            | Refusal::TooMany { .. } => StatusCode::CONFLICT,
            Refusal::OverBudget { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Refusal::BadKey => StatusCode::BAD_REQUEST,
            Refusal::Ttl { .. }
            | Refusal::Lookback { .. }
            | Refusal::Text { .. }
            | Refusal::Manifest
            | Refusal::Scope(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Problem::new(status, refusal.code(), &refusal.to_string())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Store(error) => {
                // Paths and the system's words are for the log.
                tracing::error!(%error, "a request about an incident could not be carried out");
                let text = "the change could not be made durable\nhint: the gateway's log says why";
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not-durable", text)
            }
            Failure::Chance => {
                let text = failure.to_string();
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no-chance", &text)
            }
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let status = match denied {
            Denied::Token => StatusCode::UNAUTHORIZED,
            Denied::Host => StatusCode::MISDIRECTED_REQUEST,
            Denied::Origin => StatusCode::FORBIDDEN,
        };
        Problem::new(status, denied.code(), &denied.to_string())
    }
}
