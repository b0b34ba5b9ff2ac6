//! The operator's choices: by flags, and on a terminal by a few questions.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::args::Args;
use super::given;
use crate::cli::bundles::Given;
use crate::cli::output::Mistake;
use crate::cli::watch::Blocks;
use crate::escape;
use crate::watch::{self, Forms};

/// Longest answer to a question.
const MAX_ANSWER_BYTES: u64 = 4096;

/// How alerts are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Channel {
    Terminal,
    Email {
        to: String,
        from: String,
        smtp: String,
    },
    /// The environment variable that holds the URL.
    Webhook(String),
}

/// All that is needed.
#[derive(Debug)]
pub(super) struct Answers {
    /// `[[watch]]` blocks, no two of one name.
    pub(super) watches: Vec<String>,
    pub(super) start: given::Start,
    pub(super) channel: Channel,
    /// Whether the bundles are the owner's own.
    pub(super) register: bool,
    pub(super) bundles: Vec<Given>,
}

impl Answers {
    /// The values on the command line; on a terminal the others are requested by questions.
    pub(super) fn of(args: &Args, path: &Path) -> anyhow::Result<Self> {
        let mut questions = Questions {
            asked: io::stdin().is_terminal() && !args.yes,
            opening: Some(format!(
                "This writes {}. An empty answer is the one in brackets; Ctrl-C leaves everything as it is.",
                path.display()
            )),
        };
        let mut blocks = Blocks::default();
        let mut bundles = Given::read_all(&args.from)?;
        for given in &bundles {
            if !given.has_bundles() {
                return Err(no_bundle(given));
            }
            blocks.add_all(given)?;
        }
        if let Some(file) = &args.key {
            blocks.add_all(&Given::read(file)?)?;
        }
        if let Some(identity) = &args.identity {
            let block = watch::suggest_meant(identity, args.issuer.as_deref(), &Forms::new())
                .map_err(|why| Mistake(format!("--identity: {why}")))?;
            blocks.add(block, None);
        }
        if blocks.is_empty() {
            if !questions.asked {
                return Err(Mistake(
                    "whose signings are to be watched? Give --from BUNDLE, --identity SAN or --key FILE".to_owned(),
                )
                .into());
            }
            bundles.extend(questions.whom(&mut blocks)?);
        }
        let start = match &args.start {
            Some(start) => start.clone(),
            None => questions.until(
                "Where does reading begin? end (from now on), beginning, or a date such as 2026-01-01",
                "end",
                given::start,
            )?,
        };
        let channel = match (&args.notify_email, &args.smtp, &args.webhook_env) {
            (Some(to), Some(smtp), _) => Channel::Email {
                to: to.clone(),
                from: args.mail_from.clone().unwrap_or_else(|| to.clone()),
                smtp: smtp.clone(),
            },
            (_, _, Some(variable)) => Channel::Webhook(variable.clone()),
            _ => questions.channel()?,
        };
        let register = args.register
            || (!bundles.is_empty()
                && questions
                    .yes_or_no("Are these bundles your own signings? They will be registered.")?);
        Ok(Self {
            watches: blocks.into_texts(),
            start,
            channel,
            register,
            bundles,
        })
    }
}

/// The message about a file for `--from` that holds no bundles: what it is instead.
fn no_bundle(given: &Given) -> anyhow::Error {
    match given.bundles() {
        Err(why) => Mistake(format!("{why}; --key accepts a public key or certificate")).into(),
        Ok(_) => Mistake(format!("{}: no bundle", given.name())).into(),
    }
}

/// Questions on the terminal, or none at all.
struct Questions {
    asked: bool,
    /// The text before the first one.
    opening: Option<String>,
}

