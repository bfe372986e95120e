//! What the writer keeps in mind, and what it writes for others: who is alive, what is under way.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, params};

use super::super::file::fault::Fault;
use super::super::file::schema::state;
use super::super::key::Key;
use super::super::recognise::by_hash::Forgotten;
use super::super::tables::block::{self, Sheet};
use super::super::tables::block_table;
use super::super::tables::tail::{self, Tail};
use super::shared::{Intent, Shared, clock, now_ms, within};

/// What the writer keeps in mind between transactions.
#[derive(Debug)]
pub(in super::super) struct Ledger {
    pub(in super::super) shared: Arc<Shared>,
    /// This opening, once it has claimed anything.
    owner: Option<i64>,
    /// Its row is on file.
    registered: bool,
    /// The rates that others see of it.
    paces: HashMap<u64, u32>,
    /// The state of the file when `intents` was last compared with it.
    version: Option<i64>,
    /// The newest answers.
    pub(in super::super) tail: Tail,
    /// Keys of the people who were purged, once anybody has asked.
    forgotten: Option<Forgotten>,
    /// Something happened that others may wait for.
    pub(in super::super) notify: bool,
}

impl Ledger {
    pub(in super::super) fn new(shared: Arc<Shared>) -> Self {
        let paces = HashMap::new();
        Self {
            shared,
            owner: None,
            registered: false,
            paces,
            version: None,
            tail: Tail::default(),
            forgotten: None,
            notify: false,
        }
    }

    /// This opening's number, if it has one yet.
    pub(in super::super) const fn known_owner(&self) -> Option<i64> {
        self.owner
    }

    /// Whether another process has changed the file since.
    pub(in super::super) fn is_behind(&self, connection: &Connection) -> bool {
        version(connection).ok() != self.version
    }

    /// Compares what is under way with the file, if another process has changed it.
    pub(in super::super) fn sync(&mut self, connection: &Connection) -> Result<(), Fault> {
        let version = version(connection)?;
        if self.version == Some(version) {
            return Ok(());
        }
        if self.version.is_none() {
            // A number that was taken back may be another process's request by now.
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
            let fields = self.shared.fields(connection, row.get(2)?)?;
            let packed: Vec<u8> = row.get(3)?;
            let keys = keys_of(&self.shared, &packed)?;
            let intent = Intent { owner: row.get(1)?, fields, keys };
            self.shared.intents().add(request, intent);
        }
        self.shared.intents().keep(&seen);
        self.tail.sync(connection)?;
        self.forgotten = None;
        self.version = Some(version);
        self.notify = true;
        Ok(())
    }

    /// Keys of the people who were purged.
    pub(in super::super) fn forgotten(&mut self, connection: &Connection) -> Result<&Forgotten, Fault> {
        let forgotten = match self.forgotten.take() {
            Some(known) => known,
            None => Forgotten::load(connection, &self.shared.identity.secret)?,
        };
        Ok(self.forgotten.insert(forgotten))
    }

    /// They are others by now.
    pub(in super::super) fn forget_forgotten(&mut self) {
        self.forgotten = None;
    }

    /// Moves the newest answers into the index, for whoever is to look nowhere else.
    pub(in super::super) fn fold(&mut self, connection: &Connection) -> Result<(), Fault> {
        tail::fold(connection)?;
        self.tail = Tail::default();
        Ok(())
    }

    /// After a transaction that failed, or a connection that was closed, memory is to be compared
    /// with the file again.
    pub(in super::super) fn doubt_everything(&mut self) {
        self.version = None;
        self.forgotten = None;
        self.registered = false;
        self.paces.clear();
        self.shared.forget_fields();
    }

    /// This opening's number, under which it holds its lock before anybody can read it. Numbers are
    /// drawn, not counted: one that a failed transaction took back would be given to somebody else.
    pub(in super::super) fn owner(&mut self, connection: &Connection) -> Result<i64, Fault> {
        let owner = if let Some(owner) = self.owner {
            owner
        } else {
            let drawn: i64 =
                connection.query_row("SELECT (random() >> 2) & ?1", [i64::MAX >> 2], |row| row.get(0))?;
            self.shared.owners.enter(drawn)?;
            *self.owner.insert(drawn)
        };
        if !self.registered {
            connection
                .prepare_cached("INSERT OR IGNORE INTO owner VALUES (?1, ?2, ?3)")?
                .execute(params![owner, std::process::id(), now_ms()])?;
            self.registered = true;
        }
        Ok(owner)
    }

    /// Lets the other processes know how fast this one means to send.
    pub(in super::super) fn pace(
        &mut self,
        connection: &Connection,
        key: u64,
        per_minute: u32,
    ) -> Result<(), Fault> {
        if self.paces.get(&key) == Some(&per_minute) {
            return Ok(());
        }
        let owner = self.owner(connection)?;
        connection.prepare_cached("INSERT OR REPLACE INTO pace VALUES (?1, ?2, ?3)")?.execute(params![
            owner,
            key.cast_signed(),
            per_minute
        ])?;
        self.paces.insert(key, per_minute);
        Ok(())
    }

