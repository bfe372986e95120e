//! DISPATCH: the only room that spawns, sleeps and selects.
//!
//! An [`Engine`] is what runs share: the network, the store, the limits. A [`Run`] is the caller's end of one
//! run. The run itself is a task that carries out what its [`Scheduler`](exactbuyer_core::schedule::Scheduler) decides,
//! and each request is another task: dropping a `Run` never drops an answer that is paid for.

mod attempt;
mod limiter;
mod run;
mod shell;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use exactbuyer_core::config::{Config, Keeper, OnUnknown};
use exactbuyer_core::schedule::{Limiter, Limits, Share};
use exactbuyer_core::service::transport::Transport;
use exactbuyer_core::store::{Ceiling, Store, Terms};

use shell::Shell;

pub use exactbuyer_core::schedule::{Progress, RunOptions};
pub use run::Run;

/// What several runs share: the settings, the network, the store, the limits.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<Config>,
    transport: Arc<dyn Transport>,
    store: Arc<dyn Store>,
    limits: Arc<Limits>,
    /// A slot, a credit or a doubt of some run has become free.
    freed: Notify,
    chance: Mutex<fastrand::Rng>,
}

impl Shared {
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
        let rate = limiter::share(origin, config.requests_per_minute, now);
        Self::of(config, transport, store, rate, fastrand::Rng::new())
    }

    /// An engine whose every choice follows from the seed, with a limiter of its own: for
    /// simulations.
    #[must_use]
    pub fn seeded(config: Config, transport: Arc<dyn Transport>, store: Arc<dyn Store>, seed: u64) -> Self {
        let rate = Share::new(Arc::new(Limiter::default()), config.requests_per_minute);
        Self::of(config, transport, store, rate, fastrand::Rng::with_seed(seed))
    }

    fn of(
        config: Config,
        transport: Arc<dyn Transport>,
        store: Arc<dyn Store>,
        rate: Share,
        chance: fastrand::Rng,
    ) -> Self {
        let ceiling = config.credits_of(Keeper::Engine, store.durable());
        let shared = Shared {
            limits: Arc::new(Limits::new(ceiling, config.max_concurrency, rate)),
            config: Arc::new(config),
            transport,
            store,
            freed: Notify::new(),
            chance: Mutex::new(chance),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts a run on this runtime. Nothing is sent before rows are fed.
    #[must_use]
    pub fn start(&self, runtime: &tokio::runtime::Handle, options: RunOptions) -> Run {
        let (run, port, inbox) = Run::open(self.shared.config.grace);
        runtime.spawn(Shell::new(self.shared.clone(), port, inbox, options).run());
        run
    }
}

/// The terms of a run with the store.
#[must_use]
pub fn terms(config: &Config, refresh: bool, durable: bool) -> Terms {
    let kept = |credits| Ceiling { credits, per: config.per, time_zone: config.time_zone.clone() };
    Terms {
        max_age: config.max_age,
        miss_max_age: config.miss_max_age,
        refresh,
        resend: config.on_unknown == OnUnknown::Resend,
        requests_per_minute: config.requests_per_minute,
        key_fingerprint: config.key_fingerprint,
        ceiling: config.credits_of(Keeper::Store, durable).map(kept),
        tags: config.tags.clone(),
    }
}
