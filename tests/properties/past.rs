//! What came before the sync, and how the sync is asked for.

use keyway_shared::domain::job::{JobKind, JobState};
use keyway_shared::domain::report::KeyOutcome;
use keyway_shared::sync::options as ours;
use keyway_shared::sync::plan::Action;

use crate::case::{Case, Direction, Switch, Value};
use crate::model::{CUSTOM, Model};
use crate::oracle::{Expected, History};
use crate::world::{Place, World};

/// What happened before: rows that people made, a sync of ours, one of another environment, edits.
pub(crate) async fn past(world: &mut World, case: &Case, place: &Place) -> Result<History, String> {
    {
        let mut state = world.provider.state();
        state.arm(&[]);
        state.model = Model::default();
        case.rows.iter().for_each(|row| state.model.add(row));
    }
    let mut history = History::default();
    let pushes = [(&case.earlier, place.ours), (&case.rival, place.rival)];
    for (values, environment) in pushes {
        if values.is_empty() {
            continue;
        }
        let plain = Case {
            direction: Direction::Push,
            with: case
                .with
                .intersection(&[Switch::NewSensitive].into())
                .copied()
                .collect(),
            ..case.clone()
        };
        let before = world.provider.state().model.rows.clone();
        let expected = Expected::of(&plain, &before, values, &History::default());
        world.provider.state().watch(case.slot, expected.free());
        world.set_vault(place, environment, values).await;
        let request = request(&plain, place, Direction::Push);
        let ended = world
            .run(place, environment, JobKind::Sync, request)
            .await?;
        ensure!(
            ended.state == JobState::Succeeded,
            "an undisturbed push ended in {ended:?}"
        );
        let wrote = |o: &&KeyOutcome| o.action != Action::Skip;
        let written = ended
            .outcomes
            .iter()
            .filter(wrote)
            .map(|o| o.key.clone())
            .collect();
        if environment == place.ours {
            history.managed = written;
        } else {
            history.foreign = written;
        }
    }
    let mut state = world.provider.state();
    for (key, value) in &case.edits {
        state.model.edit(key, case.slot, value.map(Value::text));
    }
    Ok(history)
}

pub(crate) fn request(case: &Case, place: &Place, direction: Direction) -> ours::SyncRequest {
    let direction = match direction {
        Direction::Push => ours::Direction::Push,
        Direction::Pull => ours::Direction::Pull,
    };
    let project = if case.is(Switch::ByName) {
        "my-app"
    } else {
        &place.project
    };
    let slugs = CUSTOM;
    let slug = slugs
        .iter()
        .find(|(id, _)| case.is(Switch::BySlug) && *id == case.slot.scope());
    let environment = slug.map_or(case.slot.scope(), |(_, slug)| slug);
    let mut request = ours::SyncRequest::new(project, "ours", environment, direction);
    request.git_branch = case.slot.branch().map(ToOwned::to_owned);
    request.allow_delete = case.deletes();
    request.confirm_empty_source = case.is(Switch::Confirm);
    if case.is(Switch::DeleteManaged) {
        request.delete_scope = ours::DeleteScope::Managed;
    }
    if case.is(Switch::KeepConflicts) {
        request.on_conflict = ours::OnConflict::Skip;
    }
    if case.is(Switch::NewSensitive) {
        request.variable_type = ours::VariableType::Sensitive;
    }
    request
}
