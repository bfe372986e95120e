//! The real transport against real sockets of this machine. What each server counted is compared
//! with what the transport said: a request arrives at most once, and not at all where it says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod discretion;
mod environment;
mod failures;
mod framing;
mod proxies;
mod replies;
mod server;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use exactbuyer_core::error::Error;
use exactbuyer_core::secret::ApiKey;
use exactbuyer_core::service::transport::{Failure, Reply, Request, Transport};
use exactbuyer_http::{HttpSettings, HttpTransport};

use crate::server::Server;

const KEY: &str = "canary-key-4711";
const BODY: &str = "query_list=canary-body";

fn settings(base_url: impl Into<String>) -> HttpSettings {
    HttpSettings {
        base_url: base_url.into(),
        timeout: Duration::from_mins(1),
        connect_timeout: Duration::from_secs(30),
        ..HttpSettings::default()
    }
}

fn connect(settings: &HttpSettings) -> Result<HttpTransport, Error> {
    HttpTransport::new(settings, &ApiKey::new(KEY).unwrap())
}

fn transport(base_url: impl Into<String>) -> HttpTransport {
    connect(&settings(base_url)).unwrap()
}

fn request() -> Request {
    Request { body: Bytes::from_static(BODY.as_bytes()), content_type: "application/x-www-form-urlencoded" }
}

async fn send(base_url: impl Into<String>) -> Result<Reply, Failure> {
    transport(base_url).send(request()).await
}

/// Sends to a server that must see the request exactly once.
async fn send_once(server: &Server) -> Result<Reply, Failure> {
    let outcome = send(server.url()).await;
    assert_eq!(server.seen.connections(), 1);
    assert_eq!(server.seen.requests(), 1);
    outcome
}
