//! Mail over SMTP.

mod address;
mod channel;
mod greeting;
mod hello;
mod session;
mod settings;
mod tls;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lettre::Message as Mail;
use lettre::address::Address;
use lettre::message::MultiPart;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use secrecy::ExposeSecret;
use tokio::net::lookup_host;
use tokio::time::timeout;

pub use address::{MailAddress, MailAddressError, SmtpUrl, SmtpUrlError};
pub(super) use channel::TYPE;
pub(super) use settings::EmailSettings;

use self::address::SmtpSecurity;
use super::error::{Unreached, remote_text};
use super::{Kind, Message, Notifier, NotifyError, Receipt, render};
use session::{Failure, Refused, Tls, Way};

/// For the whole conversation. Servers delay their greeting to annoy spammers, some by 30 s.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Mails messages to the recipients of one channel.
pub(super) struct Email {
    settings: EmailSettings,
    max_delay: Duration,
}

impl Email {
    pub(super) fn new(settings: EmailSettings) -> Self {
        Self {
            settings,
            max_delay: greeting::MAX_DELAY,
        }
    }

    /// Set up for each message: a rotated password or CA file needs no restart, and mails are rare.
    async fn way(&self) -> Result<Way, NotifyError> {
        let EmailSettings { smtp, ca_file, .. } = &self.settings;
        let (host, port) = (smtp.host(), smtp.port());
        let tls = match smtp.security() {
            SmtpSecurity::Tls => Tls::Wrapped(tls::parameters(host, ca_file.as_deref()).await?),
            // Required: nothing is sent unencrypted, even if an attacker removes STARTTLS from the greeting.
            SmtpSecurity::StartTls => {
                Tls::Required(tls::parameters(host, ca_file.as_deref()).await?)
            }
            SmtpSecurity::Loopback => Tls::Offered(tls::unverified(host)?),
        };
        let mut credentials = None;
        if let (Some(user), Some(password)) = (&self.settings.user, &self.settings.password) {
            let password = password.read().await?;
            let password = password.expose_secret().to_owned();
            credentials = Some(Credentials::new(user.clone(), password));
        }
        // Its failure shows when the server is connected to.
        let address = match lookup_host((host, port)).await {
            Ok(mut addresses) => addresses.next(),
            Err(_) => None,
        };
        Ok(Way {
            host: host.to_owned(),
            port,
            tls,
            names: hello::names(
                self.settings.ehlo.as_ref(),
                hello::machine().as_deref(),
                self.settings.from.domain(),
                address,
            ),
            credentials,
            step: TIME_LIMIT,
            max_delay: self.max_delay,
        })
    }

