//! Proxies named by the settings.

use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::service::transport::{
    Failure, NotSent, ProxyFailure, ProxySource, TlsFailure, Transport,
};
use exactbuyer_http::HttpSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::server::{Server, reply};
use crate::tls::{authority, tls_server};
use crate::{BODY, connect, request, settings};

pub(crate) fn behind(proxy: &Server) -> HttpSettings {
    HttpSettings {
        proxy: Some(format!("http://user:canary-password@{}", proxy.address)),
        ca_bundle: Some(authority().bundle.clone()),
        ..settings("https://service.example")
    }
}

fn failed(failure: ProxyFailure) -> Failure {
    Failure::NotSent(NotSent::Proxy(failure, ProxySource::Setting))
}

/// Sends through this proxy to a service that must get nothing.
async fn failure_through(proxy: &str) -> Failure {
    let settings = HttpSettings {
        proxy: Some(proxy.to_owned()),
        ca_bundle: Some(authority().bundle.clone()),
        ..settings("https://service.example")
    };
    let failure = connect(&settings).unwrap().send(request()).await.unwrap_err();
    let words = match &failure {
        Failure::NotSent(why) => format!("{why} {failure:?}"),
        other => panic!("{other:?}"),
    };
    assert!(!words.contains("canary") && !words.contains('\n'), "{words}");
    failure
}

