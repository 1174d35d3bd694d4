//! A bare hyper HTTP/2 server: it reads a request's bytes and answers as an OTLP/gRPC server
//! does.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, combinators::WithTrailers};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// Which flow-control windows the server gives its senders.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// Those that hyper has if it is told nothing.
    Hypers,
    /// Those that the gateway has, so that both pay for the same frames.
    Gateways,
}

/// Prints its address and serves for ever.
pub fn run(windows: Windows) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let _ = stream.set_nodelay(true);
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.timer(TokioTimer::new());
            if windows == Windows::Gateways {
                builder
                    .initial_stream_window_size(1 << 20)
                    .initial_connection_window_size(2 << 20)
                    .max_frame_size(512 << 10);
            }
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
}

type Trailers = std::future::Ready<Option<Result<HeaderMap, Infallible>>>;

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<WithTrailers<Full<Bytes>, Trailers>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        std::hint::black_box(frame.data_ref().map(Bytes::len));
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = Full::new(Bytes::from_static(&[0; 5]));
    let mut response = Response::new(message.with_trailers(std::future::ready(Some(Ok(trailers)))));
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}
