//! The links between the pages of a list.

/// Where a page of a list leads, with its filters.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// This page of the list.
    pub here: String,
    /// The first page of the list; `None` on that page.
    pub first: Option<String>,
    /// The next page; `None` on the last one.
    pub next: Option<String>,
}

impl Links {
    /// Whether this is the first page.
    pub(crate) const fn is_first(&self) -> bool {
        self.first.is_none()
    }
}
