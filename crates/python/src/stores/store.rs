//! The store's classes and functions. Their documentation and messages are in `python/exactbuyer/store/`.
//!
//! Each method follows one pattern: get the handle of this process, ask on a thread of its own while the
//! caller's thread watches for Ctrl-C (`Store::ask`), and give the answer to Python by serde.
//!
//! Handles are reference counted. Dropping the last one waits for the store's threads, so handles are dropped with
//! the interpreter released, or on the waiting thread.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hashbrown::HashSet;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::calls::waiting::wait_for;
use crate::convert::{OrRaise, Serialized};
use crate::input::rows::Rows;
use crate::runtime::{OfProcess, lock};
use exactbuyer_core::error::Error;
use exactbuyer_http::Endpoint;
use exactbuyer_store::sqlite::{self, Interrupt, Resolution, SqliteStore, Target};

/// Adds the store's classes and functions to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("SIDE_FILES", sqlite::SIDE_FILES)?;
    module.add_class::<Store>()?;
    module.add_function(wrap_pyfunction!(reserved_end, module)?)?;
    module.add_function(wrap_pyfunction!(service_of, module)?)?;
    module.add_function(wrap_pyfunction!(disk_trouble, module)?)?;
    module.add_function(wrap_pyfunction!(check_time_zone, module)?)?;
    module.add_function(wrap_pyfunction!(migrate_store, module)?)?;
    module.add_function(wrap_pyfunction!(before_fork, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork, module)?)
}

/// The reserved end of the path's name, such as `-wal`, which no store or output may have; `None` if it has none.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "as pyo3 passes it")]
fn reserved_end(path: PathBuf) -> Option<&'static str> {
    sqlite::reserved_end(&path)
}

/// The service at this address; for every address of this machine, `loopback`.
///
/// Stores are made for one service, so that answers of a test service are never taken for real ones.
///
/// # Errors
/// `ConfigError` if it is not an address.
#[pyfunction]
fn service_of(py: Python<'_>, base_url: &str) -> PyResult<String> {
    let endpoint = Endpoint::parse(base_url).or_raise(py)?;
    Ok(sqlite::service_of(endpoint.host()))
}

/// Why the disk at this path is refused for a store; `None` if it is not.
///
/// A disk of a network, for example, may not keep the promises that a write-ahead log needs. It asks the
/// system, and may wait for a slow disk, so the interpreter is released.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "Python's paths come as values")]
fn disk_trouble(py: Python<'_>, path: PathBuf) -> Option<String> {
    py.detach(|| sqlite::distrust(&path))
}

#[pyfunction]
fn check_time_zone(py: Python<'_>, name: &str) -> PyResult<()> {
    sqlite::check_time_zone(name).or_raise(py)
}

/// Migrates a store's file to this version.
///
/// Returns the counts, and where the backup is that was made before; the path is apart, because serde would
/// make it a text.
///
/// # Errors
/// `StoreError` if the file cannot be migrated; then it is not changed.
#[pyfunction]
fn migrate_store(py: Python<'_>, path: PathBuf) -> PyResult<(Serialized<sqlite::Migrated>, Option<PathBuf>)> {
    let interrupt = Interrupt::default();
    let unless = interrupt.clone();
    let migrated = wait_for(py, &interrupt, move || sqlite::migrate(&path, &unless))?;
    let backup = migrated.backup.clone();
    Ok((Serialized(migrated), backup))
}

/// How long a fork waits for the store's threads.
///
/// A fork must not hang. If the threads take longer, the fork happens anyway.
const LONGEST_WAIT_TO_FORK: Duration = Duration::from_millis(700);

/// For `os.register_at_fork`, as `before`. Other Python threads run while this waits.
///
/// It closes the files of every store, so that the child has no half-open database.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    let began = Instant::now();
    py.detach(|| sqlite::before_fork(|| LONGEST_WAIT_TO_FORK.saturating_sub(began.elapsed())));
}

/// For `os.register_at_fork`: after, in parent and child.
///
/// The parent opens its files again. The child forgets them, and opens its own.
#[pyfunction]
fn after_fork() {
    sqlite::after_fork();
}

