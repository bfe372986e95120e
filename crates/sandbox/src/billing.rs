//! Decides each request: who may send it, what it costs, and what the reply is. It has only its own
//! state. Times are arguments (except the date in `Retry-After`), and it knows no sockets.
//!
//! The checks come in this order: key, rate, body, lookups, credits. A request that fails at one of them is
//! refused as a whole and costs nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use hashbrown::{HashMap, HashSet};

use exactbuyer_core::identifier::FieldType;
use exactbuyer_core::service::limits;

use super::fault::{BadLuck, Fault};
use super::field_types::{self, folded};
use super::ledger::Ledger;
use super::options::{Options, RetryAfter};
use super::overrides::Override;
use super::people;
use super::query::{self, Asked, Form, Query};
use super::reply::{Contacts, Reply};
use super::window::Window;

/// The service without its network.
///
/// All requests go through one mutex, so each decision is complete before the next begins.
#[derive(Debug)]
pub(super) struct Billing {
    options: Options,
    /// Where a redirect leads.
    elsewhere: String,
    /// The results that were set in advance, by the folded form of their identifiers.
    ///
    /// Set by [`Sandbox::person`](super::Sandbox::person) and [`Sandbox::nobody`](super::Sandbox::nobody); the
    /// last one counts.
    overrides: BTreeMap<FieldType, HashMap<String, Override>>,
    /// The folded forms of values that are refused.
    rejected: BTreeMap<FieldType, HashSet<String>>,
    /// The faults, in the order in which they were added.
    ///
    /// The first one that fits a request strikes it.
    rules: Vec<BadLuck>,
    /// Only accepted keys count.
    window: Window,
    /// `None` for unlimited credits.
    ///
    /// What [`Sandbox::credits_left`](super::Sandbox::credits_left) shows.
    credits_left: Option<u64>,
    ledger: Ledger,
    /// The moment from which the ledger counts times.
    started: Instant,
    /// How often the sandbox was reset. A request that arrived before the last reset is not in this
    /// ledger.
    epoch: u64,
}

/// A request that has arrived: its number in the ledger, and its fault.
///
/// Made when the head is read, and given back when the body was read.
#[derive(Debug)]
pub(super) struct Arrival {
    /// From 1. Faults are chosen by it.
    number: u32,
    /// That of the billing when the request arrived.
    epoch: u64,
    /// Whether it is a `POST` to the path of the call. Other requests are never charged.
    is_call: bool,
    /// The fault that strikes it, if any.
    pub(super) luck: Option<BadLuck>,
}

impl Arrival {
    /// Whether its connection is reset before its body is read.
    pub(super) fn is_reset_unread(&self) -> bool {
        self.luck.as_ref().is_some_and(|luck| luck.fault == Fault::ResetBeforeBilling)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Headers<'a> {
    /// Bytes, because a header need not be text.
    pub(super) key: Option<&'a [u8]>,
    /// It alone decides how the body is read.
    pub(super) content_type: Option<&'a [u8]>,
}

/// The position of one folded identifier in the scratch text, with its hash and whether it is a
/// match.
///
/// They are collected first and entered in the ledger at the end, when it is known that the credits are enough.
struct Look {
    start: usize,
    end: usize,
    hash: u64,
    /// A match costs one credit, anything else nothing.
    found: bool,
}

impl Billing {
    /// The billing of a service that has not seen any request.
    pub(super) fn new(options: Options, elsewhere: String, now: Instant) -> Self {
        Self {
            credits_left: options.credits,
            ledger: Ledger::new(options.seed),
            options,
            elsewhere,
            overrides: BTreeMap::new(),
            rejected: BTreeMap::new(),
            rules: Vec::new(),
            window: Window::default(),
            started: now,
            epoch: 0,
        }
    }

    /// Resets everything except the requests that still wait.
    pub(super) fn forget(&mut self) {
        self.overrides.clear();
        self.rejected.clear();
        self.rules.clear();
        self.window = Window::default();
        self.credits_left = self.options.credits;
        self.ledger.forget();
        self.epoch += 1;
    }

