//! A stand-in for the service: a server on this machine that speaks the documented protocol,
//! invents people, keeps a ledger, and fails on request.
//!
//! It is for people who try the client or test their own programs without a key and without cost,
//! and for the client's own tests. It owns the service's side of the protocol. Of the client, it
//! knows only the service's numbers ([`exactbuyer_core::service::limits`]) and the names of the
//! field types.
//!
//! ```
//! use exactbuyer_core::identifier::FieldType;
//! use exactbuyer_sandbox::{Fault, Options, Sandbox};
//!
//! # fn main() -> std::io::Result<()> {
//! let sandbox = Sandbox::start(Options { seed: 1, credits: Some(500), ..Options::default() })?;
//! sandbox.nobody(FieldType::Email, "ana@x.example");
//! sandbox.fail(Fault::ResetAfterBilling.on_request(3));
//! // … run a client against `sandbox.url()`, then look up what was charged:
//! assert_eq!(sandbox.ledger().times_billed(FieldType::Email, "ana@x.example"), 0);
//! # Ok(())
//! # }
//! ```
//!
//! One request, and the file that is asked at each step:
//!
//! ```text
//! head is read     billing::arrive    a number in the ledger; `fault` says whether a fault strikes
//! body is read     billing::answer    key, rate (`window`), form or JSON (`query`), rejected values
//! each lookup      billing::enrich    an override (`overrides`), or an invented person (`people`)
//!                                     credits are taken, and the `ledger` gets its entries
//! the reply        reply              what a fault makes of it, and how it is sent
//! sending          server             by hyper, or by hand if HTTP does not allow such a reply
//! ```
//!
//! A free fault ends the way before the lookups; any other one lets them be charged first. So the ledger shows
//! what a client was charged, whatever the client believes.

mod billing;
mod fault;
mod field_types;
mod ledger;
mod options;
mod overrides;
mod people;
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

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use exactbuyer_core::identifier::FieldType;
use exactbuyer_core::lock;

pub use fault::{BadLuck, Fault};
pub use ledger::{Ledger, Request};
pub use options::{Options, RetryAfter};

use billing::Billing;
use overrides::Override;
use server::SharedBilling;

/// The key that [`Sandbox::api_key`] returns if the sandbox accepts any key.
const ANY_KEY: &str = "sandbox-key";

/// A running sandbox with its own thread. Dropping it stops it at once: clients that still wait for
/// a reply are disconnected.
#[derive(Debug)]
pub struct Sandbox {
    /// Shared with the connections. It has all state but the sockets.
    billing: SharedBilling,
    /// With the port that was really bound, if any free one was asked for.
    address: SocketAddr,
    /// The one of the options, or [`ANY_KEY`].
    api_key: Box<str>,
    process: u32,
    /// Dropping it ends the server; `None` while the sandbox is dropped.
    stop: Option<oneshot::Sender<()>>,
    /// It runs the runtime with all connections.
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox on the loopback interface. It accepts connections when this function
    /// returns.
    ///
    /// # Errors
    /// If the port is taken, `match_rate` is not in 0..=1, or the operating system gives no thread
    /// or socket.
    ///
    /// # Panics
    /// Within a runtime of tokio: it has one of its own.
    pub fn start(options: Options) -> io::Result<Self> {
        if !(0.0..=1.0).contains(&options.match_rate) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "match_rate must be from 0 to 1"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let bound = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)));
        let listener = bound.map_err(|error| not_bound(options.port, &error))?;
        let address = listener.local_addr()?;
        let api_key = options.api_key.clone().unwrap_or_else(|| ANY_KEY.into());
        let elsewhere = format!("http://{address}/elsewhere");
        let billing = Arc::new(Mutex::new(Billing::new(options, elsewhere, Instant::now())));
        let (stop, stopped) = oneshot::channel();
        let for_thread = Arc::clone(&billing);
        let thread = std::thread::Builder::new().name("exactbuyer-sandbox".to_owned()).spawn(move || {
            runtime.block_on(server::serve(listener, for_thread, stopped));
        })?;
        Ok(Self {
            billing,
            address,
            api_key,
            process: std::process::id(),
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The base URL to give to a client, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address on which it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// An API key that it accepts.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Whether this process started it. After a `fork`, the child can send requests to its URL, but
    /// must not use its ledger: a lock that a thread of the parent held would never be released in
    /// the child.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.process == std::process::id()
    }

    /// Assigns a person to this identifier from now on. `contact` is a JSON object, which is
    /// returned exactly as it is written here. It is a match whatever the match rate, unless
    /// `required_fields` asks for a field that it lacks.
    ///
    /// # Errors
    /// If `contact` is not a JSON object.
    ///
    /// ```
    /// use exactbuyer_core::identifier::FieldType::Email;
    /// use exactbuyer_sandbox::{Options, Sandbox};
    ///
    /// let sandbox = Sandbox::start(Options::default())?;
    /// sandbox.person(Email, "ana@acme.example", r#"{"full_name": "Ana Almeida"}"#)?;
    /// assert!(sandbox.person(Email, "ana@acme.example", "[]").is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn person(&self, field_type: FieldType, value: &str, contact: &str) -> io::Result<()> {
        let no_object =
            || io::Error::new(io::ErrorKind::InvalidInput, "a contact must be one object of valid JSON");
        let contact = Override::person(contact).ok_or_else(no_object)?;
        lock(&self.billing).set_override(field_type, value, contact);
        Ok(())
    }

    /// Makes this identifier a miss from now on.
    pub fn nobody(&self, field_type: FieldType, value: &str) {
        lock(&self.billing).set_override(field_type, value, Override::Nobody);
    }

    /// Refuses with 400, from now on, every request that contains this value.
    pub fn reject(&self, field_type: FieldType, value: &str) {
        lock(&self.billing).reject(field_type, value);
    }

    /// Adds a fault that will strike requests.
    pub fn fail(&self, rule: BadLuck) {
        lock(&self.billing).fail(rule);
    }

    /// Adds credits to the account. Without a limit on credits, it does nothing.
    pub fn top_up(&self, credits: u64) {
        lock(&self.billing).top_up(credits);
    }

    /// The credits that are left; `None` if they are unlimited.
    #[must_use]
    pub fn credits_left(&self) -> Option<u64> {
        lock(&self.billing).credits_left()
    }

    /// A copy of the ledger as it is now.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        lock(&self.billing).ledger().clone()
    }

    /// Sets everything back to the state after the start: the ledger, persons and misses, faults,
    /// the window of the rate limit, and the credits. Requests that still wait get their replies,
    /// but are in no ledger.
    pub fn reset(&self) {
        lock(&self.billing).forget();
    }
}

/// An error that says why the port cannot be used, and what to do.
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
                // If the server panicked, its owner, who is done with it, need not know.
                let _ = thread.join();
            }
        } else {
            // In a forked child the thread does not exist. Waking it would affect the parent
            // through the file descriptors that the two share.
            std::mem::forget((stop, thread));
        }
    }
}
