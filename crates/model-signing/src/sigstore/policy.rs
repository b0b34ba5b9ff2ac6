//! Who may have signed.

use regex::{Regex, RegexBuilder};

use super::identity::Identity;
use crate::keyless_error::{Check, KeylessError};

/// Longest pattern, in bytes: about a page.
const MAX_PATTERN_BYTES: usize = 4096;
/// Most bytes that a compiled pattern may take.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// What a certificate must say for a signature to count. All of it must hold.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The identity: every alternative name of the certificate must match it.
    pub identity: IdentityPattern,
    /// The identity provider, exactly.
    pub issuer: String,
    /// Further extensions.
    pub require: Vec<Requirement>,
}

/// An extension of Fulcio that a certificate must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The last arc of its object identifier, `1.3.6.1.4.1.57264.1.N`.
    pub number: u64,
    /// What it is called, for messages.
    pub name: String,
    /// The value, exactly.
    pub value: String,
}

/// A pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Too long.
    #[error("longer than {MAX_PATTERN_BYTES} bytes")]
    TooLong,
    /// Not a regular expression.
    #[error("not a regular expression: {0}")]
    Syntax(String),
}

/// Which names are accepted. Letter case counts.
#[derive(Debug, Clone)]
pub struct IdentityPattern(Pattern);

#[derive(Debug, Clone)]
enum Pattern {
    Exact(String),
    /// Matches whole names only.
    Expression {
        written: String,
        regex: Regex,
    },
}

impl IdentityPattern {
    /// This name alone.
    pub fn exact(name: impl Into<String>) -> Self {
        Self(Pattern::Exact(name.into()))
    }

    /// Names that a regular expression matches as a whole.
    ///
    /// # Errors
    ///
    /// [`PatternError`].
    pub fn regex(expression: &str) -> Result<Self, PatternError> {
        bounded(expression)?;
        // Compiled alone first: otherwise `a)|(b` would be two alternatives of the whole, without an anchor each.
        compile(expression)?;
        let regex = compile(&format!(r"\A(?:{expression})\z"))?;
        Ok(Self(Pattern::Expression {
            written: format!("the regular expression {expression:?}"),
            regex,
        }))
    }

    /// Names that a pattern with `*` matches as a whole. `*` is any run of characters; one before a later `@` of the pattern
    /// does not match `@`, so that `…/release.yml@refs/tags/*` cannot be met by a file name with an `@`.
    ///
    /// # Errors
    ///
    /// [`PatternError::TooLong`].
    pub fn glob(pattern: &str) -> Result<Self, PatternError> {
        bounded(pattern)?;
        let mut expression = String::from(r"(?s)\A");
        let mut rest = pattern;
        while let Some((literal, after)) = rest.split_once('*') {
            expression.push_str(&regex::escape(literal));
            expression.push_str(if after.contains('@') { "[^@]*" } else { ".*" });
            rest = after;
        }
        expression.push_str(&regex::escape(rest));
        expression.push_str(r"\z");
        Ok(Self(Pattern::Expression {
            written: format!("the pattern {pattern:?}"),
            regex: compile(&expression)?,
        }))
    }

    fn matches(&self, name: &str) -> bool {
        match &self.0 {
            Pattern::Exact(exact) => exact == name,
            Pattern::Expression { regex, .. } => regex.is_match(name),
        }
    }

    fn shown(&self) -> String {
        match &self.0 {
            Pattern::Exact(exact) => format!("{exact:?}"),
            Pattern::Expression { written, .. } => written.clone(),
        }
    }
}

fn bounded(pattern: &str) -> Result<(), PatternError> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(PatternError::TooLong);
    }
    Ok(())
}

fn compile(expression: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(expression)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| PatternError::Syntax(error.to_string()))
}

impl Policy {
    /// That the certificate, which must have been verified, is by whom it must be.
    pub(super) fn check(&self, identity: &Identity) -> Result<(), KeylessError> {
        // What is signed under a second name is signed under another name: every one must be accepted.
        for name in &identity.names {
            if !self.identity.matches(&name.text) {
                return Err(KeylessError::new(
                    Check::Identity,
                    format!(
                        "it was signed by {:?}, and {} is required",
                        name.text,
                        self.identity.shown()
                    ),
                ));
            }
        }
        if identity.issuer != self.issuer {
            return Err(KeylessError::new(
                Check::Issuer,
                format!(
                    "the signer's identity provider is {:?}, and {:?} is required",
                    identity.issuer, self.issuer
                ),
            ));
        }
        for required in &self.require {
            let found = identity.extension(required.number);
            if found != Some(&required.value) {
                let found = found.map_or_else(|| "absent".to_owned(), |found| format!("{found:?}"));
                return Err(KeylessError::new(
                    Check::Extension,
                    format!(
                        "{} is {found}, and {:?} is required",
                        required.name, required.value
                    ),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_and_a_star_stops_at_a_later_at_sign() {
        let glob = |pattern: &str| IdentityPattern::glob(pattern).expect("a pattern");
        let regex = |pattern: &str| IdentityPattern::regex(pattern).expect("an expression");
        let workflow = "https://github.com/o/r/.github/workflows/release.yml@refs/tags/*";
        for (pattern, name, expected) in [
            (glob("*@example.com"), "a@example.com", true),
            (glob("*@example.com"), "a@b@example.com", false),
            (glob("*@example.com"), "a@example.com.evil", false),
            (glob("a*"), "a@x\ny", true),
            (glob("a.c"), "abc", false),
            (glob("a[b]?"), "a[b]?", true),
            (glob("A"), "a", false),
            (
                glob(workflow),
                "https://github.com/o/r/.github/workflows/release.yml@refs/tags/v1",
                true,
            ),
            (
                glob("https://github.com/o/*@refs/tags/*"),
                "https://github.com/o/r/x.yml@refs/heads/a@refs/tags/v1",
                false,
            ),
            (regex("a|ab"), "ab", true),
            (regex("b"), "abc", false),
            (regex("(?i)A"), "a", true),
            (regex("a$"), "a\n", false),
            (regex("(?m)a$"), "a\nb", false),
            (IdentityPattern::exact("a*"), "ab", false),
            (IdentityPattern::exact("a*"), "a*", true),
        ] {
            assert_eq!(pattern.matches(name), expected, "{pattern:?} {name}");
        }
        for bad in ["a)|(b", "(", "a{1000000}", "(?x) a # )"] {
            let error = IdentityPattern::regex(bad).expect_err(bad);
            assert!(
                error.to_string().starts_with("not a regular expression"),
                "{error}"
            );
        }
        let long = "a".repeat(MAX_PATTERN_BYTES + 1);
        assert_eq!(
            IdentityPattern::glob(&long).err(),
            Some(PatternError::TooLong)
        );
    }
}
