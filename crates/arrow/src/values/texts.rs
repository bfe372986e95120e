//! Builds a text column: bytes in, an Arrow array out.
//!
//! Arrow's own builder takes each text as `&str`, so each would have to be checked for UTF-8
//! separately. Here all bytes are checked together at the end, which is several times as fast for
//! short texts.

use std::sync::Arc;

use arrow_array::builder::GenericStringBuilder;
use arrow_array::{ArrayRef, GenericStringArray, OffsetSizeTrait};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBufferBuilder};
use arrow_schema::{ArrowError, DataType};

/// Texts under construction, with offsets of 32 or 64 bits.
///
/// The variant follows from the type of the column. 32 bits are enough for a block: see `MOST_BYTES` in
/// `block`.
pub(crate) enum Texts {
    Utf8(Builder<i32>),
    LargeUtf8(Builder<i64>),
}

impl Texts {
    /// A builder of type `LargeUtf8` if `data_type` is that type, otherwise `Utf8`, with space for
    /// this many rows and this many bytes of text.
    pub(crate) fn new(data_type: &DataType, rows: usize, bytes: usize) -> Self {
        match data_type {
            DataType::LargeUtf8 => Self::LargeUtf8(Builder::new(rows, bytes)),
            _ => Self::Utf8(Builder::new(rows, bytes)),
        }
    }

    /// Appends a text. It need not be UTF-8: see [`Self::finish`].
    #[inline]
    pub(crate) fn push(&mut self, text: &[u8]) {
        match self {
            Self::Utf8(builder) => builder.push(text),
            Self::LargeUtf8(builder) => builder.push(text),
        }
    }

    #[inline]
    pub(crate) fn push_null(&mut self) {
        match self {
            Self::Utf8(builder) => builder.push_null(),
            Self::LargeUtf8(builder) => builder.push_null(),
        }
    }

    /// Appends a text, or a null for `None`.
    pub(crate) fn push_option(&mut self, text: Option<&(impl AsRef<[u8]> + ?Sized)>) {
        match text {
            Some(text) => self.push(text.as_ref()),
            None => self.push_null(),
        }
    }

    /// How many bytes of text there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Utf8(builder) => builder.bytes.len(),
            Self::LargeUtf8(builder) => builder.bytes.len(),
        }
    }

    /// The finished array. Texts that are not UTF-8 become null.
    pub(crate) fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Utf8(builder) => Arc::new(builder.finish()?),
            Self::LargeUtf8(builder) => Arc::new(builder.finish()?),
        })
    }
}

/// Texts under construction, with offsets of type `O`.
///
/// The same three buffers that Arrow's own array has.
pub(crate) struct Builder<O: OffsetSizeTrait> {
    /// All texts, one after the other. A null adds nothing.
    bytes: Vec<u8>,
    /// Where each text ends in `bytes`.
    ends: OffsetBufferBuilder<O>,
    there: NullBufferBuilder,
}

impl<O: OffsetSizeTrait> Builder<O> {
    fn new(rows: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: OffsetBufferBuilder::new(rows),
            there: NullBufferBuilder::new(rows),
        }
    }

    #[inline]
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push_length(text.len());
        self.there.append_non_null();
    }

    #[inline]
    fn push_null(&mut self) {
        self.ends.push_length(0);
        self.there.append_null();
    }

    /// All bytes are checked at once. Only if one of the texts is not UTF-8 are they checked one by one, and
    /// those that are not become null. (A text may also begin in the middle of a character that the text before
    /// it ends in.)
    fn finish(mut self) -> Result<GenericStringArray<O>, ArrowError> {
        // A column stays in memory for long, so at most an eighth of it may be unused.
        if self.bytes.capacity() - self.bytes.len() > self.bytes.len() / 8 {
            self.bytes.shrink_to_fit();
        }
        let (ends, bytes, there) = (self.ends.finish(), Buffer::from_vec(self.bytes), self.there.finish());
        GenericStringArray::try_new(ends.clone(), bytes.clone(), there.clone()).or_else(|_| {
            let mut checked = GenericStringBuilder::with_capacity(ends.len(), bytes.len());
            for (row, (from, to)) in ends.iter().zip(ends.iter().skip(1)).enumerate() {
                let is_there = there.as_ref().is_none_or(|there| there.is_valid(row));
                let text = bytes.get(from.as_usize()..to.as_usize()).filter(|_| is_there);
                checked.append_option(text.and_then(|text| std::str::from_utf8(text).ok()));
            }
            Ok(checked.finish())
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_are_null_and_the_others_stay() {
        for data_type in [DataType::Utf8, DataType::LargeUtf8] {
            let mut texts = Texts::new(&data_type, 0, 0);
            texts.push("é".as_bytes());
            texts.push(b"\xc3");
            texts.push_null();
            texts.push(b"");
            texts.push_option(Some("z"));
            assert_eq!(texts.len(), 4);
            let array = texts.finish().expect("an array");
            assert_eq!(*array.data_type(), data_type);
            let values: Vec<Option<&str>> = match data_type {
                DataType::LargeUtf8 => array.as_string::<i64>().iter().collect(),
                _ => array.as_string::<i32>().iter().collect(),
            };
            assert_eq!(values, [Some("é"), None, None, Some(""), Some("z")]);
        }
    }
}
