//! What is sent, and what is answered.

use std::time::Duration;

use exactbuyer_core::service::limits;
use exactbuyer_core::service::transport::{Cut, Transport};
use tokio::io::AsyncWriteExt;

use crate::server::{Server, gzip, reply, settle};
use crate::{BODY, KEY, request, send_once, transport};

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
            "connection: close".to_owned(),
            format!("content-length: {}", BODY.len()),
            "content-type: application/x-www-form-urlencoded".to_owned(),
            format!("host: {}", server.address),
            format!("user-agent: exactbuyer/{}", env!("CARGO_PKG_VERSION")),
            format!("x-api-key: {KEY}"),
        ]
    );
    assert_eq!(transport.origin(), server.url());
}

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
        reply(
            "200 OK",
            "content-encoding: X-GZIP\r\n",
            &[gzip(&text[..9]), gzip(&text[9..]), vec![0; 9]].concat(),
        ),
        reply("200 OK", "Content-Encoding: gzip\r\nContent-Encoding: GZip\r\n", &gzip(&gzip(&text))),
        reply("200 OK", "Content-Encoding: identity\r\n", &text),
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
        (
            reply("200 OK", "Content-Encoding: gzip\r\n", b"not gzip at all"),
            Some("not gzip at all"),
            Cut::Garbled,
        ),
        (reply("200 OK", "Content-Encoding: deflate\r\n", b"{}"), Some("{}"), Cut::Garbled),
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
    let twice = reply("200 OK", "Content-Encoding: gzip, gzip\r\n", &gzip(&bomb));
    let big = send_once(&Server::answering_once(twice).await).await.unwrap();
    assert_eq!((big.cut, big.body.len()), (Some(Cut::TooLarge), limits::MAX_BODY_BYTES));
    // What produces nothing is bounded, too: empty members, and empty blocks beyond the cap.
    let members = gzip(&gzip(b"").repeat(1_000_000));
    let blocks = gzip(&b"\0\0\0\xff\xff".repeat(limits::MAX_BODY_BYTES / 5 + 1));
    for (body, names, cut) in
        [(members, "gzip, gzip", Cut::Garbled), (blocks, "deflate, gzip", Cut::TooLarge)]
    {
        let head = format!("Content-Encoding: {names}\r\n");
        let empty = send_once(&Server::answering_once(reply("200 OK", &head, &body)).await).await.unwrap();
        assert_eq!(empty.cut, Some(cut));
    }

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
