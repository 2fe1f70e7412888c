//! Takes SQLite's write-ahead log to the disk, for all who wait for that at once.
//!
//! SQLite itself would do so within each commit (`synchronous = FULL`), while it holds the only writer:
//! then everybody who writes waits for everybody's disk. Here commits do not wait (`NORMAL`), and whoever
//! needs a commit to last waits afterwards, out of the way. A log that is taken to the disk later holds
//! all commits before, in their order, so what a failure of power takes away is always the newest ones.
//!
//! A commit is seen before it lasts. Whoever tells others of something that they will rely on, such as
//! that a job has succeeded, waits for the disk as well: [`Store::settle_on_disk`](super::Store::settle_on_disk).

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The number before that of our first commit. More than nothing is on the disk yet: an earlier process
/// may have been killed before it waited.
const BEFORE: u64 = 1;

/// The log of one database file.
#[derive(Debug)]
pub(super) struct WriteAheadLog {
    /// Whose turn it is to wait for the disk; the others find their commits done.
    turn: tokio::sync::Mutex<()>,
    shared: Arc<Shared>,
}

/// What a wait for the disk notes, also when nobody is left who waits for it.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// The newest commit that has begun, and may be seen.
    begun: AtomicU64,
    /// The newest commit that is in the log for certain. There is one writer, so all before are.
    committed: AtomicU64,
    /// The newest commit that is on the disk for certain.
    on_disk: AtomicU64,
    /// The disk refused once. The kernel may have dropped what it could not write, and would say of the
    /// rest that all is well.
    is_broken: AtomicBool,
    /// How often the disk was waited for.
    syncs: AtomicU64,
    file: std::sync::Mutex<Option<LogFile>>,
}

/// Kept open: the kernel tells each open file of errors since it was opened, and of no earlier ones.
#[derive(Debug)]
struct LogFile {
    file: File,
    /// Device and number.
    identity: (u64, u64),
}

impl WriteAheadLog {
    /// Of the database in this file, which is no symbolic link: SQLite keeps the log beside what one
    /// leads to.
    pub(super) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self {
            turn: tokio::sync::Mutex::default(),
            shared: Arc::new(Shared {
                path: path.into(),
                begun: AtomicU64::new(BEFORE),
                committed: AtomicU64::new(BEFORE),
                on_disk: AtomicU64::new(0),
                is_broken: AtomicBool::new(false),
                syncs: AtomicU64::new(0),
                file: std::sync::Mutex::default(),
            }),
        }
    }

    /// Whoever holds the writer is about to commit. Gives the commit's number.
    pub(super) fn begin_commit(&self) -> u64 {
        self.shared.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The commit of this number has been made, or nothing was to be committed.
    pub(super) fn committed(&self, number: u64) {
        self.shared.committed.fetch_max(number, Ordering::SeqCst);
    }

    /// Refuses once the disk has refused: what is read or written now may not be there tomorrow.
    pub(super) fn check(&self) -> io::Result<()> {
        self.shared.check()
    }

    /// Returns when all commits that were to be seen before the call are on the disk.
    pub(super) async fn sync(&self) -> io::Result<()> {
        let seen = self.shared.begun.load(Ordering::SeqCst);
        let _turn = self.turn.lock().await;
        if self.shared.on_disk.load(Ordering::SeqCst) >= seen {
            return self.check();
        }
        // It goes on when the caller goes away, and so notes what the disk says.
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.sync())
            .await
            .map_err(io::Error::other)?
    }

    #[cfg(test)]
    pub(super) fn syncs(&self) -> u64 {
        self.shared.syncs.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn check(&self) -> io::Result<()> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(io::Error::other(
                "the disk refused to keep the write-ahead log; restart",
            ));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        // A thread that panicked with it has left nobody's word for what is on the disk.
        let mut file = self.file.lock().map_err(|_| self.give_up())?;
        self.check()?;
        let committed = self.committed.load(Ordering::SeqCst);
        match sync_file(&self.path, &mut file) {
            Ok(()) => {}
            // Whoever closed the database last has put all of the log into the database's file.
            Err(error) if error.kind() == io::ErrorKind::NotFound && committed == BEFORE => {}
            Err(error) => {
                self.give_up();
                tracing::error!(%error, "the disk refuses the write-ahead log; nothing is read or written until a restart");
                return Err(error);
            }
        }
        self.on_disk.fetch_max(committed, Ordering::SeqCst);
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn give_up(&self) -> io::Error {
        self.is_broken.store(true, Ordering::SeqCst);
        io::Error::other("the write-ahead log cannot be relied on; restart")
    }
}

