//! What a run asks of the store before it asks the vendor, and what it does with what the store
//! says.

use std::sync::Arc;

use exactbuyer_core::config::{Config, OnUnknown, Per};
use exactbuyer_core::plan::{Final, LookupId, Row};
use exactbuyer_core::results::{Origin, Source};
use exactbuyer_core::store::{Ceiling, Known, Seen, Standing, Terms};

use super::attempt::Parcel;
use super::runner::{Admission, Runner};

/// Rows admitted before the run looks up from its input again.
const ADMIT_AT_ONCE: usize = 16_384;

/// Why a run that may not send leaves a row open.
pub(super) const STORE_ONLY: &str =
    "it is not in the store, and store_only sends nothing: ask again without it";

/// The terms of a run with the store. A ceiling that outlives the process is the store's to keep,
/// if it outlives the process itself.
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
        ceiling: config.max_credits.filter(|_| durable && config.per != Per::Run).map(kept),
        tags: config.tags.clone(),
    }
}

impl Runner {
    /// Whether rows that were fed should be admitted now. A waiting row needs less memory than a waiting
    /// lookup, so only rows whose lookups are sent soon are admitted.
    pub(super) fn wants_rows(&self) -> bool {
        let Admission { whole, ahead } = self.admission;
        let ahead = ahead.max(self.chunk_size);
        let known = !whole || self.input_over;
        known && !self.fed.is_empty() && (self.table.queued() < ahead || self.table.is_full())
    }

    /// Admits some of the rows that were fed, if they are wanted.
    pub(super) async fn admit_some(&mut self) {
        if !self.wants_rows() {
            return;
        }
        let Some(rows) = self.fed.front_mut() else { return };
        let most = self.admission.ahead.min(ADMIT_AT_ONCE);
        let rows: Vec<Row> = rows.take(most).collect();
        if rows.len() < most {
            self.fed.pop_front();
        }
        let from = self.table.rows();
        let mut fresh = Vec::new();
        for row in rows {
            self.table.admit(row, &mut fresh, &mut self.out);
        }
        let durable = self.shared.store.durable();
        let store_only = self.store_only.clone();
        for (id, standing) in self.consult(&fresh).await.unwrap_or_default() {
            match (standing, &store_only) {
                (Standing::Free | Standing::Again | Standing::Held, Some(why)) => {
                    self.table.know(id, Final::NotSent(why.clone()), Source::Asked);
                }
                (Standing::Free | Standing::Again, None) => {}
                (Standing::Held, None) => self.table.hold(id),
                (Standing::Known(known, seen), _) => {
                    let origin = self.origin(&known, seen, durable);
                    if let (Known::Unknown(why), false) = (&known, seen.inherited) {
                        self.tally.doubted(why);
                    }
                    self.table.know(id, finally(known), origin);
                }
                (Standing::Barred(why), _) => self.table.know(id, Final::NotSent(why), Source::Store),
            }
        }
        self.table.activate(from, &mut self.out);
        self.seal_if_complete();
    }

    /// Where an answer that this run has not asked for comes from; `stored` if it was there before
    /// the run came to it. A doubt is the store's only if nobody has just met it.
    pub(super) fn origin(&mut self, known: &Known, seen: Seen, stored: bool) -> Origin {
        let doubt = matches!(known, Known::Unknown(_));
        if doubt && seen.inherited {
            self.tally.inherited(seen);
        }
        let source = if seen.inherited || (stored && !doubt) { Source::Store } else { Source::Duplicate };
        Origin { source, fetched_at_ms: (!doubt && seen.at_ms > 0).then_some(seen.at_ms) }
    }

    /// How these lookups stand with the store. A store that cannot be read ends the run: `None`.
    async fn consult(&mut self, ids: &[LookupId]) -> Option<Vec<(LookupId, Standing)>> {
        let known = ids.iter().filter_map(|id| Some((*id, self.table.identifier(*id)?)));
        let (ids, identifiers): (Vec<_>, Vec<_>) = known.unzip();
        match self.shared.store.consult(self.run, &self.required, &identifiers).await {
            Ok(standings) => Some(ids.into_iter().zip(standings).collect()),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// Takes up what others were asking for and no longer are.
    pub(super) async fn look_at_held(&mut self) {
        // Somebody else was asking for those when they were named, which may be long ago. And what
        // is found out here may bring rows to more of them.
        self.look_again |= self.hold_awaited();
        while !self.held.is_empty() && std::mem::take(&mut self.look_again) {
            self.look_once_at_held().await;
            self.look_again |= self.hold_awaited();
        }
    }

    async fn look_once_at_held(&mut self) {
        for parcel in std::mem::take(&mut self.held) {
            let (mut free, mut held) = (parcel.clone_without_ids(), parcel.clone_without_ids());
            let Some(standings) = self.consult(&parcel.ids).await else {
                // Nobody can tell any more what the others get: the run is stopping, and leaves it.
                self.again(parcel);
                continue;
            };
            for (id, standing) in standings {
                match standing {
                    Standing::Free | Standing::Again => free.ids.push(id),
                    Standing::Held => held.ids.push(id),
                    Standing::Known(known, seen) => self.take_over(id, known, seen),
                    Standing::Barred(why) => self.settle(id, Final::NotSent(why), Source::Store),
                }
            }
            if !free.ids.is_empty() {
                self.again(free);
            }
            self.hold(held);
        }
    }

    /// Somebody else has asked for it meanwhile.
    pub(super) fn take_over(&mut self, id: LookupId, known: Known, seen: Seen) {
        let origin = self.origin(&known, seen, false);
        self.settle(id, finally(known), origin);
    }

    /// Waits for what rows have come to while others were asking for it; whether there was any.
    fn hold_awaited(&mut self) -> bool {
        let ids = self.table.take_awaited();
        let any = !ids.is_empty();
        self.hold(Parcel { ids, ..Parcel::default() });
        any
    }

    /// Others are asking for these.
    pub(super) fn hold(&mut self, parcel: Parcel) {
        if !parcel.ids.is_empty() {
            self.held.push(parcel);
        }
    }

    /// These went out once and will not again: unknown, for this run and for others.
    pub(super) fn remember_doubt(&mut self, ids: &[LookupId], doubt: &Arc<str>) {
        let doubted = ids.iter().filter_map(|id| Some((self.table.identifier(*id)?.clone(), doubt.clone())));
        let (doubted, shared, run) = (doubted.collect(), self.shared.clone(), self.run);
        let required = self.required.clone();
        // Its failure changes nothing for the caller, who gets the doubt either way.
        tokio::spawn(async move { shared.store.doubt(run, &required, doubted).await });
        for id in ids {
            self.settle(*id, Final::Unknown(doubt.clone()), Source::Asked);
        }
    }
}

/// What the store knows, as the table keeps it.
fn finally(known: Known) -> Final {
    match known {
        Known::Hit(record) => Final::Hit(record),
        Known::Miss => Final::Miss,
        Known::Rejected(why) => Final::Rejected(why),
        Known::Unknown(why) => Final::Unknown(why),
    }
}
