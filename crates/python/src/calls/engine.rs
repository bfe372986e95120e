//! The engine of an enricher. It is built at the first start, because the key is needed only then, and again in a
//! forked child, which cannot use its parent's.
//!
//! An enricher has up to two engines of the crate `dispatch`, both made on demand:
//!
//! - one that sends. It has the key of the first call that sends; a call with another key is refused, because
//!   both would pay from different accounts under one limit.
//! - one that only reads the store, for calls without a key. Its network refuses everything.
//!
//! Starting a run must not wait while it holds the lock of `live`, so everything that can take long is done
//! before: the background threads are started, and the store is opened.

use std::process;
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pyo3::prelude::*;
use tokio::runtime::Handle;

use crate::calls::run::Run;
use crate::calls::waiting::seconds;
use crate::calls::waiting::wait_for;
use crate::convert::OrRaise;
use crate::errors;
use crate::runtime::{self, OfProcess, drop_detached, lock};
use crate::settings::{self, Settings};
use crate::stores::store::Store;
use exactbuyer_core::config::Keeper;
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::Setting;
use exactbuyer_core::secret::ApiKey;
use exactbuyer_core::service::transport::{Failure, Reply, Request, Transport};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_http::HttpTransport;
use exactbuyer_store::MemoryStore;
use exactbuyer_store::sqlite::{Interrupt, SqliteStore};

/// How long a run may take to settle what was in flight.
///
/// It is added to the grace, so that a run whose requests are cut off can still count and deliver them.
const SETTLING: Duration = Duration::from_millis(250);

/// How often a close checks whether runs are over.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Checks for the end of runs between two checks for Ctrl-C.
const POLLS_BETWEEN_SIGNALS: u32 = 10;

/// The parts that need the runtime. They belong to one process.
///
/// `None` in each field means that it was not needed yet.
#[derive(Default)]
struct Live {
    /// The engine that sends, and the fingerprint of its key.
    ///
    /// All calls that send share this engine, its limits and its connections.
    sending: Option<(exactbuyer_dispatch::Engine, u64)>,
    /// The engine that only reads the store: without key and network.
    reading: Option<exactbuyer_dispatch::Engine>,
    /// The store that both engines use.
    ///
    /// It is a handle of its own, so closing the enricher does not close the store that the caller has.
    store: Option<SqliteStore>,
    /// The runs that `close` has to end. Weak: a run that Python has dropped ends by itself, and is removed at
    /// the next start.
    runs: Vec<Weak<exactbuyer_dispatch::Run>>,
}

/// The network of an engine that sends nothing.
///
/// It is never reached: a call without a key is one with `store_only`, or one without anything to look up.
struct NoNetwork;

impl Transport for NoNetwork {
    fn send(&self, _: Request) -> BoxFuture<'static, Result<Reply, Failure>> {
        let refused = Failure::Forbidden("this call has no key to send with: run it again with one");
        std::future::ready(Err(refused)).boxed()
    }
}

/// The settings of one call.
///
/// They are taken apart in `begin`; what remains is dropped by the caller, detached.
struct Call {
    /// `None`: nothing is sent.
    api_key: Option<ApiKey>,
    options: RunOptions,
    /// A handle of this call. Dropping it may wait for the store's threads.
    store: Option<SqliteStore>,
}

/// The engine of an enricher: settings, network, store, limiter, budget.
///
/// Python makes one for each enricher. It is cheap until its first call.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Engine {
    settings: Settings,
    /// The caller's store; `None`: answers are kept in memory, and end with the engine.
    store: Option<Py<Store>>,
    /// The process that made it.
    ///
    /// A forked child has the same object with another process id: that is how it knows that it is a copy.
    pid: u32,
    /// Only threads that are attached to Python lock it, and they stay attached meanwhile. So it is never locked during
    /// a fork.
    live: Mutex<Option<OfProcess<Live>>>,
}

#[pymethods]
impl Engine {
    /// Reads the settings. No key is needed, no thread is started, and no file is opened.
    ///
    /// # Errors
    /// `ValueError` or `ConfigError` for settings that are wrong.
    #[new]
    #[pyo3(signature = (settings, store=None, proxy=None))]
    fn new(
        settings: &Bound<'_, PyAny>,
        store: Option<Py<Store>>,
        proxy: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let settings = settings::read(settings, proxy)?;
        Ok(Self { settings, store, pid: process::id(), live: Mutex::new(None) })
    }

