//! Reads one Python object as a value to look up: text, a number that has lost no digit, or an object that means that
//! there is no value. Knows nothing about rows that are pairs, mappings or lists.
//!
//! An object is tried in this order: `str`, `None`, `bool` (refused), `int`, `float`, `bytes` (refused), and
//! then, by its attributes, missing values of pandas, `Decimal`, and scalars of numpy and Arrow. The usual
//! types come first, because a list may have a million of them.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyString, PyType};

use exactbuyer_core::identifier::reading::{
    self, EXACT_F16, EXACT_F32, EXACT_F64, Reading, RowRegion, whole_digits,
};
use exactbuyer_core::identifier::{FieldType, Invalid};

/// A Decimal beyond 10 to this power is not an identifier, and its digits could fill the memory.
const MOST_DIGITS: i64 = 1_000;

/// What was read from an object, and the value for the result.
///
/// The value is what the result of the row shows under `value`. For text it is the caller's own object, so it
/// costs no memory of its own.
pub(crate) struct Entry {
    /// The caller's own text, or the digits of a number; `None` if there is no value.
    pub(crate) value: Py<PyAny>,
    /// The core's judgement: an identifier, nothing to look up, or a reason.
    pub(crate) reading: Reading,
}

impl Entry {
    fn missing(py: Python<'_>) -> Self {
        Self { value: py.None(), reading: Reading::Missing }
    }
}

/// What is known about a value besides its text.
///
/// A pair or a mapping has its own field type; any other value has that of the call.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hints {
    /// `None`: inferred.
    pub(crate) field_type: Option<FieldType>,
    /// The country of the row's phone numbers, if the row names one.
    pub(crate) region: RowRegion,
}

/// Reads values, as the caller configured it.
///
/// One for each list of rows, because the limit of floats depends on the column's type.
pub(crate) struct Reader {
    pub(crate) texts: reading::Reader,
    /// The size from which a float of the column may have lost digits.
    ///
    /// See [`exact_below`]. It is at most the limit of 64-bit floats, which all floats of Python are.
    pub(crate) exact_below: f64,
}

impl Reader {
    /// Reads one value. `place` names it for a message, such as `row 17`.
    ///
    /// `place` is called only for an error.
    ///
    /// # Errors
    /// `TypeError` for a bool, for bytes, and for an object that is not a value.
    pub(crate) fn entry(
        &self,
        item: &Bound<'_, PyAny>,
        hints: Hints,
        place: &dyn Fn() -> String,
    ) -> PyResult<Entry> {
        self.read(item, hints, place, true)
    }

    /// The region that an object names: text, or an object that means that there is none.
    ///
    /// `named` finds the region of a text. Any other object, such as a number, names an unknown region, and its
    /// row's national numbers cannot be looked up: the default region must not replace what the row says.
    pub(crate) fn region(
        item: &Bound<'_, PyAny>,
        named: impl FnOnce(&str) -> RowRegion,
    ) -> PyResult<RowRegion> {
        let inner = if item.is_instance_of::<PyString>() { None } else { unwrapped(item)? };
        let item = inner.as_ref().unwrap_or(item);
        if let Ok(text) = item.cast::<PyString>() {
            return Ok(text.to_str().map_or(RowRegion::Unknown, named));
        }
        let is_nan = item.cast::<PyFloat>().is_ok_and(|float| float.value().is_nan());
        let is_empty = item.is_none() || is_nan || is_na(&item.get_type().name()?.to_string_lossy());
        Ok(if is_empty { RowRegion::Default } else { RowRegion::Unknown })
    }

    /// `wrapped`: a scalar of a library may still be unwrapped, once.
    fn read(
        &self,
        item: &Bound<'_, PyAny>,
        hints: Hints,
        place: &dyn Fn() -> String,
        wrapped: bool,
    ) -> PyResult<Entry> {
        if let Ok(text) = item.cast::<PyString>() {
            Ok(self.text(text, hints))
        } else if item.is_none() {
            Ok(Entry::missing(item.py()))
        } else if item.is_instance_of::<PyBool>() {
            Err(is_bool(place))
        } else if let Ok(number) = item.cast::<PyInt>() {
            Ok(self.integer(number, hints))
        } else if let Ok(number) = item.cast::<PyFloat>() {
            self.float(number.value(), EXACT_F64.min(self.exact_below), item, hints)
        } else if item.is_instance_of::<PyBytes>() || item.is_instance_of::<PyByteArray>() {
            Err(PyTypeError::new_err(format!(
                "{} is bytes: decode it first, such as value.decode()",
                place()
            )))
        } else {
            self.foreign(item, hints, place, wrapped)
        }
    }

