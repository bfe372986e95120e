//! The tables, and what a file records about itself: its service, its secret, its name, and its versions.
//!
//! The first process that opens an empty file creates the store. `application_id` says that a file is a store,
//! `user_version` is its generation (see `generation`), and `meta` has the rest. Opening never changes an existing
//! file's tables.

use rusqlite::types::FromSql;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use exactbuyer_core::identifier::RULES_VERSION;

use super::super::clock::now_ms;
use super::super::key::Secret;
use super::fault::Fault;
use super::query;

/// Raised with every change of the tables.
pub(crate) const SCHEMA_VERSION: i64 = 7;

/// `EBst`. It identifies a store, for us and for the command `file`.
const APPLICATION_ID: i64 = 0x4542_7374;

/// In earlier versions, two connections that write and checkpoint could lose commits
/// (<https://www.sqlite.org/wal.html>, "The WAL-reset bug").
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long we wait for another process that is creating the store: as long as a commit waits.
const LONGEST_CREATION_MS: i64 = 15_000;

/// The tables:
///
/// - `request` is intent and journal in one. While `settled_ms` is null, the request is in flight, and `in_doubt` is the
///   most that it can cost. `token` is a random number for each request. Copies and merges keep it, so it identifies the
///   request.
/// - `answer` has the lookups by keyed hash, those of one identifier side by side. `tail` has the newest ones, by
///   request.
/// - `block` has the outcomes of lookups, some tens of them compressed together.
/// - `barred` has the identifiers that must not be sent. `named` is not 0 for people who were purged by that identifier
///   and must not come back in the contacts of others. `allowed` has the identifiers that a user has allowed, and when,
///   so that an older copy does not bar them again in a merge. No identifier is in both.
///
/// Columns whose meaning is not plain:
///
/// | column | meaning |
/// |---|---|
/// | `owner.pid`, `owner.since_ms` | only for people who examine a file; no code relies on them |
/// | `pace.per_minute` | how fast a living owner may send with this key; the lowest one counts for all |
/// | `pause.since_ms`, `pause.until_ms` | when the last pause was asked for; nobody may send with this key before its end |
/// | `mark` | random numbers by which a copy of an enricher recognises the file that it used |
/// | `required.fields` | a sorted list of names, as JSON |
/// | `tags.text` | an object of names and values, as JSON |
/// | `request.owner` | 0 for a request that a merge has taken over |
/// | `request.run` | the run's number in its process; like `pid`, only for people who examine a file |
/// | `request.key` | the fingerprint of the API key; the rate and pauses are counted for each |
/// | `request.sent_ms` | when it was claimed, just before it was sent |
/// | `request.credits` | known to be charged; 0 in flight |
/// | `request.in_doubt` | may have been charged in addition; in flight, one for each lookup |
/// | `request.counted` | 1 if it counts for the rate: in flight, or a byte of it may have left |
/// | `request.outcome` | a word of `RequestOutcome` |
/// | `request.intent` | the packed lookups while it is in flight, later null |
/// | `total` | one row: sums over `request`, and how many answers were moved from the tail into `answer` |
/// | `answer.place` | the position of the lookup in the blocks of its request |
/// | `answer.at_ms` | when the request was settled; for one that a dead owner has left, when it was sent |
/// | `barred.credits` | what the erased contacts of this lookup had cost |
///
/// Which index answers which question:
///
/// | index | question |
/// |---|---|
/// | `request_open` | which requests are in flight? They are few, whatever the size of the journal |
/// | `request_sent` | how many requests were sent in the window of the rate, and what was spent in a period? |
/// | `request_token` | is this request of another copy here already? |
/// | `answer`'s key | all answers to one identifier, whatever the fields |
/// | `answer_doubt` | which lookups are in doubt? |
///
/// The sums in `total` follow `request` by triggers. Requests are never deleted.
///
/// The number of a committed request is never used again (`AUTOINCREMENT`), because blocks, answers and runs refer to them.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE owner (id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, since_ms INTEGER NOT NULL);
CREATE TABLE pace (owner INTEGER, key INTEGER, per_minute INTEGER NOT NULL, PRIMARY KEY (owner, key)) WITHOUT ROWID;
CREATE TABLE pause (key INTEGER PRIMARY KEY, since_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL);
CREATE TABLE mark (id INTEGER PRIMARY KEY, token BLOB NOT NULL);
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
CREATE TABLE allowed (key BLOB PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO total VALUES (1, 0, 0, 0);
CREATE TRIGGER request_added AFTER INSERT ON request BEGIN
    UPDATE total SET credits = credits + new.credits, in_doubt = in_doubt + new.in_doubt;
END;
CREATE TRIGGER request_changed AFTER UPDATE OF credits, in_doubt ON request BEGIN
    UPDATE total SET credits = credits + new.credits - old.credits, in_doubt = in_doubt + new.in_doubt - old.in_doubt;
END;
";

/// What a file records about itself.
///
/// Read once, when the store is opened.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// As [`service_of`](super::place::service_of) returns it. Answers of two services are never in one store.
    pub(crate) service: String,
    pub(crate) secret: Secret,
    /// Identifies this store and its copies, whatever their paths.
    pub(crate) name: [u8; 16],
    /// The rules of canonical forms by which the keys were made.
    pub(crate) rules_version: u32,
    pub(crate) created_ms: i64,
}

