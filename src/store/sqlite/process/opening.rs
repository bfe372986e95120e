//! Opens each file once in a process, however many handles ask for it.

use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rusqlite::Connection;

use crate::error::{Error, ErrorKind};

use super::super::file::busy::{self, LOCK_TIMEOUT};
use super::super::file::disks;
use super::super::file::fault::Fault;
use super::super::file::open_files::{self, Files, Name};
use super::super::file::owners::{self, Owners};
use super::super::file::place::{self, FileId};
use super::super::file::schema;
use super::super::platform::unix::locks;
use super::super::threads::reader::{Question, Reader};
use super::super::threads::shared::{Shared, connect, now_ms};
use super::super::threads::worker::Worker;
use super::super::threads::writer::{Bury, Work, Writer};
use super::closing::close;
use super::registry::{self, Registry};

/// A file, open.
pub(in super::super) struct Opening {
    pub(in super::super) pid: u32,
    pub(in super::super) shared: Arc<Shared>,
    pub(in super::super) writer: Worker<Box<dyn Work>>,
    /// For runs.
    pub(in super::super) reader: Worker<Question>,
    /// For people.
    pub(in super::super) desk: Worker<Question>,
    pub(in super::super) warnings: Vec<String>,
    users: User,
    /// Whether its threads have ended and its files are closed.
    is_over: AtomicBool,
}

/// Counts the users of an opening: one for the opening itself, and one for each handle that is not closed.
pub(in super::super) type User = Arc<()>;

/// Opens the file, or returns the opening that this process already has.
pub(in super::super) fn open(
    path: &Path,
    service: &str,
    lock_timeout: Duration,
) -> Result<(Arc<Opening>, User), Error> {
    let (opening, user) = between_forks(lock_timeout, || {
        let mut registry = registry::lock()?;
        let opening = open_now(registry.as_mut(), path, service, lock_timeout)?;
        // Before another thread could see it as unused.
        let user = opening.new_user();
        drop(registry);
        Ok((opening, user))
    })?;
    match opening.bury_the_dead() {
        Ok(()) => Ok((opening, user)),
        Err(error) => {
            drop(user);
            close(opening);
            Err(error)
        }
    }
}

/// Runs `act`, and repeats it as long as a fork interrupts it. During the fork, `act` holds no locks.
fn between_forks<T>(longest: Duration, mut act: impl FnMut() -> Result<T, Trouble>) -> Result<T, Error> {
    loop {
        match busy::yielding(longest, &mut act) {
            Ok(done) => return Ok(done),
            Err(Trouble::Fault(fault, _)) if busy::has_yielded(&fault) => busy::wait_for_fork(),
            Err(Trouble::Fault(fault, path)) => return Err(fault.told(&path)),
            Err(Trouble::Told(error)) => return Err(error),
            Err(Trouble::Closing) => busy::pause_shortly(),
        }
    }
}

