//! An SMTP session: finds the recipients for which a server accepts a mail.
//!
//! A server answers for each recipient separately (RFC 5321 §3.3), but for the mail only once. So the recipients that
//! it accepts get the mail, and its answer about each other recipient is kept.

use std::collections::{BTreeSet, VecDeque};
use std::iter::Peekable;
use std::slice::Iter;
use std::sync::Arc;
use std::time::Duration;

use lettre::address::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::greeting;

/// Most connections for one mail. One is usual; a server that closes the connection at a recipient, refuses a name or
/// fails at STARTTLS causes another.
const MAX_CONNECTIONS: usize = 10;

/// How long the end of a session may take: by then the mail is delivered, or is not.
const GOOD_BYE: Duration = Duration::from_secs(2);

/// "Too many recipients" (RFC 5321 §4.5.3.1.10), and what some servers answer in its place (§4.2.3).
const TOO_MANY_RECIPIENTS: [u16; 2] = [452, 552];

/// How to connect to a server.
pub(super) struct Way {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    /// The names for EHLO, the best first; at least one.
    pub(super) names: Vec<ClientId>,
    pub(super) credentials: Option<Credentials>,
    /// Time limit of each step.
    pub(super) step: Duration,
    /// How long to wait for a greeting before testing for TLS.
    pub(super) max_delay: Duration,
}

/// How the conversation is protected.
pub(super) enum Tls {
    /// From the first byte.
    Wrapped(TlsParameters),
    /// By STARTTLS, or none is required.
    Required(TlsParameters),
    /// By STARTTLS where it is offered: the server is this machine.
    Offered(TlsParameters),
}

/// Why the server does not have the mail.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server uses TLS from the first byte, which was not expected.
    SpeaksTls,
    /// The server does not use TLS, which was expected.
    NoTls,
    /// It does not offer STARTTLS.
    NoStartTls,
    /// It cannot be connected to.
    Unreachable(std::io::Error),
    /// It did not answer in time.
    Silent,
    /// A recipient's address has letters that the server does not support (RFC 6531).
    NoUtf8,
    /// Everything else.
    Smtp(Arc<SmtpError>),
}

/// A recipient for whom the server does not accept the mail.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) recipient: Address,
    pub(super) why: Failure,
    /// It was refused after the mail was sent: the reason may be the mail.
    pub(super) at_data: bool,
}

/// The result.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Recipients that the server refused.
    pub(super) refused: Vec<Refused>,
    /// Why the session failed or ended early.
    pub(super) ended: Option<Failure>,
}

/// How one transaction ended.
enum Transaction {
    /// The server accepted the mail for every recipient except these.
    Sent(Vec<Refused>),
    /// It accepted no recipient.
    NoRecipient(Vec<Refused>),
    /// It refused the mail, after it had accepted all recipients except these.
    NoMail(Vec<Refused>, Arc<SmtpError>),
    /// It refused the name that it was greeted with.
    Name(Arc<SmtpError>),
    /// It refused the sender.
    Sender(Arc<SmtpError>),
    /// The connection broke at this recipient.
    BrokenAt(Address, Arc<SmtpError>),
    /// The connection failed after the mail was sent: it is unknown whether the server accepted it.
    Broken(Arc<SmtpError>),
}

