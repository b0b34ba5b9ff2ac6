//! A store in memory with only the outbox, which can refuse to write.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::finding::Finding;
use crate::store::{
    Alerts, Condition, Conditions, Delivery, FindingCounts, QueuedAlert, QueuedKind, Scope,
    StoreError, Values,
};

/// One alert of the outbox.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Row {
    pub(in crate::notify) channel: String,
    pub(in crate::notify) alert: QueuedAlert,
    pub(in crate::notify) findings: Vec<Finding>,
    /// When it is tried; `None` once it is delivered or given up.
    pub(in crate::notify) due: Option<Timestamp>,
    pub(in crate::notify) deliveries: Vec<Delivery>,
}

#[derive(Default)]
pub(in crate::notify) struct MemoryStore {
    rows: Mutex<Vec<Row>>,
    memory: Mutex<HashMap<String, String>>,
    assessed: Mutex<Vec<Vec<Condition>>>,
    /// Outcomes of the next `record_delivery`: whether it is refused.
    refusals: Mutex<VecDeque<bool>>,
}

impl MemoryStore {
    /// Queues an alert with one finding, due at once.
    pub(in crate::notify) fn queue(&self, channel: &str, id: &str, now: Timestamp) {
        let mut rows = self.rows.lock().unwrap();
        let finding = super::signing(rows.len() as u64);
        rows.push(Row {
            channel: channel.to_owned(),
            alert: QueuedAlert {
                id: id.to_owned(),
                kind: QueuedKind::Alert,
                key: id.to_owned(),
                severity: finding.severity,
                findings: 1,
                created: now,
                attempts: 0,
                reached: Vec::new(),
            },
            findings: vec![finding],
            due: Some(now),
            deliveries: Vec::new(),
        });
    }

    pub(in crate::notify) fn row(&self, id: &str) -> Row {
        let rows = self.rows.lock().unwrap();
        rows.iter().find(|row| row.alert.id == id).unwrap().clone()
    }

    /// The conditions of channels, for each report.
    pub(in crate::notify) fn assessed(&self) -> Vec<Vec<Condition>> {
        self.assessed.lock().unwrap().clone()
    }

    /// The next attempt to record a delivery fails.
    pub(in crate::notify) fn refuse_next(&self) {
        self.refusals.lock().unwrap().push_back(true);
    }
}

fn full() -> StoreError {
    StoreError::Full {
        path: "memory".into(),
    }
}

#[async_trait]
impl Conditions for MemoryStore {
    /// Queues new conditions on every channel except the failing one, as a store does.
    async fn assess(
        &self,
        _: &Scope,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut assessed = self.assessed.lock().unwrap();
        let known = assessed.last().cloned().unwrap_or_default();
        assessed.push(conditions.to_vec());
        drop(assessed);
        let channels: std::collections::BTreeSet<_> = self
            .rows
            .lock()
            .unwrap()
            .iter()
            .map(|row| row.channel.clone())
            .collect();
        for condition in conditions {
            if known.iter().any(|known| known.subject == condition.subject) {
                continue;
            }
            for channel in &channels {
                if condition.except_channel.as_ref() != Some(channel) {
                    self.queue(
                        channel,
                        &format!("{} fails, for {channel}", condition.subject),
                        now,
                    );
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Alerts for MemoryStore {
    async fn claim_alerts(
        &self,
        channel: &str,
        _: u32,
        now: Timestamp,
    ) -> Result<Vec<QueuedAlert>, StoreError> {
        let rows = self.rows.lock().unwrap();
        let due = rows
            .iter()
            .filter(|row| row.channel == channel && row.due.is_some_and(|due| due <= now));
        Ok(due.take(100).map(|row| row.alert.clone()).collect())
    }

    async fn alert_findings(&self, alert: &str, _: u32) -> Result<Vec<Finding>, StoreError> {
        Ok(self.row(alert).findings)
    }

    async fn alert_counts(&self, _: &str) -> Result<Vec<FindingCounts>, StoreError> {
        Ok(Vec::new())
    }

    async fn record_delivery(
        &self,
        alert: &str,
        delivery: &Delivery,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        if self.refusals.lock().unwrap().pop_front() == Some(true) {
            return Err(full());
        }
        let mut rows = self.rows.lock().unwrap();
        let row = rows.iter_mut().find(|row| row.alert.id == alert).unwrap();
        row.alert.attempts += 1;
        row.due = match delivery {
            Delivery::Retry { at, reached, .. } => {
                row.alert.reached.clone_from(reached);
                Some(*at)
            }
            Delivery::Delivered | Delivery::GaveUp { .. } => None,
        };
        row.deliveries.push(delivery.clone());
        Ok(())
    }
}

#[async_trait]
impl Values for MemoryStore {
    async fn get_value(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.memory.lock().unwrap().get(key).cloned())
    }

    async fn put_value(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let mut memory = self.memory.lock().unwrap();
        memory.insert(key.to_owned(), value.to_owned());
        Ok(())
    }
}
