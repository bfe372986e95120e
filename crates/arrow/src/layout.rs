//! Which columns a table gets: the fixed ones first, then those that were asked for.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::{Setting, Words};

use crate::contact::path::Path;
use crate::contact::trie::Trie;
use crate::values::column::column_type;
use crate::values::kind::{Form, Kind, timestamp};

/// The columns that every table gets, in order: what became of the row; by which column it was
/// found; whether that was paid for, a duplicate or stored; when it was fetched; why, where it is
/// open or refused.
pub const FIXED: [&str; 5] = ["status", "matched_by", "source", "fetched_at", "reason"];

/// The columns that a table gets if none are named: name, path, and the name of the type where it
/// is not text. **Frozen**: within a major version none goes, and none changes its meaning or type.
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

/// A column that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name, without the prefix.
    pub name: String,
    /// Where its values stand.
    pub path: Path,
    /// What it holds.
    pub kind: Kind,
}

impl Wanted {
    /// Whether its values are lists.
    pub(super) fn is_list(&self) -> bool {
        self.path.is_list() && self.kind.form != Form::Joined
    }
}

/// Which columns there are, compiled.
#[derive(Debug)]
pub struct Layout {
    pub(super) schema: SchemaRef,
    pub(super) wanted: Vec<Wanted>,
    pub(super) trie: Trie,
    /// The type of the columns of text whose type nobody asked for.
    pub(super) text: DataType,
    /// The columns that were looked up, by their place.
    pub(super) by: Vec<String>,
    /// The words of the reasons.
    pub(super) words: Words,
}

impl Layout {
    /// The columns under this prefix. `by` names the columns that are looked up, in order. With
    /// `large_text`, columns of `Utf8` are of `LargeUtf8` instead, which is what pandas keeps.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: two columns have one name.
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
