//! What the operator wants: by flags, and on a terminal by a few questions.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::Args;
use crate::cli::output::Mistake;
use crate::cli::setup;
use crate::config;
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

/// A start on the command line.
pub(super) fn start(written: &str) -> Result<String, String> {
    if matches!(written, "end" | "beginning") || config::parse_time(written).is_some() {
        return Ok(written.to_owned());
    }
    Err("write end, beginning, or a date such as 2026-01-01".to_owned())
}

impl Answers {
    pub(super) fn of(args: &Args) -> anyhow::Result<Self> {
        let mut questions = Questions {
            asked: io::stdin().is_terminal() && !args.yes,
        };
        let mut blocks = Vec::new();
        let mut bundles = args.from.clone();
        for file in args.from.iter().chain(&args.key) {
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
                start,
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
}

impl Questions {
    /// One line, or the default for an empty one.
    fn ask(&mut self, question: &str, default: &str) -> anyhow::Result<String> {
        if !self.asked {
            return Ok(default.to_owned());
        }
        let mut stderr = io::stderr().lock();
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
                    writeln!(io::stderr(), "{}", crate::escape::terminal(&why))?;
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
                        let is_bundle = setup::is_bundle(&file);
                        return Ok((block, is_bundle.then_some(file)));
                    }
                    Err(why) => {
                        writeln!(
                            io::stderr(),
                            "{}",
                            crate::escape::terminal(&format!("{why:#}"))
                        )?;
                        continue;
                    }
                }
            }
            if !answer.contains(['@', ':']) {
                writeln!(
                    io::stderr(),
                    "neither a file nor a name as certificates have it"
                )?;
                continue;
            }
            let issuer = self.ask(
                "Who vouches for that name, such as https://accounts.google.com? Empty: anybody",
                "",
            )?;
            let issuer = Some(issuer).filter(|issuer| !issuer.is_empty());
            return Ok((watch::suggest_name(&answer, issuer.as_deref()), None));
        }
    }

    fn channel(&mut self) -> anyhow::Result<Channel> {
        let answer = self.ask(
            "Who is told? A mail address, or the name of an environment variable with a webhook's URL, or this terminal",
            "terminal",
        )?;
        if answer == "terminal" {
            return Ok(Channel::Terminal);
        }
        if !answer.contains('@') {
            return Ok(Channel::Webhook(answer));
        }
        let smtp = self.ask(
            "Which server takes the mail? smtps://host:465 or smtp://host:587",
            "smtp://localhost:25",
        )?;
        Ok(Channel::Email {
            from: answer.clone(),
            to: answer,
            smtp,
        })
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

    #[test]
    fn a_start_is_a_word_or_a_date() {
        for good in ["end", "beginning", "2026-01-01", "2026-01-01T00:00:00Z"] {
            assert_eq!(start(good).as_deref(), Ok(good));
        }
        for bad in ["", "now", "2026-02-30", "12\"\n[x]"] {
            assert!(start(bad).is_err(), "{bad}");
        }
    }
}
