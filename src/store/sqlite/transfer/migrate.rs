//! From an older file to one that this version can use: never silently, and never without a backup.
//!
//! When the rules of canonical forms change, what was paid for under the old form is found under
//! the new one: every lookup is read again by the new rules.

use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::error::{Error, ErrorKind};
use crate::identifier::{RULES_VERSION, Rules, identify};

use super::super::file::busy::LOCK_TIMEOUT;
use super::super::file::fault::Fault;
use super::super::file::open_files;
use super::super::file::owners;
use super::super::file::place;
use super::super::file::schema::{self, APPLICATION_ID, SCHEMA_VERSION, state};
use super::super::key::Key;
use super::super::process::interrupt::Interrupt;
use super::super::process::opening;
use super::super::tables::block::{Sheet, block_start};
use super::super::tables::block_table;
use super::super::tables::tail;
use super::super::threads::shared::{Shared, connect, now_ms};
use super::super::threads::writer_state::Ledger;
use super::backup;

/// What a migration did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Where the file is as it was; `None` if there was nothing to do.
    pub backup: Option<PathBuf>,
    /// Lookups whose canonical form is another now.
    pub rekeyed: u64,
    /// Lookups that are the same as another of their request now: the contact, or the newer answer,
    /// is served, and the other is still exported.
    pub merged: u64,
    /// Identifiers that were purged under the old rules: if their form is another now, purge them
    /// again.
    pub purged: u64,
}

/// Brings the file up to this version, after a backup beside it.
///
/// # Errors
/// If it is open anywhere, is no store, was written by a newer version, or cannot be written: then
/// it is as it was.
pub fn migrate(path: &Path) -> Result<Migrated, Error> {
    migrate_unless(path, &Interrupt::default())
}

/// The same, unless it is taken back before it is done.
///
/// # Errors
/// As [`migrate`], and if it was taken back: the file is as it was then, too.
pub fn migrate_unless(path: &Path, interrupt: &Interrupt) -> Result<Migrated, Error> {
    if !path.exists() {
        return Err(Error::new(
            ErrorKind::Store,
            format!("there is no store {}: check the path", path.display()),
        ));
    }
    opening::alone(path, || migrate_file(path, interrupt).map_err(|fault| fault.told(path)))
}

fn migrate_file(path: &Path, interrupt: &Interrupt) -> Result<Migrated, Fault> {
    let (path, _) = place::prepare(path)?;
    owners::refuse_replaced(&path)?;
    let name = open_files::Name::take(&path)?;
    let connection = connect(&path)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if application != APPLICATION_ID || version > SCHEMA_VERSION {
        schema::check(application, version)?;
    }
    let identity = schema::identity(&connection)?;
    if identity.rules_version > RULES_VERSION {
        return Err(schema::newer());
    }
    if version == SCHEMA_VERSION && identity.rules_version == RULES_VERSION {
        return Ok(Migrated::default());
    }
    let (mut connection, owners) = opening::with_owners(connection, &path, identity.name)?;
    let listening = interrupt.listen(&connection)?;
    let backup = back_up(&connection, &path, interrupt)?;
    let file = place::file_id(&path).map_err(|_| open_files::gone(&path))?;
    let shared = Arc::new(Shared::new((path, file, name), identity, owners, LOCK_TIMEOUT));
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if version < 2 {
        give_tokens(&transaction, shared.identity.name)?;
        transaction.execute_batch(schema::ALLOWED)?;
    }
    bury_all(&transaction, &shared)?;
    tail::fold(&transaction)?;
    let mut migrated = rekey(&transaction, &shared, interrupt)?;
    // It is done all but for the commit, which nothing ends half-way.
    drop(listening);
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'rules_version'", [RULES_VERSION])?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    migrated.backup = Some(backup);
    Ok(migrated)
}

/// A copy of the file, readable by its owner alone.
fn back_up(connection: &Connection, path: &Path, interrupt: &Interrupt) -> Result<PathBuf, Fault> {
    let mut name = path.as_os_str().to_owned();
    let at =
        jiff::Timestamp::from_millisecond(now_ms()).map(|at| at.strftime("%Y%m%dT%H%M%S%3fZ").to_string());
    name.push(format!(".backup-{}", at.unwrap_or_default()));
    let backup = PathBuf::from(name);
    backup::copy(connection, &backup, interrupt)?;
    Ok(backup)
}

