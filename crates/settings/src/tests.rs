//! Tests of the settings: after any sequence of changes, the documented value is in effect.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use waggle_kernel::ids::TokenId;
use waggle_kernel::{
    Actor, ActorRef, FixedClock, Limit, MockEntropy, Page, PageRequest, PortError, Scope, Scopes,
};

use crate::kind::{Kind, SettingType};
use crate::ports::{SaveError, SettingRepository, SettingsObserver};
use crate::revision::Revision;
use crate::stored::{Action, Kept, NewChange, NewChanges, Resealed, Stored, StoredSecret};
use crate::testing::{MemoryKeys, MemorySettings, Variables};
use crate::{
    Boolean, Decimal, Email, FaultName, Given, HostName, Integer, KeyId, List, Network, Past,
    Problem, ReconcileSeconds, Seconds, Secret, SettingsError, SettingsManager, SettingsPorts,
    Source, Text, Unreadable, Values, Wish, registry,
};

struct Bench {
    chance: Arc<AtomicU8>,
    repository: Arc<MemorySettings>,
    keys: Arc<MemoryKeys>,
    environment: Variables,
    observer: Arc<Observer>,
}

/// Remembers how many posts are sent at once, each time that settings take effect.
#[derive(Default)]
struct Observer(Mutex<Vec<i64>>);

#[async_trait]
impl SettingsObserver for Observer {
    async fn took_effect(&self, values: &Values) {
        self.0.lock().unwrap().push(values.publish_at_once.number());
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(&[], &[])
    }

    fn with(stored: &[(&str, &str)], environment: &[(&str, &str)]) -> Self {
        let variables =
            environment.iter().map(|&(key, text)| (key.to_owned(), text.to_owned())).collect();
        Self {
            chance: Arc::new(AtomicU8::new(1)),
            repository: Arc::new(MemorySettings::with(stored.iter().copied())),
            keys: Arc::new(MemoryKeys::default()),
            environment: Variables(variables),
            observer: Arc::default(),
        }
    }

    /// Starts a process on the stored settings.
    async fn process(&self) -> SettingsManager {
        self.process_on(self.repository.clone()).await
    }

    async fn process_on(&self, repository: Arc<dyn SettingRepository>) -> SettingsManager {
        let chance = Arc::clone(&self.chance);
        let mut entropy = MockEntropy::new();
        entropy.expect_bytes().returning(move || Ok([chance.fetch_add(1, Ordering::SeqCst); 32]));
        let ports = SettingsPorts {
            repository,
            keys: self.keys.clone(),
            clock: Arc::new(FixedClock::noon()),
            entropy: Arc::new(entropy),
            observer: self.observer.clone(),
        };
        SettingsManager::open(ports, &self.environment).await.unwrap()
    }
}

fn boss() -> Actor {
    Actor::system()
}

/// An admin without access to the command line of the machine.
fn remote_admin() -> Actor {
    Actor::token(TokenId::new(1), "remote", Scopes::of(&[Scope::Admin]))
}

async fn set(settings: &SettingsManager, key: &str, text: &str) -> Result<Revision, SettingsError> {
    let wish = Wish::new(key, Given::Text(text.into()));
    settings.change(&boss(), &[wish], Action::Set).await
}

fn first_page() -> PageRequest {
    PageRequest::first(Limit::DEFAULT)
}

#[derive(Debug, Clone)]
enum Said {
    Set(String),
    Unset,
    /// Another program writes a row, without any validation.
    Row(String),
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_i64..200).prop_map(|number| number.to_string()),
        Just(String::new()),
        " {0,3}".prop_map(String::from),
        Just("soon".to_owned()),
        Just("0".to_owned()),
        Just("-5".to_owned()),
        Just("201".to_owned()),
        ".{0,6}",
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![any_text().prop_map(Said::Set), Just(Said::Unset), any_text().prop_map(Said::Row),]
}

