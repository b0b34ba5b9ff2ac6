//! The levels of optimization in `Cargo.toml`. `dist` inherits what `release` sets for single packages, so each of them has
//! to be set again: otherwise what is distributed would be as little optimized as the quick build.

use toml_edit::{DocumentMut, Item, TableLike};

/// What is wrong with the packages of `release` and `dist`.
pub fn check(manifest: &str) -> Result<Vec<String>, String> {
    let manifest: DocumentMut = manifest
        .parse()
        .map_err(|error: toml_edit::TomlError| error.to_string())?;
    let (release, dist) = (profile(&manifest, "release")?, profile(&manifest, "dist")?);
    let level = |table: &dyn TableLike| table.get("opt-level").and_then(Item::as_integer);
    let whole = level(dist).ok_or("[profile.dist] has no opt-level")?;
    let (quick, full) = (packages(release)?, packages(dist)?);
    let missing = quick
        .iter()
        .filter(|(name, _)| !full.contains_key(name))
        .map(|(name, _)| format!("{name}: in [profile.release.package] alone"));
    let different = full
        .iter()
        .filter(|(_, package)| package.as_table_like().and_then(level) != Some(whole))
        .map(|(name, _)| {
            format!(
                "{name}: not opt-level {whole}, as [profile.dist] is, in [profile.dist.package]"
            )
        });
    Ok(missing.chain(different).collect())
}

fn profile<'a>(manifest: &'a DocumentMut, name: &str) -> Result<&'a dyn TableLike, String> {
    let profiles = manifest.get("profile");
    profiles
        .and_then(|profiles| profiles.get(name)?.as_table_like())
        .ok_or_else(|| format!("no [profile.{name}]"))
}

fn packages(profile: &dyn TableLike) -> Result<&dyn TableLike, String> {
    let packages = profile.get("package");
    packages
        .and_then(|packages| packages.as_table_like())
        .ok_or_else(|| "a profile without packages".to_owned())
}

#[cfg(test)]
mod tests {
    use super::check;

    fn checked(release: &str, dist: &str) -> Result<Vec<String>, String> {
        check(&format!(
            "[profile.release]\nopt-level = 0\n[profile.release.package]\n{release}\n\
             [profile.dist]\nopt-level = 3\n[profile.dist.package]\n{dist}\n"
        ))
    }

    #[test]
    fn a_package_that_dist_would_not_optimize_in_full_is_reported() {
        let tlog = "tlog = { opt-level = 1 }";
        let full = "tlog = { opt-level = 3 }\n'*' = { opt-level = 3 }";
        assert_eq!(checked(tlog, full), Ok(vec![]));
        for (dist, problem) in [
            ("sha2 = { opt-level = 3 }", "tlog: in [profile.release"),
            (tlog, "tlog: not opt-level 3"),
            ("tlog = { strip = true }", "tlog: not opt-level 3"),
        ] {
            let problems = checked(tlog, dist).unwrap_or_default();
            assert!(
                matches!(&problems[..], [one] if one.starts_with(problem)),
                "{dist}: {problems:?}"
            );
        }
        assert!(check("[profile.release]\n[profile.dist]\nopt-level = 3").is_err());
        assert!(check("[profile.release.package]\n[profile.dist.package]").is_err());
        assert!(check("[profile").is_err());
    }
}
