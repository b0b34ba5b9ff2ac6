//! What a finding about the health of the watch means, and what to do about it.

use super::Advice;
use crate::finding::Verdict;

/// What it means and what to do.
pub(super) fn of(verdict: Verdict) -> Advice {
    let (meaning, action) = match verdict {
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
    };
    Advice { meaning, action }
}

/// A log, or what stands between it and us.
fn log(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
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
            "The log grows faster than it is read: findings come late, and ever later.",
            "See whether the machine, its disk or the network is slow, and whether the log limits \
             how much may be read.",
        ),
        Verdict::LogEnded => (
            "The log has ended, and no log that goes on in its place is followed: new signings go \
             somewhere else, unseen.",
            "Follow the log that came after it.",
        ),
        Verdict::EntriesMissing => (
            "The log answers, but leaves entries out of its replies, again and again: they cannot \
             be compared with the watches.",
            "See whether others can read these entries; tell the operator of the log.",
        ),
        Verdict::UnknownSignature => (
            "The checkpoint of the log verifies, but the log signs it in a second way as well, \
             with a key that this version or the trusted root does not know. Nothing is unseen \
             yet; it would be if the log went on with that key alone.",
            "Renew the trusted root, or upgrade this program: the log is about to change its key.",
        ),
        Verdict::WitnessContradiction => (
            "A witness that you trust vouches for something else than the checkpoint that the log \
             shows here, or for nothing: others may be shown another history.",
            "Keep the database. Compare the checkpoint with others who monitor the log and with \
             the witness; read the log once from another network.",
        ),
        Verdict::IndexSilent => (
            "Certificates were issued to watched identities, but the search index of the log \
             answers nothing for any of them.",
            "Look the certificates up by hand; follow the log in full where that is possible.",
        ),
        // The last of those about logs.
        _ => (
            "The log refuses requests because there are too many, for longer than the watch can \
             afford to lag.",
            "Ask less often, see who else asks from this address, or follow a mirror.",
        ),
    }
}

/// This program, its machine, or what its operator wrote.
fn ourselves(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::PositionLost => (
            "The position up to which the log was read is gone, cannot be used, or is that of \
             something else: what came since may go unseen.",
            "Find out what became of the database, and restore it from a backup. What was read \
             since then is read again.",
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
        Verdict::TrustRootRefused => (
            "A trusted root was offered, and it is expired, not signed as it must be, or older than \
             the one that is known. The last good one goes on serving; if there is none yet, nothing \
             is read.",
            "See whether the clock of this machine is right, whether the repository can be reached \
             without a proxy, and what its maintainers say.",
        ),
        Verdict::WatchIneffective => (
            "A watch cannot select anything, or not in the way that a log is followed: what it was \
             written for goes unseen.",
            "Change its conditions, and try them on a bundle or a certificate of the signer: \
             `modelwatch check watch NAME --against FILE`.",
        ),
        Verdict::LogUnfollowed => (
            "The trusted root names a log that is not followed: signatures that verifiers accept \
             may be in it, unseen.",
            "Add a [[log]] for it: the summary says which. The public Rekor v1 log takes mode = \
             \"guided\"; `modelwatch init` writes it. If nobody of yours could sign into it, list it \
             under `ignore` in [trust].",
        ),
        Verdict::CanaryMissing => (
            "An identity that is known to sign regularly was not seen in time: either it stopped \
             signing, or its signings do not reach us.",
            "See whether the canary still signs. If it does, the watch is blind: look its entry up \
             in the log, and compare with what was read.",
        ),
        Verdict::ClockSkew => (
            "Several servers and certificates agree that the clock of this machine is off: holds, \
             silence and expiry are judged at the wrong time.",
            "Set the clock (NTP), and see why it drifted.",
        ),
        Verdict::StoreFailing => (
            "The database could not be used for a while: nothing that was seen meanwhile could be \
             recorded or told. It is read again.",
            "Free space on the disk, and look at the permissions and at who else uses the file.",
        ),
        // The last of the health findings; security findings have their own advice.
        _ => (
            "Alerts for this channel are kept and tried again for three days at least, but nobody \
             there has read them yet.",
            "Repair the channel, then try it.",
        ),
    }
}
