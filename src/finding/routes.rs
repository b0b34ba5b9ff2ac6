//! The channels of a finding.

use std::collections::HashMap;

use super::{Finding, Severity};

/// The properties of a channel that routing uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRoute {
    /// Its name.
    pub name: String,
    /// Findings below this severity are not sent on it.
    pub min_severity: Severity,
}

/// From a finding to the names of channels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    channels: Vec<ChannelRoute>,
    by_watch: HashMap<String, Vec<String>>,
}

impl Routes {
    /// `by_watch` contains the watches that name their channels; all others, and findings without a watch, are sent on
    /// every channel.
    pub fn new(channels: Vec<ChannelRoute>, by_watch: HashMap<String, Vec<String>>) -> Self {
        Self { channels, by_watch }
    }

    /// The channels on which this finding is sent, in the configuration's order.
    ///
    /// `except`: the channel whose failure is reported, which therefore does not get the report.
    pub fn channels<'a>(
        &'a self,
        finding: &Finding,
        except: Option<&'a str>,
    ) -> impl Iterator<Item = &'a str> {
        let named = finding.watch.as_ref().and_then(|w| self.by_watch.get(w));
        let severity = finding.severity;
        self.channels.iter().filter_map(move |channel| {
            let listed = channel.min_severity <= severity
                && named.is_none_or(|names| names.contains(&channel.name))
                && except != Some(channel.name.as_str());
            listed.then_some(channel.name.as_str())
        })
    }
}
