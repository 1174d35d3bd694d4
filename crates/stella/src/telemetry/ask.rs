//! One request to one of the running gateway's own ports.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use shipper::Connector;

/// The largest answer that is read.
const ANSWER_BYTES: usize = 16 << 20;
/// How long an answer may take. A gateway that opens an incident waits for its disk.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no answer.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request and reads its answer. SEALED-EGRESS: through the one connector.
pub async fn ask(
    addr: SocketAddr,
    tls: Option<&::tls::Client>,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Failed> {
    let (connector, host) = (Connector::open(), addr.ip().to_string());
    let stream = match tls {
        Some(tls) => connector.connect_tls(&host, addr.port(), tls).await?,
        None => connector.connect(&host, addr.port()).await?,
    };
    let name = HeaderValue::try_from(addr.to_string())?;
    request.headers_mut().insert(HOST, name);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    let answer = tokio::time::timeout(TIMEOUT, answer).await;
    connection.abort();
    answer.map_err(|_| format!("no answer within {} s", TIMEOUT.as_secs()))?
}
