//! The form in which a person gives the token.

use maud::{DOCTYPE, html};

/// The whole page. `to`: the address of this server that the sign-in leads to; `note`: what was wrong.
pub(in crate::web) fn sign_in(to: Option<&str>, note: Option<&str>) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "modelwatch: token" }
            }
            body { main {
                h1 { "modelwatch" }
                @if let Some(note) = note { p role="alert" { (note) } }
                form method="post" action="/login" {
                    @if let Some(to) = to { input type="hidden" name="to" value=(to); }
                    p {
                        label for="token" { "Token" } " "
                        input #token name="token" type="password" autocomplete="current-password" required autofocus;
                    }
                    p { button type="submit" { "Sign in" } }
                }
                // A browser sends the cookie of a session only with requests that begin here, not with a link in a mail.
                @if let Some(to) = to { p { a href=(to) { "Go on with the session of this browser" } } }
            } }
        }
    };
    page.into_string()
}
