//! Models in OCI registries: the manifest of an image names each file and its SHA-256, so a model is signed and verified
//! without its files.
//!
//! A layer that is a plain file has its name in an annotation: `org.opencontainers.image.title`, as ORAS writes it, or
//! `org.cncf.model.filepath` of ModelPack. What would have to be unpacked is refused: its digest is that of an archive, and
//! the files in it have other ones.
//!
//! ```
//! use model_signing::oci::ImageManifest;
//!
//! let json = br#"{"schemaVersion": 2, "layers": [{
//!     "mediaType": "application/octet-stream",
//!     "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
//!     "annotations": {"org.opencontainers.image.title": "weights.bin"}
//! }]}"#;
//! assert_eq!(ImageManifest::parse(json)?.names().collect::<Vec<_>>(), ["weights.bin"]);
//!
//! let index = br#"{"schemaVersion": 2, "manifests": []}"#;
//! assert!(ImageManifest::parse(index).unwrap_err().to_string().starts_with("an image index"));
//! # Ok::<(), model_signing::oci::OciError>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::hash::{Algorithm, Digest};
use crate::json::{Members, excerpt};
use crate::manifest::{Manifest, Method, NameError, Resource, SINGLE_FILE, check_name};
use crate::model::{MismatchError, Options};
use crate::statement::Statement;
use crate::walk::Ignored;

/// Longest manifest, in bytes: what registries have to take (OCI distribution specification, "Pushing Manifests").
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;

/// The media types of manifests.
const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// Those of lists of manifests.
const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// The name of a file: OCI image specification, "Pre-Defined Annotation Keys".
const TITLE: &str = "org.opencontainers.image.title";
/// The same of ModelPack, by its name since it is with the CNCF and the one before.
const FILE_PATHS: [&str; 2] = ["org.cncf.model.filepath", "org.cnai.model.filepath"];
/// ORAS sets it to `true` for a directory, whose layer is an archive.
const UNPACK: &str = "io.deis.oras.content.unpack";

/// What the layers of ModelPack have for a media type: `application/vnd.cncf.model.weight.v1.raw`.
const MODEL_PACK: [&str; 2] = ["application/vnd.cncf.model.", "application/vnd.cnai.model."];
/// How those end whose layer is the file itself (ModelPack; the last two are Docker's model runner's).
const RAW: [&str; 3] = [".raw", ".gguf", ".safetensors"];
/// What ORAS calls a file for which no media type was given, although it is no archive.
const ORAS_FILE: &str = "application/vnd.oci.image.layer.v1.tar";

/// The fields by which clients find the files of an image: each is read here in this spelling alone.
const READ: [&str; 7] = [
    "schemaVersion",
    "config",
    "layers",
    "manifests",
    "digest",
    "annotations",
    "mediaType",
];
/// The fields of older manifests for the same, which are not read here.
const OLDER: [&str; 2] = ["blobs", "fsLayers"];

/// The name that the Go implementation of model signing gives to an image's configuration, which it signs as a file.
const CONFIG: &str = "config.json";

/// The digest of `{}`, which an image without a configuration has for one (OCI image specification, "Guidance for an Empty
/// Descriptor").
const EMPTY_CONFIG: &str =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// Why a file is no manifest of a model. Names in it are shortened; escape them where they are shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OciError {
    /// Longer than [`MAX_MANIFEST_BYTES`].
    #[error("longer than {MAX_MANIFEST_BYTES} bytes, which no manifest is")]
    TooLong,
    /// Not JSON of this kind.
    #[error("not an OCI image manifest: {0}")]
    Json(String),
    /// A field that is not read here, but by other clients.
    #[error("the field {name:?}: some clients read other files in it")]
    Spelling {
        /// The name of the field.
        name: String,
    },
    /// Another version of the format.
    #[error("not an OCI image manifest: schemaVersion is {found}, not 2")]
    SchemaVersion {
        /// The version.
        found: u64,
    },
    /// A list of manifests.
    #[error("an image index, which lists manifests: give the manifest of one image")]
    Index,
    /// Something else that has a media type.
    #[error("not an OCI image manifest: its mediaType is {found:?}")]
    MediaType {
        /// The media type.
        found: String,
    },
    /// The list of layers is empty.
    #[error("the manifest has no layer")]
    NoLayer,
    /// Nothing is left of the layers.
    #[error("the manifest has no file to sign: all of its layers are left out")]
    NothingLeft,
    /// A layer cannot be a file of a model.
    #[error("layers[{index}] {name:?} ({media_type:?}) {why}")]
    Layer {
        /// Where in the list, from 0.
        index: usize,
        /// Its name; empty if it has none.
        name: String,
        /// Its media type.
        media_type: String,
        /// What is wrong with it.
        why: LayerError,
    },
}

