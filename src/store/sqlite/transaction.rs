//! The two ways in which a method of the store uses the database: one query, or one transaction.

/// `reading!(self, "action", |db| query)`: one reading query. An error gets the name of the action.
macro_rules! reading {
    ($store:expr, $action:literal, |$db:ident| $query:expr) => {{
        let answer = async {
            let mut connection = $store.read().await?;
            let $db = &mut *connection;
            $query.await
        };
        answer
            .await
            .map_err(|fail: Fail| fail.during($action, &$store.path))
    }};
}

/// `writing!(self, "action", |db| change)`: one transaction. If the change fails, or this future is dropped, the
/// transaction is rolled back.
macro_rules! writing {
    ($store:expr, $action:literal, |$db:ident| $change:expr) => {{
        let answer = async {
            let mut connection = $store.writer().await?;
            let answer = async {
                let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
                let $db = &mut *transaction;
                let answer = $change.await?;
                transaction.commit().await?;
                Ok::<_, Fail>(answer)
            }
            .await;
            if let Err(Fail::Sql(_)) = &answer {
                // On a full disk SQLite rolls back itself. sqlx then cannot, still counts a transaction, and refuses
                // every later one on this connection.
                let _closing = $store.place.as_ref().map(Place::closing);
                connection.close().await.ok();
            }
            answer
        };
        answer
            .await
            .map_err(|fail: Fail| fail.during($action, &$store.path))
    }};
}
