//! Mail over SMTP.

mod address;
mod tls;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Tls;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};
use secrecy::ExposeSecret;
use tokio::time::timeout;

pub use address::{MailAddress, MailAddressError, SmtpSecurity, SmtpUrl, SmtpUrlError};

use super::error::remote_text;
use super::{EmailSettings, Kind, Message, Notifier, NotifyError, render};

/// For the whole conversation. Servers delay their greeting to annoy spammers, some by 30 s.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Mails messages to the recipients of one channel.
pub(super) struct Email {
    settings: EmailSettings,
}

impl Email {
    pub(super) fn new(settings: EmailSettings) -> Self {
        Self { settings }
    }

    /// Set up for each message: a rotated password or CA file needs no restart, and mails are rare.
    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, NotifyError> {
        let EmailSettings { smtp, ca_file, .. } = &self.settings;
        let tls = match smtp.security() {
            SmtpSecurity::Tls => {
                Tls::Wrapper(tls::parameters(smtp.host(), ca_file.as_deref()).await?)
            }
            // Required: never a word in the clear, whoever strips STARTTLS from the greeting.
            SmtpSecurity::StartTls => {
                Tls::Required(tls::parameters(smtp.host(), ca_file.as_deref()).await?)
            }
            SmtpSecurity::Loopback => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host())
            .port(smtp.port())
            .timeout(Some(TIME_LIMIT))
            .tls(tls);
        if let (Some(user), Some(password)) = (&self.settings.user, &self.settings.password) {
            let password = password.read().await?;
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }

    fn mail(&self, message: &Message, now: Timestamp) -> Result<Mail, NotifyError> {
        let EmailSettings { from, to, .. } = &self.settings;
        // The same for every attempt: mail programs show a repeat once.
        let id = |id: &str| format!("<{id}.modelwatch@{}>", from.domain());
        let mut builder = Mail::builder()
            .from(from.mailbox().clone())
            .date(now.into())
            .message_id(Some(id(&message.id)))
            .subject(render::subject(message))
            .header(AutoSubmitted);
        for recipient in to {
            builder = builder.to(recipient.mailbox().clone());
        }
        if message.kind == Kind::Resolved {
            builder = builder
                .in_reply_to(id(&message.key))
                .references(id(&message.key));
        }
        builder
            .multipart(MultiPart::alternative_plain_html(
                render::text(message),
                render::html(message),
            ))
            .map_err(|error| NotifyError::Setup {
                what: format!("no mail can be made: {error}"),
            })
    }

    /// What the server said, without the recipients: it ends up in logs and on other channels.
    fn without_recipients(&self, text: &str) -> String {
        let recipients = self.settings.to.iter().map(MailAddress::mailbox);
        recipients.fold(text.to_owned(), |text, Mailbox { email, .. }| {
            text.replace(&email.to_string(), "(recipient)")
        })
    }

    fn not_sent(&self, error: &SmtpError) -> NotifyError {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            // lettre's own message ends with its cause already.
            let next_text = next.to_string();
            if !text.contains(&next_text) {
                text = format!("{text}: {next_text}");
            }
            cause = next.source();
        }
        let reason = remote_text(&self.without_recipients(&text));
        match error.status().map(u16::from) {
            // 552 and 554 judge the message (RFC 5321 §4.2.2): too large, taken for spam.
            Some(552 | 554) => NotifyError::Refused { reason },
            Some(500..=599) => NotifyError::Denied { reason },
            // No mechanism to log in with: the configuration does not fit the server.
            None if error.is_client() => NotifyError::Denied { reason },
            _ => NotifyError::unavailable(reason),
        }
    }
}

#[async_trait]
impl Notifier for Email {
    async fn send(&self, message: &Message, now: Timestamp) -> Result<(), NotifyError> {
        let mail = self.mail(message, now)?;
        let transport = self.transport().await?;
        match timeout(TIME_LIMIT, transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.not_sent(&error)),
            Err(_) => Err(NotifyError::unavailable(format!(
                "{} was not done within {} s",
                self.settings.smtp,
                TIME_LIMIT.as_secs()
            ))),
        }
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834 §5): holiday notes do not answer us.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests;
