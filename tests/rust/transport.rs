//! The real transport against real sockets of this machine. What each server counted is compared
//! with what the transport said: a request arrives at most once, and not at all where it says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod server;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use bytes::Bytes;
use exactbuyer::error::ErrorKind;
use exactbuyer::secret::ApiKey;
use exactbuyer::vendor::http::{HttpSettings, HttpTransport};
use exactbuyer::vendor::limits;
use exactbuyer::vendor::transport::{Cut, Failure, Lost, NotSent, Reply, Request, Transport};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use server::{Server, gzip, reply, settle};

const KEY: &str = "canary-key-4711";
const BODY: &str = "query_list=canary-body";

fn settings(base_url: impl Into<String>) -> HttpSettings {
    HttpSettings {
        base_url: base_url.into(),
        key: ApiKey::new(KEY).unwrap(),
        timeout: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(30),
        proxy: None,
        ca_bundle: None,
        max_concurrency: 8,
    }
}

fn transport(base_url: impl Into<String>) -> HttpTransport {
    HttpTransport::new(settings(base_url)).unwrap()
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

// What is sent.

#[tokio::test]
async fn the_request_as_it_arrives() {
    let server = Server::answering(reply("200 OK", "", b"{}")).await;
    let transport = transport(format!("{}/prefix/", server.url()));
    let reply = transport.send(request()).await.unwrap();
    assert_eq!((reply.status, &reply.body[..], reply.cut), (200, &b"{}"[..], None));
    assert_eq!(server.seen.bodies(), [BODY]);

    let head = server.seen.heads().remove(0);
    let mut lines = head.trim_end().split("\r\n");
    assert_eq!(lines.next().unwrap(), "POST /prefix/v1/bulk-enrich HTTP/1.1");
    let mut lines: Vec<String> = lines.map(str::to_ascii_lowercase).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "accept-encoding: gzip".to_owned(),
            "accept: application/json".to_owned(),
            format!("content-length: {}", BODY.len()),
            "content-type: application/x-www-form-urlencoded".to_owned(),
            format!("host: {}", server.address),
            format!("user-agent: exactbuyer/{}", env!("CARGO_PKG_VERSION")),
            format!("x-api-key: {KEY}"),
        ]
    );
    assert_eq!(transport.origin(), server.url());
    assert!(transport.is_loopback());
}

#[tokio::test]
async fn one_connection_serves_one_request_after_another() {
    let server = Server::answering(reply("200 OK", "", b"{}")).await;
    let transport = transport(server.url());
    for _ in 0..3 {
        transport.send(request()).await.unwrap();
        settle().await;
    }
    assert_eq!((server.seen.connections(), server.seen.requests()), (1, 3));
}

// What is answered.

