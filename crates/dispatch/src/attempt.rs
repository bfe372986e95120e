//! One request, from the claim to the stored answer, in a task of its own: nothing that happens to
//! the run drops a paid answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use exactbuyer_core::config::BodyFormat;
use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::plan::LookupId;
use exactbuyer_core::policy::{Verdict, judge};
use exactbuyer_core::service::align::{Answer, Settlement, settle};
use exactbuyer_core::service::decode::decode;
use exactbuyer_core::service::limits::WINDOW;
use exactbuyer_core::service::transport::{Cut, Failure, Transport};
use exactbuyer_core::service::wire::encode;
use exactbuyer_core::store::{
    Claim, Evidence, Known, RequestId, Required, Room, RunId, Seen, Settled, Standing, Store,
};

use super::split::GroupId;

/// Lookups that travel together.
#[derive(Debug, Clone, Default)]
pub(super) struct Parcel {
    pub(super) ids: Vec<LookupId>,
    /// Attempts that count against `max_retries`.
    pub(super) attempts: u32,
    /// Not before.
    pub(super) due: Option<Instant>,
    /// The refused chunk that it is a part of.
    pub(super) group: Option<GroupId>,
    /// What happened to an earlier attempt that may have been charged.
    pub(super) doubt: Option<Arc<str>>,
}

impl Parcel {
    /// Whether it can be mixed with others again.
    pub(super) const fn is_plain(&self) -> bool {
        self.attempts == 0 && self.group.is_none() && self.doubt.is_none()
    }

    /// Everything about it but the lookups, for a part of it.
    pub(super) fn clone_without_ids(&self) -> Self {
        let Self { attempts, due, group, ref doubt, .. } = *self;
        Self { ids: Vec::new(), attempts, due, group, doubt: doubt.clone() }
    }
}

/// What one attempt needs.
pub(super) struct Attempt {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) store: Arc<dyn Store>,
    pub(super) run: RunId,
    pub(super) required: Required,
    pub(super) format: BodyFormat,
    pub(super) parcel: Parcel,
    pub(super) identifiers: Vec<Identifier>,
    /// Whether an unknown is final.
    pub(super) hold: bool,
    /// Whether a refusal is the record's own fault, and not perhaps the request's.
    pub(super) cleared: bool,
}

/// What came of an attempt.
pub(super) struct Landed {
    /// What was sent, without what others are asking or have asked.
    pub(super) parcel: Parcel,
    /// What others are asking for right now.
    pub(super) held: Vec<LookupId>,
    /// What others have asked for.
    pub(super) known: Vec<(LookupId, Known, Seen)>,
    /// What the store says must not be sent, and why.
    pub(super) barred: Vec<(LookupId, Arc<str>)>,
    /// How many of those sent the store has a contact for already.
    pub(super) again: u64,
    pub(super) came_to: CameTo,
    /// When it was over, in milliseconds since 1970.
    pub(super) at_ms: i64,
    /// The answers, or that they are free again, could not be stored.
    pub(super) not_stored: Option<Error>,
    /// How many contacts the store does not keep, because they mention a purged person.
    pub(super) withheld: u64,
}

impl Landed {
    /// Of an attempt that sent nothing.
    pub(super) const fn of(parcel: Parcel, came_to: CameTo) -> Self {
        Self {
            parcel,
            held: Vec::new(),
            known: Vec::new(),
            barred: Vec::new(),
            again: 0,
            came_to,
            at_ms: 0,
            not_stored: None,
            withheld: 0,
        }
    }
}

pub(super) enum CameTo {
    /// Others had it all.
    NothingToSend,
    /// The intent could not be noted, so nothing was sent.
    NotNoted(Error),
    /// Others who share the store have used the rate up: not before so long.
    NotYet(Duration),
    /// It would go beyond the ceiling that the store keeps.
    NoRoom(Room),
    /// A reply that was charged, read.
    Answered(Settlement),
    /// Anything else. `left` if a byte may have gone out.
    Judged { verdict: Verdict, left: bool },
}

