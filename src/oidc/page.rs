//! What the browser shows at the end.

use crate::escape;

/// A page of its own: no script, nothing from elsewhere, and no address of it in a request to another server.
const HEADERS: &str = "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
    Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n";

/// A whole answer with this status, heading and sentence.
pub(super) fn answer(status: &str, heading: &str, sentence: &str) -> String {
    let (heading, sentence) = (escape::html(heading), escape::html(sentence));
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>modelwatch: {heading}</title>\n\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;\
         color-scheme:light dark}}</style></head>\n<body><h1>{heading}</h1><p>{sentence}</p></body></html>\n"
    );
    format!(
        "HTTP/1.1 {status}\r\n{HEADERS}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
