#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

mod services;

use std::collections::VecDeque;
use std::sync::Mutex as Shared;

use async_trait::async_trait;

use super::*;
use crate::notify::testing::{self, MemoryStore};
use crate::notify::{Receipt, Unreached};
use crate::store::Delivery;

const BUDGET: Duration = Duration::from_secs(30);

/// Records the messages, and answers from its script; accepts everything when the script has ended.
#[derive(Clone, Default)]
struct Recorder {
    ids: Arc<Shared<Vec<String>>>,
    script: Arc<Shared<VecDeque<Answer>>>,
}

enum Answer {
    Fail(NotifyError),
    Hang,
}

impl Recorder {
    fn failing(errors: impl IntoIterator<Item = NotifyError>) -> Self {
        Self {
            script: Arc::new(Shared::new(errors.into_iter().map(Answer::Fail).collect())),
            ..Self::default()
        }
    }

    fn hanging() -> Self {
        Self {
            script: Arc::new(Shared::new([Answer::Hang].into())),
            ..Self::default()
        }
    }

    fn ids(&self) -> Vec<String> {
        self.ids.lock().unwrap().clone()
    }
}

#[async_trait]
impl Notifier for Recorder {
    async fn send_to_rest(
        &self,
        message: &Message,
        _: &mut Receipt,
        _: Timestamp,
    ) -> Result<(), NotifyError> {
        let answer = self.script.lock().unwrap().pop_front();
        match answer {
            None => {
                self.ids.lock().unwrap().push(message.id.clone());
                Ok(())
            }
            Some(Answer::Fail(error)) => Err(error),
            Some(Answer::Hang) => std::future::pending().await,
        }
    }
}

fn outbox(store: &Arc<MemoryStore>, channels: &[(&str, &Recorder)]) -> Outbox<MemoryStore> {
    let notifiers = channels.iter().map(|(name, recorder)| {
        let notifier: Box<dyn Notifier> = Box::new((*recorder).clone());
        ((*name).to_owned(), notifier)
    });
    Outbox::over(store.clone(), notifiers)
}

fn busy() -> NotifyError {
    NotifyError::unavailable("busy".to_owned())
}

fn denied() -> NotifyError {
    NotifyError::Denied {
        reason: "wrong password".to_owned(),
    }
}

fn minutes(minutes: u64) -> Timestamp {
    testing::NOW + Duration::from_secs(60 * minutes)
}

