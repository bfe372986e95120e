//! DISPATCH: the only room that spawns the tasks of runs and requests.
//!
//! An [`Engine`] is what runs share: the network, the store, the limits. A [`Run`] is the caller's end of one
//! run. The run itself is a task that carries out what its [`Scheduler`](exactbuyer_core::schedule::Scheduler) decides,
//! and each request is another task: dropping a `Run` never drops an answer that is paid for.
//!
//! ```text
//!  caller                   task of the run                 one task for each request
//!  ┌─────┐ events: Fed, …   ┌────────────────────┐  spawn   ┌────────────────────────────────┐
//!  │ Run │ ───────────────▶ │ Shell: asks the    │ ───────▶ │ Attempt: claim, send, settle   │
//!  │     │ ◀─────────────── │ Scheduler, obeys   │ ◀─────── │                                │
//!  └─────┘ Port: outcomes   └────────────────────┘  Landed  └────────────────────────────────┘
//! ```
//!
//! Read `run` first (both ends of a run), then `shell` (the loop), `attempt` (one request) and `limiter` (the rate of
//! a key).
//!
//! Nothing is decided here: what is sent next is decided by `schedule`, what a reply means by `policy`, and which
//! lookups may be sent by the store. This room knows no Python, SQLite or sockets. It keeps three promises, each by a
//! value whose destructor does the work if a task ends early:
//!
//! - A lookup that was claimed is settled, released or put in doubt (`attempt::Claimed`).
//! - Every attempt reports once to its run, and gives back its slot (`shell::InFlight`).
//! - A run whose caller has gone stops (the `Drop` of [`Run`]).
//!
//! All waits use tokio's clock, which tests can pause. The system's clock is read only for times that are stored or
//! shown, and to notice that the machine was asleep. No mutex is held across an `await`.

mod attempt;
mod limiter;
mod run;
mod shell;

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use exactbuyer_core::config::{Config, Keeper, OnUnknown};
use exactbuyer_core::lock;
use exactbuyer_core::schedule::{Limiter, Limits, Share};
use exactbuyer_core::service::transport::Transport;
use exactbuyer_core::store::{Ceiling, Store, Terms};

use shell::Shell;

pub use exactbuyer_core::schedule::{Progress, RunOptions};
pub use run::Run;

/// What several runs share: the settings, the network, the store, the limits.
///
/// Clones are the same engine. All runs that it starts compete for its credits and its requests in flight.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What an [`Engine`], its runs and their attempts refer to. It lives until the last of them has ended.
struct Shared {
    /// Never changes: other settings need another engine.
    config: Arc<Config>,
    /// Each attempt calls `send` once.
    transport: Arc<dyn Transport>,
    /// In memory or durable. It decides for each lookup whether somebody else asks for it or has asked.
    store: Arc<dyn Store>,
    /// Credits and requests in flight of this engine, and its share in the rate of the key.
    limits: Arc<Limits>,
    /// A slot, a credit or a doubt of some run has become free. All runs that sleep are woken, and each asks its
    /// scheduler again. A run that is awake needs no signal.
    freed: Notify,
    /// One generator for all runs. With a seed, a simulation can be repeated exactly.
    chance: Mutex<fastrand::Rng>,
}

impl Shared {
    /// A random number from 0 up to 1, for the jitter of retries.
    fn chance(&self) -> f64 {
        lock(&self.chance).f64()
    }
}

impl Engine {
    /// An engine of these settings. `origin` names the service and the key (by its fingerprint)
    /// for the limiter that all engines of the process share.
    ///
    /// The limiter allows the lowest `requests_per_minute` of all engines with the same `origin` that exist at that
    /// moment. It outlives the engine as long as sends or a pause still count.
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

    /// An engine with this rate and these random numbers. Its budget has a ceiling only if nobody else counts the
    /// credits: see [`terms`].
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
    ///
    /// The run is a task of `runtime`, and so are its requests. It ends when every row has its outcome and the input
    /// is finished or stopped. The store learns of the run here and not in the task, so that answers which arrive in
    /// between are kept for it.
    #[must_use]
    pub fn start(&self, runtime: &tokio::runtime::Handle, options: RunOptions) -> Run {
        let (run, port, inbox) = Run::open(self.shared.config.grace);
        runtime.spawn(Shell::new(self.shared.clone(), port, inbox, options).run());
        run
    }
}

/// The terms of a run with the store.
///
/// `durable` says whether the store outlives the process. Both a run and a plan use these terms, so a plan counts
/// what a run would find. A limit on credits is counted in one place:
///
/// | period of the limit | durable store | who counts |
/// |---|---|---|
/// | a run | yes or no | the run's scheduler |
/// | a day, a month, the store's life | yes | the store: `ceiling` is set |
/// | a day, a month, the store's life | no | the engine: its budget has the ceiling |
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
