//! What the demo does, in order.

use std::collections::BTreeSet;
use std::time::Duration;

use keyway_shared::ambient::Ambient;
use keyway_shared::secret::Secret;
use keyway_simulator::vercel::TOKEN;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::proof::{self, SCOPE, Snapshot};
use super::screen::Screen;
use super::secrets::Secrets;
use super::wire::{Connected, Job, Preview, Projects, Report, Started};
use super::world::World;
use crate::failure::{Failure, Outcome};

const REPO: &str = "acme/my-app";
const PROJECT_NAME: &str = "my-app";
/// How long one sync may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The demo in progress.
pub(super) struct Story<'a> {
    world: &'a World,
    client: Client,
    secrets: Secrets,
    connection: String,
    project: String,
    ambient: Ambient,
    /// Checks that failed.
    wrong: usize,
}

impl<'a> Story<'a> {
    pub(super) fn new(world: &'a World, secrets: Secrets) -> Outcome<Self> {
        Ok(Self {
            client: Client::new(world.api.clone(), world.token.clone())?,
            world,
            secrets,
            connection: String::new(),
            project: String::new(),
            ambient: Ambient::system(),
            wrong: 0,
        })
    }

    pub(super) async fn tell(mut self, screen: &mut Screen, source: &str) -> Outcome {
        screen.title("Keyway demo: secrets from a vault to a hosting provider, and the proof")?;
        screen.quiet(&format!(
            "API {} - simulated Vercel {}",
            self.world.api,
            self.world.vercel.url()
        ))?;
        self.fill_vault(screen, source).await?;
        self.connect(screen).await?;
        let before = self.world.vercel.snapshot(&self.project);
        let expected = self.preview(screen).await?;
        let first = self.sync(screen, "Sync: push the vault to Vercel").await?;
        self.check_calls(screen, &first)?;
        self.prove(screen, &before, &expected)?;
        self.change_both_sides(screen, &expected).await?;
        let before = self.world.vercel.snapshot(&self.project);
        let second = self.sync(screen, "Sync again: only what differs").await?;
        self.check_calls(screen, &second)?;
        self.prove(screen, &before, &expected)?;
        self.nothing_left(screen).await?;
        self.close(screen, &first, &second)
    }

    async fn fill_vault(&self, screen: &mut Screen, source: &str) -> Outcome {
        screen.step(&format!("Vault {REPO}, environment {SCOPE}, from {source}"))?;
        let _: Value = self
            .client
            .post("/v1/vaults", &json!({ "repoFullName": REPO }))
            .await?;
        self.push_to_vault().await?;
        let mut rows = vec![vec![
            "NAME".to_owned(),
            "VALUE".to_owned(),
            "BYTES".to_owned(),
        ]];
        rows.extend(self.secrets.iter().map(|(key, value)| {
            let masked = if value.is_empty() {
                "(empty)"
            } else {
                "********"
            };
            vec![key.clone(), masked.to_owned(), value.len().to_string()]
        }));
        screen.table(&rows)?;
        screen.good(&format!("{} secrets stored, encrypted", self.secrets.len()))?;
        Ok(())
    }

