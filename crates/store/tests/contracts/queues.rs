//! A commit that adds to a queue wakes the worker of this process; nothing else does.

use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;
use waggle_accounts::{Client, EventKind, Letter, NewAuthEvent, NewMail};
use waggle_kernel::{Clock as _, FixedClock};
use waggle_store::{Queue, Store};

use crate::{Kind, fresh};

fn event(mails: Vec<NewMail>) -> NewAuthEvent {
    NewAuthEvent {
        kind: EventKind::LoginFailure,
        user: None,
        email: "joe@example.com".to_owned(),
        by: waggle_kernel::Actor::system().reference(),
        client: Client::default(),
        metadata: Value::Null,
        at: FixedClock::noon().now(),
        mails,
    }
}

async fn is_woken(store: &Store, queue: Queue) -> bool {
    tokio::time::timeout(Duration::from_secs(5), store.queues().filled(queue)).await.is_ok()
}

async fn a_mail_wakes_its_worker_and_an_event_without_one_does_not(kind: Kind) {
    let fresh = fresh(kind).await;
    let now = FixedClock::noon().now();
    let mail = NewMail {
        to: "joe@example.com".parse().unwrap(),
        letter: Letter::Test,
        proof: None,
        created_at: now,
        useless_at: now + chrono::Duration::days(1),
    };

    fresh.ports.auth_events.record(&event(Vec::new())).await.unwrap();
    assert!(fresh.store.queues().filled(Queue::Mails).now_or_never().is_none());
    fresh.ports.auth_events.record(&event(vec![mail])).await.unwrap();

    assert!(is_woken(&fresh.store, Queue::Mails).await);
    assert!(fresh.store.queues().filled(Queue::Posts).now_or_never().is_none());
}

async fn a_queued_post_wakes_its_worker(kind: Kind) {
    let fresh = fresh(kind).await;
    let tweets = crate::publishing::approved(&fresh.ports, 1).await;
    assert!(fresh.store.queues().filled(Queue::Posts).now_or_never().is_none());

    crate::publishing::queued(&fresh.ports, &tweets[0]).await;

    assert!(is_woken(&fresh.store, Queue::Posts).await);
}

mod sqlite {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_mail_wakes_its_worker() {
        super::a_mail_wakes_its_worker_and_an_event_without_one_does_not(crate::Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_queued_post_wakes_its_worker() {
        super::a_queued_post_wakes_its_worker(crate::Kind::Sqlite).await;
    }
}

mod postgres {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_mail_wakes_its_worker() {
        super::a_mail_wakes_its_worker_and_an_event_without_one_does_not(crate::Kind::Postgres)
            .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_queued_post_wakes_its_worker() {
        super::a_queued_post_wakes_its_worker(crate::Kind::Postgres).await;
    }
}
