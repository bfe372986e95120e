//! Reads a reply, as much of it as is useful, in the time that is left.

use std::io::{self, BufRead};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use tokio::sync::{Semaphore, SemaphorePermit};

use exactbuyer_core::service::limits;
use exactbuyer_core::service::transport::{Cut, Reply};

use super::coding::{self, Coding};
use super::patience::Patience;
use super::trouble;

/// The most bytes that are read of a refusal. Only its status matters, and perhaps a line of
/// explanation.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// A body that grows beyond this needs one of [`LARGE_REPLIES`] permits to continue. Otherwise a
/// faulty gateway could make every request in flight hold a body of the largest allowed size.
const LARGE_BODY_BYTES: usize = 16 * 1024 * 1024;

/// How many bodies may be large at the same time. The others keep what they have and wait. This
/// cannot deadlock, because a body with a permit does not wait for the others. Time limits continue
/// to run.
pub(super) const LARGE_REPLIES: usize = 4;

/// The most bytes that are reserved because of an announced length, before the bytes arrive.
const MAX_RESERVED_BYTES: usize = 4 * 1024 * 1024;

/// A longer `Retry-After` is shortened to this, so that sums with it cannot overflow.
const LONGEST_WAIT: Duration = Duration::from_hours(366 * 24);

/// Reads the reply. Its status line has arrived, so there is a reply even if reading its body
/// fails.
///
/// # Cancel safety
/// Not cancel safe: what has been read is lost.
pub(super) async fn receive(
    mut response: Response,
    patience: &mut Patience,
    large_replies: &Semaphore,
) -> Reply {
    let status = response.status();
    let retry_after = retry_after(response.headers(), SystemTime::now());
    let most = if status.is_success() { limits::MAX_BODY_BYTES } else { MAX_REFUSAL_BYTES };
    let (body, cut) = read(&mut response, most, patience, large_replies).await;
    Reply { status: status.as_u16(), retry_after, body, cut }
}

/// Reads and decompresses a body of at most so many bytes, and says what cut it short.
async fn read(
    response: &mut Response,
    most: usize,
    patience: &mut Patience,
    large_replies: &Semaphore,
) -> (Bytes, Option<Cut>) {
    let codings = coding::codings(response.headers());
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    let mut room = Room { large_replies, permit: None };
    let mut raw = Vec::with_capacity(announced.unwrap_or(0).min(MAX_RESERVED_BYTES).min(most));
    let cut = loop {
        let chunk = match patience.wait(response.chunk()).await {
            None => break Some(Cut::TimedOut),
            Some(Err(error)) => break Some(trouble::cut(&error)),
            Some(Ok(None)) => break None,
            Some(Ok(Some(chunk))) => chunk,
        };
        if let Err(cut) = room.add(&mut raw, &chunk, most, patience).await {
            break Some(cut);
        }
    };
    if raw.is_empty() {
        return (finished(raw), cut);
    }
    let (mut plain, mut cut) = (None, cut);
    for coding in codings.into_iter().rev() {
        let body: &[u8] = plain.as_deref().unwrap_or(&raw);
        let Ok(decoded) = decode(body, coding, &mut cut, most, &mut room, patience).await else {
            // Keep the body as it arrived. A person or another program may still be able to read it.
            return (finished(raw), Some(Cut::Garbled));
        };
        plain = Some(decoded);
    }
    (finished(plain.unwrap_or(raw)), cut)
}

/// Removes one coding. Returns at most `most` bytes; if bytes are missing, `cut` says why.
///
/// # Errors
/// If the compression is broken, and not only cut short.
async fn decode(
    body: &[u8],
    coding: Coding,
    cut: &mut Option<Cut>,
    most: usize,
    room: &mut Room<'_>,
    patience: &mut Patience,
) -> io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity((body.len() * 4).min(MAX_RESERVED_BYTES).min(most));
    let mut decoder = coding::decoder(body, coding);
    loop {
        let length = match decoder.fill_buf() {
            Ok([]) => return Ok(plain),
            Ok(piece) => match room.add(&mut plain, piece, most, patience).await {
                Ok(()) => piece.len(),
                Err(too_much) => {
                    *cut = Some(too_much);
                    return Ok(plain);
                }
            },
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && cut.is_some() => return Ok(plain),
            Err(error) => return Err(error),
        };
        decoder.consume(length);
    }
}

