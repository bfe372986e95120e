//! Whole records of a JSON Lines file: reads their members, and adds members to them.
//!
//! The members of a record are found by serde, as slices of the line (`RawValue`). Values that are only passed
//! on are never decoded, so a number keeps its digits and a text its escapes. Each question parses the lines
//! again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ListArray, RecordBatch, StringArray};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Broken;
use super::pending::{Record, Records};
use super::table::JsonColumns;

/// Whole records of a JSON Lines file, with their bytes unchanged.
#[derive(Debug)]
pub struct JsonBlock(pub(super) Records);

impl JsonBlock {
    /// The number of records.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.all.len()
    }

    /// Calls `each` with every member name of every record.
    ///
    /// # Errors
    /// If a line is not a JSON object.
    pub fn names(&self, mut each: impl FnMut(&str)) -> Result<(), Broken> {
        for record in &self.0.all {
            self.members(record)?.iter().for_each(|(name, _)| each(name));
        }
        Ok(())
    }

    /// The values of the member `name`: the texts of a list, or the one text of another value. Null
    /// if a record has no such member.
    ///
    /// # Errors
    /// If a line is not a JSON object.
    ///
    /// A list has the texts of its elements, so that a record can have several identifiers.
    ///
    /// ```
    /// use arrow_array::{Array, cast::AsArray};
    /// use exactbuyer_records::JsonSplitter;
    ///
    /// let mut json = JsonSplitter::default();
    /// json.feed(b"{\"mail\": [\"ana@acme.example\", \"bo@acme.example\"]}\n{\"mail\": \"eva@acme.example\"}\n{}\n")?;
    /// json.finish();
    /// let mails = json.take(3).unwrap().column("mail")?;
    /// let of_row = |row| mails.value(row).as_string::<i32>().iter().flatten().count();
    /// assert_eq!((of_row(0), of_row(1), mails.is_null(2)), (2, 1, true));
    /// # Ok::<(), exactbuyer_records::Broken>(())
    /// ```
    pub fn column(&self, name: &str) -> Result<ListArray, Broken> {
        let mut column = ListBuilder::new(StringBuilder::new());
        for record in &self.0.all {
            match self.member(record, name)? {
                None => column.append(false),
                Some(value) => {
                    let json = value.get();
                    let list: Option<Vec<&RawValue>> =
                        json.starts_with('[').then(|| serde_json::from_str(json).ok()).flatten();
                    // A value that is not a list counts as a list with one element.
                    for value in list.unwrap_or_else(|| vec![value]) {
                        column.values().append_option(text(value));
                    }
                    column.append(true);
                }
            }
        }
        Ok(column.finish())
    }

    /// The values of these members, for a file of another format: the text of a string, and the
    /// JSON text of any other value.
    ///
    /// # Errors
    /// If a line is not a JSON object, or has another member, which would be lost.
    ///
    /// The columns are in the order of `names`; a record without a member has null there.
    pub fn texts(&self, names: &[String]) -> Result<Vec<StringArray>, Broken> {
        let places: HashMap<&str, usize> =
            names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let mut columns: Vec<_> = names.iter().map(|_| StringBuilder::new()).collect();
        let mut values: Vec<Option<&RawValue>> = vec![None; names.len()];
        for record in &self.0.all {
            values.fill(None);
            for (name, value) in self.members(record)? {
                let Some(place) = places.get(&*name).and_then(|place| values.get_mut(*place)) else {
                    return Err(Broken::new(format!(
                        "line {} has a member {name:?} that none of the first lines has: pass a file by its \
                         name, or write JSON Lines",
                        record.line
                    )));
                };
                // If a name occurs twice, the last value counts, as in Python.
                *place = Some(value);
            }
            for (column, value) in columns.iter_mut().zip(&values) {
                column.append_option(value.and_then(text));
            }
        }
        Ok(columns.iter_mut().map(StringBuilder::finish).collect())
    }

    /// Writes the records with more members. `added` has one row for each record. The members in
    /// `dropped` are left out. The columns in `as_json` contain JSON already.
    ///
    /// # Errors
    /// If a line is not a JSON object, or has a member with the name of an added column.
    ///
    /// New members come after the record's own. Everything else of the line stays byte for byte, blanks
    /// included.
    pub fn beside(
        &self,
        added: &[RecordBatch],
        dropped: &[String],
        as_json: &[String],
        into: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        into.reserve(self.0.bytes.len() * 2);
        let mut records = self.0.all.iter();
        for batch in added {
            let columns = JsonColumns::of(batch, as_json);
            for row in 0..batch.num_rows() {
                let Some(record) = records.next() else { break };
                into.extend_from_slice(self.0.slice(record.start..record.first));
                let any = self.keep(record, dropped, &columns, into)?;
                columns.write(row, any, into)?;
                into.push(b'}');
                into.extend_from_slice(self.0.slice(record.end..record.next));
            }
        }
        Ok(())
    }

    /// Writes an object without its last brace. Returns whether it has a member.
    ///
    /// The names that are added must not exist, because a line with a name twice means different things to
    /// different readers. Leaving a member out also leaves out one comma: the one before it, or the one after it
    /// if it is the first that would be written.
    ///
    /// # Errors
    /// As [`Self::beside`].
    fn keep(
        &self,
        record: &Record,
        dropped: &[String],
        columns: &JsonColumns<'_>,
        into: &mut Vec<u8>,
    ) -> Result<bool, Broken> {
        let members = self.members(record)?;
        let text = self.0.slice(record.first..record.end);
        let is_dropped = |name: &str| dropped.iter().any(|dropped| dropped == name);
        if let Some((name, _)) = members.iter().find(|(name, _)| columns.has(name) && !is_dropped(name)) {
            return Err(Broken::new(format!(
                "line {} has a member {name:?} already: pass another --prefix",
                record.line
            )));
        }
        let whole = text.strip_suffix(b"}").unwrap_or(text);
        if !members.iter().any(|(name, _)| is_dropped(name)) {
            into.extend_from_slice(whole);
            return Ok(!members.is_empty());
        }
        // The blanks after a value belong to the value. A comma is left out together with the
        // member after it.
        let base = text.as_ptr().addr();
        let (mut before, mut any, mut kept) = (1, false, false);
        into.push(b'{');
        for (nth, (name, value)) in members.iter().enumerate() {
            let end = value.get().as_ptr().addr() - base + value.get().len();
            let mut member = text.get(before..end).unwrap_or_default();
            if nth > 0 {
                let comma = memchr::memchr(b',', member).unwrap_or_default();
                let (blanks, rest) = member.split_at(comma);
                into.extend_from_slice(if kept { blanks } else { b"" });
                member = rest.get(1..).unwrap_or_default();
            }
            kept = !is_dropped(name);
            if kept {
                into.extend_from_slice(if any { b"," } else { b"" });
                into.extend_from_slice(member);
                any = true;
            }
            before = end;
        }
        into.extend_from_slice(whole.get(before..).filter(|_| kept).unwrap_or_default());
        Ok(any)
    }

    /// The value of a member, or `None` if the record does not have it.
    ///
    /// `null` counts as missing.
    fn member(&self, record: &Record, name: &str) -> Result<Option<&RawValue>, Broken> {
        // If a name occurs twice, the last value counts, as in Python.
        let members = self.members(record)?;
        let named = members.into_iter().rev().find(|(other, _)| other == name);
        Ok(named.map(|(_, value)| value).filter(|value| value.get() != "null"))
    }

    /// All members of a record, in order.
    ///
    /// # Errors
    /// If the line is not a JSON object.
    fn members(&self, record: &Record) -> Result<Vec<(Cow<'_, str>, &RawValue)>, Broken> {
        let text = self.0.slice(record.first..record.end);
        serde_json::from_slice(text).map(|Members(members)| members).map_err(|error| {
            if std::str::from_utf8(text).is_err() {
                return Broken::new(format!("line {} is not UTF-8", record.line));
            }
            Broken::new(format!(
                "line {} is not a JSON object (column {}): JSON Lines has one object a line",
                record.line,
                error.column()
            ))
        })
    }
}

/// The text of a string, nothing for `null`, and the JSON text of any other value.
///
/// `None` is a value without text, which is `null`.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'n') => None,
        // Half of a surrogate pair has no text. Its JSON is used instead.
        Some(b'"') => Some(serde_json::from_str::<String>(json).map_or(Cow::Borrowed(json), Cow::Owned)),
        _ => Some(Cow::Borrowed(json)),
    }
}

/// The members of an object in order, including those that occur twice.
///
/// Not a map: a map would lose the order, and all but one of several members with the same name.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// serde's own `Cow` would always be owned; this attribute lets it borrow a name without escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
