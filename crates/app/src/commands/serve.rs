//! `waggle serve`: runs the server and its workers until the process is asked to stop.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};
use waggle_accounts::Client;
use waggle_content::Platform;
use waggle_kernel::{Actor, Clock as _, error_chain};
use waggle_store::Store;
use waggle_system::{SystemClock, private_file};

use super::database::open_current;
use super::output::{Failure, print};
use super::setup_link;
use crate::config::Config;
use crate::use_cases::UseCases;
use crate::workers::mails::Mails;
use crate::workers::posts::Posts;
use crate::workers::{self, changes, events, maintenance, retention, settings, supervise};
use crate::{routes, wiring};

/// The maximum time for requests and deliveries in progress to finish.
const DRAIN: Duration = Duration::from_secs(25);
/// The maximum time for which a start appends waiting events.
const CATCH_UP: Duration = Duration::from_secs(10);

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    // This comes first: by default, the signals do not end the first process of a container.
    let mut end = Signals::new()?;
    let starting = async {
        let store = open_current(config).await?;
        let server = Server::start(&store, config).await?;
        let address = server.address;
        print(&format!("Waggle is at http://{address}, on {}.", store.kind()));
        greet(&server.app, address, config).await?;
        Ok::<_, Failure>(server)
    };
    let server = tokio::select! {
        server = starting => server?,
        () = end.asked() => {
            info!("asked to stop before the start was complete");
            return Ok(());
        }
    };
    end.asked().await;
    info!("asked to stop: requests and deliveries in progress are finished, nothing new starts");
    server.stop().await;
    Ok(())
}

/// The signals that ask the process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A running server with its workers.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) app: Arc<UseCases>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    _lock: Option<waggle_store::FileLock>,
}

impl Server {
    pub(super) async fn start(store: &Store, config: &Config) -> Result<Self, Failure> {
        let listen = config.listen;
        let lock = store.lock_for_server(SystemClock.now()).await?;
        let app = Arc::new(wiring::use_cases(store, config).await?);
        if settings::trusts_networks(&app) {
            settings::warn_of_trusted_networks();
        }
        app.super_admins.apply(&app.settings.values()).await;
        // After an upgrade, very many events may wait. Lists lack them until they are appended.
        catch_up(&app).await;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let posts = Arc::new(Posts::new(Arc::clone(&app), store.queues()));
        let mails = Arc::new(Mails { app: Arc::clone(&app), queues: store.queues() });
        let tasks = vec![
            tokio::spawn(routes::serve(listener, Arc::clone(&app), stopped.clone())),
            tokio::spawn(supervise("posts", stopped.clone(), {
                let stopped = stopped.clone();
                move || workers::run(Arc::clone(&posts), stopped.clone())
            })),
            tokio::spawn(supervise("mails", stopped.clone(), {
                let stopped = stopped.clone();
                move || workers::run(Arc::clone(&mails), stopped.clone())
            })),
            tokio::spawn(supervise("events", stopped.clone(), {
                let (app, queues, stopped) = (Arc::clone(&app), store.queues(), stopped.clone());
                move || events::run(Arc::clone(&app), queues.clone(), stopped.clone())
            })),
            tokio::spawn(supervise("changes", stopped.clone(), {
                let (app, queues, stopped) = (Arc::clone(&app), store.queues(), stopped.clone());
                move || changes::run(Arc::clone(&app), queues.clone(), stopped.clone())
            })),
            tokio::spawn(supervise("retention", stopped.clone(), {
                let (app, stopped) = (Arc::clone(&app), stopped.clone());
                move || retention::run(Arc::clone(&app), stopped.clone())
            })),
            tokio::spawn(supervise("maintenance", stopped.clone(), {
                let (work, stopped) = (store.maintenance(), stopped.clone());
                move || maintenance::run(work.clone(), stopped.clone())
            })),
            tokio::spawn(supervise("settings", stopped.clone(), {
                let (app, store) = (Arc::clone(&app), store.clone());
                move || {
                    let (app, changes) = (Arc::clone(&app), store.setting_changes());
                    settings::run(app, changes, stopped.clone())
                }
            })),
        ];
        info!(%address, database = store.kind(), "ready");
        Ok(Self { address, app, stop, tasks, _lock: lock })
    }

