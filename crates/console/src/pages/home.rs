//! The first page: what waits, what goes out, and what is left to set up.

use askama::Template;
use waggle_content::Backlog;
use waggle_twitter_n8n::CampaignBatch;

use super::batches::BatchLine;
use super::posts::PostsWith;
use crate::control::Control;
use crate::ops::CREATE_SAMPLE;
use crate::post_card::PostCard;
use crate::shell::Shell;

/// What is set up.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each step is done or not")]
pub struct SetupState {
    /// Whether the user has a second factor.
    pub has_second_factor: bool,
    /// Whether the address of this server is known.
    pub has_address: bool,
    /// Whether addresses of some domain, or of all, can be added.
    pub has_domain: bool,
    /// Whether emails are sent.
    pub has_mail: bool,
    /// Whether a workflow has submitted a batch.
    pub has_batch: bool,
    /// Whether X is connected.
    pub has_x: bool,
}

/// A step of the set-up.
struct Step {
    is_done: bool,
    text: &'static str,
    href: &'static str,
    label: &'static str,
}

/// The page `/`.
#[derive(Template)]
#[template(path = "pages/home.html")]
pub struct HomePage {
    shell: Shell,
    /// The number of drafts that wait, and whether there are more.
    waiting: usize,
    is_more: bool,
    backlog: Backlog,
    upcoming: Vec<PostCard>,
    batches: Vec<BatchLine>,
    /// The steps of the set-up, unless all are done.
    steps: Vec<Step>,
    /// Submits the sample batch, while there is no batch.
    sample: Option<Control>,
}

impl HomePage {
    /// The page with the number of drafts that wait (and whether there are more), the posts that
    /// are published next, and the newest batches (and whether there never was one). Only admins
    /// see the set-up.
    pub fn new(
        shell: Shell,
        (waiting, is_more): (usize, bool),
        backlog: Backlog,
        upcoming: PostsWith<'_>,
        (batches, is_new): (&[CampaignBatch], bool),
        setup: Option<SetupState>,
    ) -> Self {
        let sample = Control::new(&CREATE_SAMPLE, "", None, "Load a sample batch", shell.scopes);
        let sample = sample.filter(|_| is_new);
        let steps = setup.map(steps).unwrap_or_default();
        Self {
            waiting,
            is_more,
            backlog,
            upcoming: upcoming.cards(&shell),
            batches: batches.iter().map(Into::into).collect(),
            steps: if steps.iter().all(|step| step.is_done) { Vec::new() } else { steps },
            sample: sample.map(|control| control.done("The sample batch waits for review")),
            shell,
        }
    }
}

fn steps(state: SetupState) -> Vec<Step> {
    let step = |is_done, text, href, label| Step { is_done, text, href, label };
    vec![
        step(
            state.has_second_factor,
            "Protect your account with a second factor.",
            "/account#factors",
            "Second factor",
        ),
        step(
            state.has_address,
            "Say under which address people reach this server. Links in emails and passkeys need \
             it.",
            "/settings?group=http#setting-PUBLIC_URL",
            "PUBLIC_URL",
        ),
        step(
            state.has_domain,
            "Say which domains the addresses of your colleagues have, then add them as users.",
            "/settings?group=access#setting-ALLOWED_DOMAIN",
            "ALLOWED_DOMAIN",
        ),
        step(
            state.has_mail,
            "Connect a mail server. Until then, emails are files on the server.",
            "/settings?group=mail",
            "Mail settings",
        ),
        step(
            state.has_batch,
            "Connect n8n: create a token with the scope ingest, and let the workflow post to \
             /api/check-duplicate-tweet and /api/receive-tweets.",
            "/tokens",
            "API tokens",
        ),
        step(
            state.has_x,
            "Connect X. Until then, posts go to the sandbox.",
            "/settings?group=x",
            "X settings",
        ),
    ]
}
