//! The evidence of a finding, as a download.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::commands::commands;
use super::failure::Failure;
use super::found::record;
use super::links;
use super::notes::notes;
use crate::finding::Class;
use crate::service::NotPackaged;
use crate::store::FindingRecord;
use crate::web::archive;
use crate::web::problem::Problem;
use crate::web::site::Site;

/// The files that prove the entry of a finding, as one archive.
pub(super) async fn download(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let reading = site.read().await?;
    let store = &*reading.store;
    let packaged = match record(store, &id).await {
        Ok(record) => {
            let files = reading.view.package(store, &record).await;
            Ok((record.finding.id, files))
        }
        Err(failure) => Err(failure),
    };
    reading.store.close().await;
    let (id, files) = packaged?;
    let files = files.map_err(|why| match why {
        NotPackaged::Store(error) => error.into(),
        why => Failure::from(Problem::new(StatusCode::CONFLICT, why.to_string())),
    })?;
    let name = format!("evidence-{id}");
    // The names of the files are this program's.
    let archive = archive::tar(&name, &files)
        .ok_or_else(|| Problem::new(StatusCode::CONFLICT, "a file has too long a name"))?;
    let mut answer = archive.into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    // An id is hexadecimal digits.
    if let Ok(attachment) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.tar\"")) {
        headers.insert(CONTENT_DISPOSITION, attachment);
    }
    Ok(answer)
}

/// The section of the page of a finding. `is_kept`: the store has the whole proof of its entry.
pub(super) fn section(record: &FindingRecord, is_kept: bool) -> Markup {
    let found = &record.finding;
    let page = links::finding(found.id);
    let json = format!("/api/v1/findings/{}", found.id);
    let is_entry = found.index.is_some() && found.verdict.class() == Class::Security;
    html! {
        section aria-labelledby="evidence" {
            h2 #evidence { "Evidence" }
            ul {
                @if is_kept {
                    li {
                        a href=(format!("{page}/evidence.tar")) download { "Everything that proves the entry" }
                        ": leaf, inclusion proof, checkpoint, certificates and trusted root in one archive. A third party verifies it without this database:"
                        (commands(&[format!("tar -xf evidence-{0}.tar && modelwatch verify-evidence evidence-{0}", found.id)]))
                    }
                }
                li { a href=(json) download=(format!("finding-{}.json", found.id)) { "The finding as JSON" } @if record.evidence.certificate.is_some() { ", with the certificate" } }
            }
            @if is_entry {
                p { "The same on the machine of the monitor, with the registered bundle, and with a proof from the log if none is kept:" }
                (commands(&[format!("modelwatch findings show {} --evidence DIR", found.id)]))
            }
            (notes(&record.evidence.notes))
        }
    }
}
