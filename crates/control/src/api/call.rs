//! A request as it is asked, and the answers that are made of it.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Problem;
use crate::incident::Refusal;

/// The most of an actor's claim that is recorded, in bytes.
const MAX_CLAIM: usize = 128;

/// A request that was let in.
pub(super) struct Call<'c> {
    pub head: &'c Parts,
    pub body: &'c [u8],
    pub actor: &'c str,
    pub now: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Patch,
    Other,
}

impl Call<'_> {
    pub fn method(&self) -> Verb {
        match self.head.method {
            Method::GET | Method::HEAD => Verb::Get,
            Method::POST => Verb::Post,
            Method::PATCH => Verb::Patch,
            _ => Verb::Other,
        }
    }

    /// The body. A page of another site cannot send this content type without asking first.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut kinds = self.head.headers.get_all(CONTENT_TYPE).iter();
        let kind = match (kinds.next(), kinds.next()) {
            (Some(only), None) => only.to_str().ok(),
            _ => None,
        };
        let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        let known = |kind: &str| {
            kind.eq_ignore_ascii_case("application/json")
                || kind.eq_ignore_ascii_case("application/merge-patch+json")
        };
        if !essence.is_some_and(known) {
            let text = "the body is not JSON\nhint: send `content-type: application/json`";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                text,
            ));
        }
        serde_json::from_slice(self.body).map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-json",
                &format!("the body: {error}"),
            )
        })
    }

    /// Who asks: what is proven, and what is claimed.
    pub fn actor(&self, claim: Option<&str>) -> Result<String, Refusal> {
        let Some(claim) = claim else {
            return Ok(self.actor.to_owned());
        };
        if claim.is_empty() || claim.len() > MAX_CLAIM || claim.chars().any(char::is_control) {
            let (field, least, most) = ("by", 1, MAX_CLAIM);
            return Err(Refusal::Text { field, least, most });
        }
        Ok(format!("{} ({claim})", self.actor))
    }
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Bytes> {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn no_page() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-page",
        "no such page\nhint: GET /openapi.json says which there are",
    )
}

pub(super) fn bad_query(text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-query", text)
}

pub(super) fn not_allowed(allow: &'static str) -> Response<Bytes> {
    let text = format!("this page takes {allow}");
    let mut response = json(
        StatusCode::METHOD_NOT_ALLOWED,
        &Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", &text),
    );
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(ALLOW, HeaderValue::from_static(allow));
    response
}
