//! The frame of every page: landmarks, navigation, and the time of which it shows the state.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::text::{moment, shown};

/// Which entry of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Findings,
    Health,
    None,
}

/// The navigation: address, text.
const SECTIONS: [(Section, &str, &str); 3] = [
    (Section::Overview, "/", "Overview"),
    (Section::Findings, "/findings", "Findings"),
    (Section::Health, "/health", "Health"),
];

/// A page. Its body begins with an `h1`.
pub(super) struct Page<'a> {
    /// Raw text.
    pub(super) title: &'a str,
    pub(super) section: Section,
    /// When the store was read.
    pub(super) as_of: Timestamp,
    pub(super) body: Markup,
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let mut answer = self.markup().into_string().into_response();
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, html);
        answer
    }
}

impl Page<'_> {
    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (shown(self.title)) " · modelwatch" }
                    link rel="icon" type="image/svg+xml" href=(ICON.address());
                    link rel="stylesheet" href=(STYLE.address());
                    script src=(SCRIPT.address()) defer {}
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header {
                        a.brand href="/" { "modelwatch" }
                        nav aria-label="Pages" {
                            ul {
                                @for (section, address, text) in SECTIONS {
                                    li {
                                        a href=(address) aria-current=[(section == self.section).then_some("page")] { (text) }
                                    }
                                }
                            }
                        }
                    }
                    main #content tabindex="-1" { (self.body) }
                    footer {
                        p #as-of { "The state of " (moment(self.as_of)) ", read from the database of the monitor." }
                        p #refresh role="status" {}
                    }
                }
            }
        }
    }
}
