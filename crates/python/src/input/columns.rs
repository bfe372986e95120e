//! The counts of columns as Python gets them: `exactbuyer.report.columns` names and words them.

use pyo3::prelude::*;

use crate::errors::InvalidTexts;
use exactbuyer_core::plan::ColumnCounts;

/// The number of a column, its values, how many of them were skipped, and each reason why values cannot be read with
/// their number.
pub(crate) type Counted<'py> = (usize, u64, u64, Vec<(Bound<'py, PyAny>, u64)>);

/// The columns in order, with the most frequent reason first.
pub(crate) fn counted(py: Python<'_>, counts: Vec<ColumnCounts>) -> PyResult<Vec<Counted<'_>>> {
    let mut texts = InvalidTexts::default();
    let columns = counts.into_iter().enumerate().map(|(number, mut column)| {
        column.reasons.sort_by_key(|(_, values)| std::cmp::Reverse(*values));
        let reasons = column.reasons.into_iter().map(|(why, values)| Ok((texts.of(py, why)?, values)));
        Ok((number, column.values, column.skipped, reasons.collect::<PyResult<_>>()?))
    });
    columns.collect()
}
