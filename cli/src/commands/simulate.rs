//! `keyway simulate …`

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use keyway_shared::config::LogArgs;
use keyway_simulator::fly::{self, Fly};
use keyway_simulator::github::{CLIENT_ID, CLIENT_SECRET, GitHub, Permission};
use keyway_simulator::netlify::{self, Netlify};
use keyway_simulator::railway::{self, Railway};
use keyway_simulator::vercel::{self, Preset, SLUG, TOKEN, Vercel};

use crate::failure::{Failure, Outcome};
use crate::output;
use crate::process::Process;

/// Run a stand-in of a provider, to try things without an account
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    #[command(subcommand)]
    provider: SimulatedProvider,
}

#[derive(Debug, Subcommand)]
enum SimulatedProvider {
    Vercel(VercelArgs),
    Netlify(NetlifyArgs),
    Railway(RailwayArgs),
    Fly(FlyArgs),
    #[command(name = "github")]
    GitHub(GitHubArgs),
}

/// A stand-in of GitHub, to try sign-in and roles without an app there
///
/// It forgets everything when it ends. `ada` is admin of `acme/web`, `bob` may write, `cat` may read.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keyway simulate github --port 9200 &\n  and start keyway with the variables that it prints"
)]
struct GitHubArgs {
    /// Port to listen on; 0 picks a free one and prints it
    #[arg(long, value_name = "N", default_value = "9200")]
    port: u16,

    #[command(flatten)]
    log: LogArgs,
}

/// A stateful stand-in of Vercel's API
///
/// It forgets everything when it ends. It prints the token to use with it, and what to start keyway with
/// to connect in a browser.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keyway simulate vercel --port 9100 &\n  VERCEL_API_URL=http://127.0.0.1:9100 keyway serve"
)]
struct VercelArgs {
    /// Port to listen on; 0 picks a free one and prints it
    #[arg(long, value_name = "N", default_value = "9100")]
    port: u16,

    /// What is there at the start
    #[arg(long, value_enum, default_value_t = SimulatedWorld::LivedIn)]
    preset: SimulatedWorld,

    /// Where it sends a browser in which somebody allowed the integration
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080/v1/integrations/vercel/callback"
    )]
    callback: String,

    /// How long each answer takes, in milliseconds
    #[arg(long, value_name = "N", default_value = "0")]
    latency_ms: u64,

    #[command(flatten)]
    log: LogArgs,
}

/// A stateful stand-in of Netlify's API
///
/// It forgets everything when it ends. It prints the token to use with it. POST /_simulator/settings
/// changes how it behaves where Netlify's documentation is silent; GET shows what can be set.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keyway simulate netlify --port 9300 &\n  curl -H 'Authorization: Bearer simulated-netlify-token' http://127.0.0.1:9300/api/v1/sites"
)]
struct NetlifyArgs {
    /// Port to listen on; 0 picks a free one and prints it
    #[arg(long, value_name = "N", default_value = "9300")]
    port: u16,

    /// What is there at the start
    #[arg(long, value_enum, default_value_t = NetlifyWorld::LivedIn)]
    preset: NetlifyWorld,

    /// How long each answer takes, in milliseconds
    #[arg(long, value_name = "N", default_value = "0")]
    latency_ms: u64,

    #[command(flatten)]
    log: LogArgs,
}

/// What the simulated Netlify holds at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NetlifyWorld {
    /// Three teams and 125 sites; one of them has a variable with values of two contexts
    Starter,
    /// The same, and that site and its team have been edited by hand for years
    LivedIn,
}

impl From<NetlifyWorld> for netlify::Preset {
    fn from(world: NetlifyWorld) -> Self {
        match world {
            NetlifyWorld::Starter => Self::Starter,
            NetlifyWorld::LivedIn => Self::LivedIn,
        }
    }
}

/// A stateful stand-in of Railway's GraphQL API and of "Login with Railway"
///
/// It forgets everything when it ends. It prints the tokens and the app to use with it.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keyway simulate railway --port 9400 &\n  curl http://127.0.0.1:9400/graphql/v2 -H 'Authorization: Bearer simulated-railway-token' \\\n    -H 'Content-Type: application/json' -d '{\"query\": \"{ me { name workspaces { name } } }\"}'"
)]
struct RailwayArgs {
    /// Port to listen on; 0 picks a free one and prints it
    #[arg(long, value_name = "N", default_value = "9400")]
    port: u16,

