//! The reasons why a value cannot be looked up. Each is one line and says what to do, where
//! something can be done. Knows nothing of how the reason was found.

use std::fmt;

use crate::message;
use crate::message::{Advice, Message, Setting};

use super::FieldType;

/// Why a value cannot be looked up. It is shown to people, so it never contains the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalid {
    /// Only blanks and invisible characters.
    Empty,
    /// A control character (NUL, tab, line break, …) inside the value. Example: an address with a
    /// line break inside.
    ControlCharacter,
    /// U+FFFD inside the value: it stands for bytes that are not UTF-8. Example: `jos\u{fffd}@acme.example`.
    ReplacementCharacter,
    /// The text does not look like an e-mail address, a phone number or a profile. Example:
    /// `hello`.
    Unrecognised,
    /// The text stands for a missing value. Example: `N/A`. It counts as missing only if `na_values` contains it.
    Placeholder,
    /// A cell of a table that contains neither text nor a number.
    NotText,
    /// The value ends with an ellipsis, or some of its letters are masked. Example:
    /// `linkedin.com/in/ana-lop…`.
    CutOff,
    /// Values of several kinds.
    Several,
    /// The value is of another kind than its field type.
    Disagrees {
        /// The field type that came with the value.
        given: FieldType,
        /// The kind that the value looks like.
        seen: FieldType,
    },

    /// There is no `@`, or nothing on one side of it. Example: `ana@`.
    EmailIncomplete,
    /// RFC 5321 and RFC 6531 do not allow the part before the `@`. Example:
    /// `ana..lopez@acme.example`.
    EmailLocalPart,
    /// The part after the `@` is not a domain name. Example: `ana@acme..example`.
    EmailDomain,
    /// The domain is a single label, such as `localhost`.
    EmailDomainWithoutDot,
    /// An IP address stands in the place of the domain. Example: `ana@192.0.2.1`.
    EmailIpAddress,
    /// More than 64 octets before the `@`, or more than 254 in all (RFC 5321, 4.5.3.1).
    EmailTooLong,
    /// More than one address in one value. Example: `ana@acme.example, bea@acme.example`.
    EmailSeveral,

    /// The value has characters that are not written in phone numbers. Example: `+49 30 12345N/A`.
    PhoneUnreadable,
    /// There is no country code, and no default region to take it from. Example: `(201) 555-0123`.
    PhoneWithoutCountryCode,
    /// There is no country code, and the row's region is not a country.
    PhoneUnknownRegion,
    /// The country code is not assigned. Example: `+999 123 4567`.
    PhoneUnknownCountryCode,
    /// Fewer digits than any number of the country has. Example: `+1 201 555`.
    PhoneTooShort,
    /// More digits than any number of the country has. Example: `+1 201 555 01234`.
    PhoneTooLong,
    /// The country has shorter numbers and longer ones, but none of this length. Example: `+61 491
    /// 570 006 12`.
    PhoneWrongLength,
    /// The number has only the part that is dialled inside one town, or is the short number of a service, such as
    /// `110`. Example: `+1 555 0123`.
    PhoneWithoutAreaCode,
    /// The number is written as it is dialled, and there is no such number. Example: `00151 12345678`, which has a
    /// zero too many.
    PhoneUnassigned,
    /// The number is like a spreadsheet's `1.77E+10`: digits were lost.
    PhoneScientific,
    /// The number has decimals that are not zero. Example: `12015550123.5`.
    PhoneFraction,
    /// More than one number in one value. Example: `+1 201 555 0123 / +1 201 555 0124`.
    PhoneSeveral,
    /// The number can be read in two ways, which give different numbers. Example: `0049 0030
    /// 123456` in Germany.
    PhoneAmbiguous,

    /// A handle or a path without its network. Example: `@ana_lopez`.
    SocialWithoutNetwork,
    /// The host is not a domain name. Example: `https://192.0.2.1/ana`.
    SocialHost,
    /// The host is a known network, but the page is not a person's profile. Example:
    /// `linkedin.com/company/acme`.
    SocialWithoutProfile,
    /// The scheme is neither `http` nor `https`. Example: `ftp://linkedin.com/in/ana`.
    SocialScheme,
    /// A short link. Only following it would show where it leads, and nothing is fetched. Example:
    /// `https://lnkd.in/abc`.
    SocialShortLink,
    /// The profile is named in the query, which is not part of the canonical form. Example:
    /// `linkedin.com/profile/view?id=AAE123`.
    SocialNamedInQuery,
    /// A blank inside the address. Example: `linkedin.com/in/ana lopez`.
    SocialBlank,
    /// Longer than the address of any profile.
    SocialTooLong,
    /// More than one address in one value. Example: `linkedin.com/in/ana-lopez; twitter.com/bo`.
    SocialSeveral,
    /// A page of an unknown host that has another address in its query.
    SocialAddressInside,
}

