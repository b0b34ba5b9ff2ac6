//! Delivery of alerts: reads the outbox of the store and sends to channels. The channels are independent of logs.
//!
//! ```text
//! store ──claim──▶ outbox ──Message──▶ Notifier (email, chat, webhook, exec, …) ──▶ a person or program
//!   ▲                 │                    render: one page for people, one line of JSON for programs
//!   └─record──────────┘
//! ```
//!
//! Due alerts are stored durably; this module only delivers them. After a crash between sending and recording, an alert
//! is sent again with the same id; no alert is lost.

mod channel_type;
mod channel_types;
mod chat_webhook;
mod discord;
mod email;
mod error;
mod exec;
mod github_issue;
mod heartbeat;
mod links;
mod message;
mod outbox;
mod pagerduty;
mod ready;
mod render;
mod reply;
mod settings;
mod slack;
mod stdout;
mod teams;
mod template;
#[cfg(test)]
mod testing;
mod webhook;

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

pub use channel_type::{ChannelSettings, ChannelType, KeyType, Place, Remark, Value, Written};
pub use channel_types::CHANNEL_TYPES;
pub use email::{MailAddress, MailAddressError, SmtpUrl, SmtpUrlError};
pub use error::{NotifyError, Unreached};
pub use heartbeat::{Beat, Heartbeat, HeartbeatError, last_heartbeat};
pub use links::Links;
pub use message::{Kind, Message};
pub use outbox::{Drained, Outbox};
pub use ready::Lacking;
pub use settings::{Channel, HeartbeatSettings};
pub use template::TemplateError;

/// A channel of alerts.
///
/// Laws:
/// 1. `Ok` means that another system has accepted the message: the mail server accepted it, the receiver answered
///    with success, the program exited with 0.
/// 2. After every error the message is tried again; the kind of error determines when, and who is informed.
/// 3. `send` ends in bounded time; when it is dropped before, it stops.
/// 4. The sent message contains its id, so that receivers recognise a repeat.
/// 5. No text from a log reaches a person unescaped.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Sends one message, once. `now` is the time in the message.
    ///
    /// # Errors
    /// It was not accepted, or that is unknown.
    async fn send(&self, message: &Message, now: Timestamp) -> Result<(), NotifyError> {
        self.send_to_rest(message, &mut Receipt::default(), now)
            .await
    }

    /// Like [`send`](Self::send), to the recipients that are not in `receipt`, and adds those that have it now, also if
    /// it fails or is dropped. A channel without recipients is one unit.
    ///
    /// # Errors
    /// As there.
    async fn send_to_rest(
        &self,
        message: &Message,
        receipt: &mut Receipt,
        now: Timestamp,
    ) -> Result<(), NotifyError>;

    /// Whether the channel has a recipient of this name.
    fn is_recipient(&self, _name: &str) -> bool {
        false
    }
}

/// Who already has a message, and what was wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The recipients for whom the server has accepted it.
    pub reached: BTreeSet<String>,
    /// The message was accepted, but not as the channel is configured: what the operator has to repair.
    pub complaint: Option<String>,
}
