//! What the scheduler and the workers ask of the database, on tables of very different sizes: the cost
//! has to go with what there is to do, not with what there is.

use std::time::{Duration, Instant};

use keyway_shared::ambient::Ambient;
use keyway_shared::domain::job::JobClass;
use keyway_shared::queue::{Queue, RedisOptions, RedisQueue};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Claim, Store};
use keyway_tests::database::{Database, redis_url};

use crate::program::Form;
use crate::seed::Seed;
use crate::table::{self, median, milliseconds};

const DUE: u64 = 10_000;
/// As the scheduler takes them.
const BATCH: i64 = 200;
const DAY: Duration = Duration::from_hours(24);
const LEASE: Duration = Duration::from_secs(30);
/// Claims of which the median is told.
const CLAIMS: u64 = 400;

pub(crate) async fn run(form: Form) -> anyhow::Result<()> {
    table::note(&format!("\n{}: tables of different sizes", form.name()));
    let few = links(form, DUE).await?;
    let many = links(form, 1_000_000).await?;
    table::note(&format!(
        "  among 100 times as many links: {:.2} of the rate (target: 2,000 a second)",
        many / few
    ));
    let empty = claims(form, 0).await?;
    let full = claims(form, 100_000).await?;
    table::note(&format!(
        "  with 100,000 jobs queued: {:.2} times as long (target: 2)",
        full.as_secs_f64() / empty.as_secs_f64()
    ));
    Ok(())
}

/// Links that are due, started as the scheduler starts them, each with its job and its ring: how many
/// a second.
async fn links(form: Form, count: u64) -> anyhow::Result<f64> {
    let database = Database::create(form.profile()).await;
    let store = database.open(Ambient::system()).await;
    Seed::open(form, database.url())
        .await?
        .links(count, DUE)
        .await?;
    let queue = queue(form).await?;
    let started = Instant::now();
    let mut jobs = 0;
    loop {
        let mut tx = store.begin().await?;
        let runs = tx.start_due_links(BATCH, DAY).await?;
        tx.commit().await?;
        for job in &runs.jobs {
            queue.ring(*job, JobClass::Background).await;
        }
        jobs += runs.jobs.len();
        if (runs.links as i64) < BATCH {
            break;
        }
    }
    let took = started.elapsed();
    anyhow::ensure!(jobs as u64 == DUE, "{jobs} jobs of {DUE}");
    store.close().await;
    let rate = DUE as f64 / took.as_secs_f64();
    table::note(&format!(
        "{DUE} links due of {count}: {rate:.0} claimed a second"
    ));
    Ok(rate)
}

/// The time that a worker takes to claim a job, while so many others are queued.
async fn claims(form: Form, queued: u64) -> anyhow::Result<Duration> {
    let database = Database::create(form.profile()).await;
    let store = database.open(Ambient::system()).await;
    let mut seed = Seed::open(form, database.url()).await?;
    seed.vaults(1).await?;
    // Ten of each project are queued; the first of a project is the one that can be claimed.
    seed.jobs(queued.max(CLAIMS * 10)).await?;
    if queued == 0 {
        seed.keep_jobs(CLAIMS).await?;
    }
    let mut times = Vec::new();
    for n in 1..=CLAIMS {
        times.push(claim(&store, n).await?);
    }
    store.close().await;
    let took = median(times);
    table::note(&format!(
        "claim of a job, {queued} others queued: {}",
        milliseconds(took)
    ));
    Ok(took)
}

async fn claim(store: &Store, n: u64) -> anyhow::Result<Duration> {
    let lease = Ambient::system().new_id();
    let started = Instant::now();
    let mut tx = store.begin_fleeting().await?;
    let claim = tx.claim_job(Seed::job(n), "bench", lease, LEASE).await?;
    tx.commit().await?;
    anyhow::ensure!(matches!(claim, Claim::Taken(_)), "{n}: {claim:?}");
    Ok(started.elapsed())
}

async fn queue(form: Form) -> anyhow::Result<Queue> {
    if form == Form::Embedded {
        return Ok(Queue::local());
    }
    let options = RedisOptions {
        url: Secret::new(redis_url()),
        prefix: format!("kwbench:{}:", Ambient::system().new_id()),
        startup_timeout: Duration::from_secs(5),
    };
    Ok(Queue::redis(RedisQueue::connect(&options).await?, None))
}
