//! Roles in GitHub mode: the role of a user in a vault is that of the repository, as GitHub tells it
//! to the user's own token.
//!
//! What GitHub tells is written to the members of the vault, with the time until which it counts.
//! Whatever looks a role up finds it there, or finds none: what was forgotten to be asked is no access.

use std::time::Duration;

use uuid::Uuid;

use super::{
    Account, BELIEVED, GitHub, GitHubError, GitHubSettings, Repository, RepositoryName, SignIn,
};
use crate::ambient::Ambient;
use crate::domain::account::User;
use crate::domain::vault::Role;
use crate::secret::Secret;
use crate::store::github::{KnownRole, is_taken};
use crate::store::{Store, StoreError};

/// How often adding a user is tried anew when somebody else adds the same one.
const TRIES: usize = 3;

/// Why a role could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// GitHub does not take the token that was sent.
    #[error("GitHub does not take the token")]
    BadToken,
    /// There is no token to ask with, or GitHub does not take it any more.
    #[error("the user has to sign in through GitHub again")]
    SignInAgain,
    /// GitHub cannot be asked right now.
    #[error("GitHub cannot be asked for {retry_after} s")]
    NotNow {
        /// Seconds.
        retry_after: u64,
    },
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Seconds after which it is worth asking again when GitHub did not answer.
const ASK_AGAIN: u64 = 5;

/// Asks GitHub for roles, and keeps what it tells for a short while.
#[derive(Debug)]
pub struct Roles {
    github: GitHub,
    pub(super) sign_in: Option<SignIn>,
    pub(super) store: Store,
    pub(super) ambient: Ambient,
}

/// A token to ask with, and whether it is one that we keep.
struct Asker {
    token: Secret,
    kept: bool,
}

impl Roles {
    /// In front of a store that reads roles as GitHub's.
    pub fn new(
        settings: &GitHubSettings,
        store: Store,
        ambient: Ambient,
    ) -> Result<Self, GitHubError> {
        let sign_in = settings.sign_in.as_ref();
        let sign_in = sign_in.map(|app| SignIn::new(app, settings.timeout, &ambient));
        Ok(Self {
            github: GitHub::new(settings, &ambient)?,
            sign_in: sign_in.transpose()?,
            store,
            ambient,
        })
    }

    /// What people sign in through, when it is set up.
    pub fn sign_in(&self) -> Option<&SignIn> {
        self.sign_in.as_ref()
    }

    /// The user of a token, who is added when new.
    pub async fn identify(&self, token: &Secret) -> Result<User, RoleError> {
        let account = self
            .github
            .account(token)
            .await
            .map_err(|error| match error {
                GitHubError::Unauthorized => RoleError::BadToken,
                other => not_now(other),
            })?;
        self.user_of(&account).await
    }

