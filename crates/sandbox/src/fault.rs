//! Faults: everything that can go wrong between a client and the service, by name.
//!
//! This module owns the list, and when each fault happens. `server` and `reply` carry them out.

use std::time::Duration;

use exactbuyer_core::config::optional_seconds;

use super::people::Draws;

exactbuyer_core::listed! {
    /// One way for a call to go wrong. Unless its description says *free*, the call is billed as if
    /// nothing had happened; a call that the service refuses anyway (no key, no credits, …) is refused
    /// and billed for nothing.
    pub enum Fault {
        /// Free: 400.
        Status400 = "status_400",
        /// Free: 401.
        Status401 = "status_401",
        /// Free: 403, as if the credits had run out.
        Status403 = "status_403",
        /// Free: 404.
        Status404 = "status_404",
        /// Free: 408.
        Status408 = "status_408",
        /// Free: 409.
        Status409 = "status_409",
        /// Free: 413.
        Status413 = "status_413",
        /// Free: 422.
        Status422 = "status_422",
        /// Free: 429 with the service's HTML page.
        Status429 = "status_429",
        /// Free: 500.
        Status500 = "status_500",
        /// Free: 502.
        Status502 = "status_502",
        /// Free: 503.
        Status503 = "status_503",
        /// Free: 504.
        Status504 = "status_504",
        /// 500 although the call was billed.
        Status500AfterBilling = "status_500_after_billing",
        /// 502 although the call was billed.
        Status502AfterBilling = "status_502_after_billing",
        /// 503 although the call was billed.
        Status503AfterBilling = "status_503_after_billing",
        /// 504 although the call was billed: a gateway gave up while the service worked on.
        Status504AfterBilling = "status_504_after_billing",
        /// Free: the connection is reset while the request is being read.
        ResetBeforeBilling = "reset_before_billing",
        /// The connection is reset instead of an answer.
        ResetAfterBilling = "reset_after_billing",
        /// Free: the connection is closed instead of an answer.
        CloseBeforeBilling = "close_before_billing",
        /// The connection is closed instead of an answer.
        CloseAfterBilling = "close_after_billing",
        /// Free: no answer ever comes.
        HangBeforeBilling = "hang_before_billing",
        /// No answer ever comes.
        Hang = "hang",
        /// The answer comes late: after the rule's pause.
        Slow = "slow",
        /// The body ends in the middle of a record, short of its Content-Length.
        Truncate = "truncate",
        /// The body ends in the middle of a record, without its last chunk.
        TruncateChunked = "truncate_chunked",
        /// The body arrives one byte per pause of the rule.
        Drip = "drip",
        /// The body never ends: white space follows its last record for ever.
        Endless = "endless",
        /// The contacts come in the opposite order.
        Reorder = "reorder",
        /// The last quarter of the contacts, at least one, is missing.
        Fewer = "fewer",
        /// The first contact comes a second time, at the end.
        More = "more",
        /// The first contact answers something that was not asked.
        Foreign = "foreign",
        /// `records_enriched` is one less than what was billed (one more, where nothing was).
        WrongCount = "wrong_count",
        /// `records_enriched` is a thousand times the number of records.
        AbsurdCount = "absurd_count",
        /// `records_enriched` is missing.
        NoCount = "no_count",
        /// 200, said to be JSON, and is not.
        NotJson = "not_json",
        /// 200 with an HTML page.
        Html200 = "html_200",
        /// The first match's record is not JSON; brackets and quotes are in balance.
        BrokenRecord = "broken_record",
        /// The first match has a field nested 100,000 deep.
        Deep = "deep",
        /// The first match has a text with half a surrogate pair.
        LoneSurrogate = "lone_surrogate",
        /// The first match has NaN and Infinity for numbers.
        Nan = "nan",
        /// The first match has an integer beyond 64 bits.
        BigInt = "big_int",
        /// The first match has a key twice; the second is the right one.
        DuplicateKeys = "duplicate_keys",
        /// The good answer, compressed without having been asked for.
        Gzip = "gzip",
        /// A megabyte that unpacks to a gigabyte of white space.
        GzipBomb = "gzip_bomb",
        /// Free: 301 to the rule's location.
        Redirect301 = "redirect_301",
        /// Free: 302 to the rule's location.
        Redirect302 = "redirect_302",
        /// Free: 307 to the rule's location.
        Redirect307 = "redirect_307",
        /// Free: 308 to the rule's location.
        Redirect308 = "redirect_308",
        /// What comes back is not HTTP.
        Garbage = "garbage",
    }
}

impl Fault {
    /// Whether a call that meets it costs what it would have cost anyway. Free are those that are named after a status,
    /// and those whose name ends in `_before_billing`; a name that ends in `_after_billing` is billed.
    #[must_use]
    pub fn is_billed(self) -> bool {
        let name = self.as_str();
        let is_free = self.status().is_some() || name.ends_with("_before_billing");
        !is_free || name.ends_with("_after_billing")
    }

    /// The status that it answers with instead of 200, from its name.
    #[must_use]
    pub fn status(self) -> Option<u16> {
        let name = self.as_str();
        let number = name.strip_prefix("status_").or_else(|| name.strip_prefix("redirect_"))?;
        number.get(..3)?.parse().ok()
    }

    /// This fault for the request with this number. The first request that arrives has the number 1.
    #[must_use]
    pub fn on_request(self, number: u32) -> BadLuck {
        BadLuck { request: Some(number), ..self.always() }
    }

