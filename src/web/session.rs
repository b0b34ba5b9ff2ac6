//! Sessions of browsers: a cookie that proves for some hours that its holder knew the token.

use std::io;

use aws_lc_rs::{constant_time, digest, hmac, rand};
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use jiff::{SignedDuration, Timestamp};

use super::caller::Caller;

/// How long a session lasts.
const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// The name of the cookie.
const NAME: &str = "modelwatch_session";

/// Makes and checks sessions. The keys exist only in this process, so a restart ends all sessions.
pub(super) struct Sessions {
    sessions: hmac::Key,
    forms: hmac::Key,
}

impl Sessions {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            sessions: new_key()?,
            forms: new_key()?,
        })
    }

    /// The value of `Set-Cookie` for a new session. `is_https`: browsers reach the server by https only.
    pub(super) fn begin(&self, token: &str, is_https: bool, now: Timestamp) -> String {
        let expires = now.saturating_add(LIFETIME).map_or(0, Timestamp::as_second);
        let proof = hmac::sign(&self.sessions, &statement(expires, token));
        let secure = if is_https { "; Secure" } else { "" };
        format!(
            "{NAME}={expires}.{}; Max-Age={}; Path=/; HttpOnly; SameSite=Strict{secure}",
            hex::encode(proof),
            LIFETIME.as_secs()
        )
    }

    /// The session of a request that was begun with this token and lasts: the value of its cookie.
    pub(super) fn valid(&self, headers: &HeaderMap, token: &str, now: Timestamp) -> Option<String> {
        let cookies = headers.get_all(COOKIE).iter();
        let cookies = cookies
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'));
        cookies
            .filter_map(|cookie| cookie.trim().strip_prefix(NAME)?.strip_prefix('='))
            .find(|value| self.is_valid(value, token, now))
            .map(str::to_owned)
    }

    /// What a browser has to send with an action, so that no page of another site can send it (CSRF): the same for all
    /// forms of a session, or of a user. `None`: the caller is no browser, which sends its cookies by itself.
    pub(super) fn form_token(&self, caller: &Caller) -> Option<String> {
        Some(hex::encode(hmac::sign(
            &self.forms,
            &form_statement(caller)?,
        )))
    }

    /// Whether this is what [`Self::form_token`] gave the caller.
    pub(super) fn is_form_token(&self, caller: &Caller, sent: &str) -> bool {
        let (Some(statement), Ok(sent)) = (form_statement(caller), hex::decode(sent)) else {
            return false;
        };
        hmac::verify(&self.forms, &statement, &sent).is_ok()
    }

    fn is_valid(&self, value: &str, token: &str, now: Timestamp) -> bool {
        let Some((expires, proof)) = value.split_once('.') else {
            return false;
        };
        let (Ok(expires), Ok(proof)) = (expires.parse::<i64>(), hex::decode(proof)) else {
            return false;
        };
        let is_proven = hmac::verify(&self.sessions, &statement(expires, token), &proof).is_ok();
        is_proven && now.as_second() < expires
    }
}

fn new_key() -> io::Result<hmac::Key> {
    let mut key = [0; 32];
    rand::fill(&mut key).map_err(|_| io::Error::other("there are no random numbers"))?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

/// What the token of a form proves. The first byte keeps users and sessions apart.
fn form_statement(caller: &Caller) -> Option<Vec<u8>> {
    let (kind, name) = match caller {
        Caller::Anyone | Caller::Bearer => return None,
        Caller::Session(cookie) => (b's', cookie),
        Caller::User(name) => (b'u', name),
    };
    Some([&[kind], name.as_bytes()].concat())
}

/// What a session proves. Another token ends the sessions of the old one.
fn statement(expires: i64, token: &str) -> Vec<u8> {
    let mut statement = expires.to_be_bytes().to_vec();
    statement.extend(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    statement
}

/// Whether two secrets are equal. The time does not depend on where they differ.
pub(super) fn is_same(ours: &str, theirs: &[u8]) -> bool {
    let ours = digest::digest(&digest::SHA256, ours.as_bytes());
    let theirs = digest::digest(&digest::SHA256, theirs);
    constant_time::verify_slices_are_equal(ours.as_ref(), theirs.as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_for_its_time_and_only_with_its_token_and_process() {
        let sessions = Sessions::new().expect("random numbers");
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let cookie = sessions.begin("s3cret", true, now);
        assert!(
            cookie.ends_with("; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict; Secure")
                && !cookie.contains("s3cret"),
            "{cookie}"
        );
        assert!(!sessions.begin("s3cret", false, now).contains("Secure"));
        let value = cookie.split(';').next().expect("a value");
        let headers = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, format!("a=b; {value}").parse().expect("a header"));
            headers
        };
        let valid = headers(value);
        let end = now + LIFETIME;
        assert!(sessions.valid(&valid, "s3cret", now).is_some());
        assert!(
            sessions
                .valid(&valid, "s3cret", end - SignedDuration::from_secs(1))
                .is_some()
        );
        assert!(sessions.valid(&valid, "s3cret", end).is_none());
        assert!(sessions.valid(&valid, "other", now).is_none());
        let restarted = Sessions::new().expect("random numbers");
        assert!(restarted.valid(&valid, "s3cret", now).is_none());
        let later = value.replace("=1043200.", "=1043201.");
        assert_ne!(later, value);
        for forged in [
            later.as_str(),
            "modelwatch_session=",
            "modelwatch_session=1.zz",
            "x",
        ] {
            assert_eq!(
                sessions.valid(&headers(forged), "s3cret", now),
                None,
                "{forged}"
            );
        }
    }

    #[test]
    fn the_token_of_a_form_is_of_one_session_or_user() {
        let sessions = Sessions::new().expect("random numbers");
        let callers = [
            Caller::Session("jane".to_owned()),
            Caller::Session("bob".to_owned()),
            Caller::User("jane".to_owned()),
        ];
        for caller in &callers {
            let token = sessions.form_token(caller).expect("a token");
            for other in &callers {
                let is_own = sessions.is_form_token(other, &token);
                assert_eq!(is_own, caller == other, "{caller:?} {other:?}");
            }
            let restarted = Sessions::new().expect("random numbers");
            assert!(!restarted.is_form_token(caller, &token));
            for wrong in ["", "00", "zz", &token[2..], &format!("{token}00")] {
                assert!(!sessions.is_form_token(caller, wrong), "{wrong}");
            }
        }
        for caller in [Caller::Anyone, Caller::Bearer] {
            assert_eq!(sessions.form_token(&caller), None);
            assert!(!sessions.is_form_token(&caller, ""));
        }
    }

    #[test]
    fn equal_secrets_are_equal_and_others_are_not() {
        for (theirs, same) in [("a", true), ("b", false), ("", false), ("aa", false)] {
            assert_eq!(is_same("a", theirs.as_bytes()), same, "{theirs}");
        }
    }
}
