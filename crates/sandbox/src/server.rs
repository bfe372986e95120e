//! The server: connections, HTTP through hyper, and everything that is not HTTP by hand.
//!
//! Replies that HTTP allows are sent through hyper. For all others, the connection is taken back
//! from hyper, and is written to, cut or reset here.
//!
//! A fault such as a reply that ends too early cannot be sent through an HTTP library, which would rather be
//! correct. So the service function returns an error, hyper gives the socket back, and the bytes are written by
//! hand.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use exactbuyer_core::lock;
use exactbuyer_core::service::limits;

use super::billing::{Billing, Headers};
use super::reply::{Manner, Reply};

/// The billing that the connections and the owner of the sandbox share. It is locked only to decide,
/// and never while waiting.
pub(super) type SharedBilling = Arc<Mutex<Billing>>;

/// The most bytes of a body. No real request with 1,000 lookups is larger.
///
/// A larger body is not read further, and its connection ends without a reply.
const MAX_CALL_BYTES: usize = 16 * 1024 * 1024;

/// Accepts connections until `stop` is signalled or dropped.
///
/// # Cancel safety
/// Safe: no connection is accepted any more. Those that are open end with the runtime.
pub(super) async fn serve(listener: TcpListener, billing: SharedBilling, stop: oneshot::Receiver<()>) {
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            _ = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    lock(&billing).ledger().connect();
                    tokio::spawn(connection(stream, Arc::clone(&billing)));
                }
                // Probably there are no more file descriptors. Some will be released.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

/// Counts a request as waiting until it is dropped.
///
/// A guard, so that a request whose client leaves is no longer counted either.
struct InFlight(SharedBilling);

impl InFlight {
    fn begin(billing: &SharedBilling) -> Self {
        lock(billing).ledger().begin();
        Self(Arc::clone(billing))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.0).ledger().end();
    }
}

/// A reply that hyper cannot send, and the request that still waits for it.
///
/// The [`InFlight`] goes with it: such a request waits until the last byte was written, or the client has left.
struct Unruly(Reply, InFlight);

/// The error with which hyper returns the connection.
const TAKEN_BACK: &str = "the connection was taken back";

/// Serves one connection until it ends.
///
/// Several requests may come on it, one after the other, until one of them ends it.
async fn connection(stream: TcpStream, billing: SharedBilling) {
    // Without this, the last packet of a reply may wait for an acknowledgement. If it fails,
    // replies are only slower.
    let _ = stream.set_nodelay(true);
    let unruly: Arc<Mutex<Option<Unruly>>> = Arc::default();
    let for_service = Arc::clone(&unruly);
    let service = service_fn(move |request| {
        // In a box, because hyper returns a connection only if nothing in it is pinned.
        Box::pin(answer(request, Arc::clone(&billing), Arc::clone(&for_service)))
    });
    let mut http = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection may end in any way; that is not an error of the sandbox.
    let _ = poll_fn(|cx| http.poll_without_shutdown(cx)).await;
    let mut stream = http.into_parts().io.into_inner();
    let taken_back = lock(&unruly).take();
    if let Some(Unruly(reply, _in_flight)) = taken_back {
        let _ = misbehave(&mut stream, &reply).await;
    }
}

/// Reads one request and lets the billing decide it. A reply that HTTP does not allow is handed to
/// [`connection`] through `for_service`.
///
/// # Errors
/// [`TAKEN_BACK`] if hyper must send nothing: the reply is unruly, or the body was never complete.
async fn answer(
    request: Request<Incoming>,
    billing: SharedBilling,
    unruly: Arc<Mutex<Option<Unruly>>>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let in_flight = InFlight::begin(&billing);
    let (head, body) = request.into_parts();
    let arrival = {
        let names: Vec<&str> = head.headers.keys().map(header::HeaderName::as_str).collect();
        lock(&billing).arrive(head.method.as_str(), head.uri.path(), &names, Instant::now())
    };
    let body = if arrival.is_reset_unread() { Bytes::new() } else { read(body).await.ok_or(TAKEN_BACK)? };
    let headers = Headers {
        key: head.headers.get(limits::KEY_HEADER).map(HeaderValue::as_bytes),
        content_type: head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes),
    };
    let reply = lock(&billing).answer(&arrival, headers, &body, Instant::now());
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    if reply.manner == Manner::Whole {
        return Ok(whole(reply));
    }
    *lock(&unruly) = Some(Unruly(reply, in_flight));
    Err(TAKEN_BACK)
}

/// Reads the body of a request. `None` if it is incomplete or larger than any real request.
async fn read(body: Incoming) -> Option<Bytes> {
    // A body that arrives in one piece, as small ones do, is not copied.
    Limited::new(body, MAX_CALL_BYTES).collect().await.ok().map(Collected::to_bytes)
}

fn whole(reply: Reply) -> Response<Full<Bytes>> {
    let status =
        hyper::StatusCode::from_u16(reply.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if reply.gzipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, text) in [(header::LOCATION, reply.location), (header::RETRY_AFTER, reply.retry_after)] {
        // A text that a header cannot contain is left out.
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// Sends a reply that HTTP does not allow.
///
/// # Errors
/// If the client has left. The caller ignores it.
async fn misbehave(stream: &mut TcpStream, reply: &Reply) -> io::Result<()> {
    const SPACES: &[u8] = &[b' '; 64 * 1024];
    match reply.manner {
        // Closing a socket sends a FIN if everything was read from it, and a reset otherwise.
        Manner::Whole | Manner::Close => stream.shutdown().await,
        Manner::Reset => stream.set_zero_linger(),
        Manner::Hang => gone(stream).await,
        Manner::Garbage => {
            stream.write_all(b"\x16\x03\x01 220 smtp.sandbox.example ESMTP ready\r\n\r\n").await?;
            stream.shutdown().await
        }
        Manner::Cut(at) => {
            stream.write_all(&head(reply, &format!("content-length: {}", reply.body.len()))).await?;
            stream.write_all(reply.body.get(..at).unwrap_or_default()).await?;
            stream.shutdown().await
        }
        Manner::CutChunked(at) => {
            stream.write_all(&head(reply, "transfer-encoding: chunked")).await?;
            write_chunk(stream, reply.body.get(..at).unwrap_or_default()).await?;
            stream.shutdown().await
        }
        Manner::Drip(pause) => {
            stream.write_all(&head(reply, &format!("content-length: {}", reply.body.len()))).await?;
            for byte in &reply.body {
                tokio::time::sleep(pause).await;
                stream.write_all(&[*byte]).await?;
            }
            gone(stream).await
        }
        Manner::Endless => {
            stream.write_all(&head(reply, "transfer-encoding: chunked")).await?;
            write_chunk(stream, &reply.body).await?;
            loop {
                write_chunk(stream, SPACES).await?;
            }
        }
    }
}

/// Waits until the client has left.
///
/// What the client still sends is read and thrown away.
async fn gone(stream: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0_u8; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// The head of a reply that is written by hand.
///
/// `length` is the header that announces how long the body is, honestly or not.
fn head(reply: &Reply, length: &str) -> Vec<u8> {
    let (status, content_type) = (reply.status, reply.content_type);
    format!("HTTP/1.1 {status} OK\r\ncontent-type: {content_type}\r\n{length}\r\n\r\n").into_bytes()
}

/// In the chunked transfer coding: the length in hexadecimal digits, the bytes, a line end.
async fn write_chunk(stream: &mut TcpStream, piece: &[u8]) -> io::Result<()> {
    stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
    stream.write_all(piece).await?;
    stream.write_all(b"\r\n").await
}