/// No request may be under way: what dead processes have left is in doubt.
fn bury_all(connection: &Connection, shared: &Arc<Shared>) -> Result<(), Fault> {
    let mut ask = connection
        .prepare("SELECT owner FROM request WHERE settled_ms IS NULL UNION SELECT id FROM owner")?;
    let owners: Vec<i64> = ask.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut ledger = Ledger::new(shared.clone());
    for owner in owners {
        if shared.owners.is_alive(owner) {
            return Err(Fault::of("another process uses the store: let it finish, and migrate then"));
        }
        ledger.bury(connection, owner)?;
    }
    Ok(())
}

/// Version 1 identified a request by the name of the store that made it and its number there. The token is
/// derived from both and from what never changes about a request, so that it is the same in each copy and
/// in each store that has taken the request over.
fn give_tokens(connection: &Connection, name: [u8; 16]) -> Result<(), Fault> {
    connection.execute_batch("ALTER TABLE request ADD COLUMN token BLOB")?;
    let mut ask = connection.prepare(
        "SELECT request.id, coalesce(merged.store, ?1), coalesce(merged.request, request.id), sent_ms, lookups,
         fields, text FROM request JOIN required ON required.id = required JOIN tags ON tags.id = tags
         LEFT JOIN merged ON merged.here = request.id",
    )?;
    let mut put = connection.prepare("UPDATE request SET token = ?2 WHERE id = ?1")?;
    let mut rows = ask.query([name])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        let mut hasher = SipHasher24::new();
        hasher.write(&row.get::<_, Vec<u8>>(1)?);
        for number in 2..5 {
            hasher.write(&row.get::<_, i64>(number)?.to_le_bytes());
        }
        for text in 5..7 {
            hasher.write(row.get_ref(text)?.as_bytes().map_err(rusqlite::Error::from)?);
            hasher.write(&[0]);
        }
        tokens.push((row.get::<_, i64>(0)?, hasher.finish128().as_bytes()));
    }
    for (request, token) in tokens {
        put.execute(params![request, token])?;
    }
    connection.execute_batch("CREATE UNIQUE INDEX request_token ON request (token); DROP TABLE merged")?;
    Ok(())
}

/// Reads every lookup again by the rules of today.
fn rekey(connection: &Connection, shared: &Shared, interrupt: &Interrupt) -> Result<Migrated, Fault> {
    let purged: i64 = connection.query_row("SELECT count(*) FROM barred", [], |row| row.get(0))?;
    let mut migrated = Migrated { purged: purged.unsigned_abs(), ..Migrated::default() };
    let mut after = 0;
    loop {
        interrupt.check()?;
        let Some((id, packed)) = block_table::behind(connection, after, 1)?.pop() else {
            return Ok(migrated);
        };
        after = id;
        let (request, mut entries) = (block_start(id).0, Sheet::read(&packed)?.entries());
        let mut changed = false;
        for entry in &mut entries {
            let Some(old) = &entry.identifier else { continue };
            // What the new rules refuse was paid for all the same: it stays as it is.
            let Ok(new) = identify(old.canonical(), Some(old.field_type()), &Rules::default()) else {
                continue;
            };
            if new == *old {
                continue;
            }
            let key = |identifier| shared.identity.secret.key(identifier);
            move_answer(connection, request, key(old), key(&new), &mut migrated)?;
            entry.identifier = Some(new);
            changed = true;
        }
        if changed {
            block_table::rewrite(connection, id, &entries)?;
        }
    }
}

fn move_answer(
    connection: &Connection,
    request: i64,
    old: Key,
    new: Key,
    migrated: &mut Migrated,
) -> Result<(), Fault> {
    let state_of = |key: Key| -> Result<Option<u8>, Fault> {
        Ok(connection
            .prepare_cached("SELECT state FROM answer WHERE key = ?1 AND request = ?2")?
            .query_row(params![key, request], |row| row.get(0))
            .optional()?)
    };
    let Some(moved) = state_of(old)? else { return Ok(()) };
    migrated.rekeyed += 1;
    if let Some(there) = state_of(new)? {
        migrated.merged += 1;
        // A contact was paid for; a doubt may have been; a miss was free.
        let worth = |state| match state {
            state::HIT => 2,
            state::MISS | state::REJECTED => 0,
            _ => 1,
        };
        let loser = if worth(moved) > worth(there) { new } else { old };
        connection
            .prepare_cached("DELETE FROM answer WHERE key = ?1 AND request = ?2")?
            .execute(params![loser, request])?;
        if loser == old {
            return Ok(());
        }
    }
    connection
        .prepare_cached("UPDATE answer SET key = ?2 WHERE key = ?1 AND request = ?3")?
        .execute(params![old, new, request])?;
    Ok(())
}
