//! The questions that one Rekor v1 server can be asked.

use std::num::NonZeroU32;

use bytes::Bytes;
use serde_json::json;
use tlog::Hash;
use url::Url;

use super::answer::{self, Entry, EntryId, IdError, NotAnAnswer, TreeHead, TreeId};
use super::ids::IdReader;
use crate::http::{self, Answer, HttpError, Pieces, RequestCount, ServerDate};
use crate::log::GlobalIndex;
use crate::source::transport::TransportError;
use crate::source::{Cause, SourceError};

/// Most entries that one request may ask for (rekor's `openapi.yaml`: above it is 422).
pub const MAX_RETRIEVED: usize = 10;

/// What one answer with entries may take. The longest leaf that is read has 32 MiB, and it comes as base64.
pub const MAX_ENTRIES_BYTES: usize = 48 * 1024 * 1024;

/// What an answer about trees or a proof may take: a note has some hundred bytes, a proof 64 hashes in hex.
const MAX_SMALL_ANSWER_BYTES: usize = 1024 * 1024;

/// How much of an answer of the search index is read: 3 million ids of 80 digits. One address may log a thousand entries a
/// minute; it would take more than two days to make the answer for one name longer.
const MAX_INDEX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

const INDEX: &str = "api/v1/index/retrieve";

/// The operators of the public log grant 975 requests a minute (sigstore-probers, `prober/rate-limiting.go`); some are
/// left to the other programs of its readers.
const PUBLIC_REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(900).expect("900 is not 0");

/// One Rekor v1 server. Nothing that it answers is verified here.
#[derive(Debug, Clone)]
pub struct Client {
    http: http::Client,
    base: Url,
}

/// What the search index is asked by. It answers to exact values only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexQuery {
    /// A subject alternative name of any type (rekor 1.5.4 and later).
    Subject(String),
    /// A name that looks like an e-mail address (every version).
    Email(String),
    /// A hash as the index holds it: `sha256:…` of a payload, an envelope, a subject, a PEM certificate.
    Hash(String),
}

/// What the search index answers, as it comes.
#[derive(Debug)]
pub struct IndexAnswer {
    /// Where it comes from, for errors.
    url: String,
    pieces: Pieces,
    reader: IdReader,
    /// Why it does not go on.
    broken: Option<NotAnAnswer>,
}

impl IndexAnswer {
    /// The next ids, in the order of the answer; an error stands for an element that is none. `None`: that was all.
    ///
    /// # Errors
    /// No more of it can be had. What came before is right.
    pub async fn next(&mut self) -> Result<Option<Vec<Result<EntryId, IdError>>>, SourceError> {
        if let Some(why) = self.broken.take() {
            return Err(malformed(&self.url, why));
        }
        let piece = self.pieces.next().await;
        let piece = piece.map_err(|error| TransportError::from(Cause::Http(error)).about(INDEX))?;
        let Some(piece) = piece else {
            self.reader.end().map_err(|why| malformed(&self.url, why))?;
            return Ok(None);
        };
        let mut ids = Vec::new();
        self.broken = self.reader.feed(&piece, &mut ids).err();
        Ok(Some(ids))
    }
}

impl Client {
    /// The server at `base`, an http(s) URL that ends in `/`. Nothing is asked yet.
    pub fn new(http: http::Client, base: Url) -> Self {
        Self { http, base }
    }

    /// How fast a server is read where nobody says: the public instances have a limit, others are their owners' matter.
    pub fn usual_interval(base: &Url) -> Option<NonZeroU32> {
        let host = base.host_str()?;
        (host == "sigstore.dev" || host.ends_with(".sigstore.dev"))
            .then_some(PUBLIC_REQUESTS_PER_MINUTE)
    }

    /// The same server, whose requests are counted, retries included.
    #[must_use]
    pub fn counted(&self, requests: &RequestCount) -> Self {
        Self {
            http: self.http.counted(requests),
            base: self.base.clone(),
        }
    }

    /// Where it is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// What its server says the time is.
    pub fn date(&self) -> Option<ServerDate> {
        self.http.date(&self.base)
    }

    /// The log's trees, oldest first; the last one is the one that grows.
    ///
    /// # Errors
    /// As any resource.
    pub async fn info(&self) -> Result<Vec<TreeHead>, SourceError> {
        const LOG: &str = "api/v1/log";
        let answer = self.get(LOG, None, MAX_SMALL_ANSWER_BYTES).await?;
        answer::trees(&answer).map_err(|why| self.malformed(LOG, why))
    }

    /// The entries at these places, at most [`MAX_RETRIEVED`], in the order of the question. `None` stands for one that
    /// the answer leaves out: the log does that in silence, and a lagging replica does it too.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if the answer holds what was not asked for.
    pub async fn retrieve_indexes(
        &self,
        indexes: &[GlobalIndex],
        limit_bytes: usize,
    ) -> Result<Vec<Option<Entry>>, SourceError> {
        let asked: Vec<u64> = indexes.iter().map(|index| index.get()).collect();
        let entries = self
            .retrieve(&json!({ "logIndexes": asked }), limit_bytes)
            .await?;
        matched(indexes, entries, |entry, index| entry.global == *index)
    }

    /// The entries of these names, at most [`MAX_RETRIEVED`], as [`retrieve_indexes`](Self::retrieve_indexes) does.
    ///
    /// # Errors
    /// As there.
    pub async fn retrieve_uuids(
        &self,
        ids: &[EntryId],
        limit_bytes: usize,
    ) -> Result<Vec<Option<Entry>>, SourceError> {
        let asked: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let entries = self
            .retrieve(&json!({ "entryUUIDs": asked }), limit_bytes)
            .await?;
        matched(ids, entries, |entry, id| {
            entry.id.leaf == id.leaf && (id.tree.is_none() || entry.id.tree == id.tree)
        })
    }

