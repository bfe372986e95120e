//! Decodes a reply in one pass. It finds the bytes of each contact and checks that they are JSON by
//! the rules of Python's `json.loads`, but builds no values (`docs/decisions/0002-own-decoder.md`
//! explains why). Pure. It does not know what was asked; [`super::align`] decides which lookup gets
//! which contact.
//!
//! It is stricter than `json.loads` in two ways, on purpose. Nesting and the digits of an integer
//! are limited ([`super::limits`]). And the text must be UTF-8; `json.loads` also accepts UTF-16,
//! UTF-32 and surrogates that are encoded as UTF-8.
//!
//! It is more tolerant in one way: if a reply is cut off or contains a record that is not JSON, the
//! other contacts are still found. `json.loads` returns none.

pub mod passed;
mod resync;
mod scan;
#[cfg(test)]
mod tests;
pub mod text;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::outcome::Outcome;

use scan::{Fault, Scanner, Text};

/// The parts of the body of a 200 reply.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The contacts that arrived completely, in their order.
    pub contacts: Vec<Contact<'a>>,
    /// `records_enriched`, if it is an integer of at least 0. Values such as `3.0`, `"3"`, `-3` and
    /// `null` are not accepted: a service that writes those has not counted records, and we do not
    /// guess at money.
    pub records_enriched: Option<i64>,
    /// Why the body could not be read completely, or `None`. The contacts that were found are valid
    /// in any case.
    pub trouble: Option<&'static str>,
}

/// One element of `contacts`.
#[derive(Debug, PartialEq, Eq)]
pub struct Contact<'a> {
    /// The query that this contact answers, as the service repeats it. `None` if it does not.
    pub value: Option<Cow<'a, str>>,
    /// A hit, whose JSON text is untouched; a miss, where `enriched_contact` is `null`; or unknown, with the
    /// reason why it cannot be read.
    pub outcome: Outcome,
}

const NOT_UTF8: Fault = "it is not UTF-8";
const NO_OBJECT: Fault = "the answer is not a JSON object";
const NO_LIST: Fault = "the answer has no list of contacts";
const BROKEN_OFF: Fault = "the answer breaks off";
const UNBALANCED: Fault = "the answer breaks off, or its brackets do not match";
const MALFORMED: Fault = "the answer is not sound JSON";
const TRAILING: Fault = "something follows the end of the answer";
const NOT_A_CONTACT: Fault = "the contact is not an object";
const NO_RECORD: Fault = "the contact has no enriched_contact";
const ODD_RECORD: Fault = "enriched_contact is neither null nor an object";

fn unreadable(fault: Fault) -> Outcome {
    Outcome::Unknown(fault.into())
}

/// Takes a body apart.
///
/// If a key occurs twice, the last value counts, as in Python. Unknown keys are skipped, but their
/// values must be JSON.
///
/// ```
/// use exactbuyer_core::outcome::Outcome;
/// use exactbuyer_core::service::decode::decode;
///
/// let body = r#"{"contacts": [{"value": "ana@acme.example", "enriched_contact": null}], "records_enriched": 0}"#;
/// let body = body.into();
/// let reply = decode(&body);
/// assert_eq!((reply.records_enriched, &reply.contacts[0].outcome), (Some(0), &Outcome::Miss));
/// ```
#[must_use]
pub fn decode(body: &Bytes) -> Decoded<'_> {
    let start = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut reader = Reader {
        body,
        scanner: Scanner::new(body, start),
        is_utf8: simdutf8::basic::from_utf8(body).is_ok(),
        reply: Decoded { contacts: Vec::new(), records_enriched: None, trouble: None },
        has_list: false,
        blamed: false,
    };
    let ended = reader.reply();
    reader.finish(ended)
}

/// A pass over one body, and what it has found so far.
struct Reader<'a> {
    body: &'a Bytes,
    scanner: Scanner<'a>,
    /// Whether the whole body is UTF-8. Only if it is not, each contact is checked separately.
    is_utf8: bool,
    reply: Decoded<'a>,
    /// Whether the last `contacts` was a list.
    has_list: bool,
    /// Whether a contact was found that is not UTF-8.
    blamed: bool,
}

impl<'a> Reader<'a> {
    /// Reads the outer object.
    fn reply(&mut self) -> Result<(), Fault> {
        if !self.scanner.take(b'{') {
            return Err(NO_OBJECT);
        }
        if !self.scanner.take(b'}') {
            loop {
                let key = self.scanner.key().map_err(of_the_answer)?;
                if self.says(key, "contacts") {
                    self.contacts()?;
                } else if self.says(key, "records_enriched") {
                    self.records_enriched()?;
                } else {
                    self.pass_over()?;
                }
                if self.scanner.take(b'}') {
                    break;
                }
                self.comma()?;
            }
        }
        if self.scanner.peek().is_some() { Err(TRAILING) } else { Ok(()) }
    }

