//! What was wrong with parts of a call: one form and one numbering for errors and warnings.

use serde::Serialize;

/// What is wrong with a part of a call.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Note {
    /// The element of the list that the body is, from 0.
    pub(super) element: usize,
    /// The item in it, from 0; none if it is about the element itself.
    pub(super) index: Option<usize>,
    /// The id of the item, as far as it has one.
    pub(super) tweet_id: Option<String>,
    pub(super) message: String,
}

/// How many notes an answer shows: a workflow that is wrong about everything is wrong about
/// everything in the same way.
const MOST: usize = 1_000;

/// Notes, all of which are counted and the first of which are shown.
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

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The words of the first.
    pub(super) fn first(&self) -> Option<&str> {
        self.shown.first().map(|note| note.message.as_str())
    }

    pub(super) fn shown(self) -> Vec<Note> {
        self.shown
    }
}