#[tokio::test]
async fn every_status_is_a_reply() {
    for status in [200, 204, 304, 400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 599] {
        let server = Server::answering(reply(&format!("{status} X"), "Retry-After: 7\r\n", b"<html>")).await;
        let reply = send_once(&server).await.unwrap();
        assert_eq!(reply.status, status);
        assert_eq!(reply.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(reply.cut, None);
        let bodiless = [204, 304].contains(&status);
        assert_eq!(&reply.body[..], if bodiless { &b""[..] } else { b"<html>" });
    }
}

#[tokio::test]
async fn a_redirect_is_a_reply_and_the_target_sees_nothing() {
    for status in [300, 301, 302, 303, 307, 308] {
        let target = Server::answering(reply("200 OK", "", b"{}")).await;
        let location = format!("Location: {}/v1/bulk-enrich\r\n", target.url());
        let server = Server::answering(reply(&format!("{status} X"), &location, b"")).await;
        assert_eq!(send_once(&server).await.unwrap().status, status);
        settle().await;
        assert_eq!(target.seen.connections(), 0);
    }
}

#[tokio::test]
async fn bodies_come_whole_however_they_are_coded() {
    let text: Vec<u8> = (0..1_300_000_u32).map(|place| b' ' + (place % 95) as u8).collect();
    let chunked = |bytes: &[u8]| {
        let mut coded = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in bytes.chunks(10_007) {
            coded.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            coded.extend_from_slice(piece);
            coded.extend_from_slice(b"\r\n");
        }
        coded.extend_from_slice(b"0\r\n\r\n");
        coded
    };
    let mut until_close = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    until_close.extend_from_slice(&text);
    for answer in [
        reply("200 OK", "", &text),
        reply("200 OK", "Content-Encoding: gzip\r\n", &gzip(&text)),
        chunked(&text),
        until_close,
    ] {
        let server = Server::answering_once(answer).await;
        let reply = send_once(&server).await.unwrap();
        assert_eq!(reply.cut, None);
        assert!(reply.body == text, "{} bytes came", reply.body.len());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_reply_with_a_cut() {
    let zipped = gzip(&vec![b'x'; 100_000]);
    let half = &zipped[..zipped.len() / 2];
    let zipped_length = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", zipped.len());
    let with_head =
        |head: &str, body: &[u8]| [format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes(), body].concat();
    for (answer, body, cut) in [
        (with_head("Content-Length: 10\r\n", b"abc"), Some("abc"), Cut::Disconnected),
        (with_head("Content-Length: 10\r\n", b""), Some(""), Cut::Disconnected),
        (with_head("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n"), Some("abc"), Cut::Disconnected),
        (
            with_head("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n5\r\nde"),
            Some("abcde"),
            Cut::Disconnected,
        ),
        (with_head("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\nxyz\r\n"), Some("abc"), Cut::Garbled),
        (with_head(&zipped_length, half), None, Cut::Disconnected),
        (reply("200 OK", "Content-Encoding: gzip\r\n", half), None, Cut::Garbled),
        (reply("200 OK", "Content-Encoding: gzip\r\n", b"not gzip at all"), Some(""), Cut::Garbled),
    ] {
        let server = Server::answering_once(answer.clone()).await;
        let reply = send_once(&server).await.unwrap();
        let what = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!((reply.status, reply.cut), (200, Some(cut)), "{what}");
        if let Some(body) = body {
            assert_eq!(reply.body, body, "{what}");
        }
    }
}

#[tokio::test]
async fn no_reply_is_read_beyond_its_cap() {
    let bomb = gzip(&vec![0; limits::MAX_BODY_BYTES + 1]);
    assert!(bomb.len() < 1_000_000);
    let server = Server::answering_once(reply("200 OK", "Content-Encoding: gzip\r\n", &bomb)).await;
    let big = send_once(&server).await.unwrap();
    assert_eq!((big.cut, big.body.len()), (Some(Cut::TooLarge), limits::MAX_BODY_BYTES));

    for (status, most) in [("200 OK", limits::MAX_BODY_BYTES), ("429 Slow", 64 * 1024)] {
        let server = Server::start(move |_, mut stream, seen| async move {
            seen.request(&mut stream).await;
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 99999999999999\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(&vec![b'x'; 65_536]).await.is_ok() {}
        })
        .await;
        let endless = send_once(&server).await.unwrap();
        assert_eq!((endless.cut, endless.body.len()), (Some(Cut::TooLarge), most));
    }
}

// What is lost.

#[tokio::test]
async fn closed_after_reading_is_lost() {
    let server = Server::answering_once("").await;
    assert_eq!(send_once(&server).await.unwrap_err(), Failure::Lost(Lost::Disconnected));
}

#[tokio::test]
async fn half_a_head_is_lost() {
    let server = Server::answering_once("HTTP/1.1 200 OK\r\nContent-Le").await;
    assert_eq!(send_once(&server).await.unwrap_err(), Failure::Lost(Lost::Disconnected));
}

#[tokio::test]
async fn reset_after_reading_is_lost() {
    let server = Server::start(|_, mut stream, seen| async move {
        seen.request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    assert_eq!(send_once(&server).await.unwrap_err(), Failure::Lost(Lost::Disconnected));
}

#[tokio::test]
async fn what_is_not_http_is_lost() {
    let too_many = "X: 1\r\n".repeat(200);
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(),
        "\0\u{1}\u{2}\u{3}\r\n\r\n".to_owned(),
        "HTTP/1.1 999999 X\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{too_many}\r\n"),
    ] {
        let server = Server::answering_once(garbage.clone()).await;
        assert_eq!(send_once(&server).await.unwrap_err(), Failure::Lost(Lost::Garbled), "{garbage}");
    }
}

#[tokio::test]
async fn an_endless_head_is_lost() {
    let server = Server::start(|_, mut stream, seen| async move {
        seen.request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.unwrap();
        while stream.write_all(&vec![b'x'; 65_536]).await.is_ok() {}
    })
    .await;
    assert!(matches!(send_once(&server).await.unwrap_err(), Failure::Lost(_)));
}

#[tokio::test]
async fn silence_is_lost_when_the_time_is_up() {
    let server = Server::start(|_, mut stream, seen| async move {
        seen.request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let sending = tokio::spawn(transport(server.url()).send(request()));
    while server.seen.requests() == 0 {
        server.seen.progress.notified().await;
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(sending.await.unwrap().unwrap_err(), Failure::Lost(Lost::TimedOut));
    assert_eq!((server.seen.connections(), server.seen.requests()), (1, 1));
}

#[tokio::test]
async fn a_reply_that_dries_up_keeps_what_came() {
    let server = Server::start(|_, mut stream, seen| async move {
        seen.request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let sending = tokio::spawn(transport(server.url()).send(request()));
    while server.seen.requests() == 0 {
        server.seen.progress.notified().await;
    }
    settle().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    let reply = sending.await.unwrap().unwrap();
    assert_eq!((&reply.body[..], reply.cut), (&b"abc"[..], Some(Cut::TimedOut)));
}

// What is not sent.

#[tokio::test]
async fn a_refused_port_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = send(format!("http://{address}")).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent(NotSent::Connect));
    let failure = send(format!("http://localhost:{}", address.port())).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent(NotSent::Connect));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_sent() {
    // A reserved top level (RFC 2606): there is no such name, with or without a network.
    let settings =
        HttpSettings { ca_bundle: Some(authority().bundle.clone()), ..settings("https://nothing.invalid") };
    let failure = HttpTransport::new(settings).unwrap().send(request()).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent(NotSent::Dns));
}

#[tokio::test]
async fn a_connection_that_closes_at_once_is_never_tried_twice() {
    for reset in [false, true] {
        for _ in 0..50 {
            let server = Server::start(move |_, stream, _| async move {
                if reset {
                    stream.set_zero_linger().unwrap();
                }
            })
            .await;
            // Whether the request had been written by then is a matter of luck, and both are true.
            let failure = send(server.url()).await.unwrap_err();
            assert!(
                matches!(failure, Failure::NotSent(NotSent::Connect) | Failure::Lost(Lost::Disconnected)),
                "{failure:?}"
            );
            assert_eq!(server.seen.connections(), 1);
        }
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_is_not_sent() {
    // First the time for connecting is up, then the time for all of it.
    for (connect_timeout, timeout) in [(30, 60), (60, 30), (30, 30)] {
        let server = Server::start(|_, stream, _| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await;
        let settings = HttpSettings {
            ca_bundle: Some(authority().bundle.clone()),
            connect_timeout: Duration::from_secs(connect_timeout),
            timeout: Duration::from_secs(timeout),
            ..settings(format!("https://{}", server.address))
        };
        let sending = tokio::spawn(HttpTransport::new(settings).unwrap().send(request()));
        while server.seen.connections() == 0 {
            server.seen.progress.notified().await;
        }
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(sending.await.unwrap().unwrap_err(), Failure::NotSent(NotSent::Connect));
        tokio::time::resume();
    }
}

// How often it is sent.

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced_and_the_request_goes_out_once() {
    let server = Server::answering_once(reply("200 OK", "", b"{}")).await;
    let transport = transport(server.url());
    for number in 1..=20 {
        assert_eq!(transport.send(request()).await.unwrap().status, 200);
        settle().await;
        assert_eq!((server.seen.connections(), server.seen.requests()), (number, number));
    }
}

/// Many requests at a server that closes, resets and answers as it likes, so that every race
/// between a connection's end and its next request is met. Nothing may arrive twice, and the
/// transport must be right each time it says that something was not sent, or was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_race_sends_anything_twice() {
    let server = Server::start(|connection, mut stream, seen| async move {
        let mut answered = 0;
        loop {
            let whim = (connection * 7 + answered * 3) % 11;
            if whim == 0 {
                stream.set_zero_linger().unwrap();
                return;
            }
            if whim == 1 || !seen.request(&mut stream).await || whim == 2 {
                return;
            }
            if stream.write_all(&reply("200 OK", "", b"{}")).await.is_err() {
                return;
            }
            answered += 1;
        }
    })
    .await;
    let transport = Arc::new(transport(server.url()));
    let mut sending = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let transport = Arc::clone(&transport);
        sending.spawn(async move {
            let mut outcomes = Vec::new();
            for number in 0..250 {
                let body = format!("{sender}-{number}");
                let request = Request { body: Bytes::from(body.clone()), content_type: "text/plain" };
                outcomes.push((body, transport.send(request).await));
            }
            outcomes
        });
    }
    let outcomes: Vec<_> = sending.join_all().await.into_iter().flatten().collect();
    let mut arrivals: HashMap<String, usize> = HashMap::new();
    for body in server.seen.bodies() {
        *arrivals.entry(body).or_default() += 1;
    }
    let (mut answered, mut lost) = (0, 0);
    for (body, outcome) in &outcomes {
        let arrived = arrivals.get(body).copied().unwrap_or(0);
        match outcome {
            Ok(_) => {
                assert_eq!(arrived, 1, "{body}");
                answered += 1;
            }
            Err(Failure::NotSent(_)) => assert_eq!(arrived, 0, "{body}"),
            Err(Failure::Lost(_)) => {
                assert!(arrived <= 1, "{body} arrived {arrived} times");
                lost += 1;
            }
            Err(Failure::Forbidden(_)) => panic!("nothing was forbidden"),
        }
    }
    assert_eq!(outcomes.len(), 2_000);
    assert!(answered > 200 && lost > 20, "{answered} answered, {lost} lost: no race was met");
}

// TLS.

struct Authority {
    bundle: PathBuf,
    acceptor: tokio_rustls::TlsAcceptor,
}

/// An authority made for this run, a server certificate of its for this machine's names, and a file
/// with the authority's certificate.
fn authority() -> &'static Authority {
    static MADE: std::sync::OnceLock<Authority> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer_key = rcgen::KeyPair::generate().unwrap();
        let issuer_certificate = params.self_signed(&issuer_key).unwrap();
        let issuer = rcgen::Issuer::new(params, issuer_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["localhost".to_owned(), "service.example".to_owned()])
                .unwrap()
                .signed_by(&key, &issuer)
                .unwrap();
        let bundle =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("authority-{}.pem", std::process::id()));
        std::fs::write(&bundle, issuer_certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Authority { bundle, acceptor: tokio_rustls::TlsAcceptor::from(Arc::new(config)) }
    })
}

async fn tls_server() -> Server {
    Server::start(|_, stream, seen| async move {
        let Ok(mut stream) = authority().acceptor.accept(stream).await else { return };
        while seen.request(&mut stream).await {
            stream.write_all(&reply("200 OK", "", b"{}")).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_ca_bundle_is_trusted_for_its_own_names_only() {
    let server = tls_server().await;
    let port = server.address.port();
    let settings = |host: &str, ca_bundle: &Path| HttpSettings {
        ca_bundle: Some(ca_bundle.to_owned()),
        ..settings(format!("https://{host}:{port}"))
    };
    let good = HttpTransport::new(settings("localhost", &authority().bundle)).unwrap();
    assert_eq!(good.send(request()).await.unwrap().status, 200);
    assert_eq!(server.seen.requests(), 1);

    let other_name = HttpTransport::new(settings("127.0.0.1", &authority().bundle)).unwrap();
    assert_eq!(other_name.send(request()).await.unwrap_err(), Failure::NotSent(NotSent::Tls));

    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let bundle = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stranger-{}.pem", std::process::id()));
    std::fs::write(&bundle, stranger.cert.pem()).unwrap();
    let other_authority = HttpTransport::new(settings("localhost", &bundle)).unwrap();
    std::fs::remove_file(&bundle).unwrap();
    assert_eq!(other_authority.send(request()).await.unwrap_err(), Failure::NotSent(NotSent::Tls));
    assert_eq!(server.seen.requests(), 1);
}

/// Whatever provider the process has for others, ours is our own: this one could not even greet.
#[tokio::test]
async fn the_default_provider_of_the_process_does_not_matter() {
    let mut useless = rustls::crypto::ring::default_provider();
    useless.cipher_suites.clear();
    let _ = useless.install_default();
    let server = tls_server().await;
    let settings = HttpSettings {
        ca_bundle: Some(authority().bundle.clone()),
        ..settings(format!("https://localhost:{}", server.address.port()))
    };
    assert_eq!(HttpTransport::new(settings).unwrap().send(request()).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_gets_nothing() {
    // One answers in plain text, one closes after the greeting, one before it.
    for (read_first, answer) in [(true, "HTTP/1.1 400 Bad Request\r\n\r\n"), (true, ""), (false, "")] {
        let server = Server::start(move |_, mut stream, _| async move {
            let mut greeting = [0; 4096];
            if read_first {
                let length = stream.read(&mut greeting).await.unwrap();
                assert!(!String::from_utf8_lossy(&greeting[..length]).contains("canary"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await;
        let settings = HttpSettings {
            ca_bundle: Some(authority().bundle.clone()),
            ..settings(format!("https://{}", server.address))
        };
        let failure = HttpTransport::new(settings).unwrap().send(request()).await.unwrap_err();
        assert_eq!(failure, Failure::NotSent(NotSent::Tls));
        assert_eq!(server.seen.connections(), 1);
    }
}

// Proxies.

fn behind(proxy: &Server) -> HttpSettings {
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

// The environment. Tests share theirs, so each of these runs in a process of its own.

/// Runs one of the parts of [`in_an_environment`].
fn run_part(part: &str, variables: &[(&str, String)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "in_an_environment", "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "EXACTBUYER_OFFLINE"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let output = command.env("PART", part).envs(variables.iter().cloned()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("part done"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn in_an_environment() {
    let Ok(part) = std::env::var("PART") else { return };
    let away = || {
        HttpTransport::new(HttpSettings {
            ca_bundle: Some(authority().bundle.clone()),
            ..settings("https://service.example")
        })
        .unwrap()
    };
    match part.as_str() {
        "offline" => {
            let here = Server::answering(reply("200 OK", "", b"{}")).await;
            assert!(matches!(away().send(request()).await.unwrap_err(), Failure::Forbidden(_)));
            assert_eq!(send_once(&here).await.unwrap().status, 200);
            // Loopback by name, but sent to someone else's proxy.
            let detour =
                HttpSettings { proxy: Some("http://proxy.example:1".to_owned()), ..settings(here.url()) };
            let failure = HttpTransport::new(detour).unwrap().send(request()).await.unwrap_err();
            assert!(matches!(failure, Failure::Forbidden(_)));
            assert_eq!(here.seen.requests(), 1);
        }
        "proxy" => {
            // The proxy of the environment refuses whatever it is asked.
            assert_eq!(away().send(request()).await.unwrap_err(), Failure::NotSent(NotSent::Proxy));
        }
        "loopback" => {
            let here = Server::answering(reply("200 OK", "", b"{}")).await;
            assert_eq!(send_once(&here).await.unwrap().status, 200);
        }
        other => panic!("no such part: {other}"),
    }
    let _ = std::fs::remove_file(&authority().bundle);
    println!("part done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offline_allows_loopback_only() {
    run_part("offline", &[("EXACTBUYER_OFFLINE", "1".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_of_the_environment_is_used_but_never_for_loopback() {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let proxy = Server::answering_once("HTTP/1.1 403 Forbidden\r\n\r\n").await;
        run_part("proxy", &[(name, proxy.url())]);
        assert_eq!(proxy.seen.requests(), 1, "{name}");
    }
    let proxy = Server::answering_once("HTTP/1.1 403 Forbidden\r\n\r\n").await;
    let everything = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
    run_part("loopback", &everything.map(|name| (name, proxy.url())));
    assert_eq!(proxy.seen.connections(), 0);
}

// What is said.

struct Listener(Mutex<String>);

static HEARD: Listener = Listener(Mutex::new(String::new()));

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        use std::fmt::Write as _;
        writeln!(self.0.lock().unwrap(), "{} {}", record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&HEARD).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
}

#[tokio::test]
async fn neither_key_nor_body_nor_password_is_ever_said() {
    use std::fmt::Write as _;

    listen();
    let mut said = String::new();
    let server = tls_server().await;
    let refusing = Server::answering_once("HTTP/1.1 407 Who are you\r\n\r\n").await;
    let closing = Server::answering_once("").await;
    for settings in [
        HttpSettings {
            ca_bundle: Some(authority().bundle.clone()),
            ..settings(format!("https://localhost:{}", server.address.port()))
        },
        behind(&refusing),
        settings(closing.url()),
    ] {
        let _ = write!(said, "{settings:?} {settings:#?}");
        let transport = HttpTransport::new(settings).unwrap();
        let _ = write!(said, "{transport:?} {transport:#?}");
        let _ = write!(said, "{:?}", transport.send(request()).await);
    }
    for wrong in [
        HttpSettings { proxy: Some("ftp://u:canary@proxy".to_owned()), ..settings(server.url()) },
        HttpSettings { base_url: "https://u:canary@x.example".to_owned(), ..settings("") },
        HttpSettings { ca_bundle: Some("/no/such/file".into()), ..settings(server.url()) },
    ] {
        let _ = write!(said, "{wrong:?}");
        let error = HttpTransport::new(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let _ = write!(said, "{error} {error:?}");
    }
    said += &HEARD.0.lock().unwrap();
    assert!(said.contains("reqwest") && said.contains("rustls"), "the log was not heard");
    assert!(!said.contains("canary"), "{said}");
}
