//! The task of one run: it asks the [`Scheduler`] for each step and carries it out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

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
pub(super) enum Event {
    /// More rows.
    Fed(Vec<Row>, Vec<u64>),
    /// No more rows.
    Finished,
    /// Start nothing new, and wait so long for what is in flight.
    Stop(Duration),
    /// A request is over.
    Landed(u64, Box<Report>),
}

/// The task of one run.
pub(super) struct Shell {
    shared: Arc<Shared>,
    port: Arc<Port>,
    inbox: UnboundedReceiver<Event>,
    run: RunId,
    required: Required,
    scheduler: Scheduler,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Shell {
    /// Begins the run in the store. The returned value must be [run](Self::run), or the store never learns of its end.
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
        let required = options.required_fields.unwrap_or_else(|| config.required_fields.clone()).into();
        Self { shared, port, inbox, run, required, scheduler }
    }

    /// Runs until every row has its outcome.
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
        shared.store.end(self.run);
        port.report(self.scheduler.troubles(), true);
        shared.freed.notify_waiters();
    }

    fn absorb(&mut self, event: Event) {
        match event {
            Event::Fed(rows, counts) => self.scheduler.feed_counted(rows, counts),
            Event::Finished => self.scheduler.finish(),
            Event::Stop(grace) => self.scheduler.stop(grace, now()),
            Event::Landed(number, report) => self.scheduler.landed(number, *report, now()),
        }
        self.apply_effects();
    }

    /// Takes steps until the run must wait, or is over.
    async fn step(&mut self) -> Step {
        loop {
            let step = self.scheduler.next(now(), self.port.backlog());
            match step {
                Step::Consult(question) => self.consult(question).await,
                Step::Send(request) => self.send(request),
                Step::GiveUp => self.scheduler.give_up(&time_of_day(now_ms())),
                step => {
                    self.apply_effects();
                    return step;
                }
            }
            self.apply_effects();
        }
    }

    async fn consult(&mut self, question: Question) {
        let (ids, identifiers) = self.scheduler.lookups(&question);
        let answer = self.shared.store.consult(self.run, &self.required, &identifiers).await;
        self.scheduler.consulted(question, answer.map(|found| ids.into_iter().zip(found)), now());
    }

    fn send(&self, Request { number, identifiers, resends, cleared }: Request) {
        let attempt = Attempt {
            transport: self.shared.transport.clone(),
            store: self.shared.store.clone(),
            run: self.run,
            required: self.required.clone(),
            format: self.shared.config.body,
            identifiers,
            resends,
            cleared,
        };
        let (shared, events) = (self.shared.clone(), self.port.events.clone());
        let in_flight = InFlight { shared, events, number, is_over: false };
        tokio::spawn(async move { in_flight.end(attempt.run().await) });
    }

    fn apply_effects(&mut self) {
        for effect in self.scheduler.effects() {
            match effect {
                Effect::Freed => self.shared.freed.notify_waiters(),
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

/// The task of one attempt. However it ends, the run learns of it, and the slot is free again.
struct InFlight {
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    number: u64,
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
