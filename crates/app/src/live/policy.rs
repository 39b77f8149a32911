//! Converts settings to the policies of accounts.

use waggle_accounts::{
    AccountPolicy, Address, Admission, CodeLength, LimitTable, Role, SessionLife, SignInPolicy,
};
use waggle_settings::{List, Values};

/// The account policy that `values` define.
pub(crate) fn of(values: &Values) -> AccountPolicy {
    AccountPolicy {
        sign_in: sign_in(values),
        admission: admission(values),
        limits: limits(values),
        code_length: CodeLength::new(
            u8::try_from(values.verification_code_digits.number()).unwrap_or_default(),
        ),
        has_links: values.public_url.is_some(),
        is_registration_open: values.registration_enabled.is_on(),
        // The setting accepts only names of roles. An unknown name would give the lowest role.
        new_user_role: values.new_user_role.as_str().parse().unwrap_or(Role::Viewer),
        google_code: values.google_verification_enabled.is_on(),
        security_admins: addresses(&values.security_admin_emails),
        notified: addresses(&values.admin_notification_emails),
        recent: values.recent_authentication.duration(),
        admins_need_second_factor: values.admin_second_factor.is_on(),
    }
}

/// Which email addresses are allowed, and which belong to super admins.
pub(crate) fn admission(values: &Values) -> Admission {
    let domains = values.allowed_domain.0.iter().map(|domain| domain.as_str().to_owned());
    Admission {
        domains: values.domain_restriction_enabled.is_on().then(|| domains.collect()),
        super_admins: addresses(&values.super_admin_emails),
        admit_super_admins: values.admin_bypass.is_on(),
    }
}

fn limits(values: &Values) -> LimitTable {
    let rules = values.limits.0.iter();
    LimitTable {
        otherwise: rules.map(|rule| (rule.name.clone(), rule.most, rule.seconds)).collect(),
    }
}

fn sign_in(values: &Values) -> SignInPolicy {
    let most = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    SignInPolicy {
        admins: SessionLife {
            idle: values.admin_session_idle.duration(),
            absolute: values.admin_session_life.duration(),
        },
        others: SessionLife {
            idle: values.session_idle.duration(),
            absolute: values.session_life.duration(),
        },
        failures_per_account: most(values.login_failures_per_account.number()),
        failures_per_client: most(values.login_failures_per_client.number()),
        window: values.login_failure_window.duration(),
        limits: limits(values),
    }
}

/// The addresses of a list. Invalid ones are left out.
fn addresses(list: &List<waggle_settings::Address>) -> Vec<Address> {
    list.0.iter().filter_map(|address| address.as_str().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use waggle_accounts::LIMITS;

    #[test]
    fn the_setting_has_the_names_of_all_limits() {
        let names: Vec<&str> = LIMITS.iter().map(|limit| limit.name).collect();

        assert_eq!(names, waggle_settings::LIMIT_NAMES);
    }
}
