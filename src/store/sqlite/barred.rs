//! What a merge takes over about people who were purged from a copy of this store. That works because
//! copies share the secret by which people are hashed.

use std::sync::Arc;

use hashbrown::HashMap;
use rusqlite::{Connection, params};

use crate::error::Error;

use super::SqliteStore;
use super::fault::Fault;
use super::forgotten::Forgotten;
use super::key::Key;
use super::ledger::Ledger;
use super::privacy::Purged;

/// Barred identifiers read and written in one transaction.
const AT_ONCE: i64 = 10_000;

impl SqliteStore {
    /// Bars here whoever is barred in the other store, which is a copy of this one. People who were purged
    /// there by an identifier are erased here first.
    pub(super) fn take_over_barred(&self, other: &Self) -> Result<(), Error> {
        let secret = self.opening()?.shared.identity.secret.clone();
        let mut after = Vec::new();
        loop {
            let page = other.ask(move |reading, _| barred(&reading.connection, &after))?;
            let Some((key, ..)) = page.last() else { return Ok(()) };
            after = key.as_bytes().to_vec();
            let named =
                page.iter().filter(|(.., named)| *named > 0).map(|(key, .., named)| (*key, *named)).collect();
            let new = self.ask(move |reading, _| not_named(&reading.connection, named))?;
            let seeker = (!new.is_empty()).then(|| Arc::new(Forgotten::new(new, secret.clone())));
            let mut purged = Purged::default();
            // They are barred only after that: if it is interrupted, the next merge repeats it.
            if let Some(seeker) = &seeker {
                self.erase_all(seeker, 0, &mut purged)?;
            }
            self.write(move |connection, ledger| put_barred(connection, ledger, &page))?;
            if let Some(seeker) = &seeker {
                // What came in until they were barred: also as the answer to a request with a low number.
                self.erase_all(seeker, 0, &mut purged)?;
                self.empty_log()?;
            }
        }
    }
}

/// Those of them who were not purged by an identifier here.
fn not_named(connection: &Connection, mut keys: HashMap<Key, i64>) -> Result<HashMap<Key, i64>, Fault> {
    let mut ask = connection.prepare_cached("SELECT key FROM barred WHERE named > 0")?;
    for known in ask.query_map([], |row| row.get::<_, Key>(0))? {
        keys.remove(&known?);
    }
    Ok(keys)
}

fn put_barred(connection: &Connection, ledger: &mut Ledger, rows: &[Barred]) -> Result<(), Fault> {
    let mut put = connection.prepare_cached(
        "INSERT INTO barred VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
         purged_ms = max(purged_ms, excluded.purged_ms), credits = max(credits, excluded.credits),
         named = max(named, excluded.named)",
    )?;
    for row in rows {
        put.execute(*row)?;
    }
    ledger.forget_forgotten();
    ledger.notify = true;
    Ok(())
}

/// A row of `barred`.
type Barred = (Key, i64, i64, i64);

fn barred(connection: &Connection, after: &[u8]) -> Result<Vec<Barred>, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT key, purged_ms, credits, named FROM barred WHERE key > ?1 ORDER BY key LIMIT ?2",
    )?;
    let rows = ask
        .query_map(params![after, AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
