//! The time, and short waits.

use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A moment in the form in which users and the service's log write it.
pub(crate) fn utc(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| "an unknown time".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Waits for 10 ms: between two checks whether a fork or a closing is over.
pub(crate) fn pause_shortly() {
    pause(Duration::from_millis(10));
}

/// Waits. Takes no lock that a forked child might inherit.
pub(crate) fn pause(duration: Duration) {
    // Nothing is ever sent.
    let (_open, never) = channel::<()>();
    let _ = never.recv_timeout(duration);
}
