//! Single values that modules keep between processes.

use async_trait::async_trait;

use super::StoreError;

/// Values by key, such as when the last heartbeat was sent. Each key has one owner, which decides what its value means.
///
/// Laws:
/// 1. The last value that was written is the one that is read.
#[async_trait]
pub trait Values: Send + Sync {
    /// A remembered value, such as when the last heartbeat was sent.
    async fn get_value(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Remembers a value.
    async fn put_value(&self, key: &str, value: &str) -> Result<(), StoreError>;
}
