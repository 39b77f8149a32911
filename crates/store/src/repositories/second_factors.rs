//! Second factors: authenticator apps, recovery codes, and signing in with a second factor.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use waggle_accounts::ports::{
    Added, EndSessions, NewFactor, Proof, SecondFactorRepository, TotpBegun, WhichFactor,
};
use waggle_accounts::{NewAuthEvent, NewSession, Passkeys, StoredHash, StoredTotp};
use waggle_kernel::ids::{SessionId, UserId};
use waggle_kernel::{PortError, SealedSecret};

use super::auth_events::write_down;
use super::revoke::{end_sessions, has_session};
use super::sessions::insert;
use super::{Conn, Repositories, locks};
use crate::error::{during, is_unique_violation};
use crate::run_query::RunQueryDsl;
use crate::schema::{passkeys, recovery_codes, sessions, totp_apps, users};
use crate::types::Time;

/// Locks the row of a user, and returns whether the user is active.
async fn is_active(connection: &mut Conn, user: UserId) -> QueryResult<bool> {
    let present = locks::lock_user(connection, user.number()).await?;
    Ok(present.is_some_and(|(_, is_active, _)| is_active))
}

/// Whether a user whose row is locked has a second factor.
async fn has_factor(connection: &mut Conn, user: UserId) -> QueryResult<bool> {
    users::table.find(user.number()).select(users::has_second_factor).first(connection).await
}

/// Records whether a user has a second factor. The new version makes earlier reads of the user
/// stale.
async fn set_factor(connection: &mut Conn, user: UserId, has: bool) -> QueryResult<()> {
    diesel::update(users::table.find(user.number()))
        .set((users::has_second_factor.eq(has), users::version.eq(users::version + 1)))
        .execute(connection)
        .await
        .map(drop)
}

async fn remove_recovery_codes(connection: &mut Conn, user: UserId) -> QueryResult<()> {
    diesel::delete(recovery_codes::table)
        .filter(recovery_codes::user_id.eq(user.number()))
        .execute(connection)
        .await
        .map(drop)
}

