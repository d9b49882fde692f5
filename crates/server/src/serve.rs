//! `signet serve`: from nothing to answering, and back down in order.

use std::{
    io::{self, IsTerminal, Write},
    net::TcpListener,
    sync::Arc,
    time::Duration,
};

use actix_web::{App as ActixApp, HttpServer, middleware::from_fn, web::Data};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    app::{App, Parts},
    audit, channel,
    cli::output,
    config::Config,
    control, deliveries,
    guard::{connections::Connections, headers, limits},
    outbound::{Outbound, SetupError},
    playground::{Playground, PlaygroundError, registration},
    reload, routes,
    startup::{self, FirstAdministrator, Migrate, Opened, StartError},
    sweep,
    telemetry::{Telemetry, health::Phase, logs::LogHandle, panics, request},
    tls::{Files, Tls, TlsError},
};

/// Why serving did not begin or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Starting.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The port.
    #[error("cannot listen on {address}: {hint}")]
    Bind {
        /// The address.
        address: std::net::SocketAddr,
        /// What to do.
        hint: String,
    },
    /// The playground.
    #[error(transparent)]
    Playground(#[from] PlaygroundError),
    /// Certificate and key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Further authorities.
    #[error(transparent)]
    Outbound(#[from] SetupError),
    /// TLS as a whole.
    #[error("TLS cannot be set up: {0}")]
    TlsSetup(#[from] rustls::Error),
    /// The system.
    #[error("{0}")]
    Io(#[from] io::Error),
}

fn bind(config: &Config) -> Result<TcpListener, ServeError> {
    TcpListener::bind(config.bind).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "the port is taken, perhaps by another Signet; stop that, or choose another with SIGNET_BIND and SIGNET_ISSUER"
                    .to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "this user may not use that port; choose one above 1023 with SIGNET_BIND".to_owned()
            }
            _ => format!("{error}; change SIGNET_BIND"),
        };
        ServeError::Bind { address: config.bind, hint }
    })
}

/// What the operating system's user asks for. Heard from the first moment on, so that a stop during start is clean too.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn hear() -> io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self { interrupt: interrupt?, terminate: terminate?, hangup: hangup? })
    }

    /// Waits for SIGINT or SIGTERM.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// The same, and reads the settings again at SIGHUP. What came of that is in the log.
    async fn serve(&mut self, app: &Data<App>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                Some(()) = self.hangup.recv() => {
                    let _ = reload::reload(app, startup::operator()).await;
                }
            }
        }
    }
}

