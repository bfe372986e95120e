//! Builds one column: JSON in, an Arrow array out.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float32Builder, Float64Builder, Int64Builder, Time64NanosecondBuilder,
    UInt64Builder,
};
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_buffer::{NullBufferBuilder, OffsetBufferBuilder};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field};

use exactbuyer_core::results::standard_json;
use exactbuyer_core::service::decode::text::unescape;

use super::{moments, numbers};
use crate::contact::walk::{Span, Values, Written};
use crate::values::kind::{BETWEEN, Form, Kind};
use crate::values::texts::Texts;

/// The values as they are read, before they are converted into the type of the column.
///
/// Which one follows from the [`Form`] alone: see [`Form::data_type`].
enum Raw {
    /// Texts, JSON, and decimals as the text that Arrow parses.
    Text(Texts),
    /// Signed integers of any width, and moments since 1970.
    Whole(Int64Builder),
    /// Only `uint64`, because `Whole` does not reach its upper half.
    Natural(UInt64Builder),
    /// 64-bit floats, and 16-bit ones before they are cast.
    Double(Float64Builder),
    /// Read as 32-bit floats at once: rounding twice could give another value.
    Single(Float32Builder),
    /// Only `true` and `false`.
    Truth(BooleanBuilder),
    /// Days since 1970.
    Date(Date32Builder),
    /// Nanoseconds since midnight.
    Time(Time64NanosecondBuilder),
}

/// A contact whose values are read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Contact<'a> {
    /// The text that the spans refer to.
    pub(crate) text: &'a [u8],
    /// Whether it may contain `NaN` or `Infinity`. The walk over the contact has found that out,
    /// which is cheaper than a search.
    pub(crate) has_words: bool,
}

/// A column under construction.
///
/// Its rows are appended in order, each by exactly one `push` or `push_null`.
pub(crate) struct Column {
    /// The form in which values are read, and the type of the finished column.
    kind: Kind,
    /// The values so far; for a column of lists, those of all lists one after the other.
    raw: Raw,
    /// For a column of lists: where each list ends, and which lists are not null.
    lists: Option<(OffsetBufferBuilder<i32>, NullBufferBuilder)>,
    /// For a column of joined texts: the texts of the current row.
    joined: Vec<u8>,
    /// How many values the contacts had for this column.
    ///
    /// Nulls are not counted.
    met: u64,
    /// How many of these values did not fit its type.
    ///
    /// They are null in the table. Values that the final cast refuses are added at the end.
    misfits: u64,
}

impl Column {
    /// A column with space for this many rows and this many bytes of text.
    pub(crate) fn new(kind: &Kind, is_list: bool, rows: usize, bytes: usize) -> Self {
        let raw = match kind.form {
            Form::Any | Form::Json | Form::Joined | Form::Text | Form::Decimal { .. } => {
                Raw::Text(Texts::new(&kind.data_type, rows, bytes))
            }
            Form::Whole { .. } | Form::Moment(_) => Raw::Whole(Int64Builder::with_capacity(rows)),
            Form::Natural => Raw::Natural(UInt64Builder::with_capacity(rows)),
            Form::Double | Form::Half => Raw::Double(Float64Builder::with_capacity(rows)),
            Form::Single => Raw::Single(Float32Builder::with_capacity(rows)),
            Form::Truth => Raw::Truth(BooleanBuilder::with_capacity(rows)),
            Form::Date => Raw::Date(Date32Builder::with_capacity(rows)),
            Form::Time => Raw::Time(Time64NanosecondBuilder::with_capacity(rows)),
        };
        let lists = is_list.then(|| (OffsetBufferBuilder::new(rows), NullBufferBuilder::new(rows)));
        Self { kind: kind.clone(), raw, lists, joined: Vec::new(), met: 0, misfits: 0 }
    }

    /// Appends a row with the values of a contact.
    ///
    /// A list that the contact does not have is null, an empty one is empty.
    pub(crate) fn push(&mut self, contact: Contact<'_>, found: &Values) {
        if self.kind.form == Form::Joined {
            return self.join(contact, found);
        }
        let Some((_, there)) = &mut self.lists else {
            return self.value(contact, found.spans.first().copied().flatten());
        };
        there.append(found.is_there);
        for span in &found.spans {
            self.value(contact, *span);
        }
        if let Some((offsets, _)) = &mut self.lists {
            offsets.push_length(found.spans.len());
        }
    }