    pub(super) fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Sets the result of an identifier.
    pub(super) fn set_override(&mut self, field_type: FieldType, value: &str, what: Override) {
        self.overrides.entry(field_type).or_default().insert(folded(field_type, value), what);
    }

    /// Refuses every request that contains the value.
    pub(super) fn reject(&mut self, field_type: FieldType, value: &str) {
        self.rejected.entry(field_type).or_default().insert(folded(field_type, value));
    }

    /// Adds a fault.
    pub(super) fn fail(&mut self, rule: BadLuck) {
        self.rules.push(rule);
    }

    /// Adds credits to the account.
    pub(super) fn top_up(&mut self, credits: u64) {
        self.credits_left = self.credits_left.map(|left| left.saturating_add(credits));
    }

    /// The credits that are left; `None` if they are unlimited.
    pub(super) fn credits_left(&self) -> Option<u64> {
        self.credits_left
    }

    /// Notes a request whose head was read, and decides which fault strikes it.
    ///
    /// Faults are for the call only: another path, such as the target of a redirect, is only noted.
    pub(super) fn arrive(
        &mut self,
        method: &str,
        path: &str,
        header_names: &[&str],
        now: Instant,
    ) -> Arrival {
        let is_call = method == "POST" && path == limits::PATH;
        let target = format!("{method} {path}").into_boxed_str();
        let number = self.ledger.arrive(now.duration_since(self.started), target, header_names);
        let luck = if is_call { BadLuck::strike(&mut self.rules, self.options.seed, number) } else { None };
        let arrival = Arrival { number, epoch: self.epoch, is_call, luck };
        let fault = arrival.luck.as_ref().map(|luck| luck.fault);
        if let Some(request) = self.ledger.request(number) {
            request.fault = fault;
        }
        arrival
    }

    /// Decides a request whose head and body were read.
    ///
    /// Returns at once: a delay is only written into the reply, and `server` waits.
    pub(super) fn answer(
        &mut self,
        arrival: &Arrival,
        headers: Headers<'_>,
        body: &[u8],
        now: Instant,
    ) -> Reply {
        let mut outcome = match &arrival.luck {
            _ if !arrival.is_call => Ok((Reply::status(404, "No resource found"), 0, 0)),
            Some(luck) if !luck.fault.is_billed() => Ok((Reply::of_luck(luck, &self.elsewhere), 0, 0)),
            _ => self.call(arrival, headers, body, now),
        };
        let (reply, lookups, credits) = match &mut outcome {
            Ok((reply, lookups, credits)) => (reply, *lookups, *credits),
            Err(reply) => (reply, 0, 0),
        };
        reply.delay += self.options.latency;
        let on_these_books = arrival.epoch == self.epoch;
        if let Some(request) = self.ledger.request(arrival.number).filter(|_| on_these_books) {
            request.body_bytes = body.len() as u64;
            request.status = reply.noted_status();
            request.lookups = lookups;
            request.credits = credits;
        }
        match outcome {
            Ok((reply, ..)) | Err(reply) => reply,
        }
    }

    /// Decides a request that no fault kept from the service: its reply, its lookups and its cost;
    /// or a refusal.
    ///
    /// Returns the reply, the number of lookups, and the credits.
    ///
    /// # Errors
    /// The refusal.
    fn call(
        &mut self,
        arrival: &Arrival,
        headers: Headers<'_>,
        body: &[u8],
        now: Instant,
    ) -> Result<(Reply, u32, u32), Reply> {
        let accepted = match (headers.key, self.options.api_key.as_deref()) {
            (None | Some([]), _) => false,
            (Some(_), None) => true,
            (Some(key), Some(right)) => key == right.as_bytes(),
        };
        if !accepted {
            return Err(Reply::status(401, "API key is invalid"));
        }
        // A request from before the last reset does not count against the rate after it.
        let on_these_books = arrival.epoch == self.epoch;
        if let Some(limit) = self.options.requests_per_minute.filter(|_| on_these_books) {
            self.window.admit(limit, now).map_err(|wait| self.too_fast(wait))?;
        }
        let refuse = |reason| Reply::status(400, reason);
        let content_type = headers.content_type.unwrap_or_default();
        let form;
        let query = if content_type.starts_with(b"application/json") {
            query::from_json(body).map_err(refuse)?
        } else if content_type.starts_with(b"application/x-www-form-urlencoded") {
            form = Form::read(body);
            form.query().map_err(refuse)?
        } else {
            return Err(refuse("send a form or JSON, and say which in Content-Type"));
        };
        let lookups = u32::try_from(query.asked.len()).unwrap_or(u32::MAX);
        self.enrich(arrival, &query).map(|(reply, billed)| (reply, lookups, billed))
    }

