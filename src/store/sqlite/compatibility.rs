//! Which versions of the program may open a database.
//!
//! A database records the oldest version that may open it, so that an older one can say which version is needed.

use std::path::Path;
use std::str::FromStr;

use sqlx::sqlite::SqlitePool;

use super::fail::{Fail, opening};
use super::migrations::newest;
use crate::store::StoreError;

/// `PRAGMA application_id` of a modelwatch database: "mwat".
const APPLICATION_ID: i64 = 0x6d77_6174;

/// The key of the record in the table `memory`. Released versions read it there: neither may change.
const KEY: &str = "oldest version";

/// Each released version and its newest migration, oldest first. A release adds its row.
const RELEASED: &[(&str, i64)] = &[];

/// This version.
const THIS: &str = env!("CARGO_PKG_VERSION");

/// The numbers of a version; what follows `-` or `+` is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u32; 3]);

impl FromStr for Version {
    type Err = Fail;

    fn from_str(text: &str) -> Result<Self, Fail> {
        let wrong = || Fail::corrupt(format!("{text:?} where the oldest version was stored"));
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let numbers: Vec<u32> = numbers
            .split('.')
            .map(|number| number.parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()?;
        <[u32; 3]>::try_from(numbers).map(Self).map_err(|_| wrong())
    }
}

/// The oldest version that knows every migration up to `schema`.
fn oldest(released: &[(&'static str, i64)], schema: i64) -> &'static str {
    released
        .iter()
        .find(|(_, newest)| *newest >= schema)
        .map_or(THIS, |(version, _)| version)
}

/// What the database records, if anything: versions before this record wrote nothing.
async fn recorded(pool: &SqlitePool) -> Result<Option<String>, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'memory'",
    )
    .fetch_one(pool)
    .await?;
    if tables == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT value FROM memory WHERE key = $1")
        .bind(KEY)
        .fetch_optional(pool)
        .await
}

/// Records the oldest version that may open the database, after it was brought to the newest schema.
pub(super) async fn record(writer: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let during = |error: Fail| error.during("opening it", path);
    let oldest = oldest(RELEASED, newest());
    let before = recorded(writer)
        .await
        .map_err(|error| opening(error, path))?;
    if let Some(before) = before
        // A later version without a migration of its own may have raised it.
        && before.parse::<Version>().map_err(during)? >= oldest.parse().map_err(during)?
    {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO memory (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(KEY)
    .bind(oldest)
    .execute(writer)
    .await
    .map_err(|error| opening(error, path))?;
    Ok(())
}

/// The schema of the database, 0 for an empty one. One that needs a newer version, or that of another program, is an error.
pub(super) async fn version(pool: &SqlitePool, path: &Path) -> Result<i64, StoreError> {
    let (application, tables, migrated): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT count(*) FROM sqlite_schema WHERE type = 'table'),
                (SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations')",
    )
    .fetch_one(pool)
    .await
    .map_err(|error| opening(error, path))?;
    if application != APPLICATION_ID {
        // sqlx creates its table before the first migration sets the id: a crash between the two is possible.
        if application == 0 && tables == migrated {
            return Ok(0);
        }
        return Err(StoreError::NotADatabase {
            path: path.to_owned(),
            what: "the database of another program",
        });
    }
    let found: i64 = sqlx::query_scalar("SELECT ifnull(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await
        .map_err(|error| opening(error, path))?;
    let during = |error: Fail| error.during("opening it", path);
    let oldest = recorded(pool).await.map_err(|error| opening(error, path))?;
    let needs_newer = match &oldest {
        Some(oldest) => {
            oldest.parse::<Version>().map_err(during)? > THIS.parse().map_err(during)?
        }
        None => false,
    };
    if needs_newer || found > newest() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: newest(),
            oldest: oldest.filter(|_| needs_newer),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(version("0.10.0") > version("0.9.9"));
        assert!(version("1.0.0") > version("0.99.0"));
        assert_eq!(version("0.2.0-rc.1"), version("0.2.0+abc"));
        for wrong in ["", "1", "1.2", "1.2.3.4", "1.2.x", "1.-2.3", "v1.2.3"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_oldest_version_is_the_first_one_with_the_newest_migration() {
        let released = [("0.2.0", 31), ("0.2.1", 31), ("0.3.0", 35)];
        assert_eq!(oldest(&released, 31), "0.2.0");
        assert_eq!(oldest(&released, 32), "0.3.0");
        assert_eq!(oldest(&released, 36), THIS);
    }

    /// Otherwise the record would name a later version than is needed.
    #[test]
    fn each_released_version_has_its_row() {
        let changelog = include_str!("../../../CHANGELOG.md");
        let mut headings: Vec<&str> = changelog
            .lines()
            .filter_map(|line| line.strip_prefix("## [")?.split_once(']'))
            .map(|(version, _)| version)
            .filter(|version| *version != "Unreleased")
            .collect();
        headings.reverse();
        let rows: Vec<&str> = RELEASED.iter().map(|(version, _)| *version).collect();
        assert_eq!(rows, headings);
    }
}
