//! `keyway demo`: the main job for a newcomer, from a `.env` file to values at a provider and the
//! proof that they are right, against a simulated provider.

mod client;
mod proof;
mod screen;
mod secrets;
mod stage;
mod story;
mod wire;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use keyway_shared::config::LogArgs;

use crate::failure::Outcome;
use screen::Screen;
use secrets::Secrets;
use stage::{Preset, ProviderChoice};
use story::Story;
use world::World;

/// See the whole thing work: vault, preview, sync and proof, with a simulated provider
///
/// Starts everything in one process and a temporary folder, uses it over HTTP as any client would, and
/// checks the outcome at the simulated provider. Nothing outside is contacted and nothing is left
/// behind. Ends with 0 when every value is where it belongs, else with 1.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  keyway demo\n  keyway demo --provider netlify\n  keyway demo --env-file .env        with secrets of your own; they stay on this machine\n  keyway demo --keep                 stay up, to try the API with curl"
)]
pub(crate) struct DemoArgs {
    /// Which provider is simulated
    #[arg(long, value_enum, default_value_t = ProviderChoice::Vercel)]
    provider: ProviderChoice,

    /// Use the secrets of this .env file instead of the sample
    #[arg(long, value_name = "PATH")]
    env_file: Option<PathBuf>,

    /// Stay up at the end and print how to go on with curl, until Ctrl-C
    #[arg(long)]
    keep: bool,

    /// What the simulated provider holds at the start
    #[arg(long, value_enum, default_value_t = Preset::LivedIn)]
    preset: Preset,

    /// How long each call to the simulated provider takes, in milliseconds
    #[arg(long, value_name = "N", default_value = "50")]
    latency_ms: u64,

    #[command(flatten)]
    log: LogArgs,
}

pub(crate) async fn run(args: &DemoArgs) -> Outcome {
    args.log.init(Some("error"))?;
    let secrets = secrets::load(args.env_file.as_deref(), args.provider.sample())?;
    let latency = Duration::from_millis(args.latency_ms);
    let world = World::start(args.provider, args.preset, latency).await?;
    let told = tell(args, &world, secrets).await;
    if told.is_ok() && args.keep {
        story::invite(&world, &Screen::new())?;
        return world.stay().await;
    }
    let stopped = world.stop().await;
    told.and(stopped)
}

async fn tell(args: &DemoArgs, world: &World, secrets: Secrets) -> Outcome {
    let source = args.env_file.as_ref().map_or_else(
        || "a sample .env".to_owned(),
        |path| path.display().to_string(),
    );
    let story = Story::new(world, secrets).await?;
    story.tell(&mut Screen::new(), &world.api, &source).await
}