    /// Begins a run. Nothing is sent before rows are fed. `whole`: all rows are known before the first is sent.
    /// `window`, `rows` and `chunk_size` are those of [`RunOptions`]. `max_credits` limits this run; the enricher's own
    /// limit applies as well.
    ///
    /// # Errors
    /// `ConfigError` for an unusable or a different key, and for a forked copy that would share a limit;
    /// `StoreError` if the store cannot be opened; `TransportError` if no thread can be started.
    #[pyo3(signature = (*, api_key, whole=false, window=None, rows=None, chunk_size=None, required_fields=None, max_credits=None, refresh=false, store_only=false))]
    #[allow(clippy::too_many_arguments)] // One for each option.
    fn start(
        &self,
        py: Python<'_>,
        api_key: Option<&Bound<'_, PyAny>>,
        whole: bool,
        window: Option<u64>,
        rows: Option<u64>,
        chunk_size: Option<usize>,
        required_fields: Option<&Bound<'_, PyAny>>,
        max_credits: Option<u64>,
        refresh: bool,
        store_only: bool,
    ) -> PyResult<Run> {
        let required_fields = required_fields.map(settings::required_fields).transpose()?;
        let options = RunOptions {
            required_fields,
            max_credits,
            refresh,
            store_only,
            whole,
            window,
            rows,
            chunk_size,
            ..RunOptions::default()
        };
        let api_key = api_key.map(key).transpose()?;
        let background = runtime::background(py)?;
        // Opened before anything is locked, because it may take long.
        let store = self.store.as_ref().map(|store| store.get().handle(py)).transpose()?;
        let mut call = Call { api_key, options, store };
        let begun = self.begin(&background.runtime, &mut call);
        drop_detached(call.store);
        let run = begun.or_raise(py)?;
        Ok(Run::new(run, background, self.settings.config.grace))
    }

    /// Connects and asks for a reply, to find out whether address, proxy and certificates are right. Returns
    /// the HTTP status, whatever it is.
    ///
    /// # Errors
    /// `TransportError` if there was no reply; `ConfigError` if a setting forbids the connection.
    fn probe(&self, py: Python<'_>) -> PyResult<u16> {
        // No key is sent: this one only fills its place.
        let key = ApiKey::new("none").ok_or_else(|| errors::config("no key can be made"));
        let transport = key.and_then(|key| HttpTransport::new(&self.settings.network, &key)).or_raise(py)?;
        let runtime = runtime::background(py)?.runtime;
        wait_for(py, &Interrupt::default(), move || {
            runtime.block_on(transport.probe()).map_err(|failure| match failure {
                Failure::NotSent(why) => Error::new(ErrorKind::Transport, why.message()),
                Failure::Lost(lost) => Error::new(ErrorKind::Transport, lost.to_string()),
                Failure::Forbidden(why) => errors::config(why),
            })
        })
    }

    /// The settings as they are in use, without the proxy: for the test that compares the defaults.
    #[pyo3(name = "_settings")]
    fn used_settings(&self) -> String {
        let network = &self.settings.network;
        let of_network = (&network.base_url, network.timeout, network.connect_timeout, &network.ca_bundle);
        format!("{:#?} {of_network:?} {}", self.settings.config, self.settings.independent_copies)
    }

    /// Stops all runs, waits for them at most `grace_s` and a little more, and closes the store. A second close
    /// finds nothing to do. Ctrl-C ends the wait and leaves the engine as it is, so that close can be called
    /// again.
    fn close(&self, py: Python<'_>, grace_s: f64) -> PyResult<()> {
        let grace = seconds(grace_s)?;
        let runs: Vec<_> = {
            let live = lock(&self.live);
            let ours = live.as_ref().and_then(OfProcess::get);
            ours.map(|live| live.runs.iter().filter_map(Weak::upgrade).collect()).unwrap_or_default()
        };
        for run in &runs {
            run.stop(grace);
        }
        let mut left = grace + SETTLING;
        loop {
            let began = Instant::now();
            let over = py.detach(|| over_soon(&runs));
            // If this process was stopped meanwhile, that time counts as at most two rounds.
            left = left.saturating_sub(began.elapsed().min(2 * POLLS_BETWEEN_SIGNALS * POLL_INTERVAL));
            // A run ends by itself once its grace is over: a moment more than that.
            if over || left.is_zero() {
                let live = lock(&self.live).take();
                return wait_for(py, &Interrupt::default(), move || {
                    if let Some(mut live) = live.and_then(OfProcess::take) {
                        let store = live.store.take();
                        drop(live);
                        if let Some(store) = store {
                            store.close();
                        }
                    }
                    Ok(())
                });
            }
            py.check_signals()?;
        }
    }
}

