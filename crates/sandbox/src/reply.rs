//! The content of a reply, and how it is sent. Pure; `server` sends it.

use std::io::Write as _;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};
use hyper::StatusCode;

use super::fault::{BadLuck, Fault};
use super::people::write_text;

/// A reply.
///
/// One value describes all of it, so that `server` needs to decide nothing.
#[derive(Debug)]
pub(super) struct Reply {
    /// 0 in a reply of which nothing is sent.
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// The header of a redirect.
    pub(super) location: Option<Box<str>>,
    /// The header's text, as it was given: it may be nonsense on purpose.
    pub(super) retry_after: Option<Box<str>>,
    /// Whether `body` is compressed, and the header says so.
    pub(super) gzipped: bool,
    /// All of it; [`Manner`] may send only a part.
    pub(super) body: Bytes,
    /// How the bytes go out.
    pub(super) manner: Manner,
    /// How long the sandbox waits before it sends anything.
    pub(super) delay: Duration,
}

/// How a reply is sent, or not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// As HTTP prescribes.
    Whole,
    /// This many bytes of the body; then the connection is closed.
    Cut(usize),
    /// As [`Manner::Cut`], with the chunked transfer coding and without the last chunk.
    CutChunked(usize),
    /// One byte at a time, with this pause before each.
    Drip(Duration),
    /// The body in chunks, and after it white space without an end.
    Endless,
    /// The connection is closed, and no reply is sent.
    Close,
    /// The connection is reset, and no reply is sent.
    Reset,
    /// Nothing is sent, and the connection stays open.
    Hang,
    /// Bytes that are not HTTP.
    Garbage,
}

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
/// The pause of [`Fault::Drip`] before each byte, if its rule sets none.
const DRIP_PAUSE: Duration = Duration::from_millis(50);
/// The delay of [`Fault::Slow`], if its rule sets none.
const SLOW_PAUSE: Duration = Duration::from_secs(1);

impl Reply {
    /// A reply that HTTP allows, without delay.
    fn with(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type,
            location: None,
            retry_after: None,
            gzipped: false,
            body: body.into(),
            manner: Manner::Whole,
            delay: Duration::ZERO,
        }
    }

    /// A refusal or an error with a status, in the form that such replies have: HTML pages from
    /// whatever stands in front of the service, JSON from the service itself.
    pub(super) fn status(status: u16, reason: &'static str) -> Self {
        match status {
            429 | 502..=504 => Self::with(
                status,
                HTML,
                format!(
                    "<!DOCTYPE html>\n<html><head><title>{status} {reason}</title></head>\n<body><h1>{reason}</h1></body></html>\n"
                ),
            ),
            301..=308 => Self::with(status, HTML, Bytes::new()),
            _ => Self::with(status, JSON, format!(r#"{{"error":"{}"}}"#, reason.replace('"', "'"))),
        }
    }

    /// The reply of a fault that strikes before the request is read. Resets and similar faults have
    /// a manner and not a status.
    pub(super) fn of_luck(luck: &BadLuck, elsewhere: &str) -> Self {
        let mut reply = match luck.fault {
            Fault::ResetBeforeBilling | Fault::ResetAfterBilling => Self::manner(Manner::Reset),
            Fault::CloseBeforeBilling | Fault::CloseAfterBilling => Self::manner(Manner::Close),
            Fault::HangBeforeBilling | Fault::Hang => Self::manner(Manner::Hang),
            other => {
                let status = other.status().unwrap_or(500);
                Self::status(status, reason(status))
            }
        };
        if (301..=308).contains(&reply.status) {
            reply.location = Some(luck.location.as_deref().unwrap_or(elsewhere).into());
        }
        reply.retry_after.clone_from(&luck.retry_after);
        reply.delay = luck.pause.unwrap_or_default();
        reply
    }

    /// A reply of which nothing is sent.
    fn manner(manner: Manner) -> Self {
        Self { manner, ..Self::with(0, JSON, Bytes::new()) }
    }

    /// The status for the ledger; `None` if no status line is sent.
    pub(super) fn noted_status(&self) -> Option<u16> {
        let silent = matches!(self.manner, Manner::Close | Manner::Reset | Manner::Hang | Manner::Garbage);
        (!silent).then_some(self.status)
    }
}

/// The text that explains a status.
fn reason(status: u16) -> &'static str {
    match status {
        401 => "API key is invalid",
        403 => "Insufficient credits",
        404 => "No resource found",
        500 => "Something went wrong",
        _ => {
            StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
        }
    }
}

