//! What a user may do on a page.

use std::fmt::Display;

use serde_json::{Value, json};
use waggle_kernel::Scopes;
use waggle_kernel::ids::Version;

use crate::ops::Op;

/// How long a post waits that is published now, in seconds. Until then, it can be cancelled.
pub(crate) const GRACE_SECONDS: u32 = 10;

/// A control that calls an operation. Its form may have fields, which are added to the body.
pub(crate) struct Control {
    pub(crate) op: &'static Op,
    pub(crate) path: String,
    /// The ID of the object; empty if there is none.
    pub(crate) object: String,
    /// The version of the object that the page shows; empty if it has none.
    pub(crate) version: String,
    /// The body of the request, without the fields of the form.
    pub(crate) body: Value,
    pub(crate) label: &'static str,
    /// The key that presses it; empty if none does.
    pub(crate) key: &'static str,
    /// The method and path that undo it; empty if nothing does. The path may have a name in braces
    /// in place of that member of the answer.
    pub(crate) undo: &'static str,
    pub(crate) undo_path: String,
    /// What is said when it is done.
    pub(crate) done: String,
    /// The member of the answer that is shown once, because it is secret; empty if none is.
    pub(crate) shows: &'static str,
    /// The ID of the form; empty if no field outside of it belongs to it.
    pub(crate) form: &'static str,
}

impl Control {
    /// The control of an operation, if the user may call it.
    pub(crate) fn new(
        op: &'static Op,
        id: impl Display,
        version: impl Into<Option<Version>>,
        label: &'static str,
        scopes: Scopes,
    ) -> Option<Self> {
        op.is_granted(scopes).then(|| Self {
            op,
            path: op.path_of(&id),
            object: id.to_string(),
            version: version.into().map(|version| version.to_string()).unwrap_or_default(),
            body: json!({}),
            label,
            key: "",
            undo: "",
            undo_path: String::new(),
            done: String::new(),
            shows: "",
            form: "",
        })
    }

    pub(crate) fn key(self, key: &'static str) -> Self {
        Self { key, ..self }
    }

    pub(crate) fn done(self, done: impl Into<String>) -> Self {
        Self { done: done.into(), ..self }
    }

    pub(crate) fn body(self, body: Value) -> Self {
        Self { body, ..self }
    }

    /// Undone by calling `op` with this path, if the user may.
    pub(crate) fn undone_by(self, op: &'static Op, path: String, scopes: Scopes) -> Self {
        if op.is_granted(scopes) { Self { undo: op.method, undo_path: path, ..self } } else { self }
    }

    /// Shows a member of the answer once.
    pub(crate) fn shows(self, shows: &'static str) -> Self {
        Self { shows, ..self }
    }

    /// With an ID, to which fields outside of the form refer.
    pub(crate) fn form(self, form: &'static str) -> Self {
        Self { form, ..self }
    }

    /// The name of the key as people read it.
    pub(crate) fn key_name(&self) -> &'static str {
        if self.key == "Delete" { "Del" } else { self.key }
    }
}
