//! The parts of a setup, in words.

use std::collections::BTreeSet;

use super::error::Mistake;
use super::setup::Setup;
use crate::escape;
use crate::http;
use crate::source::Location;
use crate::trust::{Problem, SourceSettings};
use crate::watch::Watch;

impl Setup {
    /// The servers to open in a firewall, and the alternatives, if one of these logs did not answer; escaped. `None`:
    /// all answered, and the trusted root could be updated.
    pub fn network_advice(&self, unreached: &[String]) -> Option<String> {
        let mut servers = BTreeSet::new();
        let known = self.known();
        let is_lost = matches!(known.problem, Some(Problem::Unreachable(_)));
        if let Some(SourceSettings::Tuf { repository, .. }) =
            self.trust_settings().map(|settings| &settings.source)
            && is_lost
        {
            servers.insert(repository.server());
        }
        let logs = self.config.logs.iter().chain(&self.settings);
        for log in logs {
            // Without a trusted root, no log whose keys it contains could be read.
            let is_unreached = unreached.contains(&log.name) || is_lost && known.trust.is_none();
            if let Some(Location::Server(url)) = log.location.as_ref().filter(|_| is_unreached) {
                servers.insert(http::server_of(url));
            }
        }
        if servers.is_empty() {
            return None;
        }
        let servers: Vec<String> = servers.into_iter().collect();
        let instead = if known.trust.is_none() && is_lost {
            ". Without a network, `modelwatch init --trusted-root FILE` writes a configuration with the trusted root in a file"
        } else {
            ""
        };
        Some(format!(
            "open these in the firewall, or reach them through a proxy: {}{instead}",
            escape::terminal(&servers.join(", "))
        ))
    }

    /// The watch with this name.
    ///
    /// # Errors
    ///
    /// No watch has the name.
    pub fn watch(&self, name: &str) -> Result<&Watch, Mistake> {
        let mut watches = self.config.watches.iter();
        watches.find(|watch| watch.name == name).ok_or_else(|| {
            Mistake(format!(
                "the configuration has no watch named {name}: {}",
                self.watch_names()
            ))
        })
    }

    /// The names of the watches, for a message about a name that does not exist.
    fn watch_names(&self) -> String {
        let names: Vec<_> = self.config.watches.iter().map(|w| w.name.clone()).collect();
        listed(&names)
    }

    /// The names of the logs, for the same.
    pub fn log_names(&self) -> String {
        let names: Vec<_> = self
            .logs()
            .iter()
            .map(|log| log.name().to_owned())
            .collect();
        listed(&names)
    }

    /// The logs, watches, channels and the schedule, in one line; escaped.
    pub(super) fn summary(&self) -> String {
        let logs = self.logs().iter().map(|log| log.name().to_owned());
        let watches = self.config.watches.iter().map(|watch| watch.name.clone());
        format!(
            "{}, {}, {}, schedule {}",
            counted("log", logs.collect()),
            counted("watch", watches.collect()),
            counted("channel", self.channel_names()),
            self.config.schedule.as_str()
        )
    }

    /// Unusual settings for reaching servers, one line each.
    ///
    /// # Errors
    ///
    /// Something that HTTP needs is missing on this machine.
    pub async fn described_http(&self) -> Result<Vec<String>, http::HttpError> {
        self.http.described().await
    }
}

/// Their number, and their names.
fn counted(what: &str, names: Vec<String>) -> String {
    /// Most names in one line.
    const SHOWN: usize = 10;
    let ending = match (names.len(), what) {
        (1, _) => "",
        (_, "watch") => "es",
        _ => "s",
    };
    if names.is_empty() {
        return format!("no {what}{ending}");
    }
    let count = names.len();
    let names = escape::few(names, SHOWN);
    format!("{count} {what}{ending} ({})", escape::terminal(&names))
}

/// Names in a message about a name that does not exist; escaped.
pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "it has none".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| escape::terminal(name)).collect();
    format!("it has {}", names.join(", "))
}