    async fn push_to_vault(&self) -> Outcome {
        let secrets: Map<String, Value> = self
            .secrets
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.expose())))
            .collect();
        let body = json!({ "repoFullName": REPO, "environment": SCOPE, "secrets": secrets });
        let _: Value = self.client.post("/v1/secrets/push", &body).await?;
        Ok(())
    }

    async fn connect(&mut self, screen: &mut Screen) -> Outcome {
        screen.step("Connect Vercel with a token, and look at its projects")?;
        let connected: Connected = self
            .client
            .post(
                "/v1/integrations/vercel/connect",
                &json!({ "token": TOKEN }),
            )
            .await?;
        self.connection = connected.connection.id;
        let path = format!("/v1/integrations/connections/{}/projects", self.connection);
        let found: Projects = self.client.get(&path, &[]).await?;
        let heading = ["ID", "NAME", "REPOSITORY", "FRAMEWORK"];
        let mut rows = vec![heading.map(ToOwned::to_owned).to_vec()];
        let mut projects: Vec<_> = found.projects.iter().collect();
        projects.sort_by_key(|project| (project.name != PROJECT_NAME, project.name.clone()));
        rows.extend(projects.iter().take(5).map(|project| {
            let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
            vec![
                project.id.clone(),
                project.name.clone(),
                text(&project.linked_repo),
                text(&project.framework),
            ]
        }));
        screen.table(&rows)?;
        if projects.len() > 5 {
            screen.quiet(&format!("... and {} more", projects.len() - 5))?;
        }
        let mine = projects
            .first()
            .filter(|project| project.name == PROJECT_NAME)
            .ok_or_else(|| Failure::new(format!("the project {PROJECT_NAME} is not listed")))?;
        self.project.clone_from(&mine.id);
        Ok(())
    }

    async fn ask_preview(&self) -> Outcome<Preview> {
        let path = format!("/v1/integrations/vaults/{REPO}/sync/preview");
        let query = [
            ("connectionId", self.connection.as_str()),
            ("projectId", self.project.as_str()),
            ("keywayEnvironment", SCOPE),
            ("providerEnvironment", SCOPE),
            ("direction", "push"),
        ];
        self.client.get(&path, &query).await
    }

    async fn preview(&self, screen: &mut Screen) -> Outcome<BTreeSet<String>> {
        screen.step("Preview: what a sync would do")?;
        let preview = self.ask_preview().await?;
        screen.names('+', "create", &preview.to_create)?;
        screen.names('~', "update", &preview.to_update)?;
        screen.names('-', "delete", &preview.to_delete)?;
        screen.names('=', "skip", &preview.to_skip)?;
        // What only the provider has, such as its system variables, is not ours to prove.
        let ours = |key: &&String| self.secrets.contains_key(*key);
        Ok(preview.carried().filter(ours).cloned().collect())
    }

    async fn sync(&self, screen: &mut Screen, heading: &str) -> Outcome<Report> {
        screen.step(heading)?;
        self.world.vercel.reset_calls();
        let path = format!("/v1/integrations/vaults/{REPO}/sync");
        let body = json!({
            "connectionId": self.connection,
            "projectId": self.project,
            "keywayEnvironment": SCOPE,
            "providerEnvironment": SCOPE,
            "direction": "push",
        });
        let begun = self.ambient.elapsed();
        let started: Started = self.client.start(&path, &body).await?;
        let path = format!("/v1/integrations/jobs/{}", started.job_id);
        let bar = screen.progress(self.secrets.len() as u64);
        let job = loop {
            let job: Job = self.client.get(&path, &[]).await?;
            if job.progress.total > 0 {
                bar.set_length(job.progress.total);
            }
            bar.set_position(job.progress.done);
            bar.set_message(job.state.clone());
            if !matches!(job.state.as_str(), "queued" | "running" | "waiting") {
                break job;
            }
            if self.ambient.elapsed().saturating_sub(begun) > PATIENCE {
                return Err(Failure::new("the sync did not end in time"));
            }
            pause().await;
        };
        bar.finish_and_clear();
        let took = self.ambient.elapsed().saturating_sub(begun);
        let Some(report) = job.result else {
            let code = job.error_code.as_deref().unwrap_or("no reason given");
            return Err(Failure::new(format!(
                "the sync ended as {}: {code}",
                job.state
            )));
        };
        if report.status != "success" {
            let error = report.error.as_deref().unwrap_or("no reason given");
            return Err(Failure::new(format!(
                "the sync ended as {}: {error}",
                report.status
            )));
        }
        screen.good(&format!(
            "{} created, {} updated, {} deleted, {} skipped, in {} ms",
            report.created,
            report.updated,
            report.deleted,
            report.skipped,
            took.as_millis()
        ))?;
        Ok(report)
    }

    fn check_calls(&mut self, screen: &Screen, report: &Report) -> Outcome {
        let seen = self.world.vercel.calls() as u64;
        if seen == report.provider_calls {
            screen.good(&format!("{seen} call(s) to Vercel"))?;
        } else {
            self.wrong += 1;
            screen.bad(&format!(
                "Vercel saw {seen} calls, the report says {}",
                report.provider_calls
            ))?;
        }
        Ok(())
    }

    fn prove(
        &mut self,
        screen: &mut Screen,
        before: &Snapshot,
        expected: &BTreeSet<String>,
    ) -> Outcome {
        screen.step("Proof: what a deployment at the simulated Vercel would get")?;
        let after = self.world.vercel.snapshot(&self.project);
        let proof = proof::examine(before, &after, &self.secrets, expected);
        screen.good(&format!(
            "{} of {} values in {SCOPE} are those of the vault, byte for byte",
            proof.arrived,
            expected.len()
        ))?;
        screen.good(&format!(
            "{} values of preview, development and other environments are as they were",
            proof.untouched
        ))?;
        if proof.kept > 0 {
            screen.good(&format!(
                "{} values in {SCOPE} that the vault does not know were left alone",
                proof.kept
            ))?;
        }
        for wrong in &proof.wrong {
            screen.bad(wrong)?;
        }
        self.wrong += proof.wrong.len();
        Ok(())
    }

    /// Changes a value in the vault, and another one by hand at the provider.
    async fn change_both_sides(
        &mut self,
        screen: &mut Screen,
        expected: &BTreeSet<String>,
    ) -> Outcome {
        screen.step("Change one value on each side")?;
        let mut keys = expected.iter();
        let (Some(here), there) = (keys.next(), keys.next_back()) else {
            return Err(Failure::new("there is nothing to change"));
        };
        let old = self.secrets.get(here).map_or("", Secret::expose);
        let new = Secret::new(format!("{old}-changed"));
        self.secrets.insert(here.clone(), new);
        self.push_to_vault().await?;
        screen.line(&format!("in the vault: {here}"))?;
        let Some(there) = there else { return Ok(()) };
        let url = format!(
            "{}/v10/projects/{}/env",
            self.world.vercel.url(),
            self.project
        );
        let list = self.client.ask_vercel(&url, TOKEN).await?;
        let rows = list["envs"].as_array().map_or(&[][..], Vec::as_slice);
        let row = rows.iter().find(|row| {
            let scopes = &row["target"];
            row["key"] == there.as_str()
                && row["gitBranch"].is_null()
                && (scopes == SCOPE || *scopes == json!([SCOPE]))
        });
        let id = row.and_then(|row| row["id"].as_str()).ok_or_else(|| {
            Failure::new(format!("{there} has no variable of its own for {SCOPE}"))
        })?;
        self.world
            .vercel
            .edit_env(&self.project, id, "edited by hand");
        screen.line(&format!("by hand at Vercel: {there}"))?;
        Ok(())
    }

    async fn nothing_left(&mut self, screen: &mut Screen) -> Outcome {
        screen.step("Preview once more: nothing left to do")?;
        let preview = self.ask_preview().await?;
        if preview.is_in_sync() {
            screen.good("every secret of the vault is in sync")?;
        } else {
            self.wrong += 1;
            screen.bad(&format!(
                "still to create {:?}, to update {:?}, to delete {:?}",
                preview.to_create, preview.to_update, preview.to_delete
            ))?;
        }
        Ok(())
    }

    fn close(&self, screen: &Screen, first: &Report, second: &Report) -> Outcome {
        if self.wrong > 0 {
            return Err(Failure::new(format!(
                "{} check(s) of the demo failed, see above",
                self.wrong
            )));
        }
        screen.title(&format!(
            "\nDone: {} secrets synced with {} calls, then {} changes with {} calls; every value is \
             where it belongs.",
            first.created + first.updated,
            first.provider_calls,
            second.created + second.updated,
            second.provider_calls
        ))?;
        screen.line("Next: `keyway demo --keep` to try the API, `keyway serve` to run it.")?;
        Ok(())
    }
}

/// What to try while the demo stays up.
pub(super) fn invite(world: &World, screen: &Screen) -> Outcome {
    let (api, key) = (&world.api, world.token.expose());
    screen.title("\nStill running; Ctrl-C ends it and removes everything")?;
    screen.line(&format!("API               {api}"))?;
    screen.line(&format!("Reference         {api}/docs"))?;
    screen.line(&format!(
        "Simulated Vercel  {}  (token {TOKEN})",
        world.vercel.url()
    ))?;
    screen.title("\nTry:")?;
    for path in [
        "/v1/integrations/connections".to_owned(),
        format!("/v1/vaults/{REPO}"),
        format!("/v1/secrets/pull?repo={REPO}&environment={SCOPE}"),
        "/v1/integrations/jobs".to_owned(),
    ] {
        screen.line(&format!(
            "curl -s -H 'Authorization: Bearer {key}' '{api}{path}'"
        ))?;
    }
    Ok(())
}

/// Between two looks at a job.
#[expect(
    clippy::disallowed_methods,
    reason = "the demo polls as any client would; no job logic"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}
