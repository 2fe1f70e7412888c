//! `keyway users …`

use clap::{Args, Subcommand};
use keyway_shared::ambient::Ambient;

use crate::args::StorageArgs;
use crate::failure::{Failure, Outcome};
use crate::{compose, output};

/// Give or take operator rights
///
/// An operator may pause and resume processing, and look at the jobs of others.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keyway users promote alice")]
pub(crate) struct UsersArgs {
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Debug, Subcommand)]
enum UsersCommand {
    /// Make a user an operator
    Promote(UserArgs),
    /// Make an operator an ordinary user again
    Demote(UserArgs),
}

#[derive(Debug, Args)]
struct UserArgs {
    /// The user's name
    name: String,
    #[command(flatten)]
    storage: StorageArgs,
}

pub(crate) async fn run(args: &UsersArgs) -> Outcome {
    let (user, operator) = match &args.command {
        UsersCommand::Promote(user) => (user, true),
        UsersCommand::Demote(user) => (user, false),
    };
    user.storage.log.init(Some("warn"))?;
    let store = compose::open_for_command(&user.storage, &Ambient::system()).await?;
    let mut tx = store.begin().await?;
    let Some(found) = tx.find_user_by_name(&user.name).await? else {
        return Err(Failure::new(format!("there is no user '{}'", user.name))
            .hint("`keyway keys list` shows the users that have API keys"));
    };
    tx.set_operator(found.id, operator).await?;
    tx.commit().await?;
    store.close().await;
    output::line(format!(
        "{} is {}",
        found.username,
        if operator {
            "an operator"
        } else {
            "an ordinary user"
        }
    ))?;
    Ok(())
}
