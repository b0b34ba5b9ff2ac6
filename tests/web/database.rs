//! Changes of the database of a site that no command makes.

use std::ops::Range;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::site::Site;

fn run<T>(site: &Site, work: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(site.path("modelwatch.db"));
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        let done = work(&mut db).await;
        db.close().await.unwrap();
        done
    })
}

/// Runs a statement with these values.
pub fn execute(site: &Site, sql: &'static str, values: &[&str]) {
    run(site, async |db| {
        let mut query = sqlx::query(sql);
        for value in values {
            query = query.bind((*value).to_owned());
        }
        query.execute(db).await.unwrap();
    });
}

/// The number that a statement answers.
pub fn number(site: &Site, sql: &'static str) -> usize {
    run(site, async |db| {
        let number: i64 = sqlx::query_scalar(sql).fetch_one(db).await.unwrap();
        number.try_into().unwrap()
    })
}

/// Copies the first finding to indexes that follow 1,000,000: one for each number of this range.
pub fn copy_findings(site: &Site, numbers: Range<i64>) {
    run(site, async |db| {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM pragma_table_info('finding') WHERE name NOT IN ('number', 'id', 'entry_index', 'state')",
        )
        .fetch_all(&mut *db)
        .await
        .unwrap();
        let columns = columns.join(", ");
        let sql = format!(
            "WITH RECURSIVE copy(n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM copy WHERE n + 1 < $2)
             INSERT INTO finding (id, entry_index, state, {columns})
             SELECT unhex(printf('%032x', 1000000 + n)), 1000000 + n, 'open', {columns}
             FROM copy, (SELECT * FROM finding ORDER BY number LIMIT 1)"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(numbers.start)
            .bind(numbers.end)
            .execute(db)
            .await
            .unwrap();
    });
}

/// Copies every finding of a watch to another watch, as if both selected the same signings.
pub fn copy_to_watch(site: &Site, name: &str) {
    run(site, async |db| {
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM pragma_table_info('finding') WHERE name NOT IN ('number', 'id', 'watch')",
        )
        .fetch_all(&mut *db)
        .await
        .unwrap();
        let columns = columns.join(", ");
        let sql = format!(
            "INSERT INTO finding (id, watch, {columns})
             SELECT unhex(printf('%032x', 2000000 + number)), $1, {columns} FROM finding WHERE watch IS NOT NULL"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(name.to_owned())
            .execute(db)
            .await
            .unwrap();
    });
}
