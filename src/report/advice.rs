//! What a finding means, and what to do about it.
//!
//! Never more than is known: an entry of a log does not say what was signed, so nothing here calls
//! a signing that of a model unless its payload was seen.

mod health;

use crate::finding::{Class, Finding, State, Verdict};

/// Two paragraphs for the person who gets an alert.
pub struct Advice {
    /// What the finding means.
    pub meaning: &'static str,
    /// What to do now.
    pub action: &'static str,
}

/// Commands to copy. Ids are hexadecimal and the rest is fixed: no text of a log gets into a shell.
pub fn commands(finding: &Finding) -> Vec<String> {
    let id = finding.id;
    let show = format!("modelwatch findings show {id}");
    let ack = format!("modelwatch findings ack {id} --reason \"…\"");
    let more: &[&str] = match finding.verdict {
        Verdict::ModelUnexpected | Verdict::IdentityUnexpected | Verdict::OtherPredicate => {
            return vec![show, "modelwatch expect add BUNDLE".to_owned(), ack];
        }
        Verdict::CoverageGap => &["modelwatch rescan"],
        Verdict::NotifierFailing => &["modelwatch check notify"],
        Verdict::PositionLost
        | Verdict::UnverifiableCheckpoint
        | Verdict::Unavailable
        | Verdict::Silence
        | Verdict::Backlog
        | Verdict::LogUnfollowed
        | Verdict::LogEnded
        | Verdict::EntriesMissing
        | Verdict::UnknownSignature
        | Verdict::WitnessContradiction
        | Verdict::IndexSilent
        | Verdict::RateLimited
        | Verdict::CanaryMissing
        | Verdict::ClockSkew
        | Verdict::TrustRootRefused
        | Verdict::StoreFailing => &["modelwatch status", "modelwatch check"],
        Verdict::TrustRootStale | Verdict::WatchIneffective => &["modelwatch check"],
        Verdict::Expected
        | Verdict::UntrustedChain
        | Verdict::Missing
        | Verdict::LogFault
        | Verdict::Unreadable => &[],
    };
    let mut commands = vec![show];
    commands.extend(more.iter().map(|&command| command.to_owned()));
    // A finding about health ends by itself and cannot be acknowledged.
    if finding.verdict.class() == Class::Security {
        commands.push(ack);
    }
    commands
}

/// What it means and what to do.
pub fn of(finding: &Finding) -> Advice {
    if finding.state == State::Disputed {
        return Advice {
            meaning: "The log served this entry, but what it served does not hash to the \
                      checkpoint that it signed. Either the entry is not in the log, or the log \
                      shows different people different things. The log's own finding has the \
                      evidence.",
            action: "Treat the signing as real until it is explained. Keep the database: it holds \
                     the log's signed contradiction. Tell the operator of the log.",
        };
    }
    match finding.verdict {
        Verdict::LogFault => fault(finding.fault.as_deref()),
        Verdict::Expected
        | Verdict::ModelUnexpected
        | Verdict::IdentityUnexpected
        | Verdict::OtherPredicate
        | Verdict::UntrustedChain
        | Verdict::Missing
        | Verdict::Unreadable => signing(finding.verdict),
        _ => health::of(finding.verdict),
    }
}

fn signing(verdict: Verdict) -> Advice {
    const IF_NOT_YOURS: &str = "If it is yours, register its bundle: the finding closes itself. If \
        you cannot say whose it is, treat the identity as stolen: stop the workflow or suspend the \
        account, find what was signed by its digest, keep it from being used, and see what else \
        this identity signed. Acknowledge it once you know.";
    match verdict {
        Verdict::ModelUnexpected => Advice {
            meaning: "Somebody who can sign under a watched identity signed a model, and no bundle \
                      that was registered is of this signing. The payload was seen: it carries the \
                      predicate of a model signing.",
            action: IF_NOT_YOURS,
        },
        Verdict::OtherPredicate => Advice {
            meaning: "Somebody who can sign under a watched identity signed something that is not a \
                      model, and no bundle that was registered is of this signing. A thief chooses \
                      what to sign: this is no less an alarm.",
            action: IF_NOT_YOURS,
        },
        Verdict::UntrustedChain => Advice {
            meaning: "The certificate holds a watched name, but no CA of the trusted root issued \
                      it; or an OpenPGP or SSH key calls itself so. Anyone can make either with any \
                      name and put it into a log. No verifier that uses the same trusted root \
                      accepts such a certificate; who accepts such a key must know its fingerprint.",
            action: "Usually nothing. If you expected this CA, update the trusted root: these \
                     findings are then judged again. If it is your key, watch it by key_sha256.",
        },
        Verdict::Missing => Advice {
            meaning: "A signing was registered as yours, but the log does not hold it.",
            action: "Check that the bundle is the right one. If it is, the log lost or never \
                     accepted it: verifiers will refuse it. Tell the operator of the log.",
        },
        Verdict::Unreadable => Advice {
            meaning: "An entry, or a signing in it, could not be understood: whether it concerns a \
                      watched identity is not known for certain. An entry that hides from readers \
                      is what a thief would like to have.",
            action: "Look at the raw entry. If it is of a new kind, upgrade this program and \
                     rescan; then acknowledge it.",
        },
        // Told only as part of a resolution.
        Verdict::Expected => Advice {
            meaning: "The signing was registered as the owner's own.",
            action: "Nothing.",
        },
        _ => Advice {
            meaning: "A watched identity signed something, and no bundle that was registered is of \
                      this signing. What was signed the log does not say: only its digest.",
            action: IF_NOT_YOURS,
        },
    }
}

fn fault(fault: Option<&str>) -> Advice {
    let meaning = match fault {
        Some("fork") => {
            "The log signed two checkpoints that contradict each other: it shows different \
             histories to different people, or rewrote its own. Both signed notes are kept."
        }
        Some("rollback") => {
            "The log keeps showing a validly signed checkpoint that is smaller than one it signed \
             before: entries that it had accepted are gone from it."
        }
        Some("grew-after-freeze") => {
            "The log declared that it had ended, and then grew. Its new entries are read and \
             matched as usual."
        }
        _ => {
            "The entries that the log served do not hash to the root that it signed: what we were \
             shown is not what the log committed to. Findings of that range are disputed."
        }
    };
    Advice {
        meaning,
        action: "An attack on the log, or a grave failure of it: do not trust new inclusion proofs \
                 of it for now. Keep the database, it holds the signed evidence; ask others who \
                 monitor the log what they were shown; tell its operator.",
    }
}
