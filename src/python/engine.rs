//! What an enricher holds, as Python holds it. Built at the first start, for only then is the key
//! asked for; and built anew in a forked child, which can use nothing of its parent's.

use std::process;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tokio::runtime::Handle;

use super::errors;
use super::run::{Run, seconds};
use super::runtime::{self, OfProcess};
use super::settings::{self, Settings};
use crate::dispatch::{self, RunOptions};
use crate::error::Error;
use crate::secret::ApiKey;
use crate::store::MemoryStore;
use crate::vendor::http::{HttpSettings, HttpTransport};

/// How long a run may take to settle what was in flight.
const SETTLING: Duration = Duration::from_millis(250);

/// How often a close looks whether runs are over.
const GLANCE: Duration = Duration::from_millis(5);

/// Looks between two looks for Ctrl-C.
const GLANCES_BETWEEN_SIGNALS: u32 = 10;

/// What leans on the runtime: of one process.
struct Live {
    engine: dispatch::Engine,
    key: u64,
    runs: Vec<Weak<dispatch::Run>>,
}

/// What an enricher holds: settings, network, limiter, budget.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(super) struct Engine {
    settings: Settings,
    /// The process that made it.
    pid: u32,
    /// Only ever locked by a thread attached to Python, which keeps attached meanwhile: so a fork
    /// never catches it locked.
    live: Mutex<Option<OfProcess<Live>>>,
}

#[pymethods]
impl Engine {
    #[new]
    fn new(settings: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { settings: settings::read(settings)?, pid: process::id(), live: Mutex::new(None) })
    }

    #[pyo3(signature = (*, api_key, required_fields=None, max_credits=None))]
    fn start(
        &self,
        py: Python<'_>,
        api_key: &str,
        required_fields: Option<&Bound<'_, PyAny>>,
        max_credits: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Run> {
        let options = || {
            Ok(RunOptions {
                required_fields: required_fields.map(settings::required_fields).transpose()?,
                max_credits: max_credits.map(settings::max_credits).transpose()?.flatten(),
                ..RunOptions::default()
            })
        };
        let told = |error: Error| errors::exception(py, &error);
        let options = options().map_err(told)?;
        let runtime = runtime::handle(py)?;
        let run = self.begin(&runtime, api_key, options).map_err(told)?;
        Ok(Run::new(run, runtime))
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
        let began = Instant::now();
        loop {
            let over = py.detach(|| over_soon(&runs));
            // A run ends by itself once its grace is over: a moment more than that.
            if over || began.elapsed() >= grace + SETTLING {
                return Ok(());
            }
            py.check_signals()?;
        }
    }
}

impl Engine {
    /// Nothing in here calls Python: see `live`.
    fn begin(
        &self,
        runtime: &Handle,
        api_key: &str,
        options: RunOptions,
    ) -> Result<Arc<dispatch::Run>, Error> {
        if self.pid != process::id() && self.settings.config.max_credits.is_some() {
            return Err(errors::config(
                "a forked copy cannot share the ceiling max_credits with the process it came from: \
                 build a BulkEnricher of its own in the child, with a ceiling of its own",
            ));
        }
        let key = ApiKey::new(api_key).ok_or_else(|| {
            errors::config(
                "the API key is empty or holds characters that no HTTP header can carry: \
                 check EXACTBUYER_API_KEY, or the api_key given",
            )
        })?;
        let fingerprint = key.fingerprint();
        let mut slot = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().and_then(OfProcess::get).is_none() {
            let transport = self.connect(key)?;
            let origin = transport.origin().to_owned();
            let store = Arc::new(MemoryStore::default());
            let config = self.settings.config.clone();
            let engine = dispatch::Engine::new(config, Arc::new(transport), store, (origin, fingerprint));
            *slot = Some(OfProcess::new(Live { engine, key: fingerprint, runs: Vec::new() }));
        }
        let Some(live) = slot.as_mut().and_then(OfProcess::get_mut) else {
            return Err(errors::config("this process was forked while an engine was made: start again"));
        };
        if live.key != fingerprint {
            return Err(errors::config(
                "the API key is another than at this enricher's first call: build a new BulkEnricher for it",
            ));
        }
        let run = Arc::new(live.engine.start(runtime, options));
        live.runs.retain(|run| run.strong_count() > 0);
        live.runs.push(Arc::downgrade(&run));
        Ok(run)
    }

    fn connect(&self, key: ApiKey) -> Result<HttpTransport, Error> {
        let Settings { config, network } = self.settings.clone();
        HttpTransport::new(HttpSettings {
            base_url: network.base_url,
            key,
            timeout: network.timeout,
            connect_timeout: network.connect_timeout,
            proxy: network.proxy,
            ca_bundle: network.ca_bundle,
            max_concurrency: config.max_concurrency,
        })
    }
}

/// Looks for a while whether all of them are over.
fn over_soon(runs: &[Arc<dispatch::Run>]) -> bool {
    (0..GLANCES_BETWEEN_SIGNALS).any(|_| {
        let over = runs.iter().all(|run| run.is_over());
        if !over {
            thread::sleep(GLANCE);
        }
        over
    })
}
