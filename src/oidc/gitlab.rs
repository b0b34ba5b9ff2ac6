//! GitLab CI/CD.

use secrecy::SecretString;

use super::environment::Environment;
use super::error::OidcError;
use super::platform::Platform;

/// docs.gitlab.com, "ID token authentication": a variable of the job. Sigstore's clients name it after the audience.
pub(super) fn token(environment: &Environment, audience: &str) -> Result<SecretString, OidcError> {
    let name = variable(audience);
    let hint =
        format!("the job needs `id_tokens: {{{name}: {{aud: {audience}}}}}` in .gitlab-ci.yml");
    environment
        .required(Platform::GitLab, &name, &hint)
        .map(SecretString::from)
}

/// Upper case, with `_` for what is no letter or digit, and for a digit at the beginning.
fn variable(audience: &str) -> String {
    let mut name: String = audience
        .chars()
        .map(|letter| match letter.to_ascii_uppercase() {
            letter @ ('A'..='Z' | '0'..='9' | '_') => letter,
            _ => '_',
        })
        .collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.replace_range(..1, "_");
    }
    name.push_str("_ID_TOKEN");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_named_after_the_audience() {
        for (audience, name) in [
            ("sigstore", "SIGSTORE_ID_TOKEN"),
            ("https://my.audience", "HTTPS___MY_AUDIENCE_ID_TOKEN"),
            ("9-lives", "__LIVES_ID_TOKEN"),
            ("ä", "__ID_TOKEN"),
        ] {
            assert_eq!(variable(audience), name);
        }
    }
}
