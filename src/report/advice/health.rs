//! The meaning of a health finding, and what to do about it.

use crate::finding::Verdict;

/// The meaning and what to do.
pub(super) fn of(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::UnverifiableCheckpoint
        | Verdict::Unavailable
        | Verdict::Silence
        | Verdict::Backlog
        | Verdict::LogEnded
        | Verdict::EntriesMissing
        | Verdict::UnknownSignature
        | Verdict::WitnessContradiction
        | Verdict::IndexSilent
        | Verdict::RateLimited => log(verdict),
        _ => ourselves(verdict),
    }
}

/// A log, or the connection to it.
fn log(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::UnverifiableCheckpoint => (
            "The newest checkpoint of the log cannot be verified, so new entries are not read.",
            "Check the key and the origin in the configuration. If they are right, another server \
             answers in the log's place, or the log changed its key.",
        ),
        Verdict::Unavailable => (
            "The log cannot be read. New signings in it are not detected.",
            "Check the network and the log's status page. Reading continues where it stopped: \
             nothing is lost if the log comes back.",
        ),
        Verdict::Silence => (
            "The log has not grown for too long. An attacker may serve an old checkpoint here again and again, while the log grows elsewhere.",
            "Compare the size of the log from another network.",
        ),
        Verdict::Backlog => (
            "The log grows faster than it is read: findings are late, with growing delay.",
            "Check whether the machine, its disk or the network is slow, and whether the log has a \
             rate limit.",
        ),
        Verdict::LogEnded => (
            "The log has ended, and no log that replaces it is followed: new signings are not \
             detected.",
            "Follow the log that replaces it.",
        ),
        Verdict::EntriesMissing => (
            "The log answers, but leaves entries out of its replies, also when they are requested again: they \
             cannot be compared with the watches.",
            "Check whether others can read these entries; inform the operator of the log.",
        ),
        Verdict::UnknownSignature => (
            "The checkpoint of the log verifies, but it also has a signature of the log with a key \
             that this version does not support or the trusted root does not contain. Everything \
             is still read; this would end if the log signed with that key alone.",
            "Renew the trusted root, or upgrade modelwatch: the log may be about to change its \
             key.",
        ),
        Verdict::WitnessContradiction => (
            "A trusted witness has cosigned another checkpoint than the one that the log serves \
             here, or none: the log may show another history to others.",
            "Keep the database. Compare the checkpoint with others who monitor the log and with \
             the witness; read the log once from another network.",
        ),
        Verdict::IndexSilent => (
            "Certificates were issued to watched identities, but the search index of the log \
             returns nothing for any of them.",
            "Look up the certificates by hand; follow the log in full if possible.",
        ),
        // The last of those about logs.
        _ => (
            "The log has refused requests because of its rate limit for too long.",
            "Use a schedule with fewer passes, check which other programs use this address, or \
             follow a mirror.",
        ),
    }
}

/// This program, its machine, or its configuration.
fn ourselves(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::PositionLost => (
            "The stored position of the log is missing, cannot be used, or belongs to another log: \
             later entries may not be read.",
            "Find out what happened to the database, and restore it from a backup. Later entries \
             are read again.",
        ),
        Verdict::CoverageGap => (
            "A watch was added or changed, and a part of the log was read before: its signings \
             were not compared with the watch.",
            "Run a rescan: it reads this part again and compares it.",
        ),
        Verdict::TrustRootStale => (
            "The trusted root may be out of date: it was not updated for a long time, or many \
             certificates come from an authority that it does not contain. Signings under a new CA of Sigstore would be reported as forgeries, and a new log would not be read.",
            "Renew the trusted root; `modelwatch check` updates it and shows errors.",
        ),
        Verdict::TrustRootRefused => (
            "A trusted root was refused, because it is expired, not correctly signed, or older \
             than the present one. The last valid one stays in use; if there is none yet, nothing \
             is read.",
            "Check the clock of this machine, try to reach the repository without a proxy, and \
             read the announcements of its maintainers.",
        ),
        Verdict::WatchIneffective => (
            "A watch cannot select anything, or not in the way in which a log is followed: the \
             signings for which it was written are not detected.",
            "Change its conditions, and test them with a bundle or a certificate of the signer: \
             `modelwatch check watch NAME --against FILE`.",
        ),
        Verdict::LogUnfollowed => (
            "The trusted root contains a log that is not followed: verifiers accept signatures in \
             it, and modelwatch does not read them.",
            "Add a [[log]] for it: the summary names the log. The public Rekor v1 log needs mode = \
             \"guided\"; `modelwatch init` writes it. If none of your signers can sign into it, \
             list it under `ignore` in [trust].",
        ),
        Verdict::CanaryMissing => (
            "An identity that signs regularly was not seen in time: either it stopped signing, or \
             its signings are not detected.",
            "Check whether the canary still signs. If it does, the monitoring does not work: look \
             up its entry in the log, and compare its index with the position.",
        ),
        Verdict::ClockSkew => (
            "Several servers and certificates agree that the clock of this machine is wrong: \
             holds, silence and expiry depend on it.",
            "Set the clock (NTP), and find out why it was wrong.",
        ),
        Verdict::StoreFailing => (
            "The database could not be used for a while: nothing could be recorded or alerted. The \
             entries of that time are read again.",
            "Free space on the disk, and check the permissions and which other programs use the \
             file.",
        ),
        Verdict::RegistrationsRewritten => (
            "The history of a branch was rewritten: it no longer contains the commit that was read \
             last. Whoever rewrote it may have removed or added registrations. Nothing is taken from \
             it.",
            "Compare both commits. If the owners of the repository rewrote the branch, confirm it \
             with the name of the source. If not, somebody can push past the branch protection: treat \
             the repository as compromised.",
        ),
        Verdict::RegistrationsUnread => (
            "Registrations cannot be read, or some of their files do not count: what was read before \
             still counts, but signings that were registered since stay unexpected.",
            "The summary names the source and the reason. Repair it, or remove the file, then read \
             the source again.",
        ),
        // The last of the health findings; security findings have other texts.
        _ => (
            "Alerts for this channel are kept and tried again for three days at least, but have \
             not been delivered yet.",
            "Repair the channel, then test it.",
        ),
    }
}