/// Sends `mail` from `sender` to these recipients; calls `reached` for each one as soon as the server has accepted the
/// mail for it.
pub(super) async fn send(
    way: &Way,
    sender: &Address,
    recipients: Vec<Address>,
    mail: &[u8],
    reached: &mut BTreeSet<String>,
) -> Outcome {
    let mut sending = Sending {
        groups: VecDeque::from([recipients]),
        refused: Vec::new(),
    };
    let mut names = way.names.iter().peekable();
    let mut plain = false;
    let mut ended = None;
    for _ in 0..MAX_CONNECTIONS {
        let Some(name) = names.next() else { break };
        let is_last_name = names.peek().is_none();
        match connect(way, name, plain).await {
            Ok(mut connection) => {
                let end = sending
                    .converse(&mut connection, sender, mail, is_last_name, reached)
                    .await;
                let good_bye = async {
                    if connection.has_broken() || end.is_some() {
                        connection.abort().await;
                    } else {
                        // The server has the mail; an error at the end of the session changes nothing.
                        let _ = connection.quit().await;
                    }
                };
                let _ = timeout(GOOD_BYE, good_bye).await;
                match end {
                    None => break,
                    Some(End::Name(error)) => ended = Some(Failure::Smtp(error)),
                    Some(End::Recipient(error)) => {
                        ended = Some(Failure::Smtp(error));
                        names = again(&way.names, name);
                    }
                    Some(End::All(error)) => {
                        ended = Some(Failure::Smtp(error));
                        break;
                    }
                }
            }
            Err(Attempt::Name(error)) => ended = Some(Failure::Smtp(error)),
            // Unprotected data on the same machine cannot be intercepted.
            Err(Attempt::StartTls(_)) if matches!(way.tls, Tls::Offered(_)) && !plain => {
                plain = true;
                names = again(&way.names, name);
            }
            Err(Attempt::StartTls(error)) => {
                ended = Some(Failure::Smtp(error));
                break;
            }
            Err(Attempt::Failed(why)) => {
                ended = Some(why);
                break;
            }
        }
    }
    Outcome {
        ended: ended.filter(|_| !sending.groups.is_empty()),
        refused: sending.refused,
    }
}

/// The names from this one on.
fn again<'a>(names: &'a [ClientId], name: &ClientId) -> Peekable<Iter<'a, ClientId>> {
    let from = names.iter().position(|other| other == name).unwrap_or(0);
    names.get(from..).unwrap_or_default().iter().peekable()
}

/// Why a session ended before every recipient was tried.
enum End {
    /// The name was refused.
    Name(Arc<SmtpError>),
    /// The server hung up at a recipient.
    Recipient(Arc<SmtpError>),
    /// It would not fare better with another name or other recipients.
    All(Arc<SmtpError>),
}

/// The rest to send.
struct Sending {
    /// Recipients that share a transaction.
    groups: VecDeque<Vec<Address>>,
    refused: Vec<Refused>,
}

impl Sending {
    async fn converse(
        &mut self,
        connection: &mut AsyncSmtpConnection,
        sender: &Address,
        mail: &[u8],
        is_last_name: bool,
        reached: &mut BTreeSet<String>,
    ) -> Option<End> {
        while let Some(group) = self.groups.pop_front() {
            match transact(connection, sender, &group, mail, is_last_name).await {
                Transaction::Sent(refused) => self.sent(&group, refused, reached),
                Transaction::NoRecipient(refused) => self.refused.extend(refused),
                Transaction::NoMail(refused, error) => self.no_mail(group, refused, &error),
                Transaction::Name(error) => {
                    self.groups.push_front(group);
                    return Some(End::Name(error));
                }
                Transaction::Sender(error) | Transaction::Broken(error) => {
                    self.groups.push_front(group);
                    return Some(End::All(error));
                }
                Transaction::BrokenAt(recipient, error) => {
                    return Some(self.broken_at(group, recipient, error));
                }
            }
        }
        None
    }

    fn sent(&mut self, group: &[Address], refused: Vec<Refused>, reached: &mut BTreeSet<String>) {
        let is_out = |a: &Address| refused.iter().any(|r| r.recipient == *a);
        let taken = group.iter().filter(|a| !is_out(a));
        reached.extend(taken.map(ToString::to_string));
        let (later, refused): (Vec<_>, Vec<_>) =
            refused.into_iter().partition(Refused::is_for_the_next);
        if !later.is_empty() {
            let later = later.into_iter().map(|r| r.recipient).collect();
            self.groups.push_back(later);
        }
        self.refused.extend(refused);
    }