#[tokio::test]
async fn a_due_alert_is_sent_once() {
    let store = Arc::new(MemoryStore::default());
    let sent = Recorder::default();
    for n in 0..250 {
        store.queue("mail", &format!("alert {n}"), testing::NOW);
    }
    for _ in 0..2 {
        outbox(&store, &[("mail", &sent)])
            .drain(testing::NOW, BUDGET)
            .await
            .unwrap();
    }
    assert_eq!(
        sent.ids(),
        (0..250).map(|n| format!("alert {n}")).collect::<Vec<_>>()
    );
    assert_eq!(store.row("alert 0").deliveries, [Delivery::Delivered]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_delays_no_other() {
    let store = Arc::new(MemoryStore::default());
    let (hanging, well) = (Recorder::hanging(), Recorder::default());
    store.queue("hanging", "a", testing::NOW);
    store.queue("well", "b", testing::NOW);
    let drained = outbox(&store, &[("hanging", &hanging), ("well", &well)])
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!((drained.delivered, drained.postponed), (1, 1));
    assert_eq!(well.ids(), ["b"]);
    assert!(matches!(
        store.row("a").deliveries[..],
        [Delivery::Retry { .. }]
    ));
}

#[tokio::test]
async fn a_failed_alert_is_tried_again_after_its_delay_with_the_same_id() {
    let store = Arc::new(MemoryStore::default());
    let sent = Recorder::failing([busy()]);
    store.queue("mail", "a", testing::NOW);
    let outbox = outbox(&store, &[("mail", &sent)]);
    outbox.drain(testing::NOW, BUDGET).await.unwrap();
    assert!(matches!(store.row("a").due, Some(at) if at >= minutes(1) && at < minutes(2)));
    outbox.drain(testing::NOW, BUDGET).await.unwrap();
    assert!(sent.ids().is_empty());
    outbox.drain(minutes(2), BUDGET).await.unwrap();
    assert_eq!(sent.ids(), ["a"]);
}

#[tokio::test]
async fn a_channel_that_does_not_work_is_not_tried_with_alert_after_alert() {
    let store = Arc::new(MemoryStore::default());
    let sent = Recorder::failing([busy(), busy(), busy()]);
    for id in ["a", "b", "c"] {
        store.queue("mail", id, testing::NOW);
    }
    let outbox = outbox(&store, &[("mail", &sent)]);
    for _ in 0..3 {
        outbox.drain(testing::NOW, BUDGET).await.unwrap();
    }
    assert!(store.row("b").deliveries.is_empty());
    // New ones are tried soon, though the first waits longer and longer.
    outbox.drain(minutes(1), BUDGET).await.unwrap();
    let tried = |id: &str| store.row(id).deliveries.len();
    assert_eq!(tried("a") + tried("b") + tried("c"), 2);
}

#[tokio::test]
async fn a_refused_message_does_not_block_the_next() {
    let store = Arc::new(MemoryStore::default());
    let sent = Recorder::failing([NotifyError::Refused {
        reason: "too large".to_owned(),
    }]);
    store.queue("mail", "a", testing::NOW);
    store.queue("mail", "b", testing::NOW);
    outbox(&store, &[("mail", &sent)])
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!(sent.ids(), ["b"]);
}

#[tokio::test]
async fn a_failing_channel_is_reported_on_the_others_in_the_same_drain() {
    let store = Arc::new(MemoryStore::default());
    let (broken, well) = (Recorder::failing([denied()]), Recorder::default());
    store.queue("broken", "a", testing::NOW);
    store.queue("well", "b", testing::NOW);
    outbox(&store, &[("broken", &broken), ("well", &well)])
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!(well.ids(), ["b", "broken fails, for well"]);
    let assessed = store.assessed();
    let [condition] = &assessed[0][..] else {
        panic!("{assessed:?}");
    };
    assert_eq!(condition.verdict, Verdict::NotifierFailing);
    assert_eq!(condition.except_channel.as_deref(), Some("broken"));
    assert_eq!(
        condition.summary,
        "the channel broken does not deliver: wrong password"
    );
}

#[tokio::test]
async fn one_failure_is_not_reported_and_two_in_a_row_are_also_over_restarts() {
    let store = Arc::new(MemoryStore::default());
    let sent = Recorder::failing([busy(), busy()]);
    store.queue("mail", "a", testing::NOW);
    let failing = || store.assessed().last().map_or(0, Vec::len);
    outbox(&store, &[("mail", &sent)])
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(), 0);
    outbox(&store, &[("mail", &sent)])
        .drain(minutes(5), BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(), 1);
    // Nothing is due: that is not a success.
    outbox(&store, &[("mail", &sent)])
        .drain(minutes(5), BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(), 1);
    outbox(&store, &[("mail", &sent)])
        .drain(minutes(100), BUDGET)
        .await
        .unwrap();
    assert_eq!((failing(), sent.ids().len()), (0, 1));
}

#[tokio::test]
async fn what_was_sent_and_not_recorded_is_recorded_not_sent_again() {
    let store = Arc::new(MemoryStore::default());
    let sent = Recorder::default();
    store.queue("mail", "a", testing::NOW);
    store.refuse_next();
    let outbox = outbox(&store, &[("mail", &sent)]);
    assert!(outbox.drain(testing::NOW, BUDGET).await.is_err());
    outbox.drain(testing::NOW, BUDGET).await.unwrap();
    assert_eq!(sent.ids(), ["a"]);
    assert_eq!(store.row("a").deliveries, [Delivery::Delivered]);
}

#[tokio::test]
async fn a_crash_between_sending_and_recording_sends_again_with_the_same_id() {
    let store = Arc::new(MemoryStore::default());
    let sent = Recorder::default();
    store.queue("mail", "a", testing::NOW);
    store.refuse_next();
    assert!(
        outbox(&store, &[("mail", &sent)])
            .drain(testing::NOW, BUDGET)
            .await
            .is_err()
    );
    outbox(&store, &[("mail", &sent)])
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!(sent.ids(), ["a", "a"]);
}

#[tokio::test]
async fn an_alert_is_given_up_after_three_days_of_trying() {
    let store = Arc::new(MemoryStore::default());
    let sent = Recorder::failing((0..1000).map(|_| busy()));
    store.queue("mail", "a", testing::NOW);
    let outbox = outbox(&store, &[("mail", &sent)]);
    let mut gave_up_at = None;
    for hour in 0..100 {
        let drained = outbox.drain(minutes(61 * hour), BUDGET).await.unwrap();
        if drained.gave_up > 0 {
            gave_up_at = Some(hour);
            break;
        }
    }
    assert!(matches!(gave_up_at, Some(71..=73)), "{gave_up_at:?}");
    assert!(matches!(
        store.row("a").deliveries.last(),
        Some(Delivery::GaveUp { .. })
    ));
    assert_eq!(store.row("a").due, None);
}

#[tokio::test]
async fn a_test_goes_over_the_channel_that_is_named() {
    let store = Arc::new(MemoryStore::default());
    let (a, b) = (Recorder::default(), Recorder::default());
    let outbox = outbox(&store, &[("a", &a), ("b", &b)]);
    outbox.send_test("b", testing::NOW).await.unwrap();
    assert_eq!((a.ids().len(), b.ids().len()), (0, 3));
    let error = outbox.send_test("c", testing::NOW).await;
    assert!(matches!(error, Err(NotifyError::NoSuchChannel(_))));
}

#[tokio::test(start_paused = true)]
async fn without_the_store_only_the_named_channels_get_the_message_and_none_delays_another() {
    let store = Arc::new(MemoryStore::default());
    let (good, hanging, failing, unnamed) = (
        Recorder::default(),
        Recorder::hanging(),
        Recorder::failing([busy()]),
        Recorder::default(),
    );
    let channels = [
        ("good", &good),
        ("hanging", &hanging),
        ("failing", &failing),
        ("unnamed", &unnamed),
    ];
    let outbox = outbox(&store, &channels);
    let named = ["good", "hanging", "failing"].map(str::to_owned);
    let finding = testing::signing(0);
    let send = async |second| {
        let now = Timestamp::from_second(second).unwrap();
        let refused = outbox
            .send_past_the_store(&named, finding.clone(), now)
            .await;
        refused
            .into_iter()
            .map(|(channel, _)| channel)
            .collect::<Vec<_>>()
    };
    assert_eq!(send(7).await, ["hanging", "failing"]);
    assert_eq!(send(8).await, Vec::<String>::new(), "they are tried again");
    let id = testing::signing(0).id;
    assert_eq!(good.ids(), [format!("{id}-7"), format!("{id}-8")]);
    assert!(unnamed.ids().is_empty() && store.assessed().is_empty());
}

/// A channel with several recipients, some of whom the server refuses.
#[derive(Clone, Default)]
struct Several {
    refusing: Arc<Shared<Vec<(&'static str, bool)>>>,
    sent: Arc<Shared<Vec<(String, String)>>>,
}

const RECIPIENTS: [&str; 3] = ["a@corp.example", "b@corp.example", "c@corp.example"];

impl Several {
    fn refuse(&self, refused: &[(&'static str, bool)]) {
        *self.refusing.lock().unwrap() = refused.to_vec();
    }

    /// How often this message was sent to each recipient.
    fn sent(&self, id: &str) -> [usize; 3] {
        let sent = self.sent.lock().unwrap();
        RECIPIENTS.map(|to| {
            sent.iter()
                .filter(|(who, what)| who == to && what == id)
                .count()
        })
    }
}

#[async_trait]
impl Notifier for Several {
    async fn send_to_rest(
        &self,
        message: &Message,
        receipt: &mut Receipt,
        _: Timestamp,
    ) -> Result<(), NotifyError> {
        let refusing = self.refusing.lock().unwrap();
        let mut unreached = Vec::new();
        for to in RECIPIENTS {
            if receipt.reached.contains(to) {
                continue;
            }
            match refusing.iter().find(|(refused, _)| *refused == to) {
                None => {
                    receipt.reached.insert(to.to_owned());
                    let mut sent = self.sent.lock().unwrap();
                    sent.push((to.to_owned(), message.id.clone()));
                }
                Some((_, for_good)) => unreached.push(Unreached {
                    recipient: to.to_owned(),
                    reason: "550 no such user".to_owned(),
                    for_good: *for_good,
                }),
            }
        }
        if unreached.is_empty() {
            return Ok(());
        }
        Err(NotifyError::Recipients {
            server: "smtp://mail.example:587".to_owned(),
            unreached,
            reached: receipt.reached.len(),
        })
    }

    fn is_recipient(&self, name: &str) -> bool {
        RECIPIENTS.contains(&name)
    }
}

fn mail(store: &Arc<MemoryStore>, several: &Several) -> Outbox<MemoryStore> {
    let notifier: Box<dyn Notifier> = Box::new(several.clone());
    Outbox::over(store.clone(), [("mail".to_owned(), notifier)])
}

fn failing(store: &MemoryStore) -> Vec<String> {
    let last = store.assessed().pop().unwrap_or_default();
    last.into_iter()
        .map(|condition| condition.summary)
        .collect()
}

#[tokio::test]
async fn a_recipient_who_has_the_alert_does_not_get_it_again_because_another_is_refused() {
    let store = Arc::new(MemoryStore::default());
    let several = Several::default();
    several.refuse(&[("b@corp.example", true)]);
    store.queue("mail", "a", testing::NOW);
    store.queue("mail", "b", testing::NOW);
    // Each drain is by another process: its state is in the store.
    for n in 0..5 {
        mail(&store, &several)
            .drain(minutes(200 * n), BUDGET)
            .await
            .unwrap();
    }
    assert_eq!(
        (several.sent("a"), several.sent("b")),
        ([1, 0, 1], [1, 0, 1])
    );
    assert_eq!(
        failing(&store),
        ["the channel mail delivers, but not to b@corp.example (550 no such user)"]
    );
    let conditions = store.assessed();
    let on_every_channel = conditions
        .iter()
        .flatten()
        .all(|condition| condition.except_channel.is_none());
    assert!(
        on_every_channel,
        "the other recipients get the report on the same channel"
    );
    // After the repair the waiting alerts are sent, and the finding ends.
    several.refuse(&[]);
    let drained = mail(&store, &several)
        .drain(minutes(2000), BUDGET)
        .await
        .unwrap();
    assert!(drained.delivered >= 2, "{drained:?}");
    assert_eq!(
        (several.sent("a"), several.sent("b")),
        ([1, 1, 1], [1, 1, 1])
    );
    assert_eq!(failing(&store), Vec::<String>::new());
}

#[tokio::test]
async fn a_recipient_that_is_to_be_tried_again_is_reported_at_the_second_failure() {
    let store = Arc::new(MemoryStore::default());
    let several = Several::default();
    several.refuse(&[("b@corp.example", false)]);
    store.queue("mail", "a", testing::NOW);
    mail(&store, &several)
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(&store), Vec::<String>::new(), "greylisted");
    mail(&store, &several)
        .drain(minutes(5), BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(&store).len(), 1);
    several.refuse(&[]);
    mail(&store, &several)
        .drain(minutes(100), BUDGET)
        .await
        .unwrap();
    assert_eq!(several.sent("a"), [1, 1, 1]);
    assert_eq!(failing(&store), Vec::<String>::new());
}

#[tokio::test]
async fn one_reached_recipient_does_not_end_the_failure_of_another() {
    let store = Arc::new(MemoryStore::default());
    let several = Several::default();
    several.refuse(&[("b@corp.example", true)]);
    store.queue("mail", "a", testing::NOW);
    mail(&store, &several)
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    // Another alert waits for c alone; when c has it, b is as it was.
    several.refuse(&[("c@corp.example", true)]);
    store.queue("mail", "b", minutes(0));
    mail(&store, &several)
        .drain(minutes(0), BUDGET)
        .await
        .unwrap();
    several.refuse(&[("b@corp.example", true)]);
    mail(&store, &several)
        .drain(minutes(100), BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(&store).len(), 1);
    assert!(
        failing(&store)[0].contains("b@corp.example"),
        "{:?}",
        failing(&store)
    );
}

#[tokio::test]
async fn a_channel_that_reaches_no_recipient_fails_as_a_whole() {
    let store = Arc::new(MemoryStore::default());
    let several = Several::default();
    several.refuse(&RECIPIENTS.map(|to| (to, true)));
    store.queue("mail", "a", testing::NOW);
    mail(&store, &several)
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    let condition = store.assessed()[0][0].clone();
    assert_eq!(condition.except_channel.as_deref(), Some("mail"));
    assert!(
        condition
            .summary
            .starts_with("the channel mail does not deliver: ")
    );
}

#[tokio::test]
async fn an_accepted_test_message_resets_the_failures() {
    let store = Arc::new(MemoryStore::default());
    let several = Several::default();
    several.refuse(&[("b@corp.example", true)]);
    store.queue("mail", "a", testing::NOW);
    let daemon = mail(&store, &several);
    daemon.drain(testing::NOW, BUDGET).await.unwrap();
    assert_eq!(failing(&store).len(), 1);
    several.refuse(&[]);
    mail(&store, &several)
        .send_test("mail", testing::NOW)
        .await
        .unwrap();
    // Nothing is due: the daemon reads it from the store.
    daemon.drain(testing::NOW, BUDGET).await.unwrap();
    assert_eq!(failing(&store), Vec::<String>::new());
}
