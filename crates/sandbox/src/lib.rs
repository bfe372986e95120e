//! The stand-in vendor: a server on this machine that speaks the vendor's documented protocol,
//! invents the people, keeps the books, and has bad luck on request.
//!
//! For people who try the client, or test their own pipelines, without a key or a cent; and for the
//! client's own tests. Owns everything on the vendor's side of the wire; knows nothing of the
//! client's rooms but the vendor's numbers ([`exactbuyer_core::service::limits`]) and the names of field types.
//!
//! ```
//! use exactbuyer_sandbox::{Fault, Options, Sandbox};
//!
//! # fn main() -> std::io::Result<()> {
//! let sandbox = Sandbox::start(Options { seed: 1, credits: Some(500), ..Options::default() })?;
//! sandbox.nobody("ana@x.example");
//! sandbox.fail(Fault::ResetAfterBilling.on_request(3));
//! // … run a client against `sandbox.url()`, then ask who was billed:
//! assert_eq!(sandbox.ledger().times_billed("ana@x.example"), 0);
//! # Ok(())
//! # }
//! ```

mod clerk;
mod fault;
mod field_types;
mod ledger;
mod options;
mod people;
mod pin;
mod query;
mod reply;
mod server;
#[cfg(test)]
mod tests;
mod window;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::net::TcpSocket;
use tokio::sync::oneshot;

pub use fault::{BadLuck, Fault};
pub use ledger::{Entry, Ledger, Request};
pub use options::{Options, RetryAfter};

use clerk::Clerk;
use pin::Pin;
use server::SharedClerk;

/// Connections that may wait to be accepted: more than a client opens at once.
const BACKLOG: u32 = 4_096;

/// A key that every sandbox takes that was not set up with another.
const ANY_KEY: &str = "sandbox-key";

/// A running sandbox, on a thread of its own. Dropping it stops it at once: whoever still waits for
/// an answer is disconnected.
#[derive(Debug)]
pub struct Sandbox {
    clerk: SharedClerk,
    address: SocketAddr,
    api_key: Box<str>,
    process: u32,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts one on the loopback interface; it answers when this returns.
    ///
    /// # Errors
    /// Where the port is taken, `match_rate` is not a share, or the machine gives no thread or socket.
    pub fn start(options: Options) -> io::Result<Self> {
        if !(0.0..=1.0).contains(&options.match_rate) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "match_rate must be from 0 to 1"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            let socket = TcpSocket::new_v4()?;
            // A port that was just left may be taken again.
            socket.set_reuseaddr(true)?;
            let bound = socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)));
            bound.map_err(|error| not_bound(options.port, &error))?;
            socket.listen(BACKLOG)?
        };
        let address = listener.local_addr()?;
        let api_key = options.api_key.clone().unwrap_or_else(|| ANY_KEY.into());
        let clerk = Arc::new(Mutex::new(Clerk::new(options, Instant::now())));
        let (stop, stopped) = oneshot::channel();
        let elsewhere: Arc<str> = format!("http://{address}/elsewhere").into();
        let for_thread = Arc::clone(&clerk);
        let thread = std::thread::Builder::new().name("exactbuyer-sandbox".to_owned()).spawn(move || {
            runtime.block_on(server::serve(listener, for_thread, elsewhere, stopped));
        })?;
        Ok(Self {
            clerk,
            address,
            api_key,
            process: std::process::id(),
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Its base URL: what a client takes for the vendor's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A key that it accepts.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Whether this process is the one that started it. After a `fork`, the child can call it by its
    /// URL, but must not touch its books: nothing here would ever unlock them.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.process == std::process::id()
    }

    /// From now on this identifier belongs to this person: a JSON object, handed out as it is written
    /// here. It is a match whatever the match rate, unless `required_fields` asks for what it lacks.
    ///
    /// # Errors
    /// Where the text is no JSON object.
    pub fn person(&self, value: &str, contact: &str) -> io::Result<()> {
        let no_object = || {
            io::Error::new(io::ErrorKind::InvalidInput, "a pinned contact must be one object of sound JSON")
        };
        let pin = Pin::person(contact).ok_or_else(no_object)?;
        server::lock(&self.clerk).pin(value, pin);
        Ok(())
    }

    /// From now on this identifier belongs to nobody.
    pub fn nobody(&self, value: &str) {
        server::lock(&self.clerk).pin(value, Pin::Nobody);
    }

    /// From now on every call that holds this value is refused with 400.
    pub fn reject(&self, value: &str) {
        server::lock(&self.clerk).reject(value);
    }

    /// Adds bad luck.
    pub fn fail(&self, rule: BadLuck) {
        server::lock(&self.clerk).fail(rule);
    }

    /// Pays credits in, where they are limited.
    pub fn top_up(&self, credits: u64) {
        server::lock(&self.clerk).top_up(credits);
    }

    /// Credits left, where they are limited.
    #[must_use]
    pub fn credits_left(&self) -> Option<u64> {
        server::lock(&self.clerk).credits_left()
    }

    /// A copy of the books as they stand.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        server::lock(&self.clerk).ledger().clone()
    }

    /// Forgets everything since the start: books, pins, bad luck, the rate limit's window; credits are
    /// as they were. Requests still waiting are answered and are on no books.
    pub fn reset(&self) {
        server::lock(&self.clerk).forget();
    }
}

/// Why the port cannot be had, and what to do.
fn not_bound(port: u16, error: &io::Error) -> io::Error {
    let message = format!("port {port} of this machine cannot be had ({error}): take another, or 0 for any");
    io::Error::new(error.kind(), message)
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let (stop, thread) = (self.stop.take(), self.thread.take());
        if self.is_here() {
            drop(stop);
            if let Some(thread) = thread {
                // A server that panicked has nothing to say to whoever is done with it.
                let _ = thread.join();
            }
        } else {
            // In a forked child the thread does not exist, and waking it would reach into the parent
            // through the file descriptors they share.
            std::mem::forget((stop, thread));
        }
    }
}