/// SQLite may have made the file anew. The name of a new file has to last too.
fn sync_file(path: &Path, kept: &mut Option<LogFile>) -> io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    let identity = (metadata.dev(), metadata.ino());
    if let Some(log) = kept.as_ref().filter(|log| log.identity == identity) {
        return log.file.sync_data();
    }
    let file = File::open(path)?;
    file.sync_data()?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    let metadata = file.metadata()?;
    *kept = Some(LogFile {
        identity: (metadata.dev(), metadata.ino()),
        file,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn log() -> (tempfile::TempDir, WriteAheadLog) {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("keyway.db");
        std::fs::write(folder.path().join("keyway.db-wal"), "frames").unwrap();
        (folder, WriteAheadLog::of(&database))
    }

    fn commit(log: &WriteAheadLog) {
        log.committed(log.begin_commit());
    }

    #[tokio::test]
    async fn one_sync_does_for_all_who_wait() {
        let (_folder, log) = log();
        let log = Arc::new(log);
        let held = log.turn.lock().await;
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let log = Arc::clone(&log);
                async move {
                    commit(&log);
                    log.sync().await
                }
                .boxed()
            })
            .collect();
        let all = futures::future::join_all(waiting);
        tokio::pin!(all);
        // Everybody has committed, and stands behind the one under way.
        assert!(futures::poll!(&mut all).is_pending());
        drop(held);
        assert!(all.await.into_iter().all(|synced| synced.is_ok()));
        assert_eq!(log.syncs(), 1);
        log.sync().await.unwrap();
        assert_eq!(log.syncs(), 1, "nothing was committed since");
        commit(&log);
        log.sync().await.unwrap();
        assert_eq!(log.syncs(), 2);
    }

    #[tokio::test]
    async fn what_is_seen_and_not_yet_counted_is_waited_for() {
        let (_folder, log) = log();
        log.sync().await.unwrap();
        assert_eq!(log.syncs(), 1, "what an earlier process left");
        let number = log.begin_commit();
        log.sync().await.unwrap();
        assert_eq!(log.syncs(), 2);
        log.committed(number);
        log.sync().await.unwrap();
        assert_eq!(log.syncs(), 3, "it may have come after that");
    }

    #[tokio::test]
    async fn where_there_is_no_log_nothing_is_left_in_it() {
        let (folder, log) = log();
        std::fs::remove_file(folder.path().join("keyway.db-wal")).unwrap();
        log.sync().await.unwrap();
        commit(&log);
        log.sync().await.unwrap_err();
    }

    #[tokio::test]
    async fn a_new_file_is_opened() {
        let (folder, log) = log();
        log.sync().await.unwrap();
        let path = folder.path().join("keyway.db-wal");
        std::fs::write(folder.path().join("new"), "frames").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        commit(&log);
        log.sync().await.unwrap();
        let file = log.shared.file.lock().unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(file.as_ref().unwrap().identity.1, metadata.ino());
    }

    #[tokio::test]
    async fn after_a_refusal_nothing_lasts() {
        let (folder, log) = log();
        log.check().unwrap();
        commit(&log);
        let path = folder.path().join("keyway.db-wal");
        std::fs::remove_file(&path).unwrap();
        log.sync().await.unwrap_err();
        std::fs::write(&path, "frames").unwrap();
        log.sync().await.unwrap_err();
        log.check().unwrap_err();
    }

    #[tokio::test]
    async fn a_refusal_that_nobody_waited_for_counts() {
        let (folder, log) = log();
        commit(&log);
        std::fs::remove_file(folder.path().join("keyway.db-wal")).unwrap();
        let mut sync = log.sync().boxed();
        assert!(futures::poll!(&mut sync).is_pending());
        drop(sync);
        // Its turn comes after the one that was given up.
        log.sync().await.unwrap_err();
        log.check().unwrap_err();
    }
}
