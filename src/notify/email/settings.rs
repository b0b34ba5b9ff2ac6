//! The settings of a channel that sends mail.

use std::path::PathBuf;

use super::address::{MailAddress, SmtpUrl};
use super::hello::HelloName;
use crate::secret::SecretSource;

/// Mail over SMTP.
#[derive(Debug, Clone)]
pub(in crate::notify) struct EmailSettings {
    /// The sender; its domain is that of the Message-IDs.
    pub(in crate::notify) from: MailAddress,
    /// The recipients, all named on one message; at least one.
    pub(in crate::notify) to: Vec<MailAddress>,
    /// The submission server.
    pub(in crate::notify) smtp: SmtpUrl,
    /// The name in EHLO; by default that of this machine.
    pub(in crate::notify) ehlo: Option<HelloName>,
    /// The account, if the server requires one.
    pub(in crate::notify) user: Option<String>,
    /// Its password.
    pub(in crate::notify) password: Option<SecretSource>,
    /// PEM file of certificate authorities to trust besides the machine's.
    pub(in crate::notify) ca_file: Option<PathBuf>,
}