    /// The user of an account, by its number: whoever took over an old login is somebody else.
    async fn user_of(&self, account: &Account) -> Result<User, RoleError> {
        let mut failed = None;
        for attempt in 0..TRIES {
            let mut tx = self.store.begin_read_statement().await?;
            let found = tx.find_github_user(account.id).await?;
            tx.commit().await?;
            if let Some(user) = found {
                return Ok(user);
            }
            let user = User {
                id: self.ambient.new_id(),
                // The name may be that of a user of local mode, or of who had the login before.
                username: match attempt {
                    0 => account.login.clone(),
                    _ => format!("{}-{}", account.login, account.id),
                },
                operator: false,
                created_at: self.ambient.now(),
            };
            let mut tx = self.store.begin().await?;
            match tx
                .insert_github_user(&user, account.id, &account.login)
                .await
            {
                Ok(()) => {
                    tx.commit().await?;
                    return Ok(user);
                }
                Err(error) if is_taken(&error) => failed = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(failed.map_or(RoleError::SignInAgain, RoleError::Store))
    }

    /// Sees to it that what is stored of the user's role in the vault of a repository is what GitHub
    /// says. Without a `token` the user's own of the last sign-in is asked with.
    pub async fn of_repository(
        &self,
        user: Uuid,
        token: Option<&Secret>,
        owner: &str,
        repo: &str,
    ) -> Result<(), RoleError> {
        let mut tx = self.store.begin_read_statement().await?;
        let known = tx.known_role(user, owner, repo).await?;
        tx.commit().await?;
        if let Some(known) = known {
            return self.ask(user, token, &known).await;
        }
        // Asked all the same: how long an answer takes must not tell which vaults there are.
        self.repository(user, token, owner, repo).await?;
        Ok(())
    }

    /// The same, by the vault's id.
    pub async fn of_vault(
        &self,
        user: Uuid,
        token: Option<&Secret>,
        vault: Uuid,
    ) -> Result<(), RoleError> {
        let mut tx = self.store.begin_read_statement().await?;
        let known = tx.known_role_by_id(user, vault).await?;
        tx.commit().await?;
        match known {
            Some(known) => self.ask(user, token, &known).await,
            None => Ok(()),
        }
    }

    /// The same, by a job of the vault.
    pub async fn of_job(
        &self,
        user: Uuid,
        token: Option<&Secret>,
        job: Uuid,
    ) -> Result<(), RoleError> {
        let mut tx = self.store.begin_read_statement().await?;
        let vault = tx.vault_of_job(job).await?;
        tx.commit().await?;
        match vault {
            Some(vault) => self.of_vault(user, token, vault).await,
            None => Ok(()),
        }
    }

    /// The same for all vaults of the user at once, for lists.
    pub async fn of_all(&self, user: Uuid, token: Option<&Secret>) -> Result<(), RoleError> {
        let now = self.ambient.now();
        let mut tx = self.store.begin_read_statement().await?;
        let account = tx.github_account(user).await?;
        tx.commit().await?;
        let known = account.and_then(|account| account.repositories_until);
        if known.is_some_and(|until| until > now) {
            return Ok(());
        }
        let asker = self.asker(user, token).await?;
        let told = self.github.repositories(&asker.token).await;
        let told = self.heard(user, &asker, told).await?;
        let until = now + BELIEVED;
        let mut tx = self.store.begin().await?;
        for repository in told {
            if let Some(vault) = tx.vault_of_github_repository(repository.id).await? {
                tx.set_github_role(vault, user, repository.role, now, until)
                    .await?;
            }
        }
        // A little sooner than the roles, so that no list finds them gone.
        tx.set_github_repositories_until(user, until - Duration::from_secs(5))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A repository as the user sees it.
    pub async fn repository(
        &self,
        user: Uuid,
        token: Option<&Secret>,
        owner: &str,
        repo: &str,
    ) -> Result<Option<Repository>, RoleError> {
        let asker = self.asker(user, token).await?;
        let name = RepositoryName::Name { owner, repo };
        let told = self.github.repository(&asker.token, name).await;
        self.heard(user, &asker, told).await
    }

    async fn ask(
        &self,
        user: Uuid,
        token: Option<&Secret>,
        known: &KnownRole,
    ) -> Result<(), RoleError> {
        let now = self.ambient.now();
        if known.valid_until.is_some_and(|until| until > now) {
            return Ok(());
        }
        let asker = self.asker(user, token).await?;
        let name = match known.github_repo_id {
            Some(id) => RepositoryName::Id(id),
            None => RepositoryName::Name {
                owner: &known.repo_owner,
                repo: &known.repo_name,
            },
        };
        let told = self.github.repository(&asker.token, name).await;
        let told = self.heard(user, &asker, told).await?;
        let role = told.as_ref().and_then(|told| told.role);
        let mut tx = self.store.begin().await?;
        let role = match (&told, known.github_repo_id) {
            (Some(told), Some(id)) if told.id == id => role,
            // A vault of local mode is that repository's from when an admin of it first comes.
            (Some(told), None) if role == Some(Role::Admin) => {
                tx.bind_github_repository(known.vault_id, told.id).await?;
                role
            }
            _ => None,
        };
        tx.set_github_role(known.vault_id, user, role, now, now + BELIEVED)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn asker(&self, user: Uuid, token: Option<&Secret>) -> Result<Asker, RoleError> {
        if let Some(token) = token {
            return Ok(Asker {
                token: token.clone(),
                kept: false,
            });
        }
        Ok(Asker {
            token: self.kept_token(user).await?,
            kept: true,
        })
    }

    /// What GitHub said; a kept token that it does not take any more is forgotten.
    async fn heard<T>(
        &self,
        user: Uuid,
        asker: &Asker,
        told: Result<T, GitHubError>,
    ) -> Result<T, RoleError> {
        match told {
            Ok(told) => Ok(told),
            Err(GitHubError::Unauthorized) if asker.kept => {
                let mut tx = self.store.begin().await?;
                let now = tx.now().await?;
                // Not one that came in the meantime.
                let account = tx.github_account(user).await?;
                let kept = account.and_then(|account| account.token);
                if kept.is_some_and(|kept| kept.access == asker.token) {
                    tx.set_github_token(user, None, now).await?;
                }
                tx.commit().await?;
                Err(RoleError::SignInAgain)
            }
            Err(GitHubError::Unauthorized) => Err(RoleError::BadToken),
            Err(error) => Err(not_now(error)),
        }
    }
}

pub(super) fn not_now(error: GitHubError) -> RoleError {
    RoleError::NotNow {
        retry_after: match error {
            GitHubError::RateLimited { retry_after } => retry_after,
            _ => ASK_AGAIN,
        },
    }
}
