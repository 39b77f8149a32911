//! The access tables: who may call which operation of the native API, and see which page.
//!
//! They are checked before the body of a request is read. Anything not listed is denied.

use poem::http::Method;
use waggle_kernel::Scope;

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone, except pages of other sites.
    Open,
    /// API tokens with the scope, and signed-in users whose role has it.
    Anyone(Scope),
    /// Signed-in users whose role has the scope, but no API tokens.
    Person(Scope),
    /// The same, if the user authenticated recently.
    FreshPerson(Scope),
    /// Signed-in users, including those who must set up a second factor first.
    Enrolling,
    /// The same, if the user authenticated recently.
    FreshEnrolling,
    /// Signed-in users, including those who have not yet shown their second factor.
    Halfway,
}

use Access::{Anyone, Enrolling, FreshEnrolling, FreshPerson, Halfway, Open, Person};
use Scope::{Admin, Approve, Ingest, Publish, Read, Write};

/// Method, path and access.
static TABLE: &[(Method, &str, Access)] = &[
    (Method::POST, "/setup", Open),
    (Method::POST, "/auth/login", Open),
    (Method::POST, "/auth/register", Open),
    (Method::POST, "/auth/register/confirm", Open),
    (Method::POST, "/auth/password-reset", Open),
    (Method::POST, "/auth/password-reset/confirm", Open),
    (Method::POST, "/auth/google", Open),
    (Method::POST, "/auth/google/confirm", Open),
    (Method::POST, "/auth/second-factor", Halfway),
    (Method::POST, "/auth/second-factor/passkey", Halfway),
    (Method::POST, "/auth/second-factor/passkey/confirm", Halfway),
    (Method::POST, "/auth/confirm", Enrolling),
    (Method::POST, "/auth/logout", Halfway),
    (Method::GET, "/me", Anyone(Read)),
    (Method::PATCH, "/me", Person(Read)),
    (Method::GET, "/me/notifications", Person(Read)),
    (Method::PATCH, "/me/notifications", Person(Read)),
    (Method::POST, "/me/password", Person(Read)),
    (Method::POST, "/me/email", FreshPerson(Read)),
    (Method::POST, "/me/email/confirm", Person(Read)),
    (Method::GET, "/me/second-factor", Enrolling),
    (Method::POST, "/me/second-factor/totp", FreshEnrolling),
    (Method::POST, "/me/second-factor/totp/confirm", FreshEnrolling),
    (Method::DELETE, "/me/second-factor/totp", FreshEnrolling),
    (Method::POST, "/me/second-factor/passkeys", FreshEnrolling),
    (Method::POST, "/me/second-factor/passkeys/confirm", FreshEnrolling),
    (Method::DELETE, "/me/second-factor/passkeys/:id", FreshEnrolling),
    (Method::POST, "/me/second-factor/recovery-codes", FreshEnrolling),
    (Method::GET, "/sessions", Person(Read)),
    (Method::DELETE, "/sessions/:id", Person(Read)),
    (Method::DELETE, "/sessions", Person(Read)),
    (Method::GET, "/users", Person(Admin)),
    (Method::POST, "/users", FreshPerson(Admin)),
    (Method::GET, "/users/:id", Person(Admin)),
    (Method::PATCH, "/users/:id", FreshPerson(Admin)),
    (Method::DELETE, "/users/:id/second-factor", FreshPerson(Admin)),
    (Method::GET, "/tokens", Person(Read)),
    (Method::POST, "/tokens", FreshPerson(Read)),
    (Method::DELETE, "/tokens/:id", Person(Read)),
    (Method::GET, "/users/tokens", Person(Admin)),
    (Method::DELETE, "/users/tokens/:id", FreshPerson(Admin)),
    (Method::GET, "/auth-events", Person(Admin)),
    (Method::GET, "/auth-events/export", Person(Admin)),
    (Method::GET, "/events", Person(Admin)),
    (Method::GET, "/events/export", Person(Admin)),
    (Method::POST, "/events/redact", FreshPerson(Admin)),
    (Method::GET, "/changes", Anyone(Read)),
    (Method::GET, "/checks", Person(Admin)),
    (Method::GET, "/notifications", Person(Read)),
    (Method::POST, "/notifications/read", Person(Read)),
    (Method::GET, "/source-tweets", Anyone(Read)),
    (Method::GET, "/source-tweets/totals", Anyone(Read)),
    (Method::GET, "/source-tweets/export", Anyone(Read)),
    (Method::GET, "/source-tweets/:id", Anyone(Read)),
    (Method::DELETE, "/source-tweets/:id", Anyone(Write)),
    (Method::POST, "/source-tweets/bulk-delete", Anyone(Write)),
    (Method::POST, "/source-tweets/claim", Anyone(Ingest)),
    (Method::POST, "/source-tweets/acknowledge", Anyone(Ingest)),
    (Method::POST, "/source-tweets/release", Anyone(Ingest)),
    (Method::GET, "/campaign-batches", Anyone(Read)),
    (Method::POST, "/campaign-batches/sample", Anyone(Ingest)),
    (Method::GET, "/campaign-batches/:id", Anyone(Read)),
    (Method::PATCH, "/campaign-batches/:id", Anyone(Write)),
    (Method::DELETE, "/campaign-batches/:id", Anyone(Write)),
    (Method::POST, "/campaign-batches/:id/restore", Anyone(Write)),
    (Method::GET, "/generated-tweets", Anyone(Read)),
    (Method::GET, "/generated-tweets/:id", Anyone(Read)),
    (Method::PATCH, "/generated-tweets/:id", Anyone(Write)),
    (Method::DELETE, "/generated-tweets/:id", Anyone(Write)),
    (Method::POST, "/generated-tweets/approve-many", Anyone(Approve)),
    (Method::POST, "/generated-tweets/:id/approve", Anyone(Approve)),
    (Method::POST, "/generated-tweets/:id/withdraw", Anyone(Approve)),
    (Method::POST, "/generated-tweets/:id/reject", Anyone(Write)),
    (Method::POST, "/generated-tweets/:id/restore", Anyone(Write)),
    (Method::POST, "/generated-tweets/:id/move", Anyone(Write)),
    (Method::POST, "/generated-tweets/:id/publish", Anyone(Publish)),
    (Method::POST, "/generated-tweets/publish-many", Anyone(Publish)),
    (Method::GET, "/generated-tweets/:id/history", Anyone(Read)),
    (Method::GET, "/publishing", Anyone(Read)),
    (Method::GET, "/posts", Anyone(Read)),
    (Method::GET, "/posts/:id", Anyone(Read)),
    (Method::GET, "/posts/:id/deliveries", Anyone(Read)),
    (Method::POST, "/posts/:id/cancel", Anyone(Publish)),
    (Method::POST, "/posts/cancel-many", Anyone(Publish)),
    (Method::POST, "/posts/:id/resolve", Anyone(Publish)),
    (Method::GET, "/sandbox/timeline", Anyone(Read)),
    (Method::GET, "/settings", Anyone(Admin)),
    (Method::PATCH, "/settings", FreshPerson(Admin)),
    (Method::GET, "/settings/:key", Anyone(Admin)),
    (Method::PUT, "/settings/:key", FreshPerson(Admin)),
    (Method::DELETE, "/settings/:key", FreshPerson(Admin)),
    (Method::POST, "/settings/validate", Anyone(Admin)),
    (Method::GET, "/settings/history", Anyone(Admin)),
    (Method::POST, "/settings/history/:revision/undo", FreshPerson(Admin)),
    (Method::POST, "/settings/test/:group", Person(Admin)),
];

