//! What goes wrong with the file, and how it is told.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind};

/// What went wrong: SQLite's word for it, or ours.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    Told(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl Fault {
    /// Of the store, in one line.
    pub(super) fn of(message: impl Into<String>) -> Self {
        Self::Told(Error::new(ErrorKind::Store, message))
    }

    /// Another program, or another thread, has a lock that this needs.
    pub(super) fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Sqlite(error)
                if matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                )
        )
    }

    /// What the person reads who has this file.
    pub(super) fn told(self, path: &Path) -> Error {
        let error = match self {
            Self::Told(error) => return error,
            Self::Sqlite(error) => error,
        };
        let what = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another program keeps it locked: let that finish, and run this again"
            }
            Some(ErrorCode::DiskFull) => "the disk is full: make room, and run this again",
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied,
            ) => "it cannot be written: check the file's and the folder's owner and mode",
            Some(ErrorCode::CannotOpen) => {
                "it cannot be opened: check the path, and the folder's owner and mode"
            }
            Some(ErrorCode::NotADatabase) => "it is not a store of this package: give store= another path",
            Some(ErrorCode::DatabaseCorrupt) => {
                "it is damaged: restore it from a backup, or give store= another path"
            }
            Some(ErrorCode::OperationInterrupted) => return super::interrupt::taken_back().told(path),
            Some(ErrorCode::SystemIoFailure) => {
                "the disk failed to read or write it: check the disk, and run this again"
            }
            _ => {
                return Error::new(
                    ErrorKind::Store,
                    format!("the store {}: {}", path.display(), plain(&error)),
                );
            }
        };
        Error::new(ErrorKind::Store, format!("the store {}: {what}", path.display()))
    }
}

/// SQLite's own words, without the statement: values never stand in those.
fn plain(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => message.clone().unwrap_or_else(|| code.to_string()),
        other => other.to_string(),
    }
}
