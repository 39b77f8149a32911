//! Signing in with Google.
//!
//! ```text
//! begin ──▶ at Google ──▶ finish ──┬─▶ known by its id ──▶ signed in
//!                                  ├─▶ the domain is not allowed ──▶ refused, and recorded
//!                                  └─▶ first time ──▶ code mailed ──▶ confirm ──▶ signed in
//! ```

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use secrecy::SecretString;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use url::Url;
use waggle_kernel::{Clock, Entropy, Exhausted, PortError};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::codes::code::{Intent, Purpose, Registration};
use crate::codes::mailed_codes::{CodeError, Codes, Issued, Presented, Wanted};
use crate::google::identity::{GoogleProfile, IdentityError, SignInSecrets};
use crate::google::return_to::ReturnTo;
use crate::limits::{BREACH_MAILS, GOOGLE_CLIENT};
use crate::mails::mail::{Letter, NewMail};
use crate::people::address::Address;
use crate::people::password::StoredPassword;
use crate::people::register::{Newcomer, RegisterError};
use crate::people::user::{Login, User, derived};
use crate::policy::AccountPolicy;
use crate::ports::{CarryOutError, Effect, GoogleAccounts, IdentityProvider, UserRepository};

/// The timeout between sending a browser to Google and its return.
pub const GOOGLE_PATIENCE: Duration = Duration::minutes(10);