/// The documented meaning: a number from 1 to 200 is a value, a blank text is none, and everything
/// else is rejected.
fn meaning(text: &str) -> Result<Option<i64>, ()> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match text.trim().parse() {
        Ok(number) if (1..=200).contains(&number) => Ok(Some(number)),
        _ => Err(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_documented_value_is_in_effect_after_any_sequence_of_changes(
        environment in prop_oneof![Just(None), any_text().prop_map(Some)],
        story in prop::collection::vec(said(), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let key = "PUBLISH_AT_ONCE";
            let given = environment.as_deref().map_or(Ok(None), meaning);
            let variables: Vec<(&str, &str)> =
                environment.iter().map(|text| (key, text.as_str())).collect();
            let bench = Bench::with(&[], &variables);
            let settings = bench.process().await;
            prop_assert_eq!(settings.problems().len(), usize::from(given.is_err()));
            // The server does not start then, and nothing takes effect.
            let Ok(below) = given else { return Ok(()) };
            let mut stored: Option<i64> = None;
            let mut is_broken = false;
            let mut in_effect = below.unwrap_or(8);
            for said in story {
                match said {
                    Said::Set(text) => {
                        let result = set(&settings, key, &text).await;
                        match meaning(&text) {
                            Err(()) => prop_assert!(
                                matches!(result, Err(SettingsError::Invalid(_))), "{:?}", result
                            ),
                            Ok(number) => {
                                prop_assert!(result.is_ok(), "{:?}", result);
                                stored = number;
                                is_broken = false;
                                in_effect = stored.or(below).unwrap_or(8);
                            }
                        }
                    }
                    Said::Unset => {
                        set(&settings, key, "").await.unwrap();
                        stored = None;
                        is_broken = false;
                        in_effect = below.unwrap_or(8);
                    }
                    Said::Row(text) => {
                        let based_on = bench.repository.load().await.unwrap().revision;
                        let row = NewChange {
                            key: key.to_owned(),
                            action: Action::Set,
                            from: None,
                            to: Some(Kept::Clear(text.clone())),
                        };
                        bench.repository.save(&NewChanges {
                            based_on,
                            at: chrono::DateTime::UNIX_EPOCH,
                            by: ActorRef::nobody(),
                            master_key: None,
                            changes: vec![row],
                        }).await.unwrap();
                        settings.reload().await.unwrap();
                        match meaning(&text) {
                            // The value does not take effect, and neither does the next source.
                            Err(()) => is_broken = true,
                            Ok(number) => {
                                stored = number;
                                is_broken = false;
                                in_effect = stored.or(below).unwrap_or(8);
                            }
                        }
                    }
                }
                prop_assert_eq!(settings.values().publish_at_once.number(), in_effect);
                let shown = settings.show(&boss(), key).unwrap();
                prop_assert_eq!(&shown.value, &json!(in_effect));
                if !is_broken {
                    let source = match (stored, below) {
                        (Some(_), _) => Source::Database,
                        (None, Some(_)) => Source::Environment,
                        (None, None) => Source::Default,
                    };
                    prop_assert_eq!(shown.source, source);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn parsing_never_panics_and_parsed_values_round_trip(
        text in prop_oneof![
            ".{0,40}", "[0-9]{1,6}[smhd]?", "-?[0-9]{1,4}(\\.[0-9]{1,12})?", "(true|Yes|0|off)",
            "[a-z@.]{1,12}", "https://[a-z]{1,8}(/[a-z]{0,4})?", "\\[(\"[a-z.]{1,9}\",?){0,3}\\]",
            "([0-9]{1,3}\\.){3}[0-9]{1,3}(/[0-9]{1,2})?,? ?",
        ],
    ) {
        for declaration in registry::ALL {
            let Ok(once) = (declaration.read)(&text) else { continue };
            // Blank texts count as absent and never reach the parser.
            prop_assume!(!text.trim().is_empty());
            prop_assert!(!once.text.trim().is_empty(), "{} {:?}", declaration.key, once.text);
            let twice = (declaration.read)(&once.text).map_err(TestCaseError::fail)?;
            prop_assert_eq!(&once.text, &twice.text, "{}", declaration.key);
            prop_assert_eq!(once.json, twice.json, "{}", declaration.key);
        }
    }

    #[test]
    fn values_of_every_type_round_trip(
        number in 0_i64..100_000, fraction in 0.05..60.0_f64, on: bool,
        words in prop::collection::vec("[^\\s\0]([^\0]{0,9}[^\\s\0])?", 0..5),
        octets: [u8; 4], prefix in 0_u8..=32, secret in "[ -~äß🐝]{0,30}[!-~]",
        seconds in 600_i64..3_600,
    ) {
        fn same<T: SettingType + PartialEq + std::fmt::Debug>(
            text: &str,
        ) -> Result<(), TestCaseError> {
            let value = T::parse(text).map_err(TestCaseError::fail)?;
            let again = T::parse(&value.encode()).map_err(TestCaseError::fail)?;
            prop_assert_eq!(&value, &again);
            // Clients can submit each value as the API shows it.
            if !matches!(T::KIND, Kind::Secret) {
                let json = value.json();
                let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
                prop_assert_eq!(T::parse(&text).map_err(TestCaseError::fail)?, value);
            }
            Ok(())
        }
        same::<Integer<0, 100_000>>(&number.to_string())?;
        same::<Seconds<0, 100_000>>(&format!("{number}s"))?;
        same::<Decimal<50, 60_000>>(&fraction.to_string())?;
        same::<Boolean>(&on.to_string())?;
        let words: Vec<&String> = words.iter().filter(|word| !word.trim().is_empty()).collect();
        same::<List<Text>>(&json!(words).to_string())?;
        if let Some(word) = words.first() {
            same::<Text>(word)?;
        }
        let [a, b, c, d] = octets;
        same::<List<Network>>(&format!("{a}.{b}.{c}.{d}/{prefix}, ::{a}"))?;
        same::<List<FaultName>>("refuse, blind")?;
        same::<HostName>(&format!("HOST{a}.example.com"))?;
        same::<Email>(&format!("Some One <some{a}@example.com>"))?;
        same::<crate::BaseUrl>(&format!("https://host{a}.example.com/{b}"))?;
        same::<Secret>(&secret)?;
        same::<ReconcileSeconds>(&json!({
            "first_look_after": seconds, "second_look_after": seconds, "resend_within": seconds,
        }).to_string())?;
    }
}

#[tokio::test]
async fn an_empty_row_never_disables_a_protection() {
    let stored = [("DOMAIN_RESTRICTION_ENABLED", ""), ("GOOGLE_VERIFICATION_ENABLED", " ")];
    let bench = Bench::with(&stored, &[("GOOGLE_VERIFICATION_ENABLED", "True")]);

    let settings = bench.process().await;

    assert!(settings.values().domain_restriction_enabled.is_on());
    assert!(settings.values().google_verification_enabled.is_on());
    assert!(settings.problems().is_empty());
    let shown = settings.show(&boss(), "GOOGLE_VERIFICATION_ENABLED").unwrap();
    assert_eq!(shown.source, Source::Environment);
}

#[tokio::test]
async fn all_problems_are_reported_at_once() {
    let bench = Bench::with(
        &[("EMAIL_PORT", "many")],
        &[("PUBLISH_AT_ONCE", "0"), ("ALLOWED_DOMAIN", "@"), ("PUBLISH_LEASE_SECONDS", "3s")],
    );

    let problems = bench.process().await.problems();

    let text = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
    for key in ["EMAIL_PORT", "PUBLISH_AT_ONCE", "ALLOWED_DOMAIN", "PUBLISH_LEASE_SECONDS"] {
        assert!(text.contains(key), "{text}");
    }
    assert_eq!(problems.len(), 4, "{text}");
}

#[tokio::test]
async fn settings_that_depend_on_each_other_are_changed_together() {
    let bench = Bench::new();
    let settings = bench.process().await;

    let alone = set(&settings, "PUBLISH_REQUEST_SECONDS", "100").await;
    let both = settings
        .change(
            &boss(),
            &[
                Wish::new("PUBLISH_REQUEST_SECONDS", Given::Json(json!(100))),
                Wish::new("PUBLISH_LEASE_SECONDS", Given::Text("5m".into())),
            ],
            Action::Set,
        )
        .await;

    assert!(matches!(alone, Err(SettingsError::Invalid(_))), "{alone:?}");
    assert!(both.is_ok(), "{both:?}");
    assert_eq!(settings.values().publish_lease.duration().num_seconds(), 300);
}

#[tokio::test]
async fn an_invalid_row_of_another_process_does_not_take_effect() {
    let bench = Bench::new();
    let settings = bench.process().await;
    set(&settings, "DOMAIN_RESTRICTION_ENABLED", "true").await.unwrap();
    let stored = bench.repository.load().await.unwrap();
    let other = Bench::with(&[("DOMAIN_RESTRICTION_ENABLED", "perhaps")], &[]);
    let mut bad = other.repository.load().await.unwrap();
    bad.revision = stored.revision.next();

    settings.install(bad, Arc::clone(&settings.state().keys), None).unwrap();

    assert!(settings.values().domain_restriction_enabled.is_on());
    assert_eq!(settings.problems().len(), 1);
}

#[tokio::test]
async fn an_older_revision_does_not_replace_a_newer_one() {
    let bench = Bench::new();
    let settings = bench.process().await;
    let old = bench.repository.load().await.unwrap();
    set(&settings, "PUBLISH_AT_ONCE", "3").await.unwrap();

    settings.install(old, Arc::clone(&settings.state().keys), None).unwrap();

    assert_eq!(settings.values().publish_at_once.number(), 3);
}

#[tokio::test]
async fn a_restored_backup_takes_effect() {
    let bench = Bench::new();
    let settings = bench.process().await;
    set(&settings, "PUBLISH_AT_ONCE", "3").await.unwrap();
    set(&settings, "PUBLISH_AT_ONCE", "4").await.unwrap();
    let backup = Bench::new();
    set(&backup.process().await, "PUBLISH_AT_ONCE", "2").await.unwrap();
    bench.repository.restore(&backup.repository);

    settings.reload().await.unwrap();
    let at_once = settings.values().publish_at_once.number();
    set(&settings, "PUBLISH_AT_ONCE", "5").await.unwrap();

    assert_eq!(at_once, 2);
    assert_eq!(settings.values().publish_at_once.number(), 5);
}

#[tokio::test]
async fn a_secret_is_sealed_and_never_shown() {
    let bench = Bench::new();
    let settings = bench.process().await;

    set(&settings, "TWITTER_API_SECRET", "hush-hush-hush-hush-1234\n").await.unwrap();
    set(&settings, "TWITTER_OAUTH2_TOKEN", "short").await.unwrap();

    let kept = format!("{:?}", bench.repository.load().await.unwrap());
    assert!(!kept.contains("hush"), "{kept}");
    let values = settings.values();
    let in_effect = values.twitter_api_secret.as_ref().unwrap().text().expose_secret();
    assert_eq!(in_effect, "hush-hush-hush-hush-1234");
    let shown = settings.show(&boss(), "TWITTER_API_SECRET").unwrap();
    assert_eq!((shown.value, shown.last4.as_deref()), (Value::Null, Some("1234")));
    assert_eq!((shown.is_set, shown.updated_by.as_deref()), (true, Some("system")));
    assert_eq!(settings.show(&boss(), "TWITTER_OAUTH2_TOKEN").unwrap().last4, None);
    let export = settings.export(&boss()).unwrap();
    assert_eq!(export.secrets, ["TWITTER_API_SECRET", "TWITTER_OAUTH2_TOKEN"]);
    assert!(export.settings.is_empty());
    let read = settings.get_setting("TWITTER_API_SECRET", Value::Null);
    assert!(matches!(read, Err(SettingsError::Secret { .. })), "{read:?}");
    let after_a_restart = bench.process().await;
    assert!(after_a_restart.problems().is_empty());
    assert!(after_a_restart.values().twitter_api_secret == values.twitter_api_secret);
}

#[tokio::test]
async fn a_wrong_master_key_is_reported_and_changes_nothing() {
    let bench = Bench::new();
    set(&bench.process().await, "TWITTER_API_SECRET", "hush").await.unwrap();
    let before = bench.repository.load().await.unwrap();
    let right = bench.keys.0.lock().unwrap().clone();
    *bench.keys.0.lock().unwrap() = "ab".repeat(32);

    let settings = bench.process().await;
    let problems = settings.problems();
    let again = set(&settings, "TWITTER_OAUTH2_TOKEN", "hush").await;
    let rotated = settings.rotate_key(&boss(), Unreadable::Refuse).await;

    assert!(problems[0].to_string().contains("TWITTER_API_SECRET is sealed with the master key"));
    assert!(matches!(again, Err(SettingsError::NoMasterKey { .. })), "{again:?}");
    assert!(matches!(rotated, Err(SettingsError::NotOpened { .. })), "{rotated:?}");
    assert_eq!(bench.repository.load().await.unwrap(), before);
    *bench.keys.0.lock().unwrap() = right;
    assert!(bench.process().await.problems().is_empty());
}

#[tokio::test]
async fn an_older_sealed_value_that_is_restored_cannot_be_decrypted() {
    let bench = Bench::new();
    let settings = bench.process().await;
    set(&settings, "TWITTER_API_SECRET", "old").await.unwrap();
    let old = bench.repository.load().await.unwrap().settings.remove(0).value;
    set(&settings, "TWITTER_API_SECRET", "new").await.unwrap();
    let mut stored = bench.repository.load().await.unwrap();
    stored.settings[0].value = old;

    settings.install(stored, Arc::clone(&settings.state().keys), None).unwrap();

    assert!(settings.problems()[0].to_string().contains("changed outside Waggle"));
    let values = settings.values();
    assert_eq!(values.twitter_api_secret.as_ref().unwrap().text().expose_secret(), "new");
}

#[tokio::test]
async fn rotation_keeps_every_secret_including_the_history() {
    let bench = Bench::new();
    let settings = bench.process().await;
    let replica = bench.process().await;
    set(&settings, "TWITTER_API_SECRET", "one").await.unwrap();
    let second = set(&settings, "TWITTER_API_SECRET", "two").await.unwrap();
    replica.reload().await.unwrap();

    let rotated = replica.rotate_key(&boss(), Unreadable::Refuse).await.unwrap();
    settings.reload().await.unwrap();

    assert_eq!(rotated.secrets, 2);
    assert_ne!(rotated.from.unwrap(), rotated.to);
    assert!(settings.problems().is_empty());
    let old_key_gone = bench.keys.0.lock().unwrap().split(',').next().unwrap().to_owned();
    *bench.keys.0.lock().unwrap() = old_key_gone;
    let restarted = bench.process().await;
    let text = |settings: &SettingsManager| {
        let values = settings.values();
        values.twitter_api_secret.as_ref().map(|secret| secret.text().expose_secret().to_owned())
    };
    assert_eq!(text(&restarted).as_deref(), Some("two"));
    restarted.undo(&boss(), second).await.unwrap();
    assert_eq!(text(&restarted).as_deref(), Some("one"));
}

#[tokio::test]
async fn rotation_after_a_lost_master_key_reports_the_lost_settings() {
    let bench = Bench::new();
    let settings = bench.process().await;
    set(&settings, "TWITTER_API_SECRET", "one").await.unwrap();
    set(&settings, "TWITTER_API_SECRET", "two").await.unwrap();
    bench.keys.0.lock().unwrap().clear();
    let settings = bench.process().await;

    let rotated = settings.rotate_key(&boss(), Unreadable::Discard).await.unwrap();
    set(&settings, "TWITTER_API_SECRET", "three").await.unwrap();

    assert_eq!((rotated.secrets, rotated.lost), (0, vec!["TWITTER_API_SECRET".to_owned()]));
    assert!(bench.process().await.problems().is_empty());
}

#[tokio::test]
async fn rotation_prefers_a_newer_provided_key_to_a_generated_one() {
    let bench = Bench::new();
    let settings = bench.process().await;
    set(&settings, "TWITTER_API_SECRET", "hush").await.unwrap();
    {
        let mut keys = bench.keys.0.lock().unwrap();
        *keys = format!("{},{keys}", "cd".repeat(32));
    }

    let rotated = settings.rotate_key(&boss(), Unreadable::Refuse).await.unwrap();

    let waiting = crate::MasterKey::parse(&"cd".repeat(32)).unwrap();
    assert_eq!(&rotated.to, waiting.id());
    let next: KeyId = settings.rotate_key(&boss(), Unreadable::Refuse).await.unwrap().to;
    assert_ne!(&next, waiting.id());
}

#[tokio::test]
async fn secrets_in_plain_text_are_sealed_and_not_copied_to_the_history() {
    let bench = Bench::with(&[("EMAIL_HOST_PASSWORD", "hush-hush")], &[]);
    let settings = bench.process().await;

    let sealed = settings.seal_clear_secrets(&boss()).await.unwrap();

    assert_eq!(sealed, 1);
    let stored = bench.repository.load().await.unwrap();
    assert!(matches!(stored.settings[0].value, Kept::Sealed(_)));
    assert!(!format!("{:?}", bench.repository.changes(Revision(1)).await).contains("hush"));
    let password = settings.values().email_host_password.clone().unwrap();
    assert_eq!(password.text().expose_secret(), "hush-hush");
    assert_eq!(settings.seal_clear_secrets(&boss()).await.unwrap(), 0);
}

#[tokio::test]
async fn overwriting_a_secret_in_plain_text_can_be_undone() {
    let bench = Bench::with(&[("EMAIL_HOST_PASSWORD", "old-hush")], &[]);
    let settings = bench.process().await;
    let changed = set(&settings, "EMAIL_HOST_PASSWORD", "new-hush").await.unwrap();
    let told = settings.changes(&boss(), changed).await.unwrap();
    assert_eq!((&told[0].from, &told[0].to), (&Past::Secret, &Past::Secret));

    settings.undo(&boss(), changed).await.unwrap();

    let password = settings.values().email_host_password.clone().unwrap();
    assert_eq!(password.text().expose_secret(), "old-hush");
}

#[tokio::test]
async fn a_list_of_blank_items_is_not_the_empty_list() {
    let bench = Bench::with(&[], &[("ALLOWED_HOSTS", "a.example"), ("ALLOWED_DOMAIN", " , ")]);
    let settings = bench.process().await;
    assert_eq!(settings.problems().len(), 1);

    for text in [",", " , \n , ", "[\"\"]", "[\" \", \"\"]"] {
        let result = set(&settings, "ALLOWED_HOSTS", text).await;
        assert!(matches!(result, Err(SettingsError::Invalid(_))), "{text} {result:?}");
    }
    assert_eq!(settings.values().allowed_hosts.0.len(), 1);
    set(&settings, "ALLOWED_HOSTS", "[]").await.unwrap();
    assert!(settings.values().allowed_hosts.0.is_empty());
}

#[tokio::test]
async fn a_change_must_not_leave_an_already_broken_rule_broken() {
    let bench = Bench::with(&[], &[("PUBLISH_REQUEST_SECONDS", "60")]);
    let settings = bench.process().await;
    assert_eq!(settings.problems().len(), 1);

    let worse = set(&settings, "PUBLISH_LEASE_SECONDS", "70").await;
    let other = set(&settings, "PUBLISH_AT_ONCE", "3").await;
    let mended = set(&settings, "PUBLISH_LEASE_SECONDS", "130").await;

    assert!(matches!(worse, Err(SettingsError::Invalid(_))), "{worse:?}");
    assert!(other.is_ok() && mended.is_ok(), "{other:?} {mended:?}");
    assert!(settings.problems().is_empty());
}

#[tokio::test]
async fn the_first_process_chooses_the_master_key_that_all_processes_need() {
    let bench = Bench::new();
    bench.process().await.settle_master_key(&boss()).await.unwrap();
    bench.process().await.settle_master_key(&boss()).await.unwrap();
    assert_eq!(bench.repository.load().await.unwrap().revision, Revision(1));
    *bench.keys.0.lock().unwrap() = "ab".repeat(32);

    let problems = bench.process().await.problems();

    assert!(matches!(&problems[..], [Problem::MasterKey { .. }]), "{problems:?}");
}

#[tokio::test]
async fn other_settings_take_effect_when_keys_cannot_be_read() {
    let bench = Bench::new();
    let (one, other) = (bench.process().await, bench.process().await);
    set(&one, "TWITTER_API_SECRET", "hush").await.unwrap();
    other.reload().await.unwrap();
    one.rotate_key(&boss(), Unreadable::Refuse).await.unwrap();
    set(&one, "PUBLISH_AT_ONCE", "3").await.unwrap();
    "garbage".clone_into(&mut *bench.keys.0.lock().unwrap());

    let told = other.reload().await;

    assert!(told.is_err());
    assert_eq!(other.values().publish_at_once.number(), 3);
    assert!(other.values().twitter_api_secret.is_some());
}

#[tokio::test]
async fn the_history_shows_replaced_values_and_undo_restores_them() {
    let bench = Bench::new();
    let settings = bench.process().await;
    let first = set(&settings, "PUBLISH_AT_ONCE", "3").await.unwrap();
    let second = set(&settings, "PUBLISH_AT_ONCE", "4").await.unwrap();
    let secret = set(&settings, "EMAIL_HOST_PASSWORD", "hush").await.unwrap();

    let stale = settings.undo(&boss(), first).await;
    settings.undo(&boss(), second).await.unwrap();
    settings.undo(&boss(), secret).await.unwrap();

    assert!(matches!(stale, Err(SettingsError::NotUndoable { .. })), "{stale:?}");
    assert_eq!(settings.values().publish_at_once.number(), 3);
    assert!(settings.values().email_host_password.is_none());
    let history = settings.history(&boss(), None, first_page()).await.unwrap().items;
    let told: Vec<_> = history
        .iter()
        .map(|change| (change.action, change.from.clone(), change.to.clone()))
        .collect();
    let number = |number: i64| Past::Value(json!(number));
    assert_eq!(
        told,
        [
            (Action::Undo, Past::Secret, Past::NotSet),
            (Action::Undo, number(4), number(3)),
            (Action::Set, Past::NotSet, Past::Secret),
            (Action::Set, number(3), number(4)),
            (Action::Set, Past::NotSet, number(3)),
        ]
    );
    let gone = settings.undo(&boss(), Revision(99)).await;
    assert!(matches!(gone, Err(SettingsError::NoSuchChange(_))), "{gone:?}");
}

#[tokio::test]
async fn an_unset_can_be_undone_unless_the_setting_was_set_since() {
    let bench = Bench::new();
    let settings = bench.process().await;
    set(&settings, "PUBLISH_AT_ONCE", "3").await.unwrap();
    let unset = set(&settings, "PUBLISH_AT_ONCE", "").await.unwrap();

    settings.undo(&boss(), unset).await.unwrap();
    let twice = settings.undo(&boss(), unset).await;

    assert_eq!(settings.values().publish_at_once.number(), 3);
    assert!(matches!(twice, Err(SettingsError::NotUndoable { .. })), "{twice:?}");
}

const EVIL: &str = "https://evil.example";

fn text(key: &str, text: &str) -> Wish {
    Wish::new(key, Given::Text(text.into()))
}

#[tokio::test]
async fn a_remote_admin_cannot_redirect_a_secret() {
    let bench = Bench::with(&[], &[("TWITTER_OAUTH2_TOKEN", "from-the-environment")]);
    let settings = bench.process().await;
    let elsewhere = || text("TWITTER_API_URL", EVIL);
    let with_token = || [elsewhere(), text("TWITTER_OAUTH2_TOKEN", "another")];

    let remote = settings.change(&remote_admin(), &[elsewhere()], Action::Set).await;
    let tried = settings.try_on(&remote_admin(), &[elsewhere()]).map(drop);
    let both = settings.change(&remote_admin(), &with_token(), Action::Set).await;
    // Without the submitted token, the one in the environment would be sent there.
    let unset = [Wish::new("TWITTER_OAUTH2_TOKEN", Given::Nothing)];
    let back = settings.change(&remote_admin(), &unset, Action::Unset).await;
    let tried_back = settings.try_on(&remote_admin(), &unset).map(drop);
    let local = settings.change(&boss(), &unset, Action::Unset).await;

    for refused in [remote.map(drop), tried, back.map(drop), tried_back] {
        assert!(matches!(refused, Err(SettingsError::Receiver { .. })), "{refused:?}");
    }
    assert!(both.is_ok(), "{both:?}");
    assert!(local.is_ok(), "{local:?}");
}

#[tokio::test]
async fn undo_cannot_redirect_a_secret() {
    let bench = Bench::new();
    let settings = bench.process().await;
    set(&settings, "TWITTER_OAUTH2_TOKEN", "the-real-one").await.unwrap();
    let removed = set(&settings, "TWITTER_OAUTH2_TOKEN", "").await.unwrap();
    let elsewhere = [text("TWITTER_API_URL", EVIL)];
    settings.change(&remote_admin(), &elsewhere, Action::Set).await.unwrap();

    let undone = settings.undo(&remote_admin(), removed).await;

    assert!(matches!(undone, Err(SettingsError::Receiver { .. })), "{undone:?}");
}

#[tokio::test]
async fn a_secret_that_this_process_cannot_decrypt_cannot_be_redirected() {
    let bench = Bench::new();
    set(&bench.process().await, "TWITTER_OAUTH2_TOKEN", "the-real-one").await.unwrap();
    *bench.keys.0.lock().unwrap() = "ab".repeat(32);
    let without_key = bench.process().await;

    let elsewhere = [text("TWITTER_API_URL", EVIL)];
    let refused = without_key.change(&remote_admin(), &elsewhere, Action::Set).await;

    assert!(matches!(refused, Err(SettingsError::Receiver { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_remote_admin_cannot_make_waggle_call_this_machine() {
    let bench = Bench::new();
    let settings = bench.process().await;

    for url in [
        "http://127.0.0.1:9",
        "https://127.0.0.1",
        "https://[::1]",
        "https://localhost",
        "https://localhost.localdomain",
    ] {
        let wish = [text("TWITTER_API_URL", url)];
        let remote = settings.try_on(&remote_admin(), &wish).map(drop);
        let local = settings.try_on(&boss(), &wish).map(drop);

        assert!(matches!(remote, Err(SettingsError::Invalid(_))), "{url} {remote:?}");
        assert!(local.is_ok(), "{url} {local:?}");
    }
}

/// Another process rotates the key right after this one has chosen its own.
struct Interrupted {
    kept: Arc<MemorySettings>,
    other: std::sync::Mutex<Option<SettingsManager>>,
}

#[async_trait::async_trait]
impl SettingRepository for Interrupted {
    async fn load(&self) -> Result<Stored, PortError> {
        self.kept.load().await
    }
    async fn save(&self, changes: &NewChanges) -> Result<Revision, SaveError> {
        self.kept.save(changes).await
    }
    async fn history(
        &self,
        key: Option<String>,
        page: PageRequest,
    ) -> Result<Page<crate::Change>, PortError> {
        self.kept.history(key, page).await
    }
    async fn changes(&self, revision: Revision) -> Result<Vec<crate::Change>, PortError> {
        self.kept.changes(revision).await
    }
    async fn secrets(&self) -> Result<(Revision, Vec<StoredSecret>), PortError> {
        let other = self.other.lock().unwrap().take();
        if let Some(other) = other {
            other.rotate_key(&boss(), Unreadable::Refuse).await.unwrap();
        }
        self.kept.secrets().await
    }
    async fn reseal(&self, resealed: &Resealed) -> Result<Revision, SaveError> {
        self.kept.reseal(resealed).await
    }
}

#[tokio::test]
async fn concurrent_rotations_lose_no_secret() {
    let bench = Bench::new();
    let other = bench.process().await;
    set(&other, "TWITTER_API_SECRET", "hush").await.unwrap();
    let interrupted =
        Interrupted { kept: bench.repository.clone(), other: std::sync::Mutex::new(Some(other)) };
    let settings = bench.process_on(Arc::new(interrupted)).await;

    let rotated = settings.rotate_key(&boss(), Unreadable::Discard).await.unwrap();

    assert_eq!((rotated.secrets, rotated.lost), (1, Vec::new()));
    let after = bench.process().await;
    assert!(after.problems().is_empty());
    assert!(after.values().twitter_api_secret.is_some());
}

#[tokio::test]
async fn actors_without_the_admin_scope_cannot_read_or_change_settings() {
    let bench = Bench::new();
    let settings = bench.process().await;
    let scopes = [Scope::Ingest, Scope::Read, Scope::Write, Scope::Approve, Scope::Publish];
    let other = Actor::token(TokenId::new(2), "n8n", Scopes::of(&scopes));
    let wish = [Wish::new("PUBLISH_AT_ONCE", Given::Json(json!(1)))];

    let refused = [
        settings.list(&other, None).map(drop),
        settings.show(&other, "PUBLISH_AT_ONCE").map(drop),
        settings.export(&other).map(drop),
        settings.try_on(&other, &wish).map(drop),
        settings.change(&other, &wish, Action::Set).await.map(drop),
        settings.undo(&other, Revision(1)).await.map(drop),
        settings.history(&other, None, first_page()).await.map(drop),
        settings.rotate_key(&other, Unreadable::Discard).await.map(drop),
    ];

    for result in refused {
        assert!(matches!(result, Err(SettingsError::Forbidden(_))), "{result:?}");
    }
}

#[tokio::test]
async fn a_stale_change_is_rejected_and_a_repeated_one_changes_nothing() {
    let bench = Bench::new();
    let settings = bench.process().await;
    let first = set(&settings, "PUBLISH_AT_ONCE", "3").await.unwrap();
    let based_on = |version| Wish {
        expected: Some(version),
        ..Wish::new("PUBLISH_AT_ONCE", Given::Json(json!(5)))
    };

    let stale = settings.change(&boss(), &[based_on(Revision(0))], Action::Set).await;
    let same = set(&settings, "PUBLISH_AT_ONCE", " 3 ").await.unwrap();
    let fresh = settings.change(&boss(), &[based_on(first)], Action::Set).await.unwrap();

    assert!(matches!(stale, Err(SettingsError::Stale { current, .. }) if current == first));
    assert_eq!(same, first);
    assert_eq!(fresh, first.next());
}

#[tokio::test]
async fn changes_of_two_processes_are_both_kept() {
    let bench = Bench::new();
    let (one, other) = (bench.process().await, bench.process().await);

    set(&one, "PUBLISH_AT_ONCE", "3").await.unwrap();
    set(&other, "custom.colour", "blue").await.unwrap();
    set(&one, "TWITTER_API_SECRET", "hush").await.unwrap();

    other.reload().await.unwrap();
    assert_eq!(other.values().publish_at_once.number(), 3);
    assert_eq!(one.get_setting("custom.colour", Value::Null).unwrap(), json!("blue"));
    assert!(other.values().twitter_api_secret.is_some());
}

#[tokio::test]
async fn custom_settings_accept_any_json_and_unknown_keys_are_rejected() {
    let bench = Bench::with(&[("OLD_SWITCH", "1")], &[]);
    let settings = bench.process().await;
    let voice = json!({ "tone": "dry", "words": ["hive", "waggle"], "limit": 3 });

    settings.set_setting(&boss(), "custom.voice", voice.clone()).await.unwrap();
    let unknown = settings.set_setting(&boss(), "VOICE", voice.clone()).await;

    assert_eq!(settings.get_setting("custom.voice", Value::Null).unwrap(), voice);
    assert_eq!(settings.get_setting("custom.none", json!(7)).unwrap(), json!(7));
    assert_eq!(settings.get_setting("PUBLISH_AT_ONCE", json!(7)).unwrap(), json!(8));
    assert!(settings.get_setting("VOICE", Value::Null).is_err());
    assert!(matches!(unknown, Err(SettingsError::Unknown { .. })), "{unknown:?}");
    assert_eq!(settings.unknown(), ["OLD_SWITCH"]);
    settings.set_setting(&boss(), "OLD_SWITCH", Value::Null).await.unwrap();
    assert!(settings.unknown().is_empty());
    let again = settings.set_setting(&boss(), "OLD_SWITCH", Value::Null).await;
    assert!(matches!(again, Err(SettingsError::Unknown { .. })), "{again:?}");
}

#[tokio::test]
async fn json_values_must_match_the_kind_of_the_setting() {
    let bench = Bench::new();
    let settings = bench.process().await;
    let good = [
        ("TRUSTED_INGEST_NETWORKS", json!(["10.0.0.0/8"]), json!(["10.0.0.0/8"])),
        ("TRUSTED_INGEST_NETWORKS", json!([]), json!([])),
        (
            "SUPER_ADMIN_EMAILS",
            json!("a@B.example, c@d.example"),
            json!(["a@b.example", "c@d.example"]),
        ),
        ("EMAIL_USE_TLS", json!("True"), json!(true)),
        ("EMAIL_PORT", json!(587), json!(587)),
        ("PUBLISH_POLL_SECONDS", json!(0.5), json!(0.5)),
        ("PUBLISH_MISSED_AFTER_SECONDS", json!("1h30m"), json!(5400)),
    ];
    let bad = [
        ("EMAIL_PORT", json!(587.5)),
        ("EMAIL_PORT", json!([587])),
        ("EMAIL_USE_TLS", json!({})),
        ("EMAIL_HOST_USER", json!({ "a": 1 })),
        ("TRUSTED_INGEST_NETWORKS", json!([1])),
        ("TWITTER_API_URL", json!("http://api.x.com")),
        ("TWITTER_API_URL", json!("https://user:secret@api.x.com")),
        (
            "TWITTER_RECONCILE_SECONDS",
            json!({ "first_look_after": 1, "second_look_after": 120, "resend_within": 600 }),
        ),
        ("DEFAULT_FROM_EMAIL", json!("a@b\r\nBcc: c@d")),
    ];

    for (key, value, shown) in good {
        settings.set_setting(&boss(), key, value).await.unwrap();
        assert_eq!(settings.get_setting(key, Value::Null).unwrap(), shown, "{key}");
    }
    for (key, value) in bad {
        let result = settings.set_setting(&boss(), key, value.clone()).await;
        assert!(matches!(result, Err(SettingsError::Invalid(_))), "{key} {value} {result:?}");
    }
}

mod contract {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn the_memory_store_fulfils_the_contract() {
        testing::a_setting_is_kept_written_over_and_removed(Arc::new(MemorySettings::default()))
            .await;
        testing::a_stale_change_of_settings_changes_nothing(Arc::new(MemorySettings::default()))
            .await;
        testing::every_change_of_a_setting_is_in_the_history(Arc::new(MemorySettings::default()))
            .await;
        testing::either_all_secrets_are_resealed_or_none(Arc::new(MemorySettings::default())).await;
        testing::a_lost_secret_is_removed(Arc::new(MemorySettings::default())).await;
    }
}

#[tokio::test]
async fn the_observer_is_called_with_the_values_of_each_change_in_any_process() {
    let bench = Bench::new();
    let (one, other) = (bench.process().await, bench.process().await);

    set(&one, "PUBLISH_AT_ONCE", "7").await.unwrap();
    set(&one, "PUBLISH_AT_ONCE", "many").await.unwrap_err();
    one.reload().await.unwrap();
    other.reload().await.unwrap();

    assert_eq!(*bench.observer.0.lock().unwrap(), [7, 7], "once in each process");
}
