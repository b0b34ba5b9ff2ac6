//! The module of a token: the shared library with its driver.

use std::fs;
use std::path::{Path, PathBuf};

use super::uri::Uri;
use crate::pkcs11_error::ModuleError;

/// Where distributions keep modules, below each of which `pkcs11` and `softhsm` are looked in.
const LIBRARIES: &[&str] = &[
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
];

/// The module that the URI names.
pub(super) fn find(uri: &Uri) -> Result<PathBuf, ModuleError> {
    let name = uri.module_name.as_deref();
    let searched = match &uri.module_path {
        Some(path) => {
            let unreadable = |source| ModuleError::Unreadable {
                path: path.clone(),
                source,
            };
            if !fs::metadata(path).map_err(unreadable)?.is_dir() {
                return Ok(path.clone());
            }
            if name.is_none() {
                return Err(ModuleError::Directory { path: path.clone() });
            }
            vec![path.clone()]
        }
        None => places(),
    };
    let name = name.unwrap_or_default();
    let found = searched.iter().find_map(|place| find_in(place, name));
    found.ok_or_else(|| ModuleError::NotFound {
        name: name.to_owned(),
        searched,
    })
}

/// Fedora's `/usr/lib64/pkcs11`, Debian's `/usr/lib/x86_64-linux-gnu/pkcs11`, and SoftHSM's own directories.
fn places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for library in LIBRARIES.iter().map(Path::new) {
        let mut libraries = vec![library.to_owned()];
        // Debian keeps a directory for each architecture.
        libraries.extend(sorted_entries(library).into_iter().filter(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().contains("-linux-")
        }));
        for library in libraries {
            places.extend(["pkcs11", "softhsm"].map(|below| library.join(below)));
        }
    }
    places.retain(|place| place.is_dir());
    places
}

/// The module of that name in a directory: `name.so`, `libname.so.2`; letter case does not matter.
fn find_in(place: &Path, name: &str) -> Option<PathBuf> {
    let name = name.to_lowercase();
    sorted_entries(place).into_iter().find(|path| {
        let file = path.file_name().unwrap_or_default();
        let file = file.to_string_lossy().to_lowercase();
        let is_it = |file: &str| {
            let rest = file.strip_prefix(&name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        (is_it(&file) || file.strip_prefix("lib").is_some_and(is_it)) && path.is_file()
    })
}

/// What is in a directory, by name, so that two machines with the same files load the same one. A directory that
/// cannot be read has nothing that could be loaded.
fn sorted_entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn uri(query: &str) -> Uri {
        format!("pkcs11:token=t;object=o?{query}").parse().unwrap()
    }

    #[test]
    fn a_module_is_found_by_path_or_by_name_in_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        for file in ["libsofthsm2.so", "opensc-pkcs11.so", "p11-kit-client.so.0"] {
            fs::write(place.join(file), "").unwrap();
        }
        fs::create_dir(place.join("empty")).unwrap();
        let path = place.display();
        for (query, file) in [
            (
                format!("module-path={path}/opensc-pkcs11.so"),
                "opensc-pkcs11.so",
            ),
            (
                format!("module-path={path}&module-name=libsofthsm2"),
                "libsofthsm2.so",
            ),
            (
                format!("module-path={path}&module-name=SoftHSM2"),
                "libsofthsm2.so",
            ),
            (
                format!("module-path={path}&module-name=libsofthsm2.so"),
                "libsofthsm2.so",
            ),
            (
                format!("module-path={path}&module-name=p11-kit-client"),
                "p11-kit-client.so.0",
            ),
        ] {
            assert_eq!(find(&uri(&query)).unwrap(), place.join(file), "{query}");
        }
        let error = |query: String| find(&uri(&query)).unwrap_err().to_string();
        assert_eq!(
            error(format!("module-path={path}")),
            format!("module {path} is a directory, and the URI has no `module-name`")
        );
        assert_eq!(
            error(format!("module-path={path}&module-name=softhsm")),
            format!("no module \"softhsm\" in {path}")
        );
        assert!(
            error(format!("module-path={path}/no.so"))
                .starts_with(&format!("module {path}/no.so: "))
        );
    }
}
