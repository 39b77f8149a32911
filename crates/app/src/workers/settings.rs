//! Applies settings that other processes change, and repeats the list of super admins.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info, warn};
use waggle_kernel::{Actor, error_chain};
use waggle_settings::ports::SettingChanges;

use crate::use_cases::UseCases;

/// The pause before the next attempt if the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the list of super admins is applied, and lapsed source tweets are marked.
const REPEAT: Duration = Duration::from_mins(1);

/// Follows the settings until `stop` is true.
pub(crate) async fn run(
    app: Arc<UseCases>,
    mut changes: Box<dyn SettingChanges>,
    mut stop: watch::Receiver<bool>,
) {
    tokio::select! {
        () = follow(&app, &mut *changes) => {}
        () = repeat(&app) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Applies the list of super admins again and again, so that users who were changed at the same
/// moment are checked once more. Also marks lapsed source tweets.
async fn repeat(app: &UseCases) {
    loop {
        tokio::time::sleep(REPEAT).await;
        app.super_admins.apply(&app.settings.values()).await;
        log_lapsed(app).await;
    }
}

/// Marks and logs the source tweets that lapsed: no run made a batch of them, and they are no
/// longer offered.
async fn log_lapsed(app: &UseCases) {
    const MOST: u16 = 1_000;

    let offers = u32::try_from(app.settings.values().source_tweet_offers.count());
    match app.end_run.mark_lapsed(offers.unwrap_or(u32::MAX), MOST).await {
        Ok(lapsed) if lapsed.is_empty() => {}
        Ok(lapsed) => {
            let tweet_ids = lapsed.iter().take(20).cloned().collect::<Vec<_>>().join(" ");
            let count = lapsed.len();
            warn!(count, tweet_ids, "source tweets lapsed: no run created a batch from them");
        }
        Err(problem) => {
            error!(error = %error_chain(&problem), "lapsed source tweets cannot be marked");
        }
    }
}

async fn follow(app: &UseCases, changes: &mut dyn SettingChanges) {
    let mut trusts = trusts_networks(app);
    loop {
        let known = app.settings.revision();
        if let Err(problem) = changes.wait(known).await {
            warn!(error = %error_chain(&problem), "changes of settings cannot be checked");
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        if let Err(problem) = app.settings.reload().await {
            error!(error = %error_chain(&problem), "changed settings cannot be read");
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let revision = app.settings.revision();
        if revision < known {
            warn!(
                revision = revision.0,
                "the settings are older than before, as after restoring a backup"
            );
        } else {
            info!(revision = revision.0, "settings were changed");
        }
        for problem in app.settings.problems() {
            error!(%problem, "a setting cannot take effect; the previous value stays in effect");
        }
        if !std::mem::replace(&mut trusts, trusts_networks(app)) && trusts {
            warn_of_trusted_networks();
        }
        if let Err(problem) = app.settings.seal_clear_secrets(&Actor::system()).await {
            let error = error_chain(&problem);
            error!(error, "a secret that is stored unencrypted cannot be sealed");
        }
    }
}

/// Whether requests from some networks are accepted without a token.
pub(crate) fn trusts_networks(app: &UseCases) -> bool {
    !app.settings.values().trusted_ingest_networks.0.is_empty()
}

/// Logs a warning about [trusted networks](trusts_networks).
pub(crate) fn warn_of_trusted_networks() {
    warn!(
        "TRUSTED_INGEST_NETWORKS is set: requests from these networks are accepted without a \
         token. Give the workflow a token and unset the setting"
    );
}
