//! Takes SQLite's write-ahead log to the disk, for all who wait for that at once.
//!
//! SQLite itself would do so within each commit (`synchronous = FULL`), while it holds the only writer:
//! then everybody who writes waits for everybody's disk. Here commits do not wait (`NORMAL`), and whoever
//! needs a commit to last waits afterwards, out of the way. A log that is taken to the disk later holds
//! all commits before, in their order; what a failure of power takes away is always the newest ones,
//! of which nobody has been told that they last.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// The log of one database file.
#[derive(Debug)]
pub(super) struct WriteAheadLog {
    path: PathBuf,
    /// How often somebody asked.
    asked: AtomicU64,
    done: Mutex<Done>,
}

#[derive(Debug, Default)]
struct Done {
    /// Who asked up to here has what they asked for.
    up_to: u64,
    /// How often the disk was waited for.
    syncs: u64,
    /// Device and number of the file that was there the last time.
    file: Option<(u64, u64)>,
    /// The disk refused once. The kernel may have dropped what it could not write, and would say of the
    /// rest that all is well.
    is_broken: bool,
}

impl WriteAheadLog {
    /// Of the database in this file.
    pub(super) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self {
            path: path.into(),
            asked: AtomicU64::new(0),
            done: Mutex::default(),
        }
    }

    /// Returns when all that was committed before the call is on the disk.
    pub(super) async fn sync(&self) -> io::Result<()> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut done = self.done.lock().await;
        if done.is_broken {
            return Err(io::Error::other(
                "the disk refused to keep the write-ahead log; restart",
            ));
        }
        if done.up_to >= mine {
            return Ok(());
        }
        // Those who asked while another sync was under way; all of them have committed.
        let up_to = self.asked.load(Ordering::SeqCst);
        let (path, before) = (self.path.clone(), done.file);
        let synced = tokio::task::spawn_blocking(move || sync_file(&path, before));
        match synced.await.map_err(io::Error::other)? {
            Ok(file) => {
                done.file = Some(file);
                done.up_to = up_to;
                done.syncs += 1;
                Ok(())
            }
            Err(error) => {
                done.is_broken = true;
                Err(error)
            }
        }
    }

    #[cfg(test)]
    pub(super) async fn syncs(&self) -> u64 {
        self.done.lock().await.syncs
    }
}

/// Opened anew each time: SQLite may have made the file anew. The name of a new file has to last too.
fn sync_file(path: &Path, before: Option<(u64, u64)>) -> io::Result<(u64, u64)> {
    let log = std::fs::File::open(path)?;
    log.sync_data()?;
    let metadata = log.metadata()?;
    let file = (metadata.dev(), metadata.ino());
    if before != Some(file)
        && let Some(folder) = path.parent()
    {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn log() -> (tempfile::TempDir, WriteAheadLog) {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("keyway.db");
        std::fs::write(folder.path().join("keyway.db-wal"), "frames").unwrap();
        (folder, WriteAheadLog::of(&database))
    }

    #[tokio::test]
    async fn one_sync_does_for_all_who_wait() {
        let (_folder, log) = log();
        let log = Arc::new(log);
        let held = log.done.lock().await;
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let log = Arc::clone(&log);
                futures::FutureExt::boxed(async move { log.sync().await })
            })
            .collect();
        let all = futures::future::join_all(waiting);
        tokio::pin!(all);
        // Everybody has asked, and stands behind the one under way.
        assert!(futures::poll!(&mut all).is_pending());
        drop(held);
        assert!(all.await.into_iter().all(|synced| synced.is_ok()));
        assert_eq!(log.syncs().await, 1);
        log.sync().await.unwrap();
        assert_eq!(log.syncs().await, 2);
    }

    #[tokio::test]
    async fn after_a_refusal_nothing_lasts() {
        let (folder, log) = log();
        log.sync().await.unwrap();
        let path = folder.path().join("keyway.db-wal");
        std::fs::remove_file(&path).unwrap();
        assert!(log.sync().await.is_err());
        std::fs::write(&path, "frames").unwrap();
        assert!(log.sync().await.is_err());
    }
}
