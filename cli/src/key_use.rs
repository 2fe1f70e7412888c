//! What each encryption key is still needed for, in words: for `keyway doctor` and `keyway rotate-keys`.

use chrono::{DateTime, Utc};
use keyway_shared::domain::key_rotation::{
    KeyHolder, KeyRotation, KeyUse, RotationState, UnopenedRow,
};
use keyway_shared::store::{ALIVE_WITHIN, RememberedRequests, Store, StoreError};

/// What is sealed with which key, and by whom.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The ring, the key that seals first.
    ids: Vec<String>,
    pub(crate) uses: Vec<KeyUse>,
    /// The processes that have shown themselves lately.
    pub(crate) holders: Vec<KeyHolder>,
    requests: Vec<RememberedRequests>,
    /// The last rotation.
    pub(crate) rotation: Option<KeyRotation>,
}

/// Whether a key other than the first may be taken off the ring.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// That many rows need it.
    Needed(i64),
    /// Those processes seal with it.
    Sealing(Vec<String>),
    /// Nothing needs it, but that many requests are recognised by it until then.
    Remembered(i64, DateTime<Utc>),
    /// Nothing needs it.
    Unused,
}

impl Keys {
    pub(crate) async fn look(store: &Store) -> Result<Self, StoreError> {
        let mut tx = store.begin_read().await?;
        let now = tx.now().await?;
        let keys = Self {
            ids: store.key_ids().map(ToOwned::to_owned).collect(),
            uses: tx.key_uses().await?,
            holders: tx.key_holders(now - ALIVE_WITHIN).await?,
            requests: tx.remembered_requests(now).await?,
            rotation: tx.last_rotation().await?,
        };
        tx.commit().await?;
        Ok(keys)
    }

    /// The key that seals.
    pub(crate) fn first(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// How many rows are sealed with a key.
    fn rows(&self, key_id: &str) -> i64 {
        let of_key = self.uses.iter().filter(|held| held.key_id == key_id);
        of_key.map(|held| held.rows).sum()
    }

    /// How many rows are sealed with another key than the first.
    pub(crate) fn behind(&self) -> i64 {
        let others = self.uses.iter().filter(|held| held.key_id != self.first());
        others.map(|held| held.rows).sum()
    }

    /// The keys of the ring after the first, and whether they may go.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, Verdict)> {
        let others = self.ids.iter().skip(1);
        others.map(|id| (id.as_str(), self.verdict(id)))
    }

    fn verdict(&self, id: &str) -> Verdict {
        let rows = self.rows(id);
        let sealing = self.holders.iter().filter(|held| held.active_key_id == id);
        let sealing: Vec<_> = sealing.map(|held| held.id.clone()).collect();
        let requests = self.requests.iter().find(|request| request.key_id == id);
        match requests {
            _ if rows > 0 => Verdict::Needed(rows),
            _ if !sealing.is_empty() => Verdict::Sealing(sealing),
            Some(requests) => Verdict::Remembered(requests.count, requests.until),
            None => Verdict::Unused,
        }
    }

    /// Keys that rows name and that the ring does not hold, with the number of those rows.
    pub(crate) fn missing(&self) -> Vec<(&str, i64)> {
        let mut missing: Vec<(&str, i64)> = Vec::new();
        for held in &self.uses {
            if self.ids.contains(&held.key_id) {
                continue;
            }
            match missing.iter_mut().find(|(id, _)| *id == held.key_id) {
                Some((_, rows)) => *rows += held.rows,
                None => missing.push((&held.key_id, held.rows)),
            }
        }
        missing
    }

    /// What the last rotation to this key could not open.
    pub(crate) fn unopened(&self) -> Option<(i64, &[UnopenedRow])> {
        let rotation = self.rotation.as_ref()?;
        let counts = rotation.key_id == self.first() && rotation.failed > 0 && self.behind() > 0;
        counts.then_some((rotation.failed, rotation.failures.as_slice()))
    }

