//! Which request a reply belongs to: each request has its own connection, on which the first final reply counts.

use std::time::Duration;

use bytes::Bytes;
use exactbuyer_core::service::transport::{Request, Transport};
use exactbuyer_http::HttpSettings;
use tokio::io::AsyncWriteExt;

use crate::server::{Server, reply};
use crate::tls::{authority, tls_server};
use crate::{connect, request, send_once, settings, transport};

fn numbered(number: usize) -> Request {
    Request { body: Bytes::from(number.to_string()), content_type: "text/plain" }
}

/// The service bills each request and answers 200. Then it sends a stray reply on the connection, which it
/// keeps open. That must not be taken for the reply to the next request: a refusal would count as free, and the
/// request would be sent, and billed, again.
#[tokio::test]
async fn a_stray_reply_is_never_the_reply_to_the_next_request() {
    let strays = [
        reply("429 Too Many Requests", "", b"slow down"),
        reply("503 Service Unavailable", "Retry-After: 1\r\n", b""),
        reply("408 Request Timeout", "Connection: close\r\n", b""),
        reply("400 Bad Request", "", b""),
        reply("200 OK", "", b"somebody else"),
        b"garbage".to_vec(),
    ];
    for stray in strays {
        for together in [true, false] {
            let sent = stray.clone();
            let server = Server::start(move |_, mut stream, seen| {
                let stray = sent.clone();
                async move {
                    while seen.request(&mut stream).await {
                        let billed = seen.bodies().pop().unwrap();
                        let mut answer = reply("200 OK", "", billed.as_bytes());
                        if together {
                            answer.extend_from_slice(&stray);
                        }
                        let _ = stream.write_all(&answer).await;
                        // Late enough that the next request would be on its way.
                        if !together && stream.peek(&mut [0]).await.is_ok_and(|length| length > 0) {
                            let _ = stream.write_all(&stray).await;
                        }
                    }
                }
            })
            .await;
            let transport = transport(server.url());
            for number in 0..10 {
                let reply = transport.send(numbered(number)).await.unwrap();
                assert_eq!((reply.status, reply.cut), (200, None));
                assert_eq!(reply.body, number.to_string());
            }
            assert_eq!((server.seen.connections(), server.seen.requests()), (10, 10));
        }
    }
}

#[tokio::test]
async fn the_first_final_reply_on_a_connection_is_the_reply() {
    let two = [reply("200 OK", "", b"first"), reply("503 Busy", "", b"second")].concat();
    let longer = [reply("200 OK", "", b"first"), b" and more than was announced".to_vec()].concat();
    let announced = [
        b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n".to_vec(),
        reply("200 OK", "", b"first"),
    ]
    .concat();
    for answer in [two, longer, announced] {
        let server = Server::answering_once(answer).await;
        let reply = send_once(&server).await.unwrap();
        assert_eq!((reply.status, &reply.body[..], reply.cut), (200, &b"first"[..], None));
    }
}

#[tokio::test]
async fn each_request_has_its_own_connection_and_tls_sessions_are_resumed() {
    let server = tls_server().await;
    let settings = HttpSettings {
        ca_bundle: Some(authority().bundle.clone()),
        timeout: Duration::from_secs(30),
        ..settings(format!("https://localhost:{}", server.address.port()))
    };
    let transport = connect(&settings).unwrap();
    for number in 1..=4 {
        assert_eq!(transport.send(request()).await.unwrap().status, 200);
        assert_eq!((server.seen.connections(), server.seen.requests()), (number, number));
    }
    assert_eq!(server.seen.resumed(), 3);
}
