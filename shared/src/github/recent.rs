//! What was learnt a moment ago, found by a keyed hash of the token that it was learnt with.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::ambient::Ambient;
use crate::secret::Secret;

/// More is forgotten: it is asked for again.
const MOST: usize = 10_000;

type Hash = [u8; 32];

pub(super) struct Recent<T> {
    /// Of this process only, and kept nowhere.
    key: [u8; 32],
    ambient: Ambient,
    known: Mutex<HashMap<Hash, (Duration, T)>>,
}

impl<T> fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

impl<T: Clone> Recent<T> {
    pub(super) fn new(ambient: &Ambient) -> Self {
        Self {
            key: ambient.random(),
            ambient: ambient.clone(),
            known: Mutex::default(),
        }
    }

    pub(super) fn get(&self, token: &Secret) -> Option<T> {
        let now = self.ambient.elapsed();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, what) = known.get(&self.hash(token)?)?;
        (*until > now).then(|| what.clone())
    }

    pub(super) fn put(&self, token: &Secret, what: T, lasts: Duration) {
        let now = self.ambient.elapsed();
        let Some(hash) = self.hash(token) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (until, _)| *until > now);
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(hash, (now + lasts, what));
    }

    fn hash(&self, token: &Secret) -> Option<Hash> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(token.expose().as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}