/// A store. It is opened when it is first needed, and again in a forked child.
///
/// `exactbuyer.store.Store` owns one, and so does each enricher with a store.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Store {
    /// As the caller gave it. It is resolved when the store is opened.
    path: PathBuf,
    /// The service that the store must belong to; `None`: any.
    service: Option<String>,
    /// Only threads that are attached to Python lock it, and they stay attached meanwhile. So it is never locked during
    /// a fork.
    open: Mutex<Option<OfProcess<SqliteStore>>>,
}

impl Store {
    /// This process's handle. Drop it detached: that may have to wait.
    ///
    /// # Errors
    /// `StoreError` if the file cannot be opened, or belongs to another service; `KeyboardInterrupt` if Ctrl-C
    /// was pressed while it was being opened.
    pub(crate) fn handle(&self, py: Python<'_>) -> PyResult<SqliteStore> {
        if let Some(store) = lock(&self.open).as_ref().and_then(OfProcess::get) {
            return Ok(store.clone());
        }
        let (path, service) = (self.path.clone(), self.service.clone());
        // After Ctrl-C the opening is completed on its own thread, and the store is closed again.
        let opened = wait_for(py, &Interrupt::default(), move || match service {
            Some(service) => SqliteStore::open(&path, &service),
            None => SqliteStore::open(&path, &sqlite::service_at(&path)?),
        })?;
        let before = lock(&self.open).replace(OfProcess::new(opened.clone()));
        // Not while locked: the drop releases the interpreter.
        drop(before);
        Ok(opened)
    }

    /// Asks a question. Ctrl-C interrupts it.
    ///
    /// `ask` gets a handle whose work can be interrupted. It must not call Python.
    fn ask<T: Send + 'static>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&SqliteStore) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        let store = self.handle(py)?;
        let (asked, interrupt) = store.interruptible();
        // Both handles are dropped on that thread, too.
        wait_for(py, &interrupt, move || {
            drop(store);
            ask(&asked)
        })
    }
}

#[pymethods]
impl Store {
    /// Opens nothing.
    #[new]
    #[pyo3(signature = (path, *, service=None))]
    fn new(path: PathBuf, service: Option<String>) -> Self {
        Self { path, service, open: Mutex::new(None) }
    }

    /// Whether this process has it open.
    fn is_open(&self) -> bool {
        lock(&self.open).as_ref().is_some_and(|open| open.get().is_some())
    }

    /// Warnings are about the place of the file, for users to read. An open store gives the same ones again.
    fn open(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.ask(py, |store| Ok(store.warnings().to_vec()))
    }