/// What a request has claimed. Dropped before it is taken out, as by a panic, it is in doubt.
struct Claimed {
    store: Arc<dyn Store>,
    run: RunId,
    required: Required,
    request: RequestId,
    lookups: Vec<Identifier>,
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.lookups.is_empty() {
            self.store.abandon(self.run, &self.required, self.request, std::mem::take(&mut self.lookups));
        }
    }
}

impl Attempt {
    /// Claims, sends, reads and stores.
    ///
    /// # Cancel safety
    /// Not safe: run it in a task of its own.
    pub(super) async fn run(self) -> Landed {
        let claimed = self.store.claim(self.run, &self.required, &self.identifiers).await;
        let (request, standings) = match claimed {
            Ok(Claim::Granted { request, standings }) => (request, standings),
            Ok(Claim::NotBefore(wait)) => return Landed::of(self.parcel, CameTo::NotYet(wait)),
            Ok(Claim::NoRoom(room)) => return Landed::of(self.parcel, CameTo::NoRoom(room)),
            Err(error) => return Landed::of(self.parcel, CameTo::NotNoted(error)),
        };
        let Self { transport, store, run, required, format, parcel, identifiers, hold, cleared } = self;
        let mut mine = Vec::with_capacity(identifiers.len());
        let ids = Vec::with_capacity(parcel.ids.len());
        let mut landed = Landed::of(Parcel { ids, ..parcel.clone_without_ids() }, CameTo::NothingToSend);
        for ((id, identifier), standing) in parcel.ids.into_iter().zip(identifiers).zip(standings) {
            match standing {
                Standing::Free | Standing::Again => {
                    landed.again += u64::from(standing == Standing::Again);
                    landed.parcel.ids.push(id);
                    mine.push(identifier);
                }
                Standing::Held => landed.held.push(id),
                Standing::Known(answer, seen) => landed.known.push((id, answer, seen)),
                Standing::Barred(why) => landed.barred.push((id, why)),
            }
        }
        if mine.is_empty() {
            return landed;
        }
        let mut claimed = Claimed { store, run, required, request, lookups: mine };

        let (started, started_ms) = (tokio::time::Instant::now(), now_ms());
        let body = encode(claimed.lookups.iter(), &claimed.required, format);
        let outcome = transport.send(body).await;
        let at_ms = now_ms();
        // The longer of both clocks: one of them stands still while a machine sleeps, and when a reply came
        // that was found after a sleep, nobody knows.
        let slept = Duration::from_millis(u64::try_from(at_ms - started_ms).unwrap_or(0));
        let took = started.elapsed().max(slept);

        let left = !matches!(outcome, Err(Failure::NotSent(_) | Failure::Forbidden(_)));
        let status = outcome.as_ref().ok().map(|reply| reply.status);
        let mut unread = None;
        let came_to = match judge(&outcome, took) {
            Verdict::Answered => {
                let (body, cut) = outcome.map(|reply| (reply.body, reply.cut)).unwrap_or_default();
                // Compression is checked at its end only: where that fails, any byte before it may be
                // another, and somebody's contact look like a sound one.
                let garbled = cut == Some(Cut::Garbled);
                let readable = if garbled { Bytes::new() } else { body.clone() };
                let mut settlement = settle(&claimed.lookups, &decode(&readable));
                // What cut the body short says more than where it breaks off.
                if let Some(cut) = cut {
                    settlement.note = Some(cut.as_str());
                    for answer in &mut settlement.answers {
                        if let Answer::Unknown(why) = answer {
                            *why = cut.as_str();
                        }
                    }
                }
                if settlement.answers.iter().any(|answer| matches!(answer, Answer::Unknown(_))) {
                    unread = Some(body);
                }
                CameTo::Answered(settlement)
            }
            verdict => CameTo::Judged { verdict: stamped(verdict), left },
        };
        let mine = std::mem::take(&mut claimed.lookups);
        let landed = Landed { came_to, at_ms, ..landed };
        let store = &claimed.store;
        if store.release_if_alone(run, &claimed.required, &mine) {
            return landed;
        }
        let evidence =
            Evidence { at_ms, status, took, unread, ..evidence(&landed.came_to, mine.len() as u64) };
        // What may have been charged when it was sent before is not known to be refused: the doubt stays.
        let cleared = cleared && landed.parcel.doubt.is_none();
        let settled = settled(&landed.came_to, mine, hold, cleared);
        let stored = store.settle(run, &claimed.required, request, settled, evidence).await;
        match stored {
            Ok(withheld) => Landed { withheld, ..landed },
            Err(error) => Landed { not_stored: Some(error), ..landed },
        }
    }
}

