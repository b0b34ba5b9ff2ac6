//! Registrations, as `expect list --json` prints them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::list::Page;
use super::parameters::Parameters;
use crate::clock;
use crate::report::registration_json;
use crate::web::problem::Problem;
use crate::web::site::{Reading, Site};

/// The list's name in its cursors.
const LIST: &str = "registrations";

/// Registrations, oldest first.
pub(super) async fn list(State(site): State<Arc<Site>>, uri: Uri) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(uri.query());
    let limit = parameters.limit()?;
    let after = parameters.cursor(LIST)?;
    parameters.end()?;
    let reading = site.read().await?;
    let answer = page(&site, &reading, after.unwrap_or(i64::MIN), limit).await;
    reading.store.close().await;
    answer
}

async fn page(
    site: &Site,
    reading: &Reading<'_>,
    after: i64,
    limit: usize,
) -> Result<Response, Problem> {
    let store = &*reading.store;
    let max_age = site.settings().ready_max_age;
    let coverage = reading.view.coverage(store, max_age, clock::now()).await?;
    // One more than the page has: it shows whether there is another page.
    let wanted = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
    let registrations = store.registrations_after(after, wanted).await?;
    let mut page = Page::new(limit);
    let mut last = None;
    let mut rest = registrations.iter().peekable();
    while !page.is_full()
        && let Some(registration) = rest.next()
    {
        page.add(&registration_json(registration))?;
        last = Some(registration.number);
    }
    page.answer(
        LIST,
        last.as_ref().filter(|_| rest.peek().is_some()),
        &coverage,
    )
}