/// The pages of the console, and the scope that a signed-in user needs to see each.
static PAGES: &[(&str, Scope)] = &[
    ("/", Read),
    ("/review", Read),
    ("/batches", Read),
    ("/batches/:id", Read),
    ("/tweets/:id", Read),
    ("/sources", Read),
    ("/posts", Read),
    ("/posts/:id", Read),
    ("/publishing", Read),
    ("/sandbox", Read),
    ("/notifications", Read),
    ("/account", Read),
    ("/tokens", Read),
    ("/help", Read),
    ("/settings", Admin),
    ("/settings/history", Admin),
    ("/users", Admin),
    ("/audit", Admin),
    ("/checks", Admin),
];

/// The pages of the console that visitors see.
static OPEN_PAGES: &[&str] = &["/setup"];

/// The scope that a page needs; `None` if there is no such page.
pub(super) fn page_scope(path: &str) -> Option<Scope> {
    PAGES.iter().find(|(pattern, _)| fits(pattern, path)).map(|(_, scope)| *scope)
}

/// Whether there is a page at this path.
pub(crate) fn is_page_path(path: &str) -> bool {
    page_scope(path).is_some() || OPEN_PAGES.contains(&path)
}

/// The first segments of the paths of pages.
pub(super) fn page_names() -> impl Iterator<Item = &'static str> {
    let paths = PAGES.iter().map(|(path, _)| *path).chain(OPEN_PAGES.iter().copied());
    paths.filter_map(|path| path.split('/').nth(1))
}

