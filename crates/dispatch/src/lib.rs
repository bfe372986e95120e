//! DISPATCH: the only place that spawns, sleeps and selects; what stopping means is decided here.
//!
//! An [`Engine`] is what runs share: the network, the store, the limiter, the budget. A [`Run`] is
//! the door to one run, which lives in a task of its own; each request lives in another. Dropping
//! a door never drops a paid answer.

mod attempt;
mod consult;
mod landing;
mod launch;
mod limiter;
mod run;
mod runner;
mod split;
mod tally;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use exactbuyer_core::budget::Budget;
use exactbuyer_core::concurrency::Concurrency;
use exactbuyer_core::config::{Config, Per};
use exactbuyer_core::service::transport::Transport;
use exactbuyer_core::store::Store;

use limiter::Share;
use runner::Runner;

pub use consult::terms;
pub use run::{Progress, Run};

/// What several runs share: the settings, the network, the store, the limiter, the budget.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// While so many lookups wait to be sent, no more rows are admitted.
const READ_AHEAD: usize = 16_384;

/// What one run may settle for itself.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Instead of the engine's own.
    pub required_fields: Option<Box<[Box<str>]>>,
    /// Tightens the engine's ceiling for this run.
    pub max_credits: Option<u64>,
    /// Ask again for what the store has.
    pub refresh: bool,
    /// Send nothing: what the store cannot answer is `not_sent`.
    pub store_only: bool,
    /// All rows are available at once: nothing is sent before the input is finished, and each answer is
    /// kept until the last row that names its lookup, so that it is not paid for again. Otherwise a lookup
    /// is forgotten 100,000 rows after the last row that named it.
    pub whole: bool,
    /// The most lookups that wait to be sent. The rows after them are not turned into lookups yet.
    pub read_ahead: usize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            required_fields: None,
            max_credits: None,
            refresh: false,
            store_only: false,
            whole: false,
            read_ahead: READ_AHEAD,
        }
    }
}

struct Shared {
    config: Config,
    transport: Arc<dyn Transport>,
    store: Arc<dyn Store>,
    limiter: Share,
    resources: Mutex<Resources>,
    /// A slot, a credit or a doubt of some run has become free.
    freed: Notify,
    chance: Mutex<fastrand::Rng>,
}

/// What the runs of an engine compete for.
struct Resources {
    budget: Budget,
    concurrency: Concurrency,
    in_flight: usize,
}

impl Shared {
    fn resources(&self) -> MutexGuard<'_, Resources> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chance(&self) -> f64 {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }
}

impl Engine {
    /// An engine of these settings. `origin` names the service and the key (by its fingerprint)
    /// for the limiter that all engines of the process share.
    #[must_use]
    pub fn new(
        config: Config,
        transport: Arc<dyn Transport>,
        store: Arc<dyn Store>,
        origin: (String, u64),
    ) -> Self {
        let now = tokio::time::Instant::now().into_std();
        let limiter = Share::of(origin, config.requests_per_minute, now);
        Self::of(config, transport, store, limiter, fastrand::Rng::new())
    }

    /// An engine whose every choice follows from the seed, with a limiter of its own: for
    /// simulations.
    #[must_use]
    pub fn seeded(config: Config, transport: Arc<dyn Transport>, store: Arc<dyn Store>, seed: u64) -> Self {
        let limiter = Share::private(config.requests_per_minute);
        Self::of(config, transport, store, limiter, fastrand::Rng::with_seed(seed))
    }

    fn of(
        config: Config,
        transport: Arc<dyn Transport>,
        store: Arc<dyn Store>,
        limiter: Share,
        chance: fastrand::Rng,
    ) -> Self {
        // Over several runs, and what else shares it, a durable store counts.
        let ceiling = config.max_credits.filter(|_| !store.durable() && config.per != Per::Run);
        let resources = Resources {
            budget: Budget::new(ceiling),
            concurrency: Concurrency::new(config.max_concurrency),
            in_flight: 0,
        };
        let shared = Shared {
            config,
            transport,
            store,
            limiter,
            resources: Mutex::new(resources),
            freed: Notify::new(),
            chance: Mutex::new(chance),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts a run on this runtime. Nothing is sent before rows are fed.
    #[must_use]
    pub fn start(&self, runtime: &tokio::runtime::Handle, options: RunOptions) -> Run {
        let (run, port, inbox) = Run::open(self.shared.config.grace);
        runtime.spawn(Runner::new(self.shared.clone(), port, inbox, options).run());
        run
    }
}
