//! How SQLite finds the rows that the statements of workflows need: never by reading all rows, or
//! all that are not processed.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use diesel::connection::{
    Connection as _, Instrumentation, InstrumentationEvent, set_default_instrumentation,
};
use diesel::prelude::*;
use waggle_content::PostFilter;
use waggle_kernel::{Limit, PageRequest};
use waggle_twitter_n8n::testing;

use crate::Fresh;
use crate::database::Kind;

static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The columns that lists of source tweets are ordered by.
const LIST_ORDERS: [&str; 5] = ["date", "likes", "retweets", "views", "total_engagement"];

fn statements() -> impl std::ops::DerefMut<Target = BTreeSet<String>> {
    STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the text of each statement.
#[expect(clippy::unnecessary_wraps, reason = "Diesel calls it")]
fn recorder() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(|event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            statements().insert(text.split(" -- binds").next().unwrap_or_default().to_owned());
        }
    }))
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

/// All steps of the plan of a statement.
fn plan_of(connection: &mut SqliteConnection, statement: &str) -> String {
    let plan = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"));
    let steps = plan.load::<Step>(connection).unwrap();
    steps.into_iter().map(|step| step.detail).collect::<Vec<_>>().join("; ")
}

async fn sqlite() -> Fresh {
    crate::fresh(Kind::Sqlite).await
}

/// Runs the check in a process of its own, where no other test has connections.
#[test]
fn no_statement_of_a_workflow_reads_all_tweets() {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "plans::check_plans", "--ignored", "--nocapture"];
    let checked = std::process::Command::new(program).args(arguments).output().unwrap();

    let shown = String::from_utf8_lossy(&checked.stdout);
    let errors = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && shown.contains("1 passed"), "{shown}{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs a process of its own, which the test above starts"]
async fn check_plans() {
    set_default_instrumentation(recorder).unwrap();
    let fresh = sqlite().await;
    testing::leases::what_a_run_lets_lapse_is_offered_to_the_next(fresh.ports.source_tweets).await;
    let fresh = sqlite().await;
    testing::leases::a_run_that_failed_releases_its_tweets(fresh.ports.source_tweets).await;
    let fresh = sqlite().await;
    testing::leases::a_tweet_is_leased_once(fresh.ports.source_tweets).await;
    let fresh = sqlite().await;
    let (sources, batches) = (fresh.ports.source_tweets, fresh.ports.batches);
    testing::batches::a_batch_that_names_nothing_ends_the_runs_of_its_caller(sources, batches)
        .await;
    let fresh = sqlite().await;
    let (sources, batches) = (fresh.ports.source_tweets, fresh.ports.batches);
    testing::batches::a_batch_marks_its_source_tweets(sources, batches).await;
    let fresh = sqlite().await;
    testing::batches::a_batch_loses_nothing(fresh.ports.batches).await;
    let fresh = sqlite().await;
    let (batches, tweets) = (fresh.ports.batches, fresh.ports.tweets);
    testing::generated_tweets::tweets_are_listed_in_the_order_of_people(batches, tweets).await;
    let fresh = sqlite().await;
    let tweets = crate::publishing::approved(&fresh.ports, 1).await;
    crate::publishing::queued(&fresh.ports, &tweets[0]).await;
    let posts = &fresh.ports.posts;
    posts.needs_person().await.unwrap();
    posts.backlog().await.unwrap();
    let ledger = &fresh.ports.ledger;
    ledger.next_due().await.unwrap();
    crate::publishing::publish_due(&fresh.ports).await;
    posts.upcoming(Limit::DEFAULT).await.unwrap();
    posts.of_tweets(&[tweets[0].id()]).await.unwrap();
    for is_held in [None, Some(true)] {
        let filter = PostFilter { is_held, ..PostFilter::default() };
        posts.list(&filter, PageRequest::first(Limit::DEFAULT)).await.unwrap();
    }

    crate::notifications::a_batch_is_told_until_nothing_of_it_waits(Kind::Sqlite).await;
    crate::notifications::posts_that_need_a_person_are_told(Kind::Sqlite).await;
    crate::notifications::source_tweets_that_lapse_are_told_each_time(Kind::Sqlite).await;
    crate::notifications::each_matter_is_in_one_email(Kind::Sqlite).await;
    crate::notifications::choices_apply_to_what_waits(Kind::Sqlite).await;

    let path = fresh.database.url.trim_start_matches("sqlite://");
    let mut connection = SqliteConnection::establish(path).unwrap();
    let asked: Vec<String> = statements().iter().cloned().collect();
    let mut explained = 0;
    for statement in asked {
        let tables =
            ["source_tweets", "generated_tweets", "campaign_batches", "posts", "notifications"];
        let is_about_tweets = tables.iter().any(|table| statement.contains(table));
        // Totals and filtered lists may read many rows.
        let is_list = LIST_ORDERS
            .iter()
            .any(|column| statement.contains(&format!("ORDER BY `source_tweets`.`{column}`")));
        let is_of_posts = statement.contains("FROM `posts`");
        let may_read_all = is_list || (statement.contains("COUNT(") && !is_of_posts);
        let reads_nothing = statement.contains("(1=0)");
        let words = ["CREATE ", "DROP ", "INSERT INTO new_events (kind"];
        let is_migration = words.iter().any(|words| statement.contains(words));
        if is_migration || !is_about_tweets || may_read_all || reads_nothing {
            continue;
        }
        let plan = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps = plan.load::<Step>(&mut connection).unwrap();
        explained += 1;
        // Lists of posts come in the order of an index.
        let is_list_of_posts = statement.contains("ORDER BY `posts`.");
        // So do lists of generated tweets; those of one batch are sorted.
        let is_list_of_tweets = statement.contains("ORDER BY `generated_tweets`.`created_at`")
            && !statement.contains("`generated_tweets`.`campaign_batch_id` = ");
        // Except those that are held, which have an index of their own.
        let is_of_held = statement.contains("posts.is_held = 1") && !statement.contains("NOT (");
        let found = plan_of(&mut connection, &statement);
        assert!(!is_of_held || found.contains("posts_held"), "{found}: {statement}");
        for Step { detail } in steps {
            let is_sorted = detail.starts_with("USE TEMP B-TREE FOR ORDER BY");
            assert!(!is_list_of_posts || !is_sorted || is_of_held, "{detail}: {statement}");
            assert!(!is_list_of_tweets || !is_sorted, "{found}: {statement}");
            let is_scan = detail.starts_with("SCAN notifications USING INDEX")
                || tables.iter().any(|table| detail == format!("SCAN {table}"))
                || detail.starts_with("SCAN posts USING INDEX posts_status");
            let is_of_few = detail.contains("source_tweets_lapsed");
            let is_wide = detail.contains("(is_processed=?)") && !is_of_few;
            assert!(!is_scan && !is_wide, "{detail}: {statement}");
        }
    }
    assert!(explained > 20, "{explained} statements were explained");
}
