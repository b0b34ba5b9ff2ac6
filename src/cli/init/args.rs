//! The flags of `modelwatch init`.

use std::path::PathBuf;

use url::Url;

use super::given;
use crate::watch::Meant;

/// What its flags are about, in `--help`.
const WHOSE: &str = "Identities to watch";
const WHICH: &str = "Sigstore instance (default: the public one)";
const WHOM: &str = "Channels (default: this terminal)";

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct Args {
    /// Sigstore bundles of yours (`model.sig`), in any form that `expect add` takes: their signers are watched; may be
    /// repeated; `-` is standard input
    #[arg(help_heading = WHOSE, long, value_name = "BUNDLE", num_args = 1..)]
    pub(super) from: Vec<PathBuf>,
    /// The identity to watch: a repository's URL, a mail address, or a name as certificates have it, with `*` for any
    /// characters
    #[arg(help_heading = WHOSE, long, value_name = "SAN", value_parser = given::identity)]
    pub(super) identity: Option<Box<Meant>>,
    /// The issuer of that identity: a signing under it with another issuer is critical
    #[arg(help_heading = WHOSE, long, value_name = "URL", requires = "identity", value_parser = given::issuer)]
    pub(super) issuer: Option<String>,
    /// A public key or certificate in PEM to watch
    #[arg(help_heading = WHOSE, long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// Where reading begins: `end`, `beginning`, or a date such as 2026-01-01
    #[arg(help_heading = WHOSE, long, value_name = "WHERE", value_parser = given::start)]
    pub(super) start: Option<given::Start>,

    /// Use the Sigstore instance whose TUF repository is at this URL
    #[arg(
        help_heading = WHICH,
        long,
        value_name = "URL",
        value_parser = given::mirror,
        requires = "root",
        conflicts_with_all = ["staging", "trusted_root"]
    )]
    pub(super) tuf_mirror: Option<Url>,
    /// The first root.json of this repository to trust
    #[arg(help_heading = WHICH, long, value_name = "FILE", requires = "tuf_mirror")]
    pub(super) root: Option<PathBuf>,
    /// Use Sigstore's staging instance
    #[arg(help_heading = WHICH, long, conflicts_with = "trusted_root")]
    pub(super) staging: bool,
    /// Use the logs of this trusted root, which is not updated automatically
    #[arg(help_heading = WHICH, long, value_name = "FILE")]
    pub(super) trusted_root: Option<PathBuf>,

    /// Send alerts to this mail address
    #[arg(
        help_heading = WHOM,
        long,
        value_name = "ADDRESS",
        value_parser = given::mail,
        requires = "smtp",
        conflicts_with = "webhook_env"
    )]
    pub(super) notify_email: Option<String>,
    /// The mail server: smtps://host:465, or smtp://host:587
    #[arg(help_heading = WHOM, long, value_name = "URL", requires = "notify_email", value_parser = given::smtp)]
    pub(super) smtp: Option<String>,
    /// The sender of the mail; default: the address of the recipient
    #[arg(help_heading = WHOM, long, value_name = "ADDRESS", requires = "notify_email", value_parser = given::mail)]
    pub(super) mail_from: Option<String>,
    /// Send alerts to the webhook whose URL is in this environment variable
    #[arg(help_heading = WHOM, long, value_name = "VARIABLE", value_parser = given::variable)]
    pub(super) webhook_env: Option<String>,

    /// Register the bundles of --from as your own
    #[arg(help_heading = WHOSE, long, requires = "from")]
    pub(super) register: bool,
    /// Where the configuration is written; default: the file of --config
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    pub(super) force: bool,
    /// Ask no questions: use the defaults for what is not given
    #[arg(long)]
    pub(super) yes: bool,
}
