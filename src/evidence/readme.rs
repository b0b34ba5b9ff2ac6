//! `README.md` of a directory: what it is and how to check it, for a reader who does not know this program.

use super::format::{Inclusion, MANIFEST};
use crate::escape;
use crate::log::Protocol;

/// The text. `missing`: files that the directory does not have, and why.
pub(super) fn text(
    protocol: Protocol,
    inclusion: &Inclusion,
    missing: &[(&'static str, String)],
) -> String {
    let origin = escape::chat(&inclusion.origin);
    let mut text = format!(
        "# Evidence of one entry in a transparency log\n\n\
         This directory proves that entry {} is in the log {origin} ({}), and shows what the entry says.\n\
         The leaf hash of the entry is `{}`.\n\n\
         ## How to check it\n\n\
         With modelwatch, without a network and without a configuration:\n\n\
         ```sh\nmodelwatch verify-evidence THIS-DIRECTORY\n```\n\n\
         A log that is not one of Sigstore's public instance needs trust that you have from elsewhere:\n\
         `--trusted-root FILE` (a Sigstore trusted root) or `--log-key FILE` (the public key of the log, PEM).\n\
         Never use a key or a trusted root from this directory: whoever made the directory chose them.\n\n\
         Without modelwatch: `docs/verify_evidence.py` in its source is a program of its own for entries of Rekor, and\n\
         `docs/evidence.md` describes every file and every check.\n\n\
         ## Files\n\n\
         `{MANIFEST}` lists every file with its SHA-256. `leaf` has the bytes that the log hashed. `inclusion.json` has the\n\
         inclusion proof (RFC 6962 section 2.1.1). `checkpoint.txt` is the signed note with the root, as the log served it,\n\
         with all cosignatures. `finding.json` is what modelwatch recorded: place, names, digest and certificate are those\n\
         of the leaf; verdict, severity, state and history are what modelwatch and its users thought of it, and nothing\n\
         proves them.\n",
        inclusion.log_index,
        protocol.title(),
        inclusion.leaf_hash,
    );
    if !missing.is_empty() {
        text.push_str("\n## Files that are not here\n\n");
        for (name, why) in missing {
            text.extend(["* `", name, "`: ", &escape::chat(why), "\n"]);
        }
    }
    text
}
