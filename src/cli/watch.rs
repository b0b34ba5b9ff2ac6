//! `modelwatch watch suggest`: a watch for the signer of a bundle or certificate.

use std::path::PathBuf;

use super::bundles::{self, Given};
use super::output::{Mistake, Outcome, Output};
use crate::escape;
use crate::watch;

/// Most bundles of one signer that a comment names.
const PLACES: usize = 8;

/// What to do with watches.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the `[[watch]]` block for the signer of a bundle or certificate
    Suggest(SuggestArgs),
}

/// Arguments of `watch suggest`.
#[derive(Debug, clap::Args)]
pub(super) struct SuggestArgs {
    /// Sigstore bundles in any form that `expect add` takes, certificates or public keys (PEM, DER, OpenPGP, SSH,
    /// minisign); `-` is standard input
    #[arg(value_name = "BUNDLE_OR_CERT")]
    file: PathBuf,
}

pub(super) fn run(command: &Command) -> anyhow::Result<Outcome> {
    let Command::Suggest(args) = command;
    let given = Given::read(&args.file)?;
    let mut blocks = Blocks::default();
    let is_whole = blocks.add_all(&given)?;
    let mut output = Output::new();
    if !given.has_bundles()
        && let Some(several) = watch::several(&given.certificates_and_keys()?)
    {
        output.line(&format!("# {several}"))?;
    }
    for (number, block) in blocks.0.iter().enumerate() {
        if number > 0 {
            output.line("")?;
        }
        if !block.places.is_empty() {
            let places = escape::few(&block.places, PLACES);
            output.line(&format!("# Signer of {}", escape::terminal(&places)))?;
        }
        output.line(block.text.trim_end())?;
    }
    output.end()?;
    Ok(if is_whole {
        Outcome::Clean
    } else {
        Outcome::Wrong
    })
}

/// `[[watch]]` blocks: the same block once, and different blocks of one name under different names.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Block>);

#[derive(Debug)]
struct Block {
    /// As it was suggested.
    suggested: String,
    /// The same under a name that no other block has.
    text: String,
    /// Which bundles of a file with several are by its signer.
    places: Vec<String>,
}

impl Blocks {
    /// Adds a block for each signer of a file. Answers whether each of its bundles has one; those that have none are
    /// named on stderr.
    ///
    /// # Errors
    ///
    /// None of them has one.
    pub(super) fn add_all(&mut self, given: &Given) -> anyhow::Result<bool> {
        if !given.has_bundles() {
            let suggested = watch::suggest_all(&given.certificates_and_keys()?)
                .map_err(|error| Mistake(format!("{}: {error}", given.name())))?;
            for block in suggested {
                self.add(block, None);
            }
            return Ok(true);
        }
        let mut blocks = Vec::new();
        let mut failed = Vec::new();
        for named in given.signers()? {
            let suggested = named
                .signer
                .and_then(|signer| watch::suggest(&signer).map_err(|error| error.to_string()));
            match suggested {
                Ok(block) => blocks.push((block, named.place)),
                Err(why) => failed.push((given.shown(named.place.as_deref()), why)),
            }
        }
        let last = if blocks.is_empty() {
            failed.pop()
        } else {
            None
        };
        for (what, why) in &failed {
            bundles::complain(what, why);
        }
        if let Some((what, why)) = last {
            return Err(Mistake(format!("{what}: {why}")).into());
        }
        for (block, place) in blocks {
            self.add(block, place);
        }
        Ok(failed.is_empty())
    }

    /// Adds one block, from that place in a file with several.
    pub(super) fn add(&mut self, suggested: String, place: Option<String>) {
        if let Some(same) = self.0.iter_mut().find(|block| block.suggested == suggested) {
            same.places.extend(place);
            return;
        }
        let mut text = suggested.clone();
        let mut number = 2;
        while self.0.iter().any(|other| name(&other.text) == name(&text)) {
            let old = name(&suggested).unwrap_or_default();
            let new = format!("{}-{number}\"", old.trim_end_matches('"'));
            text = suggested.replacen(old, &new, 1);
            number += 1;
        }
        self.0.push(Block {
            suggested,
            text,
            places: place.into_iter().collect(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The blocks, no two of one name.
    pub(super) fn into_texts(self) -> Vec<String> {
        self.0.into_iter().map(|block| block.text).collect()
    }
}

/// The line that names a block.
fn name(block: &str) -> Option<&str> {
    block.lines().find(|line| line.starts_with("name = "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_one_name_are_distinguished_and_equal_ones_are_written_once() {
        let block = |mail: &str| {
            let meant = watch::read_meant(mail).expect("a mail address");
            watch::suggest_meant(&meant, None, &watch::Forms::new()).expect("a name")
        };
        let mail = block("jane@example.com");
        let other = block("jane@example.org");
        let third = block("jane@example.net");
        let mut blocks = Blocks::default();
        for block in [&mail, &mail, &other, &third] {
            blocks.add(block.clone(), None);
        }
        let kept = blocks.into_texts();
        let names: Vec<_> = kept.iter().filter_map(|block| name(block)).collect();
        assert_eq!(
            names,
            ["name = \"jane\"", "name = \"jane-2\"", "name = \"jane-3\""]
        );
        assert_eq!(kept.first(), Some(&mail));
    }
}
