//! The tables, and what a file says of itself: whose it is, how old its forms are.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use crate::error::{Error, ErrorKind};
use crate::identifier::RULES_VERSION;

use super::super::key::Secret;
use super::super::threads::shared::now_ms;
use super::fault::Fault;

/// Raised with every change of the tables.
pub(in super::super) const SCHEMA_VERSION: i64 = 2;

/// `EBst`: tells `file` and us that it is a store.
pub(in super::super) const APPLICATION_ID: i64 = 0x4542_7374;

/// Two connections that write and checkpoint could lose commits before this
/// (<https://www.sqlite.org/wal.html>, "The WAL-reset bug").
const OLDEST_SQLITE: i32 = 3_051_003;

/// As long as any commit waits for other processes.
const LONGEST_MAKING_MS: i64 = 15_000;

/// What the state of an answer can be. The numbers are in files: never change one.
pub(in super::super) mod state {
    pub(crate) const MISS: u8 = 0;
    pub(crate) const HIT: u8 = 1;
    pub(crate) const REJECTED: u8 = 2;
    /// In doubt, as a run met it.
    pub(crate) const UNKNOWN: u8 = 3;
    /// A doubt on the books only: it was, or may be, asked again.
    pub(crate) const ASKED_AGAIN: u8 = 4;
    /// A doubt that somebody decided to leave alone.
    pub(crate) const DROPPED: u8 = 5;
    /// In doubt, as a process that died has left it.
    pub(crate) const LEFT: u8 = 6;
}

