//! The marks that separate several values in one cell.

use std::cmp::Reverse;

/// What Unicode counts as a line break. A cell may have been typed on another system than this one.
const LINE_BREAKS: [&str; 7] = ["\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"];

/// The marks at which the text of a cell is split.
///
/// The default has no marks, and splits nothing.
#[derive(Debug, Clone, Default)]
pub struct Marks(Vec<Box<str>>);

impl Marks {
    /// These marks. `"\n"` means every line break.
    ///
    /// Empty marks are ignored, because they would split everywhere.
    #[must_use]
    pub fn new(marks: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<Box<str>> = marks.into_iter().filter(|m| !m.is_empty()).map(Into::into).collect();
        if all.iter().any(|mark| **mark == *"\n") {
            all.extend(LINE_BREAKS.map(Into::into));
        }
        Self(all)
    }

    /// The parts of the text between its marks, or `None` if it has no mark. If two marks begin at
    /// the same position, the longer one counts.
    ///
    /// ```
    /// use exactbuyer_arrow::input::marks::Marks;
    ///
    /// let marks = Marks::new([";".to_owned(), "\n".to_owned()]);
    /// assert_eq!(marks.split("ana@acme.example; bo@acme.example"), Some(vec!["ana@acme.example", " bo@acme.example"]));
    /// assert_eq!(marks.split("ana@acme.example"), None);
    /// ```
    ///
    /// Parts may be empty; they count as missing values.
    #[must_use]
    pub fn split<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let mut found: Vec<_> = self
            .0
            .iter()
            .flat_map(|mark| text.match_indices(&**mark))
            .map(|(at, mark)| (at, Reverse(mark.len())))
            .collect();
        if found.is_empty() {
            return None;
        }
        found.sort_unstable();
        let mut parts = Vec::with_capacity(found.len() + 1);
        let mut start = 0;
        for (at, Reverse(length)) in found {
            if at >= start {
                parts.extend(text.get(start..at));
                start = at + length;
            }
        }
        parts.extend(text.get(start..));
        Some(parts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn split<'t>(marks: &[&str], text: &'t str) -> Option<Vec<&'t str>> {
        Marks::new(marks.iter().map(ToString::to_string)).split(text)
    }

    #[test]
    fn a_cell_is_split_at_each_of_its_marks() {
        assert_eq!(split(&[";", ",", "|"], "a;b,c | d").unwrap(), ["a", "b", "c ", " d"]);
        assert_eq!(split(&[";"], "a,b"), None);
        assert_eq!(split(&[], "a,b"), None);
        assert_eq!(split(&["|", "||"], "a||b|c").unwrap(), ["a", "b", "c"]);
        assert_eq!(split(&["; "], "a; b;c").unwrap(), ["a", "b;c"]);
        assert_eq!(split(&["é"], "aéb").unwrap(), ["a", "b"]);
        assert_eq!(split(&[";"], ";").unwrap(), ["", ""]);
    }

    #[test]
    fn a_line_break_is_any_line_break() {
        assert_eq!(split(&["\n"], "a\r\nb\nc\rd\u{2028}e").unwrap(), ["a", "b", "c", "d", "e"]);
        assert_eq!(split(&[";"], "a\nb"), None);
    }
}
