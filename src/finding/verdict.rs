//! The words of the contract: verdicts, states, and how each is told.

use serde::{Deserialize, Serialize};

/// What a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Exactly a signing that the owner registered.
    Expected,
    /// A model signing that nobody registered: its payload is known and has the predicate.
    ModelUnexpected,
    /// A watched identity signed something that nobody registered; what, the log does not say.
    IdentityUnexpected,
    /// As `IdentityUnexpected`, and the payload is known to be something else than a model signing.
    OtherPredicate,
    /// The watched name in a certificate that leads to no CA of the trusted root, or in a key that calls itself so.
    UntrustedChain,
    /// Registered, but the log does not hold it.
    Missing,
    /// The log broke a promise.
    LogFault,
    /// A leaf, or a signing in it, that cannot be understood.
    Unreadable,
    /// The newest checkpoint cannot be verified.
    UnverifiableCheckpoint,
    /// The log cannot be read.
    Unavailable,
    /// The log has not moved for too long.
    Silence,
    /// Reading does not keep up with the log.
    Backlog,
    /// The stored position is unusable.
    PositionLost,
    /// A part of a log was not matched against a watch.
    CoverageGap,
    /// The trusted root may be out of date.
    TrustRootStale,
    /// A watch that cannot select anything, or nothing in the way a log is followed.
    WatchIneffective,
    /// A log of the trusted root that nobody reads.
    LogUnfollowed,
    /// A log ended, and no log that goes on is followed.
    LogEnded,
    /// The log leaves entries out of its replies.
    EntriesMissing,
    /// The log signs its checkpoints in a way that cannot be checked.
    UnknownSignature,
    /// A witness has signed something else than the log showed.
    WitnessContradiction,
    /// The search index does not know of entries that must exist.
    IndexSilent,
    /// The log grants fewer requests than following it takes.
    RateLimited,
    /// An identity that signs regularly was not seen.
    CanaryMissing,
    /// The clock of this machine differs from what servers and certificates say.
    ClockSkew,
    /// A newer trusted root was offered that cannot be believed.
    TrustRootRefused,
    /// The database could not be written.
    StoreFailing,
    /// A channel does not deliver.
    NotifierFailing,
}

/// Which exit code an open finding makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Somebody signed, or a log lied: exit 1 from `fail_on` on; closed by people.
    Security,
    /// The watch may be blind: exit 3; resolves itself, cannot be acknowledged.
    Health,
}

/// How a finding is told on channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertPolicy {
    /// Not at all.
    Never,
    /// As soon as it is known.
    AtOnce,
    /// In one alert per watch, log and day: the first as soon as it is known, what follows within a day of that together
    /// at its end.
    OncePerWatch,
    /// In one digest per log and day.
    Daily,
}

impl Verdict {
    /// All of them, in the contract's order.
    pub const ALL: [Self; 28] = [
        Self::Expected,
        Self::ModelUnexpected,
        Self::IdentityUnexpected,
        Self::OtherPredicate,
        Self::UntrustedChain,
        Self::Missing,
        Self::LogFault,
        Self::Unreadable,
        Self::UnverifiableCheckpoint,
        Self::Unavailable,
        Self::Silence,
        Self::Backlog,
        Self::PositionLost,
        Self::CoverageGap,
        Self::TrustRootStale,
        Self::WatchIneffective,
        Self::LogUnfollowed,
        Self::LogEnded,
        Self::EntriesMissing,
        Self::UnknownSignature,
        Self::WitnessContradiction,
        Self::IndexSilent,
        Self::RateLimited,
        Self::CanaryMissing,
        Self::ClockSkew,
        Self::TrustRootRefused,
        Self::StoreFailing,
        Self::NotifierFailing,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::ModelUnexpected => "model-unexpected",
            Self::IdentityUnexpected => "identity-unexpected",
            Self::OtherPredicate => "other-predicate",
            Self::UntrustedChain => "untrusted-chain",
            Self::Missing => "missing",
            Self::LogFault => "log-fault",
            Self::Unreadable => "unreadable",
            Self::UnverifiableCheckpoint => "unverifiable-checkpoint",
            Self::Unavailable => "unavailable",
            Self::Silence => "silence",
            Self::Backlog => "backlog",
            Self::PositionLost => "position-lost",
            Self::CoverageGap => "coverage-gap",
            Self::TrustRootStale => "trust-root-stale",
            Self::WatchIneffective => "watch-ineffective",
            Self::LogUnfollowed => "log-unfollowed",
            Self::LogEnded => "log-ended",
            Self::EntriesMissing => "entries-missing",
            Self::UnknownSignature => "unknown-signature",
            Self::WitnessContradiction => "witness-contradiction",
            Self::IndexSilent => "index-silent",
            Self::RateLimited => "rate-limited",
            Self::CanaryMissing => "canary-missing",
            Self::ClockSkew => "clock-skew",
            Self::TrustRootRefused => "trust-root-refused",
            Self::StoreFailing => "store-failing",
            Self::NotifierFailing => "notifier-failing",
        }
    }

    /// From the contract's word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == word)
    }

    /// Which exit code it makes while it is open.
    pub const fn class(self) -> Class {
        match self {
            Self::Expected
            | Self::ModelUnexpected
            | Self::IdentityUnexpected
            | Self::OtherPredicate
            | Self::UntrustedChain
            | Self::Missing
            | Self::LogFault
            | Self::Unreadable => Class::Security,
            Self::UnverifiableCheckpoint
            | Self::Unavailable
            | Self::Silence
            | Self::Backlog
            | Self::PositionLost
            | Self::CoverageGap
            | Self::TrustRootStale
            | Self::WatchIneffective
            | Self::LogUnfollowed
            | Self::LogEnded
            | Self::EntriesMissing
            | Self::UnknownSignature
            | Self::WitnessContradiction
            | Self::IndexSilent
            | Self::RateLimited
            | Self::CanaryMissing
            | Self::ClockSkew
            | Self::TrustRootRefused
            | Self::StoreFailing
            | Self::NotifierFailing => Class::Health,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Somebody should look.
    Open,
    /// In shape, waiting unalerted for its bundle to be registered.
    Held,
    /// A person has accepted it.
    Acked,
    /// Its batch turned out false: kept as evidence; counts as open.
    Disputed,
    /// Registered, or over by itself.
    Resolved,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Held,
        Self::Acked,
        Self::Disputed,
        Self::Resolved,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Held => "held",
            Self::Acked => "acked",
            Self::Disputed => "disputed",
            Self::Resolved => "resolved",
        }
    }

    /// From the contract's word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// Whether it makes the exit code something else than 0.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Disputed)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
