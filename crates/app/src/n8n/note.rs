//! Notes on parts of a call. Errors and warnings have the same form and the same numbering.

use serde::Serialize;

/// An error or a warning about a part of a call.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Note {
    /// The position of the element in the body, counted from 0.
    pub(super) element: usize,
    /// The position of the item in the element, counted from 0. `None` if the note is about the
    /// element itself.
    pub(super) index: Option<usize>,
    /// The id of the item, if it could be read.
    pub(super) tweet_id: Option<String>,
    pub(super) message: String,
}

/// The maximum number of notes of one kind that are shown. If a workflow gets every item wrong, it
/// makes the same mistake in each of them.
const MOST: usize = 1_000;

/// Counts all notes and keeps the first [`MOST`].
#[derive(Debug, Default)]
pub(super) struct Notes {
    shown: Vec<Note>,
    count: usize,
}

impl Notes {
    pub(super) fn push(&mut self, note: Note) {
        self.count += 1;
        if self.shown.len() < MOST {
            self.shown.push(note);
        }
    }

    /// The number of all notes, including those that are not shown.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The message of the first note.
    pub(super) fn first(&self) -> Option<&str> {
        self.shown.first().map(|note| note.message.as_str())
    }

    pub(super) fn shown(self) -> Vec<Note> {
        self.shown
    }
}