impl Invalid {
    /// The sentence for people, except for [`Invalid::Disagrees`], which needs its fields.
    const fn text(self) -> &'static str {
        match self {
            Self::Empty => "blank: nothing to look up",
            Self::ControlCharacter => "a control character inside: is this more than one value, or not text?",
            Self::ReplacementCharacter => "a letter that could not be read as text (U+FFFD): ",
            Self::Unrecognised => {
                "not recognised as an e-mail address, phone number or social profile: if it is one, "
            }
            Self::Placeholder => {
                "a placeholder, and not an identifier: if it means that there is no value, add it to "
            }
            Self::NotText => "neither text nor a whole number: other kinds of value cannot be looked up",
            Self::Several => "more than one value: ",
            Self::CutOff => "cut off or masked: give the whole of it",
            Self::PhoneFraction => "a number with decimals, which no phone number has",
            Self::PhoneAmbiguous => {
                "a phone number that can be read in two ways: write it with + and its country code, without a 0 after it"
            }
            Self::SocialSeveral => "more than one profile: ",
            Self::SocialAddressInside => "an address with another one inside it: give the one that is meant",
            Self::Disagrees { .. } => "given as another kind than it is",
            Self::EmailIncomplete => "an e-mail address needs a name, an @ and a domain",
            Self::EmailLocalPart => "the part before the @ is not allowed in an e-mail address",
            Self::EmailDomain => "the domain after the @ is not allowed in an e-mail address",
            Self::EmailDomainWithoutDot => "an e-mail address whose domain has no dot",
            Self::EmailIpAddress => {
                "an e-mail address with an IP address instead of a domain: it cannot be looked up"
            }
            Self::EmailTooLong => "an e-mail address has at most 64 bytes before its @ and 254 in all",
            Self::EmailSeveral => "more than one e-mail address: ",
            Self::PhoneUnreadable => "not readable as a phone number: remove what is not part of the number",
            Self::PhoneWithoutCountryCode => "a phone number without a country code: write it with +",
            Self::PhoneUnknownRegion => {
                "a phone number without a country code in a row whose region is not a country: \
                 give the region's ISO 3166 code, such as DE, or its name"
            }
            Self::PhoneUnknownCountryCode => "a phone number with a country code that no country has",
            Self::PhoneTooShort => "a phone number with too few digits for its country",
            Self::PhoneTooLong => "a phone number with too many digits for its country: is it more than one?",
            Self::PhoneWrongLength => "a phone number with a number of digits that its country does not use",
            Self::PhoneWithoutAreaCode => {
                "a phone number without its area code, or a short number such as that of an emergency service"
            }
            Self::PhoneUnassigned => {
                "a phone number that does not exist: check its digits and, if it has no country code, its region; if \
                 they are right, write it with + and its country code"
            }
            Self::PhoneScientific => {
                "a phone number that a spreadsheet rounded: format the column as text and export it again"
            }
            Self::PhoneSeveral => "more than one phone number: ",
            Self::SocialWithoutNetwork => {
                "a handle without its network: give the profile's address, such as linkedin.com/in/…"
            }
            Self::SocialHost => "not a profile's address: it does not start with a host name",
            Self::SocialWithoutProfile => "not the page of a person: give the address of a profile",
            Self::SocialScheme => {
                "not a web address: the address of a profile begins with https:// or with the host name"
            }
            Self::SocialShortLink => "a short link: open it, and give the address it leads to",
            Self::SocialNamedInQuery => {
                "an address with the profile after the ?: give the profile's own address"
            }
            Self::SocialBlank => "a blank inside an address: is this more than one value?",
            Self::SocialTooLong => "longer than any profile's address: over 500 characters",
        }
    }
}

impl Invalid {
    /// Why, and the way out where there is one.
    #[must_use]
    pub fn message(self) -> Message {
        match self {
            Self::Disagrees { given, seen } => message!(
                "given as \"{}\", but it looks like {}: correct the field type, or leave it out",
                &given.as_str(),
                &seen.noun()
            ),
            Self::Several | Self::EmailSeveral | Self::PhoneSeveral | Self::SocialSeveral => {
                message!("{}{}", self.text(), Advice::SeparateValues)
            }
            Self::ReplacementCharacter => message!("{}{}", self.text(), Advice::ReadEncoding),
            Self::Unrecognised => message!("{}{}", self.text(), Advice::GiveFieldType),
            Self::Placeholder => message!("{}{}", self.text(), Setting::NaValues),
            Self::PhoneWithoutCountryCode => message!("{}{}", self.text(), Advice::OrDefaultRegion),
            _ => self.text().into(),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message().fmt(f)
    }
}

impl std::error::Error for Invalid {}
