//! From the caller's settings to the core's, each checked against its range; the message names the
//! setting. What a setting means is the core's affair; what is missing here keeps its default.

use std::path::PathBuf;
use std::time::Duration;

use hashbrown::HashSet;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyMapping, PyString};

use super::errors;
use crate::config::{Config, OnUnknown};
use crate::error::Error;
use crate::identifier::Rules;
use crate::identifier::reading::Reader;
use crate::vendor::http::{Endpoint, check_ca_bundle, check_proxy};
use crate::vendor::limits;
use crate::vendor::wire::BodyFormat;

/// A day: no wait is longer.
const LONGEST_S: f64 = 86_400.0;

/// The settings of an enricher: the engine's, and the network's.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) network: Network,
}

/// Where the service is, and the way there.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) base_url: String,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) proxy: Option<String>,
    pub(super) ca_bundle: Option<PathBuf>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            base_url: limits::BASE_URL.to_owned(),
            timeout: Duration::from_mins(5),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            ca_bundle: None,
        }
    }
}

/// Reads the settings. A name that is none is an error: a misspelt one must not pass for a default.
pub(super) fn read(settings: &Bound<'_, PyAny>) -> PyResult<Settings> {
    let py = settings.py();
    let mapping = settings.cast::<PyMapping>()?;
    let mut config = Config::default();
    let mut network = Network::default();
    for item in mapping.items()?.iter() {
        let (name, value) = item.extract::<(String, Bound<'_, PyAny>)>()?;
        apply(&name, &value, &mut config, &mut network).map_err(|error| errors::exception(py, &error))?;
    }
    Ok(Settings { config, network })
}

fn apply(
    name: &str,
    value: &Bound<'_, PyAny>,
    config: &mut Config,
    network: &mut Network,
) -> Result<(), Error> {
    match name {
        "required_fields" => config.required_fields = required_fields(value)?,
        "max_credits" => config.max_credits = max_credits(value)?,
        "max_in_doubt" => config.max_in_doubt = whole(name, value, 1, 100_000_000)?,
        "on_unknown" => {
            config.on_unknown =
                choice(name, value, &[("hold", OnUnknown::Hold), ("resend", OnUnknown::Resend)])?;
        }
        "requests_per_minute" => config.requests_per_minute = whole(name, value, 1, 1_000_000)?,
        "max_concurrency" => config.max_concurrency = whole(name, value, 1, 1_024)?,
        "chunk_size" => config.chunk_size = whole(name, value, 1, limits::MAX_CHUNK as u64)?,
        "max_retries" => config.max_retries = whole(name, value, 0, 100)?,
        "timeout_s" => network.timeout = duration(name, value, 0.001)?,
        "grace_s" => config.grace = duration(name, value, 0.0)?,
        "body" => {
            config.body = choice(name, value, &[("form", BodyFormat::Form), ("json", BodyFormat::Json)])?;
        }
        "default_region" => {
            let code = optional(name, value, "a country's two-letter code, such as \"US\"")?;
            config.rules = Rules::new(code.as_deref())?;
        }
        "connect_timeout_s" => network.connect_timeout = duration(name, value, 0.001)?,
        "base_url" => {
            let url = optional(name, value, "an https:// URL, such as \"https://api.exactbuyer.com\"")?;
            network.base_url = url.unwrap_or_else(|| limits::BASE_URL.to_owned());
            Endpoint::parse(&network.base_url)?;
        }
        "proxy" => {
            network.proxy = optional(name, value, "a URL, such as \"http://proxy.example:3128\"")?;
            network.proxy.as_deref().map_or(Ok(()), check_proxy)?;
        }
        "ca_bundle" => {
            network.ca_bundle = optional(name, value, "the path of a PEM file")?.map(PathBuf::from);
            network.ca_bundle.as_deref().map_or(Ok(()), check_ca_bundle)?;
        }
        _ => return Err(errors::config(format!("there is no setting {name}"))),
    }
    Ok(())
}

/// Which fields a match must have.
pub(super) fn required_fields(value: &Bound<'_, PyAny>) -> Result<Box<[Box<str>]>, Error> {
    let wrong = || {
        errors::config(format!(
            "required_fields has to be a list of any of {}, such as [\"work_email\"]",
            spelled(limits::REQUIRED_FIELDS)
        ))
    };
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyDict>() {
        return Err(wrong());
    }
    let mut fields: Vec<Box<str>> = Vec::new();
    for field in value.try_iter().map_err(|_| wrong())? {
        let field: String = field.and_then(|field| field.extract()).map_err(|_| wrong())?;
        if !limits::REQUIRED_FIELDS.contains(&field.as_str()) {
            return Err(wrong());
        }
        if !fields.iter().any(|known| **known == *field) {
            fields.push(field.into());
        }
    }
    Ok(fields.into())
}

/// Most credits, where there is a ceiling.
pub(super) fn max_credits(value: &Bound<'_, PyAny>) -> Result<Option<u64>, Error> {
    if value.is_none() {
        return Ok(None);
    }
    number(value).map(Some).ok_or_else(|| {
        errors::config("max_credits has to be a whole number of credits from 0 up, or None for no ceiling")
    })
}

/// How texts are read.
pub(super) fn texts(
    py: Python<'_>,
    default_region: Option<&str>,
    na_values: Option<&Bound<'_, PyAny>>,
) -> PyResult<Reader> {
    Ok(Reader {
        rules: Rules::new(default_region).map_err(|e| errors::exception(py, &e))?,
        na_values: na_values.map(self::na_values).transpose()?.unwrap_or_default(),
    })
}

/// What stands for nothing, stripped as values are before they are compared.
fn na_values(values: &Bound<'_, PyAny>) -> PyResult<HashSet<Box<str>>> {
    let wrong = || {
        let error = errors::config("na_values has to be a list of strings, such as [\"n/a\", \"-\"]");
        errors::exception(values.py(), &error)
    };
    if values.is_instance_of::<PyString>() {
        return Err(wrong());
    }
    values
        .try_iter()
        .map_err(|_| wrong())?
        .map(|value| value?.extract::<String>().map(|text| text.trim().into()).map_err(|_| wrong()))
        .collect()
}

/// A whole number: an `int`, or what stands for one. A bool does not.
fn number(value: &Bound<'_, PyAny>) -> Option<u64> {
    if value.is_instance_of::<PyBool>() {
        return None;
    }
    value.extract().ok()
}

fn whole<T: TryFrom<u64>>(name: &str, value: &Bound<'_, PyAny>, from: u64, to: u64) -> Result<T, Error> {
    number(value)
        .filter(|number| (from..=to).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| errors::config(format!("{name} has to be a whole number from {from} to {to}")))
}

fn duration(name: &str, value: &Bound<'_, PyAny>, least_s: f64) -> Result<Duration, Error> {
    let is_number = value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>();
    let seconds: Option<f64> =
        value.extract().ok().filter(|_| is_number && !value.is_instance_of::<PyBool>());
    seconds
        .filter(|seconds| (least_s..=LONGEST_S).contains(seconds))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| {
            // The person's word for it has no unit.
            let name = name.trim_end_matches("_s");
            errors::config(format!("{name} has to be a number of seconds from {least_s} to {LONGEST_S}"))
        })
}

fn choice<T: Copy>(name: &str, value: &Bound<'_, PyAny>, choices: &[(&str, T)]) -> Result<T, Error> {
    let given: Option<String> = value.extract().ok();
    choices.iter().find(|(word, _)| given.as_deref() == Some(*word)).map(|&(_, meant)| meant).ok_or_else(
        || {
            let words = spelled(choices.iter().map(|&(word, _)| word));
            errors::config(format!("{name} has to be one of {words}"))
        },
    )
}

fn optional(name: &str, value: &Bound<'_, PyAny>, what: &str) -> Result<Option<String>, Error> {
    if value.is_none() {
        return Ok(None);
    }
    value.extract().map(Some).map_err(|_| errors::config(format!("{name} has to be {what}, or None")))
}

fn spelled<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(", ")
}
