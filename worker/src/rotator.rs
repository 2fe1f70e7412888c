//! Seals everything with the first key of the ring, when somebody has asked for it (`keyway rotate-keys`).
//! Every worker looks; one has it at a time, by a lease as jobs have. It is no job of a vault: it belongs to
//! nobody, and touches what belongs to all.
//!
//! Its progress is the rows themselves, each of which says which key sealed it. Whoever goes on after a crash
//! looks at all of them again, and finds what is left.

use std::sync::Arc;
use std::time::Duration;

use keyway_shared::domain::key_rotation::{KeyRotation, KeyUse, UnopenedRow};
use keyway_shared::store::{SEALED, SealedColumn, StoreError};
use uuid::Uuid;

use crate::engine::Engine;

/// Rows sealed in one transaction.
const BATCH: i64 = 500;
/// Rows that are named; the others are counted.
const NAMED: usize = 1000;

pub(crate) async fn run(engine: Arc<Engine>) {
    let soft = engine.lifecycle().soft.clone();
    let mut ticks = tokio::time::interval(engine.options().schedule_every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let rotated = rotate(&engine).await;
        if let Err(error) = &rotated
            && !failing
        {
            // Told once: the next tick tries again.
            tracing::warn!(%error, "the rotation of the encryption keys does not get on");
        }
        failing = rotated.is_err();
    }
}

/// What one round has come to.
#[derive(Debug, Default)]
struct Round {
    /// What was sealed with other keys when it began.
    found: i64,
    sealed: i64,
    failed: i64,
    failures: Vec<UnopenedRow>,
}

/// One round over everything, if a rotation runs that this process can work on and nobody else does.
///
/// A round that had something to do is followed by another one: a unit of work that had read a row before
/// it was sealed again may have copied the old ciphertext since, and rows that were locked were left out.
pub(crate) async fn rotate(engine: &Engine) -> Result<(), StoreError> {
    let mut tx = engine.store().begin_read_statement().await?;
    let runs = tx.rotation_runs().await?;
    tx.commit().await?;
    if !runs {
        return Ok(());
    }
    let (lease_id, lease) = (engine.context.ambient.new_id(), engine.options().lease);
    let mut tx = engine.store().begin().await?;
    let claimed = tx.claim_rotation(engine.name(), lease_id, lease).await?;
    tx.commit().await?;
    let Some(rotation) = claimed else {
        return Ok(());
    };
    let looked = tokio::select! {
        looked = round(engine, &rotation, lease_id) => looked,
        // What it has not committed is rolled back.
        () = keep(engine, &rotation, lease_id) => Ok(None),
    };
    let ended = match looked {
        // Nothing is left but what does not open.
        Ok(Some(round)) if round.found <= round.failed => {
            settle(engine, &rotation, lease_id, &round).await
        }
        other => other.map(|_| false),
    };
    if !matches!(ended, Ok(true)) {
        // Also when the lease is gone: then there is nothing to give back.
        let mut tx = engine.store().begin().await?;
        tx.release_rotation(Some(lease_id)).await?;
        tx.commit().await?;
    }
    ended.map(|_| ())
}

/// Renews the lease for as long as a round lasts: in a large installation the first look alone, or one batch,
/// may take longer than the lease. Returns when the lease is lost.
async fn keep(engine: &Engine, rotation: &KeyRotation, lease_id: Uuid) {
    let lease = engine.options().lease;
    let mut ticks = tokio::time::interval((lease / 3).max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first is at once, and the claim is new.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let renewed = async {
            let mut tx = engine.store().begin().await?;
            let held = tx.advance_rotation(rotation.id, lease_id, lease, 0).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(held)
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the lease of the rotation could not be renewed"),
        }
    }
}

/// Looks at every column; nothing when it had to stop.
async fn round(
    engine: &Engine,
    rotation: &KeyRotation,
    lease_id: Uuid,
) -> Result<Option<Round>, StoreError> {
    // By a reader, so that on SQLite nobody is kept from writing where nothing is to be done.
    let mut tx = engine.store().begin_read_statement().await?;
    let mut uses = tx.key_uses().await?;
    tx.commit().await?;
    uses.retain(|held| held.key_id != rotation.key_id);
    let mut round = Round {
        found: uses.iter().map(|held| held.rows).sum(),
        ..Round::default()
    };
    let concerned = |column: &&SealedColumn| {
        let of_column =
            |held: &KeyUse| held.table == column.table && held.column == column.ciphertext;
        uses.iter().any(of_column)
    };
    for column in SEALED.iter().filter(concerned) {
        let mut next = Some(Uuid::nil());
        while let Some(after) = next {
            if engine.lifecycle().soft.is_cancelled() {
                return Ok(None);
            }
            let mut tx = engine.store().begin().await?;
            let batch = tx.reseal(column, after, BATCH).await?;
            let lease = engine.options().lease;
            if !tx
                .advance_rotation(rotation.id, lease_id, lease, batch.rows)
                .await?
            {
                return Ok(None);
            }
            tx.commit().await?;
            round.sealed += batch.rows;
            round.failed += batch.failures.len() as i64;
            let room = NAMED - round.failures.len();
            round.failures.extend(batch.failures.into_iter().take(room));
            next = batch.next;
        }
    }
    Ok(Some(round))
}

/// Ends the rotation. False when the lease is gone.
async fn settle(
    engine: &Engine,
    rotation: &KeyRotation,
    lease_id: Uuid,
    round: &Round,
) -> Result<bool, StoreError> {
    let mut tx = engine.store().begin().await?;
    let settled = tx
        .settle_rotation(rotation.id, lease_id, round.failed, &round.failures)
        .await?;
    tx.commit().await?;
    if settled {
        for row in &round.failures {
            tracing::warn!(
                table = row.table,
                column = row.column,
                row = row.id,
                key = row.key_id,
                fault = %row.fault,
                "what does not open is left as it is"
            );
        }
        tracing::info!(
            key = rotation.key_id,
            failed = round.failed,
            "the rotation of the encryption keys has ended"
        );
    }
    Ok(settled)
}
