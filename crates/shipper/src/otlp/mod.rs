//! An OTLP receiver as a destination. See the README beside this file for what answers mean.

mod answer;
mod client;
mod config;
mod encode;
mod sender;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ident::Signal;

pub use config::{Compression, Config, Protocol, Stamp};
pub use sender::{Receipt, SendError, Sender};

use crate::Secret;
use crate::batch::Batch;
use crate::config::ConfigError;
use crate::destination::{Accepted, Answering, Class, Destination, Failure};
use client::{Client, ClientError};
use config::Target;
use egress::http::Answer;
use egress::{ConnectError, Connector};

/// Requests from this size on are compressed away from the threads that serve sockets.
const LARGE: usize = 32 << 10;
/// HTTP/1.1 needs a connection for each request in flight.
const MAX_IN_FLIGHT: usize = 64;

/// An OTLP receiver.
pub(crate) struct Otlp {
    protocol: Protocol,
    compression: Compression,
    timeout: Duration,
    secrets: Vec<Secret>,
    stamp: Option<Arc<dyn Stamp>>,
    /// By signal, in the order of [`Signal::ALL`].
    routes: [Route; 3],
}

struct Route {
    target: Target,
    client: Arc<Client>,
}

impl Otlp {
    pub(crate) fn new(config: &Config, connector: Connector) -> Result<Self, ConfigError> {
        let mut clients: Vec<(String, Arc<Client>)> = Vec::new();
        let mut route = |signal| {
            let target = config.target(signal)?;
            let known = clients.iter().find(|(to, _)| *to == target.place.authority);
            let client = match known {
                Some((_, client)) => Arc::clone(client),
                None => {
                    let client = Client::new(connector.clone(), &target, config.protocol);
                    let client = Arc::new(client);
                    clients.push((target.place.authority.clone(), Arc::clone(&client)));
                    client
                }
            };
            Ok::<_, ConfigError>(Route { target, client })
        };
        let routes = [
            route(Signal::Traces)?,
            route(Signal::Metrics)?,
            route(Signal::Logs)?,
        ];
        Ok(Otlp {
            protocol: config.protocol,
            compression: config.compression,
            timeout: config.timeout,
            secrets: config.headers.iter().map(|(_, v)| v.clone()).collect(),
            stamp: config.stamp.clone(),
            routes,
        })
    }

    fn route(&self, signal: Signal) -> &Route {
        let [traces, metrics, logs] = &self.routes;
        match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        }
    }

    async fn send_once(&self, batch: &Batch) -> Result<Accepted, Failure> {
        let body = self.body(batch).await.map_err(|error| {
            Failure::new(Class::Transient, "", &format!("cannot compress: {error}"))
        })?;
        let route = self.route(batch.signal);
        let mut target = Cow::Borrowed(&route.target);
        if let Some(stamp) = &self.stamp {
            stamp.stamp(&batch.tenant, &mut target.to_mut().headers);
        }
        let sent = route.client.send(&target, body);
        let verdict = match tokio::time::timeout(self.timeout, sent).await {
            Ok(Ok(answer)) => self.verdict(&answer, batch.signal),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => {
                let text = format!("no answer within {:?}", self.timeout);
                Err(Failure::new(Class::Transient, "", &text))
            }
        };
        match verdict {
            Ok(mut accepted) => {
                accepted.message = self.scrub(accepted.message);
                Ok(accepted)
            }
            Err(failure) => Err(self.explain(failure, batch.signal)),
        }
    }

    async fn body(&self, batch: &Batch) -> io::Result<encode::Body> {
        let (protocol, compression) = (self.protocol, self.compression);
        if compression == Compression::None || batch.bytes() < LARGE {
            return encode::encode(batch, protocol, compression);
        }
        let batch = batch.clone();
        tokio::task::spawn_blocking(move || encode::encode(&batch, protocol, compression)).await?
    }

    fn verdict(&self, answer: &Answer, signal: Signal) -> Result<Accepted, Failure> {
        match self.protocol {
            Protocol::Grpc => answer::grpc(
                answer.status,
                &answer.headers,
                &answer.body,
                answer.trailers.as_ref(),
            ),
            Protocol::Http => answer::http(answer.status, &answer.headers, &answer.body, signal),
        }
    }

    /// What the destination said, without the secrets that it may have repeated.
    fn scrub(&self, said: String) -> String {
        let secrets = self.secrets.iter();
        secrets.fold(said, |said, secret| secret.scrub(said))
    }

    /// Takes secrets out of what the destination said, and adds what a person could do about it.
    fn explain(&self, mut failure: Failure, signal: Signal) -> Failure {
        failure.message = self.scrub(failure.message);
        let hint = match failure.code.as_str() {
            "UNIMPLEMENTED" | "HTTP 404" | "HTTP 405" | "HTTP 501" => format!(
                "hint: the destination seems not to take {signal} here; check its endpoint, or leave {signal} out of its `signals`"
            ),
            "UNAUTHENTICATED" | "PERMISSION_DENIED" | "HTTP 401" | "HTTP 403" | "HTTP 407" => {
                "hint: check the token in its `headers`".to_owned()
            }
            // TLS 1.3 lets a client finish before the server has looked at its certificate.
            "" if failure.message.contains("received fatal alert") => {
                "hint: the destination refused our certificate; check `cert` and `key` of its `tls`"
                    .to_owned()
            }
            "HTTP 415" => "hint: check its `compression`".to_owned(),
            _ => return failure,
        };
        let space = if failure.message.is_empty() { "" } else { " " };
        failure.message = format!("{}{space}({hint})", failure.message);
        failure
    }
}

fn failure(error: &ClientError) -> Failure {
    let class = match error {
        ClientError::Connect(ConnectError::Sealed { .. }) | ClientError::Request(_) => {
            Class::Misconfigured
        }
        // Whichever side's certificate is at fault, its file may be replaced at any time.
        ClientError::Connect(ConnectError::Io { .. } | ConnectError::Tls { .. })
        | ClientError::Http(_)
        | ClientError::TooLong => Class::Transient,
    };
    Failure::new(class, "", &error.to_string())
}

impl Destination for Otlp {
    fn send<'a>(&'a self, batch: &'a Batch) -> Answering<'a> {
        Box::pin(self.send_once(batch))
    }

    fn max_in_flight(&self) -> usize {
        MAX_IN_FLIGHT
    }
}
