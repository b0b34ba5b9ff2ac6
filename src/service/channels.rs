//! The configured channels, and their requirements on this machine.

use std::collections::BTreeSet;

use super::described::listed;
use super::error::Mistake;
use super::setup::Setup;
use crate::config::WebSettings;
use crate::finding::{Severity, Verdict};
use crate::http;
use crate::notify::{Channel, Lacking};
use crate::secret::{SecretError, SecretSource};

impl Setup {
    pub fn channel_names(&self) -> Vec<String> {
        self.config
            .channels
            .iter()
            .map(|c| c.name.clone())
            .collect()
    }

    /// # Errors
    ///
    /// No channel has the name.
    pub fn require_channel(&self, name: &str) -> Result<(), Mistake> {
        let names = self.channel_names();
        if names.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Mistake(format!(
            "the configuration has no channel named {name}: {}",
            listed(&names)
        )))
    }

    /// The channels that get the finding that the store cannot be used.
    pub(super) fn channels_for_store_failure(&self) -> impl Iterator<Item = &Channel> {
        let channels = self.config.channels.iter();
        channels.filter(|channel| {
            let selection = &channel.selection;
            selection.min_severity <= Severity::High
                && selection.takes_kind(None, Verdict::StoreFailing)
        })
    }

    /// The requirements of a channel that this machine does not meet.
    pub async fn lacking(&self, channel: &str) -> Vec<Lacking> {
        let mut channels = self.config.channels.iter();
        match channels.find(|known| known.name == channel) {
            Some(channel) => channel.settings.lacking().await,
            None => Vec::new(),
        }
    }

    /// Why the server of a channel would refuse messages; asks it.
    pub async fn refused(&self, channel: &str) -> Vec<Lacking> {
        let mut channels = self.config.channels.iter();
        match channels.find(|known| known.name == channel) {
            Some(channel) => channel.settings.refused(&self.http).await,
            None => Vec::new(),
        }
    }

    /// The requirement of the heartbeat that this machine does not meet.
    pub async fn heartbeat_lacks(&self) -> Option<Lacking> {
        self.config.heartbeat.as_ref()?.lacking().await
    }

    /// The requirements of all channels and the heartbeat that this machine does not meet, in words.
    pub async fn all_lacking(&self) -> Vec<String> {
        let mut said = Vec::new();
        for channel in &self.config.channels {
            for lacking in channel.settings.lacking().await {
                said.push(format!(
                    "channel[{}].{}: {}",
                    channel.name, lacking.key, lacking.error
                ));
            }
        }
        let heartbeat = self.heartbeat_lacks().await;
        said.extend(
            heartbeat.map(|lacking| format!("heartbeat.{}: {}", lacking.key, lacking.error)),
        );
        let web = self.web_lacks().await;
        said.extend(web.map(|error| format!("web: {error}")));
        said
    }

    /// Why the token or the proxy secret of `[web]` cannot be read on this machine.
    pub async fn web_lacks(&self) -> Option<SecretError> {
        let secret = self.config.web.as_ref()?.secret()?;
        secret.read().await.err()
    }

    /// The environment variables that `[http]`, `[web]`, channels and the heartbeat read, each once.
    pub fn variables(&self) -> BTreeSet<String> {
        let channels = self.config.channels.iter();
        let mut sources: Vec<SecretSource> = channels
            .flat_map(|channel| channel.settings.secrets())
            .collect();
        if let Some(heartbeat) = &self.config.heartbeat {
            sources.extend(heartbeat.url.secret().cloned());
        }
        let web = self.config.web.as_ref();
        sources.extend(web.and_then(WebSettings::secret).cloned());
        let http = &self.config.http;
        sources.extend(http.credentials.iter().map(|one| one.secret.clone()));
        if let http::ProxyChoice::Secret(proxy) = &http.proxy.proxy {
            sources.push(proxy.clone());
        }
        sources
            .into_iter()
            .filter_map(|source| match source {
                SecretSource::Env(name) => Some(name),
                SecretSource::File(_) => None,
            })
            .collect()
    }
}
