//! A generated tweet with what the user may do to it.

use serde_json::json;
use waggle_accounts::AfterApproval;
use waggle_content::{Post, PostStatus};
use waggle_kernel::Scopes;
use waggle_text::MOST;
use waggle_twitter_n8n::{Action, GeneratedTweet, Unfit};

use crate::control::{Control, GRACE_SECONDS};
use crate::ops::{APPROVE, APPROVE_MANY, DELETE, EDIT, MOVE, Op, REJECT, RESTORE, WITHDRAW};
use crate::post_line::{PostLine, cancel, publish};
use crate::words::{Moment, class, who};

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
    /// Who approved it, and when.
    pub(crate) approved: Option<(String, Moment)>,
    pub(crate) hook: String,
    pub(crate) theme: String,
    /// The post that was made from it.
    pub(crate) post: Option<PostLine>,
    /// The move to another place in its batch, if the user may move it.
    pub(crate) place: Option<Control>,
    pub(crate) controls: Vec<Control>,
    /// The rejection with a reason, if the user may reject it.
    pub(crate) reject: Option<Control>,
    /// The edit, if the user may edit it.
    pub(crate) edit: Option<Control>,
    /// Publishing at a time, if the user may publish it.
    pub(crate) schedule: Option<Control>,
}

impl Card {
    /// The card of a tweet and of the post that was made from it, for a user with these scopes.
    pub(crate) fn new(tweet: &GeneratedTweet, post: Option<&Post>, scopes: Scopes) -> Self {
        let (stored, id) = (tweet.view(), tweet.id().number());
        let (unfit, name) = (tweet.unfit(), &stored.tweet.tweet_id);
        let is_on_its_way = post.is_some_and(|post| {
            matches!(post.status, PostStatus::Publishing | PostStatus::Unknown)
        });
        let control = |action: Action, op, label| {
            // Until it is settled whether the post is public, the tweet does not change.
            let is_allowed = stored.status.after(action).is_some() && !is_on_its_way;
            Control::new(op, id, stored.version, label, scopes).filter(|_| is_allowed)
        };
        let undone_by =
            |control: Control, op: &'static Op| control.undone_by(op, op.path_of(id), scopes);
        let waits = format!("{name} waits for a decision again");
        let approve = control(Action::Approve, &APPROVE, "Approve")
            .map(|control| undone_by(control.key("a").done(format!("{name} approved")), &WITHDRAW));
        let reject = || {
            control(Action::Reject, &REJECT, "Reject")
                .map(|control| undone_by(control.done(format!("{name} rejected")), &RESTORE))
        };
        let delete = control(Action::Delete, &DELETE, "Delete").map(|control| {
            undone_by(control.key("Delete").done(format!("{name} deleted")), &RESTORE)
        });
        let controls = [
            // A text that X would refuse cannot be approved.
            approve.filter(|_| unfit.is_none()),
            publish(tweet, post, scopes),
            post.and_then(|post| cancel(post, scopes)),
            control(Action::Withdraw, &WITHDRAW, "Withdraw approval")
                .map(|control| control.key("w").done(waits.clone())),
            reject().map(|control| control.key("x")),
            control(Action::Restore, &RESTORE, "Restore")
                .map(|control| control.key("r").done(waits.clone())),
            delete,
        ];
        let edit = control(Action::Edit, &EDIT, "Edit")
            .map(|control| undone_by(control.done(format!("{name} edited")), &EDIT));
        Self {
            id,
            batch: stored.batch.number(),
            name: name.clone(),
            version: stored.version.number(),
            status: stored.status.name(),
            class: class(stored.status),
            content: stored.tweet.content.clone(),
            count: tweet.character_count(),
            most: MOST,
            unfit: unfit.as_ref().map(Unfit::to_string).unwrap_or_default(),
            approved: tweet.approval().map(|approval| (who(&approval.by), approval.at.into())),
            hook: stored.tweet.engagement_hook.clone(),
            theme: stored.tweet.theme_connection.clone(),
            post: post.map(PostLine::new),
            place: Control::new(&MOVE, id, None, "Move", scopes)
                .map(|control| control.done(format!("{name} moved"))),
            controls: controls.into_iter().flatten().collect(),
            reject: reject(),
            edit,
            schedule: publish(tweet, post, scopes).map(|control| {
                control.key("").body(json!({})).done(format!("{name} is scheduled"))
            }),
        }
    }
}

/// What can happen after an approval, in the words of the page.
pub(crate) fn after_approval() -> [(AfterApproval, &'static str); AfterApproval::ALL.len()] {
    AfterApproval::ALL.map(|choice| {
        let label = match choice {
            AfterApproval::Nothing => "do nothing yet",
            AfterApproval::Publish => "publish 10 seconds later",
            AfterApproval::Schedule => "schedule for",
        };
        (choice, label)
    })
}

// The label says so.
const _: () = assert!(GRACE_SECONDS == 10);

/// Approves all cards of a page that fit, if the user may approve any.
pub(crate) fn approve_all<'a>(
    cards: impl IntoIterator<Item = &'a Card>,
    scopes: Scopes,
) -> Option<Control> {
    let fits = |card: &Card| card.controls.iter().any(|control| control.op == &APPROVE);
    let any = cards.into_iter().any(fits);
    Control::new(&APPROVE_MANY, "", None, "Approve all", scopes).filter(|_| any)
}
