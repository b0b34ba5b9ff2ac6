//! Telling people: the outbox of the hall, delivered over channels that know nothing of logs.
//!
//! ```text
//! store ──claim──▶ outbox ──Message──▶ Notifier (email, webhook, exec, stdout) ──▶ somebody
//!   ▲                 │                    render: one page for people, one line of JSON for programs
//!   └─record──────────┘
//! ```
//!
//! What is owed is durable in the store; this room only pays. An alert may be told twice, with the
//! same id, if we crash between telling and recording; it is never told zero times.

mod channel_types;
mod email;
mod error;
mod exec;
mod heartbeat;
mod message;
mod outbox;
mod ready;
mod render;
mod settings;
mod stdout;
#[cfg(test)]
mod testing;
mod webhook;

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

pub use channel_types::{
    CHANNEL_TYPES, ChannelSettings, ChannelType, KeyType, Place, Remark, Value, Written,
};
pub use email::{MailAddress, MailAddressError, SmtpUrl, SmtpUrlError};
pub use error::{NotifyError, Unreached};
pub use heartbeat::{Beat, Heartbeat, HeartbeatError};
pub use message::{Kind, Message};
pub use outbox::{Drained, Outbox};
pub use ready::Lacking;
pub use settings::{Channel, HeartbeatSettings};

/// A way to tell people.
///
/// Laws:
/// 1. `Ok` means that somebody else took responsibility for the message: the mail server accepted
///    it, the receiver answered with success, the program exited with 0.
/// 2. Every error is to be tried again; which kind it is says only when, and who should hear of it.
/// 3. `send` ends by itself, in bounded time; when it is dropped before, nothing of it goes on.
/// 4. What is sent names the message's id, so that a repeat is recognised as one.
/// 5. No text from a log reaches a person unescaped.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Sends one message, once. `now` is the time that the receiver is told.
    ///
    /// # Errors
    /// It was not taken, or nobody knows.
    async fn send(&self, message: &Message, now: Timestamp) -> Result<(), NotifyError>;

    /// As [`send`](Self::send), to those recipients that `receipt` does not name, and adds those that
    /// have it now, also where it fails or is dropped. A channel without recipients of its own is
    /// sent to as a whole.
    ///
    /// # Errors
    /// As there.
    async fn send_to_rest(
        &self,
        message: &Message,
        _receipt: &mut Receipt,
        now: Timestamp,
    ) -> Result<(), NotifyError> {
        self.send(message, now).await
    }

    /// Whether the channel has a recipient of this name.
    fn is_recipient(&self, _name: &str) -> bool {
        false
    }
}

/// Who has a message that goes to several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The recipients that the other side took it for.
    pub reached: BTreeSet<String>,
}