/// Why a layer cannot be a file of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// No annotation names a file.
    #[error("names no file: it has neither of the annotations {TITLE} and {}", FILE_PATHS[0])]
    NoName,
    /// Two annotations name two files.
    #[error("names two files: the other is {other:?}")]
    TwoNames {
        /// The other name.
        other: String,
    },
    /// Another layer has this name: two readers could take two.
    #[error("has the name of another layer")]
    Repeated,
    /// It has to be unpacked, or its media type is one of ModelPack that is not known to be a plain file.
    #[error("is not a plain file: sign and verify the files that are in it")]
    NotPlain,
    /// No file of a model has such a name.
    #[error("{0}")]
    Name(#[from] NameError),
    /// A backslash separates directories on some systems.
    #[error("has a backslash in it")]
    Backslash,
    /// The digest is not SHA-256 in lower-case hexadecimal.
    #[error(
        "has the digest {found:?}: a signature of a model needs sha256 and 64 hexadecimal digits"
    )]
    Digest {
        /// The digest.
        found: String,
    },
}

/// The manifest of an image all of whose layers are plain files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageManifest {
    files: BTreeMap<Arc<str>, Digest>,
    config: Option<Digest>,
    /// Whether it has a configuration with a content.
    is_configured: bool,
}

/// What of an image is not signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotSigned {
    /// Names of layers, in order. Foreign text.
    pub layers: Vec<String>,
    /// Whether its configuration is not signed, and has a content.
    pub config: bool,
}

impl ImageManifest {
    /// Reads a manifest of at most [`MAX_MANIFEST_BYTES`].
    ///
    /// # Errors
    ///
    /// [`OciError`], which names the layer.
    pub fn parse(json: &[u8]) -> Result<Self, OciError> {
        if json.len() > MAX_MANIFEST_BYTES {
            return Err(OciError::TooLong);
        }
        let raw: RawManifest = serde_json::from_slice(json)
            .map_err(|error| OciError::Json(excerpt(&error.to_string())))?;
        raw.check_spelling()?;
        let media_type = raw.media_type.as_deref();
        let is_index = |media_type| INDEXES.contains(&media_type);
        if media_type.is_some_and(is_index) || raw.manifests.is_some() {
            return Err(OciError::Index);
        }
        if let Some(found) = media_type.filter(|known| !MANIFESTS.contains(known)) {
            return Err(OciError::MediaType {
                found: excerpt(found),
            });
        }
        if raw.schema_version != 2 {
            return Err(OciError::SchemaVersion {
                found: raw.schema_version,
            });
        }
        let layers = raw.layers.unwrap_or_default();
        if layers.is_empty() {
            return Err(OciError::NoLayer);
        }
        let mut files = BTreeMap::new();
        for (index, layer) in layers.iter().enumerate() {
            let added = layer.file().and_then(|(name, digest)| {
                match files.insert(Arc::from(name), digest) {
                    Some(_) => Err(LayerError::Repeated),
                    None => Ok(()),
                }
            });
            added.map_err(|why| OciError::Layer {
                index,
                name: excerpt(layer.names().next().unwrap_or_default()),
                media_type: excerpt(&layer.media_type),
                why,
            })?;
        }
        let config = raw.config.as_ref();
        Ok(Self {
            files,
            is_configured: config.is_some_and(|config| config.digest != EMPTY_CONFIG),
            config: config.and_then(|config| sha256(&config.digest)),
        })
    }

    /// What of it a signature of these files does not cover: layers that were left out, and the configuration.
    pub fn not_signed(&self, signed: &Manifest) -> NotSigned {
        let signed: BTreeSet<&str> = signed.paths().map(|path| &**path).collect();
        let layers = self.names().filter(|name| !signed.contains(name));
        // As `compare` takes it.
        let is_config_signed = signed.contains(CONFIG) && !self.files.contains_key(CONFIG);
        NotSigned {
            layers: layers.map(str::to_owned).collect(),
            config: self.is_configured && !is_config_signed,
        }
    }

    /// The names of its files, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(|name| &**name)
    }

    /// The model as it is signed: every file that is not left out. The image's configuration is none of its files.
    ///
    /// # Errors
    ///
    /// [`OciError::NothingLeft`].
    pub fn manifest(&self, ignored: &Ignored) -> Result<Manifest, OciError> {
        let resources: Vec<_> = self
            .files
            .iter()
            .filter(|(name, _)| !ignored.covers(name))
            .map(|(name, digest)| resource(name, *digest))
            .collect();
        if resources.is_empty() {
            return Err(OciError::NothingLeft);
        }
        Ok(manifest(resources))
    }

    /// Compares it with a statement, whose signature was verified before, as [`model::verify`](crate::model::verify) compares
    /// files. A statement of the Go implementation that has the image's configuration as the file `config.json` is compared
    /// with that as well.
    ///
    /// # Errors
    ///
    /// [`MismatchError`].
    pub fn compare(&self, statement: &Statement, options: &Options) -> Result<(), MismatchError> {
        let mut ignored = options.ignored.clone();
        ignored.add_recorded(statement.ignored_paths.iter().map(String::as_str));
        if ignored.hides_everything() {
            return Err(MismatchError::HidesEverything);
        }
        let method = statement.manifest.method();
        if method != Method::files(Algorithm::Sha256) {
            return Err(MismatchError::Method { method });
        }
        let signed: BTreeSet<&str> = statement.manifest.paths().map(|path| &**path).collect();
        let config = self.config.filter(|_| !self.files.contains_key(CONFIG));
        let config = config.map(|digest| (Arc::from(CONFIG), digest));
        let config = config.filter(|(name, _): &(Arc<str>, _)| signed.contains(&**name));
        let files = self
            .files
            .iter()
            .map(|(name, digest)| (Arc::clone(name), *digest));
        let found = files
            .chain(config)
            .filter(|(name, _)| !ignored.covers(name))
            .filter(|(name, _)| !options.ignore_unsigned || signed.contains(&**name))
            .map(|(name, digest)| resource(&name, digest));
        let differences = statement.manifest.compare(&manifest(found.collect()));
        if differences.is_empty() {
            Ok(())
        } else {
            Err(MismatchError::Differs(differences))
        }
    }
}

