//! Somebody registers, confirms by the code that was mailed, and signs in: with every port in memory.
//!
//! `cargo run -p waggle-accounts --example in_memory`

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use waggle_accounts::ports::{
    AuthEventRepository, CarryOutError, Effect, EndSessions, InsertUserError, Limits,
    PasswordHasher, SaveUserError, SessionRepository, UserRepository, VerificationRepository,
};
use waggle_accounts::{
    AccountPolicy, Address, Admission, Application, AuthEvent, AuthEventFilter, Budget, Client,
    CodeLength, Codes, Exhausted, LimitTable, Login, MOST_TRIES, Mail, Mark, NewAuthEvent, NewMail,
    NewSession, NewUser, NewVerification, Presented, ProvenBy, Purpose, QueuedMail, Register, Role,
    SealedSecret, ServerKeys, Session, SessionLife, SignIn, SignInPolicy, StoredHash,
    StoredPassword, User, Verdict, Verification,
};
use waggle_kernel::ids::{SessionId, UserId};
use waggle_kernel::{Clock as _, Entropy, Page, PageRequest, PortError, SystemClock, Version};

/// Everything that a program with a database would keep there.
#[derive(Default)]
struct Memory {
    users: Vec<(User, StoredPassword)>,
    sessions: Vec<NewSession>,
    codes: Vec<(NewVerification, i64)>,
    counters: HashMap<String, u32>,
    mails: Vec<NewMail>,
}

#[derive(Clone, Default)]
struct Ports(Arc<Mutex<Memory>>);

impl Ports {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is told of it is told in the same step.
    fn happened(memory: &mut Memory, event: &NewAuthEvent) {
        println!("  what happened: {}", event.kind.name());
        memory.mails.extend(event.mails.iter().cloned());
    }

    fn make(memory: &mut Memory, new: &NewUser) -> UserId {
        let id = UserId::new(i64::try_from(memory.users.len()).unwrap_or(i64::MAX) + 1);
        let user = User {
            id,
            username: new.username.clone(),
            email: new.email.clone(),
            email_verified_at: new.email_verified_at,
            first_name: new.first_name.clone(),
            last_name: new.last_name.clone(),
            role: new.role,
            is_active: true,
            is_super_admin: new.is_super_admin,
            has_password: true,
            has_second_factor: false,
            date_joined: new.date_joined,
            last_login: None,
            version: Version::FIRST,
        };
        memory.users.push((user, new.password.clone()));
        id
    }
}

/// What this example has no use for.
fn unused<T>() -> Result<T, PortError> {
    Err(PortError::broken("answering", "the example does not need this"))
}

#[async_trait]
impl UserRepository for Ports {
    async fn insert(
        &self,
        user: &NewUser,
        event: &NewAuthEvent,
    ) -> Result<UserId, InsertUserError> {
        let mut memory = self.memory();
        Self::happened(&mut memory, event);
        Ok(Self::make(&mut memory, user))
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        Ok(self.memory().users.iter().map(|(user, _)| user).find(|user| user.id == id).cloned())
    }

    async fn find_login(&self, login: &Login) -> Result<Option<(User, StoredPassword)>, PortError> {
        let is_meant = |user: &User| match login {
            Login::Email(address) => user.email == *address,
            Login::Username(name) => user.username.folded() == name.folded(),
        };
        Ok(self.memory().users.iter().find(|(user, _)| is_meant(user)).cloned())
    }

    async fn any_imported_password(&self) -> Result<bool, PortError> {
        unused()
    }

    async fn list(&self, _: PageRequest) -> Result<Page<User>, PortError> {
        unused()
    }

    async fn save(
        &self,
        _: &User,
        _: EndSessions,
        _: &NewAuthEvent,
    ) -> Result<Version, SaveUserError> {
        Ok(unused()?)
    }

    async fn super_admin_changes(&self, _: &[Address]) -> Result<Vec<User>, PortError> {
        unused()
    }

    async fn set_super_admin(
        &self,
        _: &User,
        _: bool,
        _: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        unused()
    }

    async fn set_password(
        &self,
        _: UserId,
        _: Option<StoredPassword>,
        _: &StoredPassword,
        _: EndSessions,
        _: Option<NewAuthEvent>,
    ) -> Result<bool, PortError> {
        unused()
    }
}

#[async_trait]
impl SessionRepository for Ports {
    async fn open(
        &self,
        session: &NewSession,
        _: &User,
        _: &StoredPassword,
        event: &NewAuthEvent,
    ) -> Result<Option<SessionId>, PortError> {
        let mut memory = self.memory();
        Self::happened(&mut memory, event);
        memory.sessions.push(session.clone());
        Ok(Some(SessionId::new(1)))
    }

    async fn find(&self, _: &StoredHash) -> Result<Option<(Session, User)>, PortError> {
        unused()
    }

