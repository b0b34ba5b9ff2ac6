//! A method for tests that register one signing. The tests of behaviour use this file too.

use jiff::Timestamp;
use modelwatch::expect::Expectation;
use modelwatch::finding::FindingId;
use modelwatch::store::{Expectations, NewRegistration, StoreError};

/// Registers one signing.
#[async_trait::async_trait]
pub trait RegisterOne: Expectations {
    /// Whether it was new, and the findings that changed.
    async fn register(
        &self,
        expectation: &Expectation,
        file: &str,
        now: Timestamp,
    ) -> Result<(bool, Vec<FindingId>), StoreError> {
        let signing = NewRegistration::by_operator(file.to_owned(), expectation.clone());
        let mut registered = self.register_all(&[signing], now).await?;
        Ok(registered.pop().expect("one answer for one signing"))
    }
}

impl<S: Expectations + ?Sized> RegisterOne for S {}