    /// Appends a row with the joined texts of all elements.
    ///
    /// Without any text the cell is null, not empty.
    fn join(&mut self, contact: Contact<'_>, found: &Values) {
        let Raw::Text(texts) = &mut self.raw else { return };
        self.joined.clear();
        let mut is_empty = true;
        for span in found.spans.iter().flatten().filter(|span| span.form != Written::Null) {
            self.met += 1;
            let Some(said) = said(Form::Any, contact, span) else {
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

    /// Appends a row without a contact.
    pub(crate) fn push_null(&mut self) {
        match &mut self.lists {
            Some((offsets, there)) => {
                offsets.push_length(0);
                there.append_null();
            }
            None => self.value(Contact::default(), None),
        }
    }

    /// Appends the value at this position, or null if there is none.
    fn value(&mut self, contact: Contact<'_>, span: Option<Span>) {
        let span = span.filter(|span| span.form != Written::Null);
        let fitted = span.is_some_and(|span| self.fits(contact, &span));
        if !fitted {
            self.append_null();
        }
        self.met += u64::from(span.is_some());
        self.misfits += u64::from(span.is_some() && !fitted);
    }

    /// Appends a value if it fits the type, and returns whether it does.
    fn fits(&mut self, contact: Contact<'_>, span: &Span) -> bool {
        let form = self.kind.form;
        let json = span.of(contact.text);
        let string = || said(Form::Text, contact, span);
        match &mut self.raw {
            Raw::Text(texts) => match form {
                Form::Decimal { precision, scale } => {
                    numbers::decimal(json, precision, scale).map(|text| texts.push(text.as_bytes()))
                }
                _ => said(form, contact, span).map(|said| texts.push(&said)),
            },
            Raw::Whole(numbers) => match form {
                Form::Whole { least, most } => numbers::whole(json)
                    .and_then(|number| i64::try_from(number).ok())
                    .filter(|number| (least..=most).contains(number)),
                Form::Moment(unit) => text(string(), |text| moments::moment(text, unit)),
                _ => None,
            }
            .map(|number| numbers.append_value(number)),
            Raw::Natural(numbers) => numbers::whole(json)
                .and_then(|number| u64::try_from(number).ok())
                .map(|number| numbers.append_value(number)),
            Raw::Double(numbers) => {
                let number = if form == Form::Half { numbers::half(json) } else { numbers::double(json) };
                number.map(|number| numbers.append_value(number))
            }
            Raw::Single(numbers) => numbers::single(json).map(|number| numbers.append_value(number)),
            Raw::Truth(truths) => truth(json).map(|truth| truths.append_value(truth)),
            Raw::Date(dates) => text(string(), moments::date).map(|date| dates.append_value(date)),
            Raw::Time(times) => text(string(), moments::time).map(|time| times.append_value(time)),
        }
        .is_some()
    }

    /// A null of the values, not of a list.
    fn append_null(&mut self) {
        match &mut self.raw {
            Raw::Text(texts) => texts.push_null(),
            Raw::Whole(numbers) => numbers.append_null(),
            Raw::Natural(numbers) => numbers.append_null(),
            Raw::Double(numbers) => numbers.append_null(),
            Raw::Single(numbers) => numbers.append_null(),
            Raw::Truth(truths) => truths.append_null(),
            Raw::Date(dates) => dates.append_null(),
            Raw::Time(times) => times.append_null(),
        }
    }

    /// How many values the contacts had for this column.
    pub(crate) const fn met(&self) -> u64 {
        self.met
    }

    /// How many bytes of text the column has.
    pub(crate) fn bytes(&self) -> usize {
        match &self.raw {
            Raw::Text(texts) => texts.len(),
            _ => 0,
        }
    }

    /// The finished array, and how many values did not fit their type and are null.
    ///
    /// # Errors
    /// If Arrow cannot build or cast the array.
    pub(crate) fn finish(mut self) -> Result<(ArrayRef, u64), ArrowError> {
        let raw: ArrayRef = match self.raw {
            Raw::Text(texts) => texts.finish()?,
            Raw::Whole(mut numbers) => Arc::new(numbers.finish()),
            Raw::Natural(mut numbers) => Arc::new(numbers.finish()),
            Raw::Double(mut numbers) => Arc::new(numbers.finish()),
            Raw::Single(mut numbers) => Arc::new(numbers.finish()),
            Raw::Truth(mut truths) => Arc::new(truths.finish()),
            Raw::Date(mut dates) => Arc::new(dates.finish()),
            Raw::Time(mut times) => Arc::new(times.finish()),
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

/// The text of a value, or `None` if it has no text in this form.
///
/// In the form `Json` it is the JSON itself. Otherwise a string has one unless it contains half of a surrogate
/// pair, and any other value has one only in the form `Any`.
fn said<'a>(form: Form, contact: Contact<'a>, span: &Span) -> Option<Cow<'a, [u8]>> {
    let json = span.of(contact.text);
    let between_quotes = || json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    match (form, span.form) {
        (Form::Json | Form::Any, Written::Otherwise) => {
            let json = if contact.has_words { standard_json(json) } else { Cow::Borrowed(json) };
            // A value that is only `NaN` or `Infinity` counts as not fitting.
            (*json != *b"null").then_some(json)
        }
        (Form::Json, _) => Some(Cow::Borrowed(json)),
        (_, Written::Plain) => Some(Cow::Borrowed(between_quotes())),
        (_, Written::Escaped) => {
            // Arrow's strings cannot contain a single surrogate.
            let said = String::from_utf8(unescape(between_quotes())).ok()?;
            Some(Cow::Owned(said.into_bytes()))
        }
        (_, Written::Otherwise | Written::Null) => None,
    }
}

/// Reads a text, if there is one and it is UTF-8.
fn text<T>(said: Option<Cow<'_, [u8]>>, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    read(std::str::from_utf8(&said?).ok()?)
}

/// Numbers and strings are not booleans.
fn truth(json: &[u8]) -> Option<bool> {
    match json {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

pub(crate) fn column_type(kind: &Kind, is_list: bool) -> DataType {
    if is_list { DataType::new_list(kind.data_type.clone(), true) } else { kind.data_type.clone() }
}
