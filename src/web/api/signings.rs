//! Signings, as `lookup --json` prints them: from the store alone.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use super::asked::{Asked, LIST, asked};
use super::list::Page;
use crate::clock;
use crate::lookup::{Coverage, Item, Pages, World};
use crate::web::problem::Problem;
use crate::web::site::{Reading, Site};

/// Most findings that one request examines, in addition to the last hundred: a second of work.
const MAX_EXAMINED: usize = 10_000;

/// How far the answer goes, as the last line of `lookup --json`.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SigningsCoverage)]
pub(super) struct AnswerCoverage {
    #[serde(flatten)]
    coverage: Coverage,
    /// The commands that answer what this list does not; empty if it is complete.
    commands: Vec<String>,
}

/// The signings that meet all conditions: in the order in which their signers were found, those with one name after those with
/// another.
pub(super) async fn list(State(site): State<Arc<Site>>, uri: Uri) -> Result<Response, Problem> {
    let now = clock::now();
    let asked = asked(uri.query(), now)?;
    let reading = site.read().await?;
    let answer = page(&reading, &asked, now).await;
    reading.store.close().await;
    answer
}

async fn page(reading: &Reading<'_>, asked: &Asked, now: Timestamp) -> Result<Response, Problem> {
    let view = &reading.view;
    let world = World {
        store: &*reading.store,
        logs: view.logs(),
        waiting: view.waiting_for_trust(),
        rules: view.rules_so_far()?,
        now,
    };
    let (after, mut is_found) = asked.place.clone().unwrap_or_default();
    // The coverage is from before the signings: what it says is read is then among them.
    let mut pages = Pages::new(&asked.question, &world, Some(after.clone()))
        .await
        .map_err(|error| asked.problem(error))?;
    let mut page = Page::new(asked.limit);
    let mut last = after;
    let has_more = 'read: loop {
        if pages.examined() >= MAX_EXAMINED {
            break true;
        }
        let Some(items) = pages.next().await.map_err(|error| asked.problem(error))? else {
            break false;
        };
        for (position, item) in items {
            if page.is_full() {
                break 'read true;
            }
            page.add(&item)?;
            is_found |= matches!(item, Item::Signing(_));
            last = position;
        }
        if !page.is_full() {
            last = pages.position().clone();
        }
    };
    let coverage = pages.coverage(is_found, false);
    let commands = asked.commands(&coverage);
    let coverage = AnswerCoverage { coverage, commands };
    let end = (last, is_found);
    page.answer(LIST, has_more.then_some(&end), &coverage)
}
