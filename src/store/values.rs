//! Single values that modules keep between processes.

use async_trait::async_trait;

use super::StoreError;

/// Values by key, such as the time of the last heartbeat. Each key has one owner, which decides what its value means.
///
/// Laws:
/// 1. A read returns the value that was written last.
#[async_trait]
pub trait Values: Send + Sync {
    /// Reads a value, such as the time of the last heartbeat.
    async fn get_value(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Writes a value.
    async fn put_value(&self, key: &str, value: &str) -> Result<(), StoreError>;
}
