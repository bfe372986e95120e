//! Decompresses the bodies of replies.
//!
//! Requests accept only gzip. But replies with other common codings are read, too, because they
//! have been paid for. As in urllib3, curl and browsers, names are accepted in any case; so are
//! `x-gzip`, several gzip members, padding after the last member, `deflate` with and without the
//! zlib header, and several codings one after the other. An unknown name is ignored.
//!
//! The caller decodes one coding after the other and limits what each of them produces. If only the
//! last result were limited, a few kilobytes could keep a thread busy for minutes.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// The first byte of a gzip member (RFC 1952, 2.3.1).
const MEMBER: u8 = 0x1f;

/// The most codings of one reply. A real reply has fewer.
const MOST_CODINGS: usize = 4;

/// The most gzip members of one body. A real body has few; some programs write one per 64 KB. Each costs some time,
/// even if it is empty.
const MOST_MEMBERS: u32 = 20_000;

/// One compression of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
}

/// The codings of a body, in the order in which they were applied (RFC 9110, section 8.4).
pub(super) fn codings(headers: &HeaderMap) -> Vec<Coding> {
    let values = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let known = names.filter_map(|name| match name.as_str() {
        "gzip" | "x-gzip" => Some(Coding::Gzip),
        "deflate" => Some(Coding::Deflate),
        _ => None,
    });
    known.take(MOST_CODINGS).collect()
}

/// Decompresses a body that has this coding. If the body ends too early, it fails with
/// [`io::ErrorKind::UnexpectedEof`].
pub(super) fn decoder<'a>(body: &'a [u8], coding: Coding) -> Box<dyn BufRead + Send + 'a> {
    match coding {
        Coding::Gzip => Box::new(BufReader::new(Members { count: 0, place: Some(Member::Next(body)) })),
        Coding::Deflate => Box::new(BufReader::new(Inflate { body, state: None, is_over: false })),
    }
}

/// A reader of successive gzip members.
struct Members<'a> {
    count: u32,
    /// `None` at the end.
    place: Option<Member<'a>>,
}

/// The position of [`Members`] in the body.
enum Member<'a> {
    /// Before a member.
    Next(&'a [u8]),
    Inside(GzDecoder<&'a [u8]>),
}

impl Read for Members<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut decoder = match self.place.take() {
                None => return Ok(0),
                Some(Member::Next(_)) if self.count == MOST_MEMBERS => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                Some(Member::Next(rest)) => {
                    self.count += 1;
                    GzDecoder::new(rest)
                }
                Some(Member::Inside(decoder)) => decoder,
            };
            let length = decoder.read(into)?;
            if length > 0 || into.is_empty() {
                self.place = Some(Member::Inside(decoder));
                return Ok(length);
            }
            // The checksum of the member was right. Another member or padding follows.
            let rest = decoder.into_inner();
            if rest.first() == Some(&MEMBER) {
                self.place = Some(Member::Next(rest));
            }
        }
    }
}

/// A reader of a deflate stream, with or without the zlib header.
///
/// `state` is made with the first byte, which decides whether there is a zlib header.
struct Inflate<'a> {
    body: &'a [u8],
    state: Option<Decompress>,
    is_over: bool,
}

impl Read for Inflate<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.is_over && !into.is_empty() {
            let body = self.body;
            // A raw deflate stream does not begin like this: it would be an empty block with
            // padding bits set.
            let zlib = || body.first().is_some_and(|first| first & 0x0f == 8);
            let state = self.state.get_or_insert_with(|| Decompress::new(zlib()));
            let (taken, made) = (state.total_in(), state.total_out());
            let status = state.decompress(body, into, FlushDecompress::None)?;
            let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or_default();
            let (taken, made) = (count(state.total_in(), taken), count(state.total_out(), made));
            self.body.consume(taken);
            self.is_over = status == Status::StreamEnd;
            if made > 0 {
                return Ok(made);
            }
            if body.is_empty() && !self.is_over {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(plain: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(body: &[u8], name: &str) -> Result<Vec<u8>, io::ErrorKind> {
        let mut headers = HeaderMap::new();
        for name in name.split(" + ") {
            headers.append(CONTENT_ENCODING, name.parse().unwrap());
        }
        let mut body = body.to_vec();
        for coding in codings(&headers).into_iter().rev() {
            let mut plain = Vec::new();
            decoder(&body, coding).read_to_end(&mut plain).map_err(|error| error.kind())?;
            body = plain;
        }
        Ok(body)
    }

    fn text() -> Vec<u8> {
        (0..200_000_u32).map(|place| b' ' + (place.wrapping_mul(place) % 95) as u8).collect()
    }

    #[test]
    fn what_clients_commonly_read_is_read() {
        let text = text();
        let (first, second) = text.split_at(70_001);
        let members = [gzip(first), gzip(b""), gzip(second)].concat();
        for (body, name) in [
            (gzip(&text), "gzip"),
            (gzip(&text), "GZIP"),
            (gzip(&text), " x-GZip ,"),
            (members.clone(), "gzip"),
            ([&gzip(&text)[..], &[0; 512]].concat(), "gzip"),
            ([&members[..], b"\r\n"].concat(), "gzip"),
            (zlib(&text), "deflate"),
            (bare(&text, 6), "Deflate"),
            (bare(&text, 0), "deflate"),
            ([&zlib(&text)[..], &[0; 9]].concat(), "deflate"),
            (gzip(&gzip(&text)), "gzip, gzip"),
            (gzip(&zlib(&members)), "gzip,deflate + gzip"),
            (text.clone(), "identity"),
            (text.clone(), "utf-8"),
            (gzip(&text), "identity, gzip"),
        ] {
            assert!(decode(&body, name).unwrap() == text, "{name}");
        }
    }

    #[test]
    fn what_is_broken_is_told_from_what_breaks_off() {
        let text = text();
        for (body, name) in [(gzip(&text), "gzip"), (zlib(&text), "deflate"), (bare(&text, 6), "deflate")] {
            for length in [1, 2, 11, body.len() / 2, body.len() - 1] {
                assert_eq!(
                    decode(&body[..length], name),
                    Err(io::ErrorKind::UnexpectedEof),
                    "{name} {length}"
                );
            }
            let mut broken = body.clone();
            broken[body.len() / 2] ^= 0x55;
            let broken = decode(&broken, name);
            assert!(broken != Ok(text.clone()), "{name}");
        }
        let cut_off = [gzip(&text), gzip(&text)[..100].to_vec()].concat();
        assert_eq!(decode(&cut_off, "gzip"), Err(io::ErrorKind::UnexpectedEof));
        assert!(decode(b"{\"contacts\": []}", "gzip").is_err());
        assert!(decode(b"", "gzip").is_err());
    }
    #[test]
    fn endless_empty_members_are_not_read() {
        let most = MOST_MEMBERS as usize;
        assert_eq!(decode(&gzip(b"").repeat(most), "gzip"), Ok(Vec::new()));
        assert_eq!(decode(&gzip(b"").repeat(most + 1), "gzip"), Err(io::ErrorKind::InvalidData));
    }
}
