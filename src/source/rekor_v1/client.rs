//! The requests to one Rekor v1 server.

use std::num::NonZeroU32;

use bytes::Bytes;
use serde_json::json;
use tlog::Hash;
use url::Url;

use super::answer::{self, Entry, Retrieved, TreeHead};
use super::entry_id::{EntryId, IdError, TreeNumber};
use super::error::NotAnAnswer;
use super::ids::IdReader;
use crate::http::{self, Answer, HttpError, Pieces, RequestCount, ServerDate};
use crate::log::GlobalIndex;
use crate::source::transport_error::TransportError;
use crate::source::{Cause, SourceError};

/// Longest response with entries. The longest accepted leaf has 32 MiB, and it is sent as base64.
pub const MAX_ENTRIES_BYTES: usize = 48 * 1024 * 1024;

/// Longest response about trees or a proof: a note has some hundred bytes, a proof 64 hashes in hex.
const MAX_SMALL_ANSWER_BYTES: usize = 1024 * 1024;

/// Longest part of a response of the search index that is read: 3 million ids of 80 digits. One address may log a
/// thousand entries a minute; it would need more than two days to make the response for one name longer.
const MAX_INDEX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

const INDEX: &str = "api/v1/index/retrieve";

/// The operators of the public log allow 975 requests a minute (sigstore-probers, `prober/rate-limiting.go`); some are
/// left for other programs of the same user.
const PUBLIC_REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(900).expect("900 is positive");

/// One Rekor v1 server. None of its responses is verified here.
#[derive(Debug, Clone)]
pub struct Client {
    http: http::Client,
    base: Url,
}

/// The keys of the search index. It has only exact matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexQuery {
    /// A subject alternative name of any type (rekor 1.5.4 and later).
    Subject(String),
    /// A name that looks like an e-mail address (every version).
    Email(String),
    /// A hash as the index holds it: `sha256:…` of a payload, an envelope, a subject, a PEM certificate.
    Hash(String),
}

/// A response of the search index, read while it arrives.
#[derive(Debug)]
pub struct IndexAnswer {
    /// Its address, for errors.
    url: String,
    pieces: Pieces,
    reader: IdReader,
    /// Why the rest cannot be read.
    broken: Option<NotAnAnswer>,
}

impl IndexAnswer {
    /// The next ids, in the order of the response; an error stands for an element that is not an id. `None`: the end.
    ///
    /// # Errors
    /// The rest cannot be read. The earlier ids are valid.
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
    /// The server at `base`, an http(s) URL that ends in `/`. No request is sent yet.
    pub fn new(http: http::Client, base: Url) -> Self {
        Self { http, base }
    }

    /// The default rate limit of a server: the public instances have a limit; the operators of others decide
    /// themselves.
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

    /// Its address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The time of its server.
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

    /// The entries with these indexes, at most [`MAX_RETRIEVED`](super::MAX_RETRIEVED), in the order of the request,
    /// with their proofs or as leaves. `None` means that the answer leaves an entry out: the log does that silently, and
    /// a lagging replica does it too.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if the answer contains an entry that was not requested.
    pub(super) async fn retrieve_indexes<T: Retrieved>(
        &self,
        indexes: &[GlobalIndex],
        limit_bytes: usize,
    ) -> Result<Vec<Option<T>>, SourceError> {
        let requested: Vec<u64> = indexes.iter().map(|index| index.get()).collect();
        let entries = self
            .retrieve(&json!({ "logIndexes": requested }), limit_bytes)
            .await?;
        matched(indexes, entries, |entry: &T, index| {
            entry.global() == *index
        })
    }

    /// The entries with these ids, at most [`MAX_RETRIEVED`](super::MAX_RETRIEVED), in the order of the request. `None`
    /// means that the answer leaves an entry out.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] if the answer contains an entry that was not requested.
    pub async fn retrieve_uuids(
        &self,
        ids: &[EntryId],
        limit_bytes: usize,
    ) -> Result<Vec<Option<Entry>>, SourceError> {
        let requested: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let entries = self
            .retrieve(&json!({ "entryUUIDs": requested }), limit_bytes)
            .await?;
        matched(ids, entries, |entry: &Entry, id| {
            entry.id.leaf == id.leaf && (id.tree.is_none() || entry.id.tree == id.tree)
        })
    }

    /// The proof that the tree of `last` leaves begins with that of `first` leaves.
    ///
    /// # Errors
    /// [`SourceError::Skew`] if the replica that answers has not grown to `last` leaves yet.
    pub async fn consistency(
        &self,
        tree: TreeNumber,
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

    /// The ids of the entries that the search index returns for this value. The index is filled with best effort: the
    /// log may contain other entries.
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

    async fn retrieve<T: Retrieved>(
        &self,
        question: &serde_json::Value,
        limit_bytes: usize,
    ) -> Result<Vec<T>, SourceError> {
        const RETRIEVE: &str = "api/v1/log/entries/retrieve";
        let limit_bytes = limit_bytes.min(MAX_ENTRIES_BYTES);
        let answer = self.ask(RETRIEVE, question, limit_bytes).await?;
        T::read(&answer).map_err(|why| self.malformed(RETRIEVE, why))
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
        let answer = self.http.query(&url, &question, limit_bytes).await;
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

/// The resource in a response. The server's message about an error is read here if there is none.
fn found<T>(path: &str, answer: Result<Answer<T>, HttpError>) -> Result<T, SourceError> {
    match answer {
        Ok(Answer::Found(answer)) => Ok(answer),
        Ok(Answer::Absent(absence)) => Err(SourceError::Absent {
            resource: path.to_owned(),
            tried: absence.to_string(),
        }),
        Err(HttpError::Status {
            message: Some(message),
            ..
        }) if is_skew(&message) => Err(SourceError::Skew {
            resource: path.to_owned(),
            message: answer::complaint(&message).unwrap_or(message),
        }),
        Err(error) => Err(TransportError::from(Cause::Http(error)).about(path)),
    }
}

/// The message of rekor is "the tree size requested(N) was greater than what is currently observable(M)".
fn is_skew(message: &str) -> bool {
    message.contains("greater than what is currently observable")
}

/// The entries in the order of the request.
fn matched<Q, T: Retrieved>(
    requested: &[Q],
    entries: Vec<T>,
    is_it: impl Fn(&T, &Q) -> bool,
) -> Result<Vec<Option<T>>, SourceError> {
    let mut answer: Vec<Option<T>> = requested.iter().map(|_| None).collect();
    for entry in entries {
        let place = requested
            .iter()
            .zip(&answer)
            .position(|(question, filled)| filled.is_none() && is_it(&entry, question));
        match place.and_then(|place| answer.get_mut(place)) {
            Some(slot) => *slot = Some(entry),
            None => {
                return Err(SourceError::Malformed {
                    resource: "the answer to a request for entries".to_owned(),
                    reason: format!(
                        "it contains entry {}, which was not requested, or twice",
                        entry.global()
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