    /// A sentence for each key of the ring, and one for a rotation that runs.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let first = self.first();
        let mut sentences = vec![format!("'{first}' seals ({} rows)", self.rows(first))];
        let running = |rotation: &&KeyRotation| rotation.state == RotationState::Running;
        sentences.extend(self.rotation.as_ref().filter(running).map(|rotation| {
            format!(
                "a rotation to '{}' runs ({} of {} rows)",
                rotation.key_id, rotation.done, rotation.total
            )
        }));
        sentences.extend(self.others().map(|(id, verdict)| match verdict {
            Verdict::Needed(rows) => {
                format!("'{id}' is needed for {rows} rows ({})", self.places(id))
            }
            Verdict::Sealing(processes) => {
                format!("'{id}' is what {} seals with", processes.join(", "))
            }
            Verdict::Remembered(count, until) => format!(
                "'{id}' can be dropped after {}: until then {count} requests with an Idempotency-Key \
                 are recognised by it",
                until.format("%F %T UTC")
            ),
            Verdict::Unused if self.rotated() => format!("'{id}' is not used and can be dropped"),
            // It may be the old one, or the next one.
            Verdict::Unused => {
                format!("nothing is sealed with '{id}': it can be dropped, unless it is to be put first")
            }
        }));
        sentences
    }

    /// Whether the last rotation was to the key that seals, and has ended.
    fn rotated(&self) -> bool {
        self.rotation.as_ref().is_some_and(|rotation| {
            rotation.key_id == self.first() && rotation.finished_at.is_some()
        })
    }

    /// Where the rows of a key are.
    fn places(&self, id: &str) -> String {
        let of_key = self.uses.iter().filter(|held| held.key_id == id);
        let places: Vec<_> = of_key
            .map(|held| format!("{}.{}: {}", held.table, held.column, held.rows))
            .collect();
        places.join(", ")
    }
}

/// One line for a row that does not open.
pub(crate) fn name(row: &UnopenedRow) -> String {
    format!(
        "{} {} ({}, key '{}'): {}",
        row.table, row.id, row.column, row.key_id, row.fault
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(uses: &[(&str, i64)], sealing: &[&str]) -> Keys {
        Keys {
            ids: vec!["k2".into(), "k1".into()],
            uses: uses
                .iter()
                .map(|(id, rows)| KeyUse {
                    key_id: (*id).to_owned(),
                    table: "secrets".into(),
                    column: "ciphertext".into(),
                    rows: *rows,
                })
                .collect(),
            holders: sealing
                .iter()
                .map(|id| KeyHolder {
                    id: "worker-1".into(),
                    role: "worker".into(),
                    active_key_id: (*id).to_owned(),
                    key_ids: Vec::new(),
                })
                .collect(),
            requests: Vec::new(),
            rotation: None,
        }
    }

    #[test]
    fn a_key_goes_when_nothing_needs_it_and_nobody_seals_with_it() {
        let verdict = |keys: Keys| keys.others().next().unwrap().1;
        assert_eq!(
            verdict(keys(&[("k2", 9), ("k1", 3)], &[])),
            Verdict::Needed(3)
        );
        let sealing = Verdict::Sealing(vec!["worker-1".into()]);
        assert_eq!(verdict(keys(&[("k2", 9)], &["k2", "k1"])), sealing);
        assert_eq!(verdict(keys(&[("k2", 9)], &["k2"])), Verdict::Unused);
        let mut remembered = keys(&[], &[]);
        remembered.requests.push(RememberedRequests {
            key_id: "k1".into(),
            count: 4,
            until: DateTime::UNIX_EPOCH,
        });
        assert_eq!(
            verdict(remembered),
            Verdict::Remembered(4, DateTime::UNIX_EPOCH)
        );
    }

    #[test]
    fn a_key_that_rows_name_and_nobody_has_is_missing() {
        let keys = keys(&[("k0", 1), ("k1", 3), ("k0", 4)], &[]);
        assert_eq!(keys.missing(), [("k0", 5)]);
        assert_eq!(keys.behind(), 8);
    }
}
