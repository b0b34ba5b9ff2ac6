//! The migrations, built into the program.

use std::borrow::Cow;
use std::sync::LazyLock;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

// `FILES`: number, name and SQL of each file in migrations/sqlite, in the order of the numbers. `sqlx::migrate!` would do
// the same, but its crate compiles SQLite a second time, for the compiler.
include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Every schema that this version knows.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |&(number, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(
            number,
            Cow::Borrowed(name),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(FILES.iter().map(migration).collect())
});

/// The newest schema that this version knows.
pub(super) fn newest() -> i64 {
    FILES.last().map_or(0, |&(number, _, _)| number)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// sqlx reads the directory itself: what is built in has the same numbers and checksums, by which databases are
    /// compared.
    #[tokio::test]
    async fn the_migrations_are_those_of_the_directory() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let of_directory = Migrator::new(directory).await.expect("the directory");
        let compared = |migrator: &Migrator| -> Vec<_> {
            migrator
                .iter()
                .map(|one| {
                    (
                        one.version,
                        one.description.clone(),
                        one.checksum.clone(),
                        one.no_tx,
                    )
                })
                .collect()
        };
        assert_eq!(compared(&MIGRATIONS), compared(&of_directory));
        assert_eq!(
            of_directory.iter().map(|one| one.version).max(),
            Some(newest())
        );
    }
}
