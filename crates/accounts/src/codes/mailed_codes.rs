//! Codes are mailed and checked: the same steps whatever they are for, and whether or not there is anybody.
//!
//! ```text
//! allow (budgets) ──▶ issue: kept and mailed in one step
//! check: budgets ──▶ one try counted ──▶ compared ──▶ budgets given back ──▶ the caller uses it up
//! ```

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use thiserror::Error;
use waggle_kernel::ids::UserId;
use waggle_kernel::{Clock, Entropy, PortError};

use crate::auth_event::{Client, EventKind, NewAuthEvent};
use crate::budget::{Budget, Exhausted};
use crate::codes::code::{
    CODE_LIFE, Code, Flow, Intent, InvalidCode, Link, NewVerification, Purpose, Verification, bound,
};
use crate::keys::ServerKeys;
use crate::limits::{
    CODE_ADDRESS, CODE_CLIENT, CODE_SYSTEM, LINK_CLIENT, MAIL_ADDRESS, MAIL_PAUSE, MAIL_SYSTEM,
    NamedLimit, fingerprint,
};
use crate::mails::mail::{Letter, NewMail, Proof};
use crate::people::address::Address;
use crate::policy::AccountPolicy;
use crate::ports::{AuthEventRepository, Limits, VerificationRepository};

/// Mails codes and checks them.
pub struct Codes {
    /// What was mailed.
    pub verifications: Arc<dyn VerificationRepository>,
    /// What happened.
    pub events: Arc<dyn AuthEventRepository>,
    /// How often.
    pub limits: Arc<dyn Limits>,
    /// Keeps what is kept of codes from being found out.
    pub keys: Arc<dyn ServerKeys>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Gives chance.
    pub entropy: Arc<dyn Entropy>,
}

/// A code is on its way, or looks as if it were.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What has to be shown together with the code.
    pub flow: Flow,
    /// Until when it is of use.
    pub expires_at: DateTime<Utc>,
}

/// How somebody shows that a mail came to them.
pub enum Presented {
    /// By the code, in the program that asked for it.
    Code {
        /// What tells that program.
        flow: String,
        /// The code.
        code: String,
    },
    /// By the link, wherever it is opened.
    Link(String),
}

impl Presented {
    /// Whether it is the link: then whoever shows it need not be who asked for it.
    pub const fn is_link(&self) -> bool {
        matches!(self, Self::Link(_))
    }
}

/// What is to be mailed, and why.
pub(crate) struct Wanted<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) address: &'a Address,
    /// What becomes true; where it is nothing, no code is mailed.
    pub(crate) intent: Intent,
    /// What is mailed where no code is.
    pub(crate) instead: Option<Letter>,
    /// What is written down.
    pub(crate) event: NewAuthEvent,
}

impl Codes {
    /// Takes from the budget of the asker.
    pub(crate) async fn allow_asking(
        &self,
        of_asker: Option<Budget>,
        purpose: Purpose,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), CodeError> {
        let budgets: Vec<Budget> = of_asker.into_iter().collect();
        self.take(&budgets, purpose, client, policy).await
    }

    /// Takes from the budgets for mailing a code to an address; what `user` asks for has budgets of its own, which no stranger uses up.
    pub(crate) async fn allow_mailing(
        &self,
        purpose: Purpose,
        address: &Address,
        user: Option<UserId>,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), CodeError> {
        let whose = whose(purpose, address, user);
        let budget = |limit: &NamedLimit, whose: &str| policy.limits.budget(limit, whose);
        let [system, nothing] = of_system(&MAIL_SYSTEM, policy);
        let budgets = [budget(&MAIL_PAUSE, &whose), budget(&MAIL_ADDRESS, &whose), system, nothing];
        self.take(&budgets, purpose, client, policy).await
    }