    /// Other handles of the same file, such as an enricher's, stay open. Closing a closed store does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(open) = lock(&self.open).take() else { return Ok(()) };
        // The last user of a store waits until its files are closed.
        wait_for(py, &Interrupt::default(), move || {
            if let Some(store) = open.take() {
                store.close();
            }
            Ok(())
        })
    }

    fn name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.ask(py, SqliteStore::name)?))
    }

    fn add_mark<'py>(&self, py: Python<'py>) -> PyResult<(i64, Bound<'py, PyBytes>)> {
        let (number, token) = self.ask(py, SqliteStore::add_mark)?;
        Ok((number, PyBytes::new(py, &token)))
    }

    fn has_mark(&self, py: Python<'_>, number: i64, token: Vec<u8>) -> PyResult<bool> {
        self.ask(py, move |store| store.has_mark(number, token))
    }

    /// Everything that is in doubt, oldest first.
    fn unknown(&self, py: Python<'_>) -> PyResult<Serialized<Vec<sqlite::Doubt>>> {
        self.ask(py, SqliteStore::unknown).map(Serialized)
    }

    /// Resolves everything that is in doubt, or what these requests have left.
    #[pyo3(signature = (resolution, requests=None))]
    fn resolve_unknown(
        &self,
        py: Python<'_>,
        resolution: &str,
        requests: Option<Vec<i64>>,
    ) -> PyResult<Serialized<sqlite::Resolved>> {
        let resolution = Resolution::from_name(resolution)
            .ok_or_else(|| PyValueError::new_err("no such resolution: the caller checks it"))?;
        self.ask(py, move |store| store.resolve_unknown(resolution, requests.as_deref())).map(Serialized)
    }

    /// The journal in parts: pass the number of the last entry to get the next ones.
    fn receipts(&self, py: Python<'_>, after: i64) -> PyResult<Serialized<Vec<sqlite::JournalEntry>>> {
        self.ask(py, move |store| store.receipts(after)).map(Serialized)
    }

    fn summary(
        &self,
        py: Python<'_>,
        by: Vec<String>,
        time_zone: String,
    ) -> PyResult<Serialized<Vec<sqlite::SummaryRow>>> {
        self.ask(py, move |store| {
            let by: Vec<&str> = by.iter().map(String::as_str).collect();
            store.summary(&by, &time_zone)
        })
        .map(Serialized)
    }

    /// Compares the journal of a month with the number of credits on the invoice.
    fn reconcile(
        &self,
        py: Python<'_>,
        month: String,
        invoiced: u64,
        time_zone: String,
    ) -> PyResult<Serialized<sqlite::Reconciliation>> {
        self.ask(py, move |store| store.reconcile(&month, invoiced, &time_zone)).map(Serialized)
    }

    fn info(&self, py: Python<'_>) -> PyResult<Serialized<sqlite::Info>> {
        self.ask(py, SqliteStore::info).map(Serialized)
    }

    /// The next answers as lines of JSON, and the number to pass as `after` for those that follow, beginning with 0;
    /// `None` at the end.
    fn export(&self, py: Python<'_>, after: i64) -> PyResult<Option<(Vec<String>, i64)>> {
        self.ask(py, move |store| store.export(after))
    }

    fn backup(&self, py: Python<'_>, to: PathBuf) -> PyResult<()> {
        self.ask(py, move |store| store.backup(&to))
    }

    fn merge(&self, py: Python<'_>, other: PathBuf) -> PyResult<Serialized<sqlite::Merged>> {
        self.ask(py, move |store| store.merge(&other)).map(Serialized)
    }

    /// What the store has about any of these people: what a purge would remove. Reads the whole store.
    fn find(&self, py: Python<'_>, rows: &Rows) -> PyResult<Serialized<Vec<sqlite::Contact>>> {
        let targets: Vec<Target> = rows.identifiers()?.into_iter().map(Target::Identifier).collect();
        self.found(py, targets)
    }

    /// The same for a text that may be in any part of a contact.
    fn find_text(&self, py: Python<'_>, text: String) -> PyResult<Serialized<Vec<sqlite::Contact>>> {
        self.found(py, vec![Target::Text(text)])
    }

    /// Deletes what the store has about these people, and bars their identifiers. One identifier after the
    /// other, each in steps of its own: after an interrupt, those before it are done, and the call can be
    /// repeated.
    fn purge(&self, py: Python<'_>, rows: &Rows) -> PyResult<Serialized<sqlite::Purged>> {
        let identifiers = rows.identifiers()?;
        self.ask(py, move |store| {
            // Without a purge, the log has nothing to clean.
            let mut sum = sqlite::Purged { cleaned: true, ..sqlite::Purged::default() };
            for identifier in &identifiers {
                sum.add(store.purge(identifier)?);
            }
            Ok(sum)
        })
        .map(Serialized)
    }

    /// Deletes answers that are older than this time, in milliseconds since 1970.
    fn purge_before(&self, py: Python<'_>, at_ms: i64) -> PyResult<Serialized<sqlite::Purged>> {
        self.ask(py, move |store| store.purge_before(at_ms)).map(Serialized)
    }

    /// Returns whether any of them was barred.
    fn allow(&self, py: Python<'_>, rows: &Rows) -> PyResult<bool> {
        let identifiers = rows.identifiers()?;
        self.ask(py, move |store| {
            identifiers.iter().try_fold(false, |was, identifier| Ok(store.allow(identifier)? || was))
        })
    }

    /// The bytes of a reply that could not be read when it came. They were kept because they may have been paid
    /// for.
    fn read_unread<'py>(&self, py: Python<'py>, request: i64) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let reply = self.ask(py, move |store| store.read_unread(request))?;
        Ok(reply.map(|reply| PyBytes::new(py, &reply)))
    }
}

impl Store {
    /// Each answer once, although several targets may lead to it.
    fn found(&self, py: Python<'_>, targets: Vec<Target>) -> PyResult<Serialized<Vec<sqlite::Contact>>> {
        self.ask(py, move |store| {
            let (mut all, mut seen) = (Vec::new(), HashSet::new());
            for target in targets {
                let found = store.find(&target)?.into_iter();
                all.extend(found.filter(|contact| {
                    seen.insert((contact.request, contact.status, contact.identifier.clone()))
                }));
            }
            Ok(all)
        })
        .map(Serialized)
    }
}