    /// The proof that the tree of `last` leaves begins with that of `first` leaves.
    ///
    /// # Errors
    /// [`SourceError::Skew`] if the replica that answers has not grown to `last` leaves yet.
    pub async fn consistency(
        &self,
        tree: TreeId,
        first: u64,
        last: u64,
    ) -> Result<Vec<Hash>, SourceError> {
        const PROOF: &str = "api/v1/log/proof";
        let query = format!("firstSize={first}&lastSize={last}&treeID={tree}");
        let answer = self
            .get(PROOF, Some(&query), MAX_SMALL_ANSWER_BYTES)
            .await?;
        answer::proof(&answer).map_err(|why| self.malformed(PROOF, why))
    }

    /// The names of the entries that the search index knows under this value. It is filled with best effort: what it does
    /// not name may be in the log all the same.
    ///
    /// # Errors
    /// As any resource; [`SourceError::Unavailable`] where the server is older than the kind of question.
    pub async fn index(&self, query: &IndexQuery) -> Result<IndexAnswer, SourceError> {
        let question = match query {
            IndexQuery::Subject(subject) => json!({ "subject": subject }),
            IndexQuery::Email(email) => json!({ "email": email }),
            IndexQuery::Hash(hash) => json!({ "hash": hash }),
        };
        let question = Bytes::from(question.to_string());
        let url = self.url(INDEX)?;
        let answer = self
            .http
            .query_in_pieces(&url, &question, MAX_INDEX_ANSWER_BYTES)
            .await;
        Ok(IndexAnswer {
            pieces: found(INDEX, answer)?,
            url: format!("{}{INDEX}", self.base),
            reader: IdReader::default(),
            broken: None,
        })
    }

    async fn retrieve(
        &self,
        question: &serde_json::Value,
        limit_bytes: usize,
    ) -> Result<Vec<Entry>, SourceError> {
        const RETRIEVE: &str = "api/v1/log/entries/retrieve";
        let limit_bytes = limit_bytes.min(MAX_ENTRIES_BYTES);
        let answer = self.ask(RETRIEVE, question, limit_bytes).await?;
        answer::entries(&answer).map_err(|why| self.malformed(RETRIEVE, why))
    }

    async fn get(
        &self,
        path: &str,
        query: Option<&str>,
        limit_bytes: usize,
    ) -> Result<Bytes, SourceError> {
        let mut url = self.url(path)?;
        url.set_query(query);
        let answer = self.http.find(&url, limit_bytes).await;
        found(path, answer)
    }

    async fn ask(
        &self,
        path: &str,
        question: &serde_json::Value,
        limit_bytes: usize,
    ) -> Result<Bytes, SourceError> {
        let url = self.url(path)?;
        let question = Bytes::from(question.to_string());
        let answer = self.http.query_for(&url, &question, limit_bytes).await;
        found(path, answer)
    }

    fn malformed(&self, path: &str, why: NotAnAnswer) -> SourceError {
        malformed(&format!("{}{path}", self.base), why)
    }

    fn url(&self, path: &str) -> Result<Url, SourceError> {
        self.base.join(path).map_err(|e| {
            let error = HttpError::InvalidRequest {
                url: path.to_owned(),
                reason: e.to_string(),
            };
            TransportError::from(Cause::Http(error)).about(path)
        })
    }
}

/// The answer, if it is one. What the server says about its refusals is read for the one that is none.
fn found<T>(path: &str, answer: Result<Answer<T>, HttpError>) -> Result<T, SourceError> {
    match answer {
        Ok(Answer::Found(answer)) => Ok(answer),
        Ok(Answer::Absent(absence)) => Err(SourceError::Absent {
            resource: path.to_owned(),
            asked: absence.to_string(),
        }),
        Err(HttpError::Status {
            said: Some(said), ..
        }) if is_skew(&said) => Err(SourceError::Skew {
            resource: path.to_owned(),
            said: answer::complaint(&said).unwrap_or(said),
        }),
        Err(error) => Err(TransportError::from(Cause::Http(error)).about(path)),
    }
}

/// rekor says "the tree size requested(N) was greater than what is currently observable(M)".
fn is_skew(said: &str) -> bool {
    said.contains("greater than what is currently observable")
}

/// The entries in the order of the question.
fn matched<Q>(
    asked: &[Q],
    entries: Vec<Entry>,
    is_it: impl Fn(&Entry, &Q) -> bool,
) -> Result<Vec<Option<Entry>>, SourceError> {
    let mut answer: Vec<Option<Entry>> = asked.iter().map(|_| None).collect();
    for entry in entries {
        let place = asked
            .iter()
            .zip(&answer)
            .position(|(question, filled)| filled.is_none() && is_it(&entry, question));
        match place.and_then(|place| answer.get_mut(place)) {
            Some(slot) => *slot = Some(entry),
            None => {
                return Err(SourceError::Malformed {
                    resource: "the answer to a request for entries".to_owned(),
                    reason: format!(
                        "it holds entry {}, which was not asked for, or twice",
                        entry.global
                    ),
                });
            }
        }
    }
    Ok(answer)
}

fn malformed(resource: &str, NotAnAnswer(reason): NotAnAnswer) -> SourceError {
    SourceError::Malformed {
        resource: resource.to_owned(),
        reason,
    }
}
