//! One request, from the claim to the stored answer, in a task of its own: nothing that happens to
//! the run drops a paid answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::BodyFormat;
use crate::error::Error;
use crate::identifier::Identifier;
use crate::plan::LookupId;
use crate::policy::{Verdict, judge};
use crate::store::{Known, Required, RunId, Settled, Standing, Store};
use crate::vendor::align::{Answer, Settlement, settle};
use crate::vendor::decode::decode;
use crate::vendor::transport::{Failure, Transport};
use crate::vendor::wire::encode;

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
}

/// What came of an attempt.
pub(super) struct Landed {
    /// What was sent, without what others are asking or have asked.
    pub(super) parcel: Parcel,
    /// What others are asking for right now.
    pub(super) held: Vec<LookupId>,
    /// What others have asked for.
    pub(super) known: Vec<(LookupId, Known)>,
    pub(super) came_to: CameTo,
    /// The answers, or that they are free again, could not be stored.
    pub(super) not_stored: Option<Error>,
}

pub(super) enum CameTo {
    /// Others had it all.
    NothingToSend,
    /// The intent could not be noted, so nothing was sent.
    NotNoted(Error),
    /// A reply that was charged, read.
    Answered(Settlement),
    /// Anything else. `left` if a byte may have gone out.
    Judged { verdict: Verdict, left: bool },
}

impl Attempt {
    /// Claims, sends, reads and stores.
    ///
    /// # Cancel safety
    /// Not safe: run it in a task of its own.
    pub(super) async fn run(self) -> Landed {
        let claimed = self.store.claim(self.run, &self.required, &self.identifiers).await;
        let standings = match claimed {
            Ok(standings) => standings,
            Err(error) => {
                return Landed {
                    parcel: self.parcel,
                    held: Vec::new(),
                    known: Vec::new(),
                    came_to: CameTo::NotNoted(error),
                    not_stored: None,
                };
            }
        };
        let Self { transport, store, run, required, format, parcel, identifiers, hold } = self;
        let mut mine = Vec::with_capacity(identifiers.len());
        let (mut ids, mut held, mut known) = (Vec::with_capacity(parcel.ids.len()), Vec::new(), Vec::new());
        for ((id, identifier), standing) in parcel.ids.iter().zip(identifiers).zip(standings) {
            match standing {
                Standing::Free => {
                    ids.push(*id);
                    mine.push(identifier);
                }
                Standing::Held => held.push(*id),
                Standing::Known(answer) => known.push((*id, answer)),
            }
        }
        let parcel = Parcel { ids, ..parcel };
        if mine.is_empty() {
            return Landed { parcel, held, known, came_to: CameTo::NothingToSend, not_stored: None };
        }

        let started = tokio::time::Instant::now();
        let outcome = transport.send(encode(mine.iter(), &required, format)).await;
        let took = started.elapsed();

        let left = !matches!(outcome, Err(Failure::NotSent(_) | Failure::Forbidden(_)));
        let came_to = match judge(&outcome, took) {
            Verdict::Answered => {
                let (body, cut) = outcome.map(|reply| (reply.body, reply.cut)).unwrap_or_default();
                let mut settlement = settle(&mine, &decode(&body));
                // What cut the body short says more than where it breaks off.
                if let Some(cut) = cut {
                    settlement.note = Some(cut.as_str());
                    for answer in &mut settlement.answers {
                        if let Answer::Unknown(why) = answer {
                            *why = cut.as_str();
                        }
                    }
                }
                CameTo::Answered(settlement)
            }
            verdict => CameTo::Judged { verdict: stamped(verdict), left },
        };
        if store.release_if_alone(run, &required, &mine) {
            return Landed { parcel, held, known, came_to, not_stored: None };
        }
        let settled = settled(&came_to, mine, hold);
        let not_stored = store.settle(run, &required, settled).await.err();
        Landed { parcel, held, known, came_to, not_stored }
    }
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

/// The time of day, for people who compare it with the vendor's log.
pub(super) fn utc_now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let second = since.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02} UTC", second / 3_600, second / 60 % 60, second % 60)
}

/// What the store is told of each lookup that was sent.
fn settled(came_to: &CameTo, mine: Vec<Identifier>, hold: bool) -> Vec<(Identifier, Settled)> {
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
                    Answer::Unknown(_) => Settled::Released,
                };
                (identifier, settled)
            })
            .collect(),
        CameTo::Judged { verdict, .. } => {
            let settled = match verdict {
                Verdict::Unknown { reason, .. } if hold => {
                    Settled::Known(Known::Unknown(reason.as_str().into()))
                }
                Verdict::Refused(_) | Verdict::TooLarge if alone => {
                    Settled::Known(Known::Rejected(rejection(verdict)))
                }
                _ => Settled::Released,
            };
            mine.into_iter().map(|identifier| (identifier, settled.clone())).collect()
        }
        CameTo::NothingToSend | CameTo::NotNoted(_) => Vec::new(),
    }
}

/// Why a record that stood alone was refused.
pub(super) fn rejection(verdict: &Verdict) -> Arc<str> {
    match verdict {
        Verdict::Refused(status) => format!("the service refused this record ({status})").into(),
        _ => "the service refused this record (413: too large)".into(),
    }
}
