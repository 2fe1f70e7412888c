//! Whose a token is.

use keyway_shared::providers::ProviderError;
use keyway_simulator::netlify::{
    ACCOUNT, ACCOUNT_SLUG, COLLABORATOR, ErrorForm, Plan, Preset, Role, TOKEN, USER,
};

use crate::support::{World, session};

#[tokio::test]
async fn a_user_of_several_teams_is_connected_as_themselves_or_for_one() {
    let world = World::start(Preset::Starter).await;
    let account = world.provider.account(&session(TOKEN, None)).await.unwrap();
    assert_eq!(
        (account.account_id(), account.team_id.as_ref()),
        (USER, None)
    );
    assert_eq!(account.username, "Ada Lovelace");
    for team in [ACCOUNT, ACCOUNT_SLUG] {
        let account = world
            .provider
            .account(&session(TOKEN, Some(team)))
            .await
            .unwrap();
        assert_eq!(account.team_id.as_deref(), Some(ACCOUNT));
        assert_eq!(account.display_name(), "Acme");
    }
    let other = world
        .provider
        .account(&session(TOKEN, Some("of-others")))
        .await;
    assert_eq!(other, Err(ProviderError::NotFound));
}

#[tokio::test]
async fn a_user_of_one_team_is_connected_for_it() {
    let world = World::start(Preset::Starter).await;
    // The collaborator owns one team and is in another; a new user is in one only.
    let token = world.netlify.add_token(COLLABORATOR, None);
    let both = world
        .provider
        .account(&session(&token, None))
        .await
        .unwrap();
    assert_eq!(both.team_id, None);
    let lonely = world.netlify.add_user("Grace");
    let team = world
        .netlify
        .add_account("Graces", Plan::Free, &[(&lonely, Role::Owner)]);
    let token = world.netlify.add_token(&lonely, None);
    let account = world
        .provider
        .account(&session(&token, None))
        .await
        .unwrap();
    assert_eq!(account.team_id, Some(team));
}

#[tokio::test]
async fn a_dead_token_is_unauthorized_whatever_errors_look_like() {
    for form in [
        ErrorForm::Described,
        ErrorForm::Msg,
        ErrorForm::Errors,
        ErrorForm::Text,
    ] {
        let world = World::start(Preset::Starter).await;
        world.netlify.set(|options| options.error_form = form);
        world.netlify.reset_password(USER);
        let account = world.provider.account(&world.session).await;
        assert_eq!(account, Err(ProviderError::Unauthorized), "{form:?}");
    }
}
