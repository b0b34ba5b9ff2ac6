//! Mail over SMTP.

mod address;

pub use address::{MailAddress, MailAddressError, SmtpSecurity, SmtpUrl, SmtpUrlError};
