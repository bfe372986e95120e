//! The task of one run: it asks the [`Scheduler`] for each step and carries it out.
//!
//! One round of the loop:
//!
//! 1. Register for the signals that may wake the run.
//! 2. Read all events that have arrived, so that the scheduler decides with everything that is known.
//! 3. Carry out steps until the scheduler says that the run must wait, or is over.
//! 4. Hand outcomes and counts to the caller.
//! 5. Wait for an event, a signal or the time that the scheduler named.
//!
//! After each call to the scheduler, its effects are carried out too. The shell keeps no state of its own about
//! lookups: everything that decides about money is in the scheduler, where it can be tested without a runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::plan::Row;
use exactbuyer_core::policy::Verdict;
use exactbuyer_core::schedule::{
    AttemptOutcome, Effect, Question, Report, Request, RunOptions, Scheduler, Step,
};
use exactbuyer_core::store::{ABANDONED, Required, RunId};

use super::attempt::{Attempt, now_ms, time_of_day};
use super::run::Port;
use super::{Shared, terms};

/// What reaches a run.
///
/// The first three come from the caller's [`Run`](super::Run), the last one from attempts. They are handled in the
/// order in which they were sent.
pub(super) enum Event {
    /// More rows. For each row, how many equal rows of the caller's it stands for. The second list is empty if each
    /// stands for itself.
    Fed(Vec<Row>, Vec<u64>),
    /// No more rows. The run ends once every row has its outcome.
    Finished,
    /// Start nothing new, and wait so long for what is in flight. Waiting rows become `not_sent`. What is still in
    /// flight after this time is unknown.
    Stop(Duration),
    /// A request is over. Its number is [`Request::number`]. If the run has given the request up meanwhile, the
    /// scheduler ignores the report.
    Landed(u64, Box<Report>),
}

/// The task of one run.
///
/// Made by `Engine::start`, and consumed by [`run`](Self::run). Nothing else refers to it: the caller knows the port,
/// and attempts know the channel.
pub(super) struct Shell {
    shared: Arc<Shared>,
    port: Arc<Port>,
    /// Never closed while the task runs, because the port has a sender.
    inbox: UnboundedReceiver<Event>,
    /// The run's number in the store.
    run: RunId,
    /// The fields that contacts must have: the run's own, or else the engine's. They are part of every lookup.
    required: Required,
    scheduler: Scheduler,
    /// Whether every row has its outcome.
    is_over: bool,
}

/// What the caller is told if the task of a run has panicked.
const BROKEN: &str = "an internal error ended this run: rows without a result may have been charged. Compare the receipt \
                      with the service's usage page, and report this error";