/// Serves until SIGINT or SIGTERM.
pub async fn serve(config: Config, logs: LogHandle) -> Result<(), ServeError> {
    let mut signals = Signals::hear()?;
    // Before anything is opened: a wrong file is told at once.
    let tls = Files::of(&config.tls).as_ref().map(Tls::load).transpose()?;
    let outbound = Arc::new(Outbound::new(&config.outbound)?);
    let listener = bind(&config)?;
    let telemetry = Data::new(Telemetry::begin());
    let opening = config.clone();
    let opening = tokio::task::spawn_blocking(move || startup::open(&opening, Migrate::Always, &progress));
    let opened = tokio::select! {
        opened = opening => opened.map_err(io::Error::other)??,
        () = signals.stop() => stopped_at_start(),
    };
    let hasher = startup::hasher(&config);
    let playground = if config.development {
        registration::register(&opened.store, &opened.realm).await?;
        Some(Data::new(Playground::new(&config.issuer, startup::PLAYGROUND_CLIENT)?))
    } else {
        registration::retire(&opened.store).await?;
        None
    };
    let app = App::load(Parts {
        realm: opened.realm.clone(),
        store: opened.store.clone(),
        hasher: hasher.clone(),
        config: std::sync::Arc::new(config.clone()),
        tls: tls.clone(),
        outbound,
    })
    .await
    .map_err(StartError::from)?;
    let app = Data::new(app);
    app.hooks.add(reload::log_level(logs));
    app.hooks.add(app.outbound.hook());
    if let Some(tls) = &app.tls {
        app.hooks.add(reload::certificate(std::sync::Arc::clone(tls)));
    }

    let mut jobs = jobs(&app, &opened);
    jobs.push(actix_web::rt::spawn({
        let telemetry = telemetry.clone();
        async move { telemetry.keep().await }
    }));
    let control = control::listen(&app, &opened)?;
    // Last, so that nothing can fail between the making of the password and its showing.
    let administrator = startup::first_administrator(&config, &opened.store, &hasher).await?;
    let connections = Connections::default();
    let patience = config.http.keep_alive.0 + config.http.head_timeout.0;
    jobs.push(actix_web::rt::spawn(connections.clone().reap(patience)));
    let server = {
        let (app, telemetry) = (app.clone(), telemetry.clone());
        let server = HttpServer::new(move || {
            let mut service = ActixApp::new().app_data(app.clone()).app_data(telemetry.clone());
            if let Some(playground) = &playground {
                service = service.app_data(playground.clone());
            }
            let development = playground.is_some();
            service
                .configure(|config| routes::configure(config, development))
                .wrap(from_fn(panics::layer))
                .wrap(from_fn(headers::layer))
                .wrap(from_fn(request::layer))
        });
        let (http, workers) = (&config.http, limits::workers(config.http.workers));
        let server = server
            .disable_signals()
            .on_connect(move |io, data| connections.accepted(io, data))
            .workers(workers)
            .max_connections(limits::connections().div_ceil(workers))
            .keep_alive(http.keep_alive.0)
            .client_request_timeout(http.head_timeout.0)
            .tls_handshake_timeout(http.head_timeout.0)
            .client_disconnect_timeout(Duration::from_secs(2))
            .shutdown_timeout(http.shutdown_timeout.0.as_secs());
        match &tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls.server_config()?)?,
            None => server.listen(listener)?,
        }
        .run()
    };
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    telemetry.health.enter(Phase::Serving);
    announce(&config, &opened, administrator.as_ref());

    signals.serve(&app).await;
    telemetry.health.enter(Phase::Stopping);
    output::tell("Stopping: requests under way are finished first.");
    // Whoever sends requests here learns from /readyz to send them elsewhere. A second signal ends the wait.
    let drain = app.config().http.drain.0;
    let _ = tokio::time::timeout(drain, signals.stop()).await;
    handle.stop(true).await;
    let _ = running.await;
    if let Some(control) = control {
        control.stop().await;
    }
    for job in jobs {
        job.abort();
        let _ = job.await;
    }
    app.audit.close(&app.store).await;
    drop(app);
    close(opened).await;
    Ok(())
}

/// Ends the process while the database is being opened. That may wait for as long as another node migrates, in a thread
/// that cannot be interrupted and that the runtime would wait for. What it was doing is undone as after a crash.
fn stopped_at_start() -> ! {
    output::tell("Stopped while starting.");
    std::process::exit(0)
}

fn progress(line: &str) {
    output::tell(line);
}

#[cfg(feature = "embedded")]
pub(crate) async fn close(opened: Opened) {
    let Opened { store, embedded, .. } = opened;
    let Some(embedded) = embedded else { return };
    let checkpoint =
        store.upkeep(|conn| signet_storage::embedded::EmbeddedDatabase::checkpoint(conn).map_err(Into::into)).await;
    if let Err(error) = checkpoint {
        tracing::warn!(%error, "no checkpoint before the stop; the next start repeats the log");
    }
    // The pool goes before the engine.
    store.drain(Duration::from_secs(5)).await;
    if let Some(embedded) = std::sync::Arc::into_inner(embedded) {
        let stopped = tokio::task::spawn_blocking(move || embedded.shutdown()).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the embedded database did not stop cleanly");
        }
    }
}

#[cfg(not(feature = "embedded"))]
pub(crate) async fn close(opened: Opened) {
    opened.store.drain(Duration::from_secs(5)).await;
}

/// What runs beside the requests.
fn jobs(app: &Data<App>, opened: &Opened) -> Vec<tokio::task::JoinHandle<()>> {
    let mut jobs = vec![actix_web::rt::spawn(sweep::run(app.clone()))];
    if let Some(tls) = &app.tls {
        jobs.push(actix_web::rt::spawn(watch(Arc::clone(tls))));
    }
    jobs.extend(channel::start(app));
    jobs.extend(audit::upkeep::start(app));
    jobs.push(deliveries::start(app));
    #[cfg(feature = "embedded")]
    if let Some(embedded) = &opened.embedded {
        jobs.push(actix_web::rt::spawn(maintain(opened.store.clone(), std::sync::Arc::clone(embedded))));
    }
    #[cfg(not(feature = "embedded"))]
    let _ = opened;
    jobs
}