    /// What is there at the start
    #[arg(long, value_enum, default_value_t = RailwayWorld::LivedIn)]
    preset: RailwayWorld,

    /// How long each answer takes, in milliseconds
    #[arg(long, value_name = "N", default_value = "0")]
    latency_ms: u64,

    #[command(flatten)]
    log: LogArgs,
}

/// What the simulated Railway holds at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RailwayWorld {
    /// Two dozen projects; one of them has two services in two environments, deployed
    Starter,
    /// The same, and that project has been edited by hand for years
    LivedIn,
}

impl From<RailwayWorld> for railway::Preset {
    fn from(world: RailwayWorld) -> Self {
        match world {
            RailwayWorld::Starter => Self::Starter,
            RailwayWorld::LivedIn => Self::LivedIn,
        }
    }
}

/// A stateful stand-in of Fly.io's Machines API
///
/// It forgets everything when it ends. It prints the tokens to use with it. GET /_simulator/state shows
/// which secrets are staged, and which each machine runs with; POST /_simulator/settings changes how it
/// behaves where Fly.io's documentation is silent, GET shows what can be set.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keyway simulate fly --port 9500 &\n  curl -H 'Authorization: Bearer fo1_simulated-fly-user-token' http://127.0.0.1:9500/v1/apps/my-app/secrets"
)]
struct FlyArgs {
    /// Port to listen on; 0 picks a free one and prints it
    #[arg(long, value_name = "N", default_value = "9500")]
    port: u16,

    /// What is there at the start
    #[arg(long, value_enum, default_value_t = FlyWorld::LivedIn)]
    preset: FlyWorld,

    /// How long each answer takes, in milliseconds
    #[arg(long, value_name = "N", default_value = "0")]
    latency_ms: u64,

    #[command(flatten)]
    log: LogArgs,
}

/// What the simulated Fly.io holds at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FlyWorld {
    /// An app with one machine, and no secret
    Empty,
    /// Several apps; one runs in several places, and its secrets have been set by hand for years
    LivedIn,
}

impl From<FlyWorld> for fly::Preset {
    fn from(world: FlyWorld) -> Self {
        match world {
            FlyWorld::Empty => Self::Empty,
            FlyWorld::LivedIn => Self::LivedIn,
        }
    }
}

/// What a simulated provider holds at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SimulatedWorld {
    /// Two dozen projects; one of them has a variable in each of preview and development
    Starter,
    /// The same, and that project has been edited by hand for years
    LivedIn,
}

impl From<SimulatedWorld> for Preset {
    fn from(world: SimulatedWorld) -> Self {
        match world {
            SimulatedWorld::Starter => Self::Starter,
            SimulatedWorld::LivedIn => Self::LivedIn,
        }
    }
}

