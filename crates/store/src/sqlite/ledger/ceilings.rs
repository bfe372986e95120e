//! Spending limits over a day, a month or the life of the store.

use rusqlite::Connection;

use exactbuyer_core::config::Per;
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::store::Ceiling;

use super::super::clock::now_ms;
use super::super::file::{Fault, query};

/// Whether there is a time zone of this name.
///
/// # Errors
/// [`ErrorKind::Config`] if there is none.
pub fn check_time_zone(name: &str) -> Result<(), Error> {
    period_start(Per::Day, name, now_ms())
        .map(drop)
        .map_err(|fault| fault.into_error(std::path::Path::new("")))
}

/// Credits spent in the period of the limit. Doubts and requests in flight count as spent.
///
/// A claim asks this in its transaction, so two processes cannot both use the last credit. A request counts for the
/// period in which it was sent, also if it is settled later. Requests with a time in the future count.
pub(crate) fn spent(connection: &Connection, ceiling: &Ceiling, now: i64) -> Result<u64, Fault> {
    let spent: i64 = match period_start(ceiling.per, &ceiling.time_zone, now)? {
        None => query::one(connection, "SELECT credits + in_doubt FROM total", [])?,
        Some(start) => query::one(
            connection,
            "SELECT coalesce(sum(credits + in_doubt), 0) FROM request WHERE sent_ms >= ?1",
            [start],
        )?,
    };
    Ok(u64::try_from(spent).unwrap_or_default())
}

/// The beginning of the day or month of `now`; `None` if the limit has no period.
///
/// Days begin at the first moment of the date, which is not midnight in zones that change to summer time then.
///
/// # Errors
/// If there is no such time zone.
pub(super) fn period_start(per: Per, time_zone: &str, now: i64) -> Result<Option<i64>, Fault> {
    let wrong = |_: jiff::Error| {
        Fault::Complete(Error::new(
            ErrorKind::Config,
            "tz must be the name of a time zone, such as \"UTC\" or \"Europe/Berlin\"",
        ))
    };
    let begins = |day: fn(jiff::Zoned) -> Result<jiff::Zoned, jiff::Error>| {
        let now = jiff::Timestamp::from_millisecond(now)?.in_tz(time_zone)?;
        Ok(day(now)?.start_of_day()?.timestamp().as_millisecond())
    };
    match per {
        Per::Run | Per::Store => Ok(None),
        Per::Day => begins(Ok).map(Some).map_err(wrong),
        Per::Month => begins(|now| now.first_of_month()).map(Some).map_err(wrong),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn days_and_months_begin_by_the_time_zone() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let now = at("2026-03-31T23:30:00Z");
        let start = |per, zone| period_start(per, zone, now).unwrap().unwrap();
        assert_eq!(start(Per::Month, "UTC"), at("2026-03-01T00:00:00Z"));
        assert_eq!(start(Per::Day, "UTC"), at("2026-03-31T00:00:00Z"));
        assert_eq!(start(Per::Month, "Europe/Berlin"), at("2026-03-31T22:00:00Z"));
        assert_eq!(start(Per::Day, "America/New_York"), at("2026-03-31T04:00:00Z"));
        assert!(period_start(Per::Day, "Atlantis", now).is_err());
        assert_eq!(period_start(Per::Store, "UTC", now).unwrap(), None);
    }
}
