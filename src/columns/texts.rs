//! A column of text under construction. Arrow's own builder takes each text as `&str`; here bytes that
//! are known to be UTF-8 are looked at once, all together, at the end.

use arrow_array::StringArray;
use arrow_array::builder::StringBuilder;
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBufferBuilder};
use arrow_schema::ArrowError;

/// Texts under construction.
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: OffsetBufferBuilder<i32>,
    there: NullBufferBuilder,
}

impl Texts {
    /// For so many rows, whose text is expected to take so many bytes.
    pub(super) fn new(rows: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: OffsetBufferBuilder::new(rows),
            there: NullBufferBuilder::new(rows),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push_length(text.len());
        self.there.append_non_null();
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        self.ends.push_length(0);
        self.there.append_null();
    }

    pub(super) fn push_option(&mut self, text: Option<&(impl AsRef<[u8]> + ?Sized)>) {
        match text {
            Some(text) => self.push(text.as_ref()),
            None => self.push_null(),
        }
    }

    /// How many bytes of text there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The array. Texts that are no UTF-8 after all become null.
    pub(super) fn finish(mut self) -> Result<StringArray, ArrowError> {
        // What a column keeps it keeps for long: no more room than an eighth in vain.
        if self.bytes.capacity() - self.bytes.len() > self.bytes.len() / 8 {
            self.bytes.shrink_to_fit();
        }
        let (ends, bytes, there) = (self.ends.finish(), Buffer::from_vec(self.bytes), self.there.finish());
        StringArray::try_new(ends.clone(), bytes.clone(), there.clone()).or_else(|_| {
            let mut checked = StringBuilder::with_capacity(ends.len(), bytes.len());
            let ends: Vec<usize> = ends.iter().map(|end| usize::try_from(*end).unwrap_or_default()).collect();
            for (row, (from, to)) in ends.iter().zip(ends.iter().skip(1)).enumerate() {
                let is_there = there.as_ref().is_none_or(|there| there.is_valid(row));
                let text = bytes.get(*from..*to).filter(|_| is_there);
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

    use super::*;

    #[test]
    fn texts_that_are_none_are_null_and_the_others_stay() {
        let mut texts = Texts::new(0, 0);
        texts.push("é".as_bytes());
        texts.push(b"\xc3");
        texts.push_null();
        texts.push(b"");
        texts.push_option(Some("z"));
        let array = texts.finish().expect("an array");
        let said: Vec<Option<&str>> = array.iter().collect();
        assert_eq!(said, [Some("é"), None, None, Some(""), Some("z")]);
        assert_eq!(array.null_count(), 2);
    }
}
