//! A generated tweet with what the user may do to it.

use waggle_kernel::Scopes;
use waggle_text::MOST;
use waggle_twitter_n8n::{Action, GeneratedTweet, Unfit};

use crate::ops::{APPROVE, DELETE, EDIT, Op, REJECT, RESTORE, WITHDRAW};
use crate::words::class;

/// A control that calls an operation.
pub(crate) struct Control {
    pub(crate) op: &'static Op,
    pub(crate) path: String,
    pub(crate) label: &'static str,
    /// The key that presses it.
    pub(crate) key: &'static str,
    /// The method and path that undo it; empty if nothing does.
    pub(crate) undo: &'static str,
    pub(crate) undo_path: String,
    /// What is said when it is done, after the name of the tweet.
    pub(crate) done: &'static str,
}

/// A generated tweet as pages show it.
pub(crate) struct Card {
    pub(crate) id: i64,
    pub(crate) batch: i64,
    pub(crate) name: String,
    pub(crate) version: i64,
    pub(crate) status: &'static str,
    pub(crate) class: &'static str,
    pub(crate) content: String,
    pub(crate) count: u32,
    pub(crate) most: u32,
    /// Why it cannot be approved; empty if it can.
    pub(crate) unfit: String,
    pub(crate) hook: String,
    pub(crate) theme: String,
    pub(crate) controls: Vec<Control>,
    /// The path of the edit, if the user may edit it.
    pub(crate) edit: Option<String>,
}

impl Card {
    /// The card of a tweet for a user with these scopes.
    pub(crate) fn new(tweet: &GeneratedTweet, scopes: Scopes) -> Self {
        let (stored, id) = (tweet.view(), tweet.id().number());
        let unfit = tweet.unfit();
        let may = |action: Action, op: &Op| {
            stored.status.after(action).is_some() && op.is_granted(scopes)
        };
        let control = |action, op: &'static Op, label, key, undo: Option<&'static Op>, done| {
            let undo = undo.filter(|undo| undo.is_granted(scopes));
            may(action, op).then(|| Control {
                op,
                path: op.path_of(id),
                label,
                key,
                undo: undo.map_or("", |undo| undo.method),
                undo_path: undo.map(|undo| undo.path_of(id)).unwrap_or_default(),
                done,
            })
        };
        let approve =
            control(Action::Approve, &APPROVE, "Approve", "a", Some(&WITHDRAW), "approved");
        let controls = [
            // A text that X would refuse cannot be approved.
            approve.filter(|_| unfit.is_none()),
            control(
                Action::Withdraw,
                &WITHDRAW,
                "Withdraw approval",
                "w",
                None,
                "waits for a decision again",
            ),
            control(Action::Reject, &REJECT, "Reject", "x", Some(&RESTORE), "rejected"),
            control(Action::Restore, &RESTORE, "Restore", "r", None, "waits for a decision again"),
            control(Action::Delete, &DELETE, "Delete", "Delete", Some(&RESTORE), "deleted"),
        ];
        Self {
            id,
            batch: stored.batch.number(),
            name: stored.tweet.tweet_id.clone(),
            version: stored.version.number(),
            status: stored.status.name(),
            class: class(stored.status),
            content: stored.tweet.content.clone(),
            count: tweet.character_count(),
            most: MOST,
            unfit: unfit.as_ref().map(Unfit::to_string).unwrap_or_default(),
            hook: stored.tweet.engagement_hook.clone(),
            theme: stored.tweet.theme_connection.clone(),
            controls: controls.into_iter().flatten().collect(),
            edit: may(Action::Edit, &EDIT).then(|| EDIT.path_of(id)),
        }
    }
}
