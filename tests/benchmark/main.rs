//! `tests/bench [pushes | scale]`: the program as a process, against the stand-in of Vercel in this one; and
//! its parts on tables of a size that nobody waits for in a test.
//!
//! Every account has calls of its own in a minute, as at Vercel: so the cases have accounts of their own.

mod backlog;
mod processor;
mod program;
mod pushes;
mod scale;
mod seed;
mod table;

use keyway_simulator::vercel::{Preset, TOKEN};
use program::Form;

const PRESET: Preset = Preset::Starter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let only = std::env::args().nth(1);
    let asked = |part: &str| only.as_deref().is_none_or(|only| only == part);
    anyhow::ensure!(
        asked("pushes") || asked("scale"),
        "tests/bench [pushes | scale]"
    );
    for form in [Form::Embedded, Form::Production] {
        if asked("pushes") {
            pushes::run(form).await?;
        }
        if asked("scale") {
            scale::run(form).await?;
            backlog::run(form).await?;
        }
    }
    Ok(())
}

/// The stand-in's token, for whoever calls it directly.
const fn token() -> &'static str {
    TOKEN
}
