//! What the writer remembers between transactions, and what it writes about owners.
//!
//! The memory is valid only in a transaction that began with [`WriterState::sync`]. In between, other processes
//! commit.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, params};

use exactbuyer_core::outcome::RequestOutcome;

use super::super::clock::{now_ms, utc};
use super::super::file::{Fault, query, schema};
use super::super::recognise::PurgedPeople;
use super::super::tables::{DecodedBlock, Tail, barred, block, block_table, index, state, tail};
use super::intents::Intent;
use super::shared::Shared;

/// What the writer remembers between transactions.
///
/// Belongs to the writer's thread. After a transaction that failed, [`distrust_memory`](Self::distrust_memory)
/// forgets all that may not be in the file; `owner` stays, because its lock is held.
#[derive(Debug)]
pub(crate) struct WriterState {
    pub(crate) shared: Arc<Shared>,
    /// The owner of this opening, once it has claimed something. Its lock is held until the writer's thread ends.
    owner: Option<i64>,
    /// Whether the owner's row is in the file.
    registered: bool,
    /// The rates of this opening that other processes see, by key. As they are in the file; they are written only if
    /// they change.
    paces: HashMap<u64, u32>,
    /// The version of the file with which the memory was last compared. `None` if the memory must be read again in
    /// full.
    version: Option<i64>,
    /// The newest answers.
    pub(crate) tail: Tail,
    /// The people who were purged, once they were needed.
    purged: Option<PurgedPeople>,
    /// Whether something happened that runs may wait for. Read and cleared after each transaction.
    pub(crate) notify: bool,
    /// How many answers could not be stored, but may be stored later.
    pub(super) blocking_answers: usize,
}

