//! Enums of the domain crates as strings in the API, with all their values in the API document.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{
    ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type,
};
use serde_json::Value;
use waggle_accounts::{AfterApproval, Role};
use waggle_content::{Platform, PostStatus};
use waggle_kernel::{Named, Scope};
use waggle_notifications::{Delivery, Kind};
use waggle_settings::Group;
use waggle_twitter_n8n::{BatchStatus, Status};

/// A [`Named`] enum that the API document has a schema for.
pub(super) trait Schema: Named {
    /// The name of the schema.
    const NAME: &'static str;
}

macro_rules! schemas {
    ($($enum:ty = $name:literal),+ $(,)?) => {
        $(impl Schema for $enum {
            const NAME: &'static str = $name;
        })+
    };
}

schemas! {
    AfterApproval = "AfterApprovalName",
    BatchStatus = "BatchStatusName",
    Delivery = "DeliveryName",
    Group = "GroupName",
    Kind = "NotificationKindName",
    Platform = "PlatformName",
    PostStatus = "PostStatusName",
    Role = "RoleName",
    Scope = "ScopeName",
    Status = "StatusName",
}

/// A value that the API represents by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<E>(pub(super) E);

impl<E: Schema> From<E> for Name<E> {
    fn from(value: E) -> Self {
        Self(value)
    }
}

impl<E: Schema> Type for Name<E> {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        E::NAME.into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(E::NAME.to_owned())
    }

    fn register(registry: &mut Registry) {
        registry.create_schema::<Self, _>(E::NAME.to_owned(), |_| MetaSchema {
            enum_items: E::VALUES.iter().map(|value| value.name().into()).collect(),
            ..MetaSchema::new("string")
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<E: Schema> ParseFromJSON for Name<E> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let value = value.unwrap_or_default();
        match value.as_str() {
            Some(text) => Self::parse_from_parameter(text),
            None => Err(ParseError::expected_type(value)),
        }
    }
}

impl<E: Schema> ParseFromParameter for Name<E> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        E::from_name(text).map(Self).map_err(ParseError::custom)
    }
}

impl<E: Schema> ToJSON for Name<E> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.name().into())
    }
}