    /// Makes a code, keeps it and mails it. Where nobody is to get one, all the same is done but
    /// the mail. Mails that are not sent do not count for the whole system.
    pub(crate) async fn issue(
        &self,
        wanted: Wanted<'_>,
        policy: &AccountPolicy,
    ) -> Result<Issued, CodeError> {
        let [system, nothing] = of_system(&MAIL_SYSTEM, policy);
        let is_mailed = wanted.intent != Intent::Nothing || wanted.instead.is_some();
        let issued = self.keep(wanted, policy).await;
        let unused = if is_mailed && issued.is_ok() { nothing } else { system };
        let given_back = self.limits.give_back(&[unused]).await;
        let issued = issued?;
        given_back?;
        Ok(issued)
    }

    async fn keep(&self, wanted: Wanted<'_>, policy: &AccountPolicy) -> Result<Issued, CodeError> {
        let Wanted { purpose, address, intent, instead, mut event } = wanted;
        let now = self.clock.now();
        let expires_at = now + CODE_LIFE;
        let code = loop {
            if let Some(code) = Code::make(&self.entropy.bytes()?, policy.code_length) {
                break code;
            }
        };
        let flow = Flow::make(&self.entropy.bytes()?);
        let proof = Proof { link: Link::make(&self.entropy.bytes()?), code };
        let mark = self.keys.mark(&bound(purpose, address, &flow, &proof.code))?;
        let mail =
            NewMail::with_proof(address.clone(), purpose, &proof, &*self.keys, now, expires_at)?;
        let notice = instead.map(|letter| NewMail::notice(address.clone(), letter, now));
        event.mails.extend(if intent == Intent::Nothing { notice } else { Some(mail) });
        let verification = NewVerification {
            purpose,
            address: address.clone(),
            flow: flow.hash(),
            mark,
            link: proof.link.hash(),
            intent,
            created_at: now,
            expires_at,
        };
        self.verifications.keep(&verification, &event).await?;
        Ok(Issued { flow, expires_at })
    }

