//! The text of an error or a reason, in parts. Python and the command line have different words for settings and
//! for what to do next. All other parts, such as a name or number that the caller gave, are shown as they are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

crate::listed! {
    /// A setting or an argument.
    pub enum Setting {
        /// The key.
        ApiKey = "api_key",
        /// The address of the service.
        BaseUrl = "base_url",
        /// How a request is encoded.
        Body = "body",
        /// The columns to look up.
        By = "by",
        /// Certificates to trust.
        CaBundle = "ca_bundle",
        /// The columns to add.
        Columns = "columns",
        /// Where phone numbers without a country code are from.
        DefaultRegion = "default_region",
        /// The limit on credits.
        MaxCredits = "max_credits",
        /// The limit on requests under way.
        MaxConcurrency = "max_concurrency",
        /// The limit on unknown lookups.
        MaxInDoubt = "max_in_doubt",
        /// Texts that mean "no value".
        NaValues = "na_values",
        /// The proxy.
        Proxy = "proxy",
        /// The column of regions.
        Region = "region",
        /// The limit on requests a minute.
        RequestsPerMinute = "requests_per_minute",
        /// Which fields a match must have.
        RequiredFields = "required_fields",
    }
}

crate::listed! {
    /// What to do next, if Python and the command line do it in different ways.
    pub enum Advice {
        /// Allow an identifier to be sent that was purged or dropped.
        Allow = "allow",
        /// Ask again for the rows that were not sent.
        AskAgain = "ask_again",
        /// Ask again without `store_only`.
        AskWithoutStoreOnly = "ask_without_store_only",
        /// Give the field type of a value.
        GiveFieldType = "give_field_type",
        /// A type of Arrow may be given, too.
        OrArrowType = "or_arrow_type",
        /// The setting `default_region` may be set, too.
        OrDefaultRegion = "or_default_region",
        /// Read a text in the encoding in which it was written.
        ReadEncoding = "read_encoding",
        /// Decide about the lookups in doubt.
        ResolveDoubts = "resolve_doubts",
        /// Look at the reasons of the rows.
        SeeReasons = "see_reasons",
        /// Give several values of one row in another form.
        SeparateValues = "separate_values",
        /// Keep nothing.
        UseNoStore = "use_no_store",
    }
}

/// A piece of a [`Message`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Shown as it is.
    Text(Cow<'static, str>),
    /// The name of a setting or an advice, for which each audience has its own words.
    Term(&'static str),
}

/// One line for people, in parts. Never holds a key or a person's data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message(Vec<Part>);

impl Message {
    /// Its parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// A template with each `{}` replaced; [`message!`](crate::message!) has checked that there are as many values.
    #[must_use]
    pub fn of(template: &'static str, values: impl IntoIterator<Item = Self>) -> Self {
        let mut values = values.into_iter();
        let mut parts = Vec::new();
        for (place, text) in template.split("{}").enumerate() {
            if place > 0 {
                parts.extend(values.next().into_iter().flat_map(|value| value.0));
            }
            if !text.is_empty() {
                parts.push(Part::Text(text.into()));
            }
        }
        Self(parts)
    }
}

/// How many `{}` a template has.
#[must_use]
pub const fn places(template: &str) -> usize {
    let (mut bytes, mut places) = (template.as_bytes(), 0);
    while let [first, rest @ ..] = bytes {
        if let (b'{', [b'}', ..]) = (*first, rest) {
            places += 1;
        }
        bytes = rest;
    }
    places
}

/// The words of an audience: by the names of settings and advices.
pub type Words = HashMap<String, String>;

impl Message {
    /// Its text in these words; a setting or an advice without a word is shown by its name.
    #[must_use]
    pub fn in_words(&self, words: &Words) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Term(name) => words.get(*name).map_or(*name, String::as_str),
            })
            .collect()
    }
}

/// For logs and tests: settings and advices by their names.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(&Words::new()))
    }
}

impl From<Part> for Message {
    fn from(part: Part) -> Self {
        Self(vec![part])
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Part::Text(text.into()).into()
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Part::Text(text.into()).into()
    }
}

impl From<Setting> for Message {
    fn from(setting: Setting) -> Self {
        Part::Term(setting.as_str()).into()
    }
}

impl From<Advice> for Message {
    fn from(advice: Advice) -> Self {
        Part::Term(advice.as_str()).into()
    }
}

/// What a message shows as it is, such as a number.
impl<T: fmt::Display> From<&T> for Message {
    fn from(value: &T) -> Self {
        value.to_string().into()
    }
}

/// A [`Message`] of a template and, for each `{}` in it, a text, a setting, an advice or another message. Only the
/// template is read for `{}`: a value can be any text.
#[macro_export]
macro_rules! message {
    ($template:literal $(, $value:expr)* $(,)?) => {{
        const { assert!($crate::message::places($template) == [$(stringify!($value)),*].len()) };
        $crate::message::Message::of($template, [$(::std::convert::Into::<$crate::message::Message>::into($value)),*])
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_differs_between_audiences() {
        let inner = message!("see {}", Setting::By);
        let data = "by {} proxy".to_owned();
        let message = message!("{} of {}; {}, {}", Setting::Proxy, data, inner, Advice::AskAgain);
        assert_eq!(message.to_string(), "proxy of by {} proxy; see by, ask_again");
        let words: Words =
            [("proxy", "--proxy"), ("by", "--by")].map(|(name, word)| (name.into(), word.into())).into();
        assert_eq!(message.in_words(&words), "--proxy of by {} proxy; see --by, ask_again");
    }
}
