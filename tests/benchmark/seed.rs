//! Tables of a size that would take the program hours to fill, filled by the databases themselves.

use anyhow::Result;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

use crate::program::Form;

/// Past the program, on a connection of its own.
pub(crate) enum Seed {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

macro_rules! on {
    ($seed:expr, |$connection:ident| $body:expr) => {
        match $seed {
            Seed::Sqlite($connection) => $body,
            Seed::Postgres($connection) => $body,
        }
    };
}

/// Ids of these kinds begin here.
const VAULTS: u64 = 1 << 40;
const ENVIRONMENTS: u64 = 2 << 40;
const LINKS: u64 = 3 << 40;
const JOBS: u64 = 4 << 40;
/// The one user, and the one connection.
const OWNER: u64 = 1;
/// Links of a vault.
const LINKS_OF_A_VAULT: u64 = 100;

impl Seed {
    pub(crate) async fn open(form: Form, url: &str) -> Result<Self> {
        Ok(match form {
            Form::Embedded => Self::Sqlite(SqliteConnection::connect(url).await?),
            Form::Production => Self::Postgres(PgConnection::connect(url).await?),
        })
    }

    async fn execute(&mut self, sql: String) -> Result<u64> {
        let sql = AssertSqlSafe(sql);
        Ok(on!(self, |connection| sqlx::query(sql)
            .execute(connection)
            .await?
            .rows_affected()))
    }

    /// The first rows of a database: a user with a connection, and vaults with an environment each.
    pub(crate) async fn vaults(&mut self, count: u64) -> Result<()> {
        let (owner, now) = (self.id(&OWNER.to_string()), self.time("0"));
        let bytes = if matches!(self, Self::Sqlite(_)) {
            "x'00'"
        } else {
            r"'\x00'"
        };
        self.execute(format!(
            "INSERT INTO users (id, username, username_key, operator, created_at)
             VALUES ({owner}, 'bench', 'bench', FALSE, {now})"
        ))
        .await?;
        self.execute(format!(
            "INSERT INTO connections (id, user_id, provider, provider_account_id, provider_user_id,
                 account_name, auth_method, token_ciphertext, token_key_id, status, created_at, updated_at)
             VALUES ({owner}, {owner}, 'vercel', 'team', 'user', 'Team', 'token', {bytes}, 'none',
                 'active', {now}, {now})"
        ))
        .await?;
        let (vault, environment) = (self.number(VAULTS, "n"), self.number(ENVIRONMENTS, "n"));
        let series = self.series(count);
        self.execute(format!(
            "INSERT INTO vaults (id, created_by, repo_owner, repo_name, repo_key, created_at, updated_at)
             SELECT {vault}, {owner}, 'acme', 'app-' || n, 'acme/app-' || n, {now}, {now} FROM {series}"
        ))
        .await?;
        self.execute(format!(
            "INSERT INTO environments (id, vault_id, name, kind, display_order, revision, created_at)
             SELECT {environment}, {vault}, 'production', 'protected', 0, 1, {now} FROM {series}"
        ))
        .await?;
        Ok(())
    }

