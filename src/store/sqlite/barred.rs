//! What two copies of a store have to tell each other about the people who were purged from one of them:
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

/// Barred identifiers read and written in one go.
const AT_ONCE: i64 = 10_000;

impl SqliteStore {
    /// Whoever is not to be asked for in the other store, a copy of this one, is not here, either; and who
    /// was purged there by name is erased here before.
    pub(super) fn take_over_barred(&self, other: &Self) -> Result<(), Error> {
        let secret = self.opening()?.shared.identity.secret.clone();
        let (mut after, mut last) = (Vec::new(), 0);
        loop {
            let page = other.ask(move |reading, _| barred(&reading.connection, &after))?;
            let Some((key, ..)) = page.last() else { return Ok(()) };
            after = key.as_bytes().to_vec();
            let named =
                page.iter().filter(|(.., named)| *named > 0).map(|(key, .., named)| (*key, *named)).collect();
            let new = self.ask(move |reading, _| not_named(&reading.connection, named))?;
            let seeker = (!new.is_empty()).then(|| Arc::new(Forgotten::new(new, secret.clone())));
            let mut purged = Purged::default();
            // Not known as purged until that is done: if it is interrupted, the next merge does it again.
            if let Some(seeker) = &seeker {
                last = self.erase_all(seeker, 0, &mut purged)?.1;
            }
            self.write(move |connection, ledger| put_barred(connection, ledger, &page))?;
            if let Some(seeker) = &seeker {
                // What came in until now.
                self.erase_all(seeker, last, &mut purged)?;
                self.empty_log()?;
            }
        }
    }
}

/// Those of them who were not purged by name here.
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
