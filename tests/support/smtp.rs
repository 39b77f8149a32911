//! A mail server on this machine, which accepts emails only over TLS and after a login.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::CertifiedKey;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The account that can send emails.
pub(crate) const USER: &str = "waggle@hive.example";
pub(crate) const PASSWORD: &str = "a password for mails alone";

/// What the server received.
#[derive(Default)]
pub(crate) struct Seen {
    /// The complete emails.
    pub(crate) mails: Vec<String>,
    /// The reasons of rejected commands.
    pub(crate) refused: Vec<&'static str>,
}

/// A server that runs until its test ends.
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    /// The certificate that clients must trust.
    pub(crate) certificate: PathBuf,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

/// When TLS begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    WithTheFirstByte,
    WithStartTls,
}

impl SmtpServer {
    pub(crate) async fn start(folder: &Path, begins: Begins) -> Self {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::create_dir_all(folder).unwrap();
        let certificate = folder.join("mail-server.pem");
        std::fs::write(&certificate, cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, record) = (acceptor.clone(), Arc::clone(&record));
                tokio::spawn(async move {
                    if begins == Begins::WithTheFirstByte {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        talk(BufReader::new(stream), Stage::Encrypted, &record).await;
                        return;
                    }
                    let mut plain = BufReader::new(stream);
                    plain.write_all(b"220 localhost\r\n").await.unwrap();
                    if !wants_tls(&mut plain, &record).await {
                        return;
                    }
                    let Ok(stream) = acceptor.accept(plain.into_inner()).await else { return };
                    talk(BufReader::new(stream), Stage::AfterStartTls, &record).await;
                });
            }
        });
        Self { port, certificate, seen }
    }
}

#[derive(PartialEq, Eq)]
enum Stage {
    Encrypted,
    AfterStartTls,
}

/// Talks without TLS until the client asks for it. Accepts nothing else before.
async fn wants_tls<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    seen: &Mutex<Seen>,
) -> bool {
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return false;
        }
        let answer: &[u8] = match line.get(..4).unwrap_or_default() {
            "EHLO" => b"250-localhost\r\n250 STARTTLS\r\n",
            "STAR" => {
                stream.write_all(b"220 go on\r\n").await.unwrap();
                return true;
            }
            "QUIT" => return false,
            _ => {
                seen.lock().unwrap().refused.push("in the clear");
                b"530 5.7.0 TLS first\r\n"
            }
        };
        stream.write_all(answer).await.unwrap();
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    stage: Stage,
    seen: &Mutex<Seen>,
) {
    if stage == Stage::Encrypted && stream.write_all(b"220 localhost\r\n").await.is_err() {
        return;
    }
    let right = STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    let (mut is_known, mut line) = (false, String::new());
    let mut recipient = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let answer = match line.get(..4).unwrap_or_default() {
            "EHLO" => "250-localhost\r\n250 AUTH PLAIN\r\n",
            "AUTH" if line.trim_end().ends_with(&right) => {
                is_known = true;
                "235 2.7.0 welcome\r\n"
            }
            "AUTH" => {
                seen.lock().unwrap().refused.push("wrong password");
                // Some servers repeat what they were sent.
                let answer = format!("535 5.7.8 wrong: {}\r\n", line.trim_end());
                stream.write_all(answer.as_bytes()).await.unwrap();
                continue;
            }
            "MAIL" if !is_known => {
                seen.lock().unwrap().refused.push("stranger");
                "530 5.7.0 who are you\r\n"
            }
            "RCPT" if line.contains("full@") => "550 5.4.5 the quota of the day is used up\r\n",
            "RCPT" if line.contains("gone@") => "550 5.1.1 nobody of that name\r\n",
            // The client never gets an answer.
            "RCPT" if line.contains("slow@") => std::future::pending().await,
            "RCPT" => {
                recipient.clone_from(&line);
                "250\r\n"
            }
            "MAIL" | "NOOP" | "RSET" => "250 2.0.0 fine\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                let mut mail = String::new();
                loop {
                    line.clear();
                    if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                        return;
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    mail.push_str(&line);
                }
                seen.lock().unwrap().mails.push(mail);
                if recipient.contains("mute@") {
                    return;
                }
                let is_odd = recipient.contains("odd@");
                if is_odd { "what was that?\r\n" } else { "250\r\n" }
            }
            "QUIT" => return,
            _ => "500 what\r\n",
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
