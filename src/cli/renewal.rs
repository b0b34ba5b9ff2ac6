//! Newer trust, looked for beside the passes: none of them waits for a repository to answer.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::output::time;
use crate::escape;
use crate::http;
use crate::trust::{Ask, Keeper, Refreshed, Trust};

/// What keeps trust up to date, at home or on its way.
pub(super) struct Renewal {
    /// `None` while it is asking, or if no trust is configured.
    keeper: Option<Keeper>,
    /// What it knew when it left.
    known: Refreshed,
    away: Option<JoinHandle<Keeper>>,
    is_configured: bool,
}

impl Renewal {
    pub(super) fn new(keeper: Option<Keeper>) -> Self {
        let known = keeper.as_ref().map_or_else(
            || Refreshed {
                trust: None,
                update: None,
                problem: None,
            },
            Keeper::known,
        );
        Self {
            is_configured: keeper.is_some(),
            keeper,
            known,
            away: None,
        }
    }

    /// Whether trust is configured.
    pub(super) const fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// What is trusted now, and what came of asking for newer trust.
    pub(super) fn known(&self) -> Refreshed {
        self.known.clone()
    }

    /// Looks for newer trust and waits for it: at a start, when nothing else can be done. `in_any_case`, or if it is due.
    pub(super) async fn look(&mut self, http: &http::Client, in_any_case: bool, now: Timestamp) {
        if let Some(keeper) = &mut self.keeper {
            if in_any_case {
                keeper.refresh(http, now).await;
            } else {
                keeper.refresh_if_due(http, now).await;
            }
            self.come_home();
        }
    }

    /// Begins to look for newer trust if that is due. A file is read at once, a repository asked beside what goes on.
    pub(super) async fn begin_if_due(&mut self, http: &http::Client, now: Timestamp) {
        if self.away.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finished().await;
        }
        match &mut self.keeper {
            Some(keeper) if !keeper.asks_somebody() => {
                keeper.refresh(http, now).await;
                self.come_home();
            }
            Some(keeper) if keeper.is_due(now) => self.begin(http, now),
            _ => {}
        }
    }

    /// Begins to look for newer trust because of these, if the last time was long enough ago. Answers whether it did.
    pub(super) fn ask(&mut self, asks: &[Ask], http: &http::Client, now: Timestamp) -> bool {
        let grants = |keeper: &mut Keeper| keeper.asks(asks, now);
        let is_granted = self.keeper.as_mut().is_some_and(grants);
        if is_granted {
            tracing::info!("newer trust is asked for: it may explain what was found");
            self.begin(http, now);
        }
        is_granted
    }

    fn begin(&mut self, http: &http::Client, now: Timestamp) {
        if let Some(mut keeper) = self.keeper.take() {
            let http = http.clone();
            self.away = Some(tokio::spawn(async move {
                keeper.refresh(&http, now).await;
                keeper
            }));
        }
    }

    /// Waits until what was begun is over; without end if nothing was. May be dropped and called again.
    pub(super) async fn finished(&mut self) {
        let Some(away) = &mut self.away else {
            return std::future::pending().await;
        };
        let ended = away.await;
        self.away = None;
        match ended {
            Ok(keeper) => {
                self.keeper = Some(keeper);
                self.come_home();
            }
            // Only a bug gets here: let it be seen as one.
            Err(panic) if panic.is_panic() => std::panic::resume_unwind(panic.into_panic()),
            Err(_) => {}
        }
    }

    /// Goes back to what was trusted before, because the newest cannot be worked with. It is tried again.
    pub(super) fn refuse(&mut self, before: Arc<Trust>, said: String) {
        if let Some(keeper) = &mut self.keeper {
            keeper.refuse(before, said);
            self.known = keeper.known();
        }
    }

    /// Takes over what the keeper knows now, and says a new problem, with what trust rests on meanwhile.
    fn come_home(&mut self) {
        let Some(keeper) = &self.keeper else { return };
        let known = keeper.known();
        if known.problem != self.known.problem
            && let (Some(problem), Some(_)) = (&known.problem, &known.trust)
        {
            let since = known.update.map_or_else(String::new, |update| {
                format!(", verified {}", time(update.refreshed))
            });
            tracing::warn!(
                "trust was not renewed, what was known before{since}, goes on serving: {}",
                escape::terminal(&problem.to_string())
            );
        }
        self.known = known;
    }
}
