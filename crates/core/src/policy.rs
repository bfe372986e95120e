//! Decides what a reply, or the lack of one, means for the payer, and what happens next. Pure. This
//! is the table "What is sent again" of `docs/guides/costs.md` as code.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::message;
use crate::message::{Advice, Message, Setting};
use crate::service::limits::WINDOW;
use crate::service::transport::{Failure, Reply};

/// If the service asks for a longer pause than this, the run ends instead of sleeping.
pub const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// The longest pause that is kept, whatever the service asks for: a pause of years would be a mistake.
const LONGEST_REMEMBERED: Duration = Duration::from_hours(24);

/// The shortest pause: if a 429 asks for no pause, the next request would get a 429, too.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// A 503 that took longer than this probably came from a gateway that gave up while the service was
/// still working. So the request may have been charged. A `Retry-After` says nothing about that:
/// Varnish adds one to each 503 of its own, also if the service was too slow
/// (`vcl_backend_error` in its built-in configuration).
const PATIENCE_OF_A_GATEWAY: Duration = Duration::from_secs(10);

/// The status of a proxy that asks for a user name and a password, or refuses them.
const PROXY_LOGIN: u16 = 407;

/// 429 Too Many Requests.
pub(crate) const TOO_MANY: u16 = 429;

/// The status of a request, or a record, that is too large.
pub const TOO_LARGE: u16 = 413;

/// What follows from an attempt that got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing left this machine, or the service is busy. Free. Send again after `wait`, if it is
    /// given, and at most `max_retries` times.
    Later {
        /// What happened.
        cause: Message,
        /// The error to report if no attempt succeeds.
        trouble: Error,
        /// The `Retry-After`, if there was one. The request is not sent again before it is over.
        wait: Option<Duration>,
        /// Whether this shows that the service cannot keep up.
        congested: bool,
    },
    /// The rate limit is exceeded. Free. No request may be sent before this wait is over.
    Paused(Duration),
    /// The service does not accept a record of the chunk, or the request itself. Free. Split the
    /// chunk to find out which.
    Refused(u16),
    /// The request is too large. Free. Send smaller ones.
    TooLarge,
    /// The service will not accept any request of this run. Free. Stop.
    Fatal(Error),
    /// The request may have been charged. It must not be sent again unless the user has asked for
    /// that.
    Unknown {
        /// What happened. The time is appended to it.
        reason: String,
        /// Whether this shows that the service cannot keep up.
        congested: bool,
    },
}

/// Why a single record was refused with this status.
#[must_use]
pub fn rejection(status: u16) -> Arc<str> {
    let why = if status == TOO_LARGE { ": too large" } else { "" };
    format!("the service refused this record ({status}{why})").into()
}

/// What a log says of a request that was answered with this status.
pub(crate) fn answered(status: u16) -> Message {
    message!("the service answered {}", &status)
}

/// Judges one attempt, given how long it took. If it returns a reply, that is an answer that was charged: its
/// body must be read.
///
/// # Errors
/// The verdict on an attempt without an answer.
pub fn judge(outcome: Result<Reply, Failure>, took: Duration) -> Result<Reply, Verdict> {
    Err(match outcome {
        Ok(reply) if (200..300).contains(&reply.status) => return Ok(reply),
        Ok(reply) => judge_refusal(&reply, took),
        Err(Failure::NotSent(why)) => {
            let cause = why.message();
            let trouble = Error::new(
                ErrorKind::Transport,
                message!("nothing was sent, and nothing charged: {}. Then run this again", cause.clone()),
            );
            if why.is_final() {
                Verdict::Fatal(trouble.with_status(PROXY_LOGIN))
            } else {
                Verdict::Later { cause, trouble, wait: None, congested: false }
            }
        }
        Err(Failure::Forbidden(why)) => Verdict::Fatal(Error::new(ErrorKind::Config, why)),
        Err(Failure::Lost(why)) => Verdict::Unknown { reason: why.to_string(), congested: true },
    })
}

/// Judges a reply that is not an answer, by its status.
fn judge_refusal(reply: &Reply, took: Duration) -> Verdict {
    let fatal = |kind, text: Message| Verdict::Fatal(Error::new(kind, text).with_status(reply.status));
    match reply.status {
        TOO_MANY => {
            Verdict::Paused(reply.retry_after.unwrap_or(WINDOW).clamp(SHORTEST_PAUSE, LONGEST_REMEMBERED))
        }
        503 if took > PATIENCE_OF_A_GATEWAY => Verdict::Unknown {
            reason: format!("the service answered 503 after {} s", took.as_secs()),
            congested: true,
        },
        408 | 503 => Verdict::Later {
            cause: answered(reply.status),
            trouble: Error::new(
                ErrorKind::Server,
                format!("the service kept answering {}: it is busy; run this again later", reply.status),
            )
            .with_status(reply.status),
            wait: reply.retry_after,
            congested: reply.status == 503,
        },
        400 | 422 => Verdict::Refused(reply.status),
        TOO_LARGE => Verdict::TooLarge,
        401 => fatal(
            ErrorKind::Authentication,
            message!(
                "the service refused the API key (401): check EXACTBUYER_API_KEY or {}",
                Setting::ApiKey
            ),
        ),
        403 => fatal(
            ErrorKind::InsufficientCredits,
            message!("the account has too few credits (403): buy more, and {}", Advice::AskAgain),
        ),
        404 => fatal(ErrorKind::Api, message!("there is no such address (404): check {}", Setting::BaseUrl)),
        300..=399 => fatal(
            ErrorKind::Api,
            message!(
                "the service redirects elsewhere ({}): redirects are never followed, as they would carry \
                 the key; set {} to the final address",
                &reply.status,
                Setting::BaseUrl
            ),
        ),
        402..=499 => fatal(
            ErrorKind::Api,
            message!(
                "the service refused the request ({}): check {} and the other settings",
                &reply.status,
                Setting::BaseUrl
            ),
        ),
        status => {
            Verdict::Unknown { reason: format!("the service answered {status}"), congested: status >= 500 }
        }
    }
}