/// The body of a good reply, under construction.
///
/// A fault that changes elements finds them by their places, without reading the JSON again.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    body: Vec<u8>,
    /// Where each element of `contacts` stands, and whether it is a match.
    elements: Vec<(Range<usize>, bool)>,
}

/// The beginning of each good body. Elements follow, with commas between them.
const OPEN: &[u8] = br#"{"contacts":["#;
/// The beginning of each element; the contact or `null` follows.
const ELEMENT: &[u8] = br#"{"enriched_contact":"#;

impl Contacts {
    /// Begins a reply with this many elements.
    pub(super) fn begin(elements: usize) -> Self {
        // The size if about 70 % are matches. If the guess is too small, the buffer is copied once.
        let mut body = Vec::with_capacity(256 + elements * 1_100);
        body.extend_from_slice(OPEN);
        Self { body, elements: Vec::with_capacity(elements) }
    }

    /// Writes one element. `write` writes the contact and returns true, or writes nothing and
    /// returns false.
    ///
    /// `value` is returned as the client wrote it, in its spelling. `plain` says that it needs no escapes.
    pub(super) fn push(
        &mut self,
        value: &str,
        plain: bool,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let body = &mut self.body;
        if !self.elements.is_empty() {
            body.push(b',');
        }
        let start = body.len();
        body.extend_from_slice(ELEMENT);
        let found = write(body);
        if !found {
            body.extend_from_slice(b"null");
        }
        body.extend_from_slice(br#","value":"#);
        if plain {
            body.push(b'"');
            body.extend_from_slice(value.as_bytes());
            body.push(b'"');
        } else {
            write_text(body, value);
        }
        body.push(b'}');
        self.elements.push((start..body.len(), found));
        found
    }

    /// The good reply, or what a fault makes of it.
    ///
    /// `billed` is the count that an honest reply has.
    pub(super) fn finish(self, billed: u32, luck: Option<&BadLuck>) -> Reply {
        let Some(luck) = luck else {
            return Reply::with(200, JSON, self.close(Some(u64::from(billed))));
        };
        let mut reply = self.shape(billed, luck);
        if !matches!(luck.fault, Fault::Drip) {
            reply.delay = luck.pause.unwrap_or(match luck.fault {
                Fault::Slow => SLOW_PAUSE,
                _ => Duration::ZERO,
            });
        }
        reply
    }

    /// `None`: without the count.
    fn close(mut self, count: Option<u64>) -> Vec<u8> {
        self.body.push(b']');
        if let Some(count) = count {
            // Writing into a vector cannot fail.
            let _ = write!(self.body, r#","records_enriched":{count}"#);
        }
        self.body.push(b'}');
        self.body
    }

    /// Where the first match stands.
    fn first_match(&self) -> Option<&Range<usize>> {
        self.elements.iter().find_map(|(element, found)| found.then_some(element))
    }

    /// The middle of the first match; without a match, the middle of the body.
    fn mid_record(&self) -> usize {
        self.first_match().map_or(self.body.len() / 2, |element| usize::midpoint(element.start, element.end))
    }

    /// The same body with `field` as the first member of the first match.
    ///
    /// Without a match, the body stays as it is.
    fn with_field(mut self, field: &str) -> Self {
        if let Some(inside) = self.first_match().map(|element| element.start + ELEMENT.len() + 1) {
            let rest = self.body.get(inside..).unwrap_or_default().trim_ascii_start();
            // A person without any field has no member from which `field` must be separated.
            let comma = if rest.starts_with(b"}") { "" } else { "," };
            self.body.splice(inside..inside, field.bytes().chain(comma.bytes()));
        }
        self
    }

    /// Applies a fault to a good reply.
    fn shape(self, billed: u32, luck: &BadLuck) -> Reply {
        let count = Some(u64::from(billed));
        let good = |contacts: Self| Reply::with(200, JSON, contacts.close(count));
        match luck.fault {
            Fault::Truncate | Fault::TruncateChunked => {
                let cut = if luck.fault == Fault::Truncate { Manner::Cut } else { Manner::CutChunked };
                Reply { manner: cut(self.mid_record()), ..good(self) }
            }
            Fault::Drip => Reply { manner: Manner::Drip(luck.pause.unwrap_or(DRIP_PAUSE)), ..good(self) },
            Fault::Endless => Reply { manner: Manner::Endless, ..Reply::with(200, JSON, self.body) },
            Fault::Garbage => Reply { manner: Manner::Garbage, ..good(self) },
            Fault::Reorder | Fault::Fewer | Fault::More | Fault::Foreign => {
                Reply::with(200, JSON, self.misfit(luck.fault).close(count))
            }
            Fault::WrongCount => {
                Reply::with(200, JSON, self.close(Some(u64::from(billed).checked_sub(1).unwrap_or(1))))
            }
            Fault::AbsurdCount => {
                let absurd = self.elements.len() as u64 * 1_000;
                Reply::with(200, JSON, self.close(Some(absurd)))
            }
            Fault::NoCount => Reply::with(200, JSON, self.close(None)),
            Fault::NotJson => Reply::with(200, JSON, "contacts: none today"),
            Fault::Html200 => Reply::with(
                200,
                HTML,
                "<!DOCTYPE html>\n<html><body><h1>We'll be right back</h1></body></html>\n",
            ),
            Fault::BrokenRecord => good(self.with_field(r#""broken":"#)),
            Fault::Deep => {
                let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
                good(self.with_field(&format!(r#""deep":{open}{close}"#)))
            }
            Fault::LoneSurrogate => good(self.with_field(r#""note":"half \ud83d of it""#)),
            Fault::Nan => good(self.with_field(r#""score":NaN,"lowest":-Infinity"#)),
            Fault::BigInt => good(self.with_field(r#""big_int":123456789012345678901234567890"#)),
            Fault::DuplicateKeys => good(self.with_field(r#""full_name":"Not Their Name""#)),
            Fault::Gzip => {
                let plain = self.close(count);
                Reply { gzipped: true, ..Reply::with(200, JSON, gzip(&plain)) }
            }
            Fault::GzipBomb => Reply { gzipped: true, ..Reply::with(200, JSON, bomb()) },
            Fault::ResetAfterBilling
            | Fault::CloseAfterBilling
            | Fault::Hang
            | Fault::Status500AfterBilling
            | Fault::Status502AfterBilling
            | Fault::Status503AfterBilling
            | Fault::Status504AfterBilling => Reply::of_luck(luck, ""),
            // `Slow` only delays the reply. Faults that are free do not come here.
            _ => good(self),
        }
    }

    /// The body with other elements, or with its elements in another order.
    ///
    /// The count stays, so that only the contacts are wrong.
    fn misfit(&self, fault: Fault) -> Self {
        let bytes = |(element, _): &(Range<usize>, bool)| self.body.get(element.clone()).unwrap_or_default();
        let mut elements: Vec<_> = self.elements.iter().map(bytes).collect();
        let foreign = [ELEMENT, br#"null,"value":"not-asked@elsewhere.example"}"#].concat();
        match fault {
            Fault::Reorder => elements.reverse(),
            Fault::Fewer => elements.truncate(elements.len() - elements.len().div_ceil(4)),
            Fault::More => elements.extend(elements.first().copied()),
            _ => {
                if let Some(first) = elements.first_mut() {
                    *first = &foreign;
                }
            }
        }
        let body = [OPEN, &elements.join(&b',')].concat();
        Self { body, elements: Vec::new() }
    }
}

/// The bytes compressed with gzip.
fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into a vector cannot fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default()
}

/// A gigabyte of compressed spaces. A deflate stream is a sequence of blocks, so that one
/// compressed mebibyte, repeated, is a valid stream.
fn bomb() -> Bytes {
    const BLOCKS: usize = 1_024;
    const BLOCK_BYTES: usize = 1 << 20;
    static BOMB: OnceLock<Bytes> = OnceLock::new();
    let build = || {
        let spaces = vec![b' '; BLOCK_BYTES];
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        let _ = encoder.write_all(&spaces).and_then(|()| encoder.flush());
        let mut one = Crc::new();
        one.update(&spaces);
        let mut all = Crc::new();
        let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        for _ in 0..BLOCKS {
            packed.extend_from_slice(encoder.get_ref());
            all.combine(&one);
        }
        // An empty last block, the checksum and the length.
        packed.extend_from_slice(&[3, 0]);
        packed.extend_from_slice(&all.sum().to_le_bytes());
        packed.extend_from_slice(&all.amount().to_le_bytes());
        Bytes::from(packed)
    };
    BOMB.get_or_init(build).clone()
}