/// Tokio's clock, in the form that pure code takes. It stands still where a test pauses it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Shell {
    /// Begins the run in the store, which learns of its end when the returned value is dropped.
    pub(super) fn new(
        shared: Arc<Shared>,
        port: Arc<Port>,
        inbox: UnboundedReceiver<Event>,
        options: RunOptions,
    ) -> Self {
        let (config, durable) = (shared.config.clone(), shared.store.durable());
        let run = shared.store.begin(terms(&config, options.refresh, durable));
        let of_engine = shared.clone();
        let chance = Box::new(move || of_engine.chance());
        let scheduler =
            Scheduler::new(config.clone(), &options, shared.limits.clone(), durable, chance, now());
        let required = options.required_fields.unwrap_or_else(|| config.required_fields.clone());
        let required = required.into_iter().collect();
        Self { shared, port, inbox, run, required, scheduler, is_over: false }
    }

    /// Runs until every row has its outcome.
    ///
    /// Requests that were given up may still be in flight then. Their tasks settle them in the store, and nobody reads
    /// their reports.
    ///
    /// # Cancel safety
    /// Not safe: if the future is dropped, rows have no outcome, and the caller gets an error. Spawn it.
    pub(super) async fn run(mut self) {
        let (shared, port) = (self.shared.clone(), self.port.clone());
        loop {
            // Registered before the state is read, so that nothing that happens in between is lost.
            let (freed, changed) = (shared.freed.notified(), shared.store.changed());
            tokio::pin!(freed, changed);
            freed.as_mut().enable();

            while let Ok(event) = self.inbox.try_recv() {
                self.absorb(event);
            }
            let step = self.step().await;
            let (outcomes, receipt, progress) = self.scheduler.report(now());
            port.deliver(outcomes, receipt, progress);
            match step {
                Step::Done => break,
                Step::Sleep(nap) => {
                    let sleep = async {
                        match nap.until {
                            Some(at) => tokio::time::sleep_until(at.into()).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        Some(event) = self.inbox.recv() => self.absorb(event),
                        () = freed => {}
                        () = changed.as_mut(), if nap.store => {}
                        () = port.taken.notified() => {}
                        () = sleep => {}
                    }
                    if nap.listen {
                        shared.store.listen();
                    }
                    self.scheduler.woke(&nap, now());
                }
                _ => tokio::task::yield_now().await,
            }
            // Whatever woke the run: each change is heard once.
            if changed.as_mut().now_or_never().is_some() {
                self.scheduler.store_changed();
            }
        }
        self.is_over = true;
    }

    /// Tells the scheduler what has happened.
    fn absorb(&mut self, event: Event) {
        match event {
            Event::Fed(rows, counts) => self.scheduler.feed(rows, counts),
            Event::Finished => self.scheduler.finish(),
            Event::Stop(grace) => self.scheduler.stop(grace, now()),
            Event::Landed(number, report) => self.scheduler.landed(number, *report, now()),
        }
        self.apply_effects();
    }

    /// Takes steps until the run must wait, or is over.
    ///
    /// Never returns a step that it could carry out itself: only `More`, `Sleep` and `Done`.
    async fn step(&mut self) -> Step {
        loop {
            let step = self.scheduler.next(now(), self.port.backlog());
            match step {
                Step::Consult(question) => self.consult(question).await,
                Step::Send(request) => self.send(request),
                Step::GiveUp => self.scheduler.give_up(&time_of_day(now_ms())),
                step => {
                    if matches!(step, Step::Done) {
                        let unstored = self.scheduler.unstored();
                        if !unstored.is_empty() {
                            self.scheduler.stored_late(&self.shared.store.settle_again(unstored).await);
                        }
                    }
                    self.apply_effects();
                    return step;
                }
            }
            self.apply_effects();
        }
    }

    /// Asks the store about lookups before they are sent or while others ask for them. Events wait meanwhile. A store
    /// in memory answers at once; a durable one after a read by another thread.
    async fn consult(&mut self, question: Question) {
        let (ids, identifiers) = self.scheduler.lookups(&question);
        let answer = self.shared.store.consult(self.run, &self.required, &identifiers).await;
        self.scheduler.consulted(question, answer.map(|found| ids.into_iter().zip(found)), now());
    }

    /// Starts the task of one request. The scheduler has already set aside its credits, its slot and its place in the
    /// rate.
    fn send(&self, Request { number, identifiers, resends, cleared }: Request) {
        let attempt = Attempt {
            transport: self.shared.transport.clone(),
            store: self.shared.store.clone(),
            run: self.run,
            required: self.required.clone(),
            format: self.shared.config.body,
            identifiers,
            resends,
            halted: self.port.halted.clone(),
            cleared,
        };
        let (shared, events) = (self.shared.clone(), self.port.events.clone());
        let in_flight = InFlight { shared, events, number, is_over: false };
        tokio::spawn(async move { in_flight.end(attempt.run().await) });
    }

    /// Carries out what the scheduler wants besides its steps. None of it is waited for.
    fn apply_effects(&mut self) {
        for effect in self.scheduler.effects() {
            match effect {
                Effect::Freed => self.shared.freed.notify_waiters(),
                Effect::Halt => self.port.halt(),
                Effect::Log(entry) => self.port.log(entry),
                Effect::Warn(troubles) => self.port.report(troubles, false),
                Effect::Doubt(doubted) => {
                    let (shared, run, required) = (self.shared.clone(), self.run, self.required.clone());
                    // If this fails, nothing changes for the caller, who learns of the doubt in any case.
                    tokio::spawn(async move { shared.store.doubt(run, &required, doubted).await });
                }
            }
        }
    }
}

/// However the task ends, the store forgets the run, the caller sees that it is over, and other runs may use what it has
/// released. If it ends too early, because something in it has panicked, the caller gets an error besides.
impl Drop for Shell {
    fn drop(&mut self) {
        if self.is_over {
            self.shared.store.end(self.run);
            self.port.report(self.scheduler.troubles(), true);
        } else {
            self.port.halt();
            self.port.report(vec![Error::new(ErrorKind::UnknownOutcome, BROKEN)], true);
            // A second panic would end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.shared.store.end(self.run)));
        }
        self.shared.freed.notify_waiters();
    }
}

/// The task of one attempt. However it ends, the run learns of it, and the slot is free again.
///
/// Made before the task is spawned, so that even a task which is never polled reports. If the attempt panics or the
/// runtime ends, the run is told that the request may have been charged.
struct InFlight {
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    /// [`Request::number`].
    number: u64,
    /// Whether the report was sent; then the destructor does nothing.
    is_over: bool,
}

impl InFlight {
    fn end(mut self, report: Report) {
        self.is_over = true;
        // Here and not in the run, which may have stopped waiting: the slot is taken until now, and a pause is
        // for everybody.
        if let AttemptOutcome::Failed { verdict: Verdict::Paused(wait), .. } = &report.outcome {
            self.shared.limits.rate.pause(now() + *wait);
        }
        self.tell(report);
    }

    /// First frees the slot, then reports: the run that reads the report can use the slot.
    fn tell(&self, report: Report) {
        self.shared.limits.free_slot();
        self.shared.freed.notify_waiters();
        // If the run is over by then, the answers are in the store, if there is one.
        let _ = self.events.send(Event::Landed(self.number, Box::new(report)));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let verdict = Verdict::Unknown { reason: ABANDONED.to_owned(), congested: false };
        let outcome = AttemptOutcome::Failed { verdict, left: true };
        self.tell(Report { at_ms: now_ms(), ..Report::of(outcome) });
    }
}