impl Engine {
    /// Neither calls Python nor waits: see `live`.
    ///
    /// The order matters: first what can be refused without making anything, then the parts that are missing,
    /// then the run. If it fails, the parts that were made stay for the next call.
    fn begin(&self, runtime: &Handle, call: &mut Call) -> Result<Arc<exactbuyer_dispatch::Run>, Error> {
        let config = &self.settings.config;
        let own = config.credits_of(Keeper::Engine, self.store.is_some());
        if self.pid != process::id() && own.is_some() && !self.settings.independent_copies {
            return Err(errors::config(message!(
                "a forked copy cannot share the limit {} with the process it came from: make a \
                 BulkEnricher in the child, with a limit of its own, or give both a store",
                Setting::MaxCredits
            )));
        }
        let key = call.api_key.take();
        let mut slot = lock(&self.live);
        if slot.as_ref().and_then(OfProcess::get).is_none() {
            // The value before belongs to another process, so it is forgotten: nothing is dropped under the lock.
            *slot = Some(OfProcess::new(Live::default()));
        }
        let Some(live) = slot.as_mut().and_then(OfProcess::get_mut) else {
            return Err(errors::config("this process was forked while an engine was made: start again"));
        };
        if live.store.is_none() {
            live.store = call.store.as_ref().map(SqliteStore::for_another_user);
        }
        let store = live.store.as_ref();
        let engine = match key {
            None => live.reading.get_or_insert_with(|| self.reading(store)),
            Some(key) => {
                let fingerprint = key.fingerprint();
                if live.sending.is_none() {
                    live.sending = Some((self.sending(&key, store)?, fingerprint));
                }
                match &live.sending {
                    Some((engine, known)) if *known == fingerprint => engine,
                    _ => return Err(another_key()),
                }
            }
        };
        let run = Arc::new(engine.start(runtime, std::mem::take(&mut call.options)));
        live.runs.retain(|run| run.strong_count() > 0);
        live.runs.push(Arc::downgrade(&run));
        Ok(run)
    }

    /// The engine that sends. With a store, the fingerprint of the key in the journal is the store's own: equal
    /// in all processes that share the store, and another one in every other store.
    fn sending(
        &self,
        key: &ApiKey,
        store: Option<&SqliteStore>,
    ) -> Result<exactbuyer_dispatch::Engine, Error> {
        let (fingerprint, mut config) = (key.fingerprint(), self.settings.config.clone());
        if let Some(store) = store {
            config.key_fingerprint = store.fingerprint(key)?;
        }
        let transport = HttpTransport::new(&self.settings.network, key)?;
        let origin = transport.origin().to_owned();
        Ok(exactbuyer_dispatch::Engine::new(
            config,
            Arc::new(transport),
            shared(store),
            (origin, fingerprint),
        ))
    }

    /// The engine for calls without a key. Its origin is one that no engine with a network has, so it shares no
    /// rate with any.
    fn reading(&self, store: Option<&SqliteStore>) -> exactbuyer_dispatch::Engine {
        let config = self.settings.config.clone();
        exactbuyer_dispatch::Engine::new(
            config,
            Arc::new(NoNetwork),
            shared(store),
            ("nowhere".to_owned(), 0),
        )
    }
}

/// Without a store, answers are kept in memory: only for the runs of this engine.
fn shared(store: Option<&SqliteStore>) -> Arc<dyn exactbuyer_core::store::Store> {
    match store {
        Some(store) => Arc::new(store.clone()),
        None => Arc::new(MemoryStore::default()),
    }
}

/// # Errors
/// `ConfigError`, with a message that does not contain the key.
fn key(given: &Bound<'_, PyAny>) -> PyResult<ApiKey> {
    settings::secret(given, ApiKey::new)?.flatten().ok_or_else(|| {
        let unusable = errors::config(message!(
            "the API key is empty or holds characters that no HTTP header can carry: check \
             EXACTBUYER_API_KEY or {}",
            Setting::ApiKey
        ));
        errors::exception(given.py(), &unusable)
    })
}

/// Refused, because the engine's limit, rate and store belong to one account.
fn another_key() -> Error {
    errors::config(
        "the API key is another than at this enricher's first call: build a new BulkEnricher for it",
    )
}

/// Waits a while, and returns whether all runs are over.
///
/// It looks at least once, and waits at most [`POLLS_BETWEEN_SIGNALS`] times [`POLL_INTERVAL`].
fn over_soon(runs: &[Arc<exactbuyer_dispatch::Run>]) -> bool {
    (0..POLLS_BETWEEN_SIGNALS).any(|_| {
        let over = runs.iter().all(|run| run.is_over());
        if !over {
            thread::sleep(POLL_INTERVAL);
        }
        over
    })
}
