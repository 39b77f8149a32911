//! The console: pages in which people review what workflows submitted, and publish it.
//!
//! A page is a struct that is made from entities, and a template, so that a renamed field does not
//! compile. Pages change nothing. Their controls name operations of the HTTP API ([`OPS`]), which
//! the scripts of the page call; after that, the scripts load the changed part of the page again.
//! What the user may not do is not drawn.

mod assets;
mod card;
mod control;
mod links;
mod ops;
mod pages;
mod post_card;
mod post_line;
mod shell;
mod words;

pub use askama::Error as DrawError;
pub use askama::Template as Page;
pub use assets::{Asset, asset};
pub use links::Links;
pub use ops::{OPS, Op};
pub use pages::{
    AccountPage, AuditFilter, AuditPage, BatchPage, BatchesPage, Check, CheckState, ChecksPage,
    Factors, HelpPage, HomePage, MessagePage, NotificationsPage, PostPage, PostsPage, PostsWith,
    PublishingPage, ReviewPage, SandboxPage, SettingsHistoryPage, SettingsPage, SetupPage,
    SetupState, SignInPage, SourceFilter, SourcesPage, TokensPage, TweetPage, UsersPage,
};
pub use shell::{Section, Shell};