impl Questions {
    /// One line, or the default for an empty one.
    fn ask(&mut self, question: &str, default: &str) -> anyhow::Result<String> {
        if !self.asked {
            return Ok(default.to_owned());
        }
        let mut stderr = io::stderr().lock();
        if let Some(opening) = self.opening.take() {
            writeln!(stderr, "{}", escape::terminal(&opening))?;
        }
        let shown = if default.is_empty() {
            String::new()
        } else {
            format!(" [{default}]")
        };
        write!(stderr, "{question}{shown}: ")?;
        stderr.flush()?;
        let mut answer = String::new();
        let mut stdin = io::Read::take(io::stdin().lock(), MAX_ANSWER_BYTES);
        if stdin.read_line(&mut answer)? == 0 {
            return Err(Mistake("there was no answer; nothing is written".to_owned()).into());
        }
        let answer = answer.trim();
        Ok(if answer.is_empty() { default } else { answer }.to_owned())
    }

    /// Asks until the answer is one.
    fn until<T>(
        &mut self,
        question: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        loop {
            let answer = self.ask(question, default)?;
            match read(&answer) {
                Ok(read) => return Ok(read),
                Err(why) if self.asked => {
                    writeln!(io::stderr(), "{}", escape::terminal(&why))?;
                }
                Err(why) => return Err(Mistake(why).into()),
            }
        }
    }

    fn yes_or_no(&mut self, question: &str) -> anyhow::Result<bool> {
        self.until(question, "no", |answer| {
            match answer.to_ascii_lowercase().as_str() {
                "y" | "yes" => Ok(true),
                "n" | "no" => Ok(false),
                _ => Err("write yes or no".to_owned()),
            }
        })
    }

    /// Adds the blocks, and answers the bundles that they are from.
    fn whom(&mut self, blocks: &mut Blocks) -> anyhow::Result<Option<Given>> {
        loop {
            let answer = self.ask(
                "Whose signings? A bundle (model.sig), a public key in PEM, a mail address or the URL of a repository",
                "",
            )?;
            let file = PathBuf::from(&answer);
            if file.is_file() {
                let added =
                    Given::read(&file).and_then(|given| blocks.add_all(&given).map(|_| given));
                match added {
                    Ok(given) => return Ok(given.has_bundles().then_some(given)),
                    Err(why) => {
                        writeln!(io::stderr(), "{}", escape::terminal(&format!("{why:#}")))?;
                        continue;
                    }
                }
            }
            let name = match given::identity(&answer) {
                Ok(name) => name,
                Err(why) => {
                    let why = format!("no such file, and {why}");
                    writeln!(io::stderr(), "{}", escape::terminal(&why))?;
                    continue;
                }
            };
            let issuer = self.until(
                "Which OIDC issuer confirms that name, such as https://accounts.google.com? Empty: any",
                "",
                |answer| match answer {
                    "" => Ok(None),
                    issuer => given::issuer(issuer).map(Some),
                },
            )?;
            match watch::suggest_meant(&name, issuer.as_deref(), &Forms::new()) {
                Ok(block) => blocks.add(block, None),
                Err(why) => {
                    writeln!(io::stderr(), "{}", escape::terminal(&why))?;
                    continue;
                }
            }
            return Ok(None);
        }
    }

    fn channel(&mut self) -> anyhow::Result<Channel> {
        let read = |answer: &str| match answer {
            "terminal" => Ok(Channel::Terminal),
            mail if mail.contains('@') => given::mail(mail).map(|mail| Channel::Email {
                from: mail.clone(),
                to: mail,
                smtp: String::new(),
            }),
            variable => given::variable(variable).map(Channel::Webhook),
        };
        let mut channel = self.until(
            "Where are alerts sent? A mail address, the name of an environment variable that holds a webhook's URL, or this terminal",
            "terminal",
            read,
        )?;
        if let Channel::Email { smtp, .. } = &mut channel {
            *smtp = self.until(
                "Which server sends the mail? smtps://host:465 or smtp://host:587",
                "smtp://localhost:25",
                given::smtp,
            )?;
        }
        Ok(channel)
    }
}
