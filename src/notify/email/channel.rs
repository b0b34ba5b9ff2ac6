//! The type of channel that sends mail.

use std::sync::Arc;

use async_trait::async_trait;

use super::address::SmtpSecurity;
use super::settings::EmailSettings;
use super::{Email, tls};
use crate::http;
use crate::notify::channel_type::{ChannelSettings, ChannelType, KeyType, Place, Written};
use crate::notify::{Lacking, Links, Notifier};
use crate::secret::SecretSource;

/// Mail over SMTP.
pub(in crate::notify) const TYPE: ChannelType = ChannelType {
    name: "email",
    keys: &[
        ("from", KeyType::Text),
        ("to", KeyType::Texts),
        ("smtp", KeyType::Text),
        ("user", KeyType::Text),
        ("password", KeyType::Secret),
        ("ca_file", KeyType::File),
        ("ehlo", KeyType::Text),
    ],
    read,
};

fn read(written: &mut Written) -> Option<Arc<dyn ChannelSettings>> {
    let from = written.required("from");
    let smtp = written.required("smtp");
    if !written.has("to") {
        written.error(Place::Channel, "to is missing", None);
    }
    let mut to = Vec::new();
    for (position, address) in written.texts("to").iter().enumerate() {
        match address.parse() {
            Ok(address) => to.push(address),
            Err(error) => {
                written.error(Place::Element("to", position), format!("{error}"), None);
            }
        }
    }
    let user = written.text("user").map(ToOwned::to_owned);
    let password = written.secret("password");
    match (&user, &password) {
        (Some(_), None) => written.warning(
            Place::Key("user"),
            "there is a user, but no password",
            Some("give password_env or password_file"),
        ),
        (None, Some(_)) => {
            written.error(Place::Channel, "there is a password, but no user", None);
        }
        _ => {}
    }
    let ehlo = written.parsed("ehlo");
    Some(Arc::new(EmailSettings {
        from: from?,
        to,
        smtp: smtp?,
        ehlo,
        user,
        password,
        ca_file: written.file("ca_file"),
    }))
}

#[async_trait]
impl ChannelSettings for EmailSettings {
    fn notifier(&self, _http: &http::Client, _: &Links) -> Box<dyn Notifier> {
        Box::new(Email::new(self.clone()))
    }

    fn secrets(&self) -> Vec<SecretSource> {
        self.password.iter().cloned().collect()
    }

    async fn lacking(&self) -> Vec<Lacking> {
        let mut lacking = Vec::new();
        if let Some(password) = &self.password {
            lacking.extend(Lacking::secret("password", password).await);
        }
        if let Some(file) = &self.ca_file
            && self.smtp.security() != SmtpSecurity::Loopback
            && let Err(error) = tls::parameters(self.smtp.host(), Some(file)).await
        {
            lacking.push(Lacking::new("ca_file", error));
        }
        lacking
    }
}