    /// Adds what is wrong with the body as a whole.
    fn finish(mut self, ended: Result<(), Fault>) -> Decoded<'a> {
        let trouble = match ended {
            Err(fault) => Some(fault),
            Ok(()) if !self.has_list => Some(NO_LIST),
            Ok(()) if !self.is_utf8 && !self.blamed => Some(NOT_UTF8),
            Ok(()) => None,
        };
        self.reply.trouble = trouble.or(self.reply.trouble);
        self.reply
    }

    /// Reads the list of contacts. If the key occurs a second time, the new list replaces the old
    /// one.
    fn contacts(&mut self) -> Result<(), Fault> {
        self.reply.contacts.clear();
        self.has_list = self.scanner.take(b'[');
        if !self.has_list {
            return self.pass_over();
        }
        if self.scanner.take(b']') {
            return Ok(());
        }
        loop {
            let contact = self.contact()?;
            self.reply.contacts.push(contact);
            if self.scanner.take(b']') {
                return Ok(());
            }
            self.comma()?;
        }
    }

    /// Reads one element of `contacts`, which may be any value.
    fn contact(&mut self) -> Result<Contact<'a>, Fault> {
        let is_object = self.scanner.peek() == Some(b'{');
        let from = self.scanner.at();
        let read = if is_object { self.members() } else { self.valid(from)?.and(Err(NOT_A_CONTACT)) };
        let mut contact = match read {
            Ok(contact) => contact,
            Err(fault) => {
                // Find the end of the element, so that the next one can be read.
                self.skip_broken(from)?;
                Contact { value: None, outcome: unreadable(fault) }
            }
        };
        if !self.is_utf8 && !self.is_utf8(from..self.scanner.at()) {
            self.blamed = true;
            contact.outcome = unreadable(NOT_UTF8);
        }
        Ok(contact)
    }

    /// Reads an element that is an object.
    fn members(&mut self) -> Result<Contact<'a>, Fault> {
        let mut value = None;
        let mut outcome = None;
        let mut broken = None;
        self.scanner.take(b'{');
        if !self.scanner.take(b'}') {
            loop {
                let key = self.scanner.key()?;
                let (is_value, is_record) = (self.says(key, "value"), self.says(key, "enriched_contact"));
                let first = self.scanner.peek();
                let from = self.scanner.at();
                let checked = if is_value && first == Some(b'"') {
                    self.text(from).map(|said| value = said)
                } else {
                    self.scanner.value()
                };
                if let Err(fault) = checked {
                    // A broken member makes the record unreadable, but the other members of the
                    // element still count.
                    self.skip_broken(from)?;
                    broken = Some(fault);
                } else if is_record {
                    outcome = Some(match first {
                        Some(b'n') => Outcome::Miss,
                        Some(b'{') => Outcome::Hit(self.body.slice(from..self.scanner.at())),
                        _ => unreadable(ODD_RECORD),
                    });
                } else if is_value && first != Some(b'"') {
                    value = None;
                }
                if self.scanner.take(b'}') {
                    break;
                }
                self.comma()?;
            }
        }
        let outcome = match (broken, outcome) {
            (Some(fault), _) => unreadable(fault),
            (None, outcome) => outcome.unwrap_or_else(|| unreadable(NO_RECORD)),
        };
        Ok(Contact { value, outcome })
    }

    fn text(&mut self, from: usize) -> Result<Option<Cow<'a, str>>, Fault> {
        self.scanner.go_to(from + 1);
        let text = self.scanner.string()?;
        Ok(self.read(text))
    }

    /// Whether this string means `name`, with or without escapes.
    fn says(&self, text: Text, name: &str) -> bool {
        if text.escaped {
            return self.read(text).as_deref() == Some(name);
        }
        self.body.get(text.from..text.to) == Some(name.as_bytes())
    }

    fn read(&self, text: Text) -> Option<Cow<'a, str>> {
        text::read(self.body.get(text.from..text.to)?, text.escaped)
    }

    /// Reads the count of credits.
    fn records_enriched(&mut self) -> Result<(), Fault> {
        self.reply.records_enriched = None;
        self.scanner.peek();
        let from = self.scanner.at();
        self.pass_over()?;
        let said = self.body.get(from..self.scanner.at()).unwrap_or_default();
        // `parse` would also accept a plus sign. That is not JSON, but reading it does no harm.
        let count = std::str::from_utf8(said).ok().and_then(|text| text.parse::<i64>().ok());
        self.reply.records_enriched = count.filter(|&count| count >= 0);
        Ok(())
    }

    /// Moves past a value that is not needed. If it is broken, the reply as a whole is in
    /// trouble, but the contacts after it are still read.
    fn pass_over(&mut self) -> Result<(), Fault> {
        self.scanner.peek();
        if self.valid(self.scanner.at())?.is_err() {
            self.reply.trouble = Some(MALFORMED);
        }
        Ok(())
    }

    /// Moves past the value at `from`. The inner result says whether it is valid JSON.
    fn valid(&mut self, from: usize) -> Result<Result<(), Fault>, Fault> {
        let checked = self.scanner.value();
        if checked.is_err() {
            self.skip_broken(from)?;
        }
        Ok(checked)
    }

    /// Moves past a value that is not JSON, as far as its brackets and quotes tell where it ends.
    fn skip_broken(&mut self, from: usize) -> Result<(), Fault> {
        let end = resync::end_of_value(self.body, from).ok_or(UNBALANCED)?;
        self.scanner.go_to(end);
        Ok(())
    }

    /// Moves past a comma that must come next.
    fn comma(&mut self) -> Result<(), Fault> {
        if self.scanner.take(b',') {
            Ok(())
        } else if self.scanner.peek().is_none() {
            Err(BROKEN_OFF)
        } else {
            Err(MALFORMED)
        }
    }

    fn is_utf8(&self, range: Range<usize>) -> bool {
        self.body.get(range).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
    }
}

/// Turns the scanner's fault in one value into the trouble of the whole reply.
fn of_the_answer(fault: Fault) -> Fault {
    if fault == scan::ENDED { BROKEN_OFF } else { MALFORMED }
}
