//! What a finding means, and what to do about it.
//!
//! Never more than is known: an entry of a log does not say what was signed, so nothing here calls
//! a signing that of a model unless its payload was seen.

use crate::finding::{Class, Finding, State, Verdict};

/// Two paragraphs for a person who was just woken.
pub(super) struct Advice {
    pub(super) meaning: &'static str,
    pub(super) action: &'static str,
}

/// A heading over the facts of a finding.
pub(super) fn heading(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::Expected => "A registered signing",
        Verdict::ModelUnexpected => "A model signing that nobody registered",
        Verdict::IdentityUnexpected => "A signing under a watched identity",
        Verdict::OtherPredicate => "A signing under a watched identity, not of a model",
        Verdict::UntrustedChain => "A watched name in an untrusted certificate",
        Verdict::Missing => "A registered signing that the log does not hold",
        Verdict::LogFault => "A log broke its promise",
        Verdict::Unreadable => "An entry that cannot be read",
        Verdict::UnverifiableCheckpoint => "A checkpoint that cannot be verified",
        Verdict::Unavailable => "A log that cannot be read",
        Verdict::Silence => "A log that does not move",
        Verdict::Backlog => "A log that is read too slowly",
        Verdict::PositionLost => "A lost position",
        Verdict::CoverageGap => "A part of a log that was not searched",
        Verdict::TrustRootStale => "A trusted root that may be out of date",
        Verdict::WatchIneffective => "A watch that selects nothing",
        Verdict::LogUnfollowed => "A log that nobody reads",
        Verdict::LogEnded => "A log that has ended",
        Verdict::EntriesMissing => "Entries that the log leaves out",
        Verdict::UnknownSignature => "A signature that cannot be checked",
        Verdict::WitnessContradiction => "A witness that contradicts the log",
        Verdict::IndexSilent => "A search index that does not answer",
        Verdict::RateLimited => "A log that grants too few requests",
        Verdict::CanaryMissing => "A canary that was not seen",
        Verdict::ClockSkew => "A clock that is off",
        Verdict::TrustRootRefused => "A trusted root that was refused",
        Verdict::StoreFailing => "A database that cannot be written",
        Verdict::NotifierFailing => "A channel that does not deliver",
    }
}

/// Commands to copy. Ids are hexadecimal, all else are our words: nothing of a log gets into a shell.
pub(super) fn commands(finding: &Finding) -> Vec<String> {
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
        | Verdict::WatchIneffective
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
        Verdict::TrustRootStale => &["modelwatch check"],
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
pub(super) fn of(finding: &Finding) -> Advice {
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
        _ => health(finding.verdict),
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
                      it. Anyone can make such a certificate and put it into a log; no verifier \
                      that uses the same trusted root accepts it.",
            action: "Usually nothing. If you expected this CA, update the trusted root: these \
                     findings are then judged again.",
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

fn health(verdict: Verdict) -> Advice {
    let (meaning, action) = match verdict {
        Verdict::UnverifiableCheckpoint => (
            "The newest checkpoint of the log cannot be verified: nothing new of it is believed.",
            "Check the key and the origin in the configuration. If they are right, somebody else \
             answers in the log's place, or the log changed its key.",
        ),
        Verdict::Unavailable => (
            "The log cannot be read. Signings in it go unseen meanwhile.",
            "Check the network and the log's status page. Reading goes on by itself where it \
             stopped: nothing is lost if the log comes back.",
        ),
        Verdict::Silence => (
            "The log has not grown for longer than it should. Somebody may be showing us an old \
             checkpoint again and again, while the log goes on elsewhere.",
            "Compare the size of the log as seen from another network.",
        ),
        Verdict::Backlog => (
            "The log grows faster than it is read: findings come late.",
            "See whether the machine or the network is slow.",
        ),
        Verdict::PositionLost => (
            "The position up to which the log was read cannot be used: what came since may go \
             unseen.",
            "Restore the database from a backup, or begin again and rescan.",
        ),
        Verdict::CoverageGap => (
            "A watch was added or changed, and a part of the log was read before that: signings in \
             it were not compared with the watch.",
            "Rescan: the part is read again and compared.",
        ),
        Verdict::TrustRootStale => (
            "The trusted root may be out of date: it was not renewed for long, or many certificates \
             come from an authority that it does not know. Signings under a new CA of Sigstore \
             would be taken for forgeries, and a new log would not be read.",
            "Renew the trusted root; `modelwatch check` asks for it and says what is wrong.",
        ),
        Verdict::WatchIneffective => (
            "A watch cannot select anything, or not in the way that a log is followed: what it was written for goes unseen.",
            "Change its conditions; `modelwatch watch explain` says what they select.",
        ),
        Verdict::LogUnfollowed => (
            "The trusted root names a log that is not followed: signatures that verifiers accept may be in it, unseen.",
            "Add the log to the configuration, or let it be found by itself (`tuf` in `[trust]`).",
        ),
        Verdict::LogEnded => (
            "The log has ended, and no log that goes on in its place is followed: new signings go somewhere else, unseen.",
            "Follow the log that came after it.",
        ),
        Verdict::EntriesMissing => (
            "The log answers, but leaves entries out of its replies, again and again: they cannot be compared with the watches.",
            "See whether others can read these entries; tell the operator of the log.",
        ),
        Verdict::UnknownSignature => (
            "The log signs its checkpoints also, or only, in a way that this version or the trusted root does not know.",
            "Renew the trusted root, or upgrade this program: the log may be about to change its key.",
        ),
        Verdict::WitnessContradiction => (
            "A witness, or a bundle that was registered, carries a checkpoint of the log that does not fit what the log shows here.",
            "Keep both notes. Compare with others who monitor the log, and tell the witness.",
        ),
        Verdict::IndexSilent => (
            "Certificates were issued to watched identities, but the search index of the log answers nothing for any of them.",
            "Look the certificates up by hand; follow the log in full where that is possible.",
        ),
        Verdict::RateLimited => (
            "The log refuses requests because there are too many, for longer than the watch can afford to lag.",
            "Ask less often (`requests_per_minute`), see who else asks from this address, or follow a mirror.",
        ),
        Verdict::CanaryMissing => (
            "An identity that is known to sign regularly was not seen in time: either it stopped signing, or its signings do not reach us.",
            "See whether the canary still signs. If it does, the watch is blind: check the logs.",
        ),
        Verdict::ClockSkew => (
            "The clock of this machine differs from what the logs say: times in findings, holds and limits are wrong.",
            "Set the clock (NTP).",
        ),
        Verdict::TrustRootRefused => (
            "A newer trusted root was offered, and it is expired, not signed as it must be, or older than the one that is known. The last good one goes on serving.",
            "See whether the repository can be reached without a proxy, and what its maintainers say.",
        ),
        Verdict::StoreFailing => (
            "The database could not be written: nothing that was seen since could be recorded.",
            "Free space on the disk, and look at the permissions.",
        ),
        // The last of the health findings; security findings have their own advice.
        _ => (
            "Alerts for this channel are kept and tried again for three days at least, but nobody \
             there has read them yet.",
            "Repair the channel, then try it.",
        ),
    };
    Advice { meaning, action }
}
