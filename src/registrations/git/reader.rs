//! Reads the files of a branch, with the commits that count.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::super::collector::{Collector, Found, MAX_FILE_BYTES, MAX_FILES};
use super::super::settings::GitSettings;
use super::error::GitError;
use super::history::{self, Change};
use super::mirror::{Access, Mirror};
use super::objects;
use super::signature::AllowedSigners;
use crate::http;

/// Where and how the repository is read.
#[derive(Debug)]
pub(in crate::registrations) struct GitReader<'a> {
    pub(in crate::registrations) settings: &'a GitSettings,
    /// Our bare repository.
    pub(in crate::registrations) directory: &'a Path,
    pub(in crate::registrations) http: &'a http::Client,
    /// For each run of git.
    pub(in crate::registrations) time: Duration,
}

impl GitReader<'_> {
    /// Reads the files of the branch; answers its commit. `last` is the commit that was read last.
    pub(in crate::registrations) async fn read(
        &self,
        last: Option<&str>,
        collector: &mut Collector,
    ) -> Result<String, GitError> {
        let authorization = self
            .http
            .authorization_for(&self.settings.url)
            .await
            .map_err(|error| GitError::Credentials(error.to_string()))?;
        let access = Access {
            authorization,
            ca_files: self.http.ca_files().to_vec(),
        };
        let mirror = Mirror::open(self.directory, access, self.time).await?;
        let tip = mirror
            .fetch(&self.settings.url, &self.settings.branch)
            .await?;
        if let Some(from) = last
            && !mirror.contains(from, &tip).await?
        {
            return Err(GitError::Rewritten {
                from: from.to_owned(),
                to: tip,
            });
        }
        let directories = self.settings.patterns.directories();
        let mut unknown = Vec::new();
        let mut files = 0;
        for object in objects::list(&mirror, &tip, &directories).await? {
            let Ok(path) = std::str::from_utf8(&object.path) else {
                let path = String::from_utf8_lossy(&object.path);
                if self.settings.patterns.matches(&path) {
                    collector.problem(format!("{path}: its name is not UTF-8"));
                }
                continue;
            };
            if !self.settings.patterns.matches(path) {
                continue;
            }
            files += 1;
            if files > MAX_FILES {
                return Err(GitError::TooMany);
            }
            if !object.is_file {
                collector.problem(format!("{path}: not a regular file"));
            } else if object.size > MAX_FILE_BYTES as u64 {
                collector.too_long(path);
            } else if !collector.keep(path, &object.id) {
                unknown.push((path.to_owned(), object.id));
            }
        }
        self.take(&mirror, &tip, unknown, collector).await?;
        Ok(tip)
    }

    /// Registers files that were not registered with this content.
    async fn take(
        &self,
        mirror: &Mirror,
        tip: &str,
        unknown: Vec<(String, String)>,
        collector: &mut Collector,
    ) -> Result<(), GitError> {
        if unknown.is_empty() {
            return Ok(());
        }
        let signers = match &self.settings.allowed_signers {
            Some(path) => Some(AllowedSigners::read(path)?),
            None => None,
        };
        let directories = self.settings.patterns.directories();
        let paths = unknown.iter().map(|(path, _)| path.as_str()).collect();
        let changes = history::last_changes(mirror, tip, &directories, &paths).await?;
        let mut verified: HashMap<String, Result<String, String>> = HashMap::new();
        let mut counting = Vec::new();
        for (path, id) in unknown {
            let Some(change) = changes.get(&path) else {
                return Err(GitError::Answer(
                    "a file of the branch is in no commit of it",
                ));
            };
            let found = Found {
                file: path,
                content: id,
                commit: Some(change.commit.clone()),
                author: Some(change.author.clone()),
            };
            let found = match &signers {
                None => found,
                Some(signers) => {
                    match signed(mirror, signers, change, &found, &mut verified).await? {
                        Ok(found) => found,
                        Err(problem) => {
                            collector.problem(problem);
                            continue;
                        }
                    }
                }
            };
            counting.push(found);
        }
        let mut contents = objects::Contents::open(mirror)?;
        for found in counting {
            let bytes = contents.read(&found.content, MAX_FILE_BYTES).await?;
            collector.add(&found, &bytes);
        }
        Ok(())
    }
}

/// The file with the commit that an allowed signer has signed, or why there is none.
///
/// That is the newest commit of the branch's own line that changed the file. If it is an unsigned merge, it may be the newest
/// commit that it merged and that changed the file, as long as that one gave the file its present content: a merge cannot
/// bring back what the branch had removed.
async fn signed(
    mirror: &Mirror,
    signers: &AllowedSigners,
    change: &Change,
    found: &Found,
    verified: &mut HashMap<String, Result<String, String>>,
) -> Result<Result<Found, String>, GitError> {
    let mut candidates = vec![change.commit.clone()];
    if change.is_merge {
        candidates.extend(history::merged_change(mirror, &change.commit, found).await?);
    }
    let mut why = String::new();
    for commit in candidates {
        if !verified.contains_key(&commit) {
            let result = signers.verify(mirror, &commit).await?;
            verified.insert(commit.clone(), result);
        }
        match verified.get(&commit) {
            Some(Ok(principal)) => {
                return Ok(Ok(Found {
                    commit: Some(commit),
                    author: Some(principal.clone()),
                    ..found.clone()
                }));
            }
            Some(Err(reason)) => why = format!("commit {commit} {reason}"),
            None => {}
        }
    }
    Ok(Err(format!("{}: {why}", found.file)))
}
