//! The text of each letter, as plain text and as HTML.

use std::time::SystemTime;

use askama::Template;
use lettre::Message;
use lettre::message::{Mailbox, MultiPart};
use thiserror::Error;
use url::Url;
use waggle_accounts::{CODE_LIFE, Letter, Mail, MatterLine, Purpose};

/// The sender of mails, and the base of their links.
#[derive(Debug, Clone)]
pub struct Sender {
    from: Mailbox,
    /// The public URL of Waggle. Without one, mails have no links.
    public_url: Option<Url>,
}

/// Why an email could not be written.
#[derive(Debug, Error)]
pub(crate) enum WriteError {
    /// The email library does not accept the address.
    #[error("the email address is invalid")]
    Address(#[from] lettre::address::AddressError),
    #[error("the template failed")]
    Template(#[from] askama::Error),
    #[error("the parts do not form a valid email")]
    Message(#[from] lettre::error::Error),
}

#[derive(Template)]
#[template(path = "letter.txt", escape = "none")]
struct TextPart<'a> {
    paragraphs: &'a [String],
    lines: &'a [Line<'a>],
    code: Option<&'a str>,
    link: Option<&'a str>,
    link_text: &'a str,
    footer: &'a str,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct HtmlPart<'a> {
    subject: &'a str,
    paragraphs: &'a [String],
    lines: &'a [Line<'a>],
    code: Option<&'a str>,
    link: Option<&'a str>,
    link_text: &'a str,
    footer: &'a str,
}

/// A line about a matter, with the address of its page if the address of Waggle is known.
struct Line<'a> {
    text: &'a str,
    url: Option<Url>,
}

/// The texts of a letter.
struct Words {
    subject: String,
    paragraphs: Vec<String>,
    link_text: &'static str,
    /// The action of the linked page, which precedes the token in the fragment. If empty, there is
    /// no link.
    link_to: &'static str,
}

impl Sender {
    /// Creates a sender. `from` is an address, optionally with a name in front. Returns `None` if
    /// it is invalid.
    pub fn new(from: &str, public_url: Option<Url>) -> Option<Self> {
        Some(Self { from: from.parse().ok()?, public_url })
    }

    /// Writes the whole mail. It has the same `Message-ID` each time it is written.
    pub(crate) fn write(&self, mail: &Mail) -> Result<Message, WriteError> {
        let words = words(&mail.letter);
        let proof = mail.proof.as_ref();
        let code = proof.map(|proof| proof.code.digits());
        let has_link = !words.link_to.is_empty();
        let link = proof.filter(|_| has_link);
        let link = link.and_then(|proof| self.link(words.link_to, proof.link.text()));
        let link = link.as_ref().map(Url::as_str);
        let place = self.public_url.as_ref().and_then(Url::host_str).unwrap_or("Waggle");
        let lines: &[MatterLine] = match &mail.letter {
            Letter::Matters { lines, .. } => lines,
            _ => &[],
        };
        let footer = if lines.is_empty() {
            format!(
                "Waggle ({place}) sent this email because of an action that involves your email \
                 address. If you did not expect it, contact the people who run it."
            )
        } else {
            format!(
                "Waggle ({place}) sent this email because you are a member of the team. Choose \
                 what you are told of, and how, on the page Notifications."
            )
        };
        let url = |path: &str| self.public_url.as_ref()?.join(path).ok();
        let lines: Vec<Line<'_>> =
            lines.iter().map(|line| Line { text: &line.text, url: url(&line.path) }).collect();
        let lines = lines.as_slice();
        let (link_text, footer) = (words.link_text, footer.as_str());
        let paragraphs = words.paragraphs.as_slice();
        let text = TextPart { paragraphs, lines, code, link, link_text, footer }.render()?;
        let subject = words.subject.as_str();
        let html =
            HtmlPart { subject, paragraphs, lines, code, link, link_text, footer }.render()?;
        let to = mail.to.as_str().parse()?;
        let id = format!(
            "<waggle.{}.{}@{}>",
            mail.written_at.timestamp_micros(),
            mail.number,
            self.from.email.domain()
        );
        Ok(Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(id))
            .date(SystemTime::from(mail.written_at))
            .header(Automatic)
            .multipart(MultiPart::alternative_plain_html(text, html))?)
    }

    /// The token is in the fragment, which browsers neither send to servers nor reveal to other
    /// sites.
    fn link(&self, to: &str, token: &str) -> Option<Url> {
        let mut url = self.public_url.as_ref()?.join("account").ok()?;
        url.set_fragment(Some(&format!("{to}={token}")));
        Some(url)
    }
}

/// Asks automatic responders not to answer (RFC 3834, section 5).
#[derive(Debug, Clone)]
struct Automatic;