impl WriterState {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            owner: None,
            registered: false,
            paces: HashMap::new(),
            version: None,
            tail: Tail::default(),
            purged: None,
            notify: false,
            blocking_answers: 0,
        }
    }

    /// The owner of this opening, if it has one yet.
    pub(super) const fn known_owner(&self) -> Option<i64> {
        self.owner
    }

    /// Whether another process has changed the file since the memory was compared with it.
    pub(super) fn is_behind(&self, connection: &Connection) -> bool {
        query::data_version(connection).ok() != self.version
    }

    /// Compares the memory with the file, if another process has changed the file.
    ///
    /// Costs one pragma if nothing has changed. Otherwise it reads the rows in flight, and which requests are in the
    /// tail. The commits of this connection do not change the version, so the memory follows them by itself.
    pub(super) fn sync(&mut self, connection: &Connection) -> Result<(), Fault> {
        let version = query::data_version(connection)?;
        if self.version == Some(version) {
            return Ok(());
        }
        // Before the check, which may fail: runs that wait must learn of that, too.
        self.notify = true;
        schema::check_rules(connection)?;
        if self.version.is_none() {
            // The number of a request that was rolled back may now be that of another process's request.
            self.shared.intents().clear();
            self.tail = Tail::default();
        }
        let mut open = connection
            .prepare_cached("SELECT id, owner, required, intent FROM request WHERE settled_ms IS NULL")?;
        let mut rows = open.query([])?;
        let mut seen = HashSet::new();
        while let Some(row) = rows.next()? {
            let request: i64 = row.get(0)?;
            seen.insert(request);
            if self.shared.intents().has(request) {
                continue;
            }
            let fields = self.shared.field_sets.get(connection, row.get(2)?)?;
            let packed: Vec<u8> = row.get(3)?;
            let keys = DecodedBlock::decode(&packed)?.keys(self.shared.secret());
            let intent = Intent { owner: row.get(1)?, fields, keys };
            self.shared.intents().add(request, intent);
        }
        self.shared.intents().keep(&seen);
        self.tail.sync(connection)?;
        self.purged = None;
        self.version = Some(version);
        Ok(())
    }

    /// The people who were purged by an identifier.
    ///
    /// Read from the file at the first use after a change: a store from which nobody was purged never needs it.
    pub(crate) fn purged(&mut self, connection: &Connection) -> Result<&PurgedPeople, Fault> {
        let purged = match self.purged.take() {
            Some(known) => known,
            None => PurgedPeople::new(barred::named_keys(connection)?, self.shared.secret().clone()),
        };
        Ok(self.purged.insert(purged))
    }

    /// To be called if somebody was purged or allowed.
    pub(crate) fn purged_changed(&mut self) {
        self.purged = None;
    }

    /// Claims call this before they promise to keep another answer.
    ///
    /// # Errors
    /// If an answer could not be stored: the answers to another request could be lost as well.
    pub(crate) fn check_stored(&self) -> Result<(), Fault> {
        if self.blocking_answers == 0 {
            return Ok(());
        }
        Err(Fault::of(format!(
            "the store {}: an answer could not be stored, so nothing more is sent: make room on the disk, or end what \
             keeps the store locked, and run this again",
            self.shared.path.display()
        )))
    }

    /// Moves the newest answers into the index, for work that reads only the index.
    ///
    /// To be called in a transaction.
    pub(crate) fn fold(&mut self, connection: &Connection) -> Result<(), Fault> {
        tail::fold(connection)?;
        self.tail = Tail::default();
        Ok(())
    }

    /// To be called if a transaction failed or the connection was closed: the memory must be compared with the file
    /// again.
    pub(super) fn distrust_memory(&mut self) {
        self.version = None;
        self.purged = None;
        self.registered = false;
        self.paces.clear();
        self.shared.field_sets.clear();
    }

    /// The owner of this opening, which holds its lock before its number is in the file. Numbers are random and not counted:
    /// another process could get the number that a failed transaction has rolled back.
    ///
    /// The lock is taken before the row is written: a process that sees the row can see the lock. If the
    /// transaction fails, the lock stays and the row is written by the next one.
    pub(crate) fn owner(&mut self, connection: &Connection) -> Result<i64, Fault> {
        let owner = if let Some(owner) = self.owner {
            owner
        } else {
            let drawn: i64 = query::one(connection, "SELECT (random() >> 2) & ?1", [i64::MAX >> 2])?;
            self.shared.owners.enter(drawn)?;
            *self.owner.insert(drawn)
        };
        if !self.registered {
            query::change(
                connection,
                "INSERT OR IGNORE INTO owner VALUES (?1, ?2, ?3)",
                params![owner, std::process::id(), now_ms()],
            )?;
            self.registered = true;
        }
        Ok(owner)
    }

    /// Shows other processes how fast this one may send.
    pub(crate) fn pace(&mut self, connection: &Connection, key: u64, per_minute: u32) -> Result<(), Fault> {
        if self.paces.get(&key) == Some(&per_minute) {
            return Ok(());
        }
        let owner = self.owner(connection)?;
        query::change(
            connection,
            "INSERT OR REPLACE INTO pace VALUES (?1, ?2, ?3)",
            params![owner, key.cast_signed(), per_minute],
        )?;
        self.paces.insert(key, per_minute);
        Ok(())
    }

    /// Removes an owner that is dead. The requests that it has left in flight are in doubt from now on.
    ///
    /// Each request becomes `LEFT`: its lookups get blocks and rows in the index with the reason, and its intent is
    /// removed. Its `in_doubt` stays, because each lookup may have been charged. An answer that arrives later
    /// replaces all of this. The caller has checked that the owner is dead, or is the owner itself.
    pub(crate) fn bury(&mut self, connection: &Connection, owner: i64) -> Result<(), Fault> {
        let left: Vec<(i64, i64, i64, i64, Vec<u8>)> = query::rows(
            connection,
            "SELECT id, required, sent_ms, lookups, intent FROM request WHERE settled_ms IS NULL AND owner = ?1",
            [owner],
        )?;
        for (request, required, sent_ms, lookups, packed) in left {
            let why =
                format!("the process that asked ended before the answer came; asked at {}", utc(sent_ms));
            let asked = DecodedBlock::decode(&packed)?.lookups();
            let known = asked.iter().filter_map(|lookup| lookup.identifier.as_ref());
            for (first, block) in
                block::pack(known.clone().map(|known| (known, state::LEFT, why.as_bytes())))?
            {
                block_table::put(connection, request, first, &block)?;
            }
            let keys: Vec<_> = known.map(|known| self.shared.secret().key(known)).collect();
            let replaced = keys.iter().copied();
            index::replace_doubts(connection, &self.shared.field_sets, (request, required), replaced)?;
            let rows =
                (0..).zip(keys).map(|(place, key)| (key, request, place, state::LEFT, required, sent_ms));
            index::put(connection, rows.collect())?;
            query::change(
                connection,
                "UPDATE request SET settled_ms = ?2, outcome = ?3, unknown = ?4, intent = NULL WHERE id = ?1",
                params![request, now_ms(), RequestOutcome::Left.as_str(), lookups],
            )?;
            self.shared.intents().remove(request);
        }
        query::change(connection, "DELETE FROM owner WHERE id = ?1", [owner])?;
        query::change(connection, "DELETE FROM pace WHERE owner = ?1", [owner])?;
        self.notify = true;
        Ok(())
    }

    /// Releases claims whose claimants were gone before they received them: nothing was sent.
    ///
    /// An orphan stays on the list until a later transaction finds it released, because this one may be rolled back.
    pub(super) fn release_orphans(&mut self, connection: &Connection) -> Result<(), Fault> {
        for request in self.shared.orphans() {
            let released = query::change(
                connection,
                "UPDATE request SET settled_ms = ?2, outcome = ?3, in_doubt = 0, counted = 0, intent = NULL
                 WHERE id = ?1 AND settled_ms IS NULL",
                params![request, now_ms(), RequestOutcome::NotSent.as_str()],
            )?;
            if released == 0 {
                // An earlier transaction has released it and was committed.
                self.shared.remove_orphan(request);
            }
            self.shared.intents().remove(request);
            self.notify = true;
        }
        Ok(())
    }
}
