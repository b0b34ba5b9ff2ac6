#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use std::collections::VecDeque;
use std::sync::Mutex as Shared;

use async_trait::async_trait;

use super::*;
use crate::notify::testing::{self, MemoryStore};
use crate::store::Delivery;

const BUDGET: Duration = Duration::from_secs(30);

/// Keeps what it is sent, and answers from its script; takes everything when that is over.
#[derive(Clone, Default)]
struct Told {
    ids: Arc<Shared<Vec<String>>>,
    script: Arc<Shared<VecDeque<Answer>>>,
}

enum Answer {
    Fail(NotifyError),
    Hang,
}

impl Told {
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
impl Notifier for Told {
    async fn send(&self, message: &Message, _: Timestamp) -> Result<(), NotifyError> {
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

fn outbox(store: &Arc<MemoryStore>, channels: &[(&str, &Told)]) -> Outbox {
    let notifiers = channels.iter().map(|(name, told)| {
        let notifier: Box<dyn Notifier> = Box::new((*told).clone());
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
async fn what_is_due_is_told_once() {
    let store = Arc::new(MemoryStore::default());
    let told = Told::default();
    for n in 0..250 {
        store.queue("mail", &format!("alert {n}"), testing::NOW);
    }
    for _ in 0..2 {
        outbox(&store, &[("mail", &told)])
            .drain(testing::NOW, BUDGET)
            .await
            .unwrap();
    }
    assert_eq!(
        told.ids(),
        (0..250).map(|n| format!("alert {n}")).collect::<Vec<_>>()
    );
    assert_eq!(store.row("alert 0").deliveries, [Delivery::Delivered]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_delays_no_other() {
    let store = Arc::new(MemoryStore::default());
    let (hanging, well) = (Told::hanging(), Told::default());
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
    let told = Told::failing([busy()]);
    store.queue("mail", "a", testing::NOW);
    let outbox = outbox(&store, &[("mail", &told)]);
    outbox.drain(testing::NOW, BUDGET).await.unwrap();
    assert!(matches!(store.row("a").due, Some(at) if at >= minutes(1) && at < minutes(2)));
    outbox.drain(testing::NOW, BUDGET).await.unwrap();
    assert!(told.ids().is_empty());
    outbox.drain(minutes(2), BUDGET).await.unwrap();
    assert_eq!(told.ids(), ["a"]);
}

#[tokio::test]
async fn a_channel_that_does_not_work_is_not_tried_with_alert_after_alert() {
    let store = Arc::new(MemoryStore::default());
    let told = Told::failing([busy(), busy(), busy()]);
    for id in ["a", "b", "c"] {
        store.queue("mail", id, testing::NOW);
    }
    let outbox = outbox(&store, &[("mail", &told)]);
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
async fn a_refused_message_does_not_keep_the_next_from_being_told() {
    let store = Arc::new(MemoryStore::default());
    let told = Told::failing([NotifyError::Refused {
        reason: "too large".to_owned(),
    }]);
    store.queue("mail", "a", testing::NOW);
    store.queue("mail", "b", testing::NOW);
    outbox(&store, &[("mail", &told)])
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!(told.ids(), ["b"]);
}

#[tokio::test]
async fn a_channel_that_fails_is_said_on_the_others_in_the_same_drain() {
    let store = Arc::new(MemoryStore::default());
    let (broken, well) = (Told::failing([denied()]), Told::default());
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
async fn one_hiccup_is_not_said_and_two_in_a_row_are_over_restarts() {
    let store = Arc::new(MemoryStore::default());
    let told = Told::failing([busy(), busy()]);
    store.queue("mail", "a", testing::NOW);
    let failing = || store.assessed().last().map_or(0, Vec::len);
    outbox(&store, &[("mail", &told)])
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(), 0);
    outbox(&store, &[("mail", &told)])
        .drain(minutes(5), BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(), 1);
    // Nothing is due: that is no success.
    outbox(&store, &[("mail", &told)])
        .drain(minutes(5), BUDGET)
        .await
        .unwrap();
    assert_eq!(failing(), 1);
    outbox(&store, &[("mail", &told)])
        .drain(minutes(100), BUDGET)
        .await
        .unwrap();
    assert_eq!((failing(), told.ids().len()), (0, 1));
}

#[tokio::test]
async fn what_was_sent_and_not_recorded_is_recorded_not_sent_again() {
    let store = Arc::new(MemoryStore::default());
    let told = Told::default();
    store.queue("mail", "a", testing::NOW);
    store.refuse_next();
    let outbox = outbox(&store, &[("mail", &told)]);
    assert!(outbox.drain(testing::NOW, BUDGET).await.is_err());
    outbox.drain(testing::NOW, BUDGET).await.unwrap();
    assert_eq!(told.ids(), ["a"]);
    assert_eq!(store.row("a").deliveries, [Delivery::Delivered]);
}

#[tokio::test]
async fn a_crash_between_sending_and_recording_sends_again_with_the_same_id() {
    let store = Arc::new(MemoryStore::default());
    let told = Told::default();
    store.queue("mail", "a", testing::NOW);
    store.refuse_next();
    assert!(
        outbox(&store, &[("mail", &told)])
            .drain(testing::NOW, BUDGET)
            .await
            .is_err()
    );
    outbox(&store, &[("mail", &told)])
        .drain(testing::NOW, BUDGET)
        .await
        .unwrap();
    assert_eq!(told.ids(), ["a", "a"]);
}

#[tokio::test]
async fn an_alert_is_given_up_after_three_days_of_trying() {
    let store = Arc::new(MemoryStore::default());
    let told = Told::failing((0..1000).map(|_| busy()));
    store.queue("mail", "a", testing::NOW);
    let outbox = outbox(&store, &[("mail", &told)]);
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
    let (a, b) = (Told::default(), Told::default());
    let outbox = outbox(&store, &[("a", &a), ("b", &b)]);
    assert_eq!(outbox.channels().await, ["a", "b"]);
    outbox.send_test("b", testing::NOW).await.unwrap();
    assert_eq!((a.ids().len(), b.ids().len()), (0, 1));
    let error = outbox.send_test("c", testing::NOW).await;
    assert!(matches!(error, Err(NotifyError::NoSuchChannel(_))));
}

#[tokio::test(start_paused = true)]
async fn past_the_store_only_the_named_channels_are_told_and_none_holds_up_another() {
    let store = Arc::new(MemoryStore::default());
    let (good, hanging, failing, unnamed) = (
        Told::default(),
        Told::hanging(),
        Told::failing([busy()]),
        Told::default(),
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
    let tell = async |second| {
        let now = Timestamp::from_second(second).unwrap();
        let refused = outbox
            .send_past_the_store(&named, finding.clone(), now)
            .await;
        refused
            .into_iter()
            .map(|(channel, _)| channel)
            .collect::<Vec<_>>()
    };
    assert_eq!(tell(7).await, ["hanging", "failing"]);
    assert_eq!(tell(8).await, Vec::<String>::new(), "they are tried anew");
    let id = testing::signing(0).id;
    assert_eq!(good.ids(), [format!("{id}-7"), format!("{id}-8")]);
    assert!(unnamed.ids().is_empty() && store.assessed().is_empty());
}
