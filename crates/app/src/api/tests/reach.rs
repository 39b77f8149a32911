//! Every operation that changes something writes an event.
//!
//! The calls of all tests check that. Here is which operations change nothing, and that the tests
//! call each of the others.

use poem::http::Method;

use crate::http::{API, fits, operations};

/// The operations that change nothing.
const SILENT: [(&str, &str); 6] = [
    // What is begun has no effect until it is confirmed.
    ("POST", "/me/second-factor/totp"),
    ("POST", "/me/second-factor/passkeys"),
    ("POST", "/auth/second-factor/passkey"),
    // That somebody read something is not a change of it.
    ("POST", "/notifications/read"),
    ("POST", "/settings/validate"),
    ("POST", "/settings/test/:group"),
];

/// Whether a call of the native API is one that changes nothing.
pub(super) fn changes_nothing(method: &Method, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix(API).unwrap_or(path);
    SILENT.iter().any(|(of, pattern)| method.as_str() == *of && fits(pattern, path))
}

#[test]
fn each_operation_that_changes_something_is_called() {
    const TESTS: [&str; 11] = [
        include_str!("accounts.rs"),
        include_str!("campaign_batches.rs"),
        include_str!("confirmations.rs"),
        include_str!("console.rs"),
        include_str!("events.rs"),
        include_str!("generated_tweets.rs"),
        include_str!("notifications.rs"),
        include_str!("posts.rs"),
        include_str!("settings.rs"),
        include_str!("source_tweets.rs"),
        include_str!("tokens.rs"),
    ];
    let called: Vec<(&str, &str)> = TESTS
        .iter()
        .flat_map(|text| text.split('"'))
        .filter_map(|text| text.split_once(" /"))
        .collect();
    let is_called = |method: &Method, pattern: &str| {
        called.iter().any(|(of, path)| {
            let path = path.split('?').next().unwrap_or_default();
            *of == method.as_str() && fits(pattern, &format!("/{path}"))
        })
    };

    let missing: Vec<String> = operations()
        .filter(|(method, path)| **method != Method::GET && !is_called(method, path))
        .map(|(method, path)| format!("{method} {path}"))
        .collect();

    assert_eq!(missing, Vec::<String>::new());
}
