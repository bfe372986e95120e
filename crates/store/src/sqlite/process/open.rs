//! Opens each file once in a process, however many handles ask for it.
//!
//! The registry says which files are being opened, so two threads never open the same file twice. Opening may wait for
//! another program's lock. The registry is not locked meanwhile, because handles of other stores need it when they are
//! dropped. A fork ends this wait, and the opening begins again after it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use exactbuyer_core::error::{Error, ErrorKind};

use super::super::clock::pause_shortly;
use super::super::file::{Fault, LOCK_TIMEOUT, busy, connect, disks, open_files, owners, place, schema};
use super::super::platform;
use super::closing::close;
use super::opening::{Opening, User, check_service};
use super::registry::{self, Registry};

/// Opens the file, or returns the opening that this process already has.
///
/// The requests of dead owners are buried when other threads can find the opening: this waits for the writer, which may
/// wait for other programs.
///
/// # Errors
/// As [`SqliteStore::open`](super::SqliteStore::open). If burying fails, the opening is closed again.
pub(crate) fn open(
    path: &Path,
    service: &str,
    lock_timeout: Duration,
) -> Result<(Arc<Opening>, User), Error> {
    let (opening, user) = between_forks(lock_timeout, || open_now(path, service, lock_timeout))?;
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
///
/// Also repeats it while another thread opens or closes the same file, every 10 ms.
fn between_forks<T>(longest: Duration, mut act: impl FnMut() -> Result<T, Trouble>) -> Result<T, Error> {
    loop {
        match busy::yielding(longest, &mut act) {
            Ok(done) => return Ok(done),
            Err(Trouble::Fault(fault, _)) if busy::has_yielded(fault.is_busy()) => busy::wait_for_fork(),
            Err(Trouble::Fault(fault, path)) => return Err(fault.into_error(&path)),
            Err(Trouble::Complete(error)) => return Err(error),
            Err(Trouble::Reserved) => pause_shortly(),
        }
    }
}

/// Why `act` failed: a fault of this file, a complete error, or another thread that is opening or closing the file.
enum Trouble {
    Fault(Fault, PathBuf),
    Complete(Error),
    Reserved,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Complete(error)
    }
}

/// In this order, so that nothing is created or opened that must be refused: a known opening, a file that is being
/// opened or closed, a file in the place of a known one, the folder and its disk, a file that the parent process had open.
fn open_now(path: &Path, service: &str, lock_timeout: Duration) -> Result<(Arc<Opening>, User), Trouble> {
    let mut registry = registry::lock()?;
    if let Some(known) = known(&registry, path) {
        // A second enricher must not get the answers of another service because the file is open already.
        check_service(&known.shared.identity.service, service)?;
        // Before another thread can see it as unused.
        let user = known.new_user();
        return Ok((known, user));
    }
    refuse_reserved(&registry, path)?;
    refuse_replaced(&registry, path)?;
    let failed = |fault: Fault| Trouble::Fault(fault, path.to_owned());
    let (path, warnings) = place::prepare(path).map_err(failed)?;
    let unreadable = |error| {
        failed(Fault::system(format_args!("the store {} cannot be looked at", path.display()), &error))
    };
    let file = platform::file_id(&path).map_err(unreadable)?;
    if registry.inherited.contains(&file) {
        return Err(registry::forked_in_use().into());
    }
    let reservation = registry.reserve(file, &path).ok_or(Trouble::Reserved)?;
    drop(registry);
    let opening = Opening::new((&path, file), service, warnings, lock_timeout);
    let opening = Arc::new(opening.map_err(|fault| Trouble::Fault(fault, path))?);
    let user = opening.new_user();
    reservation.opened(&opening);
    Ok((opening, user))
}

/// The service whose answers the store at this path has.
///
/// Creates no store, and works for a store of any version.
///
/// # Errors
/// [`ErrorKind::Store`] if there is none, or it cannot be opened.
pub fn service_at(path: &Path) -> Result<String, Error> {
    between_forks(LOCK_TIMEOUT, || {
        // The registry stays locked, so that no other thread opens the file: closing this connection could drop its locks.
        let registry = registry::lock()?;
        if let Some(known) = known(&registry, path) {
            let service = known.shared.identity.service.clone();
            drop(registry);
            close(known);
            return Ok(service);
        }
        refuse_reserved(&registry, path)?;
        let is_there = match path.metadata() {
            Ok(known) => known.is_file(),
            Err(error) if platform::is_absent(&error) => false,
            Err(error) => return Err(open_files::not_found(path, &error).into_error(path).into()),
        };
        if !is_there {
            return Err(Fault::absent(path).into());
        }
        refuse_replaced(&registry, path)?;
        let read = || {
            let path = &*place::refuse_names(path)?;
            disks::refuse(path)?;
            owners::refuse_replaced(path)?;
            schema::service(&connect(path)?)
        };
        read().map_err(|fault| Trouble::Fault(fault, path.to_owned()))
    })
}

/// Does something with a file that no thread of this process has open or opens meanwhile.
///
/// For migrations. Other processes are kept out by locks, not by this.
///
/// # Errors
/// If a thread of this process has the file open, or `act` fails.
pub(crate) fn alone<T>(path: &Path, act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let registry = loop {
        let registry = registry::lock()?;
        if refuse_reserved(&registry, path).is_ok() {
            break registry;
        }
        drop(registry);
        pause_shortly();
    };
    if known(&registry, path).is_some() {
        return Err(Error::new(ErrorKind::Store, "the store is open in this process: close it first"));
    }
    refuse_replaced(&registry, path)?;
    let done = act();
    drop(registry);
    done
}

/// Refuses a file that another thread is opening or closing. The caller unlocks the registry and tries again.
fn refuse_reserved(registry: &Registry, path: &Path) -> Result<(), Trouble> {
    if registry.is_reserved(path) { Err(Trouble::Reserved) } else { Ok(()) }
}

/// The opening of the file at this path, if this process has it open and nobody has begun to close it.
fn known(registry: &Registry, path: &Path) -> Option<Arc<Opening>> {
    registry.openings.get(&platform::file_id(path).ok()?)?.upgrade()
}

/// Refuses a file that has replaced a file that this process still has open. The side files belong to the old file. Opening
/// the new one would open and close them, which could drop the locks on them.
fn refuse_replaced(registry: &Registry, path: &Path) -> Result<(), Error> {
    let Some(path) = place::canonical(path) else { return Ok(()) };
    let mut open = registry.openings.values().filter_map(Weak::upgrade);
    open.find(|opening| opening.shared.path == path)
        .map_or(Ok(()), |opening| Err(opening.shared.error(open_files::gone(&path))))
}
