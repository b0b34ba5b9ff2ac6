//! The state of the monitor, its logs and its watches, as `status --json` writes them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;

use super::list::{Page, object};
use super::parameters::Parameters;
use crate::clock;
use crate::report::{Coverage, Status};
use crate::web::problem::Problem;
use crate::web::site::Site;

/// The whole state.
pub(super) async fn show(State(site): State<Arc<Site>>, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(uri.query()).end()?;
    object(&site.status(clock::now()).await?)
}

/// The logs.
pub(super) async fn logs(State(site): State<Arc<Site>>, uri: Uri) -> Result<Response, Problem> {
    let part = Part::of("logs", &uri)?;
    let status = site.status(clock::now()).await?;
    part.answer(&site, &status, &status.logs, |log| &log.name)
}

/// One log.
pub(super) async fn log(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(uri.query()).end()?;
    let status = site.status(clock::now()).await?;
    match status.logs.iter().find(|log| log.name == name) {
        Some(log) => object(log),
        None => Err(Problem::absent("no log has this name: see /api/v1/logs")),
    }
}

/// The watches.
pub(super) async fn watches(State(site): State<Arc<Site>>, uri: Uri) -> Result<Response, Problem> {
    let part = Part::of("watches", &uri)?;
    let status = site.status(clock::now()).await?;
    part.answer(&site, &status, &status.watches, |watch| watch.name())
}

/// One watch.
pub(super) async fn watch(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(uri.query()).end()?;
    let status = site.status(clock::now()).await?;
    match status.watches.iter().find(|watch| watch.name() == name) {
        Some(watch) => object(watch),
        None => Err(Problem::absent(
            "no watch has this name: see /api/v1/watches",
        )),
    }
}

/// The part of a list of names that is asked for.
struct Part {
    list: &'static str,
    limit: usize,
    /// The name of the last item of the page before.
    after: Option<String>,
}

impl Part {
    fn of(list: &'static str, uri: &Uri) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(uri.query());
        let limit = parameters.limit()?;
        let after = parameters.cursor(list)?;
        parameters.end()?;
        Ok(Self { list, limit, after })
    }

    fn answer<T: Serialize>(
        &self,
        site: &Site,
        status: &Status,
        items: &[T],
        name: impl Fn(&T) -> &str,
    ) -> Result<Response, Problem> {
        let place = |after| items.iter().position(|item| name(item) == after);
        let begin = match self.after.as_deref().map(place) {
            None => 0,
            Some(Some(before)) => before + 1,
            // A reload removed it: what follows it is not known.
            Some(None) => {
                let detail = "cursor: the item before is no longer configured: begin without it";
                return Err(Problem::parameter("cursor", detail));
            }
        };
        let mut page = Page::new(self.limit);
        let mut last = None;
        let mut rest = items.iter().skip(begin).peekable();
        while !page.is_full()
            && let Some(item) = rest.next()
        {
            page.add(item)?;
            last = Some(name(item));
        }
        let last = last.filter(|_| rest.peek().is_some());
        let coverage = Coverage::of(status, site.settings().ready_max_age, clock::now());
        page.answer(self.list, last.as_ref(), &coverage)
    }
}