impl lettre::message::header::Header for Automatic {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The advice for recipients who did not do this themselves.
const NOT_YOU: &str = "If this was you, you do not need to do anything. If not, reset your \
                       password now and tell an admin.";

fn words(letter: &Letter) -> Words {
    let notice = match letter {
        Letter::Code(purpose) => return code(*purpose),
        Letter::AddressTaken => (
            "Somebody tried to use your email address with Waggle".to_owned(),
            vec![
                "Somebody tried to use this email address with Waggle, but your account already \
                 uses it. Nothing was changed."
                    .to_owned(),
                "If this was you and you forgot your password, reset it on the sign-in page."
                    .to_owned(),
            ],
        ),
        Letter::PasswordChanged => {
            changed("password", "The password of your Waggle account was changed.")
        }
        Letter::Locked => (
            "Signing in to your Waggle account is temporarily locked".to_owned(),
            vec![
                "After too many failed attempts, signing in to your account is locked for some \
                 minutes, even with the correct password. The lock ends automatically."
                    .to_owned(),
                "If this was not you, somebody may know your password: reset it.".to_owned(),
            ],
        ),
        Letter::AddressChanged { to } => {
            let what = format!(
                "The email address of your Waggle account was changed from this one to {to}."
            );
            ("Your Waggle email address was changed".to_owned(), vec![what, NOT_YOU.to_owned()])
        }
        Letter::GoogleLinked => (
            "A Google account was linked to your Waggle account".to_owned(),
            vec![
                "You can now sign in to your Waggle account with a Google account.".to_owned(),
                NOT_YOU.to_owned(),
            ],
        ),
        Letter::RightsChanged { role } => (
            "Your Waggle permissions were changed".to_owned(),
            vec![format!("Your Waggle permissions are now: {role}. All your sessions were ended.")],
        ),
        Letter::SecondFactorChanged { what } => changed(
            "second factor",
            &format!(
                "The following \
                 change was \
                 made: {what}."
            ),
        ),
        Letter::FactorAttacked => (
            "Somebody may know your Waggle password".to_owned(),
            vec![
                "Somebody signed in to your account with the correct password or with Google, and \
                 then entered too many wrong codes of your authenticator app. No more app codes \
                 are accepted for a day. Recovery codes and passkeys still work."
                    .to_owned(),
                "If this was not you, reset your password.".to_owned(),
            ],
        ),
        Letter::PasskeyCopied => {
            (
                "A passkey of your Waggle account may have been copied".to_owned(),
                vec![
                "A passkey was used whose counter is lower than expected, so it may have been \
                 copied. It was rejected.".to_owned(),
                "Sign in with another second factor or a recovery code, remove the passkey, and \
                 check your active sessions.".to_owned(),
            ],
            )
        }
        Letter::TokenCreated { name } => (
            "An API token was created for your account".to_owned(),
            vec![
                format!(
                    "An API token called \"{name}\" was created. It can act on behalf of your \
                     account."
                ),
                NOT_YOU.to_owned(),
            ],
        ),
        Letter::NewUser { .. } | Letter::Breach { .. } | Letter::CodesAttacked => to_admins(letter),
        Letter::Matters { lines, more } => matters(lines, *more),
        Letter::Test => (
            "Waggle can send email".to_owned(),
            vec!["This is the test email that you requested.".to_owned()],
        ),
    };
    let (subject, paragraphs) = notice;
    Words { subject, paragraphs, link_text: "", link_to: "" }
}

fn code(purpose: Purpose) -> Words {
    let (why, link_text, link_to) = match purpose {
        Purpose::EmailVerification => (
            "Somebody wants to use this email address with Waggle.",
            "Confirm the address",
            "verify",
        ),
        Purpose::PasswordReset => (
            "Somebody wants to set a new password for your Waggle account.",
            "Choose a new password",
            "reset",
        ),
        Purpose::GoogleVerification => (
            "Somebody is signing in to Waggle for the first time with a Google account that has \
             this email address.",
            "",
            "",
        ),
    };
    let life = format!(
        "The code is valid for {} minutes and can be used once. If this was not you, do nothing, \
         and do not share the code.",
        CODE_LIFE.num_minutes()
    );
    let paragraphs = vec![why.to_owned(), life, "Your code:".to_owned()];
    Words { subject: "Your Waggle verification code".to_owned(), paragraphs, link_text, link_to }
}

fn changed(what: &str, how: &str) -> (String, Vec<String>) {
    let subject = format!("Your Waggle {what} was changed");
    (subject, vec![how.to_owned(), NOT_YOU.to_owned()])
}

/// Returns the texts of the letters to admins.
fn to_admins(letter: &Letter) -> (String, Vec<String>) {
    match letter {
        Letter::NewUser { email, name, username, method, ip } => {
            let shown = if name.is_empty() { "Not provided" } else { name };
            let title = if name.is_empty() { email.as_str() } else { name };
            let lines = vec![
                format!("Name: {shown}"),
                format!("Email address: {email}"),
                format!("User name: {username}"),
                format!("Registered with: {method}"),
                format!("IP address: {ip}"),
            ];
            (format!("New User Registration - {title}"), lines)
        }
        Letter::Breach { email, ip } => (
            "Sign-in attempt with a domain that is not allowed".to_owned(),
            vec![
                format!(
                    "Somebody tried to sign in to Waggle with a Google account whose domain \
                     is not allowed: {email}, from {ip}."
                ),
                "The sign-in was refused, and no account was created.".to_owned(),
            ],
        ),
        _ => (
            "Codes are being guessed at Waggle".to_owned(),
            vec![
                "Too many wrong codes were entered within an hour. No more codes are accepted for \
                 a while. Links in emails still work."
                    .to_owned(),
                "The audit log shows where the attempts came from.".to_owned(),
            ],
        ),
    }
}

/// Returns the texts of a letter about matters, which are in lines of their own.
fn matters(lines: &[MatterLine], more: u32) -> (String, Vec<String>) {
    let subject = match lines {
        [line] if more == 0 => format!("Waggle: {}", line.text),
        _ => {
            let number = u32::try_from(lines.len()).unwrap_or(u32::MAX).saturating_add(more);
            format!("Waggle: {number} things need you")
        }
    };
    let rest = match more {
        0 => String::new(),
        1 => ", and 1 more, which is in the console".to_owned(),
        more => format!(", and {more} more, which are in the console"),
    };
    (subject, vec![format!("This needs you{rest}:")])
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use waggle_accounts::{Link, Proof};

    use super::*;

    fn written(letter: Letter, proof: Option<Proof>) -> String {
        let url = "https://waggle.hive.example/".parse().unwrap();
        let sender = Sender::new("Waggle <waggle@hive.example>", Some(url)).unwrap();
        let to = "joe@hive.example".parse().unwrap();
        let mail = Mail { number: 7, to, letter, proof, written_at: DateTime::UNIX_EPOCH };
        let message = sender.write(&mail).unwrap();
        assert_eq!(message.envelope().to().len(), 1);
        let text = String::from_utf8(message.formatted()).unwrap();
        // Undoes the soft line breaks and the escaped `=` of quoted-printable.
        text.replace("=\r\n", "").replace("=3D", "=")
    }

    #[test]
    fn a_code_mail_has_a_link_with_the_token_in_the_fragment() {
        let link = Link::make(&[7; 32]);
        let proof = Proof { code: "012345".parse().unwrap(), link: link.clone() };

        let text = written(Letter::Code(Purpose::PasswordReset), Some(proof));

        let url = format!("https://waggle.hive.example/account#reset={}", link.text());
        assert_eq!(text.matches("012345").count(), 2, "{text}");
        assert_eq!(text.matches(&url).count(), 2, "{text}");
        assert!(text.contains("Message-ID: <waggle.0.7@hive.example>"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated"));
    }

    #[test]
    fn each_matter_has_a_line_with_a_link() {
        let line = |text: &str, path: &str| MatterLine { text: text.into(), path: path.into() };
        let one = Letter::Matters { lines: vec![line("Post 5 failed", "/posts/5")], more: 0 };
        let lines = vec![line("The batch “<b>” arrived", "/batches/7"), line("B", "/publishing")];

        let one = written(one, None);
        let many = written(Letter::Matters { lines, more: 2 }, None);

        assert!(one.contains("Subject: Waggle: Post 5 failed\r\n"), "{one}");
        assert_eq!(one.matches("https://waggle.hive.example/posts/5").count(), 2, "{one}");
        assert!(many.contains("Subject: Waggle: 4 things need you\r\n"), "{many}");
        assert!(many.contains("This needs you, and 2 more, which are in the console:"), "{many}");
        let html = many.split("text/html").nth(1).unwrap();
        assert!(!html.contains("<b>") && html.contains("https://waggle.hive.example/batches/7"));
    }

    #[test]
    fn user_input_becomes_neither_html_nor_a_header() {
        let name = "<b onload=alert(1)>{{ code }}\r\nBcc: eve@evil.example";
        let letter = Letter::NewUser {
            email: "joe@hive.example".parse().unwrap(),
            name: name.to_owned(),
            username: "joe".to_owned(),
            method: "email".to_owned(),
            ip: "10.0.0.7".to_owned(),
        };

        let text = written(letter, None);

        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        let html = text.split("text/html").nth(1).unwrap();
        assert!(!html.contains("<b onload"), "{html}");
        assert!(html.contains("{{ code }}"), "nothing of it is a template: {html}");
    }
}