/// Creates the tables in an empty file, and reads what a file records about itself.
///
/// What an existing file records is compared before its journal mode is changed, so a database of another program is
/// left as it is.
///
/// # Errors
/// If the file is not a store, or this version cannot use it as it is.
pub(crate) fn open(connection: &Connection, service: &str, now_ms: i64) -> Result<Identity, Fault> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(Fault::of(format!(
            "SQLite {} can lose what it has committed: build with the bundled one, 3.51.3 or later",
            rusqlite::version()
        )));
    }
    // From one state of the file, because another process may be creating the tables at this moment.
    let reading = connection.unchecked_transaction()?;
    let objects: i64 = query::one(connection, "SELECT count(*) FROM sqlite_schema", [])?;
    let (application, version) = versions(connection)?;
    reading.commit()?;
    if objects == 0 && application == 0 {
        turn_log_on(connection)?;
        create(connection, service, now_ms)?;
    } else {
        check_versions((application, version))?;
        turn_log_on(connection)?;
    }
    let identity = identity(connection)?;
    check_rules(connection)?;
    Ok(identity)
}

/// Checks that the keys in the file were made by this version's rules. Other keys would not be found, and their lookups
/// would be paid for again. A process that has claimed nothing does not prevent a migration, so this is checked whenever
/// another connection has committed.
pub(crate) fn check_rules(connection: &Connection) -> Result<(), Fault> {
    let version: Option<u32> = noted(connection, "rules_version")?;
    match version.ok_or_else(damaged)?.cmp(&RULES_VERSION) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(newer()),
        std::cmp::Ordering::Less => Err(older()),
    }
}

/// The service whose answers a store has. Works for a store of any version.
pub(crate) fn service(connection: &Connection) -> Result<String, Fault> {
    if versions(connection)?.0 != APPLICATION_ID {
        return Err(Fault::of("the file is not a store of this package: use another path"));
    }
    query::one(connection, "SELECT value FROM meta WHERE name = 'service'", [])
}

/// Turns the write-ahead log on. If it is on, this changes nothing. If several processes create a store at the same time,
/// SQLite does not wait for the lock that this needs, because the processes might wait for each other. So we wait until
/// the other process has released it, and try again.
fn turn_log_on(connection: &Connection) -> Result<(), Fault> {
    let until = now_ms().saturating_add(LONGEST_CREATION_MS);
    loop {
        let mode: Result<String, rusqlite::Error> =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match mode {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(_) => {
                return Err(Fault::of("the store's disk has no shared memory: use a path on a local disk"));
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && now_ms() < until => {
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Which program's file it is, and the version of its tables, which every store has.
fn versions(connection: &Connection) -> Result<(i64, Option<i64>), Fault> {
    let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    // Only a store is known to have this table.
    let version = if application == APPLICATION_ID { noted(connection, "schema_version")? } else { None };
    Ok((application, version))
}

/// Checks that this version can use a file with these numbers.
pub(crate) fn check(connection: &Connection) -> Result<(), Fault> {
    check_versions(versions(connection)?)
}

fn check_versions((application, version): (i64, Option<i64>)) -> Result<(), Fault> {
    if application != APPLICATION_ID {
        return Err(Fault::of("the file is not a store of this package: use another path"));
    }
    match version.ok_or_else(damaged)?.cmp(&SCHEMA_VERSION) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(newer()),
        // No release has written such tables, so there is nothing to migrate them.
        std::cmp::Ordering::Less => Err(Fault::of(
            "the store was written by a development version of this package and cannot be migrated: use that version, or \
             use another path",
        )),
    }
}

/// The fault for a file with newer tables or rules, which this version could misread.
pub(crate) fn newer() -> Fault {
    Fault::of(
        "the store was written by a newer version of this package: install that version, or use another path",
    )
}

fn damaged() -> Fault {
    Fault::Damaged("its own record of itself is damaged")
}

fn older() -> Fault {
    Fault::of(
        "the store was written by an older version of this package: run `exactbuyer store migrate`, which makes a backup first",
    )
}

/// One transaction: a process that is killed meanwhile leaves an empty file, and the next one creates the tables. It
/// is `IMMEDIATE`, because the check that nobody else has created them must hold until the commit.
fn create(connection: &Connection, service: &str, now_ms: i64) -> Result<(), Fault> {
    let creating = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    // Another process may have created them meanwhile.
    if versions(connection)?.0 == APPLICATION_ID {
        return Ok(());
    }
    connection.execute_batch(TABLES)?;
    // SQLite seeds its generator from the system's.
    let random = |bytes: i64| query::one::<Vec<u8>>(connection, "SELECT randomblob(?1)", [bytes]);
    let set = |name: &str, value: &dyn rusqlite::ToSql| {
        connection.execute("INSERT INTO meta VALUES (?1, ?2)", params![name, value])
    };
    set("service", &service)?;
    set("secret", &random(32)?)?;
    set("name", &random(16)?)?;
    set("schema_version", &SCHEMA_VERSION)?;
    set("rules_version", &RULES_VERSION)?;
    set("created_ms", &now_ms)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(creating.commit()?)
}

/// Reads what the file records about itself.
///
/// # Errors
/// If a value is missing or has the wrong length.
pub(crate) fn identity(connection: &Connection) -> Result<Identity, Fault> {
    let (secret, name): (Option<Vec<u8>>, Option<Vec<u8>>) =
        (noted(connection, "secret")?, noted(connection, "name")?);
    Ok(Identity {
        service: noted(connection, "service")?.ok_or_else(damaged)?,
        secret: secret.as_deref().and_then(Secret::new).ok_or_else(damaged)?,
        name: name.and_then(|name| name.try_into().ok()).ok_or_else(damaged)?,
        rules_version: noted(connection, "rules_version")?.ok_or_else(damaged)?,
        created_ms: noted(connection, "created_ms")?.unwrap_or_default(),
    })
}

fn noted<T: FromSql>(connection: &Connection, name: &str) -> Result<Option<T>, Fault> {
    query::find(connection, "SELECT value FROM meta WHERE name = ?1", [name])
}
