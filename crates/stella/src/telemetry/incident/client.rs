//! The command line's side of the admin API.

use bytes::Bytes;
use control::access::Denied;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shipper::ConnectError;

use crate::cli::incident::Reach;
use crate::error::{CliError, CliResult, Exit};
use crate::telemetry::data_dir::DataDir;
use crate::telemetry::{ask, runtime, status, tls, told};

/// Longer than any token.
const TOKEN_BYTES: u64 = 4 << 10;

/// What of a problem (RFC 9457) is shown.
#[derive(Deserialize)]
struct Problem {
    detail: String,
    hint: Option<String>,
}

/// Asks the running gateway; what it answers with success.
pub fn ask(
    gateway: &Reach,
    method: Method,
    path: &str,
    key: Option<&str>,
    body: Option<&impl Serialize>,
) -> CliResult<Value> {
    let data = DataDir::of(&gateway.data_dir)?;
    let Some(running) = data.running() else {
        return Err(status::not_running(&data));
    };
    let tls = match running.tls.admin {
        true => {
            let client = tls::of_flags(&gateway.tls, ::tls::Alpn::Http1)?;
            Some(client.ok_or_else(|| tls::no_ca("the admin port"))?)
        }
        false => None,
    };
    let mut request = Request::builder().method(method).uri(path);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    if let Some(token) = token(gateway)? {
        request = request.header(AUTHORIZATION, token);
    }
    let body = match body {
        Some(body) => {
            request = request.header(CONTENT_TYPE, "application/json");
            Bytes::from(serde_json::to_vec(body).map_err(std::io::Error::from)?)
        }
        None => Bytes::new(),
    };
    let request = request.body(Full::from(body)).map_err(|_| {
        CliError::new(Exit::Usage, "the request cannot be written")
            .hint("a key is 1 to 128 printable ASCII characters, an id as `incident list` shows it")
    })?;
    let answer = runtime()?
        .block_on(ask::ask(running.admin, tls.as_deref(), request))
        .map_err(|error| match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::Tls { .. }) => told(Exit::Unavailable, &error.to_string()),
            Some(_) => status::not_running(&data),
            None => CliError::new(
                Exit::Unavailable,
                format!("the gateway did not answer: {error}"),
            )
            .hint("it may have done what was asked: look with `stella telemetry incident list`"),
        })?;
    let (head, body) = answer.into_parts();
    if head.status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| {
            let message = format!("{} did not answer as a gateway: {error}", running.admin);
            CliError::new(Exit::Unavailable, message)
        });
    }
    Err(refused(head.status, &body))
}

fn refused(status: StatusCode, body: &[u8]) -> CliError {
    let exit = match status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
            Exit::BadInput
        }
        _ => Exit::Failure,
    };
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return CliError::new(Exit::Unavailable, format!("the gateway answered {status}"));
    };
    let error = CliError::new(exit, problem.detail);
    match problem.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn token(gateway: &Reach) -> CliResult<Option<HeaderValue>> {
    use std::io::Read;
    let Some(path) = &gateway.token_file else {
        return Ok(None);
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(TOKEN_BYTES).read_to_string(&mut text))
        .map_err(|error| {
            let message = format!("the token file {} cannot be read: {error}", path.display());
            CliError::new(Exit::BadInput, message).hint("name a file that this user can read")
        })?;
    // What was read is not repeated: it is a secret.
    let value = HeaderValue::try_from(format!("Bearer {}", text.trim()));
    let mut value = value.map_err(|_| told(Exit::BadInput, &Denied::Token.to_string()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
