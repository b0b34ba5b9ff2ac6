//! The meaning of a finding, and what to do about it.
//!
//! The texts contain only what is certain. An entry of a log does not contain what was signed, so no text calls a
//! signing that of a model unless its payload was read.

mod health;

use crate::finding::{Class, FaultKind, Finding, State, Verdict};

/// Two paragraphs for the person who gets an alert.
pub struct Advice {
    /// What the finding means.
    pub meaning: &'static str,
    /// What to do now.
    pub action: &'static str,
}

/// Commands to copy. They contain fixed text and hexadecimal ids: no text of a log reaches a shell.
pub fn commands(finding: &Finding) -> Vec<String> {
    let id = finding.id;
    let show = format!("modelwatch findings show {id}");
    let ack = format!("modelwatch findings ack {id} --reason \"…\"");
    let more: &[&str] = match finding.verdict {
        Verdict::ModelUnexpected | Verdict::IdentityUnexpected | Verdict::OtherPredicate => {
            return vec![show, "modelwatch expect add BUNDLE".to_owned(), ack];
        }
        Verdict::SelfRegistered => {
            let list = "modelwatch expect list".to_owned();
            return vec![
                show,
                list,
                "modelwatch expect confirm NUMBER".to_owned(),
                ack,
            ];
        }
        Verdict::RegistrationsRewritten => &["modelwatch expect confirm NAME"],
        Verdict::RegistrationsUnread => &["modelwatch expect sync"],
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
    // A finding about health resolves when its cause is gone, and cannot be acknowledged.
    if finding.verdict.class() == Class::Security {
        commands.push(ack);
    }
    commands
}

/// The meaning and what to do.
pub fn of(finding: &Finding) -> Advice {
    if finding.state == State::Disputed {
        return Advice {
            meaning: "The log served this entry, but the entries that it served do not hash to the \
                      root that it signed. Either the entry is not in the log, or the log shows \
                      different histories to different readers. The finding about the log has the \
                      evidence.",
            action: "Treat the signing as real until it is explained. Keep the database: it \
                     contains the signed evidence. Inform the operator of the log.",
        };
    }
    match finding.verdict {
        Verdict::LogFault => fault(finding.fault),
        Verdict::Expected
        | Verdict::SelfRegistered
        | Verdict::ModelUnexpected
        | Verdict::IdentityUnexpected
        | Verdict::OtherPredicate
        | Verdict::UntrustedChain
        | Verdict::Missing
        | Verdict::Unreadable => signing(finding.verdict),
        _ => {
            let (meaning, action) = health::of(finding.verdict);
            Advice { meaning, action }
        }
    }
}

/// The same about a way of going blind.
#[cfg(feature = "web")]
pub fn of_health(verdict: Verdict) -> Advice {
    let (meaning, action) = health::of(verdict);
    Advice { meaning, action }
}

fn signing(verdict: Verdict) -> Advice {
    const IF_NOT_YOURS: &str = "If it is yours, register its bundle: this closes the finding. If \
        you do not know who made it, treat the identity as stolen: stop the workflow or suspend \
        the account, find the signed file by its digest, prevent its use, and check what else this \
        identity signed. Acknowledge the finding afterwards.";
    match verdict {
        Verdict::ModelUnexpected => Advice {
            meaning: "A watched identity signed a model, and no registered bundle belongs to this \
                      signing. The payload is known: it has the predicate of a model signing.",
            action: IF_NOT_YOURS,
        },
        Verdict::SelfRegistered => Advice {
            meaning: "A watched identity signed this, and its bundle was registered in a place that the \
                      signing workflow can write to. A thief of the workflow can do the same, so this \
                      confirms nothing.",
            action: "If you made this release, confirm its registration: this closes the finding. If \
                     not, treat the identity as stolen: stop the workflow or suspend the account, \
                     prevent the use of the signed file, and check what else this identity signed.",
        },
        Verdict::OtherPredicate => Advice {
            meaning: "A watched identity signed something that is not a model, and no registered \
                      bundle belongs to this signing. An attacker chooses what to sign, so this is \
                      just as serious.",
            action: IF_NOT_YOURS,
        },
        Verdict::UntrustedChain => Advice {
            meaning: "The certificate contains a watched name, but no CA of the trusted root \
                      issued it; or the name is in an OpenPGP or SSH key. Anyone can make either \
                      with any name and log it. Verifiers with the same trusted root refuse such a \
                      certificate; a key must be accepted only by its fingerprint.",
            action: "Usually nothing. If you know this CA, update the trusted root: these findings \
                     are then checked again. If it is your key, watch it by key_sha256.",
        },
        Verdict::Missing => Advice {
            meaning: "A signing was registered as yours, but the log does not contain it.",
            action: "Check that the bundle is the right one. If it is, the log lost or never \
                     accepted its entry, and verifiers will refuse it. Inform the operator of the \
                     log.",
        },
        Verdict::Unreadable => Advice {
            meaning: "An entry, or a signing in it, could not be parsed: it is uncertain whether \
                      it concerns a watched identity. An attacker may have made the entry \
                      unreadable on purpose.",
            action: "Examine the raw entry. If it is of a new kind, upgrade modelwatch and rescan; \
                     then acknowledge the finding.",
        },
        // Sent only as part of a resolution.
        Verdict::Expected => Advice {
            meaning: "The signing was registered as the owner's.",
            action: "Nothing.",
        },
        _ => Advice {
            meaning: "A watched identity signed something, and no registered bundle belongs to \
                      this signing. The log does not contain what was signed, only its digest.",
            action: IF_NOT_YOURS,
        },
    }
}

fn fault(fault: Option<FaultKind>) -> Advice {
    let meaning = match fault {
        Some(FaultKind::Fork) => {
            "The log signed two checkpoints that contradict each other: it shows different \
             histories to different readers, or changed its history. Both signed notes are kept."
        }
        Some(FaultKind::Rollback) => {
            "The log still serves a validly signed checkpoint that is smaller than an earlier one: \
             entries that it had accepted are missing."
        }
        Some(FaultKind::GrewAfterFreeze) => {
            "The log declared that it had ended, and then grew. Its new entries are read and \
             matched as usual."
        }
        Some(FaultKind::RootMismatch) | None => {
            "The entries that the log served do not hash to the root that it signed. The findings \
             of that range are disputed."
        }
    };
    Advice {
        meaning,
        action: "This is an attack on the log or a serious failure of it: do not trust its new \
                 inclusion proofs for now. Keep the database, which contains the signed evidence; \
                 compare with others who monitor the log; inform its operator.",
    }
}
