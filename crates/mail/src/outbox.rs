//! Mails as files, for trying Waggle out: nothing leaves the machine.

use std::path::PathBuf;

use async_trait::async_trait;
use tracing::warn;
use waggle_accounts::ports::Mailer;
use waggle_accounts::{Mail, MailFailure};
use waggle_kernel::PortError;

use crate::letters::Sender;

/// Writes every email into a folder, as `<time>-<number>.eml`. On Unix, only the owner can read the
/// files.
#[derive(Debug)]
pub struct Outbox {
    /// The folder, which is created if it is missing.
    pub folder: PathBuf,
    pub sender: Sender,
}

#[async_trait]
impl Mailer for Outbox {
    async fn send(&self, mail: &Mail) -> Result<(), MailFailure> {
        const DOING: &str = "writing an email to the outbox";
        let message = self
            .sender
            .write(mail)
            .map_err(|error| MailFailure::Never(PortError::broken(DOING, error)))?;
        let name = format!("{}-{}.eml", mail.written_at.format("%Y%m%dT%H%M%S"), mail.number);
        let path = self.folder.join(&name);
        let (folder, bytes) = (self.folder.clone(), message.formatted());
        let written = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
            std::fs::create_dir_all(&folder)?;
            write_private(&path, &bytes)
        });
        let later =
            |error: std::io::Error| MailFailure::Later(PortError::unavailable(DOING, error));
        written
            .await
            .map_err(|error| MailFailure::Later(PortError::broken(DOING, error)))?
            .map_err(later)?;
        warn!(file = %self.folder.join(&name).display(), letter = mail.letter.name(),
            "no mail server is configured; the email was written to the outbox");
        Ok(())
    }
}

fn write_private(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // The file appears under its final name only when it is complete.
    let part = path.with_extension("part");
    options.open(&part)?.write_all(bytes)?;
    std::fs::rename(part, path)
}