    /// This fault, for every request.
    ///
    /// ```
    /// use exactbuyer_sandbox::{BadLuck, Fault};
    ///
    /// // The first three requests meet a busy service, which asks for 5 s.
    /// let busy = BadLuck { times: Some(3), retry_after: Some("5".into()), ..Fault::Status503.always() };
    /// ```
    #[must_use]
    pub const fn always(self) -> BadLuck {
        BadLuck {
            fault: self,
            request: None,
            probability: None,
            times: None,
            pause: None,
            location: None,
            retry_after: None,
        }
    }
}

/// A fault, and the requests that it strikes: every one, unless there is a `request` or a `probability`. If several faults
/// fit a request, the one that was added first strikes.
///
/// A setting that the fault does not use has no effect. Python passes them by their serde names.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadLuck {
    /// What goes wrong.
    pub fault: Fault,
    /// The number of the only request that it strikes. Numbers count the requests of the ledger, other paths included.
    pub request: Option<u32>,
    /// The probability for each request, in 0..=1. The sandbox's seed and the request's number decide, so that a run can
    /// be repeated. Without effect if there is a `request`.
    pub probability: Option<f64>,
    /// How often it may still strike; `None`: without a limit.
    pub times: Option<u32>,
    /// The time that [`Fault::Slow`] waits (by default one second), and the pause of
    /// [`Fault::Drip`] before each byte (by default 50 ms). With any other fault, the reply is late
    /// by this time.
    #[serde(rename = "pause_s", deserialize_with = "optional_seconds")]
    pub pause: Option<Duration>,
    /// The target of a redirect. By default it is another path of the same sandbox, so that the
    /// ledger shows whether a client followed the redirect, and what it sent.
    pub location: Option<Box<str>>,
    /// The text of the header `Retry-After`, for faults that reply with a status.
    pub retry_after: Option<Box<str>>,
}

impl BadLuck {
    /// Whether this rule, the `nth_rule` of the sandbox, strikes the request with this number.
    ///
    /// Chance is drawn from the seed, the rule and the number of the request, and not from a running generator.
    /// So the same numbers are struck in every run with this seed.
    fn strikes(&self, seed: u64, nth_rule: usize, number: u32) -> bool {
        if self.times == Some(0) {
            return false;
        }
        match (self.request, self.probability) {
            (Some(request), _) => request == number,
            (None, Some(p)) => {
                let rule = (nth_rule as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93);
                Draws::new(seed ^ rule ^ (u64::from(number) << 32)).chance(p)
            }
            (None, None) => true,
        }
    }

    /// The fault that strikes the request with this number. It counts as one of the times of its
    /// rule.
    pub(super) fn strike(rules: &mut [Self], seed: u64, number: u32) -> Option<Self> {
        let struck = rules.iter_mut().enumerate().find(|(nth, rule)| rule.strikes(seed, *nth, number));
        struck.map(|(_, rule)| {
            rule.times = rule.times.map(|left| left.saturating_sub(1));
            rule.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for fault in Fault::ALL {
            assert_eq!(Fault::from_name(fault.as_str()), Some(fault));
        }
        assert_eq!(Fault::from_name("sunshine"), None);
    }

    #[test]
    fn the_name_says_the_status_and_who_pays() {
        let free = [
            (Fault::Status400, Some(400)),
            (Fault::Status401, Some(401)),
            (Fault::Status403, Some(403)),
            (Fault::Status404, Some(404)),
            (Fault::Status408, Some(408)),
            (Fault::Status409, Some(409)),
            (Fault::Status413, Some(413)),
            (Fault::Status422, Some(422)),
            (Fault::Status429, Some(429)),
            (Fault::Status500, Some(500)),
            (Fault::Status502, Some(502)),
            (Fault::Status503, Some(503)),
            (Fault::Status504, Some(504)),
            (Fault::ResetBeforeBilling, None),
            (Fault::CloseBeforeBilling, None),
            (Fault::HangBeforeBilling, None),
            (Fault::Redirect301, Some(301)),
            (Fault::Redirect302, Some(302)),
            (Fault::Redirect307, Some(307)),
            (Fault::Redirect308, Some(308)),
        ];
        let billed = [
            (Fault::Status500AfterBilling, 500),
            (Fault::Status502AfterBilling, 502),
            (Fault::Status503AfterBilling, 503),
            (Fault::Status504AfterBilling, 504),
        ];
        let seen = Fault::ALL.into_iter().map(|fault| (fault, fault.status()));
        assert_eq!(seen.clone().filter(|(fault, _)| !fault.is_billed()).collect::<Vec<_>>(), free);
        let seen =
            seen.filter_map(|(fault, status)| Some((fault, status?))).filter(|(fault, _)| fault.is_billed());
        assert_eq!(seen.collect::<Vec<_>>(), billed);
    }

    #[test]
    fn rules_strike_when_told_and_as_often() {
        let by_chance = BadLuck { probability: Some(0.25), ..Fault::Garbage.always() };
        let twice = BadLuck { times: Some(2), ..Fault::Slow.always() };
        let mut rules = [Fault::Hang.on_request(2), twice, by_chance.clone()];
        let struck: Vec<_> =
            (1..=1000).map(|n| BadLuck::strike(&mut rules, 7, n).map(|rule| rule.fault)).collect();
        assert_eq!(struck.get(..3), Some(&[Some(Fault::Slow), Some(Fault::Hang), Some(Fault::Slow)][..]));
        let garbage = struck.iter().filter(|fault| **fault == Some(Fault::Garbage)).count();
        assert!((200..300).contains(&garbage), "{garbage}");
        let strikes = |seed| -> Vec<u32> {
            let mut rules = [by_chance.clone()];
            (1..=1000).filter(|n| BadLuck::strike(&mut rules, seed, *n).is_some()).collect()
        };
        assert_eq!(strikes(7), strikes(7));
        assert_ne!(strikes(7), strikes(8));
    }
}