    fn no_mail(&mut self, group: Vec<Address>, refused: Vec<Refused>, error: &Arc<SmtpError>) {
        let accepted: Vec<Address> = group
            .into_iter()
            .filter(|a| !refused.iter().any(|r| r.recipient == *a))
            .collect();
        self.refused.extend(refused);
        if accepted.len() > 1 && matches!(code(error), Some(500..=599)) {
            // Some servers look at recipients only now, and answer for all at once.
            self.groups.extend(accepted.into_iter().map(|a| vec![a]));
            return;
        }
        self.refused
            .extend(accepted.into_iter().map(|recipient| Refused {
                recipient,
                why: Failure::Smtp(Arc::clone(error)),
                at_data: true,
            }));
    }

    fn broken_at(&mut self, group: Vec<Address>, recipient: Address, error: Arc<SmtpError>) -> End {
        let rest: Vec<Address> = group.into_iter().filter(|a| *a != recipient).collect();
        if rest.is_empty() {
            self.refused.push(Refused {
                recipient,
                why: Failure::Smtp(Arc::clone(&error)),
                at_data: false,
            });
        } else {
            self.groups.push_front(rest);
            self.groups.push_back(vec![recipient]);
        }
        End::Recipient(error)
    }
}

impl Refused {
    /// Whether the server accepts it in another transaction.
    fn is_for_the_next(&self) -> bool {
        matches!(&self.why, Failure::Smtp(error) if is_too_many(error))
    }
}

fn is_too_many(error: &SmtpError) -> bool {
    code(error).is_some_and(|code| TOO_MANY_RECIPIENTS.contains(&code))
        && text(error).to_ascii_lowercase().contains("recipients")
}

/// Whether a server refuses the name in the greeting. Many check it only after the first sender or recipient, and
/// report it only in text.
fn is_about_the_name(error: &SmtpError) -> bool {
    let text = text(error);
    let words = text.split_whitespace().filter(|word| !word.contains('@'));
    let mut words = words.flat_map(|word| word.split(|c: char| !c.is_ascii_alphanumeric()));
    code(error).is_some()
        && words.any(|word| {
            ["helo", "ehlo"]
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name))
        })
}

/// Why there is no connection.
enum Attempt {
    /// The name was refused.
    Name(Arc<SmtpError>),
    /// STARTTLS failed.
    StartTls(Arc<SmtpError>),
    Failed(Failure),
}

async fn connect(way: &Way, name: &ClientId, plain: bool) -> Result<AsyncSmtpConnection, Attempt> {
    let server = (way.host.as_str(), way.port);
    let refused = |error: SmtpError| {
        let error = Arc::new(error);
        // 421 is not about this client, and neither is a temporary answer without such a text (RFC 5321 §3.8).
        if matches!(code(&error), Some(500..=599)) || is_about_the_name(&error) {
            Attempt::Name(error)
        } else {
            Attempt::Failed(Failure::Smtp(error))
        }
    };
    let mut connection = match &way.tls {
        Tls::Wrapped(tls) => {
            let tls = Some(tls.clone());
            let connected =
                AsyncSmtpConnection::connect_tokio1(server, Some(way.step), name, tls, None).await;
            connected.map_err(|error| {
                // rustls's message about the first bytes of an unencrypted greeting.
                if text(&error).contains("InvalidContentType") {
                    Attempt::Failed(Failure::NoTls)
                } else {
                    refused(error)
                }
            })?
        }
        Tls::Required(_) | Tls::Offered(_) => {
            let stream = reach(way).await?;
            if greeting::waits_for_tls(&stream, way.max_delay).await {
                return Err(Attempt::Failed(Failure::SpeaksTls));
            }
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), name)
                .await
                .map_err(refused)?
        }
    };
    match &way.tls {
        Tls::Required(_) if !connection.can_starttls() => {
            connection.abort().await;
            return Err(Attempt::Failed(Failure::NoStartTls));
        }
        Tls::Required(tls) => start_tls(&mut connection, tls, name).await?,
        Tls::Offered(tls) if connection.can_starttls() && !plain => {
            start_tls(&mut connection, tls, name).await?;
        }
        Tls::Offered(_) | Tls::Wrapped(_) => {}
    }
    if let Some(credentials) = &way.credentials {
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if let Err(error) = connection.auth(&mechanisms, credentials).await {
            connection.abort().await;
            return Err(Attempt::Failed(Failure::Smtp(Arc::new(error))));
        }
    }
    Ok(connection)
}