    /// Finishes what is in progress, and starts nothing new.
    pub(super) async fn stop(self) {
        self.app.draining.send_replace(true);
        let _ = self.stop.send(true);
        let all = async {
            for task in self.tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            warn!(
                "not everything finished in time; unfinished deliveries are reconciled at the \
                 next start"
            );
        }
    }
}

/// Appends waiting events to the chain, for at most [`CATCH_UP`]. The worker appends the rest.
#[expect(clippy::disallowed_methods, reason = "a duration is measured")]
async fn catch_up(app: &UseCases) {
    let begun = Instant::now();
    loop {
        match app.chain.step().await {
            Ok(true) if begun.elapsed() < CATCH_UP => tokio::task::yield_now().await,
            Ok(true) => {
                warn!(
                    "very many events wait to be appended to the audit log; lists of events lack \
                     them for some minutes"
                );
                return;
            }
            Ok(false) => return,
            Err(problem) => {
                error!(error = %error_chain(&problem), "events could not be appended to the chain");
                return;
            }
        }
    }
}

/// Shows the first token, once, and suggests what to do next.
async fn greet(app: &UseCases, address: SocketAddr, config: &Config) -> Result<(), Failure> {
    let first = app.people.tokens.create_first(&Actor::system(), "first admin").await?;
    if let Some(created) = first {
        let token = match hand_over(created.secret.expose_secret(), config) {
            Ok(token) => token,
            Err(error) => {
                // Nobody has received the token, so it is revoked.
                let (id, client) = (&created.token.public_id, Client::default());
                app.people.tokens.revoke(&Actor::system(), id, &client).await?;
                return Err(error);
            }
        };
        print(&format!(
            "Three commands to try next:\n\n    export TOKEN={token}\n    \
             curl -s -H \"Authorization: Bearer $TOKEN\" \
             http://{address}/api/v1/generated-tweets\n    \
             {} tokens create --name n8n --scope ingest\n",
            super::output::program()
        ));
    }
    if app.people.set_up.is_open().await? {
        invite(app, address).await?;
    }
    print(&format!("The API is described at http://{address}/docs."));
    if !app.connections.is_connected(Platform::X) {
        print(&format!(
            "X is not connected: posts go to the sandbox, a timeline on this machine only. To \
             connect X: {} settings init",
            super::output::program()
        ));
    }
    Ok(())
}

/// Says how the first admin is created. The link itself is shown on a terminal only: other output
/// ends up in logs that others read.
async fn invite(app: &UseCases, address: SocketAddr) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() {
        let program = super::output::program();
        print(&format!(
            "There are no users yet. To create the first admin in the browser, print a link: \
             {program} setup-link"
        ));
        return Ok(());
    }
    if let Some(link) = app.people.set_up.link(&Actor::system()).await? {
        let url = setup_link::url(&app.settings.values(), address, &link);
        print(&format!(
            "There are no users yet. To become the first admin, open this link within 24 hours. \
             It works once:\n\n    {url}\n"
        ));
    }
    Ok(())
}

/// Shows the first token on a terminal. Other output ends up in logs that others read, so there the
/// token is written to a file that only its owner can read. Returns what the suggested shell
/// commands use as the token.
fn hand_over(token: &str, config: &Config) -> Result<String, Failure> {
    if std::io::stdout().is_terminal() {
        print(&format!(
            "\nThis is the first admin API token. It is shown once and stored nowhere, so save it \
             now:\n\n    {token}\n"
        ));
        return Ok(token.to_owned());
    }
    let path = config.data_dir.join("first-token");
    // An existing file has its own permissions, or is a link to another file.
    let written = std::fs::create_dir_all(&config.data_dir)
        .and_then(|()| match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => private_file::options().create_new(true).open(&path),
        })
        .and_then(|mut file| writeln!(file, "{token}"));
    let path = path.display();
    written.map_err(|error| {
        format!(
            "the first API token cannot be written to {path}: {error}. Create one with: {} tokens \
             create --name admin --scope admin",
            super::output::program()
        )
    })?;
    print(&format!(
        "\nThe first admin API token is in {path}, which only the owner of the file can read. \
         Save the token and delete the file.\n"
    ));
    Ok(format!("$(cat {path})"))
}
