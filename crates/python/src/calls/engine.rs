//! What an enricher holds, as Python holds it. Built at the first start, for only then is the key
//! asked for; and built anew in a forked child, which can use nothing of its parent's.

use std::process;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pyo3::prelude::*;
use tokio::runtime::Handle;

use crate::calls::run::{Run, seconds};
use crate::calls::waiting::wait_for;
use crate::errors;
use crate::runtime::{self, OfProcess, let_go};
use crate::settings::{self, Settings};
use crate::stores::store::Store;
use exactbuyer_core::config::Per;
use exactbuyer_core::error::Error;
use exactbuyer_core::message;
use exactbuyer_core::message::Setting;
use exactbuyer_core::secret::ApiKey;
use exactbuyer_core::service::transport::{Failure, Reply, Request, Transport};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_http::{HttpSettings, HttpTransport};
use exactbuyer_store::MemoryStore;
use exactbuyer_store::sqlite::{Interrupt, SqliteStore};

/// How long a run may take to settle what was in flight.
const SETTLING: Duration = Duration::from_millis(250);

/// How often a close looks whether runs are over.
const GLANCE: Duration = Duration::from_millis(5);

/// Looks between two looks for Ctrl-C.
const GLANCES_BETWEEN_SIGNALS: u32 = 10;

/// What leans on the runtime: of one process.
#[derive(Default)]
struct Live {
    /// What sends, and whose key it sends with.
    sending: Option<(exactbuyer_dispatch::Engine, u64)>,
    /// What only reads the store: without a key, and without a network.
    reading: Option<exactbuyer_dispatch::Engine>,
    /// The store that both engines use.
    store: Option<SqliteStore>,
    runs: Vec<Weak<exactbuyer_dispatch::Run>>,
}

/// The network of an engine that sends nothing.
struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: Request) -> BoxFuture<'static, Result<Reply, Failure>> {
        let refused = Failure::Forbidden("this call has no key to send with: run it again with one");
        std::future::ready(Err(refused)).boxed()
    }
}

/// What one call settles for itself.
struct Call {
    /// None: nothing is sent.
    api_key: Option<ApiKey>,
    options: RunOptions,
    store: Option<SqliteStore>,
}

