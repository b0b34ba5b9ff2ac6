//! `modelwatch serve`: metrics and health over HTTP, beside a monitor; and the same by the daemon.

use std::path::Path;

#[cfg(not(feature = "web"))]
use absent as server;
#[cfg(feature = "web")]
use present as server;

use super::output::Outcome;

pub(super) use server::beside_the_daemon;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen instead of `listen` in `[web]`: an address with a port, or `unix:PATH`
    ///
    /// Without `[web]` it is 127.0.0.1:8399. Other than loopback addresses and sockets need a token or a proxy in `[web]`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    server::run(args, config).await
}

#[cfg(feature = "web")]
mod present {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::task::JoinHandle;

    use super::super::output::{self, Mistake, Outcome};
    use super::super::setup;
    use super::Args;
    use crate::config::{Listen, WebSettings};
    use crate::escape;
    use crate::monitor::Stop;
    use crate::outcome::causes;
    use crate::service::{Run, ServiceError, Setup, View, stop_on_signals};
    use crate::web::{self, Listener, Site};

    /// How often the configuration and the trusted root are read again. The store is read at each request.
    const RELOAD_PAUSE: Duration = Duration::from_mins(1);

    /// How long the daemon waits before it tries again to listen.
    const BIND_PAUSE: Duration = Duration::from_mins(1);

    pub(in super::super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
        let setup = setup::load(config)?;
        let settings = settings(args, setup.config().web.clone())?;
        let listener = Listener::bind(&settings.listen).await?;
        let stop = Stop::default();
        stop_on_signals(stop.clone());
        let views = watch::Sender::new(Arc::new(setup.view()));
        let site = Arc::new(Site::new(views.subscribe(), Some(settings))?);
        tracing::info!(
            target: "modelwatch::daemon",
            "listening on {}",
            escape::terminal(listener.address())
        );
        tokio::select! {
            () = web::serve(listener, site, stop) => {}
            () = renew(config, &views) => {}
        }
        Ok(Outcome::Clean)
    }

    /// The settings of the configuration, with the address of the command line.
    fn settings(args: &Args, configured: Option<WebSettings>) -> anyhow::Result<WebSettings> {
        let mut settings = configured.unwrap_or_default();
        if let Some(written) = &args.listen {
            // Relative to the working directory, as other arguments.
            settings.listen = Listen::parse(written, Path::new(""))
                .ok_or_else(|| Mistake(format!("--listen {written:?}: {}", Listen::FORMS)))?;
            if let Some(why) = settings.exposure() {
                return Err(Mistake(format!(
                    "--listen: {why}: add token_file to [web], or listen on 127.0.0.1"
                ))
                .into());
            }
        }
        Ok(settings)
    }

    /// Reads configuration and trusted root again, from time to time. The settings of the server stay as they are.
    async fn renew(config: &Path, views: &watch::Sender<Arc<View>>) {
        let mut reported = None;
        loop {
            tokio::time::sleep(RELOAD_PAUSE).await;
            let path = config.to_owned();
            // It reads and checks files, which may take a second if there are thousands of watches.
            let loaded = tokio::task::spawn_blocking(move || {
                Setup::load(&path, |_| ()).map(|setup| setup.view())
            });
            match loaded.await {
                Ok(Ok(view)) => {
                    views.send_replace(Arc::new(view));
                    reported = None;
                }
                Ok(Err(error)) => report(causes(&error), &mut reported),
                Err(error) => report(error.to_string(), &mut reported),
            }
        }
    }

    fn report(problem: String, reported: &mut Option<String>) {
        if reported.as_ref() != Some(&problem) {
            tracing::error!(
                "the configuration cannot be read again, and the old one is shown: {}",
                escape::terminal(&problem)
            );
        }
        *reported = Some(problem);
    }

    /// Begins to serve beside the daemon, if the configuration has [web]. If another program uses the
    /// address, that is logged, and tried again later: it does not stop the monitoring.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub(in super::super) fn beside_the_daemon(
        views: &watch::Sender<Arc<View>>,
        run: &Run,
    ) -> Result<Option<JoinHandle<()>>, ServiceError> {
        let Some(settings) = run.view().web else {
            return Ok(None);
        };
        let site = Site::new(views.subscribe(), None)
            .map_err(ServiceError::system("no session could be made"))?;
        let site = Arc::new(site);
        Ok(Some(tokio::spawn(keep_serving(settings.listen, site))))
    }

    async fn keep_serving(listen: Listen, site: Arc<Site>) {
        loop {
            match Listener::bind(&listen).await {
                Ok(listener) => {
                    tracing::info!(
                        target: "modelwatch::daemon",
                        "listening on {}",
                        escape::terminal(listener.address())
                    );
                    // It ends with the daemon, which aborts this task.
                    web::serve(listener, Arc::clone(&site), Stop::default()).await;
                }
                Err(error) => {
                    let error = output::causes(&error.into());
                    tracing::error!("nothing is served: {}", escape::terminal(&error));
                }
            }
            tokio::time::sleep(BIND_PAUSE).await;
        }
    }
}

/// A build without the server.
#[cfg(not(feature = "web"))]
mod absent {
    use std::path::Path;
    use std::sync::Arc;

    use tokio::sync::watch;
    use tokio::task::JoinHandle;

    use super::super::output::{Mistake, Outcome};
    use super::Args;
    use crate::service::{Run, ServiceError, View};

    #[expect(clippy::unused_async, reason = "the build with a server awaits it")]
    pub(in super::super) async fn run(_args: &Args, _config: &Path) -> anyhow::Result<Outcome> {
        Err(Mistake(
            "this build of modelwatch has no web server: build it with the feature `web`; [metrics] textfile works without it"
                .to_owned(),
        )
        .into())
    }

    /// Nothing: the configuration has no [web], which this build refuses.
    #[expect(clippy::unnecessary_wraps, reason = "the build with a server can fail")]
    pub(in super::super) fn beside_the_daemon(
        _views: &watch::Sender<Arc<View>>,
        _run: &Run,
    ) -> Result<Option<JoinHandle<()>>, ServiceError> {
        Ok(None)
    }
}
