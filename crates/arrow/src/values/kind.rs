//! The type of a column, and how its values are read from JSON before Arrow converts them into that
//! type.

use std::sync::Arc;

use arrow_array::new_empty_array;
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::Advice;

/// The separator of joined values. Lists that are written to CSV have the same one.
pub(crate) const BETWEEN: u8 = b';';

/// How a value is read from JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A string becomes its text. Any other value except `null` becomes its JSON text.
    Any,
    /// The JSON text, with quotes.
    Json,
    /// As [`Form::Any`] for all elements except `null`, joined with [`BETWEEN`].
    Joined,
    /// A string.
    Text,
    /// A whole number of type `i64` within these bounds.
    Whole { least: i64, most: i64 },
    /// A whole number of type `u64`.
    Natural,
    /// The nearest 64-bit float.
    Double,
    /// The nearest 32-bit float.
    Single,
    /// A 64-bit float whose nearest 16-bit float is finite.
    Half,
    /// A number with at most `precision` digits, `scale` of them after the decimal point.
    Decimal { precision: u8, scale: u8 },
    /// `true` or `false`.
    Truth,
    /// A string with a date.
    Date,
    /// A string with a timestamp, in this unit.
    Moment(TimeUnit),
    /// A string with a time of day.
    Time,
}

impl Form {
    /// The type of the values before they are converted into the type of the column.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Any | Self::Json | Self::Joined | Self::Text | Self::Decimal { .. } => DataType::Utf8,
            Self::Whole { .. } | Self::Moment(_) => DataType::Int64,
            Self::Natural => DataType::UInt64,
            Self::Double | Self::Half => DataType::Float64,
            Self::Single => DataType::Float32,
            Self::Truth => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Nanosecond),
        }
    }

    /// How values of this type are read. `None` if JSON values cannot be converted into it.
    fn of(data_type: &DataType) -> Option<Self> {
        use DataType as D;
        fn within<T: Into<i64>>(least: T, most: T) -> Form {
            Form::Whole { least: least.into(), most: most.into() }
        }
        Some(match data_type {
            D::Boolean => Self::Truth,
            D::Int8 => within(i8::MIN, i8::MAX),
            D::Int16 => within(i16::MIN, i16::MAX),
            D::Int32 => within(i32::MIN, i32::MAX),
            D::Int64 => within(i64::MIN, i64::MAX),
            D::UInt8 => within(u8::MIN, u8::MAX),
            D::UInt16 => within(u16::MIN, u16::MAX),
            D::UInt32 => within(u32::MIN, u32::MAX),
            D::UInt64 => Self::Natural,
            D::Float16 => Self::Half,
            D::Float32 => Self::Single,
            D::Float64 => Self::Double,
            D::Decimal32(precision, scale)
            | D::Decimal64(precision, scale)
            | D::Decimal128(precision, scale)
            | D::Decimal256(precision, scale) => {
                Self::Decimal { precision: *precision, scale: u8::try_from(*scale).ok()? }
            }
            D::Date32 | D::Date64 => Self::Date,
            D::Timestamp(unit, _) => Self::Moment(*unit),
            D::Time32(_) | D::Time64(_) => Self::Time,
            D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Binary | D::LargeBinary | D::BinaryView => Self::Text,
            // With a smaller key type, building a block could fail after its contacts were paid
            // for.
            D::Dictionary(key, value)
                if matches!(**key, D::Int32 | D::Int64 | D::UInt32 | D::UInt64)
                    && matches!(**value, D::Utf8 | D::LargeUtf8) =>
            {
                Self::Text
            }
            _ => return None,
        })
    }
}

/// The type of a column's values.
///
/// The two always fit: the constructors refuse a type that its form cannot be cast to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// How JSON becomes a value.
    pub(crate) form: Form,
    /// The type of one value, also in a column of lists.
    pub(crate) data_type: DataType,
}

impl Default for Kind {
    /// Text of any value.
    fn default() -> Self {
        Self { form: Form::Any, data_type: DataType::Utf8 }
    }
}

impl Kind {
    /// The JSON text of any value.
    #[must_use]
    pub fn json() -> Self {
        Self { form: Form::Json, data_type: DataType::Utf8 }
    }

    /// The kind with this name: `"string"`, `"json"`, `"joined"` (the texts of all elements with
    /// `;` between them), `"bool"`, `"int8"` to `"int64"`, `"uint8"` to `"uint64"`, `"float32"`,
    /// `"float64"`, `"date"`, `"timestamp"` (UTC, microseconds).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there is no such kind.
    ///
    /// ```
    /// use exactbuyer_arrow::Kind;
    ///
    /// assert!(Kind::named("timestamp").is_ok());
    /// assert!(Kind::named("varchar").is_err());
    /// ```
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
                    message!(
                        "{}{}",
                        format!(
                            "{name:?} is not a column type: name string, json, joined, bool, int64, float64, date \
                             or timestamp"
                        ),
                        Advice::OrArrowType
                    ),
                ));
            }
        };
        Self::of(data_type)
    }

    /// The kind for columns of this Arrow type. A list type means the type of its elements: whether
    /// a column has lists depends only on its path.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if JSON values cannot be converted into this type.
    pub fn of(data_type: DataType) -> Result<Self, Error> {
        if let DataType::List(element) = &data_type {
            return Self::of(element.data_type().clone());
        }
        // Arrow refuses some casts only when they run, so cast an empty array.
        let is_made = |form: &Form| {
            cast(&new_empty_array(&form.data_type()), &data_type)
                .is_ok_and(|made| *made.data_type() == data_type)
        };
        let Some(form) = Form::of(&data_type).filter(is_made) else {
            return Err(Error::new(
                ErrorKind::Config,
                format!("a column of {data_type} cannot be made of JSON: ask for \"json\", its text"),
            ));
        };
        Ok(Self { form, data_type })
    }
}

/// The type of the timestamps that this package writes.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}
