//! What may be wrong with an installation, each with its cause and its remedy.

use chrono::{DateTime, TimeDelta, Utc};
use poem::{Addr, Request};
use url::{Host, Url};
use waggle_console::{Check, CheckState};
use waggle_content::Platform;
use waggle_kernel::{Actor, Clock as _, error_chain};
use waggle_settings::Values;
use waggle_store::{Measures, StoreError, Symptoms};
use waggle_system::{MasterKeyPlace, SystemClock};

use crate::http::{client_address, is_public_host};
use crate::use_cases::UseCases;

/// How late work may be before that is a warning.
const LATE: TimeDelta = TimeDelta::minutes(5);
/// How far two clocks may differ. An authenticator app accepts 30 seconds.
const APART: TimeDelta = TimeDelta::seconds(15);

/// What the checks look at.
struct Facts {
    now: DateTime<Utc>,
    came: Came,
    /// The scheme and host of `PUBLIC_URL`.
    public_url: Option<(String, String)>,
    has_mail_server: bool,
    master_key: KeyPlace,
    is_x_connected: bool,
    /// The number of posts that wait for the owner of their account; `None` if it is not known.
    held_posts: Option<i64>,
    database: Result<(), Trouble>,
    measures: Option<Measures>,
    symptoms: Option<Symptoms>,
}

/// How the request came.
struct Came {
    /// The name of the host that it was sent to, as it arrived.
    host: String,
    /// Whether that is the host of `PUBLIC_URL`, or that is not set.
    is_public_host: bool,
    /// Whether a proxy forwards it.
    is_forwarded: bool,
    /// The network address of the connection, if a proxy forwards the request that is not trusted.
    untrusted_proxy: Option<String>,
    /// Whether the client is on this machine, and so is the address of `PUBLIC_URL` if it is set.
    is_local: bool,
}

/// Where the master key is.
enum KeyPlace {
    Environment,
    File(String),
}

/// What is wrong with the database.
enum Trouble {
    IsFull,
    Other(String),
}

