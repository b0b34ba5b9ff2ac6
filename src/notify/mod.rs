//! Telling people: the outbox of the hall, delivered over channels that know nothing of logs.

mod email;
mod secret;
mod settings;

pub use email::{MailAddress, MailAddressError, SmtpSecurity, SmtpUrl, SmtpUrlError};
pub use secret::{SecretError, SecretSource, UrlSource};
pub use settings::{
    Channel, ChannelKind, DEFAULT_EXEC_TIMEOUT, EmailSettings, ExecSettings, HeartbeatSettings,
    WebhookSettings,
};
