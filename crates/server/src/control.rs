//! The control socket: how the command line reaches a running server, above all one that holds the embedded database.
//!
//! A second HTTP server on a Unix socket in a private directory. It answers this user's processes only. A command is
//! the serialised form of what the command line parsed; the answer is lines of JSON, the last one the result.

use std::{io, os::unix::net::UnixListener, path::PathBuf, time::Duration};

use actix_web::{
    App as ActixApp, HttpRequest, HttpResponse, HttpServer,
    dev::{Extensions, ServerHandle},
    web::{self, Data, Json, JsonConfig},
};
use signet_storage::{
    Origin,
    data_dir::{prepare, private_socket_dir},
};

use crate::{
    admin::Desk,
    app::App,
    cli::{
        command::{self, Command, Reply},
        exit::Exit,
    },
    config::Config,
    entropy,
    reload::{self, ReloadError},
    startup::Opened,
};

/// The socket's file name, where one process holds the database.
const SOCKET: &str = "control.sock";

/// How long a node may take to read its settings again.
const RELOADED_WITHIN: Duration = Duration::from_secs(30);

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

/// Listens. On a database server several nodes may share the data directory, each with a socket of its own, and one
/// that cannot have a socket serves all the same.
pub fn listen(app: &Data<App>, opened: &Opened) -> io::Result<Option<Control>> {
    if app.store.engine() == signet_storage::pool::Engine::Embedded {
        let path = private_socket_dir(&opened.data_dir, "control")?.join(SOCKET);
        // The data directory's lock is ours, so a socket that is there is a dead one.
        let _ = std::fs::remove_file(&path);
        return serve(app, path).map(Some);
    }
    let mine = || {
        // The end of the identifier is random; it begins with the time.
        let name = entropy::turn().map_err(io::Error::other)?.uuid().simple().to_string();
        let directory = prepare(&opened.data_dir).map_err(io::Error::other)?;
        let directory = private_socket_dir(&directory, "control")?;
        serve(app, directory.join(format!("{}.sock", name.get(24..).unwrap_or("node"))))
    };
    let control = mine();
    if let Err(error) = &control {
        tracing::warn!(%error, "no control socket: `signet reload` does not reach this node, SIGHUP does");
    }
    Ok(control.ok())
}

fn serve(app: &Data<App>, path: PathBuf) -> io::Result<Control> {
    let listener = UnixListener::bind(&path)?;
    let app = app.clone();
    #[expect(clippy::disallowed_methods, reason = "the control socket is no part of the route page")]
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(app.clone())
            .app_data(JsonConfig::default().limit(8 * 1024 * 1024))
            .service(web::resource("/command").route(web::post().to(run)))
            .service(web::resource("/reload").route(web::post().to(read_settings)))
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
    Ok(Control { handle, path })
}

/// Who asks: this user. Anybody else is told who may.
fn operator(peer: Option<&Peer>) -> Result<Origin, Reply> {
    let us = rustix::process::geteuid().as_raw();
    match peer {
        Some(peer) if peer.0 == us => Ok(Origin { operator: Some(format!("uid:{us}")), ..Origin::default() }),
        _ => Err(Reply::Failed {
            code: "forbidden".to_owned(),
            message: format!("Run this as user id {us}, who runs Signet."),
            field: None,
            exit: Exit::Failed,
        }),
    }
}

async fn read_settings(app: Data<App>, http: HttpRequest) -> HttpResponse {
    let origin = match operator(http.conn_data()) {
        Ok(origin) => origin,
        Err(refusal) => return answer(&refusal),
    };
    answer(&match reload::reload(&app, origin).await {
        Ok(done) => Reply::Done { text: reload::text(&done), value: serde_json::json!(done) },
        Err(error) => {
            let (code, exit) = match &error {
                ReloadError::Config(_) => ("configuration", Exit::Usage),
                _ => ("not_reloaded", Exit::Failed),
            };
            Reply::Failed { code: code.to_owned(), message: error.to_string(), field: None, exit }
        }
    })
}

fn answer(reply: &Reply) -> HttpResponse {
    let line = serde_json::to_string(reply).unwrap_or_default();
    HttpResponse::Ok().content_type("application/x-ndjson").body(format!("{line}\n"))
}

async fn run(app: Data<App>, http: HttpRequest, command: Json<Command>) -> HttpResponse {
    let origin = match operator(http.conn_data()) {
        Ok(origin) => origin,
        Err(refusal) => return answer(&refusal),
    };
    let desk = Desk::of(&app, origin, None);
    answer(&command::run(&desk, command.into_inner()).await)
}

/// Why the running server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no socket although the data directory is held.
    #[error("{0} is in use, but no running Signet answers there; if another command is at work, wait for it to end")]
    Silent(String),
    /// There is no socket.
    #[error("no running Signet answers in {0}; name the data directory of the running one with --data-dir")]
    NotRunning(String),
    /// It answered something else.
    #[error("the running Signet did not understand the command: is it of the same version?")]
    NotUnderstood,
}

/// Asks every server that runs on this data directory to read its settings again. Their answers, at least one.
pub async fn reload_all(config: &Config) -> Result<Vec<Reply>, ControlError> {
    let nobody = || ControlError::NotRunning(config.data_dir.display().to_string());
    let directory = private_socket_dir(&config.data_dir, "control").map_err(|_| nobody())?;
    let mut sockets: Vec<PathBuf> = std::fs::read_dir(directory)
        .map_err(|_| nobody())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "sock"))
        .collect();
    sockets.sort();
    let mut replies = Vec::new();
    for socket in sockets {
        let client = reqwest::Client::builder().unix_socket(socket).build().map_err(|_| nobody())?;
        let sent = client.post("http://control/reload").timeout(RELOADED_WITHIN).send().await;
        let answered = match sent {
            Ok(answer) => answer.text().await,
            Err(error) => Err(error),
        };
        let text = match answered {
            Ok(text) => text,
            Err(error) if error.is_timeout() => {
                let message = "A running Signet did not answer within 30 seconds; look at its log.".to_owned();
                let (code, exit) = ("no_answer".to_owned(), Exit::Unavailable);
                replies.push(Reply::Failed { code, message, field: None, exit });
                continue;
            }
            // What a node that was killed left behind.
            Err(_) => continue,
        };
        let last = text.lines().last().unwrap_or_default();
        replies.push(serde_json::from_str(last).map_err(|_| ControlError::NotUnderstood)?);
    }
    if replies.is_empty() { Err(nobody()) } else { Ok(replies) }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the user who runs the server is answered; others are told who that is.
    #[test]
    fn others_are_told_who_may() {
        let us = rustix::process::geteuid().as_raw();
        assert_eq!(operator(Some(&Peer(us))).ok().unwrap().operator, Some(format!("uid:{us}")));
        for other in [None, Some(Peer(us + 1))] {
            let Err(Reply::Failed { code, message, .. }) = operator(other.as_ref()) else { panic!("{other:?}") };
            assert_eq!((&*code, message), ("forbidden", format!("Run this as user id {us}, who runs Signet.")));
        }
    }
}
