//! The style, the script and the icon of the pages. The address of each has a hash of its bytes: browsers keep it for a
//! year, and a new version of the program has other addresses.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::web::guard::plain;

/// A file of the program.
pub(super) struct Asset {
    /// Its name, with the hash.
    name: String,
    media_type: &'static str,
    text: &'static str,
}

pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "style",
        "css",
        "text/css; charset=utf-8",
        include_str!("style.css"),
    )
});

pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let media_type = "text/javascript; charset=utf-8";
    Asset::new("script", "js", media_type, include_str!("script.js"))
});

pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("icon.svg")));

impl Asset {
    fn new(name: &str, ending: &str, media_type: &'static str, text: &'static str) -> Self {
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        Self {
            name: format!("{name}-{}.{ending}", hex::encode(&hash.as_ref()[..8])),
            media_type,
            text,
        }
    }

    /// Its address.
    pub(super) fn address(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// One of the files.
pub(super) async fn show(Path(name): Path<String>) -> Response {
    let assets: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    let Some(asset) = assets.into_iter().find(|asset| asset.name == name) else {
        return plain(StatusCode::NOT_FOUND, "there is no such file");
    };
    let mut answer = asset.text.into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    let kept = HeaderValue::from_static("private, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, kept);
    answer
}
