//! What the operator says about channels and the heartbeat.
//!
//! Nothing here touches the machine: whether a variable, file or host is there shows when a message
//! is sent, so that a channel that is broken today cannot keep the monitor from starting.

use std::path::PathBuf;
use std::time::Duration;

use crate::finding::Severity;

use super::email::{HelloName, MailAddress, SmtpUrl};
use crate::secret::{SecretSource, UrlSource};

/// Somewhere that findings are told.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its name in the configuration, in `notify` of watches and on the command line.
    pub name: String,
    /// Findings below are not told on it.
    pub min_severity: Severity,
    /// How it is reached.
    pub kind: ChannelKind,
}

/// How a channel is reached.
#[derive(Debug, Clone)]
pub enum ChannelKind {
    /// Mail over SMTP.
    Email(EmailSettings),
    /// A POST of one JSON object, signed as Standard Webhooks say.
    Webhook(WebhookSettings),
    /// A program that is given one JSON line on its standard input.
    Exec(ExecSettings),
    /// Our own standard output.
    Stdout(StdoutSettings),
}

/// Our own standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StdoutSettings {
    /// One JSON line for each message (`true`), or text as in a mail (`false`). `None`: text on a terminal, JSON where it is
    /// read by a program.
    pub as_json: Option<bool>,
}

/// Mail over SMTP.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// The sender; its domain is that of the Message-IDs.
    pub from: MailAddress,
    /// The recipients, all named on one message; at least one.
    pub to: Vec<MailAddress>,
    /// The submission server.
    pub smtp: SmtpUrl,
    /// The name that it is greeted with; by default that of this machine.
    pub ehlo: Option<HelloName>,
    /// The account, if the server wants one.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// PEM file of certificate authorities to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
}

/// A POST of one JSON object.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where to.
    pub url: UrlSource,
    /// The key of the signature: `whsec_<base64>`, or the key's bytes as they are. Without it,
    /// messages are not signed.
    pub secret: Option<SecretSource>,
    /// Host names, or literal addresses, that may lead into a private network.
    pub allow_private: Vec<String>,
}

/// A program.
#[derive(Debug, Clone)]
pub struct ExecSettings {
    /// The program: a path, or a name without a `/` that is looked for in the PATH.
    pub program: PathBuf,
    /// Its arguments; no shell is involved.
    pub arguments: Vec<String>,
    /// How long it may take for one message, [`Self::DEFAULT_TIMEOUT`] unless given.
    pub timeout: Duration,
}

impl ExecSettings {
    /// How long a program may take for one message if the configuration does not say.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
}

/// A dead man's switch: somebody else raises the alarm when requests stop coming.
#[derive(Debug, Clone)]
pub struct HeartbeatSettings {
    /// What is requested. The operator's own choice, and often the secret itself.
    pub url: UrlSource,
    /// At most one request in this time.
    pub every: Duration,
}