    /// The owner is dead: what it has asked and not had answered is in doubt from now on.
    pub(in super::super) fn bury(&mut self, connection: &Connection, owner: i64) -> Result<(), Fault> {
        let mut open = connection.prepare_cached(
            "SELECT id, required, sent_ms, lookups, intent FROM request WHERE settled_ms IS NULL AND owner = ?1",
        )?;
        let left: Vec<(i64, i64, i64, i64, Vec<u8>)> = open
            .query_map([owner], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
            .collect::<Result<_, _>>()?;
        for (request, required, sent_ms, lookups, packed) in left {
            let why =
                format!("the process that asked ended before the answer came; asked at {}", clock(sent_ms));
            let entries = Sheet::read(&packed)?.entries();
            let known = entries.iter().filter_map(|entry| entry.identifier.as_ref());
            for (first, block) in
                block::pack(known.clone().map(|known| (known, state::LEFT, why.as_bytes())))?
            {
                block_table::put(connection, request, first, &block)?;
            }
            let keys = known.map(|known| self.shared.identity.secret.key(known));
            let answers: Vec<_> = (0..).zip(keys).map(|(place, key)| (key, place, state::LEFT)).collect();
            replace_doubts(connection, &self.shared, request, required, &answers)?;
            put_answers(connection, request, required, sent_ms, answers)?;
            connection
                .prepare_cached("UPDATE request SET settled_ms = ?2, outcome = 'left', unknown = ?3, intent = NULL WHERE id = ?1")?
                .execute(params![request, now_ms(), lookups])?;
            self.shared.intents().remove(request);
        }
        connection.prepare_cached("DELETE FROM owner WHERE id = ?1")?.execute([owner])?;
        connection.prepare_cached("DELETE FROM pace WHERE owner = ?1")?.execute([owner])?;
        self.notify = true;
        Ok(())
    }

    /// Claims whose claimants were gone before they heard of it: nothing was sent.
    pub(in super::super) fn release_orphans(&mut self, connection: &Connection) -> Result<(), Fault> {
        for request in self.shared.orphans() {
            connection
                .prepare_cached(
                    "UPDATE total SET in_doubt = in_doubt - coalesce(
                       (SELECT in_doubt FROM request WHERE id = ?1 AND settled_ms IS NULL), 0)",
                )?
                .execute([request])?;
            let released = connection
                .prepare_cached(
                    "UPDATE request SET settled_ms = ?2, outcome = 'not_sent', in_doubt = 0, counted = 0, intent = NULL
                     WHERE id = ?1 AND settled_ms IS NULL",
                )?
                .execute(params![request, now_ms()])?;
            if released == 0 {
                // An earlier transaction has released it, and was committed.
                self.shared.forget_orphan(request);
            }
            self.shared.intents().remove(request);
            self.notify = true;
        }
        Ok(())
    }
}

/// Changes when another connection has committed.
fn version(connection: &Connection) -> Result<i64, Fault> {
    Ok(connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
}

/// What an intent asks for.
fn keys_of(shared: &Shared, packed: &[u8]) -> Result<Vec<Key>, Fault> {
    let entries = Sheet::read(packed)?.entries();
    let known = entries.iter().filter_map(|entry| entry.identifier.as_ref());
    Ok(known.map(|known| shared.identity.secret.key(known)).collect())
}

/// What a request came to takes the place of the doubts in spite of which it was sent: they stay on
/// the books only. Not before it has come to something: one that was refused free of charge leaves
/// them as they are.
pub(in super::super) fn replace_doubts(
    connection: &Connection,
    shared: &Shared,
    request: i64,
    required: i64,
    answers: &[(Key, i64, u8)],
) -> Result<(), Fault> {
    let any: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM answer WHERE state IN (3, 6) AND request < ?1)")?
        .query_row([request], |row| row.get(0))?;
    if !any {
        return Ok(());
    }
    let fields = shared.fields(connection, required)?;
    let mut ask = connection.prepare_cached(
        "SELECT request, required FROM answer WHERE key = ?1 AND state IN (3, 6) AND request < ?2",
    )?;
    let mut replace =
        connection.prepare_cached("UPDATE answer SET state = ?3 WHERE key = ?1 AND request = ?2")?;
    for (key, ..) in answers {
        let older: Vec<(i64, i64)> = ask
            .query_map(params![key, request], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (doubtful, of) in older {
            let theirs = shared.fields(connection, of)?;
            if within(&fields, &theirs) || within(&theirs, &fields) {
                replace.execute(params![key, doubtful, state::ASKED_AGAIN])?;
            }
        }
    }
    Ok(())
}

/// Writes what lookups came to, in the order of the index.
pub(in super::super) fn put_answers(
    connection: &Connection,
    request: i64,
    required: i64,
    at_ms: i64,
    mut answers: Vec<(Key, i64, u8)>,
) -> Result<(), Fault> {
    answers.sort_unstable();
    let mut put =
        connection.prepare_cached("INSERT OR REPLACE INTO answer VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (key, place, state) in answers {
        put.execute(params![key, request, place, state, required, at_ms])?;
    }
    Ok(())
}