    /// A text that Rust cannot hold has no UTF-8 form. It is always invalid, and its own object is kept for the
    /// result.
    fn text(&self, text: &Bound<'_, PyString>, hints: Hints) -> Entry {
        let Ok(read) = text.to_str() else {
            // A lone surrogate. It is read as NUL, which is not part of any identifier either.
            let torn = text.to_string_lossy().replace(char::REPLACEMENT_CHARACTER, "\0");
            return Entry {
                value: text.as_any().clone().unbind(),
                reading: self.texts.refused(&torn, hints.field_type),
            };
        };
        match self.texts.text_in(read, hints.field_type, hints.region) {
            Reading::Missing => Entry::missing(text.py()),
            reading => Entry { value: text.as_any().clone().unbind(), reading },
        }
    }

    /// The digits of an `int` of any size, as if the caller had written them as text.
    fn integer(&self, number: &Bound<'_, PyInt>, hints: Hints) -> Entry {
        if let Ok(small) = number.extract::<i64>() {
            return self.digits(number.py(), &small.to_string(), hints);
        }
        // That of `int`, because a subclass may have another one.
        let spelled = number.py().get_type::<PyInt>().call_method1("__repr__", (number,));
        match spelled.as_ref().map(|spelled| spelled.cast::<PyString>()) {
            Ok(Ok(spelled)) => self.text(spelled, hints),
            // It has more digits than Python converts.
            _ => Entry {
                value: number.as_any().clone().unbind(),
                reading: Reading::Invalid(Invalid::Unrecognised),
            },
        }
    }

    /// The value for the result is a new string, because the caller has none.
    fn digits(&self, py: Python<'_>, digits: &str, hints: Hints) -> Entry {
        match self.texts.text_in(digits, hints.field_type, hints.region) {
            Reading::Missing => Entry::missing(py),
            reading => Entry { value: PyString::new(py, digits).into_any().unbind(), reading },
        }
    }

    /// A phone number that a program has read as a float is recovered if no digit can be lost:
    /// `4915123456789.0` becomes its digits. Otherwise it is refused, and the result shows how Python writes
    /// the float.
    fn float(&self, number: f64, exact_below: f64, item: &Bound<'_, PyAny>, hints: Hints) -> PyResult<Entry> {
        if number.is_nan() {
            return Ok(Entry::missing(item.py()));
        }
        if let Some(digits) = whole_digits(number, exact_below) {
            return Ok(self.digits(item.py(), &digits, hints));
        }
        let spelled = PyFloat::new(item.py(), number).repr()?;
        let spelled = spelled.to_string_lossy();
        let reading = self.texts.inexact(&spelled, hints.field_type);
        if reading == Reading::Missing {
            return Ok(Entry::missing(item.py()));
        }
        Ok(Entry { value: PyString::new(item.py(), &spelled).into_any().unbind(), reading })
    }

