//! A folder for a store, a vendor that does as told, and runs between them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exactbuyer_core::config::{BodyFormat, Config};
use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::{Receipt, RowOutcome, Status};
use exactbuyer_core::service::transport::{Failure, Reply, Request, Transport};
use exactbuyer_core::store::{Claim, RunId, Store, Terms};
use exactbuyer_dispatch::{Engine, RunOptions};
use exactbuyer_store::sqlite::SqliteStore;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// A folder that is gone when the test is.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("exactbuyer-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn store(&self) -> SqliteStore {
        open_at(&self.0)
    }

    /// A file beside the store's, or the store's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

pub(crate) fn open_at(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("a.db"), "loopback").unwrap()
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Keeps others from writing to a store while it lives.
pub(crate) struct Hold {
    _transaction: rusqlite::Connection,
}

impl Hold {
    pub(crate) fn on(path: &Path) -> Self {
        let transaction = rusqlite::Connection::open(path).unwrap();
        transaction.busy_timeout(Duration::from_secs(10)).unwrap();
        transaction.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self { _transaction: transaction }
    }
}

/// The names of the files in this folder that the process has open.
#[cfg(target_os = "linux")]
pub(crate) fn open_in(folder: &Path) -> Vec<String> {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let files = open.filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok());
    let ours = files.filter(|file| file.starts_with(folder));
    ours.map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// Copies a store and its log with `cp`. Another process does it, because reading the files in this one could
/// drop its locks.
pub(crate) fn copy_store(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        if name(from).exists() {
            let copied = std::process::Command::new("cp").arg(name(from)).arg(name(to)).status();
            assert!(copied.unwrap().success());
        }
    }
}

/// All lines of an export.
pub(crate) fn exported(store: &SqliteStore) -> Vec<String> {
    let (mut lines, mut after) = (Vec::new(), 0);
    while let Some((page, last)) = store.export(after).unwrap() {
        lines.extend(page);
        after = last;
    }
    lines
}

/// Makes the store one of the version of the rules before this one.
pub(crate) fn with_older_rules(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute("UPDATE meta SET value = value - 1 WHERE name = 'rules_version'", []).unwrap();
}

/// Every byte of every file of the store, blocks unpacked.
pub(crate) fn holds(folder: &Path, text: &str) -> bool {
    let text = text.as_bytes();
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    std::fs::read_dir(folder).unwrap().flatten().any(|file| {
        let bytes = match std::fs::read(file.path()) {
            Ok(bytes) => bytes,
            // The store's threads may delete a file of their own between the listing and here.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
            Err(error) => panic!("{}: {error}", file.path().display()),
        };
        // A frame may be cut by a page: what is unpacked as far as it goes.
        let frames = bytes.windows(4).enumerate().filter(|(_, window)| *window == magic);
        let unpacked = frames.map(|(at, _)| {
            let mut plain = Vec::new();
            let mut decoder = zstd::stream::read::Decoder::new(&bytes[at..]).unwrap();
            let _ = std::io::Read::read_to_end(&mut decoder, &mut plain);
            plain
        });
        has(&bytes) || unpacked.into_iter().any(|plain| has(&plain))
    })
}

pub(crate) type Answer = dyn Fn(usize, &[String]) -> Result<Reply, Failure> + Send + Sync;

/// Answers each request at once as the test says, and keeps the books.
#[derive(Clone)]
pub(crate) struct Vendor {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Vendor {
    pub(crate) fn new(
        answer: impl Fn(usize, &[String]) -> Result<Reply, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Arc::new(answer), asked: Arc::default() }
    }

    /// Knows everybody whose name does not begin with `nobody`.
    pub(crate) fn honest() -> Self {
        Self::new(|_, values| Ok(found(values)))
    }

    /// What it answers to the first request for these.
    pub(crate) fn says(&self, values: &[String]) -> Result<Reply, Failure> {
        (self.answer)(1, values)
    }

