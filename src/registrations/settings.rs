//! What an `[[expect_from]]` describes.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::patterns::Patterns;
use crate::expect::Authority;
use crate::http::AddressPolicy;

/// A source of registrations.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// Its name.
    pub name: String,
    /// What is read.
    pub kind: SourceKindSettings,
    /// What its registrations count.
    pub authority: Authority,
    /// The watches whose findings its registrations count for; `None`: every watch.
    pub watches: Option<Vec<String>>,
    /// It is read again after this time, by the next pass.
    pub every: Duration,
}

/// Where a source is.
#[derive(Debug, Clone)]
pub enum SourceKindSettings {
    /// A branch of a git repository.
    Git(GitSettings),
    /// A directory of this machine.
    Directory(DirectorySettings),
    /// A URL, or one for each tag that was signed.
    Tags(TagSettings),
}

/// A branch of a git repository.
#[derive(Debug, Clone)]
pub struct GitSettings {
    /// Its URL: https, ssh or file.
    pub url: Url,
    /// The branch.
    pub branch: String,
    /// Which files of it are read.
    pub patterns: Patterns,
    /// Only commits with a signature by one of these count; `None`: every commit of the branch.
    pub allowed_signers: Option<PathBuf>,
}

/// A directory.
#[derive(Debug, Clone)]
pub struct DirectorySettings {
    /// Its path.
    pub path: PathBuf,
    /// Which files of it are read.
    pub patterns: Patterns,
}

/// A URL, with or without `{tag}`.
#[derive(Debug, Clone)]
pub struct TagSettings {
    template: String,
    /// Hosts that the server may redirect to, besides its own; lower case.
    pub allow_hosts: Vec<String>,
    /// Hosts that may have private addresses.
    pub policy: AddressPolicy,
}

/// Why a URL cannot be a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not a URL of the right kind.
    #[error("is not an http or https URL with a host")]
    NotHttp,
    /// A user or a password in it.
    #[error("a URL may not contain a user or a password")]
    Userinfo,
    /// `{tag}` in another place.
    #[error("{{tag}} may stand in the path only, and no other {{…}} may stand anywhere")]
    Place,
}

/// Where the tag is put in.
const TAG: &str = "{tag}";

/// Longest tag that is asked for, in bytes.
const MAX_TAG_BYTES: usize = 200;

impl TagSettings {
    /// A URL in which `{tag}` may stand in the path.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn new(
        template: &str,
        allow_hosts: Vec<String>,
        policy: AddressPolicy,
    ) -> Result<Self, TemplateError> {
        // Two tags give two URLs that differ in their paths only.
        let [one, other] = ["x", "y"].map(|tag| Url::parse(&template.replace(TAG, tag)));
        let (Ok(one), Ok(other)) = (one, other) else {
            return Err(TemplateError::NotHttp);
        };
        if !matches!(one.scheme(), "http" | "https") || one.host_str().is_none() {
            return Err(TemplateError::NotHttp);
        }
        if !one.username().is_empty() || one.password().is_some() {
            return Err(TemplateError::Userinfo);
        }
        let outside_of_the_path = |mut url: Url| {
            url.set_path("");
            url
        };
        let other_braces = template.replace(TAG, "");
        if outside_of_the_path(one) != outside_of_the_path(other)
            || other_braces.contains(['{', '}'])
        {
            return Err(TemplateError::Place);
        }
        Ok(Self {
            template: template.to_owned(),
            allow_hosts,
            policy,
        })
    }

    /// Whether it is one URL for each tag.
    pub fn has_tag(&self) -> bool {
        self.template.contains(TAG)
    }

    /// The URL of a tag, which the signer chose: it can change nothing but its own segment of the path. `None` for one that is
    /// not asked for.
    pub(super) fn url_of(&self, tag: &str) -> Option<Url> {
        if tag.is_empty() || tag == "." || tag == ".." || tag.len() > MAX_TAG_BYTES {
            return None;
        }
        let encoded: String = tag
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect();
        let url = Url::parse(&self.template.replace(TAG, &encoded)).ok()?;
        // A segment like `.{tag}` may become one that goes up.
        let plain = Url::parse(&self.template.replace(TAG, "x")).ok()?;
        let depth = |url: &Url| url.path_segments().map(Iterator::count);
        (depth(&url) == depth(&plain)).then_some(url)
    }

    /// The URL without a tag.
    pub(super) fn plain_url(&self) -> Option<Url> {
        Url::parse(&self.template).ok()
    }
}

impl SourceSettings {
    /// What is read, in words: with another value the source begins anew.
    pub(super) fn location(&self) -> String {
        match &self.kind {
            SourceKindSettings::Git(git) => format!("git {} {}", git.url, git.branch),
            SourceKindSettings::Directory(directory) => format!("dir {}", directory.path.display()),
            SourceKindSettings::Tags(tags) => format!("url {}", tags.template),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<TagSettings, TemplateError> {
        TagSettings::new(text, Vec::new(), AddressPolicy::default())
    }

    #[test]
    fn a_tag_is_put_into_one_segment_of_the_path_and_nowhere_else() {
        let tags = template("https://host.example/d/{tag}/model.sig?a=b").expect("a template");
        for (tag, url) in [
            ("v1.0", Some("https://host.example/d/v1.0/model.sig?a=b")),
            (
                "a/../b",
                Some("https://host.example/d/a%2F..%2Fb/model.sig?a=b"),
            ),
            (
                "a?b#c",
                Some("https://host.example/d/a%3Fb%23c/model.sig?a=b"),
            ),
            (
                "%2e%2e",
                Some("https://host.example/d/%252e%252e/model.sig?a=b"),
            ),
            (
                "@evil.example\\",
                Some("https://host.example/d/%40evil.example%5C/model.sig?a=b"),
            ),
            (
                "é\n",
                Some("https://host.example/d/%C3%A9%0A/model.sig?a=b"),
            ),
            (".", None),
            ("..", None),
            ("", None),
        ] {
            let made = tags.url_of(tag).map(|url| url.to_string());
            assert_eq!(made.as_deref(), url, "{tag:?}");
        }
        assert!(tags.url_of(&"x".repeat(200)).is_some());
        assert!(tags.url_of(&"x".repeat(201)).is_none());
        let hidden = template("https://host.example/a/.{tag}/b").expect("a template");
        assert!(hidden.url_of(".").is_none());
        assert!(hidden.url_of("v1").is_some());
    }

    #[test]
    fn a_tag_in_another_place_and_other_urls_are_refused() {
        for (text, error) in [
            ("https://{tag}.example/x", TemplateError::Place),
            ("https://host.example/?q={tag}", TemplateError::Place),
            ("https://host.example/#{tag}", TemplateError::Place),
            ("https://host.example/{ref}/x", TemplateError::Place),
            ("https://host.example:{tag}/x", TemplateError::NotHttp),
            ("{tag}://host.example/x", TemplateError::NotHttp),
            ("https://{tag}@host.example/x", TemplateError::Userinfo),
            (
                "https://user:pw@host.example/{tag}",
                TemplateError::Userinfo,
            ),
            ("file:///etc/{tag}", TemplateError::NotHttp),
            ("ftp://host.example/{tag}", TemplateError::NotHttp),
            ("dir/{tag}", TemplateError::NotHttp),
        ] {
            assert_eq!(template(text).err(), Some(error), "{text}");
        }
        assert!(
            !template("https://host.example/model.sig")
                .expect("a URL")
                .has_tag()
        );
    }
}
