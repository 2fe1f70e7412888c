//! `keyway pause` and `keyway resume`

use clap::Args;
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::store::{Pause, Tx};
use uuid::Uuid;

use crate::args::StorageArgs;
use crate::failure::{Failure, Outcome};
use crate::{compose, output};

/// Hold jobs back: they are accepted, and wait
///
/// Without a flag all of them. What runs goes on to its end. The running service need not be
/// restarted: it looks before it starts a job.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keyway pause --provider vercel")]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    storage: StorageArgs,
}

/// Let jobs go on that were held back
///
/// Without a flag ends the pause of all; a provider's and a link's are ended by their own flags.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keyway resume --provider vercel")]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    storage: StorageArgs,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct What {
    /// Only jobs with this provider
    #[arg(long)]
    provider: Option<ProviderName>,
    /// Only syncs of this link's pair
    #[arg(long)]
    link: Option<Uuid>,
}

pub(crate) async fn pause(args: &PauseArgs) -> Outcome {
    change(&args.what, &args.storage, true).await
}

pub(crate) async fn resume(args: &ResumeArgs) -> Outcome {
    change(&args.what, &args.storage, false).await
}

async fn change(what: &What, storage: &StorageArgs, paused: bool) -> Outcome {
    storage.log.init(Some("warn"))?;
    let ambient = Ambient::system();
    let store = compose::open_for_command(storage, &ambient).await?;
    let mut tx = store.begin().await?;
    let name = match what {
        What { link: Some(id), .. } => {
            if !tx.set_link_paused(*id, paused).await? {
                return Err(Failure::new(format!("there is no link '{id}'"))
                    .hint("GET /v1/integrations/vaults/OWNER/REPO/sync/links lists them"));
            }
            format!("Syncs of link {id}")
        }
        What { provider, .. } => {
            let changed = if paused {
                let pause = Pause {
                    id: ambient.new_id(),
                    provider: *provider,
                    user_id: None,
                    created_at: tx.now().await?,
                };
                tx.insert_pause(&pause).await?
            } else {
                end(&mut tx, *provider).await?
            };
            let name = provider.map_or("All jobs".to_owned(), |name| format!("Jobs with {name}"));
            if !changed {
                let state = if paused { "already" } else { "not" };
                return Err(Failure::new(format!("{name} are {state} paused"))
                    .hint("`keyway doctor` shows what is"));
            }
            name
        }
    };
    tx.commit().await?;
    store.close().await;
    output::line(if paused {
        format!("{name} are paused")
    } else {
        format!("{name} go on")
    })?;
    Ok(())
}

async fn end(tx: &mut Tx, provider: Option<ProviderName>) -> Result<bool, Failure> {
    let pauses = tx.list_pauses().await?;
    let Some(pause) = pauses.iter().find(|pause| pause.provider == provider) else {
        return Ok(false);
    };
    Ok(tx.delete_pause(pause.id).await?.is_some())
}
