//! What is lost, what is not sent, and that nothing goes out twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use exactbuyer_core::service::transport::{Cut, Failure, Lost, NotSent, Request, Transport};
use exactbuyer_http::HttpSettings;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::server::{Server, reply, settle};
use crate::tls::authority;
use crate::{connect, request, send, send_once, settings, transport};

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

#[tokio::test]
async fn a_refused_port_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = send(format!("http://{address}")).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent(NotSent::Refused));
    let failure = send(format!("http://localhost:{}", address.port())).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent(NotSent::Refused));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_sent() {
    // A reserved top level (RFC 2606): there is no such name, with or without a network.
    let settings =
        HttpSettings { ca_bundle: Some(authority().bundle.clone()), ..settings("https://nothing.invalid") };
    let failure = connect(&settings).unwrap().send(request()).await.unwrap_err();
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
        let sending = tokio::spawn(connect(&settings).unwrap().send(request()));
        while server.seen.connections() == 0 {
            server.seen.progress.notified().await;
        }
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(sending.await.unwrap().unwrap_err(), Failure::NotSent(NotSent::TimedOut));
        tokio::time::resume();
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