pub(crate) async fn run(args: &SimulateArgs) -> Outcome {
    match &args.provider {
        SimulatedProvider::Vercel(args) => vercel(args).await,
        SimulatedProvider::Netlify(args) => netlify(args).await,
        SimulatedProvider::Railway(args) => railway(args).await,
        SimulatedProvider::Fly(args) => fly(args).await,
        SimulatedProvider::GitHub(args) => github(args).await,
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot listen on {address}: {error}"))
        .hint("choose another port with --port")
}

async fn github(args: &GitHubArgs) -> Outcome {
    args.log.init(None)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let simulator = GitHub::bind(address)
        .await
        .map_err(|error| cannot_listen(address, &error))?;
    simulator.add_repo("acme/web", true);
    let people = [
        ("ada", Permission::Admin),
        ("bob", Permission::Push),
        ("cat", Permission::Pull),
    ];
    let tokens = people.map(|(login, permission)| {
        let token = simulator.add_user(login);
        simulator.grant("acme/web", login, Some(permission));
        (login, token)
    });
    let url = simulator.url();
    Process::new()
        .run(|| {
            output::line(format!("Simulated GitHub on {url}"))?;
            for (login, token) in &tokens {
                output::line(format!("Token of {login}: {token}"))?;
            }
            output::line("Sign-in, and roles in acme/web, with:")?;
            output::line(format!(
                "KEYWAY_AUTH_MODE=github GITHUB_API_URL={url} GITHUB_WEB_URL={url} \
                 GITHUB_CLIENT_ID={CLIENT_ID} GITHUB_CLIENT_SECRET={CLIENT_SECRET} keyway serve"
            ))?;
            Ok(())
        })
        .await?;
    simulator.stop().await;
    Ok(())
}

async fn vercel(args: &VercelArgs) -> Outcome {
    args.log.init(None)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let simulator = Vercel::bind(address, args.preset.into())
        .await
        .map_err(|error| cannot_listen(address, &error))?;
    simulator.set_callback(&args.callback);
    simulator.set_latency(Duration::from_millis(args.latency_ms));
    let url = simulator.url();
    Process::new()
        .run(|| {
            output::line(format!("Simulated Vercel on {url}"))?;
            output::line(format!("Token: {TOKEN}"))?;
            output::line(format!("Use it with: VERCEL_API_URL={url} keyway serve"))?;
            output::line("To connect in a browser, with:")?;
            output::line(format!(
                "VERCEL_API_URL={url} VERCEL_WEB_URL={url} VERCEL_CLIENT_ID={} \
                 VERCEL_CLIENT_SECRET={} VERCEL_INTEGRATION_SLUG={SLUG} keyway serve",
                vercel::CLIENT_ID,
                vercel::CLIENT_SECRET,
            ))?;
            output::line(format!(
                "To begin where Vercel's marketplace does: {url}/integrations/{SLUG}"
            ))?;
            Ok(())
        })
        .await?;
    simulator.stop().await;
    Ok(())
}

async fn netlify(args: &NetlifyArgs) -> Outcome {
    args.log.init(None)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let simulator = Netlify::bind(address, args.preset.into())
        .await
        .map_err(|error| cannot_listen(address, &error))?;
    simulator.set_latency(Duration::from_millis(args.latency_ms));
    let url = simulator.url();
    Process::new()
        .run(|| {
            output::line(format!("Simulated Netlify on {url}"))?;
            output::line(format!("Token: {}", netlify::TOKEN))?;
            output::line(format!(
                "Site my-app: {} of team {}",
                netlify::SITE,
                netlify::ACCOUNT
            ))?;
            output::line(format!("API: {url}/api/v1, authorization: {url}/authorize"))?;
            Ok(())
        })
        .await?;
    simulator.stop().await;
    Ok(())
}

async fn railway(args: &RailwayArgs) -> Outcome {
    args.log.init(None)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let simulator = Railway::bind(address, args.preset.into())
        .await
        .map_err(|error| cannot_listen(address, &error))?;
    simulator.set(|options| options.latency_ms = args.latency_ms);
    let url = simulator.url();
    Process::new()
        .run(|| {
            output::line(format!("Simulated Railway on {url}"))?;
            for (kind, token) in [
                ("account", railway::TOKEN),
                ("workspace", railway::WORKSPACE_TOKEN),
                ("project", railway::PROJECT_TOKEN),
            ] {
                output::line(format!("Token of the {kind}: {token}"))?;
            }
            output::line(format!(
                "App: {} with the secret {}, back to {}",
                railway::CLIENT_ID,
                railway::CLIENT_SECRET,
                railway::REDIRECT_URI
            ))?;
            Ok(())
        })
        .await?;
    simulator.stop().await;
    Ok(())
}

async fn fly(args: &FlyArgs) -> Outcome {
    args.log.init(None)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let simulator = Fly::bind(address, args.preset.into())
        .await
        .map_err(|error| cannot_listen(address, &error))?;
    simulator.set_latency(Duration::from_millis(args.latency_ms));
    let url = simulator.url();
    Process::new()
        .run(|| {
            output::line(format!("Simulated Fly.io on {url}"))?;
            for (kind, token) in [
                (fly::ORGANIZATION, fly::TOKEN),
                (fly::APP, fly::DEPLOY_TOKEN),
                ("one who only reads", fly::READ_ONLY_TOKEN),
                (fly::USER, fly::USER_TOKEN),
            ] {
                output::line(format!("Token of {kind}: {token}"))?;
            }
            output::line(format!("API: {url}/v1"))?;
            Ok(())
        })
        .await?;
    simulator.stop().await;
    Ok(())
}
