//! What every way of asking has in common.

use crate::cli::output::Mistake;
use crate::clock;
use crate::lookup::{self, Answer, LookupError, Question, World};
use crate::service::Setup;
use crate::store::Store;

/// Asks the findings.
pub(super) async fn findings(
    question: &Question,
    setup: &Setup,
    store: &dyn Store,
) -> anyhow::Result<Answer> {
    let world = world(setup, store)?;
    answered(lookup::from_findings(question, &world).await, setup)
}

/// What is looked at.
pub(super) fn world<'a>(setup: &'a Setup, store: &'a dyn Store) -> anyhow::Result<World<'a>> {
    Ok(World {
        store,
        logs: setup.logs(),
        waiting: setup.waiting_for_trust(),
        rules: setup.rules_so_far()?,
        now: clock::now(),
    })
}

/// The answer, or the mistake in the question.
pub(super) fn answered(
    answer: Result<Answer, LookupError>,
    setup: &Setup,
) -> anyhow::Result<Answer> {
    match answer {
        Err(error @ LookupError::UnknownLog(_)) => {
            Err(Mistake(format!("{error}: {}", setup.log_names())).into())
        }
        Err(error @ LookupError::Conditions(_)) => Err(Mistake(error.to_string()).into()),
        answer => Ok(answer?),
    }
}
