//! Why a value cannot be looked up: precise, one line each, with the way out where there is one.
//! Knows nothing of how the reason was found, and never holds the value.

use std::fmt;

use crate::message;
use crate::message::{Advice, Message, Setting};

use super::FieldType;

/// Why a value cannot be looked up. Shown to people; never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Invalid {
    /// Nothing but blanks and invisible characters.
    Empty,
    /// A control character (NUL, tab, line break, …) inside the value.
    ControlCharacter,
    /// None of the three kinds, as far as looks can tell.
    Unrecognised,
    /// A cell of a table that holds neither text nor a number.
    NotText,
    /// It ends with an ellipsis, or letters of it are hidden.
    CutOff,
    /// Values of several kinds.
    Several,
    /// The value is of another kind than the field type it came with.
    Disagrees {
        /// The field type that came with the value.
        given: FieldType,
        /// What the value reads as.
        seen: FieldType,
    },

    /// No `@`, or nothing on one side of it.
    EmailIncomplete,
    /// The part before the `@` is not one RFC 5321 or RFC 6531 knows.
    EmailLocalPart,
    /// The part after the `@` is no domain name.
    EmailDomain,
    /// The part after the `@` is a single label.
    EmailDomainWithoutDot,
    /// An IP address where the domain should be.
    EmailIpAddress,
    /// Over 64 octets before the `@`, or over 254 in all.
    EmailTooLong,
    /// More than one address in one value.
    EmailSeveral,

    /// Characters that no way of writing a phone number has.
    PhoneUnreadable,
    /// No country code, and no default region to take it from.
    PhoneWithoutCountryCode,
    /// No country code, and the row's region is not a country.
    PhoneUnknownRegion,
    /// A country code that is not assigned.
    PhoneUnknownCountryCode,
    /// Fewer digits than any number of its country has.
    PhoneTooShort,
    /// More digits than any number of its country has.
    PhoneTooLong,
    /// A number of digits between the possible ones.
    PhoneWrongLength,
    /// Only the part that is dialled within one town.
    PhoneWithoutAreaCode,
    /// A spreadsheet's `1.77E+10`: digits were lost.
    PhoneScientific,
    /// A number with decimals that are not zero.
    PhoneFraction,
    /// More than one number in one value.
    PhoneSeveral,
    /// Two readings, and each makes another number.
    PhoneAmbiguous,

    /// A handle, or a path, without the network it is on.
    SocialWithoutNetwork,
    /// The host is not a domain name.
    SocialHost,
    /// A network, but nobody's profile on it.
    SocialWithoutProfile,
    /// Neither `http` nor `https`.
    SocialScheme,
    /// A short link: it has to be followed to know where it leads.
    SocialShortLink,
    /// The profile is named in the query, which is no part of the canonical form.
    SocialNamedInQuery,
    /// A blank inside the address.
    SocialBlank,
    /// Longer than any profile's address.
    SocialTooLong,
    /// More than one address in one value.
    SocialSeveral,
    /// A page of an unknown host with another address in its query.
    SocialAddressInside,
}