/// What an enricher holds: settings, network, store, limiter, budget.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Engine {
    settings: Settings,
    store: Option<Py<Store>>,
    /// The process that made it.
    pid: u32,
    /// Only ever locked by a thread attached to Python, which keeps attached meanwhile: so a fork
    /// never catches it locked.
    live: Mutex<Option<OfProcess<Live>>>,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (settings, store=None))]
    fn new(settings: &Bound<'_, PyAny>, store: Option<Py<Store>>) -> PyResult<Self> {
        let settings = settings::read(settings)?;
        Ok(Self { settings, store, pid: process::id(), live: Mutex::new(None) })
    }

    #[pyo3(signature = (*, api_key, whole=false, required_fields=None, max_credits=None, refresh=false, store_only=false))]
    #[allow(clippy::too_many_arguments)] // One for each option.
    fn start(
        &self,
        py: Python<'_>,
        api_key: Option<&Bound<'_, PyAny>>,
        whole: bool,
        required_fields: Option<&Bound<'_, PyAny>>,
        max_credits: Option<u64>,
        refresh: bool,
        store_only: bool,
    ) -> PyResult<Run> {
        let required_fields = required_fields.map(settings::required_fields).transpose()?;
        let options =
            RunOptions { required_fields, max_credits, refresh, store_only, whole, ..RunOptions::default() };
        let api_key = api_key.map(key).transpose()?;
        let background = runtime::background(py)?;
        // Opened before anything is locked: it may take a while.
        let store = self.store.as_ref().map(|store| store.get().handle(py)).transpose()?;
        let mut call = Call { api_key, options, store };
        let begun = self.begin(&background.runtime, &mut call);
        let_go(call.store);
        let run = begun.map_err(|error| errors::exception(py, &error))?;
        Ok(Run::new(run, background, self.settings.config.grace))
    }

    fn close(&self, py: Python<'_>, grace_s: f64) -> PyResult<()> {
        let grace = seconds(grace_s)?;
        let runs: Vec<_> = {
            let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
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
            // Of time in which this process was stopped, no more counts than two looks take.
            left = left.saturating_sub(began.elapsed().min(2 * GLANCES_BETWEEN_SIGNALS * GLANCE));
            // A run ends by itself once its grace is over: a moment more than that.
            if over || left.is_zero() {
                let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
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
    /// Nothing in here calls Python, or waits: see `live`.
    fn begin(&self, runtime: &Handle, call: &mut Call) -> Result<Arc<exactbuyer_dispatch::Run>, Error> {
        let config = &self.settings.config;
        // A store counts for everybody; a ceiling on each call is that call's own.
        let shares = self.store.is_some() || config.per == Per::Run || self.settings.independent_copies;
        if self.pid != process::id() && config.max_credits.is_some() && !shares {
            return Err(errors::config(message!(
                "a forked copy cannot share the limit {} with the process it came from: make a \
                 BulkEnricher in the child, with a limit of its own, or give both a store",
                Setting::MaxCredits
            )));
        }
        let key = call.api_key.take();
        let mut slot = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().and_then(OfProcess::get).is_none() {
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
                    live.sending = Some((self.sending(key, store)?, fingerprint));
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

    fn sending(
        &self,
        key: ApiKey,
        store: Option<&SqliteStore>,
    ) -> Result<exactbuyer_dispatch::Engine, Error> {
        let (fingerprint, mut config) = (key.fingerprint(), self.settings.config.clone());
        if let Some(store) = store {
            config.key_fingerprint = store.fingerprint(&key)?;
        }
        let transport = self.connect(key)?;
        let origin = transport.origin().to_owned();
        Ok(exactbuyer_dispatch::Engine::new(
            config,
            Arc::new(transport),
            shared(store),
            (origin, fingerprint),
        ))
    }

    fn reading(&self, store: Option<&SqliteStore>) -> exactbuyer_dispatch::Engine {
        let config = self.settings.config.clone();
        exactbuyer_dispatch::Engine::new(config, Arc::new(Nowhere), shared(store), ("nowhere".to_owned(), 0))
    }

    fn connect(&self, key: ApiKey) -> Result<HttpTransport, Error> {
        let network = self.settings.network.clone();
        HttpTransport::new(HttpSettings {
            base_url: network.base_url,
            key,
            timeout: network.timeout,
            connect_timeout: network.connect_timeout,
            proxy: network.proxy,
            ca_bundle: network.ca_bundle,
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
        let_go(live);
    }
}

fn shared(store: Option<&SqliteStore>) -> Arc<dyn exactbuyer_core::store::Store> {
    match store {
        Some(store) => Arc::new(store.clone()),
        None => Arc::new(MemoryStore::default()),
    }
}

fn key(given: &Bound<'_, PyAny>) -> PyResult<ApiKey> {
    settings::secret(given)?.as_deref().and_then(ApiKey::new).ok_or_else(|| {
        let unusable = errors::config(message!(
            "the API key is empty or holds characters that no HTTP header can carry: check \
             EXACTBUYER_API_KEY or {}",
            Setting::ApiKey
        ));
        errors::exception(given.py(), &unusable)
    })
}

fn another_key() -> Error {
    errors::config(
        "the API key is another than at this enricher's first call: build a new BulkEnricher for it",
    )
}

/// Looks for a while whether all of them are over.
fn over_soon(runs: &[Arc<exactbuyer_dispatch::Run>]) -> bool {
    (0..GLANCES_BETWEEN_SIGNALS).any(|_| {
        let over = runs.iter().all(|run| run.is_over());
        if !over {
            thread::sleep(GLANCE);
        }
        over
    })
}
