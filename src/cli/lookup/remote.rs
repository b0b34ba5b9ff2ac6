//! `lookup --remote`: search indexes of Rekor v1, also without a configuration.

use std::path::Path;

use super::args::Args;
use crate::cli::output::{self, Mistake};
use crate::clock;
use crate::judge::Rules;
use crate::lookup::{self, Answer, LookupError, Question, Remote};
use crate::service::search;
use crate::watch::Watches;

/// Asks the search indexes.
pub(super) async fn run(question: &Question, args: &Args, config: &Path) -> anyhow::Result<Answer> {
    let indexes = match &args.trusted_root {
        Some(file) => search::of_trusted_root(file).await?,
        None => search::of_configuration(config, output::warn).await?,
    };
    if indexes.logs.is_empty() {
        let why = "the trusted root names no Rekor v1 log whose search index could be asked";
        return Err(Mistake(why.to_owned()).into());
    }
    let rules = Rules::new(Watches::compile(Vec::new())?, Some(indexes.authorities));
    let world = Remote {
        logs: &indexes.logs,
        rules: &rules,
        now: clock::now(),
    };
    match lookup::remote(question, &world).await {
        Err(error @ LookupError::NotInIndex) => Err(Mistake(error.to_string()).into()),
        Err(error @ LookupError::UnknownLog(_)) => {
            let names: Vec<&str> = indexes.logs.iter().map(|log| log.name.as_str()).collect();
            Err(Mistake(format!("{error}: {}", names.join(", "))).into())
        }
        answer => Ok(answer?),
    }
}