/// Why `act` failed: a fault of this file, a finished error, or another thread that is closing the file.
enum Trouble {
    Fault(Fault, PathBuf),
    Told(Error),
    Closing,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

fn open_now(
    registry: Option<&mut Registry>,
    path: &Path,
    service: &str,
    lock_timeout: Duration,
) -> Result<Arc<Opening>, Trouble> {
    if let Some(known) = known(registry.as_deref(), path) {
        return Ok(same_service(known, service)?);
    }
    refuse_closing(registry.as_deref(), path)?;
    refuse_replaced(registry.as_deref(), path)?;
    let told = |fault: Fault| Trouble::Fault(fault, path.to_owned());
    let (path, warnings) = place::prepare(path).map_err(told)?;
    let failed =
        |error| told(Fault::system(format_args!("the store {} cannot be looked at", path.display()), &error));
    let file = place::file_id(&path).map_err(failed)?;
    if registry.as_ref().is_some_and(|registry| registry.inherited.contains(&file)) {
        return Err(registry::forked_in_use().into());
    }
    let opening = Opening::new((&path, file), service, warnings, lock_timeout);
    let opening = Arc::new(opening.map_err(|fault| Trouble::Fault(fault, path))?);
    if let Some(registry) = registry {
        registry.openings.retain(|_, opening| opening.strong_count() > 0);
        registry.openings.insert(file, Arc::downgrade(&opening));
    }
    Ok(opening)
}

/// Whose answers are in the store that lies here.
///
/// # Errors
/// [`ErrorKind::Store`] if there is none, or it cannot be opened.
pub fn service_at(path: &Path) -> Result<String, Error> {
    between_forks(LOCK_TIMEOUT, || {
        // Locked, so that no thread opens it meanwhile: closing this connection would disturb the other.
        let registry = registry::lock()?;
        if let Some(known) = known(registry.as_ref(), path) {
            let service = known.shared.identity.service.clone();
            drop(registry);
            close(known);
            return Ok(service);
        }
        refuse_closing(registry.as_ref(), path)?;
        let is_there = match path.metadata() {
            Ok(known) => known.is_file(),
            Err(error) if locks::is_absent(&error) => false,
            Err(error) => {
                let what = format_args!("the store {} cannot be looked at", path.display());
                return Err(Fault::system(what, &error).told(path).into());
            }
        };
        if !is_there {
            let message = format!("there is no store {}: check the path", path.display());
            return Err(Error::new(ErrorKind::Store, message).into());
        }
        refuse_replaced(registry.as_ref(), path)?;
        let read = || {
            let path = &*place::real(path)?;
            disks::refuse(path)?;
            owners::refuse_replaced(path)?;
            schema::service(&connect(path)?)
        };
        read().map_err(|fault| Trouble::Fault(fault, path.to_owned()))
    })
}

/// Does something with a file that nobody in this process has open, nor opens meanwhile.
pub(in super::super) fn alone<T>(path: &Path, act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let registry = loop {
        let registry = registry::lock()?;
        if refuse_closing(registry.as_ref(), path).is_ok() {
            break registry;
        }
        drop(registry);
        busy::pause_shortly();
    };
    if known(registry.as_ref(), path).is_some() {
        return Err(Error::new(ErrorKind::Store, "the store is open in this process: close it first"));
    }
    refuse_replaced(registry.as_ref(), path)?;
    let done = act();
    drop(registry);
    done
}

/// Refuses a file that another thread is closing. It is to be tried again, with the registry unlocked meanwhile.
fn refuse_closing(registry: Option<&Registry>, path: &Path) -> Result<(), Trouble> {
    if registry.is_some_and(|registry| registry.is_closing(path)) { Err(Trouble::Closing) } else { Ok(()) }
}

fn known(registry: Option<&Registry>, path: &Path) -> Option<Arc<Opening>> {
    registry?.openings.get(&place::file_id(path).ok()?)?.upgrade()
}

/// A file that this process has open was replaced by another: what lies beside it is in use.
/// Closing that, which opening the other would bring with it, would drop the locks on it.
fn refuse_replaced(registry: Option<&Registry>, path: &Path) -> Result<(), Error> {
    let Some(lies) = place::canonical(path) else { return Ok(()) };
    let mut open = registry.iter().flat_map(|registry| registry.openings.values()).filter_map(Weak::upgrade);
    open.find(|opening| opening.shared.path == lies)
        .map_or(Ok(()), |opening| Err(opening.shared.told(open_files::gone(&lies))))
}

fn same_service(opening: Arc<Opening>, service: &str) -> Result<Arc<Opening>, Error> {
    check_service(&opening.shared.identity.service, service).map(|()| opening)
}

fn check_service(stored: &str, asked: &str) -> Result<(), Error> {
    if stored == asked {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!("the store belongs to another service ({stored}, not {asked}): give store= another path"),
    ))
}

impl Opening {
    /// Whether any user has not closed it.
    pub(in super::super) fn is_used(&self) -> bool {
        Arc::strong_count(&self.users) > 1
    }

    pub(in super::super) fn new_user(&self) -> User {
        self.users.clone()
    }

