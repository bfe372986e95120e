//! The macro for lists of names. It makes an enum, the list of its variants and their names from one table, so
//! that a new variant is in all three.

/// Declares an enum from a table of variants and their names: the enum, `ALL`, `as_str` and `from_name`. Serde uses the
/// same names; the crate needs it with its derives.
///
/// ```
/// exactbuyer_core::listed! {
///     /// A colour of a traffic light.
///     pub enum Light {
///         /// Stop.
///         Red = "red",
///         /// Go.
///         Green = "green",
///     }
/// }
/// assert_eq!(Light::ALL, [Light::Red, Light::Green]);
/// assert_eq!((Light::Red.as_str(), Light::from_name("green")), ("red", Some(Light::Green)));
/// ```
#[macro_export]
macro_rules! listed {
    ($(#[$meta:meta])* pub enum $Name:ident { $($(#[$doc:meta])* $Variant:ident = $name:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $Name { $($(#[$doc])* #[serde(rename = $name)] $Variant,)* }

        impl $Name {
            /// All of them, in the order of their list.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$Variant),*];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$Variant => $name,)* }
            }

            /// The one of this name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.as_str() == name)
            }
        }
    };
}