/// Looks every five seconds whether certificate and key were replaced.
async fn watch(tls: Arc<Tls>) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        let tls = Arc::clone(&tls);
        let _ = tokio::task::spawn_blocking(move || tls.reload_changed()).await;
    }
}

#[cfg(feature = "embedded")]
async fn maintain(store: signet_storage::Store, embedded: std::sync::Arc<signet_storage::embedded::EmbeddedDatabase>) {
    let mut tick = tokio::time::interval(Duration::from_secs(2));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let embedded = std::sync::Arc::clone(&embedded);
        let done =
            store.upkeep(move |conn| embedded.maintain(conn, std::time::Instant::now()).map_err(Into::into)).await;
        if let Err(error) = done {
            tracing::debug!(%error, "the embedded database was not maintained");
        }
    }
}

/// What a person sees at the start.
fn announce(config: &Config, opened: &Opened, administrator: Option<&FirstAdministrator>) {
    // The server goes on where nobody reads this, or where the disk it goes to is full.
    let _ = write_announcement(&mut io::stdout().lock(), config, opened, administrator);
}

fn write_announcement(
    out: &mut (impl Write + IsTerminal),
    config: &Config,
    opened: &Opened,
    administrator: Option<&FirstAdministrator>,
) -> io::Result<()> {
    let (bold, plain) = if out.is_terminal() { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    writeln!(out, "\n  {bold}Signet is ready{plain}\n")?;
    writeln!(out, "    Issuer         {bold}{}{plain}", config.issuer)?;
    writeln!(out, "    Discovery      {}/.well-known/openid-configuration", config.issuer)?;
    if config.development {
        writeln!(out, "    Playground     {bold}{}/playground{plain}", config.issuer)?;
    }
    if let Some(administrator) = administrator {
        writeln!(out, "    Administrator  {} (username admin)", administrator.email)?;
        match &administrator.password {
            Some(password) => {
                writeln!(out, "    Password       {bold}{}{plain}   shown this once", password.as_str())?;
            }
            None => writeln!(out, "    Password       the one given by SIGNET_ADMIN_PASSWORD")?,
        }
    }
    writeln!(out, "    Data           {}", opened.data_dir.display())?;
    write_database(out, opened)?;
    if config.development {
        if config.bind.ip().is_loopback() {
            writeln!(out, "\n  Development: http on this machine only, registration open.")?;
        } else {
            writeln!(
                out,
                "\n  Development on {}: everybody who can reach it can register, over plain http.",
                config.bind
            )?;
            writeln!(out, "  For anything but trying it out give SIGNET_ISSUER an https address.")?;
        }
    }
    writeln!(out, "  Stop with Ctrl-C.\n")?;
    out.flush()
}

#[cfg(feature = "embedded")]
fn write_database(out: &mut impl Write, opened: &Opened) -> io::Result<()> {
    use signet_storage::embedded::Durability;
    match opened.embedded.as_ref().map(|embedded| embedded.durability()) {
        None => writeln!(out, "    Database       PostgreSQL, by DATABASE_URL"),
        Some(Durability::Synchronous) => {
            writeln!(out, "    Database       embedded PostgreSQL, one process, written through to the disk;")?;
            writeln!(out, "                   for several nodes or backups while running set DATABASE_URL")
        }
        Some(Durability::PowerCutMayLose) => {
            writeln!(
                out,
                "    Database       embedded PostgreSQL, one process. It survives a crash of Signet, but a power cut"
            )?;
            writeln!(
                out,
                "                   may lose data on this filesystem; set DATABASE_URL for what must not be lost"
            )
        }
    }
}

#[cfg(not(feature = "embedded"))]
fn write_database(out: &mut impl Write, _: &Opened) -> io::Result<()> {
    writeln!(out, "    Database       PostgreSQL, by DATABASE_URL")
}
