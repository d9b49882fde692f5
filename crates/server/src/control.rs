//! The control socket: how the command line reaches a server that holds the embedded database.
//!
//! A second HTTP server on a Unix socket in a private directory. It answers this user's processes only. A command is
//! the serialised form of what the command line parsed; the answer is lines of JSON, the last one the result.

use std::{io, os::unix::net::UnixListener, path::PathBuf, time::Duration};

use actix_web::{
    App as ActixApp, HttpRequest, HttpResponse, HttpServer,
    dev::{Extensions, ServerHandle},
    web::{self, Data, Json, JsonConfig},
};
use signet_storage::data_dir::private_socket_dir;

use crate::{
    admin::Desk,
    app::App,
    cli::command::{self, Command, Reply},
    config::Config,
    startup::Opened,
};

/// The socket's file name.
const SOCKET: &str = "control.sock";

/// A listening control socket.
pub struct Control {
    handle: ServerHandle,
    path: PathBuf,
}

impl Control {
    /// Stops listening and takes the socket away.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
struct Peer(u32);

/// Listens, where the engine is embedded. With a server the command line reaches the database itself.
pub fn listen(app: &Data<App>, opened: &Opened) -> io::Result<Option<Control>> {
    if app.store.engine() != signet_storage::pool::Engine::Embedded {
        return Ok(None);
    }
    let path = private_socket_dir(&opened.data_dir, "control")?.join(SOCKET);
    // The data directory's lock is ours, so a socket that is there is a dead one.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    let app = app.clone();
    #[expect(clippy::disallowed_methods, reason = "the control socket is no part of the route page")]
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(app.clone())
            .app_data(JsonConfig::default().limit(1024 * 1024))
            .service(web::resource("/command").route(web::post().to(run)))
    })
    .workers(1)
    .disable_signals()
    .on_connect(|connection, extensions: &mut Extensions| {
        let peer =
            connection.downcast_ref::<actix_web::rt::net::UnixStream>().and_then(|stream| stream.peer_cred().ok());
        if let Some(peer) = peer {
            extensions.insert(Peer(peer.uid()));
        }
    })
    .listen_uds(listener)?
    .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok(Some(Control { handle, path }))
}

async fn run(app: Data<App>, http: HttpRequest, command: Json<Command>) -> HttpResponse {
    let peer = http.conn_data::<Peer>();
    let Some(Peer(uid)) = peer.filter(|peer| peer.0 == rustix::process::geteuid().as_raw()) else {
        return HttpResponse::Forbidden().finish();
    };
    let desk = Desk {
        store: app.store.clone(),
        realm: app.realm().as_ref().clone(),
        hasher: app.hasher.clone(),
        passwords: app.passwords.clone(),
        origin: signet_storage::Origin { operator: Some(format!("uid:{uid}")), ..Default::default() },
        held: None,
    };
    let reply = command::run(&desk, command.into_inner()).await;
    let line = serde_json::to_string(&reply).unwrap_or_default();
    HttpResponse::Ok().content_type("application/x-ndjson").body(format!("{line}\n"))
}

/// Why the running server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no socket although the data directory is held.
    #[error("{0} is in use, but no running Signet answers there; if another command is at work, wait for it to end")]
    Silent(String),
    /// It answered something else.
    #[error("the running Signet did not understand the command: is it of the same version?")]
    NotUnderstood,
}

/// Asks the running server. The lock may be held before the socket is there: keeps trying for five seconds.
pub async fn ask(config: &Config, command: &Command) -> Result<Reply, ControlError> {
    let silent = || ControlError::Silent(config.data_dir.display().to_string());
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..50 {
        tick.tick().await;
        let Ok(directory) = private_socket_dir(&config.data_dir, "control") else { continue };
        let socket = directory.join(SOCKET);
        if !socket.exists() {
            continue;
        }
        let client = reqwest::Client::builder().unix_socket(socket).build().map_err(|_| silent())?;
        match client.post("http://control/command").json(command).send().await {
            Ok(answer) => {
                let text = answer.text().await.map_err(|_| silent())?;
                let last = text.lines().last().unwrap_or_default();
                return serde_json::from_str(last).map_err(|_| ControlError::NotUnderstood);
            }
            Err(error) if error.is_connect() => {}
            Err(_) => return Err(silent()),
        }
    }
    Err(silent())
}
