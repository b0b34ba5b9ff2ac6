//! Parsing the command line of one method of `sign` and `verify`, or of `digest`, without the other ones.
//!
//! To describe every method to the parser takes longer than to verify a small model. What this parser does not take is for
//! the whole one, which answers every error and every request for help.

use std::ffi::OsString;

use clap::Parser;

use super::spelling::command_of;
use super::{Command, sign, verify};

/// The program as if this method were all that it can do.
#[derive(Debug, Parser)]
// The methods have the same.
#[command(name = "modelwatch", version, args_override_self = true)]
struct Direct<G: clap::Args, A: clap::Args> {
    #[command(flatten)]
    global: G,

    #[command(flatten)]
    method: A,
}

/// Parses a command line, if it is about models and has no mistake; `arguments` are normalized. `G` is what every command
/// takes.
pub(in crate::cli) fn parse<G: clap::Args>(arguments: &[OsString]) -> Option<(G, Command)> {
    use Command::{Digest, Sign, Verify};
    let at = command_of(arguments)?;
    let word = |at: usize| arguments.get(at).and_then(|word| word.to_str());
    match (word(at)?, word(at + 1)) {
        ("digest", _) => parse_as(arguments, at..at + 1, Digest),
        (command, Some(method)) => {
            let words = at..at + 2;
            match (command, method) {
                ("sign", "key") => parse_as(arguments, words, |a| Sign(sign::Method::Key(a))),
                ("sign", "certificate") => {
                    parse_as(arguments, words, |a| Sign(sign::Method::Certificate(a)))
                }
                ("sign", "pkcs11-key") => {
                    parse_as(arguments, words, |a| Sign(sign::Method::Pkcs11Key(a)))
                }
                ("sign", "pkcs11-certificate") => parse_as(arguments, words, |a| {
                    Sign(sign::Method::Pkcs11Certificate(a))
                }),
                ("sign", "sigstore") => {
                    parse_as(arguments, words, |a| Sign(sign::Method::Sigstore(a)))
                }
                ("verify", "key") => parse_as(arguments, words, |a| Verify(verify::Method::Key(a))),
                ("verify", "certificate") => {
                    parse_as(arguments, words, |a| Verify(verify::Method::Certificate(a)))
                }
                ("verify", "sigstore") => {
                    parse_as(arguments, words, |a| Verify(verify::Method::Sigstore(a)))
                }
                ("verify", "attestation") => {
                    parse_as(arguments, words, |a| Verify(verify::Method::Attestation(a)))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Parses what is around these words, which are the command.
fn parse_as<G: clap::Args, A: clap::Args>(
    arguments: &[OsString],
    words: std::ops::Range<usize>,
    command: impl FnOnce(A) -> Command,
) -> Option<(G, Command)> {
    let (before, after) = (arguments.get(..words.start)?, arguments.get(words.end..)?);
    // The whole parser takes the options after a command in place of those before it, and does not add them up.
    if before.len() > 1 && after.iter().any(may_be_global) {
        return None;
    }
    let Direct { global, method } = Direct::try_parse_from(before.iter().chain(after)).ok()?;
    Some((global, command(method)))
}

/// Whether this may be an option that every command has.
fn may_be_global(option: &OsString) -> bool {
    let option = option.as_encoded_bytes();
    let is_short = option.starts_with(b"-") && !option.starts_with(b"--");
    let names: [&[u8]; 3] = [b"--config", b"--log-", b"--verbose"];
    is_short || names.iter().any(|name| option.starts_with(name))
}
