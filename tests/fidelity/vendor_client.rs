//! Vercel's own client (`@vercel/sdk`) against our simulator: see tests/vercel-sdk; and Netlify's
//! (`@netlify/api`): see tests/netlify-api.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyway_simulator::netlify::{self, Netlify};
use keyway_simulator::vercel::{Preset, TOKEN};
use keyway_tests::stand_in::StandIn;

#[tokio::test(flavor = "multi_thread")]
async fn vercels_own_client_accepts_the_simulator() {
    let vercel = StandIn::start(Preset::LivedIn).await.unwrap();
    drive("vercel-sdk", vercel.url(), TOKEN).await;
    assert!(vercel.calls() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn netlifys_own_client_accepts_the_simulator() {
    let netlify = Netlify::start(netlify::Preset::LivedIn).await.unwrap();
    drive("netlify-api", netlify.url(), netlify::TOKEN).await;
    assert!(netlify.calls() > 0);
}

/// Runs the steps of a folder against the simulator at `url`.
async fn drive(folder: &'static str, url: String, token: &'static str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let run = move || {
        need_node();
        install(&path, folder);
        run(Command::new("node")
            .args(["main.mjs", &url, token])
            .current_dir(&path))
    };
    let (passed, output) = tokio::task::spawn_blocking(run).await.unwrap();
    println!("{output}");
    assert!(passed, "the steps above failed");
}

fn need_node() {
    let major = Command::new("node")
        .args(["-p", "process.versions.node.split('.')[0]"])
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| text.trim().parse::<u32>().ok());
    assert!(
        major >= Some(20),
        "Node.js 20 or later with npm is needed: start the tests with tests/run, which installs it \
         or says how"
    );
}

/// Installs what the lock file names, once for each state of it. Runs in other processes wait.
fn install(folder: &Path, name: &str) {
    let lock = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.lock"));
    let lock = File::create(lock).unwrap();
    lock.lock().unwrap();
    let wanted = std::fs::read(folder.join("package-lock.json")).unwrap();
    let stamp = folder.join("node_modules/.installed-from.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return;
    }
    let (installed, output) = run(Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder));
    assert!(installed, "npm ci failed:\n{output}");
    std::fs::write(stamp, wanted).unwrap();
}

/// Whether it succeeded, and what it printed.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}
