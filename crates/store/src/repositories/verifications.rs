//! Verification codes that were mailed, and the effects of using them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};
use waggle_accounts::ports::{CarryOutError, Effect, EndSessions, VerificationRepository};
use waggle_accounts::{
    Address, GoogleIdentity, Intent, MOST_TRIES, NewAuthEvent, NewVerification, Purpose,
    Registration, StoredHash, StoredPassword, TokensOnReset, Verification,
};
use waggle_kernel::ids::UserId;
use waggle_kernel::{Mark, PortError};

use super::auth_events::write_down;
use super::revoke::{end_codes, end_sessions};
use super::{Conn, Repositories, columns, locks, users};
use crate::error::{StoreError, column, during, is_unique_violation};
use crate::run_query::RunQueryDsl;
use crate::schema::{api_tokens, google_accounts, users as people, verification_codes};
use crate::types::Time;

/// The maximum number of expired codes that are removed with each new one.
const SWEPT: i64 = 10;

#[derive(Queryable, Selectable)]
#[diesel(table_name = verification_codes)]
struct CodeRow {
    purpose: String,
    address: String,
    flow: Vec<u8>,
    key: String,
    code: Vec<u8>,
    intent: String,
    user_id: Option<i64>,
    details: Value,
}

impl TryFrom<CodeRow> for Verification {
    type Error = StoreError;

    fn try_from(row: CodeRow) -> Result<Self, StoreError> {
        let hash = |bytes: Vec<u8>, at| {
            <[u8; 32]>::try_from(bytes).map_err(|_| column(at)("expected 32 bytes"))
        };
        let intent = read_intent(&row.intent, row.user_id, &row.details)
            .ok_or_else(|| column("verification_codes.intent")("it is incomplete"))?;
        Ok(Self {
            purpose: row.purpose.parse().map_err(column("verification_codes.purpose"))?,
            address: row.address.parse().map_err(column("verification_codes.address"))?,
            flow: StoredHash(hash(row.flow, "verification_codes.flow")?),
            mark: Mark { key: row.key, hash: hash(row.code, "verification_codes.code")? },
            intent,
        })
    }
}

fn read_intent(name: &str, user: Option<i64>, details: &Value) -> Option<Intent> {
    let text = |of: &str, key: &str| details.get(of)?.get(key)?.as_str().map(str::to_owned);
    let registration = || {
        let of = |key| text("registration", key);
        Some(Registration {
            username: of("username")?.parse().ok()?,
            first_name: of("first_name")?.parse().ok()?,
            last_name: of("last_name")?.parse().ok()?,
            password: StoredPassword(of("password")?),
        })
    };
    let google = || {
        let of = |key| text("google", key);
        Some(GoogleIdentity { issuer: of("issuer")?, subject: of("subject")? })
    };
    let user = user.map(UserId::new);
    Some(match name {
        "nothing" => Intent::Nothing,
        "register" => Intent::Register(registration()?),
        "reset_password" => Intent::ResetPassword(user?),
        "change_address" => Intent::ChangeAddress(user?),
        "link_google" => Intent::LinkGoogle(user?, google()?),
        "register_google" => Intent::RegisterGoogle(registration()?, google()?),
        _ => return None,
    })
}

/// The name of an intent, its user, and its other details.
fn written_intent(intent: &Intent) -> (&'static str, Option<i64>, Value) {
    let registration = |of: &Registration| {
        json!({
            "username": of.username.as_str(),
            "first_name": of.first_name.as_str(),
            "last_name": of.last_name.as_str(),
            "password": of.password.0,
        })
    };
    let google = |of: &GoogleIdentity| json!({ "issuer": of.issuer, "subject": of.subject });
    match intent {
        Intent::Nothing => ("nothing", None, json!({})),
        Intent::Register(of) => ("register", None, json!({ "registration": registration(of) })),
        Intent::ResetPassword(user) => ("reset_password", Some(user.number()), json!({})),
        Intent::ChangeAddress(user) => ("change_address", Some(user.number()), json!({})),
        Intent::LinkGoogle(user, of) => {
            ("link_google", Some(user.number()), json!({ "google": google(of) }))
        }
        Intent::RegisterGoogle(who, of) => {
            let details = json!({ "registration": registration(who), "google": google(of) });
            ("register_google", None, details)
        }
    }
}

