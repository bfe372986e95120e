//! The columns of a table: first the fixed ones, then those that the caller asked for.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::{Setting, Words};

use crate::contact::path::Path;
use crate::contact::trie::Trie;
use crate::values::column::column_type;
use crate::values::kind::{Form, Kind, timestamp};

/// The columns that every table has, in order: the outcome of the row; the input column that
/// matched; whether the answer was paid for, a duplicate or stored; when it was fetched; and the
/// reason if the row is open or refused.
pub const FIXED: [&str; 5] = ["status", "matched_by", "source", "fetched_at", "reason"];

/// The columns of a table if the caller names none: name, path, and the type if it is not text.
/// **Frozen**: within a major version, no column is removed or changes its meaning or type.
pub const DEFAULT: [(&str, &str, Option<&str>); 15] = [
    ("full_name", "full_name", None),
    ("first_name", "first_name", None),
    ("last_name", "last_name", None),
    ("work_email", "current_work_email", None),
    ("personal_emails", "personal_emails[*]", Some("joined")),
    ("phones", "phone_numbers[*].E164", Some("joined")),
    ("linkedin_url", "social_profiles[network=linkedin].url", None),
    ("city", "location.city", None),
    ("region", "location.region", None),
    ("country", "location.country", None),
    ("company", "employment.name", None),
    ("company_size", "employment.size", None),
    ("title", "employment.job.title", None),
    ("school", "education[0].school.name", None),
    ("contact", "$", Some("json")),
];

/// A column that the caller asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name without the prefix.
    pub name: String,
    /// The path to its values.
    pub path: Path,
    /// The type of its values.
    pub kind: Kind,
}

impl Wanted {
    /// Whether its values are lists.
    pub(super) fn is_list(&self) -> bool {
        self.path.is_list() && self.kind.form != Form::Joined
    }
}

/// All columns of a table, prepared for reading contacts.
#[derive(Debug)]
pub struct Layout {
    /// Every record batch of the table has it.
    pub(super) schema: SchemaRef,
    /// The columns after the fixed ones, in order.
    pub(super) wanted: Vec<Wanted>,
    /// Their paths as one tree.
    ///
    /// So one pass over a contact finds the values of all columns.
    pub(super) trie: Trie,
    /// The type of text columns for which the caller gave no type.
    pub(super) text: DataType,
    /// The names of the input columns that are looked up, in order.
    ///
    /// The number of an outcome's alternative, modulo their count, tells which of them matched.
    pub(super) by: Vec<String>,
    pub(super) words: Words,
}

impl Layout {
    /// The columns with this prefix. `by` names the input columns that are looked up, in order.
    /// With `large_text`, columns of type `Utf8` get the type `LargeUtf8`, which is what pandas
    /// uses.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if two columns have the same name.
    ///
    /// ```
    /// use exactbuyer_arrow::{Kind, Layout, Path, Wanted};
    /// use exactbuyer_core::message::Words;
    ///
    /// let title = Wanted {
    ///     name: "title".into(),
    ///     path: Path::parse("employment.job.title")?,
    ///     kind: Kind::default(),
    /// };
    /// let layout = Layout::new("eb_", vec![title], vec!["email".into()], Words::new(), false)?;
    /// assert_eq!(layout.schema().field(5).name(), "eb_title"); // after the five fixed columns
    /// # Ok::<(), exactbuyer_core::error::Error>(())
    /// ```
    pub fn new(
        prefix: &str,
        mut wanted: Vec<Wanted>,
        by: Vec<String>,
        words: Words,
        large_text: bool,
    ) -> Result<Self, Error> {
        let text = if large_text { DataType::LargeUtf8 } else { DataType::Utf8 };
        for column in wanted.iter_mut().filter(|column| !column.is_list()) {
            if column.kind.data_type == DataType::Utf8 {
                column.kind.data_type = text.clone();
            }
        }
        let fixed = FIXED.iter().map(|name| {
            let data_type = if *name == "fetched_at" { timestamp() } else { text.clone() };
            Field::new(format!("{prefix}{name}"), data_type, *name != "status")
        });
        let asked_for = wanted.iter().map(|column| {
            let data_type = column_type(&column.kind, column.is_list());
            Field::new(format!("{prefix}{}", column.name), data_type, true)
        });
        let fields: Vec<Field> = fixed.chain(asked_for).collect();
        let mut names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.iter().zip(names.iter().skip(1)).find(|(one, next)| one == next) {
            let twice = twice.0;
            return Err(Error::new(
                ErrorKind::Config,
                message!(
                    "{}{}",
                    Setting::Columns,
                    format!(" names {twice:?}, which is one of the columns that are always there: rename it")
                ),
            ));
        }
        let trie = Trie::new(wanted.iter().map(|column| &column.path));
        Ok(Self { schema: Arc::new(Schema::new(fields)), wanted, trie, text, by, words })
    }

    /// The schema of the columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
