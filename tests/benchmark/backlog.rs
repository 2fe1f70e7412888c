//! A caller who waits, while 10,000 background jobs are queued and run.

use std::time::Duration;

use anyhow::Context;
use keyway_simulator::vercel::Vercel;
use uuid::Uuid;

use crate::program::{Client, Form, Program, secrets};
use crate::table::{self, median, milliseconds};

const LATENCY: Duration = Duration::from_millis(50);
const JOBS: usize = 10_000;
/// Each account has calls of its own in a minute: none of the jobs has to wait for that.
const TEAMS: usize = 100;
const PUSHES: usize = 40;
const REPO: &str = "acme/backlog";

pub(crate) async fn run(form: Form) -> anyhow::Result<()> {
    let vercel = Vercel::start(crate::PRESET).await?;
    let program = Program::start(form, &vercel.url()).await?;
    let client = program.client().await?;
    vercel.set_latency(LATENCY);
    client.set_vault(REPO, &secrets(20, 0)).await?;
    let project = vercel.add_project("caller", None);
    let (_, first) = client.push(REPO, &project).await?;
    let (idle, _) = unchanged(&client, &project).await?;

    vercel.set_latency(Duration::ZERO);
    let mut connections = Vec::new();
    for n in 0..TEAMS {
        let team = vercel.add_team(&format!("team-{n}"));
        let connection: Uuid = client.of_team(&team).await?.connection.parse()?;
        connections.push((team, connection));
    }
    let targets: Vec<(Uuid, String)> = (0..JOBS)
        .map(|n| {
            let (team, connection) = &connections[n % TEAMS];
            (
                *connection,
                vercel.add_project(&format!("backlog-{n}"), Some(team)),
            )
        })
        .collect();
    vercel.set_latency(LATENCY);
    let job = first["jobId"].as_str().context("the job's id")?.parse()?;
    let mut database = program.database().await?;
    database.copies(job, &targets).await?;
    // Nobody has rung for them: the sweeper finds them, which is the slower way.
    let (busy, worst) = unchanged(&client, &project).await?;
    let (queued, failed) = database.backlog().await?;
    // Otherwise the caller was not behind anything, or not behind work.
    anyhow::ensure!(
        queued > 0 && failed == 0,
        "{queued} queued, {failed} failed"
    );
    table::note(&format!(
        "\n{}: a caller behind {JOBS} background jobs",
        form.name()
    ));
    table::note(&format!("unchanged push, idle: {}", milliseconds(idle)));
    table::note(&format!(
        "the same with the backlog, of which {} were started meanwhile: {}, {:.2} times as long \
         (target: 3); at worst {}",
        JOBS as i64 - queued,
        milliseconds(busy),
        busy.as_secs_f64() / idle.as_secs_f64(),
        milliseconds(worst)
    ));
    Ok(())
}

/// The median and the longest of pushes that change nothing.
async fn unchanged(client: &Client, project: &str) -> anyhow::Result<(Duration, Duration)> {
    let mut times = Vec::new();
    for _ in 0..PUSHES {
        times.push(client.push(REPO, project).await?.0);
    }
    let worst = times.iter().max().copied().unwrap_or_default();
    Ok((median(times), worst))
}