    /// What was mailed, if `presented` shows it. Each try with a code is counted before it is compared.
    pub(crate) async fn check(
        &self,
        presented: &Presented,
        purpose: Purpose,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<Verification, CodeError> {
        let now = self.clock.now();
        let limit = if presented.is_link() { &LINK_CLIENT } else { &CODE_CLIENT };
        let of_client: Vec<Budget> = policy.limits.of_client(limit, client).into_iter().collect();
        let (flow, code) = match presented {
            // The way to Google and back is that of one browser.
            Presented::Link(_) if purpose == Purpose::GoogleVerification => {
                return Err(CodeError::Refused);
            }
            Presented::Link(link) => {
                let Some(link) = Link::parse(link) else { return Err(CodeError::Refused) };
                self.take(&of_client, purpose, client, policy).await?;
                let found = self.verifications.find_link(&link.hash(), purpose, now).await?;
                let Some(found) = found.filter(|found| found.intent != Intent::Nothing) else {
                    return self.refused(purpose, None, client).await;
                };
                self.limits.give_back(&of_client).await?;
                // Whoever has the mailbox is not kept from codes by those who guessed at them.
                let failures = Self::failures(&found, policy).key;
                self.limits.forget(&[failures]).await?;
                return Ok(found);
            }
            Presented::Code { flow, code } => (flow, code.parse::<Code>()?),
        };
        self.take(&of_client, purpose, client, policy).await?;
        let Some(flow) = Flow::parse(flow) else {
            return self.refused(purpose, None, client).await;
        };
        let Some(found) = self.verifications.attempt(&flow.hash(), purpose, now).await? else {
            return self.refused(purpose, None, client).await;
        };
        // What is made up uses up nothing that others need.
        let [system, nothing] = of_system(&CODE_SYSTEM, policy);
        let of_code = [system.clone(), nothing.clone(), Self::failures(&found, policy)];
        self.take(&of_code, purpose, client, policy).await?;
        let text = bound(purpose, &found.address, &flow, &code);
        let is_mailed = found.intent != Intent::Nothing;
        if !self.keys.is_marked(&text, &found.mark) || !is_mailed {
            self.limits.give_back(&[if is_mailed { nothing } else { system }]).await?;
            return self.refused(purpose, Some(&found.address), client).await;
        }
        let budgets: Vec<Budget> = of_client.into_iter().chain(of_code).collect();
        self.limits.give_back(&budgets).await?;
        Ok(found)
    }

    /// How often codes for this may be wrong. Where mails have no link, there is no other way, and the time is shorter.
    fn failures(found: &Verification, policy: &AccountPolicy) -> Budget {
        let user = match &found.intent {
            Intent::ChangeAddress(user) => Some(*user),
            _ => None,
        };
        let whose = whose(found.purpose, &found.address, user);
        let budget = policy.limits.budget(&CODE_ADDRESS, &whose);
        let window =
            if policy.has_links { budget.window } else { budget.window.min(Duration::days(1)) };
        Budget { window, ..budget }
    }

    async fn take(
        &self,
        budgets: &[Budget],
        purpose: Purpose,
        client: &Client,
        policy: &AccountPolicy,
    ) -> Result<(), CodeError> {
        let now = self.clock.now();
        let Some(exhausted) = self.limits.take(budgets, now).await? else { return Ok(()) };
        // Once: whoever goes on must not fill the record, of which nothing is ever removed.
        if exhausted.refusals == 1 {
            let mut event = NewAuthEvent::new(EventKind::CodeLimited, client, now);
            let limit = exhausted.budget.key.split(':').next().unwrap_or_default();
            event.metadata = json!({ "purpose": purpose.name(), "limit": limit });
            if limit == CODE_SYSTEM.name {
                let tell = |to: &Address| NewMail::notice(to.clone(), Letter::CodesAttacked, now);
                event.mails = policy.caretakers().iter().map(tell).collect();
            }
            self.events.record(&event).await?;
        }
        Err(CodeError::Limited(exhausted))
    }

    async fn refused(
        &self,
        purpose: Purpose,
        address: Option<&Address>,
        client: &Client,
    ) -> Result<Verification, CodeError> {
        let mut event = NewAuthEvent::new(EventKind::CodeFailure, client, self.clock.now());
        event.email = address.map(ToString::to_string).unwrap_or_default();
        event.metadata = json!({ "purpose": purpose.name() });
        self.events.record(&event).await?;
        Err(CodeError::Refused)
    }
}

/// The budget of the whole system for what is done in earnest, and a count without a bound for what
/// only looks like it. Both are taken and one is given back, so that an address that nobody has
/// costs the same writes, and uses up nothing.
fn of_system(limit: &NamedLimit, policy: &AccountPolicy) -> [Budget; 2] {
    let nothing = policy.limits.budget(limit, "nothing");
    [policy.limits.budget(limit, "all"), Budget { most: i32::MAX.unsigned_abs(), ..nothing }]
}

/// Whose budget it is: that of an address, for one purpose, and of the user who asks for it.
fn whose(purpose: Purpose, address: &Address, user: Option<UserId>) -> String {
    let user = user.map(|user| format!(":{user}")).unwrap_or_default();
    format!("{}:{}{user}", purpose.name(), fingerprint(address.as_str()))
}

/// Why a code was not mailed or not taken.
#[derive(Debug, Error)]
pub enum CodeError {
    /// It has not the form of one.
    #[error(transparent)]
    Malformed(#[from] InvalidCode),
    /// It is wrong, was used, ran out or was replaced; which is not told.
    #[error("the code is wrong or of no use any more; ask for another")]
    Refused,
    /// It was tried or asked for too often.
    #[error("that was done too often; try again later")]
    Limited(Exhausted),
    /// Something behind it could not answer.
    #[error(transparent)]
    Port(#[from] PortError),
}

#[cfg(test)]
mod tests {
    use waggle_kernel::FixedClock;

    use super::*;
    use crate::testing::scene::{Scene, policy, presented};

    const RESET: Purpose = Purpose::PasswordReset;

    fn intent() -> Intent {
        Intent::ResetPassword(UserId::new(3))
    }

    async fn check(scene: Scene, presented: &Presented) -> Result<Verification, CodeError> {
        scene.codes().check(presented, RESET, &Client::default(), &policy()).await
    }

    #[tokio::test]
    async fn the_right_code_is_taken_and_does_not_count_as_a_failure() {
        let mut scene = Scene::new().with_code(RESET, intent());
        scene.limits.checkpoint();
        scene.limits.expect_take().times(2).returning(|_, _| Ok(None));
        scene
            .limits
            .expect_give_back()
            .withf(|budgets| budgets.len() == 3)
            .once()
            .returning(|_| Ok(()));

        let found = check(scene, &presented("123456")).await.unwrap();

        assert_eq!(found.intent, intent());
    }

    #[tokio::test]
    async fn a_wrong_code_counts_and_is_written_down() {
        let mut scene = Scene::new().with_code(RESET, intent());
        scene.limits.checkpoint();
        scene.limits.expect_take().returning(|_, _| Ok(None));
        // The wrong code counts; only the count of what was not in earnest is given back.
        scene
            .limits
            .expect_give_back()
            .withf(|budgets| budgets.len() == 1 && budgets[0].key == "code.system:nothing")
            .once()
            .returning(|_| Ok(()));
        scene
            .events
            .expect_record()
            .withf(|event| {
                event.kind == EventKind::CodeFailure && event.email == "joe@hive.example"
            })
            .once()
            .returning(|_| Ok(()));

        let refused = check(scene, &presented("123457")).await;

        assert!(matches!(refused, Err(CodeError::Refused)), "{refused:?}");
    }

    #[tokio::test]
    async fn what_was_kept_so_that_nobody_can_tell_opens_nothing() {
        for shown in [presented("123456"), Presented::Link(Link::make(&[1; 32]).text().to_owned())]
        {
            let mut scene = Scene::new().with_code(RESET, Intent::Nothing);
            scene.events.expect_record().once().returning(|_| Ok(()));

            let refused = check(scene, &shown).await;

            assert!(matches!(refused, Err(CodeError::Refused)), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_code_is_not_counted() {
        let mut scene = Scene::new();
        scene.limits.checkpoint();
        scene.limits.expect_take().never();

        let refused = check(scene, &presented("12345x")).await;

        assert!(matches!(refused, Err(CodeError::Malformed(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_mail_does_not_open_the_way_of_another_browser() {
        let link = Presented::Link(Link::make(&[1; 32]).text().to_owned());
        let purpose = Purpose::GoogleVerification;

        let refused =
            Scene::new().codes().check(&link, purpose, &Client::default(), &policy()).await;

        assert!(matches!(refused, Err(CodeError::Refused)), "{refused:?}");
    }

    #[tokio::test]
    async fn the_super_admins_hear_once_that_codes_are_guessed_everywhere() {
        for refusals in [1, 2] {
            let mut scene = Scene::new().with_code(RESET, intent());
            scene.limits.checkpoint();
            let until = FixedClock::noon().now();
            scene.limits.expect_take().returning(move |budgets, _| {
                let Some(budget) = budgets.first().cloned() else { return Ok(None) };
                Ok(Some(Exhausted { budget, until, refusals }))
            });
            let times = usize::from(refusals == 1);
            scene
                .events
                .expect_record()
                .withf(|event| {
                    event.kind == EventKind::CodeLimited
                        && event.mails.len() == 1
                        && event.mails.iter().all(|mail| {
                            mail.letter == Letter::CodesAttacked
                                && mail.to.as_str() == "boss@hive.example"
                        })
                })
                .times(times)
                .returning(|_| Ok(()));

            let refused = check(scene, &presented("123456")).await;

            assert!(matches!(refused, Err(CodeError::Limited(_))), "{refused:?}");
        }
    }
}
