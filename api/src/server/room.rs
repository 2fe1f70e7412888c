//! How many connections there may be.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::extract::network_of;

/// Room for so many connections, of which one address takes half at most.
#[derive(Debug, Clone)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    of_one: usize,
    trusted: Arc<[IpNet]>,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of one connection. Free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _free: OwnedSemaphorePermit,
    counted: Option<(Room, IpAddr)>,
}

impl Room {
    pub(super) fn new(most: usize, trusted: Vec<IpNet>) -> Self {
        Self {
            free: Arc::new(Semaphore::new(most)),
            of_one: most.div_ceil(2),
            trusted: trusted.into(),
            addresses: Arc::default(),
        }
    }

    /// Waits until there is some.
    pub(super) async fn wait(&self) -> OwnedSemaphorePermit {
        loop {
            // Nobody closes it.
            if let Ok(free) = Arc::clone(&self.free).acquire_owned().await {
                return free;
            }
        }
    }

    /// A place, unless the address has its share. Behind a proxy of the operator's are many.
    pub(super) fn enter(&self, free: OwnedSemaphorePermit, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        if self.trusted.iter().any(|net| net.contains(&peer)) {
            return Some(Place::new(free, None));
        }
        let address = network_of(peer);
        let mut addresses = self.lock();
        let here = addresses.entry(address).or_default();
        if *here >= self.of_one {
            return None;
        }
        *here += 1;
        drop(addresses);
        Some(Place::new(free, Some((self.clone(), address))))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn new(free: OwnedSemaphorePermit, counted: Option<(Room, IpAddr)>) -> Self {
        metrics::gauge!("keyway_connections").increment(1.0);
        Self {
            _free: free,
            counted,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("keyway_connections").decrement(1.0);
        let Some((room, address)) = self.counted.take() else {
            return;
        };
        let mut addresses = room.lock();
        match addresses.get_mut(&address) {
            Some(here) if *here > 1 => *here -= 1,
            _ => {
                addresses.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_takes_half_and_a_trusted_proxy_all() {
        let trusted = vec!["10.0.0.0/8".parse().unwrap()];
        let room = Room::new(4, trusted);
        let enter = async |address: &str| {
            let free = room.wait().await;
            room.enter(free, address.parse().unwrap())
        };
        let first = enter("192.0.2.1").await;
        let second = enter("::ffff:192.0.2.1").await;
        assert!(first.is_some() && second.is_some());
        assert!(enter("192.0.2.1").await.is_none());
        let others = (enter("2001:db8::1").await, enter("10.0.0.1").await);
        assert!(others.0.is_some() && others.1.is_some());
        assert_eq!(room.free.available_permits(), 0);
        drop((first, others));
        let proxied = (
            enter("10.0.0.1").await,
            enter("10.0.0.1").await,
            enter("10.0.0.1").await,
        );
        assert!(proxied.0.is_some() && proxied.1.is_some() && proxied.2.is_some());
        drop((second, proxied));
        assert_eq!(room.free.available_permits(), 4);
        assert!(room.lock().is_empty());
    }
}
