//! Which lookups are in flight: the requests of all processes that share the store, as this process has last seen them.
//!
//! A cache of `request.intent` for all rows that are in flight. The writer keeps it like the file: `sync` adds the
//! claims of other processes, a claim adds its own, and a settlement removes them after the commit. For a moment it
//! may be behind the file, or ahead of it; a claim decides after `sync`.

use hashbrown::{HashMap, HashSet};

use exactbuyer_core::store::{RequestId, Required};

use super::super::key::Key;
use super::super::tables::within;

/// A request in flight.
///
/// Hashes only: a purge need not change it.
#[derive(Debug)]
pub(crate) struct Intent {
    /// Who will settle it; if the owner is dead, nobody will.
    pub(crate) owner: i64,
    pub(crate) fields: Required,
    /// Of the lookups that were claimed.
    pub(crate) keys: Vec<Key>,
}

/// All requests in flight, by the lookups that they ask for.
#[derive(Debug, Default)]
pub(crate) struct Intents {
    by_request: HashMap<i64, Intent>,
    /// For each lookup in flight, its requests: several if the required fields differ.
    by_key: HashMap<Key, Vec<i64>>,
    /// Requests whose answers came and could not be stored. Nobody needs to wait for them. They are still in
    /// `by_request`, and in flight in the file, until their answers are stored.
    lost: HashSet<i64>,
}

impl Intents {
    /// Forgets all of them. They are then read from the file again.
    pub(super) fn clear(&mut self) {
        self.by_request.clear();
        self.by_key.clear();
    }

    /// Adds a request in flight, which must not be there yet.
    pub(crate) fn add(&mut self, request: i64, intent: Intent) {
        for key in &intent.keys {
            self.by_key.entry(*key).or_default().push(request);
        }
        self.by_request.insert(request, intent);
    }

    /// Removes a request that is settled. Does nothing if it is not there.
    pub(crate) fn remove(&mut self, request: i64) {
        self.lost.remove(&request);
        let Some(intent) = self.by_request.remove(&request) else { return };
        for key in &intent.keys {
            if let Some(requests) = self.by_key.get_mut(key) {
                requests.retain(|known| *known != request);
                if requests.is_empty() {
                    self.by_key.remove(key);
                }
            }
        }
    }

    /// Forgets the requests that are not among these.
    pub(super) fn keep(&mut self, requests: &HashSet<i64>) {
        let gone: Vec<i64> =
            self.by_request.keys().filter(|known| !requests.contains(*known)).copied().collect();
        for request in gone {
            self.remove(request);
        }
    }

    /// Whether this request is in flight, as far as this process knows.
    pub(super) fn has(&self, request: i64) -> bool {
        self.by_request.contains_key(&request)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_request.is_empty()
    }

    /// Whether the answer to any of them may still come.
    ///
    /// If there is none, waiting cannot free any credits.
    pub(crate) fn any_awaited(&self) -> bool {
        self.by_request.keys().any(|request| !self.lost.contains(request))
    }

    pub(super) fn owners(&self) -> Vec<i64> {
        let mut owners: Vec<i64> = self.by_request.values().map(|intent| intent.owner).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Whether there are answers that could not be stored.
    pub(crate) fn any_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether the answer to this request came and could not be stored.
    pub(crate) fn is_lost(&self, request: RequestId) -> bool {
        self.lost.contains(&request.0)
    }

    /// Notes that the answer to a request came and could not be stored.
    pub(crate) fn lose(&mut self, request: i64) {
        self.lost.insert(request);
    }

    /// The requests that ask for this identifier, and whose answers could answer a lookup with these required fields.
    ///
    /// Sets of fields of which neither contains the other are different lookups: none of their answers serves both.
    pub(crate) fn asking<'a>(
        &'a self,
        key: &Key,
        fields: &'a [Box<str>],
    ) -> impl Iterator<Item = InFlight> + 'a {
        let requests = self.by_key.get(key).map(Vec::as_slice).unwrap_or_default();
        requests.iter().filter_map(move |request| {
            let intent = self.by_request.get(request)?;
            let related = within(fields, &intent.fields) || within(&intent.fields, fields);
            related.then(|| InFlight { owner: intent.owner, lost: self.lost.contains(request) })
        })
    }
}

/// A request that asks for a lookup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlight {
    pub(crate) owner: i64,
    /// Whether its answer came and could not be stored.
    pub(crate) lost: bool,
}