/// Removes expired codes, so that strangers cannot fill the table.
async fn sweep(connection: &mut Conn, now: Time) -> QueryResult<()> {
    let gone: Vec<i64> = verification_codes::table
        .filter(verification_codes::expires_at.lt(now))
        .order(verification_codes::expires_at)
        .limit(SWEPT)
        .select(verification_codes::id)
        .load(connection)
        .await?;
    if !gone.is_empty() {
        // A code that was replaced meanwhile has not expired.
        diesel::delete(verification_codes::table.filter(verification_codes::id.eq_any(gone)))
            .filter(verification_codes::expires_at.lt(now))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Marks a code as used. Returns `false` if it can no longer be used.
async fn use_up(connection: &mut Conn, flow: &StoredHash, now: Time) -> QueryResult<bool> {
    let used = diesel::update(verification_codes::table)
        .filter(verification_codes::flow.eq(flow.0.to_vec()))
        .filter(verification_codes::used_at.is_null())
        .filter(verification_codes::expires_at.gt(now))
        .set(verification_codes::used_at.eq(now))
        .execute(connection)
        .await?;
    Ok(used == 1)
}

/// Gives a user whose row is locked a verified address. The list of super admins is applied later,
/// as always.
async fn verify_address(
    connection: &mut Conn,
    user: i64,
    address: &Address,
    now: Time,
) -> QueryResult<()> {
    diesel::update(people::table.find(user))
        .set((
            people::email.eq(address.as_str()),
            people::email_verified_at.eq(now),
            people::version.eq(people::version + 1),
        ))
        .execute(connection)
        .await
        .map(drop)
}

async fn link(
    connection: &mut Conn,
    google: &GoogleIdentity,
    user: i64,
    now: Time,
) -> QueryResult<()> {
    diesel::insert_into(google_accounts::table)
        .values((
            google_accounts::issuer.eq(&google.issuer),
            google_accounts::subject.eq(&google.subject),
            google_accounts::user_id.eq(user),
            google_accounts::linked_at.eq(now),
        ))
        .execute(connection)
        .await
        .map(drop)
}

/// Whether the user is active and has this address. If so, the row is locked until the transaction
/// ends.
async fn is_there(
    connection: &mut Conn,
    user: UserId,
    address: Option<&Address>,
) -> QueryResult<bool> {
    let Some((_, true, _)) = locks::lock_user(connection, user.number()).await? else {
        return Ok(false);
    };
    let email: String =
        people::table.find(user.number()).select(people::email).first(connection).await?;
    Ok(address.is_none_or(|address| address.as_str() == email))
}

/// Carries out an effect. Returns `None` if its user no longer meets the requirements. Users are
/// locked before codes, here as everywhere, so that transactions cannot deadlock.
async fn make_true(
    connection: &mut Conn,
    effect: &Effect,
    now: Time,
) -> QueryResult<Option<(UserId, EndSessions)>> {
    match effect {
        Effect::MakeUser { user, google } => {
            let id = users::insert(connection, user).await?;
            if let Some(google) = google {
                link(connection, google, id, now).await?;
            }
            Ok(Some((UserId::new(id), EndSessions::None)))
        }
        Effect::SetPassword { user, address, password, tokens } => {
            if !is_there(connection, *user, Some(address)).await? {
                return Ok(None);
            }
            let id = user.number();
            verify_address(connection, id, address, now).await?;
            diesel::update(people::table.find(id))
                .set(people::password.eq(&password.0))
                .execute(connection)
                .await?;
            diesel::delete(google_accounts::table.filter(google_accounts::user_id.eq(id)))
                .execute(connection)
                .await?;
            if *tokens == TokensOnReset::Revoke {
                diesel::update(api_tokens::table)
                    .filter(api_tokens::user_id.eq(id))
                    .filter(api_tokens::revoked_at.is_null())
                    .set(api_tokens::revoked_at.eq(now))
                    .execute(connection)
                    .await?;
            }
            Ok(Some((*user, EndSessions::All)))
        }
        Effect::SetAddress { user, address, spared } => {
            if !is_there(connection, *user, None).await? {
                return Ok(None);
            }
            verify_address(connection, user.number(), address, now).await?;
            Ok(Some((*user, EndSessions::AllBut(*spared))))
        }
        Effect::LinkGoogle { user, address, google } => {
            if !is_there(connection, *user, Some(address)).await? {
                return Ok(None);
            }
            verify_address(connection, user.number(), address, now).await?;
            link(connection, google, user.number(), now).await?;
            Ok(Some((*user, EndSessions::None)))
        }
    }
}

/// The address that an effect gives to a user.
const fn address_of(effect: &Effect) -> &Address {
    match effect {
        Effect::MakeUser { user, .. } => &user.email,
        Effect::SetPassword { address, .. }
        | Effect::SetAddress { address, .. }
        | Effect::LinkGoogle { address, .. } => address,
    }
}

#[async_trait]
impl VerificationRepository for Repositories {
    async fn keep(
        &self,
        verification: &NewVerification,
        event: &NewAuthEvent,
    ) -> Result<(), PortError> {
        during("storing a code", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let now = Time::from(verification.created_at);
            let (intent, user_id, details) = written_intent(&verification.intent);
            if let Some(user) = user_id {
                locks::lock_user(connection, user).await?;
            }
            sweep(connection, now).await?;
            let asked_by = match verification.intent {
                Intent::ChangeAddress(user) => user.number(),
                // No user has this id.
                _ => 0,
            };
            let row = (
                verification_codes::flow.eq(verification.flow.0.to_vec()),
                verification_codes::key.eq(&verification.mark.key),
                verification_codes::code.eq(verification.mark.hash.to_vec()),
                verification_codes::link.eq(verification.link.0.to_vec()),
                verification_codes::intent.eq(intent),
                verification_codes::user_id.eq(user_id),
                verification_codes::details.eq(details),
                verification_codes::tries.eq(0),
                verification_codes::created_at.eq(now),
                verification_codes::expires_at.eq(Time::from(verification.expires_at)),
                verification_codes::used_at.eq(None::<Time>),
            );
            diesel::insert_into(verification_codes::table)
                .values((
                    verification_codes::purpose.eq(verification.purpose.name()),
                    verification_codes::address.eq(verification.address.as_str()),
                    verification_codes::asked_by.eq(asked_by),
                    row.clone(),
                ))
                .on_conflict((
                    verification_codes::purpose,
                    verification_codes::address,
                    verification_codes::asked_by,
                ))
                .do_update()
                .set(row)
                .execute(connection)
                .await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await
        })
        .await
    }

    async fn attempt(
        &self,
        flow: &StoredHash,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Verification>, PortError> {
        during("counting an attempt", async {
            let mut transaction = self.pools.write().await?;
            let row: Option<CodeRow> = diesel::update(verification_codes::table)
                .filter(verification_codes::flow.eq(flow.0.to_vec()))
                .filter(verification_codes::purpose.eq(purpose.name()))
                .filter(verification_codes::used_at.is_null())
                .filter(verification_codes::expires_at.gt(Time::from(now)))
                .filter(verification_codes::tries.lt(MOST_TRIES))
                .set(verification_codes::tries.eq(verification_codes::tries + 1))
                .returning(columns::<CodeRow>())
                .get_result(transaction.connection())
                .await
                .optional()?;
            transaction.commit().await?;
            row.map(TryInto::try_into).transpose()
        })
        .await
    }

    async fn find_link(
        &self,
        link: &StoredHash,
        purpose: Purpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Verification>, PortError> {
        during("finding a link", async {
            let mut connection = self.pools.read().await?;
            let row: Option<CodeRow> = verification_codes::table
                .filter(verification_codes::link.eq(link.0.to_vec()))
                .filter(verification_codes::purpose.eq(purpose.name()))
                .filter(verification_codes::used_at.is_null())
                .filter(verification_codes::expires_at.gt(Time::from(now)))
                .select(columns::<CodeRow>())
                .first(&mut connection)
                .await
                .optional()?;
            row.map(TryInto::try_into).transpose()
        })
        .await
    }

    async fn carry_out(
        &self,
        flow: Option<StoredHash>,
        effect: &Effect,
        event: &NewAuthEvent,
    ) -> Result<Option<UserId>, CarryOutError> {
        let now = Time::from(event.at);
        let work = async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            let (user, sessions) = match make_true(connection, effect, now).await {
                Err(error) if is_unique_violation(&error) => return Ok(Err(())),
                result => match result? {
                    Some(happened) => happened,
                    None => return Ok(Ok(None)),
                },
            };
            if let Some(flow) = &flow
                && !use_up(connection, flow, now).await?
            {
                return Ok(Ok(None));
            }
            end_codes(connection, address_of(effect).as_str(), user.number()).await?;
            if end_sessions(connection, user, sessions).await?.is_none() {
                return Ok(Ok(None));
            }
            write_down(&mut transaction, &NewAuthEvent { user: Some(user), ..event.clone() })
                .await?;
            transaction.commit().await?;
            Ok(Ok(Some(user)))
        };
        if let Ok(done) = during("using a code", work).await? {
            return Ok(done);
        }
        let Effect::MakeUser { user, .. } = effect else {
            return Err(CarryOutError::AddressTaken);
        };
        let is_name_taken = during("finding a username", async {
            let mut connection = self.pools.read().await?;
            Ok(users::is_name_taken(&mut connection, &user.username).await?)
        });
        Err(if is_name_taken.await? && !self.has_address(&user.email).await? {
            CarryOutError::UsernameTaken
        } else {
            CarryOutError::AddressTaken
        })
    }
}