async fn keep_recovery_codes(
    connection: &mut Conn,
    user: UserId,
    codes: &[StoredHash],
) -> QueryResult<()> {
    for code in codes {
        diesel::insert_into(recovery_codes::table)
            .values((
                recovery_codes::user_id.eq(user.number()),
                recovery_codes::hash.eq(code.0.to_vec()),
            ))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Stores a factor. Returns `false` if no unconfirmed app has this secret, if the user has the
/// maximum number of passkeys, or if the passkey is stored already.
async fn keep(connection: &mut Conn, user: UserId, factor: &NewFactor) -> QueryResult<bool> {
    match factor {
        NewFactor::Totp { secret, step } => diesel::update(totp_apps::table.find(user.number()))
            .filter(totp_apps::is_confirmed.eq(false))
            .filter(totp_apps::secret.eq(&secret.bytes))
            .set((totp_apps::is_confirmed.eq(true), totp_apps::last_step.eq(*step)))
            .execute(connection)
            .await
            .map(|confirmed| confirmed > 0),
        NewFactor::Passkey(passkey) => {
            let present: i64 = passkeys::table
                .filter(passkeys::user_id.eq(user.number()))
                .count()
                .get_result(connection)
                .await?;
            if usize::try_from(present).is_ok_and(|present| present >= Passkeys::MOST) {
                return Ok(false);
            }
            let kept = diesel::insert_into(passkeys::table)
                .values((
                    passkeys::user_id.eq(user.number()),
                    passkeys::name.eq(passkey.name.as_str()),
                    passkeys::credential_id.eq(&passkey.credential_id),
                    passkeys::public_key.eq(&passkey.key),
                    passkeys::state.eq(&passkey.state),
                    passkeys::created_at.eq(Time::from(passkey.created_at)),
                ))
                .execute(connection)
                .await;
            match kept {
                Err(error) if is_unique_violation(&error) => Ok(false),
                result => result.map(|_| true),
            }
        }
    }
}

async fn take_away(connection: &mut Conn, user: i64, which: WhichFactor) -> QueryResult<usize> {
    let mut removed = 0;
    if matches!(which, WhichFactor::Totp | WhichFactor::All) {
        // An app that is not confirmed does not count.
        removed += diesel::delete(totp_apps::table.find(user))
            .filter(totp_apps::is_confirmed.eq(true))
            .execute(connection)
            .await?;
    }
    if let WhichFactor::Passkey(id) = which {
        removed += diesel::delete(passkeys::table.find(id.number()))
            .filter(passkeys::user_id.eq(user))
            .execute(connection)
            .await?;
    }
    if which == WhichFactor::All {
        removed += diesel::delete(passkeys::table)
            .filter(passkeys::user_id.eq(user))
            .execute(connection)
            .await?;
    }
    Ok(removed)
}

/// Whether a user has a confirmed app, or a passkey.
async fn is_one_left(connection: &mut Conn, user: i64) -> QueryResult<bool> {
    let app: Option<i64> = totp_apps::table
        .find(user)
        .filter(totp_apps::is_confirmed.eq(true))
        .select(totp_apps::user_id)
        .first(connection)
        .await
        .optional()?;
    let passkey: Option<i64> = passkeys::table
        .filter(passkeys::user_id.eq(user))
        .select(passkeys::id)
        .first(connection)
        .await
        .optional()?;
    Ok(app.is_some() || passkey.is_some())
}

/// Marks a proof as used. Returns `false` if there is no such proof, or it was used already.
async fn use_up(
    connection: &mut Conn,
    user: i64,
    proof: &Proof,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let changed = match proof {
        Proof::Step(step) => {
            diesel::update(totp_apps::table.find(user))
                .filter(totp_apps::is_confirmed.eq(true))
                .filter(totp_apps::last_step.lt(*step))
                .set(totp_apps::last_step.eq(*step))
                .execute(connection)
                .await?
        }
        Proof::RecoveryCode(code) => {
            diesel::delete(recovery_codes::table.find((user, code.0.to_vec())))
                .execute(connection)
                .await?
        }
        Proof::Passkey { id, seen, renewed } => {
            diesel::update(passkeys::table.find(id.number()))
                .filter(passkeys::user_id.eq(user))
                .filter(passkeys::state.eq(seen))
                .set((passkeys::state.eq(renewed), passkeys::last_used_at.eq(Time::from(now))))
                .execute(connection)
                .await?
        }
    };
    Ok(changed > 0)
}

#[async_trait]
impl SecondFactorRepository for Repositories {
    async fn begin_totp(
        &self,
        user: UserId,
        secret: &SealedSecret,
        now: DateTime<Utc>,
    ) -> Result<TotpBegun, PortError> {
        during("beginning the setup of an authenticator app", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            locks::lock_user(connection, user.number()).await?;
            // Another process may have rotated the master key without this process knowing yet.
            let key = locks::master_key_in_use(connection).await?;
            if key.is_some_and(|key| key != secret.key) {
                return Ok(TotpBegun::OldKey);
            }
            diesel::delete(totp_apps::table.find(user.number()))
                .filter(totp_apps::is_confirmed.eq(false))
                .execute(connection)
                .await?;
            let kept = diesel::insert_into(totp_apps::table)
                .values((
                    totp_apps::user_id.eq(user.number()),
                    totp_apps::key.eq(&secret.key),
                    totp_apps::secret.eq(&secret.bytes),
                    totp_apps::created_at.eq(Time::from(now)),
                ))
                .on_conflict_do_nothing()
                .execute(connection)
                .await?;
            transaction.commit().await?;
            Ok(if kept > 0 { TotpBegun::Kept } else { TotpBegun::IsOn })
        })
        .await
    }

    async fn find_totp(&self, user: UserId) -> Result<Option<StoredTotp>, PortError> {
        during("finding an authenticator app", async {
            let mut connection = self.pools.read().await?;
            let row: Option<(String, Vec<u8>, bool)> = totp_apps::table
                .find(user.number())
                .select((totp_apps::key, totp_apps::secret, totp_apps::is_confirmed))
                .first(&mut connection)
                .await
                .optional()?;
            Ok(row.map(|(key, bytes, is_confirmed)| StoredTotp {
                secret: SealedSecret { key, bytes },
                is_confirmed,
            }))
        })
        .await
    }

    async fn add(
        &self,
        user: UserId,
        factor: &NewFactor,
        recovery_codes: &[StoredHash],
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<Added, PortError> {
        during("storing a second factor", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            if !is_active(connection, user).await? || !keep(connection, user, factor).await? {
                return Ok(Added::Refused);
            }
            let is_further = has_factor(connection, user).await?;
            if !is_further {
                keep_recovery_codes(connection, user, recovery_codes).await?;
            }
            set_factor(connection, user, true).await?;
            if end_sessions(connection, user, sessions).await?.is_none() {
                return Ok(Added::Refused);
            }
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(if is_further { Added::Further } else { Added::First })
        })
        .await
    }

    async fn remove(
        &self,
        user: UserId,
        which: WhichFactor,
        sessions: EndSessions,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        during("removing a second factor", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            locks::lock_user(connection, user.number()).await?;
            if take_away(connection, user.number(), which).await? == 0 {
                return Ok(false);
            }
            let is_one_left = is_one_left(connection, user.number()).await?;
            if !is_one_left {
                remove_recovery_codes(connection, user).await?;
            }
            set_factor(connection, user, is_one_left).await?;
            if end_sessions(connection, user, sessions).await?.is_none() {
                return Ok(false);
            }
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn let_in(
        &self,
        from: SessionId,
        proof: &Proof,
        session: &NewSession,
        events: &[NewAuthEvent],
    ) -> Result<bool, PortError> {
        during("signing in with a second factor", async {
            let mut transaction = self.pools.write().await?;
            let (connection, user) = (transaction.connection(), session.user.number());
            if !is_active(connection, session.user).await?
                || !use_up(connection, user, proof, session.created_at).await?
            {
                return Ok(false);
            }
            let ended = diesel::delete(sessions::table.find(from.number()))
                .filter(sessions::user_id.eq(user))
                .execute(connection)
                .await?;
            if ended == 0 {
                return Ok(false);
            }
            insert(connection, session).await?;
            for event in events {
                write_down(&mut transaction, event).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u32, PortError> {
        during("counting recovery codes", async {
            let mut connection = self.pools.read().await?;
            let left: i64 = recovery_codes::table
                .filter(recovery_codes::user_id.eq(user.number()))
                .count()
                .get_result(&mut connection)
                .await?;
            Ok(u32::try_from(left).unwrap_or(u32::MAX))
        })
        .await
    }

    async fn renew_recovery_codes(
        &self,
        user: UserId,
        recovery_codes: &[StoredHash],
        asked_by: SessionId,
        event: &NewAuthEvent,
    ) -> Result<bool, PortError> {
        during("storing recovery codes", async {
            let mut transaction = self.pools.write().await?;
            let connection = transaction.connection();
            if !is_active(connection, user).await?
                || !has_factor(connection, user).await?
                || !has_session(connection, user, asked_by).await?
            {
                return Ok(false);
            }
            remove_recovery_codes(connection, user).await?;
            keep_recovery_codes(connection, user, recovery_codes).await?;
            write_down(&mut transaction, event).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn totp_secrets(&self) -> Result<Vec<(UserId, SealedSecret)>, PortError> {
        during("listing the secrets of authenticator apps", async {
            let mut connection = self.pools.read().await?;
            let rows: Vec<(i64, String, Vec<u8>)> = totp_apps::table
                .order(totp_apps::user_id)
                .select((totp_apps::user_id, totp_apps::key, totp_apps::secret))
                .load(&mut connection)
                .await?;
            let secret = |(user, key, bytes)| (UserId::new(user), SealedSecret { key, bytes });
            Ok(rows.into_iter().map(secret).collect())
        })
        .await
    }

    async fn reseal_totp(
        &self,
        user: UserId,
        seen: &SealedSecret,
        renewed: &SealedSecret,
    ) -> Result<bool, PortError> {
        during("resealing the secret of an authenticator app", async {
            let mut transaction = self.pools.write().await?;
            let written = diesel::update(totp_apps::table.find(user.number()))
                .filter(totp_apps::secret.eq(&seen.bytes))
                .set((totp_apps::key.eq(&renewed.key), totp_apps::secret.eq(&renewed.bytes)))
                .execute(transaction.connection())
                .await?;
            transaction.commit().await?;
            Ok(written > 0)
        })
        .await
    }
}
