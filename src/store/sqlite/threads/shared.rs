//! What the threads of one opening share: who is asking for what right now, and which sets of
//! required fields there are.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tokio::sync::Notify;

use crate::error::Error;

use super::super::answers::settle::SettleWork;
use super::super::file::busy;
use super::super::file::fault::Fault;
use super::super::file::open_files::{self, Files, Name};
use super::super::file::owners::Owners;
use super::super::file::place::{self, FileId};
use super::super::file::schema::{self, Identity};
use super::super::key::Key;
use super::super::platform::unix::locks;
use super::super::platform::unix::system_calls;

/// A set of required fields, sorted.
pub(in super::super) type Fields = Arc<[Box<str>]>;

/// What the threads share.
#[derive(Debug)]
pub(in super::super) struct Shared {
    pub(in super::super) path: PathBuf,
    /// The file that was opened first: another one is another store.
    pub(in super::super) file: FileId,
    pub(in super::super) identity: Identity,
    pub(in super::super) owners: Owners,
    /// Locked for as long as the store is open.
    name: Name,
    pub(in super::super) lock_timeout: Duration,
    pub(in super::super) changed: Notify,
    intents: Mutex<Intents>,
    fields: Mutex<HashMap<i64, Fields>>,
    orphans: Mutex<Vec<i64>>,
    unsettled: Mutex<Unsettled>,
}

/// Answers that could not be stored, to be tried again. None is given up because of their number: each was paid for.
#[derive(Debug, Default)]
struct Unsettled {
    works: Vec<SettleWork>,
    /// Of those that may be stored later: see [`MOST_UNSETTLED_BYTES`].
    bytes: usize,
}

/// Bytes of answers that wait to be stored, from which on nothing more is sent. The answers to what is under way then
/// are kept, too: at most `max_concurrency` replies for each run.
pub(in super::super) const MOST_UNSETTLED_BYTES: usize = 64 << 20;

impl Shared {
    pub(in super::super) fn new(
        (path, file, name): (PathBuf, FileId, Name),
        identity: Identity,
        owners: Owners,
        lock_timeout: Duration,
    ) -> Self {
        Self {
            path,
            file,
            identity,
            owners,
            name,
            lock_timeout,
            changed: Notify::new(),
            intents: Mutex::default(),
            fields: Mutex::default(),
            orphans: Mutex::default(),
            unsettled: Mutex::default(),
        }
    }

    /// Closes the files that hold locks, although this value may still be referenced.
    pub(in super::super) fn close_files(&self) {
        self.owners.close();
        self.name.close();
    }

    pub(in super::super) fn intents(&self) -> MutexGuard<'_, Intents> {
        self.intents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests whose claimants were gone before they heard of their claims.
    pub(in super::super) fn orphans(&self) -> Vec<i64> {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in super::super) fn orphan(&self, request: i64) {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    pub(in super::super) fn forget_orphan(&self, request: i64) {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != request);
    }

    /// Answers that could not be stored, to be tried again.
    pub(in super::super) fn take_unsettled(&self) -> Vec<SettleWork> {
        std::mem::take(&mut *self.unsettled()).works
    }

    pub(in super::super) fn keep_unsettled(&self, work: SettleWork) {
        let mut unsettled = self.unsettled();
        unsettled.bytes += if work.is_hopeless { 0 } else { work.bytes() };
        unsettled.works.push(work);
    }

    pub(in super::super) fn any_unsettled(&self) -> bool {
        !self.unsettled().works.is_empty()
    }

    /// # Errors
    /// If so many answers wait to be stored that there is no room for those to another request.
    pub(in super::super) fn check_room(&self) -> Result<(), Fault> {
        if self.unsettled().bytes < MOST_UNSETTLED_BYTES {
            return Ok(());
        }
        Err(Fault::of(format!(
            "the store {}: many answers could not be stored yet, so nothing more is sent: make room on the disk, or end \
             what keeps the store locked, and run this again",
            self.path.display()
        )))
    }

    fn unsettled(&self) -> MutexGuard<'_, Unsettled> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another connection to the file, and which files it has open.
    pub(in super::super) fn connect(&self) -> Result<(Connection, Files), Fault> {
        // Of another store nothing is to be touched.
        let lies = locks::lies_at(self.file, &self.path);
        if !lies.map_err(|error| open_files::unseen(&self.path, &error))? {
            return Err(open_files::gone(&self.path));
        }
        let connection = connect(&self.path)?;
        let files = Files::of(&self.path, self.file)?;
        Ok((connection, files))
    }

    pub(in super::super) fn told(&self, fault: Fault) -> Error {
        fault.told(&self.path)
    }

