//! What storage promises, written once and run on both databases.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod activity;
mod authority;
mod bell;
mod claims;
mod connections;
mod destinations;
mod gates;
mod handbacks;
mod idempotency;
mod job_lists;
mod keys;
mod link_runs;
mod links;
mod parity;
mod pauses;
mod pending_connections;
mod plans;
mod renewals;
mod replacements;
mod requests;
mod retention;
mod rotations;
mod secrets;
mod slots;
mod sweeps;
mod trash;
mod upgrades;
mod vaults;
mod webhooks;
mod world;

/// Expands each behaviour into a test for each database.
macro_rules! behaviours {
    ($($module:ident: $($name:ident),+;)+) => {
        mod sqlite {
            $(mod $module {
                $(#[tokio::test]
                async fn $name() {
                    let world =
                        crate::world::World::new(keyway_tests::database::Profile::Embedded).await;
                    crate::$module::$name(&world).await;
                    world.close().await;
                })+
            })+
        }
        mod postgres {
            $(mod $module {
                $(#[tokio::test]
                async fn $name() {
                    let world =
                        crate::world::World::new(keyway_tests::database::Profile::Production).await;
                    crate::$module::$name(&world).await;
                    world.close().await;
                })+
            })+
        }
    };
}

behaviours! {
    accounts:
        names_of_users_are_unique_in_any_case,
        operators_are_made_and_unmade,
        keys_are_found_by_hash_and_scoped_to_their_user,
        a_key_is_revoked_once;
    vaults:
        a_vault_belongs_to_its_members,
        a_repository_has_one_vault_in_any_case,
        summaries_count_and_page,
        members_change_roles_and_leave,
        environments_keep_their_names_apart;
    secrets:
        values_come_back_and_are_never_stored_in_clear,
        an_equal_value_is_not_written_again,
        old_values_stay_as_versions,
        a_renamed_secret_keeps_value_and_history,
        secrets_of_another_vault_are_not_found,
        damaged_rows_are_named,
        a_row_of_an_unknown_key_is_a_matter_of_configuration,
        every_change_raises_the_revision;
    replacements:
        a_replacement_writes_the_difference,
        a_thousand_secrets_and_no_more;
    trash:
        a_trashed_secret_can_be_restored,
        a_name_that_lives_again_cannot_be_restored,
        the_trash_is_emptied_and_forgets;
    connections:
        connecting_again_updates_the_row,
        a_credential_belongs_to_its_user,
        a_token_moved_to_another_row_does_not_open,
        an_oauth_state_works_once;
    pending_connections:
        a_pending_connection_is_taken_once,
        a_pending_connection_expires_and_is_removed,
        a_pending_token_opens_in_its_row_only;
    renewals:
        one_renews_at_a_time_and_nobody_twice,
        two_that_begin_at_once_are_one,
        a_new_token_is_stored_whole_and_the_one_before_until_it_works,
        what_failed_with_an_old_token_says_nothing_of_the_next;
    links:
        saving_the_same_destination_again_updates_the_link,
        links_are_scoped_to_their_vault,
        unshared_links_of_other_vaults_are_found,
        two_vaults_link_a_destination_at_once_and_one_wins,
        a_sync_touches_the_links_of_its_destination;
    link_runs:
        what_a_link_asks_for_comes_back,
        a_change_of_the_environment_makes_its_links_due,
        due_links_are_started_once,
        a_run_that_ends_sets_the_next_one,
        a_link_that_changes_cancels_its_runs,
        connecting_again_ends_the_pause_for_it,
        links_outlive_their_connection,
        a_link_that_is_being_saved_is_waited_for,
        a_link_goes_on_with_another_connection;
    claims:
        a_job_is_claimed_once,
        two_claimers_at_once_and_one_wins,
        one_job_of_a_project_runs_at_a_time,
        two_claimers_of_one_project_and_one_wins,
        class_goes_before_arrival,
        readers_need_no_project,
        a_job_that_is_not_due_waits,
        a_project_is_taken_once_its_id_is_known,
        a_lease_is_renewed_until_it_is_lost;
    gates:
        what_a_provider_closed_is_remembered_for_a_while;
    handbacks:
        settling_ends_a_job_and_keeps_its_history,
        a_lost_lease_settles_nothing,
        a_wait_that_does_not_count_gives_the_attempt_back,
        a_waiting_job_has_released_its_project,
        a_handback_of_a_cancelled_job_ends_it,
        a_recorded_plan_outlives_the_settlement,
        disconnecting_cancels_jobs;
    sweeps:
        due_jobs_ring_with_growing_pauses,
        jobs_of_a_busy_project_are_left_out,
        a_claim_that_fails_puts_the_ring_off,
        whose_turn_it_is_is_found_however_long_it_was_put_off,
        expired_leases_are_taken_over,
        a_lease_from_the_future_counts_as_expired,
        a_living_process_is_not_blamed,
        progress_forgives_takeovers,
        a_cancelled_job_is_not_taken_over,
        overdue_jobs_fail,
        depth_and_lateness_are_told,
        running_jobs_are_released_at_start;
    authority:
        rules_belong_to_their_environment,
        a_jobs_right_is_what_is_left_of_it,
        a_right_ends_with_its_key,
        a_run_of_a_link_bears_its_key,
        what_a_connection_is_used_for_is_known;
    retention:
        jobs_go_when_they_have_ended_long_ago,
        two_prunings_at_once_do_not_meet,
        activity_goes_by_age,
        what_is_left_of_a_connection_goes_with_its_last_link,
        events_are_forgotten_long_after_they_came;
    rotations:
        every_sealed_column_is_known,
        everything_is_sealed_again,
        what_does_not_open_is_named_and_left,
        what_is_being_written_is_not_touched,
        a_rotation_is_one_workers_at_a_time,
        processes_tell_their_keys,
        requests_are_counted_by_the_key_they_are_recognised_by;
    job_lists:
        jobs_are_seen_by_requester_and_members,
        jobs_of_a_closed_environment_are_hidden,
        jobs_are_filtered_and_paged,
        a_row_that_does_not_decode_is_named;
    idempotency:
        a_key_is_its_callers_for_a_path_and_a_body,
        of_two_at_once_one_begins,
        a_key_leads_to_its_job,
        an_answer_is_kept_and_a_failure_is_not,
        what_is_carried_out_is_not_begun_again,
        a_request_that_died_on_its_way_is_begun_again,
        keys_are_forgotten_after_their_time;
    requests:
        an_equal_job_that_has_not_started_is_joined,
        what_differs_is_not_joined,
        joining_raises_the_class_and_brings_it_forward,
        a_job_that_has_started_is_not_joined,
        a_job_that_starts_meanwhile_is_not_joined,
        two_equal_requests_at_once_are_one_job,
        the_last_request_taken_back_ends_the_job,
        a_job_is_cancelled_for_all,
        a_running_job_is_asked_to_stop,
        a_retry_names_the_job_before;
    destinations:
        a_thousand_fingerprints_are_saved_and_replaced,
        a_rollout_is_due_until_it_is_made,
        suspicion_drops_the_fingerprints_of_a_project,
        written_keys_protect_from_others,
        what_is_known_goes_with_the_environment,
        the_last_sync_is_remembered_by_direction,
        splits_stay_open_until_closed;
    pauses:
        nothing_starts_while_all_is_paused,
        a_providers_pause_holds_its_jobs,
        a_links_pause_holds_the_syncs_of_its_pair,
        a_paused_job_holds_nobody_up;
    plans:
        a_plan_is_its_users_and_is_used_once,
        an_expired_plan_cannot_be_used_and_is_pruned,
        a_plan_goes_with_its_connection,
        readers_learn_of_writers;
    activity:
        activity_is_seen_by_author_and_members,
        activity_pages_by_cursor,
        the_database_keeps_entries_as_they_are,
        processes_show_themselves,
        running_processes_are_those_seen_lately;
    webhooks:
        webhooks_belong_to_their_vault,
        an_event_is_a_job_for_each_that_wants_it,
        what_is_not_committed_tells_nobody,
        an_entry_of_a_job_tells_whether_anybody_listens,
        secrets_are_sealed_in_their_row_and_overlap,
        failing_for_days_disables,
        a_deleted_webhook_takes_what_waits_with_it,
        a_dead_connection_is_told_in_every_vault_that_uses_it;
    keys:
        the_fingerprint_key_is_made_once,
        a_wrong_key_is_told_from_an_unknown_one,
        migrations_are_pending_until_run,
        time_is_the_databases_where_several_share_it,
        a_unit_of_work_not_committed_leaves_nothing,
        a_beginning_that_is_given_up_leaves_no_transaction_open,
        a_reader_cannot_write;
}