/// The longest wait of [`backoff`].
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The wait before the next attempt, after `attempts` attempts: exponential backoff with full
/// jitter, from 0.5 s up to 30 s
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). `chance` is a
/// uniform random number in 0..1.
///
/// ```
/// use std::time::Duration;
///
/// use exactbuyer_core::policy::backoff;
///
/// assert_eq!(backoff(0, 1.0), Duration::from_millis(500)); // `chance` 1.0 gives the longest wait
/// assert_eq!(backoff(3, 0.5), Duration::from_secs(2));
/// assert_eq!(backoff(30, 1.0), Duration::from_secs(30));
/// ```
#[must_use]
pub fn backoff(attempts: u32, chance: f64) -> Duration {
    let step = Duration::from_millis(500).saturating_mul(1_u32.checked_shl(attempts).unwrap_or(u32::MAX));
    step.min(LONGEST_BACKOFF).mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::service::transport::{Lost, NotSent, ProxyFailure, ProxySource, TlsFailure};

    fn of_status(status: u16, retry_after_s: Option<u64>) -> Reply {
        Reply { status, retry_after: retry_after_s.map(Duration::from_secs), body: Bytes::new(), cut: None }
    }

    fn failed(failure: Failure) -> Verdict {
        judge(Err(failure), Duration::ZERO).unwrap_err()
    }

    fn reply(status: u16, retry_after_s: Option<u64>, took_s: u64) -> Verdict {
        let reply = of_status(status, retry_after_s);
        judge(Ok(reply), Duration::from_secs(took_s)).unwrap_err()
    }

    fn kind(verdict: Verdict) -> ErrorKind {
        match verdict {
            Verdict::Fatal(error) => error.kind(),
            other => panic!("not fatal: {other:?}"),
        }
    }

    #[test]
    fn an_answer_is_returned_whatever_it_says() {
        for status in [200, 201, 204, 299] {
            assert!(judge(Ok(of_status(status, None)), Duration::ZERO).is_ok(), "{status}");
        }
    }

    #[test]
    fn the_table_row_by_row() {
        assert!(matches!(reply(400, None, 1), Verdict::Refused(400)));
        assert!(matches!(reply(422, None, 1), Verdict::Refused(422)));
        assert_eq!(reply(413, None, 1), Verdict::TooLarge);
        for (asked, kept) in [(None, 60), (Some(7), 7), (Some(0), 1), (Some(u64::MAX), 24 * 3_600)] {
            assert_eq!(reply(429, asked, 1), Verdict::Paused(Duration::from_secs(kept)));
        }
        assert!(matches!(reply(408, None, 60), Verdict::Later { congested: false, .. }));
        assert!(matches!(reply(503, None, 10), Verdict::Later { congested: true, .. }));
        assert!(matches!(reply(503, Some(1), 10), Verdict::Later { .. }));
        for asked in [None, Some(0), Some(5)] {
            assert!(matches!(reply(503, asked, 11), Verdict::Unknown { .. }), "{asked:?}");
        }
        assert_eq!(kind(reply(401, None, 1)), ErrorKind::Authentication);
        assert_eq!(kind(reply(403, None, 1)), ErrorKind::InsufficientCredits);
        for status in [404, 402, 405, 409, 410, 418, 451, 499, 301, 302, 303, 307, 308] {
            assert_eq!(kind(reply(status, None, 1)), ErrorKind::Api, "{status}");
        }
        for status in [500, 501, 502, 504, 505, 520, 599, 100, 999] {
            assert!(matches!(reply(status, None, 1), Verdict::Unknown { .. }), "{status}");
        }
        let by = |failure| NotSent::Proxy(failure, ProxySource::Setting);
        for why in [
            NotSent::Dns,
            NotSent::Refused,
            NotSent::TimedOut,
            NotSent::TooManyFiles,
            NotSent::Connect,
            NotSent::Tls(TlsFailure::UnknownIssuer),
            by(ProxyFailure::Refused),
            by(ProxyFailure::Denied),
        ] {
            let verdict = failed(Failure::NotSent(why));
            assert!(matches!(verdict, Verdict::Later { congested: false, .. }), "{why}");
        }
        for why in [by(ProxyFailure::LoginMissing), by(ProxyFailure::LoginWrong)] {
            assert_eq!(kind(failed(Failure::NotSent(why))), ErrorKind::Transport);
        }
        for why in [Lost::Disconnected, Lost::TimedOut, Lost::Garbled] {
            let verdict = failed(Failure::Lost(why));
            assert!(matches!(verdict, Verdict::Unknown { .. }), "{why}");
        }
        assert_eq!(kind(failed(Failure::Forbidden("offline"))), ErrorKind::Config);
    }

    proptest! {
        #[test]
        fn backoff_is_bounded_and_grows(attempts in 0_u32..200, chance in 0.0_f64..1.0) {
            let wait = backoff(attempts, chance);
            prop_assert!(wait <= LONGEST_BACKOFF);
            prop_assert!(backoff(attempts + 1, chance) >= wait);
            prop_assert_eq!(backoff(attempts, 0.0), Duration::ZERO);
        }
    }
}