/// The memory for one reply, before and after decompression.
struct Room<'a> {
    large_replies: &'a Semaphore,
    /// Held until the reply is complete; one is enough for all forms of the body.
    permit: Option<SemaphorePermit<'a>>,
}

impl Room<'_> {
    /// Adds a piece to a body, up to its limit.
    ///
    /// # Errors
    /// If the body is longer than `most`, or the time is over while it waits for a permit. The body has what
    /// came before.
    async fn add(
        &mut self,
        body: &mut Vec<u8>,
        piece: &[u8],
        most: usize,
        patience: &mut Patience,
    ) -> Result<(), Cut> {
        let room = most - body.len();
        if piece.len() > room {
            body.extend_from_slice(piece.get(..room).unwrap_or_default());
            return Err(Cut::TooLarge);
        }
        if self.permit.is_none() && body.len() + piece.len() > LARGE_BODY_BYTES {
            match patience.wait(self.large_replies.acquire()).await {
                Some(Ok(granted)) => self.permit = Some(granted),
                Some(Err(_)) | None => return Err(Cut::TimedOut),
            }
        }
        body.extend_from_slice(piece);
        Ok(())
    }
}

/// The body in a buffer of its own size.
fn finished(mut body: Vec<u8>) -> Bytes {
    if body.capacity() - body.len() > body.capacity() / 4 {
        // Contacts are slices of this buffer and may live long, so it must not keep unused space.
        body.shrink_to_fit();
    }
    Bytes::from(body)
}

/// The wait that `Retry-After` asks for, given in seconds or as a date (RFC 9110, section 10.2.3).
///
/// A date is compared with the reply's own `Date`, if it has one, so that a wrong clock on this
/// machine does not matter. A date in the past and an unreadable value count as no `Retry-After`;
/// the caller then chooses the wait. A number that is absurdly large is kept as a very long wait,
/// because the caller has a rule for those.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text(RETRY_AFTER)?;
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(LONGEST_WAIT, Duration::from_secs)
    } else {
        let until = httpdate::parse_http_date(value).ok()?;
        let since = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
        until.duration_since(since).ok()?
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn waits() {
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT").unwrap();
        let wait = |value: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
        assert_eq!(wait("0", None), Some(0));
        assert_eq!(wait("120", None), Some(120));
        assert_eq!(wait(" 7 ", None), Some(7));
        assert_eq!(wait("999999999999", None), Some(LONGEST_WAIT.as_secs()));
        assert_eq!(wait("99999999999999999999999999", None), Some(LONGEST_WAIT.as_secs()));
        for nonsense in ["", "-5", "+5", "1.5", "soon", "1e3", "12 Nov", "٣"] {
            let mut headers = HeaderMap::new();
            headers
                .insert(RETRY_AFTER, reqwest::header::HeaderValue::from_bytes(nonsense.as_bytes()).unwrap());
            assert_eq!(retry_after(&headers, now), None, "{nonsense}");
        }
        assert_eq!(wait("Mon, 23 Nov 2026 12:01:30 GMT", None), Some(90));
        assert_eq!(wait("Monday, 23-Nov-26 12:01:30 GMT", None), Some(90));
        assert_eq!(wait("Mon Nov 23 12:01:30 2026", None), Some(90));
        assert_eq!(wait("Mon, 23 Nov 2026 11:59:59 GMT", None), None);
        assert_eq!(wait("Fri, 31 Dec 9999 23:59:59 GMT", None), Some(LONGEST_WAIT.as_secs()));
        // Their clock is an hour behind ours, or ahead of it: the wait is the same.
        for (date, until) in [
            ("Mon, 23 Nov 2026 11:00:00 GMT", "Mon, 23 Nov 2026 11:00:45 GMT"),
            ("Mon, 23 Nov 2026 13:00:00 GMT", "Mon, 23 Nov 2026 13:00:45 GMT"),
        ] {
            assert_eq!(wait(until, Some(date)), Some(45));
        }
    }
}