fn resource(name: &Arc<str>, digest: Digest) -> Resource {
    Resource {
        path: Arc::clone(name),
        shard: None,
        digest,
    }
}

fn manifest(resources: Vec<Resource>) -> Manifest {
    let method = Method::files(Algorithm::Sha256);
    Manifest::new(method, resources).expect("the keys of a map are there once")
}

fn sha256(digest: &str) -> Option<Digest> {
    Digest::from_hex(Algorithm::Sha256, digest.strip_prefix("sha256:")?)
}

// serde refuses a known field that is given twice.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    schema_version: u64,
    media_type: Option<String>,
    config: Option<Config>,
    layers: Option<Vec<Layer>>,
    /// Of an image index.
    manifests: Option<IgnoredAny>,
    #[serde(flatten)]
    others: Others,
}

/// The fields that are not read here, by name.
type Others = BTreeMap<String, serde_json::Value>;

impl RawManifest {
    /// Checks that no client reads files from a field that is not read here. Go's `encoding/json`, which most clients of
    /// registries use, accepts the name of a field in any letter case, and takes the last of several.
    fn check_spelling(&self) -> Result<(), OciError> {
        let fold = |name: &str| -> String {
            let letters = name.chars().map(|letter| match letter {
                '\u{17f}' => 's',
                '\u{212a}' => 'k',
                letter => letter.to_ascii_lowercase(),
            });
            letters.collect()
        };
        let layers = self.layers.iter().flatten().map(|layer| &layer.others);
        let configs = self.config.iter().map(|config| &config.others);
        for others in layers.chain(configs).chain([&self.others]) {
            let read = |name: &&String| {
                let mut known = READ.iter().chain(&OLDER);
                known.any(|known| fold(known) == fold(name) && !READ.contains(&name.as_str()))
            };
            if let Some(name) = others.keys().find(read) {
                return Err(OciError::Spelling {
                    name: excerpt(name),
                });
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Config {
    digest: String,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    annotations: Option<Members>,
    #[serde(flatten)]
    others: Others,
}

impl Layer {
    /// The name and the digest of the file that the layer is.
    fn file(&self) -> Result<(&str, Digest), LayerError> {
        let mut names = self.names();
        let name = names.next().ok_or(LayerError::NoName)?;
        if let Some(other) = names.find(|other| *other != name) {
            return Err(LayerError::TwoNames {
                other: excerpt(other),
            });
        }
        if !self.is_plain() {
            return Err(LayerError::NotPlain);
        }
        if name.contains('\\') {
            return Err(LayerError::Backslash);
        }
        // A name for a model that is a file, and not for one of its files.
        if name == SINGLE_FILE {
            return Err(NameError::Alias.into());
        }
        check_name(name)?;
        let digest = sha256(&self.digest).ok_or_else(|| LayerError::Digest {
            found: excerpt(&self.digest),
        })?;
        Ok((name, digest))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let annotations = self.annotations.iter();
        annotations.flat_map(|annotations| {
            let keys = std::iter::once(TITLE).chain(FILE_PATHS);
            keys.filter_map(|key| annotations.get(key))
        })
    }

    /// Whether the layer is the file itself.
    fn is_plain(&self) -> bool {
        let media_type = self.media_type.to_ascii_lowercase();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let annotation = |key| self.annotations.as_ref().and_then(|all| all.get(key));
        if annotation(UNPACK).is_some_and(|unpack| unpack != "false") {
            return false;
        }
        if MODEL_PACK
            .iter()
            .any(|prefix| media_type.starts_with(prefix))
        {
            return RAW.iter().any(|end| media_type.ends_with(end));
        }
        // Without a title, only the media types of ModelPack make the layer a file.
        if annotation(TITLE).is_none() || media_type.is_empty() {
            return false;
        }
        if media_type == ORAS_FILE {
            return true;
        }
        let is_vendors = media_type.starts_with("application/vnd.");
        let mut words = media_type.split(['.', '+', '-', '/']);
        let is_archive = words.any(|word| word == "tar" || word == "zip");
        let is_compressed = media_type.ends_with("+gzip") || media_type.ends_with("+zstd");
        !(is_compressed || is_vendors && is_archive)
    }
}

#[cfg(test)]
mod tests;
