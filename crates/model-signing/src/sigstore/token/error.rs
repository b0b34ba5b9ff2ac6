//! Why an identity token cannot be used.

use jiff::Timestamp;

/// Longest identity token in bytes. Those of workflows have about 2 KiB, and servers refuse headers above 8 to 64 KiB.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// Why an identity token cannot be used. The token itself is never quoted; claims are, and may be foreign text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the identity token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// It has another form.
    #[error("the identity token is not a JWT: {0}")]
    Format(&'static str),
    /// It has no signature.
    #[error("the identity token is not signed")]
    Unsigned,
    /// Its claims are encrypted (RFC 7516): the certificate authority could not read them.
    #[error("the identity token is encrypted (JWE): a signed one is needed")]
    Encrypted,
    /// A claim that must be there.
    #[error("the identity token has no claim `{0}`")]
    Missing(&'static str),
    /// A claim of another type.
    #[error("the claim `{0}` of the identity token is not {1}")]
    Claim(&'static str, &'static str),
    /// Another audience than the certificate authority.
    #[error(
        "the identity token is for the audience {}, and {needed:?} is needed: request one for that audience, \
         or name the audience with --client-id",
        list(found)
    )]
    Audience {
        /// The claim `aud`.
        found: Vec<String>,
        /// The audience that it must have.
        needed: String,
    },
    /// Its validity is over.
    #[error(
        "the identity token has expired at {}, and it is {}: get a new one (or set the clock of this machine)",
        time(*at),
        time(*now)
    )]
    Expired {
        /// When, in seconds of Unix time.
        at: i64,
        /// The present.
        now: i64,
    },
    /// Its validity has not begun.
    #[error(
        "the identity token is not valid before {}, and it is {}: is the clock of this machine right?",
        time(*from),
        time(*now)
    )]
    NotYetValid {
        /// From when, in seconds of Unix time.
        from: i64,
        /// The present.
        now: i64,
    },
    /// The provider does not confirm the address.
    #[error(
        "the identity provider has not verified the e-mail address {0:?} (the claim `email_verified` is not true)"
    )]
    EmailNotVerified(String),
}

fn time(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{seconds} s of Unix time"),
    }
}

/// At most four of them, none long: they are foreign text.
fn list(found: &[String]) -> String {
    const SHOWN: usize = 4;
    const CHARS: usize = 80;
    if found.is_empty() {
        return "[]".to_owned();
    }
    let shown = found.iter().take(SHOWN).map(|one| {
        let cut: String = one.chars().take(CHARS).collect();
        format!("{cut:?}")
    });
    let mut shown = shown.collect::<Vec<_>>().join(", ");
    if found.len() > SHOWN {
        shown.push_str(", …");
    }
    shown
}