    async fn touch(
        &self,
        _: SessionId,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<(), PortError> {
        unused()
    }

    async fn confirm(
        &self,
        _: SessionId,
        _: DateTime<Utc>,
        _: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        unused()
    }

    async fn list(&self, _: UserId, _: DateTime<Utc>) -> Result<Vec<Session>, PortError> {
        unused()
    }

    async fn end(&self, _: UserId, _: SessionId, _: &NewAuthEvent) -> Result<bool, PortError> {
        unused()
    }

    async fn end_all(&self, _: UserId, _: EndSessions, _: &NewAuthEvent) -> Result<u64, PortError> {
        unused()
    }
}

#[async_trait]
impl AuthEventRepository for Ports {
    async fn record(&self, event: &NewAuthEvent) -> Result<(), PortError> {
        Self::happened(&mut self.memory(), event);
        Ok(())
    }

    async fn list(
        &self,
        _: &AuthEventFilter,
        _: PageRequest,
    ) -> Result<Page<AuthEvent>, PortError> {
        unused()
    }
}

#[async_trait]
impl Limits for Ports {
    async fn take(
        &self,
        budgets: &[Budget],
        now: DateTime<Utc>,
    ) -> Result<Option<Exhausted>, PortError> {
        let mut memory = self.memory();
        for budget in budgets {
            let count = memory.counters.entry(budget.key.clone()).or_default();
            *count += 1;
            if let refusals @ 1.. = count.saturating_sub(budget.most) {
                let (budget, until) = (budget.clone(), now + budget.window);
                return Ok(Some(Exhausted { budget, until, refusals }));
            }
        }
        Ok(None)
    }

    async fn give_back(&self, budgets: &[Budget]) -> Result<(), PortError> {
        let mut memory = self.memory();
        for budget in budgets {
            memory.counters.entry(budget.key.clone()).and_modify(|count| *count -= 1);
        }
        Ok(())
    }

    async fn forget(&self, keys: &[String]) -> Result<(), PortError> {
        self.memory().counters.retain(|key, _| !keys.contains(key));
        Ok(())
    }
}

#[async_trait]
impl VerificationRepository for Ports {
    async fn keep(&self, new: &NewVerification, event: &NewAuthEvent) -> Result<(), PortError> {
        let mut memory = self.memory();
        let is_same =
            |old: &NewVerification| old.purpose == new.purpose && old.address == new.address;
        memory.codes.retain(|(old, _)| !is_same(old));
        memory.codes.push((new.clone(), 0));
        Self::happened(&mut memory, event);
        Ok(())
    }

    async fn attempt(
        &self,
        flow: &StoredHash,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Verification>, PortError> {
        let mut memory = self.memory();
        let found = memory.codes.iter_mut().find(|(code, tries)| {
            code.flow == *flow
                && code.purpose == purpose
                && now < code.expires_at
                && *tries < MOST_TRIES
        });
        Ok(found.map(|(code, tries)| {
            *tries += 1;
            Verification {
                purpose,
                address: code.address.clone(),
                flow: code.flow.clone(),
                mark: code.mark.clone(),
                intent: code.intent.clone(),
            }
        }))
    }

    async fn find_link(
        &self,
        _: &StoredHash,
        _: Purpose,
        _: DateTime<Utc>,
    ) -> Result<Option<Verification>, PortError> {
        unused()
    }

    async fn carry_out(
        &self,
        flow: Option<StoredHash>,
        effect: &Effect,
        event: &NewAuthEvent,
    ) -> Result<Option<UserId>, CarryOutError> {
        let mut memory = self.memory();
        let known = memory.codes.len();
        memory.codes.retain(|(code, _)| Some(&code.flow) != flow.as_ref());
        let Effect::MakeUser { user, .. } = effect else { return Ok(unused()?) };
        if memory.codes.len() == known {
            return Ok(None);
        }
        Self::happened(&mut memory, event);
        Ok(Some(Self::make(&mut memory, user)))
    }
}

/// Hashes at once; a server does that aside, a few at a time.
struct Here(Chance);

#[async_trait]
impl PasswordHasher for Here {
    async fn hash(&self, password: &SecretString) -> Result<StoredPassword, PortError> {
        let chance = self.0.bytes()?;
        let mut salt = [0; 16];
        salt.iter_mut().zip(chance).for_each(|(to, from)| *to = from);
        Ok(StoredPassword::hash(password, &salt))
    }

    async fn verify(
        &self,
        password: &SecretString,
        stored: &StoredPassword,
    ) -> Result<Verdict, PortError> {
        Ok(stored.verify(password))
    }

    async fn even_out(&self, _: DateTime<Utc>) {}
}

/// Numbers that everybody can foresee: for an example, and for nothing else.
#[derive(Clone, Default)]
struct Chance(Arc<Mutex<u64>>);

impl Entropy for Chance {
    fn bytes(&self) -> Result<[u8; 32], PortError> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        Ok(Sha256::digest(count.to_le_bytes()).into())
    }
}

/// No keys at all: for an example, and for nothing else.
struct NoKeys;

#[async_trait]
impl ServerKeys for NoKeys {
    fn mark(&self, secret: &SecretString) -> Result<Mark, PortError> {
        let hash = Sha256::digest(secret.expose_secret()).into();
        Ok(Mark { key: "none".to_owned(), hash })
    }

