//! The encryption keys are changed while the service runs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use keyway_tests::database::{Database, Profile, redis_url};
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use crate::support::{Caller, Ended, Home, Running, free_port, hex_key, tick};

on_both_profiles!(
    a_key_is_changed_while_everything_runs,
    a_killed_rotation_is_gone_on_with,
    a_damaged_row_is_named_and_the_rest_is_sealed,
    another_key_put_first_gives_the_rotation_up,
    a_process_that_answers_its_last_callers_still_seals,
);

const OLD_SECRETS: &str = "SELECT COUNT(*) FROM secrets WHERE key_id <> 'k2'";
const OLD_VERSIONS: &str = "SELECT COUNT(*) FROM secret_versions WHERE key_id <> 'k2'";

/// An installation, with a user and a vault.
struct Installation {
    home: Home,
    profile: Profile,
    database: Database,
    prefix: String,
    away: String,
    key: String,
}

/// Its processes.
struct Service {
    caller: Caller,
    processes: Vec<Running>,
}

impl Service {
    fn stop(mut self) {
        for process in &mut self.processes {
            assert_eq!(process.terminate(), Some(0));
        }
    }

    fn kill(self) {
        self.processes.into_iter().for_each(Running::kill);
    }

    /// Gives the vault's production these secrets.
    async fn push(&self, secrets: &Value) {
        let push = json!({
            "repoFullName": "acme/my-app", "environment": "production", "secrets": secrets,
        });
        self.caller.post("/v1/secrets/push", &push).await;
    }

    async fn pull(&self) -> String {
        let path = "/v1/secrets/pull?repo=acme/my-app&environment=production";
        let pulled = self.caller.get(path).await;
        pulled["content"].as_str().unwrap().to_owned()
    }
}

impl Installation {
    async fn new(profile: Profile) -> Arc<Self> {
        let database = Database::create_empty(profile).await;
        let name = database.url().rsplit('/').next().unwrap();
        let mut installation = Self {
            prefix: format!("kwkeys:{name}:"),
            home: Home::new(),
            profile,
            database,
            away: format!("http://127.0.0.1:{}", free_port()),
            key: String::new(),
        };
        assert!(installation.run(&["migrate"], &["k1"]).success);
        let scopes = "read:secrets,write:secrets,delete:secrets";
        let create = ["keys", "create", "--user", "ada", "--scopes", scopes];
        let created = installation.run(&create, &["k1"]);
        created.out.trim().clone_into(&mut installation.key);
        Arc::new(installation)
    }

    /// Its environment, with these keys, the first of which seals.
    fn environment(&self, keys: &[&str]) -> Vec<(&'static str, String)> {
        let ring: Vec<_> = keys
            .iter()
            .map(|id| match *id {
                "k1" => hex_key(id, "ab"),
                "k2" => hex_key(id, "cd"),
                _ => hex_key(id, "ef"),
            })
            .collect();
        let mut env = vec![
            ("DATABASE_URL", self.database.url().to_owned()),
            ("KEYWAY_ENCRYPTION_KEYS", ring.join(",")),
            ("VERCEL_API_URL", self.away.clone()),
            ("KEYWAY_LEASE", "3s".to_owned()),
            ("KEYWAY_PROVIDER_TIMEOUT", "1s".to_owned()),
        ];
        if self.profile == Profile::Production {
            env.push(("REDIS_URL", redis_url()));
            env.push(("KEYWAY_REDIS_PREFIX", self.prefix.clone()));
        }
        env
    }

    fn run(&self, args: &[&str], keys: &[&str]) -> Ended {
        let env = self.environment(keys);
        let env: Vec<_> = env
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        self.home.run_with(args, &env)
    }

    fn start(&self, keys: &[&str]) -> Service {
        let env = self.environment(keys);
        let env: Vec<_> = env
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let mut api = match self.profile {
            Profile::Embedded => self.home.spawn_with(&["serve"], &env),
            Profile::Production => self.home.spawn_with(&["api"], &env),
        };
        let caller = Caller::new(api.url(), &self.key);
        let mut processes = vec![api];
        if self.profile == Profile::Production {
            let mut worker = self.home.spawn_with(&["worker"], &env);
            worker.line();
            processes.push(worker);
        }
        Service { caller, processes }
    }

    /// Starts it, and waits until all of it has shown itself.
    async fn start_known(&self, keys: &[&str]) -> Service {
        let service = self.start(keys);
        let known = format!(
            "SELECT COUNT(*) FROM processes WHERE active_key_id = '{}'",
            keys[0]
        );
        while self.database.number(&known).await < service.processes.len() as i64 {
            tick().await;
        }
        service
    }

    /// With a vault whose secrets have been written twice.
    async fn fill(&self, keys: &[&str]) {
        let service = self.start(keys);
        let vault = json!({ "repoFullName": "acme/my-app" });
        service.caller.post("/v1/vaults", &vault).await;
        service.push(&json!({ "A": "1", "B": "2", "C": "3" })).await;
        service.push(&json!({ "A": "4", "B": "5", "C": "6" })).await;
        service.stop();
    }