    /// An object that is not of a plain type of Python. It is recognised by its attributes, because its library must
    /// not be imported. `wrapped`: it may be a scalar of a library, which is unwrapped once.
    fn foreign(
        &self,
        item: &Bound<'_, PyAny>,
        hints: Hints,
        place: &dyn Fn() -> String,
        wrapped: bool,
    ) -> PyResult<Entry> {
        let py = item.py();
        let class = item.get_type();
        let name = class.name()?;
        let name = name.to_string_lossy();
        match &*name {
            name if is_na(name) => return Ok(Entry::missing(py)),
            "bool" | "bool_" | "BooleanScalar" => return Err(is_bool(place)),
            "datetime64" | "timedelta64" if item.str()? == "NaT" => return Ok(Entry::missing(py)),
            // numpy converts times to numbers.
            "datetime64" | "timedelta64" => return Err(wrong_type(&name, place)),
            _ => {}
        }
        if item.is_instance(decimal(py)?)? {
            return self.decimal(item, hints);
        }
        if class.hasattr("__index__")?
            && let Ok(number) = item.call_method0("__index__")
            && let Ok(number) = number.cast::<PyInt>()
        {
            return Ok(self.integer(number, hints));
        }
        if class.hasattr("__float__")?
            && let Ok(number) = item.call_method0("__float__")
            && let Ok(number) = number.cast::<PyFloat>()
        {
            return self.float(number.value(), exact_below(&name), number.as_any(), hints);
        }
        if wrapped && let Some(inner) = unwrapped(item)? {
            return self.read(&inner, hints, place, false);
        }
        Err(wrong_type(&name, place))
    }

    /// A Decimal, too, is read only if it is whole. `adjusted` is the exponent of its first digit, and is
    /// checked first: `Decimal("1E1000000")` would otherwise become an `int` of a million digits.
    fn decimal(&self, item: &Bound<'_, PyAny>, hints: Hints) -> PyResult<Entry> {
        let py = item.py();
        if item.call_method0("is_nan")?.is_truthy()? {
            return Ok(Entry::missing(py));
        }
        let small = item.call_method0("is_finite")?.is_truthy()?
            && item.call_method0("adjusted")?.extract::<i64>()? < MOST_DIGITS;
        if small && item.eq(item.call_method0("to_integral_value")?)? {
            let number = item.call_method0("__int__")?;
            return Ok(self.integer(number.cast::<PyInt>()?, hints));
        }
        let value = item.str()?;
        let reading = self.texts.refused(&value.to_string_lossy(), hints.field_type);
        Ok(Entry { value: value.into_any().unbind(), reading })
    }
}

/// The size below which floats of this type represent every integer exactly. numpy, pandas, polars and Arrow have
/// different names for the types.
///
/// `name` is the name of a column's type or of a scalar's class, such as `dictionary<values=float, …>`. Of several types
/// in it, the narrowest one counts. Any other name has the limit of 64-bit floats.
pub(crate) fn exact_below(name: &str) -> f64 {
    let lower = name.to_ascii_lowercase();
    let limits = lower.split(|c: char| !c.is_ascii_alphanumeric()).map(|name| match name {
        "float16" | "halffloat" | "halffloatscalar" | "e" | "f2" => EXACT_F16,
        "float32" | "float" | "floatscalar" | "f" | "f4" => EXACT_F32,
        _ => EXACT_F64,
    });
    limits.fold(EXACT_F64, f64::min)
}

/// Whether a class of this name stands for a missing value.
fn is_na(class: &str) -> bool {
    matches!(class, "NAType" | "NaTType")
}

/// What a scalar of numpy or Arrow stands for; `None` if the object is not one.
fn unwrapped<'py>(item: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let class = item.get_type();
    for unwrap in ["as_py", "item"] {
        if class.hasattr(unwrap)?
            && let Ok(inner) = item.call_method0(unwrap)
        {
            return Ok(Some(inner));
        }
    }
    Ok(None)
}

/// It is imported once; the standard library always has it.
fn decimal(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if let Some(class) = DECIMAL.get(py) {
        return Ok(class.bind(py));
    }
    // Not inside the lock: see `source::prepare`.
    let class = py.import("decimal")?.getattr("Decimal")?.cast_into::<PyType>()?.unbind();
    Ok(DECIMAL.get_or_init(py, || class).bind(py))
}

/// A row of a type that no row has.
fn wrong_type(name: &str, place: &dyn Fn() -> String) -> PyErr {
    PyTypeError::new_err(format!(
        "{} is of type {name}: a row is a string, a (field_type, value) pair, a mapping with \"field_type\" and \
         \"value\", or a list of those in order of preference",
        place()
    ))
}

/// A column of flags that was passed by mistake would otherwise be looked up as `True` and `False`.
fn is_bool(place: &dyn Fn() -> String) -> PyErr {
    PyTypeError::new_err(format!(
        "{} is a bool, which cannot be looked up: is this the right column?",
        place()
    ))
}
