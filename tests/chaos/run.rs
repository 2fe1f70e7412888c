//! The suite: a load with known ends, faults while it runs, and a look at everything afterwards.

use std::time::{Duration, Instant};

use crate::check::Past;
use crate::deployment::{Deployment, Form};
use crate::dice::{Dice, eventually};
use crate::faults::{Fault, Pace, storm};
use crate::load::Load;
use crate::servers::environment;
use crate::table;

/// How long jobs may take to come to their end when nothing goes wrong any more.
const DRAIN: Duration = Duration::from_mins(8);
/// At most so many times the calls for each job that an undisturbed run needs.
const FACTOR: f64 = 3.0;
/// Undisturbed rounds, to know that.
const QUIET_ROUNDS: usize = 2;

struct Settings {
    seed: u64,
    /// How long faults go on; none: each once.
    time: Option<Duration>,
}

impl Settings {
    fn read() -> Self {
        let number = |name| environment(name).map(|text| text.parse().expect("a number"));
        Self {
            seed: number("KEYWAY_TEST_SEED").unwrap_or(1),
            time: number("KEYWAY_CHAOS_MINUTES").map(Duration::from_mins),
        }
    }

    const fn pace(&self) -> Pace {
        let seconds = Duration::from_secs;
        match self.time {
            None => Pace {
                redis: seconds(5),
                provider: seconds(4),
            },
            Some(_) => Pace {
                redis: seconds(30),
                provider: seconds(20),
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_in_production() {
    play(Form::Production).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_in_one_process() {
    play(Form::Embedded).await;
}

async fn play(form: Form) {
    let settings = Settings::read();
    let seed = settings.seed;
    println!("{form:?}, KEYWAY_TEST_SEED={seed}");
    let mut deployment = Deployment::start(form).await;
    deployment.start_workers().await;
    let mut load = Load::prepare(&deployment, seed).await;
    for _ in 0..QUIET_ROUNDS {
        load.round().await;
    }
    load.check("after an undisturbed start").await;
    let quiet = Past::read(&deployment, Vec::new()).await;

    load.begin();
    let dice = Dice::new(seed, 1000);
    let rounds = schedule(form, &settings, &dice);
    let injected = storm(&mut deployment, &dice, settings.pace(), rounds).await;
    load.end().await;
    let ledger = deployment.ledger.clone();
    let drained = eventually(DRAIN, || async {
        matches!(deployment.database.unfinished().await, Ok(0))
    });
    if !drained.await {
        ledger.wrong("jobs did not come to their end");
    }
    load.check("when all jobs had ended").await;
    let past = Past::read(&deployment, injected).await;
    let (before, after) = (per_job(&quiet), per_job_since(&past, &quiet));
    if after > FACTOR * before {
        ledger.wrong(format!("{after:.1} calls for a job instead of {before:.1}"));
    }

    load.reconcile().await;
    load.check("at the end").await;
    let past = Past::read(&deployment, past.injected).await;
    past.jobs_are_final(&ledger);
    let late = past.one_writer_at_a_time(&ledger);
    let open = deployment.database.open_splits().await.unwrap();
    if open > 0 {
        ledger.wrong(format!("{open} splits are open"));
    }
    for line in deployment.logged("panicked") {
        ledger.wrong(line);
    }

    let wrong = ledger.all_wrong();
    table::print(&past, &wrong);
    println!("{:?}", ledger.answers());
    println!(
        "{} jobs, {} calls ({} of them limited), {late} late writes; calls for a job: {before:.1} \
         undisturbed, {after:.1} in the storm",
        past.jobs.len(),
        past.calls_of_jobs(),
        past.limited(),
    );
    let texts: Vec<_> = wrong.iter().map(|one| one.text.as_str()).collect();
    assert!(
        texts.is_empty(),
        "KEYWAY_TEST_SEED={seed}: {}",
        texts.join("\n")
    );
}

fn per_job(past: &Past) -> f64 {
    past.calls_of_jobs() as f64 / past.jobs.len() as f64
}

fn per_job_since(past: &Past, earlier: &Past) -> f64 {
    let calls = past.calls_of_jobs() - earlier.calls_of_jobs();
    let jobs = past.jobs.len() - earlier.jobs.len();
    calls as f64 / jobs.max(1) as f64
}

/// Which faults come in which order; some have one of the provider's beside them.
fn schedule<'a>(
    form: Form,
    settings: &Settings,
    dice: &'a Dice,
) -> Box<dyn Iterator<Item = Vec<Fault>> + Send + 'a> {
    let own: Vec<Fault> = match form {
        Form::Production => Fault::PRODUCTION.into(),
        Form::Embedded => Fault::EMBEDDED.into(),
    };
    if let Some(time) = settings.time {
        let end = Instant::now() + time;
        let rounds = std::iter::from_fn(move || {
            let mut faults = Vec::new();
            if dice.chance(0.7) {
                faults.push(*dice.pick(&own));
            }
            if faults.is_empty() || dice.chance(0.4) {
                faults.push(*dice.pick(&Fault::PROVIDER));
            }
            (Instant::now() < end).then_some(faults)
        });
        return Box::new(rounds);
    }
    let mut faults = own;
    let again = match form {
        // The commonest of all faults, and the one that this is about.
        Form::Production => vec![Fault::KillWorker; 2],
        Form::Embedded => vec![Fault::KillServe; 9],
    };
    faults.extend(again);
    faults.extend(Fault::PROVIDER);
    dice.shuffle(&mut faults);
    let rounds = faults.into_iter().map(|fault| {
        let mut faults = vec![fault];
        if !Fault::PROVIDER.contains(&fault) && dice.chance(0.3) {
            faults.push(*dice.pick(&Fault::PROVIDER));
        }
        faults
    });
    // What the dice say must not depend on how long things take.
    Box::new(rounds.collect::<Vec<_>>().into_iter())
}