    /// How the doctor finds the use of keys, and what it says.
    fn doctor(&self, keys: &[&str]) -> (String, String) {
        let report = self.run(&["doctor", "--json"], keys);
        let report: Value = serde_json::from_str(&report.out).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "use of keys");
        let text = |field: &str| check.unwrap()[field].as_str().unwrap().to_owned();
        (text("level"), text("finding"))
    }
}

async fn a_key_is_changed_while_everything_runs(profile: Profile) {
    let installation = Installation::new(profile).await;
    installation.fill(&["k1"]).await;

    // Too early: it would seal what those who run cannot read.
    let service = installation.start_known(&["k1"]).await;
    let refused = installation.run(&["rotate-keys"], &["k2", "k1"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("does not have 'k2'"),
        "{}",
        refused.err
    );
    service.stop();

    // Everybody can read with the new key.
    let service = installation.start_known(&["k1", "k2"]).await;
    let refused = installation.run(&["rotate-keys"], &["k2", "k1"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("seals with 'k1'"), "{}", refused.err);
    assert_eq!(installation.database.number(OLD_SECRETS).await, 3);
    let (level, finding) = installation.doctor(&["k1", "k2"]);
    assert_eq!(level, "ok");
    assert!(finding.contains("nothing is sealed with 'k2'"), "{finding}");
    service.stop();

    // Everybody seals with it.
    let service = installation.start_known(&["k2", "k1"]).await;
    let (level, finding) = installation.doctor(&["k2", "k1"]);
    assert_eq!(level, "warn");
    assert!(finding.contains("'k1' is needed for 7 rows"), "{finding}");
    let rotating = std::thread::spawn({
        let installation = Arc::clone(&installation);
        move || installation.run(&["rotate-keys"], &["k2", "k1"])
    });
    let mut written = 0;
    while written == 0 || !rotating.is_finished() {
        written += 1;
        let value = written.to_string();
        service
            .push(&json!({ "A": value, "B": "5", "C": "6" }))
            .await;
    }
    let rotated = rotating.join().unwrap();
    assert_eq!(rotated.code, Some(0), "{}{}", rotated.out, rotated.err);
    assert!(
        rotated.out.contains("everything is sealed with 'k2'"),
        "{}",
        rotated.out
    );
    let (level, finding) = installation.doctor(&["k2", "k1"]);
    assert_eq!(level, "ok");
    assert!(
        finding.contains("'k1' is not used and can be dropped"),
        "{finding}"
    );
    // Nothing is left to do.
    let again = installation.run(&["rotate-keys"], &["k2", "k1"]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    service.stop();

    // And the old one can be dropped.
    let service = installation.start(&["k2"]);
    assert_eq!(service.pull().await, format!("A={written}\nB=5\nC=6\n"));
    service.stop();
    let with_old = installation.run(&["serve"], &["k1"]);
    assert_eq!(with_old.code, Some(1));
}

async fn a_killed_rotation_is_gone_on_with(profile: Profile) {
    let installation = Installation::new(profile).await;
    installation.fill(&["k1"]).await;
    let (keys, database) = (["k2", "k1"], &installation.database);
    let alone = installation.run(&["rotate-keys"], &keys);
    assert_eq!(alone.code, Some(1));
    assert!(alone.err.contains("no worker runs"), "{}", alone.err);

    // It comes as far as the versions.
    match profile {
        Profile::Embedded => {
            let hold = "CREATE TRIGGER held BEFORE UPDATE ON secret_versions
                BEGIN SELECT RAISE(ABORT, 'held'); END";
            database.execute(hold).await;
        }
        Profile::Production => {
            let held = "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN RAISE EXCEPTION ''held''; END'";
            database.execute(held).await;
            let hold = "CREATE TRIGGER held BEFORE UPDATE ON secret_versions
                FOR EACH ROW EXECUTE FUNCTION held()";
            database.execute(hold).await;
        }
    }
    let service = installation.start_known(&keys).await;
    let asked = installation.run(&["rotate-keys", "--no-wait"], &keys);
    assert!(asked.success, "{}", asked.err);
    assert!(
        asked.out.contains("workers seal 7 rows with 'k2'"),
        "{}",
        asked.out
    );
    while database.number(OLD_SECRETS).await > 0 {
        tick().await;
    }
    let (_, finding) = installation.doctor(&keys);
    let running = "a rotation to 'k2' runs (4 of 7 rows)";
    assert!(finding.contains(running), "{finding}");
    service.kill();
    assert_eq!(database.number(OLD_VERSIONS).await, 3);
    match profile {
        Profile::Embedded => database.execute("DROP TRIGGER held").await,
        Profile::Production => database.execute("DROP FUNCTION held CASCADE").await,
    }

    let service = installation.start_known(&keys).await;
    let joined = installation.run(&["rotate-keys"], &keys);
    assert_eq!(joined.code, Some(0), "{}{}", joined.out, joined.err);
    assert!(joined.out.contains("sealed 7 rows again"), "{}", joined.out);
    assert_eq!(database.number(OLD_VERSIONS).await, 0);
    service.stop();
    let service = installation.start(&["k2"]);
    assert_eq!(service.pull().await, "A=4\nB=5\nC=6\n");
    service.stop();
}

async fn a_damaged_row_is_named_and_the_rest_is_sealed(profile: Profile) {
    let installation = Installation::new(profile).await;
    installation.fill(&["k1"]).await;
    let (keys, database) = (["k2", "k1"], &installation.database);
    // The value of another secret.
    let moved = "UPDATE secrets SET ciphertext =
        (SELECT o.ciphertext FROM secrets o WHERE o.key = 'A') WHERE key = 'B'";
    database.execute(moved).await;
    let service = installation.start_known(&keys).await;
    let rotated = installation.run(&["rotate-keys"], &keys);
    assert_eq!(rotated.code, Some(1), "{}", rotated.out);
    let named = rotated.err.lines().find(|line| line.contains("secrets "));
    let named = named.unwrap().trim();
    assert!(
        named.ends_with("(ciphertext, key 'k1'): damaged"),
        "{named}"
    );
    assert!(
        rotated.err.contains("sealed 6 rows again; 1 do not open"),
        "{}",
        rotated.err
    );
    let (level, finding) = installation.doctor(&keys);
    assert_eq!(level, "warn");
    assert!(
        finding.contains("'k1' is needed for 1 rows") && finding.contains(named),
        "{finding}"
    );
    // Written anew it is sealed with the new key.
    service.push(&json!({ "A": "4", "B": "7", "C": "6" })).await;
    let again = installation.run(&["rotate-keys"], &keys);
    assert_eq!(again.code, Some(1), "the value before is a version now");
    database
        .execute("DELETE FROM secret_versions WHERE key_id = 'k1'")
        .await;
    let again = installation.run(&["rotate-keys"], &keys);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.out.contains("'k1' is not used"), "{}", again.out);
    assert_eq!(service.pull().await, "A=4\nB=7\nC=6\n");
    service.stop();
}

async fn another_key_put_first_gives_the_rotation_up(profile: Profile) {
    let installation = Installation::new(profile).await;
    installation.fill(&["k1"]).await;
    let given_up = "SELECT COUNT(*) FROM key_rotations WHERE state = 'cancelled'";
    // Nobody is there to do it yet.
    let ask = ["rotate-keys", "--no-wait"];
    for _ in 0..2 {
        assert!(installation.run(&ask, &["k2", "k1"]).success);
    }
    assert_eq!(installation.database.number(given_up).await, 0);
    let keys = ["k3", "k2", "k1"];
    assert!(installation.run(&ask, &keys).success);
    assert_eq!(installation.database.number(given_up).await, 1);

    let service = installation.start_known(&keys).await;
    let rotated = installation.run(&["rotate-keys"], &keys);
    assert_eq!(rotated.code, Some(0), "{}", rotated.err);
    for sentence in [
        "everything is sealed with 'k3'",
        "'k2' is not used and can be dropped",
        "'k1' is not used and can be dropped",
    ] {
        assert!(rotated.out.contains(sentence), "{}", rotated.out);
    }
    service.stop();
}

/// What it is writing when it is told to stop is sealed with its key.
async fn a_process_that_answers_its_last_callers_still_seals(profile: Profile) {
    const SHOWN: &str = "SELECT COUNT(*) FROM processes WHERE active_key_id = 'k1'";
    const WORKERS: &str = "SELECT COUNT(*) FROM processes WHERE role = 'worker'";
    let installation = Installation::new(profile).await;
    installation.fill(&["k1"]).await;
    let database = &installation.database;
    assert_eq!(database.number(SHOWN).await, 0, "an orderly end");
    let mut service = installation.start_known(&["k1"]).await;

    let body = json!({
        "repoFullName": "acme/my-app", "environment": "production", "secrets": { "A": "last" },
    })
    .to_string();
    let address = service.caller.address();
    let mut request = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/secrets/push HTTP/1.1\r\nHost: keyway\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\
         Connection: close\r\n\r\n",
        installation.key,
        body.len()
    );
    request.write_all(head.as_bytes()).unwrap();
    let mut told = [0; 25];
    request.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");

    // All are told to stop; only the API has something left to do.
    for process in &service.processes {
        process.ask_to_stop();
    }
    while TcpStream::connect(address).is_ok() || database.number(WORKERS).await > 0 {
        tick().await;
    }
    let refused = installation.run(&["rotate-keys", "--no-wait"], &["k2", "k1"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("api") && refused.err.contains("does not have 'k2'"),
        "{}",
        refused.err
    );

    request.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    request.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for process in &mut service.processes {
        assert_eq!(process.ended(), Some(0));
    }
    assert_eq!(database.number(SHOWN).await, 0);
    let asked = installation.run(&["rotate-keys", "--no-wait"], &["k2", "k1"]);
    assert!(asked.success, "{}", asked.err);
}