/// `answer` has the lookups by keyed hash, those of one identifier side by side, but for the newest,
/// which `tail` has by request; `block` what they came to, some tens of them compressed together.
/// `barred` has the identifiers that must not be asked for. `named` is not 0 for people who were purged by
/// that identifier, and must not come back in the contacts of others. `allowed` has those that somebody has
/// allowed, and when, so that an older copy does not bar them again in a merge. No identifier is in both. `request` is intent and journal in
/// one: while `settled_ms` is null it is under way, and `in_doubt` is the worst that it can come to. `token`
/// is drawn at random for each request. Copies and merges keep it, so it identifies the request.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE owner (id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, since_ms INTEGER NOT NULL);
CREATE TABLE pace (owner INTEGER, key INTEGER, per_minute INTEGER NOT NULL, PRIMARY KEY (owner, key)) WITHOUT ROWID;
CREATE TABLE pause (key INTEGER PRIMARY KEY, until_ms INTEGER NOT NULL);
CREATE TABLE required (id INTEGER PRIMARY KEY, fields TEXT NOT NULL UNIQUE);
CREATE TABLE tags (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL,
    run INTEGER NOT NULL,
    key INTEGER NOT NULL,
    required INTEGER NOT NULL,
    tags INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    lookups INTEGER NOT NULL,
    credits INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    settled_ms INTEGER,
    outcome TEXT,
    status INTEGER,
    took_ms INTEGER,
    hits INTEGER NOT NULL DEFAULT 0,
    misses INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    unknown INTEGER NOT NULL DEFAULT 0,
    intent BLOB,
    token BLOB
);
CREATE INDEX request_open ON request (id) WHERE settled_ms IS NULL;
CREATE INDEX request_sent ON request (sent_ms, key, counted, credits, in_doubt);
CREATE UNIQUE INDEX request_token ON request (token);
CREATE TABLE total (
    id INTEGER PRIMARY KEY,
    credits INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    answers INTEGER NOT NULL
);
CREATE TABLE answer (
    key BLOB NOT NULL,
    request INTEGER NOT NULL,
    place INTEGER NOT NULL,
    state INTEGER NOT NULL,
    required INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (key, request)
) WITHOUT ROWID;
CREATE TABLE tail (request INTEGER PRIMARY KEY, packed BLOB NOT NULL);
CREATE INDEX answer_doubt ON answer (request, place) WHERE state IN (3, 6);
CREATE TABLE block (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE unread (request INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE barred (
    key BLOB PRIMARY KEY,
    purged_ms INTEGER NOT NULL,
    credits INTEGER NOT NULL,
    named INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO total VALUES (1, 0, 0, 0);
";

/// Since version 2 of the tables.
pub(in super::super) const ALLOWED: &str =
    "CREATE TABLE allowed (key BLOB PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID";

/// What a file says of itself.
#[derive(Debug, Clone)]
pub(in super::super) struct Identity {
    pub(in super::super) service: String,
    pub(in super::super) secret: Secret,
    /// Tells this store from every other, whatever its path.
    pub(in super::super) name: [u8; 16],
    pub(in super::super) rules_version: u32,
    pub(in super::super) created_ms: i64,
}

/// Settings that each connection needs anew.
pub(in super::super) fn prepare(connection: &Connection) -> Result<(), Fault> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    // Neighbouring commits touch the same pages of the index: 16 MB of log spare most of writing them
    // to the file each time, and are read back in a moment after a crash.
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Makes the tables where there are none, and reads whose they are.
///
/// # Errors
/// Where it is no store, or one that this version cannot use as it is.
pub(in super::super) fn open(connection: &Connection, service: &str, now_ms: i64) -> Result<Identity, Fault> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(told(format!(
            "SQLite {} can lose what it has committed: build with the bundled one, 3.51.3 or later",
            rusqlite::version()
        )));
    }
    // From one state of the file: another process may be making the tables just now.
    connection.execute_batch("BEGIN")?;
    let looked = (|| {
        let objects: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok::<_, Fault>((versions(connection)?, objects))
    })();
    // What failed first is what to tell.
    let ended = connection.execute_batch("COMMIT");
    let ((application, version), objects) = looked?;
    ended?;
    if objects == 0 && application == 0 {
        keep_a_log(connection)?;
        create(connection, service, now_ms)?;
    } else {
        check(application, version)?;
        keep_a_log(connection)?;
    }
    let identity = identity(connection)?;
    match identity.rules_version.cmp(&RULES_VERSION) {
        std::cmp::Ordering::Equal => Ok(identity),
        std::cmp::Ordering::Greater => Err(newer()),
        std::cmp::Ordering::Less => Err(older()),
    }
}

/// Whose answers are in a store of any version.
pub(in super::super) fn service(connection: &Connection) -> Result<String, Fault> {
    if versions(connection)?.0 != APPLICATION_ID {
        return Err(told("the file is not a store of this package: give store= another path"));
    }
    Ok(connection.query_row("SELECT value FROM meta WHERE name = 'service'", [], |row| row.get(0))?)
}

/// Turns the write-ahead log on; where it is, this changes nothing. While several processes make a
/// store at the same time, SQLite does not wait for the lock that this takes, lest they wait for each
/// other; so we wait for whoever holds it, and try again.
fn keep_a_log(connection: &Connection) -> Result<(), Fault> {
    let until = now_ms().saturating_add(LONGEST_MAKING_MS);
    loop {
        let mode: Result<String, rusqlite::Error> =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match mode {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(_) => {
                return Err(told(
                    "the store's disk has no shared memory: give store= a path on a local disk",
                ));
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && now_ms() < until => {
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn versions(connection: &Connection) -> Result<(i64, i64), Fault> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

/// Whether this version may use a file of these tables.
pub(in super::super) fn check(application: i64, version: i64) -> Result<(), Fault> {
    if application != APPLICATION_ID {
        return Err(told("the file is not a store of this package: give store= another path"));
    }
    match version.cmp(&SCHEMA_VERSION) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(newer()),
        std::cmp::Ordering::Less => Err(older()),
    }
}

pub(in super::super) fn newer() -> Fault {
    told(
        "the store was written by a newer version of this package: install that version, or give store= another path",
    )
}

fn older() -> Fault {
    told(
        "the store was written by an older version of this package: run `exactbuyer store migrate`, which makes a backup first",
    )
}

fn told(message: impl Into<String>) -> Fault {
    Fault::Told(Error::new(ErrorKind::Store, message))
}

fn create(connection: &Connection, service: &str, now_ms: i64) -> Result<(), Fault> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let made = (|| {
        // Another process may have been quicker.
        if versions(connection)?.0 == APPLICATION_ID {
            return Ok(());
        }
        connection.execute_batch(TABLES)?;
        connection.execute_batch(ALLOWED)?;
        // SQLite seeds its generator from the system's.
        let random = |bytes: i64| {
            connection.query_row("SELECT randomblob(?1)", [bytes], |row| row.get::<_, Vec<u8>>(0))
        };
        let set = |name: &str, value: &dyn rusqlite::ToSql| {
            connection.execute("INSERT INTO meta VALUES (?1, ?2)", params![name, value])
        };
        set("service", &service)?;
        set("secret", &random(32)?)?;
        set("name", &random(16)?)?;
        set("rules_version", &RULES_VERSION)?;
        set("created_ms", &now_ms)?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        Ok(())
    })();
    let ended = connection.execute_batch(if made.is_ok() { "COMMIT" } else { "ROLLBACK" });
    made.and_then(|()| Ok(ended?))
}

/// Reads what the file says of itself.
pub(in super::super) fn identity(connection: &Connection) -> Result<Identity, Fault> {
    let mut ask = connection.prepare("SELECT value FROM meta WHERE name = ?1")?;
    let damaged = || Fault::damaged("its own record of itself is damaged");
    let secret: Option<Vec<u8>> = ask.query_row(["secret"], |row| row.get(0)).optional()?;
    let name: Option<Vec<u8>> = ask.query_row(["name"], |row| row.get(0)).optional()?;
    let service: Option<String> = ask.query_row(["service"], |row| row.get(0)).optional()?;
    let rules_version: Option<u32> = ask.query_row(["rules_version"], |row| row.get(0)).optional()?;
    let created_ms: Option<i64> = ask.query_row(["created_ms"], |row| row.get(0)).optional()?;
    Ok(Identity {
        service: service.ok_or_else(damaged)?,
        secret: secret.as_deref().and_then(Secret::new).ok_or_else(damaged)?,
        name: name.and_then(|name| name.try_into().ok()).ok_or_else(damaged)?,
        rules_version: rules_version.ok_or_else(damaged)?,
        created_ms: created_ms.unwrap_or_default(),
    })
}