    fn is_marked(&self, secret: &SecretString, mark: &Mark) -> bool {
        mark.hash == <[u8; 32]>::from(Sha256::digest(secret.expose_secret()))
    }

    fn seal(&self, _: &str, secret: &SecretString) -> Result<SealedSecret, PortError> {
        let bytes = secret.expose_secret().as_bytes().to_vec();
        Ok(SealedSecret { key: "none".to_owned(), bytes })
    }

    async fn open(&self, _: &str, sealed: &SealedSecret) -> Result<SecretString, PortError> {
        let text = String::from_utf8(sealed.bytes.clone());
        text.map(Into::into).map_err(|error| PortError::broken("opening", error))
    }
}

fn policy() -> AccountPolicy {
    let life = SessionLife { idle: Duration::hours(24), absolute: Duration::days(14) };
    AccountPolicy {
        sign_in: SignInPolicy {
            admins: life,
            others: life,
            failures_per_account: 8,
            failures_per_client: 20,
            window: Duration::minutes(5),
            limits: LimitTable::default(),
        },
        admission: Admission {
            domains: Some(vec!["hive.example".to_owned()]),
            ..Admission::default()
        },
        limits: LimitTable::default(),
        code_length: CodeLength::new(6),
        has_links: false,
        is_registration_open: true,
        new_user_role: Role::Viewer,
        google_code: true,
        security_admins: Vec::new(),
        notified: Vec::new(),
        recent: Duration::minutes(5),
        admins_need_second_factor: false,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (ports, chance, clock) = (Ports::default(), Chance::default(), Arc::new(SystemClock));
    let shared = Arc::new(ports.clone());
    let hasher: Arc<dyn PasswordHasher> = Arc::new(Here(chance.clone()));
    let codes = Arc::new(Codes {
        verifications: shared.clone(),
        events: shared.clone(),
        limits: shared.clone(),
        keys: Arc::new(NoKeys),
        clock: clock.clone(),
        entropy: Arc::new(chance.clone()),
    });
    let register = Register {
        codes,
        users: shared.clone(),
        hasher: Arc::clone(&hasher),
        clock: clock.clone(),
    };
    let sign_in = SignIn {
        users: shared.clone(),
        sessions: shared.clone(),
        events: shared.clone(),
        limits: shared,
        hasher,
        clock: clock.clone(),
        entropy: Arc::new(chance),
    };
    let (client, policy) = (Client::default(), policy());

    let password: SecretString = "correct staple, battery horse".into();
    let wanted = |email: &str| Application {
        email: email.to_owned(),
        username: None,
        first_name: "Joe".to_owned(),
        last_name: String::new(),
        password: password.clone(),
    };
    println!("Somebody from elsewhere wants to register:");
    let refused = register.request(&wanted("joe@elsewhere.example"), &client, &policy).await;
    println!("  {}", refused.err().ok_or("they should not get in")?);

    println!("Joe wants to register:");
    let issued = register.request(&wanted("joe@hive.example"), &client, &policy).await?;
    let mail = ports.memory().mails.pop().ok_or("a mail was written")?;
    let proof = read(&mail, clock.now()).await?.proof.ok_or("it has a code")?;
    println!("  a mail to {} has a code of {} digits", mail.to, proof.code.digits().len());

    println!("He enters it:");
    let flow = issued.flow.text().to_owned();
    let presented = Presented::Code { flow, code: proof.code.digits().to_owned() };
    let (user, stored) = register.confirm(&presented, None, &client, &policy).await?;
    let opened = sign_in.open(user, &stored, ProvenBy::Mail, &client, &policy.sign_in).await?;
    println!("  {} is in until {}", opened.user.username, opened.ends_at);

    println!("Later he signs in, first with a slip:");
    let wrong = sign_in.run("joe", &"a slip".into(), &client, &policy.sign_in).await;
    println!("  {}", wrong.err().ok_or("a slip should not do")?);
    sign_in.run("joe@hive.example", &password, &client, &policy.sign_in).await?;
    println!("  and there are {} sessions", ports.memory().sessions.len());
    Ok(())
}

/// The mail as its recipient sees it.
async fn read(mail: &NewMail, now: DateTime<Utc>) -> Result<Mail, PortError> {
    let queued = QueuedMail {
        id: 1,
        to: mail.to.clone(),
        letter: mail.letter.clone(),
        proof: mail.proof.clone(),
        created_at: now,
        useless_at: mail.useless_at,
        tries: 1,
        unknown_ends: 0,
    };
    queued.open(&NoKeys).await
}