    /// What was asked for, request by request.
    pub(crate) fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for Vendor {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Reply, Failure>> {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let entries = body["query_list"].as_array().unwrap().iter();
        let values: Vec<String> = entries.map(|entry| entry["value"].as_str().unwrap().to_owned()).collect();
        let mut asked = self.asked.lock().unwrap();
        asked.push(values.clone());
        let (number, answer) = (asked.len(), self.answer.clone());
        async move { answer(number, &values) }.boxed()
    }
}

/// A contact's JSON as the vendor spells it: blanks, an escape, a number that no float can hold.
pub(crate) fn record(value: &str) -> String {
    format!(r#"{{ "full_name" : "Zo\u00eb of {value}", "id": 12345678901234567890.10, "x": [1,  2] }}"#)
}

pub(crate) fn found(values: &[String]) -> Reply {
    let known = |value: &String| !value.starts_with("nobody");
    let hits = values.iter().filter(|value| known(value)).count();
    let contacts: Vec<String> = values
        .iter()
        .map(|value| {
            let record = if known(value) { record(value) } else { "null".into() };
            format!(r#"{{"enriched_contact":{record},"value":"{value}"}}"#)
        })
        .collect();
    let body = format!(r#"{{"contacts":[{}],"records_enriched":{hits}}}"#, contacts.join(","));
    Reply { body: body.into(), ..status(200) }
}

pub(crate) fn status(status: u16) -> Reply {
    Reply { status, retry_after: None, body: bytes::Bytes::new(), cut: None }
}

/// Until the clock by which answers grow old has moved on.
pub(crate) fn a_moment_passes() {
    let now = || jiff::Timestamp::now().as_millisecond();
    let then = now();
    while now() <= then + 1 {
        std::hint::spin_loop();
    }
}

pub(crate) fn email(name: &str) -> Identifier {
    Identifier::from_canonical(FieldType::Email, format!("{name}@x.example"))
}

pub(crate) struct Done {
    pub(crate) outcomes: Vec<RowOutcome>,
    pub(crate) receipt: Receipt,
    pub(crate) troubles: Vec<Error>,
}

impl Done {
    pub(crate) fn statuses(&self) -> Vec<Status> {
        self.outcomes.iter().map(|outcome| outcome.status).collect()
    }

    pub(crate) fn records(&self) -> Vec<Option<String>> {
        let text = |record: &bytes::Bytes| String::from_utf8(record.to_vec()).unwrap();
        self.outcomes.iter().map(|outcome| outcome.record.as_ref().map(text)).collect()
    }
}

/// Changes the file of a store by hand.
pub(crate) fn tamper(folder: &Folder, sql: &str) {
    rusqlite::Connection::open(folder.file("a.db")).unwrap().execute_batch(sql).unwrap();
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Claims these people for a new run.
pub(crate) fn claim_for_run(store: &SqliteStore, terms: Terms, names: &[&str]) -> (RunId, Claim) {
    let lookups: Vec<_> = names.iter().map(|name| email(name)).collect();
    let run = store.begin(terms);
    (run, wait(store.claim(run, &[].into(), &lookups)).unwrap())
}

/// The same with terms that allow everything.
pub(crate) fn claim_freely(store: &SqliteStore, names: &[&str]) -> (RunId, Claim) {
    claim_for_run(store, Terms { requests_per_minute: 200, ..Terms::default() }, names)
}

pub(crate) fn settings() -> Config {
    Config { body: BodyFormat::Json, ..Config::default() }
}

pub(crate) fn engine(config: Config, vendor: &Vendor, store: &SqliteStore) -> Engine {
    Engine::seeded(config, Arc::new(vendor.clone()), Arc::new(store.clone()), 1)
}

pub(crate) fn rows(names: &[&str]) -> Vec<Row> {
    names.iter().map(|name| Row::One(email(name))).collect()
}

/// Runs these rows to their end; outcomes in input order.
pub(crate) fn run(engine: &Engine, rows: Vec<Row>, options: RunOptions) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(run_in(engine, rows, options))
}

pub(crate) async fn run_in(engine: &Engine, rows: Vec<Row>, options: RunOptions) -> Done {
    let run = engine.start(&tokio::runtime::Handle::current(), options);
    run.feed(rows, Vec::new());
    run.finish();
    let mut outcomes = Vec::new();
    while let Some(batch) = run.next().await {
        outcomes.extend(batch);
    }
    outcomes.sort_unstable_by_key(|outcome| outcome.row);
    Done { outcomes, receipt: run.receipt(), troubles: run.troubles() }
}

/// A run of these in the background, as soon as something of it was asked for: then it has got what
/// nobody else asks for, and comes to what it has to wait for.
pub(crate) struct Background {
    runtime: tokio::runtime::Runtime,
    running: tokio::task::JoinHandle<Done>,
}

impl Background {
    pub(crate) fn start(vendor: &Vendor, store: &SqliteStore, names: &[&str]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let (engine, rows) = (engine(settings(), vendor, store), rows(names));
        let running = runtime.spawn(async move { run_in(&engine, rows, RunOptions::default()).await });
        while vendor.asked().is_empty() {
            std::thread::yield_now();
        }
        Self { runtime, running }
    }

    pub(crate) fn end(self) -> Done {
        self.runtime.block_on(self.running).unwrap()
    }
}

/// One run over a store that is opened and closed again for it.
pub(crate) fn once(folder: &Folder, config: Config, vendor: &Vendor, names: &[&str]) -> Done {
    let store = folder.store();
    run(&engine(config, vendor, &store), rows(names), RunOptions::default())
}
