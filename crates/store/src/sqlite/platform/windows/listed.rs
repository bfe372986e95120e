//! Open files, with the interface of a system that forks. Nothing is inherited here.

use std::io;

/// On systems that fork, this value exists during a fork. No process forks here.
#[derive(Debug)]
pub(crate) struct Halt;

impl Halt {
    pub(crate) fn begin() -> Self {
        Self
    }
}

/// There is no parent whose files could be inherited.
pub(crate) fn close_all_inherited() {}

/// An open file.
#[derive(Debug)]
pub(crate) struct Listed<F>(Option<F>);

impl<F> Listed<F> {
    /// Opens a file with this function.
    pub(crate) fn open(open: impl FnOnce() -> io::Result<F>) -> io::Result<Self> {
        open().map(|file| Self(Some(file)))
    }

    /// # Errors
    /// If it was closed.
    pub(crate) fn get(&self) -> io::Result<&F> {
        self.0.as_ref().ok_or_else(|| io::Error::other("the store has been closed"))
    }

    pub(crate) fn close(&mut self) {
        self.0.take();
    }
}