#[tokio::test]
async fn a_proxy_that_refuses_gets_neither_key_nor_body() {
    for (answer, why) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", ProxyFailure::Denied),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", ProxyFailure::Denied),
        ("HTTP/1.1 407 Who are you\r\n\r\n", ProxyFailure::LoginWrong),
        ("nonsense\r\n\r\n", ProxyFailure::Denied),
        ("", ProxyFailure::Connect),
    ] {
        let proxy = Server::answering_once(answer).await;
        let failure = connect(&behind(&proxy)).unwrap().send(request()).await.unwrap_err();
        assert_eq!(failure, failed(why), "{answer}");
        assert_eq!(proxy.seen.connections(), 1);
        let head = proxy.seen.heads().remove(0);
        assert!(head.starts_with("CONNECT service.example:443 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("Basic dXNlcjpjYW5hcnktcGFzc3dvcmQ=") && !head.contains("canary"), "{head}");
    }
}

#[tokio::test]
async fn a_missing_login_is_told_from_a_wrong_one() {
    for (login, why) in [
        ("", ProxyFailure::LoginMissing),
        ("user:canary@", ProxyFailure::LoginWrong),
        ("canary@", ProxyFailure::LoginWrong),
    ] {
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
        let proxy = Server::answering(answer).await;
        assert_eq!(failure_through(&format!("http://{login}{}", proxy.address)).await, failed(why));
        assert_eq!(proxy.seen.requests(), 1);

        // Without TLS there is no tunnel: the proxy's 407 is the reply, and the service has got nothing.
        let service = Server::answering(reply("200 OK", "", b"{}")).await;
        let settings = HttpSettings {
            proxy: Some(format!("http://{login}{}", proxy.address)),
            ..settings(service.url())
        };
        let failure = connect(&settings).unwrap().send(request()).await.unwrap_err();
        assert_eq!(failure, failed(why));
        assert_eq!((proxy.seen.requests(), service.seen.connections()), (2, 0));
    }
    let words = |why| NotSent::Proxy(why, ProxySource::Variable("HTTPS_PROXY")).to_string();
    let (missing, wrong) = (words(ProxyFailure::LoginMissing), words(ProxyFailure::LoginWrong));
    assert!(missing.contains("none are set") && missing.contains("HTTPS_PROXY"), "{missing}");
    assert!(wrong.contains("correct them in the environment variable HTTPS_PROXY"), "{wrong}");
}

/// A SOCKS5 proxy that sends one of these after each message it gets.
async fn socks(answers: &'static [&'static [u8]]) -> Server {
    Server::start(move |_, mut stream, _| async move {
        for answer in answers {
            if stream.read(&mut [0; 512]).await.is_ok_and(|length| length > 0) {
                stream.write_all(answer).await.unwrap();
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_socks_proxy_fails_in_the_same_words() {
    type Answers = &'static [&'static [u8]];
    const NO_METHOD: Answers = &[&[5, 0xff]];
    const WRONG_LOGIN: Answers = &[&[5, 2], &[1, 1]];
    const DENIED: Answers = &[&[5, 0], &[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]];
    for (login, answers, why) in [
        ("", NO_METHOD, ProxyFailure::LoginMissing),
        ("user:canary@", WRONG_LOGIN, ProxyFailure::LoginWrong),
        ("", DENIED, ProxyFailure::Denied),
        ("", &[] as Answers, ProxyFailure::Connect),
    ] {
        let proxy = socks(answers).await;
        let failure = failure_through(&format!("socks5h://{login}{}", proxy.address)).await;
        assert_eq!(failure, failed(why));
        assert_eq!(proxy.seen.connections(), 1);
    }
    for scheme in ["socks4a", "socks5", "socks5h"] {
        // The name of the service is resolved here with socks5, and by the proxy with the others.
        let (refused, unknown) = match scheme {
            "socks5" => (Failure::NotSent(NotSent::Dns), Failure::NotSent(NotSent::Dns)),
            _ => (failed(ProxyFailure::Refused), failed(ProxyFailure::Dns)),
        };
        assert_eq!(failure_through(&format!("{scheme}://{}", nobody().await)).await, refused);
        assert_eq!(failure_through(&format!("{scheme}://nothing.invalid:1")).await, unknown);
    }
}

/// An address at which no program listens.
async fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_not_the_service() {
    for login in ["", "user:canary@"] {
        let refused = failure_through(&format!("{login}{}", nobody().await)).await;
        assert_eq!(refused, failed(ProxyFailure::Refused));
        let unknown = failure_through(&format!("http://{login}nothing.invalid:3128")).await;
        assert_eq!(unknown, failed(ProxyFailure::Dns));
    }
    // https:// before a proxy that speaks plain HTTP is a common mistake.
    let proxy = Server::start(|_, mut stream, _| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let failure = failure_through(&format!("https://user:canary@{}", proxy.address)).await;
    assert_eq!(failure, failed(ProxyFailure::Tls(TlsFailure::NotTls)));
    let Failure::NotSent(why) = failure else { panic!("{failure:?}") };
    assert!(why.to_string().contains("write http:// instead of https://"), "{why}");
    // Its own certificate, which is not for this name.
    let proxy = tls_server().await;
    let failure = failure_through(&format!("https://{}", proxy.address)).await;
    assert_eq!(failure, failed(ProxyFailure::Tls(TlsFailure::WrongName)));
}

/// A company's proxy that opens TLS connections has certificates of its own authority.
#[tokio::test]
async fn a_certificate_behind_the_proxy_is_the_services() {
    let service = tls_server().await;
    let proxy = forwarding_to(service.address).await;
    let settings = HttpSettings { ca_bundle: Some(authority().bundle.clone()), ..behind(&proxy) };
    let other_name = HttpSettings { base_url: "https://other.example".to_owned(), ..settings };
    let failure = connect(&other_name).unwrap().send(request()).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent(NotSent::Tls(TlsFailure::WrongName)));
    assert_eq!((proxy.seen.requests(), service.seen.requests()), (1, 0));
}

async fn forwarding_to(address: std::net::SocketAddr) -> Server {
    Server::start(move |_, mut stream, seen| async move {
        if seen.request(&mut stream).await {
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
            let mut onward = tokio::net::TcpStream::connect(address).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
        }
    })
    .await
}

#[tokio::test]
async fn through_a_proxy_the_service_is_reached_once() {
    let service = tls_server().await;
    let proxy = forwarding_to(service.address).await;
    let reply = connect(&behind(&proxy)).unwrap().send(request()).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(service.seen.bodies(), [BODY]);
    assert_eq!(proxy.seen.requests(), 1);
}

/// The key would leave this machine in clear text.
#[tokio::test]
async fn plain_http_does_not_go_through_a_proxy_elsewhere() {
    for proxy in ["http://canary.example:3128", "https://canary.example", "socks5h://10.0.0.1", "0.0.0.0:1"] {
        let settings = HttpSettings { proxy: Some(proxy.to_owned()), ..settings("http://127.0.0.1:1") };
        let error = connect(&settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with("proxy ") && !error.to_string().contains("canary"), "{error}");
    }
    let service = Server::answering_once(reply("200 OK", "", b"{}")).await;
    let here = HttpSettings { proxy: Some(service.url()), ..settings("http://127.0.0.1:1") };
    assert_eq!(connect(&here).unwrap().send(request()).await.unwrap().status, 200);
}