/// Who may call `method` on `path`; `None` if there is no such operation.
pub(super) fn access(method: &Method, path: &str) -> Option<Access> {
    entry(method, path).map(|(_, _, who)| *who)
}

/// The pattern of an operation, by which requests are counted.
pub(super) fn pattern(method: &Method, path: &str) -> Option<&'static str> {
    entry(method, path).map(|(_, pattern, _)| *pattern)
}

fn entry(method: &Method, path: &str) -> Option<&'static (Method, &'static str, Access)> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let fitting = TABLE.iter().filter(|(of, pattern, _)| of == method && fits(pattern, path));
    // A literal segment wins over a placeholder.
    fitting.min_by_key(|(_, pattern, _)| pattern.matches(':').count())
}

/// Whether a path matches a pattern, in which `:name` stands for one segment that is not empty.
pub(crate) fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut found) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found))
                if wanted == found || (wanted.starts_with(':') && !found.is_empty()) => {}
            _ => return false,
        }
    }
}

/// All pages of the console.
#[cfg(test)]
pub(crate) fn pages() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(path, _)| *path)
}

/// All operations, as method and path.
#[cfg(test)]
pub(crate) fn operations() -> impl Iterator<Item = (&'static Method, &'static str)> {
    TABLE.iter().map(|(method, path, _)| (method, *path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use poem_openapi::OpenApiService;
    use serde_json::Value;

    use super::*;

    fn says(access: Access) -> String {
        match access {
            Open => "For everybody.".to_owned(),
            Anyone(scope) => format!("Scope: `{scope}`."),
            Person(Admin) => "For admins who are signed in.".to_owned(),
            Person(_) => "For people who are signed in.".to_owned(),
            FreshPerson(Admin) => {
                "For admins who are signed in and proved who they are a short while ago.".to_owned()
            }
            FreshPerson(_) => {
                "For people who are signed in and proved who they are a short while ago.".to_owned()
            }
            Enrolling => {
                "For people who are signed in, also if they have to set up a second factor first."
                    .to_owned()
            }
            FreshEnrolling => "For people who are signed in and proved who they are a short while \
                               ago, also if they have to set up a second factor first."
                .to_owned(),
            Halfway => {
                "For people who are signed in, or are asked for the second factor.".to_owned()
            }
        }
    }

    #[test]
    fn every_operation_of_the_document_is_in_the_table_and_documents_its_access() {
        let spec = OpenApiService::new(crate::api::all(), "", "").spec();
        let spec: Value = serde_json::from_str(&spec).unwrap();
        let mut documented = BTreeSet::new();
        for (path, methods) in spec["paths"].as_object().unwrap() {
            let path = path.replace('{', ":").replace('}', "");
            for (method, operation) in methods.as_object().unwrap() {
                let method: Method = method.to_uppercase().parse().unwrap();
                let entry = TABLE.iter().find(|(of, at, _)| *of == method && **at == path);
                let (_, _, who) = entry.unwrap_or_else(|| panic!("{method} {path} is missing"));
                let text = operation["description"].as_str().unwrap_or_default();
                let text = text.replace('\n', " ");
                assert!(text.starts_with(&says(*who)), "{method} {path}: {text} {:?}", says(*who));
                documented.insert((method.to_string(), path.clone()));
            }
        }
        assert_eq!(documented.len(), TABLE.len(), "the table has what the document has not");
    }

    #[test]
    fn literal_segments_win_and_other_paths_do_not_match() {
        let of = |path: &str| access(&Method::GET, path);

        assert_eq!(of("/settings/history"), Some(Anyone(Admin)));
        assert_eq!(access(&Method::HEAD, "/users/7"), Some(Person(Admin)));
        for path in ["/users/", "//users", "/Users", "/users/7/", "/users/7/x", "", "/", "/users;x"]
        {
            assert_eq!(of(path), None, "{path}");
        }
        assert_eq!(access(&Method::TRACE, "/users"), None);
    }
}