    /// Links that sync every hour: `due` of them, evenly among the others, for up to an hour, and the
    /// others within a day.
    pub(crate) async fn links(&mut self, count: u64, due: u64) -> Result<()> {
        self.vaults(count / LINKS_OF_A_VAULT).await?;
        let each = count / due;
        let next = self.time(&format!(
            "CASE WHEN n % {each} = 0 THEN -1 - n / {each} % 3600 ELSE 3600 + n % 82800 END"
        ));
        let (id, owner, now) = (
            self.number(LINKS, "n"),
            self.id(&OWNER.to_string()),
            self.time("0"),
        );
        let of = format!("(1 + (n - 1) / {LINKS_OF_A_VAULT})");
        let (vault, environment) = (self.number(VAULTS, &of), self.number(ENVIRONMENTS, &of));
        let series = self.series(count);
        self.execute(format!(
            "INSERT INTO links (id, vault_id, environment_id, connection_id, provider, project_key,
                 project_id, service_id, provider_environment, git_branch, direction, allow_delete,
                 delete_scope, shared, created_at, updated_at, auto_mode, auto_every, next_run_at)
             SELECT {id}, {vault}, {environment}, {owner}, 'vercel', 'vercel|bench|prj_' || n,
                 'prj_' || n, '', 'production', '', 'push', FALSE, 'all', FALSE, {now}, {now},
                 'interval', '1h', {next}
             FROM {series}"
        ))
        .await?;
        self.execute("ANALYZE".to_owned()).await?;
        Ok(())
    }

    /// Queued background jobs, ten for each project.
    pub(crate) async fn jobs(&mut self, count: u64) -> Result<()> {
        let request = r#"'{"projectId":"prj","keywayEnvironment":"production","providerEnvironment":"production","direction":"push","allowDelete":false,"deleteScope":"all","onConflict":"overwrite","confirmEmptySource":false,"variableType":"encrypted"}'"#;
        let request = match self {
            Self::Sqlite(_) => request.to_owned(),
            Self::Postgres(_) => format!("{request}::jsonb"),
        };
        let (id, owner) = (self.number(JOBS, "n"), self.id(&OWNER.to_string()));
        let (vault, environment) = (self.number(VAULTS, "1"), self.number(ENVIRONMENTS, "1"));
        let (past, end) = (self.time("-60"), self.time("86400"));
        let series = self.series(count);
        self.execute(format!(
            "INSERT INTO jobs (id, kind, class, state, attempt, run, takeovers, user_id, vault_id,
                 environment_id, connection_id, project_key, request, due_at, ring_at, rings,
                 cancel_requested, progress_done, progress_total, provider_calls, rate_limited_ms,
                 created_at, deadline_at)
             SELECT {id}, 'sync', 'background', 'queued', 0, 0, 0, {owner}, {vault}, {environment},
                 {owner}, 'vercel|bench|prj_' || (n % {projects}), {request}, {past}, {past}, 0, FALSE,
                 0, 0, 0, 0, {past}, {end}
             FROM {series}",
            projects = count / 10,
        ))
        .await?;
        self.execute("ANALYZE".to_owned()).await?;
        Ok(())
    }

    /// Removes all jobs but the first ones.
    pub(crate) async fn keep_jobs(&mut self, count: u64) -> Result<()> {
        let last = self.number(JOBS, &count.to_string());
        self.execute(format!("DELETE FROM jobs WHERE id > {last}"))
            .await?;
        let tidy = match self {
            Self::Sqlite(_) => "ANALYZE",
            Self::Postgres(_) => "VACUUM ANALYZE jobs",
        };
        self.execute(tidy.to_owned()).await?;
        Ok(())
    }

    /// Background jobs that do the same as a job that has ended, for other projects and connections;
    /// `targets` are (connection, project).
    pub(crate) async fn copies(&mut self, job: Uuid, targets: &[(Uuid, String)]) -> Result<()> {
        let targets: Vec<_> = targets
            .iter()
            .map(|(connection, project)| {
                serde_json::json!({ "connection": connection.simple().to_string(), "project": project })
            })
            .collect();
        let targets = serde_json::Value::from(targets).to_string();
        let (now, end) = (self.time("0"), self.time("86400"));
        let id = self.number(JOBS, "t.n");
        let (connection, project, set, from) = match self {
            Self::Sqlite(_) => (
                "unhex(t.target ->> 'connection')",
                "t.target ->> 'project'",
                "json_set(j.request, '$.projectId', t.target ->> 'project')",
                "(SELECT key + 1 AS n, value AS target FROM json_each($2)) t",
            ),
            Self::Postgres(_) => (
                "(t.target ->> 'connection')::uuid",
                "(t.target ->> 'project')",
                "jsonb_set(j.request, '{projectId}', t.target -> 'project')",
                "jsonb_array_elements($2::jsonb) WITH ORDINALITY AS t (target, n)",
            ),
        };
        // A project's key begins alike for all of a provider.
        let sql = format!(
            "INSERT INTO jobs (id, kind, class, state, attempt, run, takeovers, user_id, vault_id,
                 environment_id, connection_id, project_key, request, due_at, ring_at, rings,
                 cancel_requested, progress_done, progress_total, provider_calls, rate_limited_ms,
                 created_at, deadline_at)
             SELECT {id}, j.kind, 'background', 'queued', 0, 0, 0, j.user_id, j.vault_id,
                 j.environment_id, {connection},
                 replace(j.project_key, j.request ->> 'projectId', {project}), {set}, {now}, {now}, 0,
                 FALSE, 0, 0, 0, 0, {now}, {end}
             FROM jobs j, {from} WHERE j.id = $1"
        );
        let made = on!(self, |database| sqlx::query(AssertSqlSafe(sql))
            .bind(job)
            .bind(targets)
            .execute(database)
            .await?
            .rows_affected());
        anyhow::ensure!(made > 0, "no job {job}");
        Ok(())
    }

    /// How many jobs have not been started yet, and how many have ended otherwise than well.
    pub(crate) async fn backlog(&mut self) -> Result<(i64, i64)> {
        let sql = "SELECT COUNT(*) FILTER (WHERE state = 'queued'),
                 COUNT(*) FILTER (WHERE state IN ('failed', 'partial')) FROM jobs";
        Ok(on!(self, |connection| sqlx::query_as(sql)
            .fetch_one(connection)
            .await?))
    }

    /// The id of a job made by [`Seed::jobs`].
    pub(crate) fn job(n: u64) -> Uuid {
        Uuid::from_u128(u128::from(JOBS + n))
    }

    /// An id as the databases write it, of an expression that is a number.
    fn id(&self, number: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("unhex(printf('%032x', {number}))"),
            Self::Postgres(_) => format!("lpad(to_hex(({number})::bigint), 32, '0')::uuid"),
        }
    }

    fn number(&self, kind: u64, n: &str) -> String {
        self.id(&format!("{kind} + {n}"))
    }

    /// A time so many seconds from now, of an expression.
    fn time(&self, seconds: &str) -> String {
        match self {
            Self::Sqlite(_) => {
                format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', ({seconds}) || ' seconds')")
            }
            Self::Postgres(_) => format!("now() + ({seconds}) * interval '1 second'"),
        }
    }

    /// The numbers from one, as `n`.
    fn series(&self, count: u64) -> String {
        match self {
            Self::Sqlite(_) => format!(
                "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})
                  SELECT n FROM s) s"
            ),
            Self::Postgres(_) => format!("generate_series(1::bigint, {count}) AS s (n)"),
        }
    }
}