async fn reach(way: &Way) -> Result<TcpStream, Attempt> {
    let connecting = TcpStream::connect((way.host.as_str(), way.port));
    match timeout(way.step, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Attempt::Failed(Failure::Unreachable(error))),
        Err(_) => Err(Attempt::Failed(Failure::Silent)),
    }
}

async fn start_tls(
    connection: &mut AsyncSmtpConnection,
    tls: &TlsParameters,
    name: &ClientId,
) -> Result<(), Attempt> {
    let started = connection.starttls(tls.clone(), name).await;
    started.map_err(|error| {
        let error = Arc::new(error);
        if is_about_the_name(&error) {
            Attempt::Name(error)
        } else {
            Attempt::StartTls(error)
        }
    })
}

async fn transact(
    connection: &mut AsyncSmtpConnection,
    sender: &Address,
    recipients: &[Address],
    mail: &[u8],
    is_last_name: bool,
) -> Transaction {
    let is_about_the_name = |error: &SmtpError| !is_last_name && is_about_the_name(error);
    let server = connection.server_info();
    let has_utf8 = server.supports_feature(Extension::SmtpUtfEight);
    let needs_utf8 = |address: &Address| !address.to_string().is_ascii();
    let mut parameters = Vec::new();
    if has_utf8 && recipients.iter().chain([sender]).any(needs_utf8) {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !mail.is_ascii() && server.supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = Mail::new(Some(sender.clone()), parameters);
    if let Err(error) = connection.command(sender).await {
        return if is_about_the_name(&error) {
            Transaction::Name(Arc::new(error))
        } else {
            Transaction::Sender(Arc::new(error))
        };
    }
    let mut refused = Vec::new();
    for recipient in recipients {
        let refusal = if !has_utf8 && needs_utf8(recipient) {
            Some(Failure::NoUtf8)
        } else {
            let command = Rcpt::new(recipient.clone(), vec![]);
            match connection.command(command).await {
                Ok(_) => None,
                // 421: it closes the connection (RFC 5321 §3.8).
                Err(error) if matches!(code(&error), None | Some(421)) => {
                    return Transaction::BrokenAt(recipient.clone(), Arc::new(error));
                }
                Err(error) if is_about_the_name(&error) => {
                    return Transaction::Name(Arc::new(error));
                }
                Err(error) => Some(Failure::Smtp(Arc::new(error))),
            }
        };
        refused.extend(refusal.map(|why| Refused {
            recipient: recipient.clone(),
            why,
            at_data: false,
        }));
    }
    if refused.len() == recipients.len() {
        // The next transaction begins with a clean slate.
        let _ = connection.command("RSET\r\n").await;
        return Transaction::NoRecipient(refused);
    }
    let sent = match connection.command(Data).await {
        Ok(_) => connection.message(mail).await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(_) => Transaction::Sent(refused),
        Err(error) if matches!(code(&error), None | Some(421)) => {
            Transaction::Broken(Arc::new(error))
        }
        Err(error) => Transaction::NoMail(refused, Arc::new(error)),
    }
}

/// The code of a server's refusal.
pub(super) fn code(error: &SmtpError) -> Option<u16> {
    error.status().map(u16::from)
}

/// The server's message, or the cause of the failure: the innermost error, which describes it.
pub(super) fn text(error: &SmtpError) -> String {
    let mut cause = std::error::Error::source(error);
    let mut text = None;
    while let Some(next) = cause {
        text = Some(next.to_string());
        cause = next.source();
    }
    text.unwrap_or_else(|| error.to_string())
}
