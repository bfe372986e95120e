//! Migrates a store to a new version of the rules of canonical forms: only when the user asks for it, and after a backup.
//!
//! Every lookup is read again by the new rules, so that what was paid for under the old form is found under the new one.
//!
//! Everything happens in one transaction: a crash or an interrupt leaves the store as it was, beside its backup. No
//! other thread of this process may have the store open, and no owner may be alive. A process that has the store open
//! but has claimed nothing is not an owner, and is not noticed. Its next transaction finds the new rules and fails: see
//! [`schema::check_rules`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior, params};

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::{RULES_VERSION, Rules, identify};

use super::super::clock::now_ms;
use super::super::file::{Fault, LOCK_TIMEOUT, NameLock, connect, open_files, owners, place, query, schema};
use super::super::key::{Key, Secret};
use super::super::platform;
use super::super::process::{Interrupt, alone, with_owners};
use super::super::tables::{DecodedBlock, barred, block_start, block_table, index, requests, state, tail};
use super::super::threads::{Shared, WriterState};
use super::backup;

/// What a migration did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Migrated {
    /// The path of the backup; `None` if there was nothing to do.
    #[serde(skip)] // serde refuses a path that is not UTF-8.
    pub backup: Option<PathBuf>,
    /// Lookups that have another canonical form now. They are found under the new form only.
    pub rekeyed: u64,
    /// Lookups that now have the same form as another one of their request. The contact, or the newer answer, is
    /// used, and the other answer is still exported. Counted in `rekeyed` too.
    pub merged: u64,
    /// Identifiers that were purged under the old rules. If they have another form now, purge them again.
    pub purged: u64,
}

/// Migrates the store to this version's rules, after a backup to a file beside it.
///
/// # Errors
/// If it is open in this process, another process has claimed something, it is not a store, was written by a newer
/// version, or cannot be written; and if it was interrupted. Then it is not changed.
pub fn migrate(path: &Path, interrupt: &Interrupt) -> Result<Migrated, Error> {
    if !path.exists() {
        return Err(Fault::absent(path));
    }
    alone(path, || migrate_file(path, interrupt).map_err(|fault| fault.into_error(path)))
}

/// The order: the checks that every opening makes, the backup, then the transaction.
fn migrate_file(path: &Path, interrupt: &Interrupt) -> Result<Migrated, Fault> {
    let (path, _) = place::prepare(path)?;
    owners::refuse_replaced(&path)?;
    let name = NameLock::take(&path)?;
    let connection = connect(&path)?;
    schema::check(&connection)?;
    let identity = schema::identity(&connection)?;
    if identity.rules_version > RULES_VERSION {
        return Err(schema::newer());
    }
    if identity.rules_version == RULES_VERSION {
        return Ok(Migrated::default());
    }
    let (mut connection, owners) = with_owners(connection, &path, identity.name)?;
    let listening = interrupt.listen(&connection)?;
    let backup = back_up(&connection, &path, interrupt)?;
    let file = platform::file_id(&path).map_err(|_| open_files::gone(&path))?;
    owners.renew_generation(&connection)?;
    let shared = Arc::new(Shared::new((path, file, name), identity, owners, LOCK_TIMEOUT));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    bury_all(&transaction, &shared)?;
    tail::fold(&transaction)?;
    let mut migrated = rekey(&transaction, shared.secret(), interrupt)?;
    // From here on, nothing may interrupt the commit.
    drop(listening);
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'rules_version'", [RULES_VERSION])?;
    transaction.commit()?;
    migrated.backup = Some(backup);
    Ok(migrated)
}

/// Makes a copy of the file that only its owner can read.
fn back_up(connection: &Connection, path: &Path, interrupt: &Interrupt) -> Result<PathBuf, Fault> {
    let mut name = path.as_os_str().to_owned();
    let at =
        jiff::Timestamp::from_millisecond(now_ms()).map(|at| at.strftime("%Y%m%dT%H%M%S%3fZ").to_string());
    name.push(format!(".backup-{}", at.unwrap_or_default()));
    let backup = PathBuf::from(name);
    backup::copy(connection, &backup, interrupt)?;
    Ok(backup)
}

/// Puts the requests of dead processes in doubt. No other request may be in flight.
///
/// # Errors
/// If any owner is alive.
fn bury_all(connection: &Connection, shared: &Arc<Shared>) -> Result<(), Fault> {
    let mut writer = WriterState::new(shared.clone());
    for owner in requests::owners(connection)? {
        if shared.owners.is_alive(owner) {
            return Err(Fault::of("another process uses the store: let it finish, and migrate then"));
        }
        writer.bury(connection, owner)?;
    }
    Ok(())
}

/// Reads every lookup again by the present rules.
///
/// One pass over all blocks, one at a time. Keys of barred identifiers cannot be made again, because a hash has no
/// identifier.
fn rekey(connection: &Connection, secret: &Secret, interrupt: &Interrupt) -> Result<Migrated, Fault> {
    let mut migrated = Migrated { purged: barred::count(connection)?, ..Migrated::default() };
    let mut after = 0;
    loop {
        interrupt.check()?;
        let Some((id, packed)) = block_table::after(connection, after, 1)?.pop() else {
            return Ok(migrated);
        };
        after = id;
        let (request, mut lookups) = (block_start(id).0, DecodedBlock::decode(&packed)?.lookups());
        let mut changed = false;
        for lookup in &mut lookups {
            let Some(old) = &lookup.identifier else { continue };
            // A lookup that the new rules refuse was paid for all the same, so it stays as it is.
            let Ok(new) = identify(old.canonical(), Some(old.field_type()), &Rules::default()) else {
                continue;
            };
            if new == *old {
                continue;
            }
            move_answer(connection, request, (secret.key(old), secret.key(&new)), &mut migrated)?;
            lookup.identifier = Some(new);
            changed = true;
        }
        if changed {
            block_table::rewrite(connection, id, &lookups)?;
        }
    }
}

/// Gives the answer to one lookup of a request its new key. The primary key allows only one answer of a request for a
/// key, so of two that have become equal, the one that was worth more stays in the index.
fn move_answer(
    connection: &Connection,
    request: i64,
    (old, new): (Key, Key),
    migrated: &mut Migrated,
) -> Result<(), Fault> {
    let state_of = |key: Key| -> Result<Option<u8>, Fault> {
        query::find(
            connection,
            "SELECT state FROM answer WHERE key = ?1 AND request = ?2",
            params![key, request],
        )
    };
    let Some(moved) = state_of(old)? else { return Ok(()) };
    migrated.rekeyed += 1;
    if let Some(there) = state_of(new)? {
        migrated.merged += 1;
        // A contact was paid for, a doubt may have been paid for, and a miss was free.
        let worth = |state| match state {
            state::HIT => 2,
            state::MISS | state::REJECTED => 0,
            _ => 1,
        };
        let loser = if worth(moved) > worth(there) { new } else { old };
        index::delete(connection, loser, request)?;
        if loser == old {
            return Ok(());
        }
    }
    query::change(
        connection,
        "UPDATE answer SET key = ?2 WHERE key = ?1 AND request = ?3",
        params![old, new, request],
    )?;
    Ok(())
}
