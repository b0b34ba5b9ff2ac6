//! How the database answers the traits about registrations.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Connection as _;

use super::fail::Fail;
use super::files::Place;
use super::{SqliteStore, expectations, registered_entries, reminder, sources};
use crate::finding::{FindingId, NewFinding};
use crate::store::{
    Expectations, NewRegistration, ProvenPart, RegisteredEntries, RegisteredEntry, Registration,
    RegistrationSources, SourceChange, SourceContent, SourceFailure, SourceState, StoreError,
};

#[async_trait]
impl Expectations for SqliteStore {
    async fn register_all(
        &self,
        signings: &[NewRegistration],
        now: Timestamp,
    ) -> Result<Vec<(bool, Vec<FindingId>)>, StoreError> {
        let mut registered = Vec::with_capacity(signings.len());
        for group in signings.chunks(expectations::GROUP) {
            registered.extend(writing!(self, "registering signings", |db| {
                expectations::register_all(db, &self.routes, group, now)
            })?);
        }
        Ok(registered)
    }

    async fn registrations(&self) -> Result<Vec<Registration>, StoreError> {
        reading!(self, "reading registrations", |db| {
            expectations::registrations(db, i64::MIN, expectations::ALL)
        })
    }

    async fn registrations_after(
        &self,
        number: i64,
        limit: u32,
    ) -> Result<Vec<Registration>, StoreError> {
        reading!(self, "reading registrations", |db| {
            expectations::registrations(db, number, i64::from(limit))
        })
    }

    async fn confirm(
        &self,
        number: i64,
        author: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Vec<FindingId>>, StoreError> {
        writing!(self, "confirming a registration", |db| {
            expectations::confirm(db, &self.routes, number, author, now)
        })
    }

    async fn unregister(
        &self,
        number: i64,
        now: Timestamp,
    ) -> Result<Option<Vec<FindingId>>, StoreError> {
        writing!(self, "removing a registration", |db| {
            expectations::unregister(db, &self.routes, number, now)
        })
    }

    async fn remind_of_self_registered(&self, now: Timestamp) -> Result<u64, StoreError> {
        let due = reading!(self, "reading self-registered findings", |db| {
            reminder::due(db, now)
        })?;
        if due == reminder::Due::Nothing {
            return Ok(0);
        }
        writing!(self, "queueing a digest", |db| reminder::remind(
            db,
            &self.routes,
            now
        ))
    }
}

#[async_trait]
impl RegistrationSources for SqliteStore {
    async fn sources(&self) -> Result<Vec<SourceState>, StoreError> {
        reading!(self, "reading sources of registrations", |db| {
            sources::sources(db)
        })
    }

    async fn registrations_of(&self, source: &str) -> Result<Vec<Registration>, StoreError> {
        reading!(self, "reading registrations", |db| {
            sources::registrations_of(db, source)
        })
    }

    async fn source_read(&self, content: &SourceContent) -> Result<SourceChange, StoreError> {
        let mut change = SourceChange::default();
        for (new, findings) in self.register_all(&content.new, content.now).await? {
            change.registered += u64::from(new);
            change.findings.extend(findings);
        }
        for group in content.withdrawn.chunks(sources::GROUP) {
            let (withdrawn, findings) = writing!(self, "withdrawing registrations", |db| {
                sources::withdraw(db, &self.routes, group, content.now)
            })?;
            change.withdrawn += withdrawn;
            change.findings.extend(findings);
        }
        writing!(self, "recording a source", |db| sources::read(db, content))?;
        Ok(change)
    }

    async fn source_failed(&self, failure: &SourceFailure) -> Result<(), StoreError> {
        writing!(self, "recording a source", |db| sources::failed(
            db, failure
        ))
    }

    async fn confirm_source(&self, name: &str, commit: &str) -> Result<bool, StoreError> {
        writing!(self, "confirming a source", |db| sources::confirm(
            db, name, commit
        ))
    }

    async fn signed_tags(
        &self,
        watches: Option<&[String]>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        reading!(self, "reading the tags of signings", |db| {
            sources::signed_tags(db, watches, limit)
        })
    }

    async fn forget_sources(
        &self,
        configured: &[String],
        now: Timestamp,
    ) -> Result<Vec<FindingId>, StoreError> {
        let (names, numbers) = reading!(self, "reading sources of registrations", |db| {
            sources::others(db, configured)
        })?;
        let mut findings = Vec::new();
        for group in numbers.chunks(sources::GROUP) {
            let (_, changed) = writing!(self, "withdrawing registrations", |db| {
                sources::withdraw(db, &self.routes, group, now)
            })?;
            findings.extend(changed);
        }
        if !names.is_empty() {
            writing!(self, "forgetting a source", |db| sources::forget(
                db, &names
            ))?;
        }
        Ok(findings)
    }
}

#[async_trait]
impl RegisteredEntries for SqliteStore {
    async fn registered_entries(
        &self,
        part: &ProvenPart,
        limit: u32,
    ) -> Result<Vec<RegisteredEntry>, StoreError> {
        reading!(self, "reading entries of registrations", |db| {
            registered_entries::waiting(db, part, limit)
        })
    }

    async fn entry_there(&self, number: i64) -> Result<(), StoreError> {
        writing!(self, "recording an entry of a registration", |db| {
            registered_entries::there(db, number)
        })
    }

    async fn entry_missed(
        &self,
        entry: &RegisteredEntry,
        finding: &NewFinding,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        writing!(self, "recording a missing entry", |db| {
            registered_entries::missed(db, &self.routes, entry, finding, now)
        })
    }
}
