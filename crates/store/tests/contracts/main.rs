//! The contracts of all storage ports, run against SQLite and against a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]
#![expect(clippy::disallowed_methods, reason = "what is tested has the clock of the machine")]

/// Runs each test on both databases.
macro_rules! on_both_kinds {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::Kind::Sqlite).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::Kind::Postgres).await;
                }
            )+
        }
    };
}

#[expect(dead_code, reason = "it serves other test binaries too")]
#[path = "../../../../tests/support/database.rs"]
mod database;
mod events;
mod keys;
mod migrations;
mod notifications;
mod plans;
mod publishing;
mod queues;
mod retention;
mod search;

use database::{Database, Kind};
use waggle_store::{Mode, Ports, Store};
use waggle_twitter_n8n::testing as n8n;

/// An empty store with the current schema.
pub(crate) struct Fresh {
    pub(crate) store: Store,
    pub(crate) ports: Ports,
    /// Removed at the end of the test.
    pub(crate) database: Database,
}

pub(crate) async fn fresh(kind: Kind) -> Fresh {
    let database = Database::new(kind).await;
    let store = Store::open(&database.url).await.unwrap();
    store.migrate(Mode::Run).await.unwrap();
    Fresh { ports: store.ports(), store, database }
}

/// Runs each rule on both databases, each time with a new store.
macro_rules! on_both {
    ($($name:ident($ports:ident) => $rule:expr;)+) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let fresh = crate::fresh(crate::Kind::Sqlite).await;
                    let $ports = fresh.ports.clone();
                    $rule.await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let fresh = crate::fresh(crate::Kind::Postgres).await;
                    let $ports = fresh.ports.clone();
                    $rule.await;
                }
            )+
        }
    };
}
pub(crate) use on_both;