/// Signs users in with Google.
pub struct GoogleSignIn {
    pub provider: Arc<dyn IdentityProvider>,
    pub accounts: Arc<dyn GoogleAccounts>,
    pub users: Arc<dyn UserRepository>,
    pub codes: Arc<Codes>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// A sign-in with Google that has begun.
pub struct Begun {
    /// Where to send the browser.
    pub url: Url,
    /// The secret that the browser must store, and present when it comes back.
    pub browser: SecretString,
}

/// What a browser brings back from Google.
pub struct Callback {
    /// The `state` parameter of the request.
    pub state: String,
    /// The code, or the error that Google returned instead (RFC 6749, section 4.1.2.1).
    pub outcome: Result<String, String>,
}

/// The result of a sign-in with Google.
pub enum Finished {
    /// The Google account is linked to a user.
    Known {
        user: Box<User>,
        /// The user's password hash, or [`StoredPassword::none`].
        password: StoredPassword,
        /// Where the browser goes next.
        return_to: ReturnTo,
    },
    /// A code was mailed, which must be confirmed first.
    CodeSent(Issued),
}

impl GoogleSignIn {
    /// Begins a sign-in with Google.
    pub async fn begin(
        &self,
        return_to: &str,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Begun, GoogleError> {
        let now = self.clock.now();
        let budget: Vec<_> = policy.limits.of_client(&GOOGLE_CLIENT, client).into_iter().collect();
        if let Some(exhausted) = self.codes.limits.take(&budget, now).await? {
            return Err(GoogleError::Limited(exhausted));
        }
        let browser = URL_SAFE_NO_PAD.encode(self.entropy.bytes()?);
        let secrets = SignInSecrets::of(&browser).ok_or(GoogleError::Stale)?;
        let domains = policy.admission.domains.as_deref();
        let only = domains.and_then(|domains| if let [only] = domains { Some(only) } else { None });
        let url = self.provider.address(&secrets, only.cloned()).await?;
        let return_to = ReturnTo::new(return_to);
        self.accounts.begin(&secrets.hash, &return_to, now, now + GOOGLE_PATIENCE).await?;
        Ok(Begun { url, browser: browser.into() })
    }

    /// Finishes the sign-in of a browser that comes back from Google. `browser` is the secret that
    /// the browser stored; a callback is accepted once.
    ///
    /// # Errors
    ///
    /// On any error, no session is opened and no user is created. An event records the reason.
    pub async fn finish(
        &self,
        browser: Option<&str>,
        callback: &Callback,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Finished, GoogleError> {
        let now = self.clock.now();
        let secrets = browser.and_then(SignInSecrets::of).filter(|secrets| {
            bool::from(secrets.state.as_bytes().ct_eq(callback.state.as_bytes()))
        });
        let taken = match &secrets {
            Some(secrets) => self.accounts.take(&secrets.hash, now).await?,
            None => None,
        };
        let (Some(secrets), Some(return_to)) = (secrets, taken) else {
            // Anybody can call this, so the number of these events is limited.
            let budget: Vec<_> =
                policy.limits.of_client(&GOOGLE_CLIENT, client).into_iter().collect();
            if self.codes.limits.take(&budget, now).await?.is_none() {
                self.failed(
                    "it was already used, started in another browser, or has expired",
                    client,
                )
                .await?;
            }
            return Err(GoogleError::Stale);
        };
        let code = match &callback.outcome {
            Ok(code) => code,
            Err(said) => {
                self.failed(&format!("Google returned the error {said}"), client).await?;
                // RFC 6749, section 4.1.2.1.
                if matches!(said.as_str(), "server_error" | "temporarily_unavailable") {
                    let error = PortError::unavailable("signing in with Google", said.clone());
                    return Err(IdentityError::Unreachable(error).into());
                }
                return Err(GoogleError::Denied);
            }
        };
        let profile = match self.provider.profile(code, &secrets).await {
            Ok(profile) => profile,
            Err(error) => {
                self.failed(&reason(&error), client).await?;
                return Err(error.into());
            }
        };
        self.require_admission(&profile, client, policy).await?;
        if let Some((user, password)) = self.accounts.find(&profile.identity).await? {
            if !user.is_active {
                self.refuse(&profile, "the user is deactivated", client).await?;
                return Err(GoogleError::Refused);
            }
            return Ok(Finished::Known { user: Box::new(user), password, return_to });
        }
        self.first_time(profile, return_to, client, policy).await
    }

    /// Handles a Google account that is not linked to a user yet. If a user has the address, the
    /// account is only linked with a code. Otherwise a user is created, with a code if the setting
    /// requires it.
    async fn first_time(
        &self,
        profile: GoogleProfile,
        return_to: ReturnTo,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Finished, GoogleError> {
        let owner = self.users.find_login(&Login::Email(profile.email.clone())).await?;
        let registration = || {
            Ok::<_, RegisterError>(Registration {
                username: derived(&profile.email, 0)?,
                first_name: profile.first_name.clone(),
                last_name: profile.last_name.clone(),
                password: StoredPassword::none(),
            })
        };
        let mut event =
            NewAuthEvent::new(EventKind::GoogleVerificationSent, client, self.clock.now());
        event.email = profile.email.to_string();
        let intent = match owner {
            Some((user, _)) if !user.is_active => {
                self.refuse(&profile, "the user is deactivated", client).await?;
                return Err(GoogleError::Refused);
            }
            Some((user, _)) if self.accounts.is_linked(user.id).await? => {
                let why = "the user is linked to another Google account";
                self.refuse(&profile, why, client).await?;
                return Err(GoogleError::Refused);
            }
            Some((user, _)) => {
                event.user = Some(user.id);
                Intent::LinkGoogle(user.id, profile.identity.clone())
            }
            None if !policy.is_registration_open => {
                self.refuse(&profile, "registration is closed", client).await?;
                return Err(RegisterError::Closed.into());
            }
            // Google only vouches for addresses whose mailbox it runs. Super admins always need a
            // code.
            None if policy.google_code
                || !profile.is_run_by_google()
                || policy.admission.is_super_admin(&profile.email) =>
            {
                Intent::RegisterGoogle(registration()?, profile.identity.clone())
            }
            None => {
                let newcomer = Newcomer {
                    registration: registration()?,
                    email: &profile.email,
                    google: Some(profile.identity.clone()),
                };
                let made = self.codes.make_user(None, newcomer, client, policy).await?;
                made.ok_or(GoogleError::Stale)?;
                let (user, password) =
                    self.accounts.find(&profile.identity).await?.ok_or(GoogleError::Stale)?;
                return Ok(Finished::Known { user: Box::new(user), password, return_to });
            }
        };
        let (purpose, address) = (Purpose::GoogleVerification, &profile.email);
        self.codes.allow_mailing(purpose, address, None, client, policy).await?;
        let wanted = Wanted { purpose, address, intent, instead: None, event };
        Ok(Finished::CodeSent(self.codes.issue(wanted, policy).await?))
    }

    /// Links or creates the user with the mailed code. A link is not accepted, because the code is
    /// bound to the browser that began the sign-in.
    ///
    /// # Errors
    ///
    /// On any error, nothing is changed.
    pub async fn confirm(
        &self,
        flow: String,
        code: String,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(User, StoredPassword), GoogleError> {
        let (purpose, presented) = (Purpose::GoogleVerification, Presented::Code { flow, code });
        let found = self.codes.check(&presented, purpose, client, policy).await?;
        if !policy.admission.admits(&found.address) {
            return Err(GoogleError::ForeignDomain);
        }
        let now = self.clock.now();
        let google = match found.intent {
            Intent::LinkGoogle(id, google) => {
                let user = self.users.find(id).await?.ok_or(CodeError::Refused)?;
                let kind = EventKind::GoogleVerified;
                let mut event = NewAuthEvent::of_user(kind, &user, client, now);
                event.metadata = json!({ "oauth_uid": google.subject });
                event.mails = vec![NewMail::notice(user.email, Letter::GoogleLinked, now)];
                let effect =
                    Effect::LinkGoogle { user: id, address: found.address, google: google.clone() };
                let done = self.codes.verifications.carry_out(Some(found.flow), &effect, &event);
                match done.await {
                    Ok(Some(_)) => google,
                    Ok(None) | Err(CarryOutError::AddressTaken | CarryOutError::UsernameTaken) => {
                        return Err(CodeError::Refused.into());
                    }
                    Err(CarryOutError::Port(error)) => return Err(error.into()),
                }
            }
            Intent::RegisterGoogle(registration, google) => {
                let newcomer =
                    Newcomer { registration, email: &found.address, google: Some(google.clone()) };
                let made = self.codes.make_user(Some(found.flow), newcomer, client, policy).await?;
                made.ok_or(CodeError::Refused)?;
                google
            }
            _ => return Err(CodeError::Refused.into()),
        };
        Ok(self.accounts.find(&google).await?.ok_or(CodeError::Refused)?)
    }

    /// Refuses domains that are not allowed, and notifies the security admins. If domains are
    /// restricted, the organization of the account must have the same domain, because a private
    /// Google account can have an address of that domain too.
    async fn require_admission(
        &self,
        profile: &GoogleProfile,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), GoogleError> {
        let admission = &policy.admission;
        let is_of_house = profile.hosted_domain.as_deref() == Some(profile.email.domain());
        let is_spared = admission.admit_super_admins && admission.is_super_admin(&profile.email);
        if admission.admits(&profile.email)
            && (!admission.is_restricted() || is_of_house || is_spared)
        {
            return Ok(());
        }
        let now = self.clock.now();
        let mut event = NewAuthEvent::new(EventKind::GoogleBreach, client, now);
        event.email = profile.email.to_string();
        event.metadata = json!({
            "provider": "google",
            "oauth_uid": profile.identity.subject,
            "breach_type": "domain_restriction",
            "attempted_email": profile.email.as_str(),
            "hosted_domain": profile.hosted_domain,
        });
        let letter = Letter::Breach {
            email: profile.email.clone(),
            ip: client.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        };
        let budget = [policy.limits.budget(&BREACH_MAILS, "all")];
        if self.codes.limits.take(&budget, now).await?.is_none() {
            let tell = |to: &Address| NewMail::notice(to.clone(), letter.clone(), now);
            event.mails = policy.security_admins.iter().map(tell).collect();
        }
        self.codes.events.record(&event).await?;
        Err(GoogleError::ForeignDomain)
    }

    /// Records a failure without a known Google account.
    async fn failed(&self, why: &str, client: &Client) -> Result<(), PortError> {
        let mut event = NewAuthEvent::new(EventKind::GoogleFailure, client, self.clock.now());
        event.metadata = json!({ "why": why });
        self.codes.events.record(&event).await
    }

    /// Records that a Google account was refused.
    async fn refuse(
        &self,
        profile: &GoogleProfile,
        why: &str,
        client: &Client,
    ) -> Result<(), PortError> {
        let mut event = NewAuthEvent::new(EventKind::GoogleFailure, client, self.clock.now());
        event.email = profile.email.to_string();
        event.metadata = json!({ "why": why, "oauth_uid": profile.identity.subject });
        self.codes.events.record(&event).await
    }
}

/// Returns the reason for the audit log, without any part of the token.
fn reason(error: &IdentityError) -> String {
    match error {
        IdentityError::Refused(error)
        | IdentityError::Unreachable(error)
        | IdentityError::NotTheIssuer(error)
        | IdentityError::Port(error) => {
            let source = std::error::Error::source(error).map(ToString::to_string);
            source.unwrap_or_else(|| error.to_string())
        }
        other => other.to_string(),
    }
}

/// Errors of [`GoogleSignIn`].
#[derive(Debug, Error)]
pub enum GoogleError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The browser did not begin this sign-in, or it was already finished or has expired.
    #[error("this sign-in was started in another browser or has expired; start again")]
    Stale,
    #[error("accounts of this domain are not allowed; the attempt was recorded")]
    ForeignDomain,
    /// The person or Google cancelled the sign-in.
    #[error("Google did not complete this sign-in")]
    Denied,
    /// The user is deactivated, or linked to another Google account.
    #[error("this Google account cannot be used to sign in")]
    Refused,
    #[error("too many attempts; try again later")]
    Limited(Exhausted),
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<crate::people::user::InvalidUsername> for GoogleError {
    fn from(error: crate::people::user::InvalidUsername) -> Self {
        Self::Register(error.into())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use waggle_kernel::ids::UserId;
    use waggle_kernel::{FixedClock, MockEntropy, MockLimits};

    use super::*;
    use crate::google::identity::GoogleIdentity;
    use crate::people::role::Role;
    use crate::people::user::PersonName;
    use crate::ports::{MockGoogleAccounts, MockIdentityProvider, MockUserRepository};
    use crate::testing::scene::{Scene, policy, presented};
    use crate::testing::user;

    fn browser() -> String {
        "a".repeat(43)
    }

    fn state_of(browser: &str) -> String {
        SignInSecrets::of(browser).unwrap().state
    }

    /// Joe of `hive.example`, whose mailbox Google runs.
    fn profile() -> GoogleProfile {
        GoogleProfile {
            identity: GoogleIdentity {
                issuer: "https://issuer".to_owned(),
                subject: "7".to_owned(),
            },
            email: "joe@hive.example".parse().unwrap(),
            hosted_domain: Some("hive.example".to_owned()),
            first_name: "Joe".parse().unwrap(),
            last_name: PersonName::default(),
        }
    }

    struct Google {
        scene: Scene,
        accounts: MockGoogleAccounts,
        users: MockUserRepository,
        answer: Result<GoogleProfile, IdentityError>,
    }

    impl Google {
        /// No account is known, and Google returns this profile.
        fn says(profile: GoogleProfile) -> Self {
            let mut accounts = MockGoogleAccounts::new();
            accounts.expect_take().returning(|_, _| Ok(Some(ReturnTo::new("/docs"))));
            let users = MockUserRepository::new();
            Self { scene: Scene::new(), accounts, users, answer: Ok(profile) }
        }

        /// The address belongs to this user.
        fn with_owner(mut self, owner: Option<User>) -> Self {
            self.users
                .expect_find_login()
                .returning(move |_| Ok(owner.clone().map(|user| (user, StoredPassword::none()))));
            self.accounts.expect_find().returning(|_| Ok(None));
            self
        }

        /// Expects one event of this kind with so many notification emails.
        fn writes_down(mut self, kind: EventKind, mails: usize) -> Self {
            let is_it =
                move |event: &NewAuthEvent| event.kind == kind && event.mails.len() == mails;
            self.scene.events.expect_record().withf(is_it).once().returning(|_| Ok(()));
            self
        }

        /// Expects a mailed code with a matching intent.
        fn mails_a_code_for(mut self, is_it: fn(&Intent) -> bool) -> Self {
            let is_it = move |new: &crate::codes::code::NewVerification, _: &NewAuthEvent| {
                is_it(&new.intent)
            };
            self.scene.verifications.expect_keep().withf(is_it).once().returning(|_, _| Ok(()));
            self
        }

        fn sign_in(self) -> GoogleSignIn {
            let (mut provider, mut entropy) = (MockIdentityProvider::new(), MockEntropy::new());
            let mut answer = Some(self.answer);
            provider
                .expect_profile()
                .returning(move |_, _| answer.take().expect("it is asked once"));
            entropy.expect_bytes().returning(|| Ok([7; 32]));
            GoogleSignIn {
                provider: Arc::new(provider),
                accounts: Arc::new(self.accounts),
                users: Arc::new(self.users),
                codes: self.scene.codes(),
                clock: Arc::new(FixedClock::noon()),
                entropy: Arc::new(entropy),
            }
        }

        async fn finish(self, policy: &AccountPolicy) -> Result<Finished, GoogleError> {
            let callback = Callback { state: state_of(&browser()), outcome: Ok("code".to_owned()) };
            self.sign_in().finish(Some(&browser()), &callback, &Client::default(), policy).await
        }
    }

    #[tokio::test]
    async fn a_callback_in_another_browser_is_rejected_without_a_lookup() {
        let other = state_of(&"b".repeat(43));
        for (shown, state) in [(Some(browser()), other), (None, state_of(&browser()))] {
            let mut accounts = MockGoogleAccounts::new();
            accounts.expect_take().never();
            let google = Google { accounts, ..Google::says(profile()) };
            let google = google.writes_down(EventKind::GoogleFailure, 0).sign_in();

            let callback = Callback { state, outcome: Ok("code".to_owned()) };
            let finished =
                google.finish(shown.as_deref(), &callback, &Client::default(), &policy()).await;

            assert!(matches!(finished, Err(GoogleError::Stale)));
        }
    }

    #[tokio::test]
    async fn events_of_unknown_callbacks_are_limited() {
        let mut google = Google::says(profile());
        google.scene.limits = MockLimits::new();
        google.scene.limits.expect_take().once().returning(|budgets, now| {
            Ok(Some(Exhausted { budget: budgets[0].clone(), refusals: 1, until: now }))
        });
        google.scene.events.expect_record().never();

        let callback = Callback { state: String::new(), outcome: Ok("code".to_owned()) };
        let client = Client { ip: Some([10, 0, 0, 7].into()), ..Client::default() };
        let finished = google.sign_in().finish(None, &callback, &client, &policy()).await;

        assert!(matches!(finished, Err(GoogleError::Stale)));
    }

    #[tokio::test]
    async fn an_error_from_google_is_recorded_and_ends_the_sign_in() {
        for (said, is_down) in [("access_denied", false), ("temporarily_unavailable", true)] {
            let google = Google::says(profile()).writes_down(EventKind::GoogleFailure, 0).sign_in();
            let outcome = Err(said.to_owned());
            let callback = Callback { state: state_of(&browser()), outcome };

            let finished =
                google.finish(Some(&browser()), &callback, &Client::default(), &policy()).await;

            let Err(error) = finished else { panic!("the sign-in succeeded") };
            let is_unreachable =
                matches!(error, GoogleError::Identity(IdentityError::Unreachable(_)));
            assert!(is_unreachable == is_down, "{error}");
            assert!(is_down || matches!(error, GoogleError::Denied), "{error}");
        }
    }

    #[tokio::test]
    async fn a_rejected_token_is_recorded() {
        let answer = Err(IdentityError::Unverified);
        let google = Google { answer, ..Google::says(profile()) };

        let finished = google.writes_down(EventKind::GoogleFailure, 0).finish(&policy()).await;

        assert!(matches!(finished, Err(GoogleError::Identity(IdentityError::Unverified))));
    }

    #[tokio::test]
    async fn an_account_is_identified_by_its_id() {
        for (is_active, is_in) in [(true, true), (false, false)] {
            let known = User { is_active, ..user(3, Role::Viewer) };
            let mut google = Google::says(profile());
            google
                .accounts
                .expect_find()
                .withf(|identity| identity.subject == "7")
                .returning(move |_| Ok(Some((known.clone(), StoredPassword::none()))));
            if !is_in {
                google = google.writes_down(EventKind::GoogleFailure, 0);
            }

            match google.finish(&policy()).await {
                Ok(Finished::Known { user, return_to, .. }) => {
                    assert!(is_in && user.id == UserId::new(3) && return_to.as_str() == "/docs");
                }
                Ok(Finished::CodeSent(_)) => panic!("nobody asks for a code"),
                Err(error) => assert!(!is_in && matches!(error, GoogleError::Refused), "{error}"),
            }
        }
    }

    #[tokio::test]
    async fn domains_that_are_not_allowed_are_refused_and_reported() {
        let foreign = GoogleProfile { email: "joe@hive.example.org".parse().unwrap(), ..profile() };
        let private = GoogleProfile { hosted_domain: None, ..profile() };
        let other_house =
            GoogleProfile { hosted_domain: Some("org.example".to_owned()), ..profile() };

        for profile in [foreign, private, other_house] {
            let google = Google::says(profile).writes_down(EventKind::GoogleBreach, 1);
            let finished = google.finish(&policy()).await;
            assert!(matches!(finished, Err(GoogleError::ForeignDomain)));
        }
    }

    #[tokio::test]
    async fn an_address_alone_links_no_account() {
        let owner = Some(user(3, Role::Admin));
        let mut google = Google::says(profile()).with_owner(owner.clone());
        google.accounts.expect_is_linked().returning(|_| Ok(false));
        let is_link =
            |intent: &Intent| matches!(intent, Intent::LinkGoogle(id, _) if id.number() == 3);
        // Even if the setting is off.
        let policy = AccountPolicy { google_code: false, ..policy() };

        let finished = google.mails_a_code_for(is_link).finish(&policy).await;
        assert!(matches!(finished, Ok(Finished::CodeSent(_))));

        let mut linked = Google::says(profile()).with_owner(owner);
        linked.accounts.expect_is_linked().returning(|_| Ok(true));
        let finished = linked.writes_down(EventKind::GoogleFailure, 0).finish(&policy).await;
        assert!(matches!(finished, Err(GoogleError::Refused)));
    }

    #[tokio::test]
    async fn a_new_user_is_mailed_a_code_if_the_setting_or_the_mailbox_requires_it() {
        let without = AccountPolicy { google_code: false, ..policy() };
        let boss = GoogleProfile { email: "boss@hive.example".parse().unwrap(), ..profile() };
        let mut unrestricted = without.clone();
        unrestricted.admission.domains = None;
        let elsewhere = GoogleProfile {
            email: "joe@elsewhere.example".parse().unwrap(),
            hosted_domain: None,
            ..profile()
        };
        let is_registration = |intent: &Intent| matches!(intent, Intent::RegisterGoogle(..));
        for (profile, policy) in
            [(profile(), policy()), (boss, without.clone()), (elsewhere, unrestricted)]
        {
            let google = Google::says(profile).with_owner(None);
            let finished = google.mails_a_code_for(is_registration).finish(&policy).await;
            assert!(matches!(finished, Ok(Finished::CodeSent(_))));
        }
        let closed = AccountPolicy { is_registration_open: false, ..without };
        let google = Google::says(profile()).with_owner(None);
        let finished = google.writes_down(EventKind::GoogleFailure, 0).finish(&closed).await;
        assert!(matches!(finished, Err(GoogleError::Register(RegisterError::Closed))));
    }

    #[tokio::test]
    async fn the_code_links_the_account_it_was_mailed_for() {
        let google =
            GoogleIdentity { issuer: "https://issuer".to_owned(), subject: "7".to_owned() };
        let intent = Intent::LinkGoogle(UserId::new(3), google);
        let mut scene = Scene::new().with_code(Purpose::GoogleVerification, intent);
        scene
            .verifications
            .expect_carry_out()
            .withf(|flow, effect, event| {
                let told: Vec<_> = event.mails.iter().map(|mail| mail.letter.clone()).collect();
                flow.is_some()
                    && matches!(effect, Effect::LinkGoogle { user, .. } if user.number() == 3)
                    && told == [Letter::GoogleLinked]
            })
            .once()
            .returning(|_, _, _| Ok(Some(UserId::new(3))));
        let mut google = Google { scene, ..Google::says(profile()) };
        google.users.expect_find().returning(|_| Ok(Some(user(3, Role::Viewer))));
        let known = || (user(3, Role::Viewer), StoredPassword::none());
        google.accounts.expect_find().returning(move |_| Ok(Some(known())));
        let Presented::Code { flow, code } = presented("123456") else { unreachable!() };

        let confirmed = google.sign_in().confirm(flow, code, &Client::default(), &policy()).await;

        assert_eq!(confirmed.unwrap().0.id, UserId::new(3));
    }

    #[test]
    fn values_derived_from_a_browser_secret_differ_by_use_and_browser() {
        let of = |byte: &str| SignInSecrets::of(&byte.repeat(43)).unwrap();
        let (one, other) = (of("a"), of("b"));

        assert_ne!(one.state, other.state);
        assert_eq!(one.state, of("a").state);
        let all = [one.state.as_str(), one.nonce.expose_secret(), one.verifier.expose_secret()];
        assert!(all.iter().all(|text| text.len() == 43 && *text != "a".repeat(43)));
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
        for text in ["", "a", &"a".repeat(44), &"=".repeat(43)] {
            assert!(SignInSecrets::of(text).is_none(), "{text}");
        }
    }
}
