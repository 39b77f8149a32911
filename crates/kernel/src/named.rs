//! Enums whose values have names: in the database, in the API and on the command line.

use std::fmt;

/// An enum whose values have names. [`named_enum!`](crate::named_enum) implements it.
pub trait Named: Copy + PartialEq + Send + Sync + 'static {
    /// What a value is called in messages, such as `role`.
    const KIND: &'static str;

    /// All values, in display order.
    const VALUES: &'static [Self];

    /// Whether names are found in any case.
    const IGNORES_CASE: bool = false;

    /// The name of the value.
    fn name(self) -> &'static str;

    /// Finds the value with this name.
    ///
    /// # Errors
    ///
    /// [`UnknownName`] if no value has it.
    fn from_name(text: &str) -> Result<Self, UnknownName> {
        let is_it = |value: &&Self| {
            let name = value.name();
            name == text || (Self::IGNORES_CASE && name.eq_ignore_ascii_case(text))
        };
        let found = Self::VALUES.iter().find(is_it);
        found.copied().ok_or_else(|| UnknownName {
            kind: Self::KIND,
            text: text.chars().take(UnknownName::MOST).collect(),
            known: Self::VALUES.iter().map(|value| value.name()).collect(),
        })
    }
}

/// A text that is not the name of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UnknownName {
    kind: &'static str,
    text: String,
    known: Vec<&'static str>,
}

impl UnknownName {
    /// The maximum number of characters of the text that are repeated.
    const MOST: usize = 50;
}

impl fmt::Display for UnknownName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unknown {} '{}'; expected ", self.kind, self.text)?;
        match self.known.split_last() {
            Some((last, [])) => formatter.write_str(last),
            Some((last, others)) => write!(formatter, "{} or {last}", others.join(", ")),
            None => formatter.write_str("nothing"),
        }
    }
}

/// Declares an enum whose values have names: its constant `ALL`, its method `name`, and the traits
/// [`Named`], [`Display`](std::fmt::Display) and [`FromStr`](std::str::FromStr). With
/// `(ignores_case)` after what a value is called, names are found in any case.
///
/// ```
/// waggle_kernel::named_enum! {
///     /// The size of a shirt.
///     pub enum Size: "size" {
///         Small = "s",
///         Large = "l",
///     }
/// }
///
/// assert_eq!("l".parse(), Ok(Size::Large));
/// assert_eq!(Size::ALL.map(Size::name), ["s", "l"]);
/// let error = "xl".parse::<Size>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown size 'xl'; expected s or l");
/// ```
#[macro_export]
macro_rules! named_enum {
    (@ignores_case) => {
        true
    };
    (
        $(#[$meta:meta])*
        $vis:vis enum $enum:ident: $kind:literal $(($case:ident))? {
            $($(#[$value_meta:meta])* $value:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $enum {
            $($(#[$value_meta])* $value,)+
        }

        impl $enum {
            /// All values, in display order.
            $vis const ALL: [Self; [$($enum::$value),+].len()] = [$(Self::$value),+];

            /// The name in the database, in the API and on the command line.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }

        impl $crate::Named for $enum {
            const KIND: &'static str = $kind;
            const VALUES: &'static [Self] = &Self::ALL;
            $(const IGNORES_CASE: bool = $crate::named_enum!(@$case);)?

            fn name(self) -> &'static str {
                self.name()
            }
        }

        impl ::std::fmt::Display for $enum {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.write_str(self.name())
            }
        }

        impl ::std::str::FromStr for $enum {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> ::std::result::Result<Self, $crate::UnknownName> {
                <Self as $crate::Named>::from_name(text)
            }
        }
    };
}

#[cfg(test)]
mod tests {

    crate::named_enum! {
        enum Exact: "right" {
            Admin = "admin",
        }
    }

    crate::named_enum! {
        enum Loose: "status" (ignores_case) {
            Approved = "Approved",
        }
    }

    #[test]
    fn names_are_found_in_any_case_only_where_that_is_declared() {
        assert_eq!("admin".parse(), Ok(Exact::Admin));
        assert_eq!(
            "ADMIN".parse::<Exact>().unwrap_err().to_string(),
            "unknown right 'ADMIN'; expected admin"
        );
        assert_eq!("approved".parse(), Ok(Loose::Approved));
        assert!("rejected".parse::<Loose>().is_err());
    }
}
