//! The values of one column under construction: JSON in, an array of Arrow out.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder};
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_buffer::{NullBufferBuilder, OffsetBufferBuilder};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field};

use crate::identifier::reading::EXACT_F64;
use crate::vendor::decode::text::unescape;

use super::kind::{BETWEEN, Form, Kind};
use super::texts::Texts;
use super::walk::{Span, Values, Written};

/// Values as they are read, before they are made into another type.
enum Raw {
    Text(Texts),
    Whole(Int64Builder),
    Number(Float64Builder),
    Truth(BooleanBuilder),
}

/// The values of one column under construction.
pub(super) struct Column {
    kind: Kind,
    raw: Raw,
    /// Of a column of lists: where each ends, and which are there.
    lists: Option<(OffsetBufferBuilder<i32>, NullBufferBuilder)>,
    /// Of joined texts: those of one row.
    joined: Vec<u8>,
    /// Values that contacts had for it.
    met: u64,
    /// Those of them that did not fit its type.
    misfits: u64,
}

impl Column {
    /// For so many rows, whose text is expected to take so many bytes.
    pub(super) fn new(kind: &Kind, is_list: bool, rows: usize, bytes: usize) -> Self {
        let raw = match kind.form {
            Form::Any | Form::Json | Form::Joined | Form::Text => Raw::Text(Texts::new(rows, bytes)),
            Form::Whole => Raw::Whole(Int64Builder::with_capacity(rows)),
            Form::Number => Raw::Number(Float64Builder::with_capacity(rows)),
            Form::Truth => Raw::Truth(BooleanBuilder::with_capacity(rows)),
        };
        let lists = is_list.then(|| (OffsetBufferBuilder::new(rows), NullBufferBuilder::new(rows)));
        Self { kind: kind.clone(), raw, lists, joined: Vec::new(), met: 0, misfits: 0 }
    }

    /// A row with this contact.
    pub(super) fn push(&mut self, text: &[u8], found: &Values) {
        if self.kind.form == Form::Joined {
            return self.join(text, found);
        }
        let Some((_, there)) = &mut self.lists else {
            return self.value(text, found.spans.first().copied().flatten());
        };
        there.append(found.is_there);
        for span in &found.spans {
            self.value(text, *span);
        }
        if let Some((offsets, _)) = &mut self.lists {
            offsets.push_length(found.spans.len());
        }
    }

    /// A row with the texts of all elements.
    fn join(&mut self, text: &[u8], found: &Values) {
        let Raw::Text(texts) = &mut self.raw else { return };
        self.joined.clear();
        let mut is_empty = true;
        for span in found.spans.iter().flatten().filter(|span| span.form != Written::Null) {
            self.met += 1;
            let Some(said) = said(Form::Any, text, span) else {
                self.misfits += 1;
                continue;
            };
            if !is_empty {
                self.joined.push(BETWEEN);
            }
            is_empty = false;
            self.joined.extend_from_slice(&said);
        }
        texts.push_option((!is_empty).then_some(&self.joined));
    }

    /// A row without one.
    pub(super) fn push_null(&mut self) {
        match &mut self.lists {
            Some((offsets, there)) => {
                offsets.push_length(0);
                there.append_null();
            }
            None => self.value(&[], None),
        }
    }

    /// A value that stands there in a contact's text; none if it is none.
    fn value(&mut self, text: &[u8], span: Option<Span>) {
        let span = span.filter(|span| span.form != Written::Null);
        let json = span.map(|span| span.of(text));
        let fitted = match &mut self.raw {
            Raw::Text(texts) => {
                let said = span.as_ref().and_then(|span| said(self.kind.form, text, span));
                texts.push_option(said.as_deref());
                said.is_some()
            }
            Raw::Whole(numbers) => {
                let number = json.and_then(whole);
                numbers.append_option(number);
                number.is_some()
            }
            Raw::Number(numbers) => {
                let number = json.and_then(number);
                numbers.append_option(number);
                number.is_some()
            }
            Raw::Truth(truths) => {
                let truth = json.and_then(truth);
                truths.append_option(truth);
                truth.is_some()
            }
        };
        self.met += u64::from(span.is_some());
        self.misfits += u64::from(span.is_some() && !fitted);
    }

    /// How many values contacts had for it.
    pub(super) const fn met(&self) -> u64 {
        self.met
    }

    /// How many bytes of text there are.
    pub(super) fn bytes(&self) -> usize {
        match &self.raw {
            Raw::Text(texts) => texts.len(),
            _ => 0,
        }
    }

    /// The array, and how many values did not fit their type and are null.
    pub(super) fn finish(mut self) -> Result<(ArrayRef, u64), ArrowError> {
        let raw: ArrayRef = match self.raw {
            Raw::Text(texts) => Arc::new(texts.finish()?),
            Raw::Whole(mut numbers) => Arc::new(numbers.finish()),
            Raw::Number(mut numbers) => Arc::new(numbers.finish()),
            Raw::Truth(mut truths) => Arc::new(truths.finish()),
        };
        let values = if *raw.data_type() == self.kind.data_type {
            raw
        } else {
            let safe = CastOptions { safe: true, ..CastOptions::default() };
            let values = cast_with_options(&raw, &self.kind.data_type, &safe)?;
            self.misfits += values.logical_null_count().saturating_sub(raw.null_count()) as u64;
            values
        };
        let Some((offsets, mut there)) = self.lists else { return Ok((values, self.misfits)) };
        let element = Arc::new(Field::new_list_field(self.kind.data_type, true));
        let lists = ListArray::try_new(element, offsets.finish(), values, there.finish())?;
        Ok((Arc::new(lists), self.misfits))
    }
}

/// What a value says in text; `None` if it says none.
fn said<'a>(form: Form, text: &'a [u8], span: &Span) -> Option<Cow<'a, [u8]>> {
    let json = span.of(text);
    let between_quotes = || json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    match (form, span.form) {
        (Form::Json, _) | (Form::Any, Written::Otherwise) => Some(Cow::Borrowed(json)),
        (_, Written::Plain) => Some(Cow::Borrowed(between_quotes())),
        (_, Written::Escaped) => {
            // A lone surrogate has no place in any string of Arrow's.
            let said = String::from_utf8(unescape(between_quotes())).ok()?;
            Some(Cow::Owned(said.into_bytes()))
        }
        (_, Written::Otherwise | Written::Null) => None,
    }
}

#[allow(clippy::cast_possible_truncation)] // whole, and small enough
fn whole(json: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(json).ok()?;
    text.parse().ok().or_else(|| {
        let number = number(json)?;
        (number.fract() == 0.0 && number.abs() < EXACT_F64).then_some(number as i64)
    })
}

fn number(json: &[u8]) -> Option<f64> {
    // A string is no number; of the words, Rust reads those that JSON's neighbours write.
    std::str::from_utf8(json).ok()?.parse().ok()
}

fn truth(json: &[u8]) -> Option<bool> {
    match json {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// The type of a column of these.
pub(super) fn column_type(kind: &Kind, is_list: bool) -> DataType {
    if is_list { DataType::new_list(kind.data_type.clone(), true) } else { kind.data_type.clone() }
}
