//! Verdicts and states, with their names in JSON, and how each is alerted.

use serde::{Deserialize, Serialize};

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// Exactly a signing that the owner registered.
    Expected,
    /// Only the signer registered it, which a thief of the signing identity can do as well.
    SelfRegistered,
    /// A model signing that is not registered: its payload is known and has the predicate.
    ModelUnexpected,
    /// A watched identity signed something that is not registered; the log does not contain what.
    IdentityUnexpected,
    /// Like `IdentityUnexpected`, and the payload is known to be something other than a model signing.
    OtherPredicate,
    /// The watched name in a certificate without a path to a CA of the trusted root, or in a key that claims the name.
    UntrustedChain,
    /// Registered, but the log does not contain it.
    Missing,
    /// The log contradicted what it signed.
    LogFault,
    /// A leaf, or a signing in it, that cannot be understood.
    Unreadable,
    /// The newest checkpoint cannot be verified.
    UnverifiableCheckpoint,
    /// The log cannot be read.
    Unavailable,
    /// The log has not moved for too long.
    Silence,
    /// The log grows faster than it is read.
    Backlog,
    /// The stored position is unusable.
    PositionLost,
    /// A part of a log was not matched against a watch.
    CoverageGap,
    /// The trusted root may be out of date.
    TrustRootStale,
    /// A watch that can select nothing, or nothing in the way in which a log is followed.
    WatchIneffective,
    /// A log of the trusted root that is not followed.
    LogUnfollowed,
    /// A log ended, and every other followed log ended too.
    LogEnded,
    /// The log leaves entries out of its replies.
    EntriesMissing,
    /// The log signs its checkpoints in a way that cannot be checked.
    UnknownSignature,
    /// A witness has signed something else than the log showed.
    WitnessContradiction,
    /// The search index does not return entries that must exist.
    IndexSilent,
    /// The log allows fewer requests than are needed to follow it.
    RateLimited,
    /// An identity that signs regularly was not seen.
    CanaryMissing,
    /// The clock of this machine differs from the times of servers and certificates.
    ClockSkew,
    /// A newer trusted root was served that must not be trusted.
    TrustRootRefused,
    /// The database could not be written.
    StoreFailing,
    /// A channel does not deliver.
    NotifierFailing,
    /// A branch with registrations no longer contains the commit that was read last.
    RegistrationsRewritten,
    /// A source of registrations, or a file in it, cannot be read.
    RegistrationsUnread,
}

/// The exit code that an open finding causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// An identity signed, or a log contradicted itself: exit 1 from `fail_on` on; people close it.
    Security,
    /// The monitoring may not work: exit 3; resolves when its cause is gone, cannot be acknowledged.
    Health,
}

/// When a finding is alerted on channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertPolicy {
    /// Never.
    Never,
    /// Immediately.
    AtOnce,
    /// In one alert for each watch, log and day: the first at once, those of the following 24 hours together
    /// afterwards.
    OncePerWatch,
    /// In one digest per log and day.
    Daily,
}

impl Verdict {
    /// All of them, in the contract's order.
    pub const ALL: [Self; 31] = [
        Self::Expected,
        Self::SelfRegistered,
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
        Self::RegistrationsRewritten,
        Self::RegistrationsUnread,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::SelfRegistered => "self-registered",
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
            Self::RegistrationsRewritten => "registrations-rewritten",
            Self::RegistrationsUnread => "registrations-unread",
        }
    }

    /// From the contract's word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == word)
    }

    /// The exit code that it causes while it is open.
    pub const fn class(self) -> Class {
        match self {
            Self::Expected
            | Self::SelfRegistered
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
            | Self::NotifierFailing
            | Self::RegistrationsRewritten
            | Self::RegistrationsUnread => Class::Health,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The state of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "web", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "web", schema(as = FindingState))]
pub enum State {
    /// A person should examine it.
    Open,
    /// In shape, waiting unalerted for its bundle to be registered.
    Held,
    /// A person has accepted it.
    Acked,
    /// The leaves of its batch were false: kept as evidence; counts as open.
    Disputed,
    /// Registered, or its cause is gone.
    Resolved,
}

impl State {
    /// All states.
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

    /// Whether it causes an exit code other than 0.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Disputed)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
