//! What a column holds, and how that is read out of JSON before Arrow makes the type of it that was
//! asked for.

use std::sync::Arc;

use arrow_cast::can_cast_types;
use arrow_schema::{DataType, TimeUnit};

use crate::error::{Error, ErrorKind};

/// Stands between values that are joined, as between those of a list that is written to CSV.
pub(super) const BETWEEN: u8 = b';';

/// How a value is read out of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A string is its text; anything else but `null` is its JSON text.
    Any,
    /// The JSON text, quotes and all.
    Json,
    /// As [`Form::Any`], of all elements that are not `null`, with [`BETWEEN`] between them.
    Joined,
    /// A string.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Truth,
}

impl Form {
    /// What its values are before they are made into another type.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Any | Self::Json | Self::Joined | Self::Text => DataType::Utf8,
            Self::Whole => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Truth => DataType::Boolean,
        }
    }
}

/// What one column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    pub(super) form: Form,
    pub(super) data_type: DataType,
}

impl Default for Kind {
    /// Text of whatever stands there.
    fn default() -> Self {
        Self { form: Form::Any, data_type: DataType::Utf8 }
    }
}

impl Kind {
    /// The JSON text of whatever stands there.
    #[must_use]
    pub fn json() -> Self {
        Self { form: Form::Json, data_type: DataType::Utf8 }
    }

    /// The kind of that name: `"string"`, `"json"`, `"joined"` (every element's text, `;` between them),
    /// `"bool"`, `"int8"` to `"int64"`, `"uint8"` to `"uint64"`, `"float32"`, `"float64"`, `"date"`,
    /// `"timestamp"` (UTC, microseconds).
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: there is no such kind.
    pub fn named(name: &str) -> Result<Self, Error> {
        let data_type = match name {
            "json" => return Ok(Self::json()),
            "joined" => return Ok(Self { form: Form::Joined, data_type: DataType::Utf8 }),
            "string" | "str" => DataType::Utf8,
            "bool" => DataType::Boolean,
            "int8" => DataType::Int8,
            "int16" => DataType::Int16,
            "int32" => DataType::Int32,
            "int64" | "int" => DataType::Int64,
            "uint8" => DataType::UInt8,
            "uint16" => DataType::UInt16,
            "uint32" => DataType::UInt32,
            "uint64" => DataType::UInt64,
            "float32" => DataType::Float32,
            "float64" | "float" => DataType::Float64,
            "date" | "date32" => DataType::Date32,
            "timestamp" => timestamp(),
            _ => {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "{name:?} is no type of a column: name string, json, joined, bool, int64, float64, \
                         date or timestamp, or give a type of Arrow's"
                    ),
                ));
            }
        };
        Self::of(data_type)
    }

    /// The kind that gives this type. A list stands for its elements: whether a column is one
    /// depends on its path.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: nothing in JSON can become it.
    pub fn of(data_type: DataType) -> Result<Self, Error> {
        use DataType as D;
        let form = match &data_type {
            D::List(element) => return Self::of(element.data_type().clone()),
            D::Boolean => Form::Truth,
            integer if integer.is_integer() => Form::Whole,
            float if float.is_floating() => Form::Number,
            // Numbers keep every digit that they are written with.
            D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => Form::Any,
            _ => Form::Text,
        };
        if data_type.is_nested() || !can_cast_types(&form.data_type(), &data_type) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("a column of {data_type} cannot be made of JSON: ask for \"json\", its text"),
            ));
        }
        Ok(Self { form, data_type })
    }
}

/// A moment, as this package writes it.
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}