mod rules {
    crate::on_both! {
        a_token_is_found_as_it_was_kept(ports) =>
            waggle_accounts::testing::a_token_is_found_as_it_was_kept(ports.tokens);
        the_first_token_is_kept_once(ports) =>
            waggle_accounts::testing::the_first_token_is_kept_once(ports.tokens);
        a_token_is_ended_once(ports) =>
            waggle_accounts::testing::a_token_is_ended_once(ports.tokens);
        a_code_is_found_as_it_was_kept(ports) =>
            waggle_accounts::testing::codes::a_code_is_found_as_it_was_kept(
                ports.verifications, ports.users,
            );
        tries_are_counted_exactly(ports) =>
            waggle_accounts::testing::codes::tries_are_counted_exactly(ports.verifications);
        a_code_is_used_once(ports) =>
            waggle_accounts::testing::codes::a_code_is_used_once(
                ports.verifications, ports.users, ports.auth_events,
            );
        a_reset_ends_what_was_open(ports) =>
            waggle_accounts::testing::codes::a_reset_ends_what_was_open(
                ports.verifications, ports.users, ports.sessions, ports.tokens,
            );
        a_google_account_opens_one_user(ports) =>
            waggle_accounts::testing::codes::a_google_account_opens_one_user(
                ports.verifications, ports.users, ports.google,
            );
        the_list_of_super_admins_counts_for_verified_addresses(ports) =>
            waggle_accounts::testing::codes::the_list_of_super_admins_counts_for_verified_addresses(
                ports.verifications, ports.users, ports.sessions,
            );
        mails_wait_until_they_are_taken(ports) =>
            waggle_accounts::testing::codes::mails_wait_until_they_are_taken(
                ports.auth_events, ports.mails,
            );
        imported_passwords_are_counted(ports) =>
            waggle_accounts::testing::imported_passwords_are_counted(ports.users);
        an_ended_session_changes_no_factors(ports) =>
            waggle_accounts::testing::factors::an_ended_session_changes_no_factors(
                ports.users, ports.sessions, ports.second_factors,
            );
        an_app_counts_when_it_was_confirmed(ports) =>
            waggle_accounts::testing::factors::an_app_counts_when_it_was_confirmed(
                ports.users, ports.sessions, ports.second_factors,
            );
        a_proof_opens_one_session(ports) =>
            waggle_accounts::testing::factors::a_proof_opens_one_session(
                ports.users, ports.sessions, ports.second_factors,
            );
        factors_come_and_go(ports) =>
            waggle_accounts::testing::factors::factors_come_and_go(
                ports.users, ports.sessions, ports.second_factors, ports.passkeys,
            );
        a_token_has_an_owner(ports) =>
            waggle_accounts::testing::a_token_has_an_owner(
                ports.tokens, ports.users, ports.sessions,
            );
        a_user_is_kept_once_and_found(ports) =>
            waggle_accounts::testing::a_user_is_kept_once_and_found(ports.users, ports.auth_events);
        concurrent_users_of_one_address_are_one(ports) =>
            waggle_accounts::testing::concurrent_users_of_one_address_are_one(ports.users);
        one_link_makes_one_admin(ports) =>
            waggle_accounts::testing::one_link_makes_one_admin(ports.setup, ports.users);
        own_changes_are_kept(ports) =>
            waggle_accounts::testing::own_changes_are_kept(ports.users);
        the_last_admin_stays(ports) =>
            waggle_accounts::testing::the_last_admin_stays(ports.users);
        a_session_lives_until_it_is_ended(ports) =>
            waggle_accounts::testing::a_session_lives_until_it_is_ended(
                ports.users, ports.sessions,
            );
        an_outdated_proof_opens_no_session(ports) =>
            waggle_accounts::testing::an_outdated_proof_opens_no_session(
                ports.users, ports.sessions,
            );
        a_budget_is_used_up_exactly(ports) =>
            waggle_accounts::testing::a_budget_is_used_up_exactly(ports.limits);
        a_setting_is_kept_written_over_and_removed(ports) =>
            waggle_settings::testing::a_setting_is_kept_written_over_and_removed(ports.settings);
        a_stale_change_of_settings_changes_nothing(ports) =>
            waggle_settings::testing::a_stale_change_of_settings_changes_nothing(ports.settings);
        every_change_of_a_setting_is_in_the_history(ports) =>
            waggle_settings::testing::every_change_of_a_setting_is_in_the_history(ports.settings);
        either_all_secrets_are_resealed_or_none(ports) =>
            waggle_settings::testing::either_all_secrets_are_resealed_or_none(ports.settings);
        a_lost_secret_is_removed(ports) =>
            waggle_settings::testing::a_lost_secret_is_removed(ports.settings);
        a_tweet_is_new_to_the_run_that_brought_it(ports) =>
            crate::n8n::source_tweets::a_tweet_is_new_to_the_run_that_brought_it(
                ports.source_tweets,
            );
        a_run_without_a_name_is_known_for_an_hour(ports) =>
            crate::n8n::source_tweets::a_run_without_a_name_is_known_for_an_hour(
                ports.source_tweets,
            );
        concurrent_reports_lose_nothing(ports) =>
            crate::n8n::source_tweets::concurrent_reports_lose_nothing(ports.source_tweets);
        a_later_report_updates_only_the_numbers(ports) =>
            crate::n8n::source_tweets::a_later_report_updates_only_the_numbers(
                ports.source_tweets,
            );
        pages_show_every_tweet_once_and_in_order(ports) =>
            crate::n8n::source_tweets::pages_show_every_tweet_once_and_in_order(
                ports.source_tweets,
            );
        each_filter_shows_what_it_means(ports) =>
            crate::n8n::source_tweets::each_filter_shows_what_it_means(ports.source_tweets);
        many_tweets_are_listed_and_added_up(ports) =>
            crate::n8n::many::many_tweets_are_listed_and_added_up(
                ports.source_tweets,
            );
        concurrent_changes_keep_the_totals(ports) =>
            crate::n8n::many::concurrent_changes_keep_the_totals(
                ports.source_tweets,
            );
        a_deleted_tweet_is_gone(ports) =>
            crate::n8n::source_tweets::a_deleted_tweet_is_gone(ports.source_tweets);
        a_tweet_is_leased_once(ports) =>
            crate::n8n::leases::a_tweet_is_leased_once(ports.source_tweets);
        what_a_run_lets_lapse_is_offered_to_the_next(ports) =>
            crate::n8n::leases::what_a_run_lets_lapse_is_offered_to_the_next(
                ports.source_tweets,
            );
        a_run_that_failed_releases_its_tweets(ports) =>
            crate::n8n::leases::a_run_that_failed_releases_its_tweets(ports.source_tweets);
        a_claim_does_not_take_tweets_of_other_runs(ports) =>
            crate::n8n::leases::a_claim_does_not_take_tweets_of_other_runs(
                ports.source_tweets,
            );
        a_batch_that_names_nothing_ends_the_runs_of_its_caller(ports) =>
            crate::n8n::batches::a_batch_that_names_nothing_ends_the_runs_of_its_caller(
                ports.source_tweets, ports.batches,
            );
        a_batch_loses_nothing(ports) =>
            crate::n8n::batches::a_batch_loses_nothing(ports.batches);
        concurrent_batches_lose_nothing(ports) =>
            crate::n8n::batches::concurrent_batches_lose_nothing(ports.batches);
        a_batch_marks_its_source_tweets(ports) =>
            crate::n8n::batches::a_batch_marks_its_source_tweets(
                ports.source_tweets, ports.batches,
            );
        a_batch_ends_runs_with_many_source_tweets(ports) =>
            crate::n8n::batches::a_batch_ends_runs_with_many_source_tweets(
                ports.source_tweets, ports.batches,
            );
        concurrent_batches_of_a_run_are_stored_once(ports) =>
            crate::n8n::batches::concurrent_batches_of_a_run_are_stored_once(
                ports.source_tweets, ports.batches,
            );
        a_batch_is_saved_only_over_its_version(ports) =>
            crate::n8n::batches::a_batch_is_saved_only_over_its_version(ports.batches);
        a_tweet_is_saved_only_over_its_version(ports) =>
            crate::n8n::generated_tweets::a_tweet_is_saved_only_over_its_version(
                ports.batches, ports.tweets,
            );
        concurrent_decisions_do_not_overwrite(ports) =>
            crate::n8n::generated_tweets::concurrent_decisions_do_not_overwrite(
                ports.batches, ports.tweets,
            );
        tweets_are_listed_in_the_order_of_people(ports) =>
            crate::n8n::generated_tweets::tweets_are_listed_in_the_order_of_people(
                ports.batches, ports.tweets,
            );
        concurrent_moves_lose_no_tweet(ports) =>
            crate::n8n::generated_tweets::concurrent_moves_lose_no_tweet(
                ports.batches, ports.tweets,
            );
        each_filter_of_tweets_shows_what_it_means(ports) =>
            crate::n8n::generated_tweets::each_filter_of_tweets_shows_what_it_means(
                ports.batches, ports.tweets,
            );
    }
}
