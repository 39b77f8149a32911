//! `waggle backup`, `restore` and `restored`: copies of the database, and what follows from
//! restoring one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use waggle_kernel::{Actor, Clock as _};
use waggle_store::{Restored, RestoredPost, Store};
use waggle_system::SystemClock;

use super::database::{make_data_dir, open_existing};
use super::output::{Failure, print};
use crate::config::Config;

#[derive(Args)]
pub(super) struct Arguments {
    /// The backup.
    file: PathBuf,
}

/// The file of the database; an error with the command to use if the database is on PostgreSQL.
fn database_file(config: &Config, instead: &str) -> Result<PathBuf, Failure> {
    let path = config.database_url.strip_prefix("sqlite://").map(PathBuf::from);
    path.ok_or_else(|| format!("the database is on PostgreSQL; use its tools: {instead}").into())
}

pub(super) async fn back_up(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let file = arguments.file;
    let instead = format!("pg_dump --format=custom --file={} DATABASE_URL", file.display());
    let database = database_file(config, &instead)?;
    Store::back_up(&database, &file).await?;
    let bytes = std::fs::metadata(&file)?.len();
    if as_json {
        print(&json!({ "file": file, "bytes": bytes }).to_string());
    } else {
        print(&format!(
            "The backup is {} ({bytes} bytes). Keep the master key separately: the backup does \
             not contain it.",
            file.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(
    config: &Config,
    arguments: Arguments,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let file = arguments.file;
    let instead = format!(
        "pg_restore --exit-on-error --no-owner --dbname=EMPTY_DATABASE {}, and then, with the URL \
         of that database: {} restored",
        file.display(),
        super::output::program()
    );
    let database = database_file(config, &instead)?;
    make_data_dir(&config.data_dir)?;
    let (by, now) = (Actor::command().reference(), SystemClock.now());
    let (restored, kept) = Store::restore(&database, &file, &by, now).await?;
    show(&restored, kept.as_deref(), as_json);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restored(config: &Config, as_json: bool) -> Result<ExitCode, Failure> {
    let store = open_existing(config).await?;
    let now = SystemClock.now();
    let _lock = store.lock_for_server(now).await?;
    let restored = store.after_restore(&Actor::command().reference(), now).await?;
    show(&restored, None, as_json);
    Ok(ExitCode::SUCCESS)
}

fn show(restored: &Restored, kept: Option<&Path>, as_json: bool) {
    if as_json {
        let posts: Vec<Value> = restored.posts.iter().map(post_json).collect();
        let Restored { mails, sessions, .. } = restored;
        let shown =
            json!({ "posts": posts, "mails": mails, "sessions": sessions, "replaced": kept });
        return print(&shown.to_string());
    }
    if let Some(kept) = kept {
        print(&format!("The database that was there before is now {}.", kept.display()));
    }
    print(&format!(
        "Nothing goes out by itself: {} posts wait for a person, {} mails were removed, and {} \
         sessions were ended.",
        restored.posts.len(),
        restored.mails,
        restored.sessions
    ));
    for post in &restored.posts {
        print(&post_line(post));
    }
    if !restored.posts.is_empty() {
        print(
            "Each of these posts may have been published since the backup was made. Compare them \
             with the timeline. Resolve those that are 'unknown', and publish again those that \
             are 'missed' and not on the timeline.",
        );
    }
}

fn post_json(post: &RestoredPost) -> Value {
    json!({
        "id": post.id.number(),
        "platform": post.platform,
        "status": post.status.name(),
        "scheduled_time": post.scheduled_time,
        "content": post.content,
    })
}

/// One line, with the beginning of the text.
fn post_line(post: &RestoredPost) -> String {
    const MOST: usize = 60;
    let time = post.scheduled_time.map(|time| time.to_rfc3339()).unwrap_or_default();
    let words: Vec<&str> = post.content.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(MOST).collect();
    format!("post {:<6} {:<8} {:<8} {time}  {text}", post.id, post.status.name(), post.platform)
}