    pub(in super::super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Ends the threads and closes all files, although somebody may keep a reference: if locks belong to the process,
    /// closing a file later would drop those of an opening that was made since.
    pub(in super::super) fn end(&self) {
        self.reader.end();
        self.desk.end();
        self.writer.end();
        self.shared.close_files();
        self.is_over.store(true, Ordering::Release);
    }

    fn new(
        (path, file): (&Path, FileId),
        service: &str,
        warnings: Vec<String>,
        lock_timeout: Duration,
    ) -> Result<Self, Fault> {
        owners::refuse_replaced(path)?;
        let name = Name::take(path)?;
        let connection = connect(path)?;
        let identity = schema::open(&connection, service, now_ms())?;
        check_service(&identity.service, service)?;
        let (connection, owners) = with_owners(connection, path, identity.name)?;
        let files = Files::of(path, file)?;
        let shared = Arc::new(Shared::new((path.to_owned(), file, name), identity, owners, lock_timeout));
        let no_thread = |_| Fault::of("no thread could be started for the store: close some programs");
        Ok(Self {
            pid: process::id(),
            writer: Worker::spawn("exactbuyer-store", Writer::new(shared.clone(), (connection, files)))
                .map_err(no_thread)?,
            reader: Worker::spawn("exactbuyer-read", Reader::new(shared.clone())).map_err(no_thread)?,
            desk: Worker::spawn("exactbuyer-desk", Reader::new(shared.clone())).map_err(no_thread)?,
            shared,
            warnings,
            users: User::default(),
            is_over: AtomicBool::new(false),
        })
    }

    /// What processes that died have left under way is in doubt from now on.
    pub(in super::super) fn bury_the_dead(&self) -> Result<(), Error> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.writer.give(Box::new(Bury(Some(reply))));
        answer.recv().unwrap_or_else(|_| Err(ended()))
    }

    /// Asks a question, and waits for the answer.
    pub(in super::super) fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut super::super::threads::reader::Reading, &Shared) -> Result<T, Fault>
        + Send
        + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let shared = self.shared.clone();
        self.desk.give(Box::new(move |reading| {
            let _ = reply
                .send(reading.and_then(|reading| ask(reading, &shared).map_err(|fault| shared.told(fault))));
        }));
        answer.recv().unwrap_or_else(|_| Err(ended()))
    }

    /// Writes, and waits until it is committed.
    pub(in super::super) fn write<T: Send + 'static>(
        &self,
        write: impl FnMut(&Connection, &mut super::super::threads::writer_state::Ledger) -> Result<T, Fault>
        + Send
        + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.writer.give(Box::new(Write { act: write, answer: None, reply }));
        answer.recv().unwrap_or_else(|_| Err(ended()))
    }
}

/// The same connection, or one that was opened after it, and who has the store in use. For a file that
/// nobody else in this process has open.
pub(in super::super) fn with_owners(
    connection: Connection,
    path: &Path,
    name: [u8; 16],
) -> Result<(Connection, Owners), Fault> {
    if let Some(owners) = Owners::open(path, name, &connection)? {
        return Ok((connection, owners));
    }
    drop(connection);
    let alone = Owners::open_alone(path, name);
    let connection = connect(path)?;
    match alone {
        Ok(owners) => Ok((connection, owners)),
        // Somebody else may have been alone with it a moment ago.
        Err(fault) => Owners::open(path, name, &connection)?.map(|owners| (connection, owners)).ok_or(fault),
    }
}

/// Something that a person wants written.
struct Write<F, T> {
    act: F,
    answer: Option<T>,
    reply: std::sync::mpsc::SyncSender<Result<T, Error>>,
}

impl<F, T> Work for Write<F, T>
where
    F: FnMut(&Connection, &mut super::super::threads::writer_state::Ledger) -> Result<T, Fault> + Send,
    T: Send,
{
    fn work(
        &mut self,
        connection: &Connection,
        ledger: &mut super::super::threads::writer_state::Ledger,
    ) -> Result<(), Fault> {
        self.answer = Some((self.act)(connection, ledger)?);
        Ok(())
    }

    fn done(self: Box<Self>, _: &Shared, committed: Result<(), Error>) {
        let Self { answer, reply, .. } = *self;
        let _ = reply.send(committed.and_then(|()| answer.ok_or_else(ended)));
    }
}

/// The store's own thread is gone.
pub(in super::super) fn ended() -> Error {
    Error::new(ErrorKind::Store, "the store has been closed, or its thread has ended: open it again")
}
