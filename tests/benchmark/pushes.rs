//! Pushes as callers ask for them, each beside its floor: a bare client that makes the same calls.

use std::time::{Duration, Instant};

use futures::future::join_all;
use keyway_simulator::vercel::Vercel;

use crate::processor::Used;
use crate::program::{self, Client, Form, Program, secrets};
use crate::table::{self, Row, median, milliseconds};

/// Rounds of the pushes at once.
const ROUNDS: u32 = 7;
const LATENCY: Duration = Duration::from_millis(50);

pub(crate) async fn run(form: Form) -> anyhow::Result<()> {
    let vercel = Vercel::start(crate::PRESET).await?;
    let program = Program::start(form, &vercel.url()).await?;
    let client = program.client().await?;
    let fresh = program.idle_memory().await?;
    let mut rows = Vec::new();
    rows.extend(large(&client, &vercel).await?);
    rows.push(concurrent(&program, &client, &vercel).await?);
    rows.extend(overhead(&client, &vercel).await?);
    table::print(form.name(), &rows);
    if form == Form::Embedded {
        let idle = program.idle_memory().await?;
        let restarted = program.restart().await?;
        table::note(&format!(
            "idle memory of `keyway serve`: {fresh:.1} MB after the start (target: 40), {idle:.1} MB after all of this"
        ));
        table::note(&format!(
            "start to ready on an existing database: {} (target: 300 ms)",
            milliseconds(restarted)
        ));
    }
    Ok(())
}

/// New secrets, then the same again, with 50 ms for each call.
async fn large(client: &Client, vercel: &Vercel) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    vercel.set_latency(LATENCY);
    for size in [10, 100, 500, 1_000] {
        let team = vercel.add_team(&format!("large-{size}"));
        let client = client.of_team(&team).await?;
        for (what, calls, same) in [("new, 50 ms a call", 2, false), ("unchanged", 1, true)] {
            let (mut ours, mut floors, mut made) = (Vec::new(), Vec::new(), 0);
            for round in 0..5 {
                let name = format!("{size}-{same}-{round}");
                let project = vercel.add_project(&format!("large-{name}"), Some(&team));
                client
                    .set_vault("acme/large", &secrets(size, round))
                    .await?;
                if same {
                    client.push("acme/large", &project).await?;
                }
                vercel.reset_calls();
                let (took, _) = client.push("acme/large", &project).await?;
                ours.push(took);
                made = vercel.calls();
                let bare = vercel.add_project(&format!("bare-{name}"), None);
                floors.push(program::floor(vercel, &bare, size, calls).await?);
            }
            let name = format!("{size} {what}");
            rows.push(Row::new(name, made, median(floors), median(ours)));
        }
    }
    vercel.set_latency(Duration::ZERO);
    Ok(rows)
}

/// 32 pushes of 20 new secrets to 32 projects at once; the floor is one of them.
async fn concurrent(program: &Program, client: &Client, vercel: &Vercel) -> anyhow::Result<Row> {
    vercel.set_latency(LATENCY);
    let (mut ours, mut floors, mut made) = (Vec::new(), Vec::new(), 0);
    let mut used = Used::default();
    for round in 0..ROUNDS {
        let team = vercel.add_team(&format!("many-{round}"));
        let client = client.of_team(&team).await?;
        client
            .set_vault("acme/many", &secrets(20, round as usize))
            .await?;
        let projects: Vec<String> = (0..32)
            .map(|n| vercel.add_project(&format!("many-{round}-{n}"), Some(&team)))
            .collect();
        vercel.reset_calls();
        let before = program.used()?;
        let started = Instant::now();
        let pushes = projects
            .iter()
            .map(|project| client.push("acme/many", project));
        for pushed in join_all(pushes).await {
            pushed?;
        }
        ours.push(started.elapsed());
        used.add_since(before, program.used()?);
        made = vercel.calls();
        let bare = vercel.add_project(&format!("bare-many-{round}"), None);
        floors.push(program::floor(vercel, &bare, 20, 2).await?);
    }
    vercel.set_latency(Duration::ZERO);
    let mut row = Row::new(
        "32 projects × 20 new, 50 ms",
        made,
        median(floors),
        median(ours),
    );
    row.note = used.each(32 * ROUNDS);
    Ok(row)
}

/// What we add to the calls themselves, and how long after its end a job is answered.
async fn overhead(client: &Client, vercel: &Vercel) -> anyhow::Result<Vec<Row>> {
    let (mut ours, mut floors, mut answers, mut made) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let team = vercel.add_team("overhead");
    let client = client.of_team(&team).await?;
    for round in 0..40 {
        let project = vercel.add_project(&format!("overhead-{round}"), Some(&team));
        client
            .set_vault("acme/overhead", &secrets(100, round))
            .await?;
        vercel.reset_calls();
        let (took, _) = client.push("acme/overhead", &project).await?;
        made = vercel.calls();
        // The time that a job ends with is taken before the last writes of the transaction that ends
        // it; an unchanged sync has few of those.
        let (_, report) = client.push("acme/overhead", &project).await?;
        let answered = client.now();
        let job = client
            .job(report["jobId"].as_str().unwrap_or_default())
            .await?;
        let finished = job["finishedAt"].as_str().unwrap_or_default();
        let finished = chrono::DateTime::parse_from_rfc3339(finished)?;
        let since = (answered - finished.to_utc()).to_std().unwrap_or_default();
        let bare = vercel.add_project(&format!("bare-overhead-{round}"), None);
        floors.push(program::floor(vercel, &bare, 100, 2).await?);
        // The first ones warm connections and statements up.
        if round >= 10 {
            ours.push(took);
            answers.push(since);
        }
    }
    let mut row = Row::new("100 new, 0 ms: p50", made, median(floors), median(ours));
    row.note = format!(
        "own overhead {}",
        milliseconds(row.ours.saturating_sub(row.floor))
    );
    let answer = median(answers);
    let mut answered = Row::new("job settled to caller's answer: p50", 0, answer, answer);
    "with the commit; to the millisecond".clone_into(&mut answered.note);
    Ok(vec![row, answered])
}
