//! What the operator wants: by flags, and on a terminal by a few questions.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::{Args, given};
use crate::cli::output::Mistake;
use crate::cli::setup;
use crate::escape;
use crate::watch;

/// Longest answer to a question.
const MAX_ANSWER_BYTES: u64 = 4096;

/// How findings are told.
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
    /// `end`, `beginning` or a date.
    pub(super) start: String,
    pub(super) channel: Channel,
    /// Whether the bundles are the owner's own.
    pub(super) register: bool,
    pub(super) bundles: Vec<PathBuf>,
}

impl Answers {
    /// Those of the command line; on a terminal the others are asked for.
    pub(super) fn of(args: &Args, path: &Path) -> anyhow::Result<Self> {
        let mut questions = Questions {
            asked: io::stdin().is_terminal() && !args.yes,
            opening: Some(format!(
                "This writes {}. An empty answer is the one in brackets; Ctrl-C leaves everything as it is.",
                path.display()
            )),
        };
        let mut blocks = Vec::new();
        let mut bundles = args.from.clone();
        for file in &args.from {
            if !setup::is_bundle(file)? {
                return Err(Mistake(format!(
                    "{}: no bundle; --key takes a public key or certificate",
                    file.display()
                ))
                .into());
            }
            blocks.push(of_signer(file)?);
        }
        if let Some(file) = &args.key {
            blocks.push(of_signer(file)?);
        }
        if let Some(identity) = &args.identity {
            blocks.push(watch::suggest_name(identity, args.issuer.as_deref()));
        }
        if blocks.is_empty() {
            if !questions.asked {
                return Err(Mistake(
                    "whose signings are to be watched? Give --from BUNDLE, --identity SAN or --key FILE".to_owned(),
                )
                .into());
            }
            let (block, bundle) = questions.whom()?;
            blocks.push(block);
            bundles.extend(bundle);
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
                    .yes_or_no("Is what these bundles hold your own signing, to be registered?")?);
        Ok(Self {
            watches: apart(blocks),
            start,
            channel,
            register,
            bundles,
        })
    }
}

fn of_signer(file: &Path) -> anyhow::Result<String> {
    let signer = setup::signer_of(file)?;
    let block =
        watch::suggest(&signer).map_err(|error| Mistake(format!("{}: {error}", file.display())))?;
    Ok(block)
}

/// The same block once, and different blocks of one name under different names.
fn apart(blocks: Vec<String>) -> Vec<String> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for block in blocks {
        if kept.iter().any(|(original, _)| *original == block) {
            continue;
        }
        let mut named = block.clone();
        let mut number = 2;
        while kept.iter().any(|(_, other)| name(other) == name(&named)) {
            let old = name(&block).unwrap_or_default();
            let new = format!("{}-{number}\"", old.trim_end_matches('"'));
            named = block.replacen(old, &new, 1);
            number += 1;
        }
        kept.push((block, named));
    }
    kept.into_iter().map(|(_, named)| named).collect()
}

/// The line that names a block.
fn name(block: &str) -> Option<&str> {
    block.lines().find(|line| line.starts_with("name = "))
}

/// Questions on the terminal, or none at all.
struct Questions {
    asked: bool,
    /// What is said before the first one.
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

    /// A block, and the bundle that it is from.
    fn whom(&mut self) -> anyhow::Result<(String, Option<PathBuf>)> {
        loop {
            let answer = self.ask(
                "Whose signings? A bundle (model.sig), a public key in PEM, a mail address or a workflow's URI",
                "",
            )?;
            let file = PathBuf::from(&answer);
            if file.is_file() {
                match of_signer(&file) {
                    Ok(block) => {
                        let is_bundle = setup::is_bundle(&file)?;
                        return Ok((block, is_bundle.then_some(file)));
                    }
                    Err(why) => {
                        writeln!(io::stderr(), "{}", escape::terminal(&format!("{why:#}")))?;
                        continue;
                    }
                }
            }
            let name = match given::identity(&answer) {
                Ok(name) => name,
                Err(why) => {
                    writeln!(io::stderr(), "no such file, and {why}")?;
                    continue;
                }
            };
            let issuer = self.until(
                "Who vouches for that name, such as https://accounts.google.com? Empty: anybody",
                "",
                |answer| match answer {
                    "" => Ok(None),
                    issuer => given::issuer(issuer).map(Some),
                },
            )?;
            return Ok((watch::suggest_name(&name, issuer.as_deref()), None));
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
            "Who is told? A mail address, the name of an environment variable that holds a webhook's URL, or this terminal",
            "terminal",
            read,
        )?;
        if let Channel::Email { smtp, .. } = &mut channel {
            *smtp = self.until(
                "Which server takes the mail? smtps://host:465 or smtp://host:587",
                "smtp://localhost:25",
                given::smtp,
            )?;
        }
        Ok(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_one_name_are_told_apart_and_the_same_one_is_written_once() {
        let mail = watch::suggest_name("jane@example.com", None);
        let other = watch::suggest_name("jane@example.org", None);
        let third = watch::suggest_name("jane@example.net", None);
        let kept = apart(vec![mail.clone(), mail.clone(), other, third]);
        let names: Vec<_> = kept.iter().filter_map(|block| name(block)).collect();
        assert_eq!(
            names,
            ["name = \"jane\"", "name = \"jane-2\"", "name = \"jane-3\""]
        );
        assert_eq!(kept.first(), Some(&mail));
    }
}