/// What the journal is told of a request of so many lookups.
fn evidence(came_to: &CameTo, lookups: u64) -> Evidence {
    match came_to {
        CameTo::Answered(settlement) => Evidence {
            outcome: "answered",
            left: true,
            credits: settlement.credits.into(),
            in_doubt: settlement.in_doubt.into(),
            ..Evidence::default()
        },
        CameTo::Judged { verdict, left } => {
            let (outcome, in_doubt, pause) = match verdict {
                _ if !left => ("not_sent", 0, None),
                Verdict::Unknown { .. } => ("unknown", lookups, None),
                Verdict::Paused(wait) => ("paused", 0, Some(pause(*wait))),
                Verdict::Later { .. } => ("busy", 0, None),
                Verdict::TooLarge => ("too_large", 0, None),
                Verdict::Refused(_) | Verdict::Fatal(_) | Verdict::Answered => ("refused", 0, None),
            };
            Evidence { outcome, left: *left, in_doubt, pause, ..Evidence::default() }
        }
        _ => Evidence::default(),
    }
}

/// A pause that the service asks for is kept to at most so long: nobody means years.
const LONGEST_REMEMBERED: Duration = Duration::from_hours(24);

/// And to at least so long: a 429 that asks for no pause would be met again at once.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a 429 stops everybody.
pub(super) fn pause(wait: Option<Duration>) -> Duration {
    wait.unwrap_or(WINDOW).clamp(SHORTEST_PAUSE, LONGEST_REMEMBERED)
}

/// An unknown, with the time at which it became one.
fn stamped(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Unknown { reason, congested } => {
            Verdict::Unknown { reason: format!("{reason}, at {}", utc_now()), congested }
        }
        other => other,
    }
}

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time of day, for people who compare it with the vendor's log.
pub(super) fn utc_now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let second = since.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02} UTC", second / 3_600, second / 60 % 60, second % 60)
}

/// What the store is told of each lookup that was sent. A refusal that may be the request's fault is
/// not remembered: once that is put right, the record is to be asked for again.
fn settled(came_to: &CameTo, mine: Vec<Identifier>, hold: bool, cleared: bool) -> Vec<(Identifier, Settled)> {
    let alone = mine.len() == 1;
    match came_to {
        CameTo::Answered(settlement) => mine
            .into_iter()
            .zip(&settlement.answers)
            .map(|(identifier, answer)| {
                let settled = match answer {
                    Answer::Hit(record) => Settled::Known(Known::Hit(record.clone())),
                    Answer::Miss => Settled::Known(Known::Miss),
                    Answer::Unknown(why) if hold => Settled::Known(Known::Unknown((*why).into())),
                    Answer::Unknown(why) => Settled::Doubted((*why).into()),
                };
                (identifier, settled)
            })
            .collect(),
        CameTo::Judged { verdict, .. } => {
            let settled = match verdict {
                Verdict::Unknown { reason, .. } if hold => {
                    Settled::Known(Known::Unknown(reason.as_str().into()))
                }
                Verdict::Unknown { reason, .. } => Settled::Doubted(reason.as_str().into()),
                Verdict::Refused(_) | Verdict::TooLarge if alone && cleared => {
                    Settled::Known(Known::Rejected(rejection(verdict)))
                }
                _ => Settled::Released,
            };
            mine.into_iter().map(|identifier| (identifier, settled.clone())).collect()
        }
        _ => Vec::new(),
    }
}

/// Why a record that stood alone was refused.
pub(super) fn rejection(verdict: &Verdict) -> Arc<str> {
    match verdict {
        Verdict::Refused(status) => format!("the service refused this record ({status})").into(),
        _ => "the service refused this record (413: too large)".into(),
    }
}
