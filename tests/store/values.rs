//! The laws of `Values`.

use crate::scratch::ScratchStore;

#[tokio::test]
async fn the_last_value_that_was_written_is_read() {
    let scratch = ScratchStore::open().await;
    assert_eq!(scratch.store.get_value("heartbeat").await.unwrap(), None);
    scratch.store.put_value("heartbeat", "1").await.unwrap();
    scratch.store.put_value("heartbeat", "2").await.unwrap();
    let scratch = scratch.after_a_crash().await;
    assert_eq!(
        scratch
            .store
            .get_value("heartbeat")
            .await
            .unwrap()
            .as_deref(),
        Some("2")
    );
}
