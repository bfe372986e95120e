//! Servers written by hand, a few lines each: they do what no well-behaved library would, and count
//! what reached them.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What reached a server.
#[derive(Default)]
pub(crate) struct Seen {
    inner: Mutex<Inner>,
    /// Told at each accepted connection and at each whole request.
    pub(crate) progress: Notify,
}

#[derive(Default)]
struct Inner {
    connections: usize,
    heads: Vec<String>,
    bodies: Vec<String>,
    resumed: usize,
}

impl Seen {
    pub(crate) fn connections(&self) -> usize {
        self.inner.lock().unwrap().connections
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.inner.lock().unwrap().heads.clone()
    }

    /// The bodies of all requests that came whole.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.inner.lock().unwrap().bodies.clone()
    }

    /// TLS handshakes that resumed an earlier session.
    pub(crate) fn resumed(&self) -> usize {
        self.inner.lock().unwrap().resumed
    }

    pub(crate) fn resume(&self) {
        self.inner.lock().unwrap().resumed += 1;
    }

    pub(crate) fn requests(&self) -> usize {
        self.inner.lock().unwrap().bodies.len()
    }

    /// Reads one request whole and counts it; `false` where the stream ended before that.
    pub(crate) async fn request(&self, stream: &mut (impl AsyncRead + Unpin)) -> bool {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(place) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break place + 4;
            }
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let length: usize = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
            .map_or(0, |length| length.parse().unwrap());
        while bytes.len() < head_end + length {
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
        }
        let mut inner = self.inner.lock().unwrap();
        inner.heads.push(head);
        inner.bodies.push(String::from_utf8_lossy(&bytes[head_end..]).into_owned());
        drop(inner);
        self.progress.notify_one();
        true
    }
}

/// A listening socket whose connections are all handled by one function.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// `handle` gets each connection with its number, the first being 0.
    pub(crate) async fn start<F, H>(handle: H) -> Self
    where
        H: Fn(usize, TcpStream, Arc<Seen>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let accepting = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                for number in 0.. {
                    let (stream, _) = listener.accept().await.unwrap();
                    seen.inner.lock().unwrap().connections += 1;
                    seen.progress.notify_one();
                    tokio::spawn(handle(number, stream, Arc::clone(&seen)));
                }
            }
        });
        Self { address, seen, accepting }
    }

    /// Answers every request of every connection with these bytes.
    pub(crate) async fn answering(reply: impl Into<Vec<u8>>) -> Self {
        let reply = Arc::new(reply.into());
        Self::start(move |_, mut stream, seen| {
            let reply = Arc::clone(&reply);
            async move {
                while seen.request(&mut stream).await {
                    if stream.write_all(&reply).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Reads one request, answers with these bytes, and closes.
    pub(crate) async fn answering_once(reply: impl Into<Vec<u8>>) -> Self {
        let reply = Arc::new(reply.into());
        Self::start(move |_, mut stream, seen| {
            let reply = Arc::clone(&reply);
            async move {
                if seen.request(&mut stream).await {
                    let _ = stream.write_all(&reply).await;
                }
            }
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A reply with this body and its length.
pub(crate) fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Lets everything that has arrived on any socket be seen, and every task that it wakes run. For
/// runtimes of one thread: a byte sent to ourselves comes through the same poll of the system that
/// brings what came before it.
pub(crate) async fn settle() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    for _ in 0..20 {
        far.write_all(b"x").await.unwrap();
        near.read_exact(&mut [0]).await.unwrap();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}
