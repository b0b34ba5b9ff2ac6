//! The channels of a finding.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Finding, Quiet, QuietHours, Selection};

/// The properties of a channel that routing uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelRoute {
    /// Its name.
    pub name: String,
    /// What is sent on it.
    pub selection: Selection,
    /// When its alerts wait.
    pub quiet_hours: Option<QuietHours>,
    /// Whether it is told that an alert is acknowledged.
    pub takes_acknowledgements: bool,
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

    /// The channels on which this finding is sent, in the configuration's order. A drill is sent on every channel.
    ///
    /// `except`: the channel whose failure is reported, which therefore does not get the report.
    pub fn channels<'a>(
        &'a self,
        finding: &Finding,
        except: Option<&'a str>,
    ) -> impl Iterator<Item = &'a str> {
        let named = finding.watch.as_ref().and_then(|w| self.by_watch.get(w));
        self.channels.iter().filter_map(move |channel| {
            let listed = (finding.is_drill() || channel.selection.takes(finding))
                && named.is_none_or(|names| names.contains(&channel.name))
                && except != Some(channel.name.as_str());
            listed.then_some(channel.name.as_str())
        })
    }

    /// The quiet hours of a channel at this time.
    pub fn quiet(&self, channel: &str, now: Timestamp) -> Option<Quiet> {
        let mut channels = self.channels.iter();
        let channel = channels.find(|known| known.name == channel)?;
        channel.quiet_hours.as_ref()?.at(now)
    }

    /// The channels to which the outbox sends acknowledgements.
    pub fn acknowledged_channels(&self) -> impl Iterator<Item = &str> {
        let channels = self.channels.iter();
        channels
            .filter(|channel| channel.takes_acknowledgements)
            .map(|channel| channel.name.as_str())
    }
}