/// Checks the installation. `request` is of an admin, and shows how people reach the server.
pub(crate) async fn run(app: &UseCases, request: &Request) -> Vec<Check> {
    let values = app.settings.values();
    let database = app.store.check().await.map_err(|error: StoreError| {
        if error.is_about_room() { Trouble::IsFull } else { Trouble::Other(error_chain(&error)) }
    });
    let symptoms = app.store.symptoms().await.ok();
    // Right after the clock of the database was read.
    let now = SystemClock.now();
    checks(&Facts {
        now,
        came: Came {
            host: request.header("host").unwrap_or_default().to_owned(),
            is_public_host: is_public_host(&values, request),
            is_forwarded: is_forwarded(request),
            untrusted_proxy: untrusted_proxy(&values, request),
            is_local: client_address(&values, request).is_some_and(|client| client.is_loopback())
                && values.public_url.as_ref().is_none_or(|url| is_loopback(url.url())),
        },
        public_url: values.public_url.as_ref().map(|url| {
            let url = url.url();
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            let host = url.host_str().unwrap_or_default();
            (url.scheme().to_owned(), format!("{host}{port}"))
        }),
        has_mail_server: values.email_host.is_some() || values.email_host_user.is_some(),
        master_key: match &app.master_key {
            MasterKeyPlace::Environment(_) => KeyPlace::Environment,
            MasterKeyPlace::Named(path) | MasterKeyPlace::DataDir(path) => {
                KeyPlace::File(path.display().to_string())
            }
        },
        is_x_connected: app.connections.is_connected(Platform::X),
        held_posts: app.posts.backlog(&Actor::system()).await.ok().map(|backlog| backlog.held),
        database,
        measures: app.store.measures().await.ok(),
        symptoms,
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_forwarded(request: &Request) -> bool {
    let names = ["x-forwarded-for", "x-forwarded-proto", "forwarded"];
    names.iter().any(|name| request.headers().contains_key(*name))
}

fn untrusted_proxy(values: &Values, request: &Request) -> Option<String> {
    let Addr::SocketAddr(peer) = &request.remote_addr().0 else { return None };
    let peer = peer.ip().to_canonical();
    (is_forwarded(request) && !values.trusted_proxies.contains(peer)).then(|| peer.to_string())
}

fn check(title: &'static str, state: CheckState, found: impl Into<String>, remedy: &str) -> Check {
    Check { title, state, found: found.into(), remedy: remedy.to_owned() }
}

/// What could not be checked, because the database does not answer.
fn unknown(title: &'static str) -> Check {
    let found = "It is not known, because the database does not answer.";
    check(title, CheckState::Failed, found, "See the check of the database.")
}

fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        address(facts),
        proxy(facts),
        cookie(facts),
        mail(facts),
        master_key(facts),
        database(facts),
        clock(facts),
        work(facts),
        x(facts),
    ]
}

fn address(facts: &Facts) -> Check {
    const TITLE: &str = "Address";
    let host = &facts.came.host;
    match &facts.public_url {
        None => check(
            TITLE,
            CheckState::Warning,
            "`PUBLIC_URL` is not set, so emails have no links, and people cannot sign in with \
             Google or passkeys.",
            "Set `PUBLIC_URL` to the address that people use.",
        ),
        Some((_, public)) if !facts.came.is_public_host => check(
            TITLE,
            CheckState::Warning,
            format!("Your request came for {host}, but `PUBLIC_URL` is that of {public}."),
            if facts.came.is_forwarded {
                "Make the proxy pass on the header `Host`, or use the address of `PUBLIC_URL`."
            } else {
                "Use the address of `PUBLIC_URL`, or correct it."
            },
        ),
        Some((scheme, public)) => {
            check(TITLE, CheckState::Ok, format!("People reach Waggle at {scheme}://{public}."), "")
        }
    }
}

fn proxy(facts: &Facts) -> Check {
    match &facts.came.untrusted_proxy {
        Some(peer) => check(
            "Proxy",
            CheckState::Warning,
            format!(
                "A proxy at {peer} forwards requests, but `TRUSTED_PROXIES` does not have its \
                 address. All people seem to come from there, and share one limit."
            ),
            "Add the address of the proxy to `TRUSTED_PROXIES`.",
        ),
        None => check("Proxy", CheckState::Ok, "No unknown proxy forwards requests.", ""),
    }
}

fn cookie(facts: &Facts) -> Check {
    let is_secure = facts.public_url.as_ref().is_some_and(|(scheme, _)| scheme == "https");
    if is_secure {
        let found = "Browsers send the session cookie over TLS only.";
        check("Session cookie", CheckState::Ok, found, "")
    } else if facts.came.is_local && facts.came.untrusted_proxy.is_none() {
        let found = "Browsers send the session cookie without TLS, but you are on this machine.";
        check("Session cookie", CheckState::Ok, found, "")
    } else {
        check(
            "Session cookie",
            CheckState::Failed,
            "Browsers send passwords and the session cookie without TLS, so others in the network \
             can read them.",
            "Put a proxy with TLS in front of Waggle, and set `PUBLIC_URL` to its `https://` \
             address.",
        )
    }
}

fn mail(facts: &Facts) -> Check {
    const TITLE: &str = "Email";
    const REMEDY: &str = "Test the settings of the group `mail`, and correct them.";
    let Some(symptoms) = &facts.symptoms else {
        return unknown(TITLE);
    };
    let (given_up, error) = (symptoms.given_up_mails, symptoms.mail_error.as_deref());
    let late = facts.measures.and_then(|measures| measures.next_mail);
    let is_late = late.is_some_and(|due| facts.now - due > LATE);
    match error {
        Some(error) => {
            check(TITLE, CheckState::Failed, format!("The last email that waits: {error}"), REMEDY)
        }
        None if !facts.has_mail_server => check(
            TITLE,
            CheckState::Warning,
            "No mail server is set, so emails are written into the folder `outbox`.",
            "Set `EMAIL_HOST` and the other settings of the group `mail`.",
        ),
        None if given_up > 0 => check(
            TITLE,
            CheckState::Warning,
            format!("{given_up} emails of the last 30 days could not be sent."),
            REMEDY,
        ),
        None if is_late => check(
            TITLE,
            CheckState::Warning,
            "An email has been waiting for more than five minutes.",
            "See the log of the server.",
        ),
        None => check(TITLE, CheckState::Ok, "No email waits for longer than it should.", ""),
    }
}

fn master_key(facts: &Facts) -> Check {
    let found = match &facts.master_key {
        KeyPlace::Environment => "The master key is in the environment.".to_owned(),
        KeyPlace::File(path) => format!("The master key is in the file {path}."),
    };
    let remedy =
        "Keep a copy apart from the backups of the database: without it, secrets are lost.";
    check("Master key", CheckState::Ok, found, remedy)
}

fn database(facts: &Facts) -> Check {
    match &facts.database {
        Ok(()) => check(
            "Database",
            CheckState::Ok,
            "It answers, and its disk is not known to be full.",
            "",
        ),
        Err(Trouble::IsFull) => check(
            "Database",
            CheckState::Failed,
            "The disk of the database is full.",
            "Make space. Nothing was lost, and what waits goes on by itself.",
        ),
        Err(Trouble::Other(error)) => check(
            "Database",
            CheckState::Failed,
            format!("It does not answer: {error}"),
            "Start the database, or correct `WAGGLE_DATABASE_URL`.",
        ),
    }
}

fn clock(facts: &Facts) -> Check {
    let Some(symptoms) = &facts.symptoms else { return unknown("Clock") };
    match symptoms.clock.map(|other| (other - facts.now).abs()) {
        Some(apart) if apart > APART => check(
            "Clock",
            CheckState::Failed,
            format!(
                "The clocks of this server and of the database are {} seconds apart.",
                apart.num_seconds()
            ),
            "Synchronize both with NTP. Until then, posts go out at wrong times.",
        ),
        Some(_) => check("Clock", CheckState::Ok, "It agrees with the clock of the database.", ""),
        None => check(
            "Clock",
            CheckState::Ok,
            format!("It shows {} UTC.", facts.now.format("%-d %b %Y, %H:%M:%S")),
            "Compare it with your own: there is no other clock to compare it with.",
        ),
    }
}

fn work(facts: &Facts) -> Check {
    const TITLE: &str = "Background work";
    let Some(measures) = facts.measures else { return unknown(TITLE) };
    let is_late = |time: Option<DateTime<Utc>>| time.is_some_and(|time| facts.now - time > LATE);
    if is_late(measures.next_post) {
        check(
            TITLE,
            CheckState::Failed,
            "A post is more than five minutes late.",
            "See `/publishing` and the log of the server.",
        )
    } else if is_late(measures.oldest_waiting_event) {
        check(
            TITLE,
            CheckState::Failed,
            "Events have been waiting for more than five minutes to be appended to the audit log. \
             Until then, nobody is told of them.",
            "See the log of the server.",
        )
    } else {
        check(TITLE, CheckState::Ok, "No post and no event is late.", "")
    }
}

fn x(facts: &Facts) -> Check {
    if let Some(held) = facts.held_posts.filter(|held| *held > 0) {
        check(
            "X",
            CheckState::Failed,
            format!("{held} posts wait for the owner of the account."),
            "See the reason in `/publishing`, and correct the credentials in the group `twitter`.",
        )
    } else if facts.is_x_connected {
        check(
            "X",
            CheckState::Ok,
            "Its credentials are set, and no post waits because of them.",
            "",
        )
    } else {
        check(
            "X",
            CheckState::Warning,
            "It is not connected. Posts go to the sandbox only.",
            "Set the credentials of X in the group `twitter`.",
        )
    }
}

#[cfg(test)]
mod tests {
    use waggle_kernel::FixedClock;

    use super::*;

    fn came(is_public_host: bool, is_forwarded: bool) -> Came {
        let host = "waggle.example".into();
        Came { host, is_public_host, is_forwarded, untrusted_proxy: None, is_local: false }
    }

    fn well() -> Facts {
        let now = FixedClock::noon().now();
        Facts {
            now,
            came: came(true, false),
            public_url: Some(("https".into(), "waggle.example".into())),
            has_mail_server: true,
            master_key: KeyPlace::Environment,
            is_x_connected: true,
            held_posts: Some(0),
            database: Ok(()),
            measures: Some(Measures {
                next_post: Some(now),
                next_mail: None,
                oldest_waiting_event: Some(now),
                last_event: 1,
                unknown_posts: 0,
            }),
            symptoms: Some(Symptoms {
                given_up_mails: 0,
                mail_error: None,
                clock: Some(now + TimeDelta::seconds(1)),
            }),
        }
    }

    /// The titles of the checks that are not ok.
    fn wrong(facts: &Facts) -> Vec<(&'static str, CheckState)> {
        let wrong = checks(facts).into_iter().filter(|check| check.state != CheckState::Ok);
        wrong
            .map(|check| {
                assert!(!check.found.is_empty() && !check.remedy.is_empty(), "{check:?}");
                (check.title, check.state)
            })
            .collect()
    }

    #[test]
    fn each_fault_is_found_alone() {
        use CheckState::{Failed, Warning};
        assert_eq!(wrong(&well()), []);
        let (now, measures) = (well().now, well().measures.unwrap());
        let late = Some(now - TimeDelta::minutes(6));
        let symptoms = || well().symptoms.unwrap();
        let cases = [
            (Facts { came: came(false, false), ..well() }, ("Address", Warning)),
            (Facts { came: came(false, true), ..well() }, ("Address", Warning)),
            (Facts { held_posts: Some(2), ..well() }, ("X", Failed)),
            (
                Facts {
                    came: Came { untrusted_proxy: Some("10.0.0.7".into()), ..came(true, true) },
                    ..well()
                },
                ("Proxy", Warning),
            ),
            (
                Facts { public_url: Some(("http".into(), "waggle.example".into())), ..well() },
                ("Session cookie", Failed),
            ),
            (Facts { has_mail_server: false, ..well() }, ("Email", Warning)),
            (
                Facts { symptoms: Some(Symptoms { given_up_mails: 2, ..symptoms() }), ..well() },
                ("Email", Warning),
            ),
            (
                Facts {
                    symptoms: Some(Symptoms { mail_error: Some("535".into()), ..symptoms() }),
                    ..well()
                },
                ("Email", Failed),
            ),
            (
                Facts { measures: Some(Measures { next_mail: late, ..measures }), ..well() },
                ("Email", Warning),
            ),
            (Facts { database: Err(Trouble::IsFull), ..well() }, ("Database", Failed)),
            (
                Facts { database: Err(Trouble::Other("refused".into())), ..well() },
                ("Database", Failed),
            ),
            (
                Facts {
                    symptoms: Some(Symptoms {
                        clock: Some(now - TimeDelta::seconds(16)),
                        ..symptoms()
                    }),
                    ..well()
                },
                ("Clock", Failed),
            ),
            (
                Facts { measures: Some(Measures { next_post: late, ..measures }), ..well() },
                ("Background work", Failed),
            ),
            (
                Facts {
                    measures: Some(Measures { oldest_waiting_event: late, ..measures }),
                    ..well()
                },
                ("Background work", Failed),
            ),
            (Facts { measures: None, ..well() }, ("Background work", Failed)),
            (Facts { is_x_connected: false, ..well() }, ("X", Warning)),
        ];
        for (facts, found) in cases {
            assert_eq!(wrong(&facts), [found]);
        }
    }

    #[test]
    fn a_new_installation_on_this_machine_has_warnings_only() {
        let facts = Facts {
            came: Came { host: "localhost:8080".into(), is_local: true, ..came(true, false) },
            public_url: None,
            has_mail_server: false,
            master_key: KeyPlace::File("/data/master.key".into()),
            is_x_connected: false,
            ..well()
        };

        let warned = wrong(&facts);

        assert!(warned.iter().all(|(_, state)| *state == CheckState::Warning), "{warned:?}");
        assert_eq!(warned.len(), 3);
    }
}
