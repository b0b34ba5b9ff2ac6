//! Links of messages to the pages of modelwatch.

use url::Url;

use super::Message;
use super::message::Kind;

/// Where the pages of modelwatch are, if they are served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    base: Option<Url>,
}

impl Links {
    /// `base`: the URL of the first page, as people reach it.
    pub const fn new(base: Option<Url>) -> Self {
        Self { base }
    }

    /// The page of a message: that of its finding, or the list if it is about several.
    pub(super) fn of(&self, message: &Message) -> Option<Url> {
        match (message.kind, message.findings.as_slice()) {
            _ if message.is_test => self.page(&[]),
            (Kind::Alert | Kind::Resolved | Kind::Acknowledged, [finding]) => {
                self.page(&["findings", &finding.id.to_string()])
            }
            _ => self.page(&["findings"]),
        }
    }

    fn page(&self, path: &[&str]) -> Option<Url> {
        let mut url = self.base.clone()?;
        url.set_query(None);
        url.set_fragment(None);
        url.path_segments_mut().ok()?.pop_if_empty().extend(path);
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

    use super::*;
    use crate::notify::testing;

    #[test]
    fn a_link_leads_to_the_finding_or_to_the_list() {
        let finding = testing::signing(138);
        let of = |base: &str, message: &Message| {
            let links = Links::new(Some(base.parse().unwrap()));
            links.of(message).unwrap().to_string()
        };
        let one = testing::alert(vec![finding.clone()]);
        let id = finding.id.to_string();
        for base in ["https://watch.example", "https://watch.example/"] {
            assert_eq!(
                of(base, &one),
                format!("https://watch.example/findings/{id}")
            );
        }
        let two = testing::alert(vec![finding.clone(), finding]);
        assert_eq!(
            of("https://a.example/mw/", &two),
            "https://a.example/mw/findings"
        );
        assert_eq!(Links::default().of(&one), None);
    }
}