    /// The recipients that do not have the message yet, each once.
    fn left(&self, receipt: &Receipt) -> Vec<Address> {
        let mut left: Vec<Address> = Vec::new();
        for recipient in &self.settings.to {
            let address = &recipient.mailbox().email;
            if !receipt.reached.contains(&address.to_string()) && !left.contains(address) {
                left.push(address.clone());
            }
        }
        left
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
                what: format!("the mail cannot be built: {error}"),
            })
    }

    /// The server's message: one line, without the recipients. It is shown in logs and on other channels.
    fn message_of(&self, text: &str) -> String {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        let mut line = line.unwrap_or_default().to_owned();
        for recipient in &self.settings.to {
            let address = recipient.mailbox().email.to_string();
            // Servers may change the case of names.
            while let Some(at) = find_ignoring_case(&line, &address) {
                line.replace_range(at..at + address.len(), "(recipient)");
            }
        }
        remote_text(&line)
    }

    /// Why a recipient does not have the message; the reason names no recipient.
    fn unreached(&self, refused: &Refused) -> Unreached {
        let (reason, for_good) = match &refused.why {
            Failure::Smtp(error) => {
                let message = self.message_of(&session::text(error));
                match session::code(error) {
                    Some(code) => (format!("{code} {message}"), code >= 500),
                    None => (message, false),
                }
            }
            Failure::NoUtf8 => (
                "the server does not accept addresses that are not ASCII".to_owned(),
                true,
            ),
            _ => ("the session ended before it was its turn".to_owned(), false),
        };
        Unreached {
            recipient: refused.recipient.to_string(),
            reason,
            for_good,
        }
    }

    /// The error if no recipient has the message.
    fn not_sent(&self, failure: &Failure) -> NotifyError {
        let smtp = &self.settings.smtp;
        let (host, port) = (smtp.authority(), smtp.port());
        match failure {
            Failure::SpeaksTls => NotifyError::Setup {
                what: format!(
                    "{smtp} expects TLS from the first byte: write smtp = \"smtps://{host}:{port}\""
                ),
            },
            Failure::NoTls => NotifyError::Setup {
                what: format!(
                    "{smtp} does not expect TLS from the first byte: write smtp = \"smtp://{host}:{port}\""
                ),
            },
            Failure::NoStartTls => NotifyError::Denied {
                reason: format!("{smtp} does not offer STARTTLS, and mail is not sent unencrypted"),
            },
            Failure::NoUtf8 => NotifyError::Denied {
                reason: format!("{smtp} does not accept addresses that are not ASCII"),
            },
            Failure::Silent => self.silent(),
            Failure::Unreachable(error) => NotifyError::unavailable(format!("{smtp}: {error}")),
            Failure::Smtp(error) => {
                let message = self.message_of(&session::text(error));
                let code = session::code(error);
                let reason = match code {
                    Some(code) => format!("{smtp} answered {code}: {message}"),
                    None => format!("{smtp}: {message}"),
                };
                match code {
                    // 552 and 554 are about the message (RFC 5321 §4.2.2): too large, or classified as spam.
                    Some(552 | 554) => NotifyError::Refused { reason },
                    Some(500..=599) => NotifyError::Denied { reason },
                    // No mechanism to log in with: the configuration does not fit the server.
                    None if error.is_client() => NotifyError::Denied { reason },
                    _ => NotifyError::unavailable(reason),
                }
            }
        }
    }

    fn silent(&self) -> NotifyError {
        NotifyError::unavailable(format!(
            "{} did not finish within {} s",
            self.settings.smtp,
            TIME_LIMIT.as_secs()
        ))
    }
}

/// Where `part` begins in `text`, without regard to the case of ASCII letters.
fn find_ignoring_case(text: &str, part: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(&part.to_ascii_lowercase())
}

#[async_trait]
impl Notifier for Email {
    async fn send_to_rest(
        &self,
        message: &Message,
        receipt: &mut Receipt,
        now: Timestamp,
    ) -> Result<(), NotifyError> {
        let left = self.left(receipt);
        if left.is_empty() {
            return Ok(());
        }
        let mail = self.mail(message, now)?.formatted();
        let way = self.way().await?;
        let sender = &self.settings.from.mailbox().email;
        let reached: &mut BTreeSet<String> = &mut receipt.reached;
        let sending = session::send(&way, sender, left, &mail, reached);
        let Ok(outcome) = timeout(TIME_LIMIT, sending).await else {
            // Who has it is in the receipt.
            return if self.left(receipt).is_empty() {
                Ok(())
            } else {
                Err(self.silent())
            };
        };
        if let Some(why) = &outcome.ended {
            return Err(self.not_sent(why));
        }
        if outcome.refused.is_empty() {
            return Ok(());
        }
        // If all recipients were accepted, the answer to the mail is about the mail, not about them.
        if receipt.reached.is_empty()
            && outcome.refused.iter().all(|refused| refused.at_data)
            && let Some(first) = outcome.refused.first()
        {
            return Err(self.not_sent(&first.why));
        }
        let unreached = outcome.refused.iter();
        Err(NotifyError::Recipients {
            server: self.settings.smtp.to_string(),
            unreached: unreached.map(|refused| self.unreached(refused)).collect(),
            reached: receipt.reached.len(),
        })
    }

    fn is_recipient(&self, name: &str) -> bool {
        let mut recipients = self.settings.to.iter();
        recipients.any(|recipient| recipient.mailbox().email.to_string() == name)
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
