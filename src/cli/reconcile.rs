//! `modelwatch reconcile`: the owner's bundles and models against the logs, in both directions.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use model_signing::MAX_PEM_BYTES;
use model_signing::certificate::TrustStore;
use model_signing::key::PublicKey;
use model_signing::sigstore::Trust;
use serde_json::json;

use super::output::{Mistake, Outcome, Output};
use super::{setup, values};
use crate::clock;
use crate::escape;
use crate::file;
use crate::reconcile::{
    self, Answer, Counts, Line, LineType, Question, ReconcileError, Trusted, World,
};
use crate::service::Setup;
use crate::store::SigningQuery;

/// Arguments of `reconcile`.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(super) struct Args {
    /// Files with bundles in any form that `expect add` takes, model directories, and trees of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only signings that this watch selects need a bundle; may be repeated
    #[arg(long, value_name = "NAME")]
    watch: Vec<String>,
    /// Only signings since this date or time, or for this long, need a bundle: 2026-01-01, 2026-01-01T08:00:00Z, 24h
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    since: Option<Timestamp>,
    /// Only signings before this date or time need a bundle
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    until: Option<Timestamp>,
    /// Do not compare the models beside the bundles
    #[arg(long)]
    no_models: bool,
    /// A public key whose signatures count (PEM); may be repeated
    #[arg(long, value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// Trusted roots, and certificates that lead to them, for signatures by certificate (PEM); may be repeated
    #[arg(long, value_name = "FILE")]
    certificate_chain: Vec<PathBuf>,
    /// Ask the search index of Rekor v1 who else signed the same models
    #[arg(long)]
    remote: bool,
    /// Register what agrees
    #[arg(long)]
    register: bool,
    /// One JSON object per line, and the counts as the last one
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, config: &Path) -> anyhow::Result<Outcome> {
    let setup = setup::load(config)?;
    for name in &args.watch {
        setup.watch(name)?;
    }
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(Mistake("--until is not later than --since".to_owned()).into());
    }
    let rules = setup.rules()?;
    let now = clock::now();
    let trusted = args.trusted(&setup, now)?;
    let store = if args.register {
        setup.writer().await?
    } else {
        setup.reader().await?
    };
    let statuses = setup.status(&*store, now).await?.logs;
    let question = Question {
        paths: args.paths.clone(),
        signings: SigningQuery {
            watches: args.watch.clone(),
            since: args.since,
            until: args.until,
        },
        no_models: args.no_models,
        remote: args.remote,
        register: args.register,
    };
    let world = World {
        store: &*store,
        logs: setup.logs(),
        statuses: &statuses,
        rules: &rules,
        trusted: &trusted,
        now,
    };
    let mut printer = Printer::new(args.json);
    let counts = match reconcile::reconcile(&question, &world, &mut printer).await {
        Err(ReconcileError::Path(error)) => return Err(Mistake(error.to_string()).into()),
        counts => counts?,
    };
    store.close().await;
    printer.end(&counts)?;
    Ok(match counts {
        Counts {
            discrepancies: 1.., ..
        } => Outcome::No,
        Counts {
            unanswered: 1.., ..
        } => Outcome::Unanswered,
        _ => Outcome::Clean,
    })
}

impl Args {
    /// What bundles are verified with: the trusted root of the configuration, and the keys and roots of the command line.
    fn trusted(&self, setup: &Setup, now: Timestamp) -> anyhow::Result<Trusted> {
        let read = |path: &PathBuf, option: &str| {
            file::read(path, MAX_PEM_BYTES)
                .map_err(|error| Mistake(format!("{option} {}: {error}", path.display())))
        };
        let mut keys = Vec::new();
        for path in &self.public_key {
            let key = PublicKey::from_pem(&read(path, "--public-key")?)
                .map_err(|error| Mistake(format!("--public-key {}: {error}", path.display())))?;
            keys.push(key);
        }
        let mut certificates = Vec::new();
        for path in &self.certificate_chain {
            let store =
                TrustStore::from_pem(&[read(path, "--certificate-chain")?]).map_err(|error| {
                    Mistake(format!("--certificate-chain {}: {error}", path.display()))
                })?;
            certificates.extend_from_slice(store.certificates());
        }
        let certificates = match certificates.as_slice() {
            [] => None,
            _ => Some(TrustStore::from_der(certificates).context("--certificate-chain")?),
        };
        let sigstore = match setup.known().trust {
            Some(trust) => {
                let read = Trust::from_trusted_root(trust.document());
                Some(read.context("the trusted root of the configuration")?)
            }
            None => None,
        };
        Ok(Trusted {
            sigstore,
            keys,
            certificates,
            now: now.as_second(),
            registers: self.register,
        })
    }
}

/// Prints the lines, and shows a bar on a terminal.
struct Printer {
    output: Output,
    json: bool,
    bar: Option<ProgressBar>,
    failed: Option<anyhow::Error>,
}

impl Printer {
    fn new(json: bool) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} files  {eta} left")
                    .expect("the template is fixed and well-formed");
            ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr())
                .with_style(style)
                .with_finish(indicatif::ProgressFinish::AndClear)
        });
        Self {
            output: Output::new(),
            json,
            bar,
            failed: None,
        }
    }

    fn print(&mut self, line: &Line) -> anyhow::Result<()> {
        if self.json {
            return self.output.json(line);
        }
        let what = match (line.line_type, line.kind) {
            (LineType::Agreed, None) => "agreed",
            (_, Some(kind)) => kind.as_str(),
            (_, None) => "",
        };
        let place = match (&line.bundle, &line.entry) {
            (Some(bundle), _) => bundle.clone(),
            (None, Some(entry)) => format!("entry {} of {}", entry.index, entry.log),
            (None, None) => String::new(),
        };
        let text = if place.is_empty() {
            line.summary.clone()
        } else {
            format!("{place}: {}", line.summary)
        };
        let text = escape::terminal(&text);
        self.output.line(&format!("{what:<25}  {text}"))
    }

    fn end(mut self, counts: &Counts) -> anyhow::Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.json {
            let mut summary = json!({
                "type": "summary",
                "agreed": counts.agreed,
                "discrepancies": counts.discrepancies,
                "unanswered": counts.unanswered,
                "not_logged": counts.not_logged,
            });
            if let Some(registered) = counts.registered {
                summary["registered"] = registered.into();
            }
            self.output.json(&summary)?;
        } else {
            self.output.line(&format!(
                "agreed: {}, discrepancies: {}, unanswered: {}, not logged by design: {}",
                counts.agreed, counts.discrepancies, counts.unanswered, counts.not_logged
            ))?;
            if let Some(registered) = counts.registered {
                self.output.line(&format!("registered: {registered}"))?;
            }
        }
        self.output.end()
    }
}

impl Answer for Printer {
    fn line(&mut self, line: &Line) -> bool {
        match self.print(line) {
            Ok(()) => true,
            Err(error) => {
                self.failed = Some(error);
                false
            }
        }
    }

    fn progress(&mut self, done: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(done);
        }
    }
}