impl Invalid {
    /// A stable name for programs; the text is for people and may change.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::ControlCharacter => "control_character",
            Self::Unrecognised => "unrecognised",
            Self::CutOff => "cut_off",
            Self::Several => "several",
            Self::NotText => "not_text",
            Self::Disagrees { .. } => "disagrees",
            Self::EmailIncomplete => "email_incomplete",
            Self::EmailLocalPart => "email_local_part",
            Self::EmailDomain => "email_domain",
            Self::EmailDomainWithoutDot => "email_domain_without_dot",
            Self::EmailIpAddress => "email_ip_address",
            Self::EmailTooLong => "email_too_long",
            Self::EmailSeveral => "email_several",
            Self::PhoneUnreadable => "phone_unreadable",
            Self::PhoneWithoutCountryCode => "phone_without_country_code",
            Self::PhoneUnknownRegion => "phone_unknown_region",
            Self::PhoneUnknownCountryCode => "phone_unknown_country_code",
            Self::PhoneTooShort => "phone_too_short",
            Self::PhoneTooLong => "phone_too_long",
            Self::PhoneWrongLength => "phone_wrong_length",
            Self::PhoneWithoutAreaCode => "phone_without_area_code",
            Self::PhoneFraction => "phone_fraction",
            Self::PhoneScientific => "phone_scientific",
            Self::PhoneAmbiguous => "phone_ambiguous",
            Self::PhoneSeveral => "phone_several",
            Self::SocialWithoutNetwork => "social_without_network",
            Self::SocialHost => "social_host",
            Self::SocialWithoutProfile => "social_without_profile",
            Self::SocialScheme => "social_scheme",
            Self::SocialShortLink => "social_short_link",
            Self::SocialNamedInQuery => "social_named_in_query",
            Self::SocialBlank => "social_blank",
            Self::SocialAddressInside => "social_address_inside",
            Self::SocialSeveral => "social_several",
            Self::SocialTooLong => "social_too_long",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Empty => "blank: nothing to look up",
            Self::ControlCharacter => "a control character inside: is this more than one value, or not text?",
            Self::Unrecognised => {
                "neither an e-mail, a phone number nor a social profile by its looks: \
                 name its field type, if it is one of them"
            }
            Self::NotText => "neither text nor a whole number: a cell to look up holds one of these",
            Self::Several => "more than one value: ",
            Self::CutOff => "cut off or masked: give the whole of it",
            Self::PhoneFraction => "a number with decimals, which no phone number has",
            Self::PhoneAmbiguous => {
                "a phone number that can be read in two ways: write it with + and its country code, without a 0 behind it"
            }
            Self::SocialSeveral => "more than one profile: ",
            Self::SocialAddressInside => "an address with another one inside it: give the one that is meant",
            Self::Disagrees { .. } => "given as another kind than it is",
            Self::EmailIncomplete => "an e-mail address needs a name, an @ and a domain",
            Self::EmailLocalPart => "an e-mail address cannot have this before its @",
            Self::EmailDomain => "an e-mail address cannot have this domain after its @",
            Self::EmailDomainWithoutDot => {
                "an e-mail address with half a domain: there is no dot after its @"
            }
            Self::EmailIpAddress => "an e-mail address at an IP address: give the one at a domain",
            Self::EmailTooLong => "an e-mail address has at most 64 bytes before its @ and 254 in all",
            Self::EmailSeveral => "more than one e-mail address: ",
            Self::PhoneUnreadable => "not readable as a phone number: remove what is not part of the number",
            Self::PhoneWithoutCountryCode => {
                "a phone number without a country code: write it with +, or set "
            }
            Self::PhoneUnknownRegion => {
                "a phone number without a country code in a row whose region is not a country: \
                 give the region's ISO 3166 code, such as DE, or its name"
            }
            Self::PhoneUnknownCountryCode => "a phone number with a country code that no country has",
            Self::PhoneTooShort => "a phone number with too few digits for its country",
            Self::PhoneTooLong => "a phone number with too many digits for its country: is it more than one?",
            Self::PhoneWrongLength => "a phone number with a number of digits that its country does not use",
            Self::PhoneWithoutAreaCode => "a phone number without its area code",
            Self::PhoneScientific => {
                "a phone number that a spreadsheet rounded: format the column as text and export it again"
            }
            Self::PhoneSeveral => "more than one phone number: ",
            Self::SocialWithoutNetwork => {
                "a handle without its network: give the profile's address, such as linkedin.com/in/…"
            }
            Self::SocialHost => "not a profile's address: it does not start with a host name",
            Self::SocialWithoutProfile => "an address that names no profile: give somebody's own page",
            Self::SocialScheme => "not a web address: a profile's begins with https://, or without a scheme",
            Self::SocialShortLink => "a short link: open it, and give the address it leads to",
            Self::SocialNamedInQuery => {
                "an address that names its profile only after the ?: give the profile's own address"
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
        const fn kind(field_type: FieldType) -> &'static str {
            match field_type {
                FieldType::Email => "an e-mail address",
                FieldType::Phone => "a phone number",
                FieldType::SocialProfile => "a social profile",
            }
        }
        match self {
            Self::Disagrees { given, seen } => message!(
                "given as \"{}\", but it looks like {}: correct the field type, or leave it out",
                &given.as_str(),
                &kind(seen)
            ),
            Self::Several | Self::EmailSeveral | Self::PhoneSeveral | Self::SocialSeveral => {
                message!("{}{}", self.text(), Advice::SeparateValues)
            }
            Self::PhoneWithoutCountryCode => message!("{}{}", self.text(), Setting::DefaultRegion),
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
