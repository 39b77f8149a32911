//! The contract of the port, for every implementation to be run against.

#![expect(clippy::expect_used, reason = "a contract that is broken stops the test")]

use std::sync::Arc;

use chrono::Duration;
use waggle_kernel::{Clock as _, FixedClock, Scope, Scopes};

use crate::ports::TokenRepository;
use crate::token::{NewApiToken, StoredHash};

fn token(public_id: &str) -> NewApiToken {
    NewApiToken {
        public_id: public_id.to_owned(),
        hash: StoredHash([7; 32]),
        name: "n8n".to_owned(),
        scopes: Scopes::of(&[Scope::Ingest, Scope::Read]),
        created_at: FixedClock::noon().now(),
        expires_at: Some(FixedClock::noon().now() + Duration::days(1)),
    }
}

/// A kept token is found with all that it was made with.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_token_is_found_as_it_was_kept(tokens: Arc<dyn TokenRepository>) {
    let id = tokens.insert(&token("00000000000a")).await.expect("the store answers");

    let (found, hash) =
        tokens.find("00000000000a").await.expect("the store answers").expect("it is there");

    assert_eq!(found.id, id);
    assert_eq!(found.scopes, token("").scopes);
    assert_eq!(found.expires_at, token("").expires_at);
    assert_eq!((found.revoked_at, found.last_used_at), (None, None));
    assert_eq!(hash, StoredHash([7; 32]));
    assert_eq!(tokens.find("00000000000b").await.expect("the store answers"), None);
    assert!(tokens.insert(&token("00000000000a")).await.is_err(), "a public id is unique");
}

/// Of many first tokens at the same moment, one is kept.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn the_first_token_is_kept_once(tokens: Arc<dyn TokenRepository>) {
    let mut tasks = Vec::new();
    for number in 0..8 {
        let tokens = Arc::clone(&tokens);
        let token = token(&format!("0000000000{number:02}"));
        tasks.push(tokio::spawn(async move { tokens.insert_first(&token).await }));
    }
    let mut kept = 0;
    for task in tasks {
        let first = task.await.expect("it does not panic").expect("the store answers");
        kept += usize::from(first.is_some());
    }

    assert_eq!(kept, 1);
    assert_eq!(tokens.list().await.expect("the store answers").len(), 1);
}

/// A token is ended once, and its use is written down.
///
/// # Panics
///
/// If the implementation breaks the contract.
pub async fn a_token_is_ended_once(tokens: Arc<dyn TokenRepository>) {
    let now = FixedClock::noon().now();
    let id = tokens.insert(&token("00000000000a")).await.expect("the store answers");

    tokens.touch(id, now).await.expect("the store answers");
    let first = tokens.revoke("00000000000a", now).await.expect("the store answers");
    let second = tokens.revoke("00000000000a", now).await.expect("the store answers");

    assert!(first && !second);
    let list = tokens.list().await.expect("the store answers");
    assert_eq!(list.first().map(|token| token.revoked_at), Some(Some(now)));
    assert_eq!(list.first().map(|token| token.last_used_at), Some(Some(now)));
}