    /// The set of this number.
    pub(in super::super) fn fields(&self, connection: &Connection, number: i64) -> Result<Fields, Fault> {
        let mut sets = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fields) = sets.get(&number) {
            return Ok(fields.clone());
        }
        let text: String = connection
            .prepare_cached("SELECT fields FROM required WHERE id = ?1")?
            .query_row([number], |row| row.get(0))?;
        let fields: Vec<Box<str>> =
            serde_json::from_str(&text).map_err(|_| Fault::damaged("a set of required fields is damaged"))?;
        let fields = Fields::from(fields);
        sets.insert(number, fields.clone());
        Ok(fields)
    }

    /// Forgets what a transaction that failed may have put here.
    pub(in super::super) fn forget_fields(&self) {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection to a file that is there, which has read from it.
pub(in super::super) fn connect(path: &Path) -> Result<Connection, Fault> {
    let connection = open_file(path)?;
    schema::prepare(&connection)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// A connection that has not accessed the file yet. All connections are made here.
pub(in super::super) fn open_file(path: &Path) -> Result<Connection, Fault> {
    system_calls::put_in();
    system_calls::forget_failure();
    if let Ok(known) = std::fs::metadata(path) {
        place::refuse_second_name(path, &known)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(busy::handler))?;
    if connection.is_readonly("main")? {
        // SQLite tries that where opening to write has failed, for whatever reason.
        return Err(Fault::unopened(path));
    }
    Ok(connection)
}

/// The number of this set; in a transaction, as it may be new.
pub(in super::super) fn number_of(connection: &Connection, fields: &Fields) -> Result<i64, Fault> {
    if let Some(number) = known_number(connection, fields)? {
        return Ok(number);
    }
    connection
        .prepare_cached("INSERT INTO required (fields) VALUES (?1)")?
        .execute(params![text_of(fields)])?;
    Ok(connection.last_insert_rowid())
}

/// The number of this set, if it has one.
pub(in super::super) fn known_number(connection: &Connection, fields: &Fields) -> Result<Option<i64>, Fault> {
    Ok(connection
        .prepare_cached("SELECT id FROM required WHERE fields = ?1")?
        .query_row([text_of(fields)], |row| row.get(0))
        .optional()?)
}

fn text_of(fields: &Fields) -> String {
    serde_json::Value::from(fields.iter().map(|field| &**field).collect::<Vec<_>>()).to_string()
}

/// A set of required fields as it is compared: sorted, each once.
pub(in super::super) fn sorted(fields: &[Box<str>]) -> Fields {
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    fields.dedup();
    fields.into()
}

/// Whether the first of two sorted sets lies within the second.
pub(in super::super) fn within(inner: &[Box<str>], outer: &[Box<str>]) -> bool {
    inner.iter().all(|field| outer.contains(field))
}

/// A request under way.
#[derive(Debug)]
pub(in super::super) struct Intent {
    pub(in super::super) owner: i64,
    pub(in super::super) fields: Fields,
    pub(in super::super) keys: Vec<Key>,
}

/// All requests under way, by what they ask for.
#[derive(Debug, Default)]
pub(in super::super) struct Intents {
    by_request: HashMap<i64, Intent>,
    by_key: HashMap<Key, Vec<i64>>,
    /// Those whose answers came and could not be stored: nobody need wait for them.
    lost: HashSet<i64>,
}

impl Intents {
    /// Forgets all, to read them from the file again.
    pub(in super::super) fn clear(&mut self) {
        self.by_request.clear();
        self.by_key.clear();
    }

    pub(in super::super) fn add(&mut self, request: i64, intent: Intent) {
        for key in &intent.keys {
            self.by_key.entry(*key).or_default().push(request);
        }
        self.by_request.insert(request, intent);
    }

    pub(in super::super) fn remove(&mut self, request: i64) {
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

    /// Drops those that are not among these.
    pub(in super::super) fn keep(&mut self, requests: &HashSet<i64>) {
        let gone: Vec<i64> =
            self.by_request.keys().filter(|known| !requests.contains(*known)).copied().collect();
        for request in gone {
            self.remove(request);
        }
    }

    pub(in super::super) fn has(&self, request: i64) -> bool {
        self.by_request.contains_key(&request)
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.by_request.is_empty()
    }

    /// Whether the answer of any of them may still come.
    pub(in super::super) fn any_awaited(&self) -> bool {
        self.by_request.keys().any(|request| !self.lost.contains(request))
    }

    /// Who is asking for anything.
    pub(in super::super) fn owners(&self) -> Vec<i64> {
        let mut owners: Vec<i64> = self.by_request.values().map(|intent| intent.owner).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    pub(in super::super) fn lose(&mut self, request: i64) {
        self.lost.insert(request);
    }

    /// Who asks, and whether in vain, in requests whose answers could answer a lookup of these fields, too.
    pub(in super::super) fn asking<'a>(
        &'a self,
        key: &Key,
        fields: &'a [Box<str>],
    ) -> impl Iterator<Item = Asking> + 'a {
        let requests = self.by_key.get(key).map(Vec::as_slice).unwrap_or_default();
        requests.iter().filter_map(move |request| {
            let intent = self.by_request.get(request)?;
            let related = within(fields, &intent.fields) || within(&intent.fields, fields);
            related.then(|| Asking { owner: intent.owner, lost: self.lost.contains(request) })
        })
    }
}

/// Somebody asks for a lookup.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Asking {
    pub(in super::super) owner: i64,
    pub(in super::super) lost: bool,
}

/// Now, in milliseconds since 1970.
pub(in super::super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A moment as people and the vendor's log write it.
pub(in super::super) fn clock(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| "an unknown time".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}