    /// The reply to a request that exceeds the rate.
    ///
    /// Rounded up to whole seconds, so that a client that obeys is not refused again.
    fn too_fast(&self, wait: Duration) -> Reply {
        let mut reply = Reply::status(429, "Too Many Requests");
        let wait_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        reply.retry_after = match self.options.retry_after {
            None => None,
            Some(RetryAfter::Seconds) => Some(wait_s.to_string().into()),
            // A date has no fractions: one more second, so that it never lies too early.
            Some(RetryAfter::Date) => {
                let then = SystemTime::now() + Duration::from_secs(wait_s + 1);
                Some(httpdate::fmt_http_date(then).into())
            }
        };
        reply
    }

    /// Answers the lookups of a request and charges for them, if the credits are enough.
    ///
    /// Each entry is a lookup, also if the same identifier is there twice: both are charged. If the credits do
    /// not suffice for all of them, nothing is charged and nothing is answered.
    ///
    /// # Errors
    /// The refusal: a rejected value, or too few credits.
    fn enrich(&mut self, arrival: &Arrival, query: &Query<'_>) -> Result<(Reply, u32), Reply> {
        let mut contacts = Contacts::begin(query.asked.len());
        let mut looks = Vec::with_capacity(query.asked.len());
        let (mut folded, mut text) = (String::new(), String::with_capacity(query.asked.len() * 32));
        let mut billed = 0_u32;
        for Asked { field_type, value } in &query.asked {
            field_types::fold(*field_type, value, &mut folded);
            if self.rejected.get(field_type).is_some_and(|rejected| rejected.contains(&folded)) {
                return Err(Reply::status(400, "query_list has an entry that is not accepted"));
            }
            let hash = field_types::hash(self.options.seed, *field_type, &folded);
            let what = self.overrides.get(field_type).and_then(|overrides| overrides.get(&folded));
            // If serde could borrow the text, it has no escapes.
            let plain = matches!(value, Cow::Borrowed(_));
            let found = contacts.push(value, plain, |out| match what {
                Some(Override::Nobody) => false,
                Some(Override::Person(contact, has)) => {
                    let found = has.covers(query.required);
                    if found {
                        out.extend_from_slice(contact.as_bytes());
                    }
                    found
                }
                None => {
                    let match_rate = self.options.match_rate;
                    people::find(match_rate, (*field_type, &folded, hash), query.required, out)
                }
            });
            billed += u32::from(found);
            let start = text.len();
            text.push_str(&folded);
            looks.push(Look { start, end: text.len(), hash, found });
        }
        // A request from before the last reset gets a reply, but is not in the ledger.
        if arrival.epoch != self.epoch {
            return Ok((contacts.finish(billed, arrival.luck.as_ref()), billed));
        }
        if let Some(left) = &mut self.credits_left {
            let enough = (*left > 0).then(|| left.checked_sub(u64::from(billed))).flatten();
            *left = enough.ok_or_else(|| Reply::status(403, "Insufficient credits"))?;
        }
        for (asked, look) in query.asked.iter().zip(&looks) {
            let folded = text.get(look.start..look.end).unwrap_or_default();
            self.ledger.look_up(arrival.number, (asked.field_type, folded, look.hash), look.found);
        }
        Ok((contacts.finish(billed, arrival.luck.as_ref()), billed))
    }
}
