//! Proxies named by the settings.

use exactbuyer::error::ErrorKind;
use exactbuyer::vendor::http::{HttpSettings, HttpTransport};
use exactbuyer::vendor::transport::{Failure, NotSent, Transport};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::server::{Server, reply};
use crate::tls::{authority, tls_server};
use crate::{BODY, request, settings};

pub(crate) fn behind(proxy: &Server) -> HttpSettings {
    HttpSettings {
        proxy: Some(format!("http://user:canary-password@{}", proxy.address)),
        ca_bundle: Some(authority().bundle.clone()),
        ..settings("https://service.example")
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_gets_neither_key_nor_body() {
    for answer in
        ["HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP/1.1 407 Who are you\r\n\r\n", "nonsense\r\n\r\n", ""]
    {
        let proxy = Server::answering_once(answer).await;
        let failure = HttpTransport::new(behind(&proxy)).unwrap().send(request()).await.unwrap_err();
        assert_eq!(failure, Failure::NotSent(NotSent::Proxy), "{answer}");
        assert_eq!(proxy.seen.connections(), 1);
        let head = proxy.seen.heads().remove(0);
        assert!(head.starts_with("CONNECT service.example:443 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("Basic dXNlcjpjYW5hcnktcGFzc3dvcmQ=") && !head.contains("canary"), "{head}");
    }
}

#[tokio::test]
async fn through_a_proxy_the_service_is_reached_once() {
    let service = tls_server().await;
    let address = service.address;
    let proxy = Server::start(move |_, mut stream, seen| async move {
        if seen.request(&mut stream).await {
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
            let mut onward = tokio::net::TcpStream::connect(address).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
        }
    })
    .await;
    let reply = HttpTransport::new(behind(&proxy)).unwrap().send(request()).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(service.seen.bodies(), [BODY]);
    assert_eq!(proxy.seen.requests(), 1);
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let settings = HttpSettings {
        proxy: Some(address.to_string()),
        ca_bundle: Some(authority().bundle.clone()),
        ..settings("https://service.example")
    };
    let failure = HttpTransport::new(settings).unwrap().send(request()).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent(NotSent::Proxy));
}

/// The key would leave this machine in clear text.
#[tokio::test]
async fn plain_http_does_not_go_through_a_proxy_elsewhere() {
    for proxy in ["http://canary.example:3128", "https://canary.example", "socks5h://10.0.0.1", "0.0.0.0:1"] {
        let settings = HttpSettings { proxy: Some(proxy.to_owned()), ..settings("http://127.0.0.1:1") };
        let error = HttpTransport::new(settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().starts_with("proxy ") && !error.message().contains("canary"), "{error}");
    }
    let service = Server::answering_once(reply("200 OK", "", b"{}")).await;
    let here = HttpSettings { proxy: Some(service.url()), ..settings("http://127.0.0.1:1") };
    assert_eq!(HttpTransport::new(here).unwrap().send(request()).await.unwrap().status, 200);
}
