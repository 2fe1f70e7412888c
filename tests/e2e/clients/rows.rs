//! Every call that the clients make, and which replay covers it. `docs/clients.md` shows it.

use super::callers::Who::{self, Browser, Cli, Dashboard, Mcp, Nobody};
use Row::{Missing, Served};

/// What there is to say of a call.
pub(super) enum Row {
    /// It is served, and replayed.
    Served(&'static str, &'static [(Who, &'static str)]),
    /// It is not: why.
    Missing(&'static str, &'static str),
}

const NO_ORGS: &str = "There are no organisations: vaults belong to repositories.";
const NO_PLANS: &str = "There are no plans, and nothing to pay.";
const NO_WATCH: &str = "Nothing here watches accesses for what is unusual, and an empty list would say that there was nothing.";
const NO_EXPOSURE: &str = "Accesses are in the activity; nobody adds them up.";

/// By what they are about.
pub(super) const ROWS: &[(&str, &[Row])] = &[
    (
        "Signing in",
        &[
            Served(
                "POST /v1/auth/device/start",
                &[
                    (Cli, "a_device_is_let_in_through_a_browser"),
                    (Cli, "a_wait_for_a_code_comes_to_an_end"),
                ],
            ),
            Served(
                "POST /v1/auth/device/poll",
                &[
                    (Cli, "a_device_is_let_in_through_a_browser"),
                    (Cli, "a_wait_for_a_code_comes_to_an_end"),
                ],
            ),
            Served(
                "GET /v1/auth/device/verify",
                &[(Browser, "a_device_is_let_in_through_a_browser")],
            ),
            Served(
                "POST /v1/auth/device/verify",
                &[
                    (Browser, "a_device_is_let_in_through_a_browser"),
                    (Browser, "a_wait_for_a_code_comes_to_an_end"),
                ],
            ),
            Served(
                "GET /v1/auth/callback",
                &[
                    (Browser, "a_device_is_let_in_through_a_browser"),
                    (Browser, "a_dashboard_is_signed_in_and_out"),
                ],
            ),
            Served(
                "POST /v1/auth/token/validate",
                &[
                    (Cli, "a_device_is_let_in_through_a_browser"),
                    (Cli, "a_pasted_token_of_githubs_is_taken"),
                ],
            ),
            Served(
                "GET /v1/auth/github/start",
                &[(Browser, "a_dashboard_is_signed_in_and_out")],
            ),
            Served(
                "POST /v1/auth/logout",
                &[(Nobody, "a_dashboard_is_signed_in_and_out")],
            ),
            Served(
                "GET /v1/users/me",
                &[
                    (Dashboard, "a_dashboard_is_signed_in_and_out"),
                    (Dashboard, "an_error_is_told_as_each_reads_it"),
                ],
            ),
            Served(
                "GET /v1/users/me/usage",
                &[(Dashboard, "a_dashboard_shows_its_vaults")],
            ),
            Served(
                "GET /v1/github/repo-ids",
                &[(Cli, "a_device_is_let_in_through_a_browser")],
            ),
            Served(
                "POST /v1/github/check-installation",
                &[
                    (Cli, "a_device_is_let_in_through_a_browser"),
                    (Cli, "a_vault_is_made_filled_and_read"),
                ],
            ),
        ],
    ),
    (
        "Vaults, environments and secrets",
        &[
            Served(
                "GET /v1/vaults",
                &[(Dashboard, "a_dashboard_shows_its_vaults")],
            ),
            Served(
                "POST /v1/vaults",
                &[
                    (Cli, "a_device_is_let_in_through_a_browser"),
                    (Cli, "a_vault_is_made_filled_and_read"),
                ],
            ),
            Served(
                "GET /v1/vaults/{owner}/{repo}",
                &[
                    (Cli, "a_device_is_let_in_through_a_browser"),
                    (Cli, "a_vault_is_made_filled_and_read"),
                    (
                        Cli,
                        "a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do",
                    ),
                    (Dashboard, "a_dashboard_shows_its_vaults"),
                    (Dashboard, "a_dashboards_button_syncs"),
                    (Mcp, "an_mcp_server_reads_and_writes"),
                    (Mcp, "an_error_is_told_as_each_reads_it"),
                    (Cli, "an_error_is_told_as_each_reads_it"),
                ],
            ),
            Served(
                "DELETE /v1/vaults/{owner}/{repo}",
                &[(Dashboard, "a_dashboard_shows_its_vaults")],
            ),
            Served(
                "GET /v1/vaults/{owner}/{repo}/environments",
                &[(Dashboard, "environments_are_made_renamed_and_removed")],
            ),
            Served(
                "POST /v1/vaults/{owner}/{repo}/environments",
                &[(Dashboard, "environments_are_made_renamed_and_removed")],
            ),
            Served(
                "PATCH /v1/vaults/{owner}/{repo}/environments/{name}",
                &[(Dashboard, "environments_are_made_renamed_and_removed")],
            ),
            Served(
                "DELETE /v1/vaults/{owner}/{repo}/environments/{name}",
                &[(Dashboard, "environments_are_made_renamed_and_removed")],
            ),
            Served(
                "PATCH /v1/vaults/{owner}/{repo}/environments/{name}/type",
                &[(Nobody, "environments_are_made_renamed_and_removed")],
            ),
            Served(
                "GET /v1/vaults/{owner}/{repo}/secrets",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "POST /v1/vaults/{owner}/{repo}/secrets",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "PATCH /v1/vaults/{owner}/{repo}/secrets/{id}",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "DELETE /v1/vaults/{owner}/{repo}/secrets/{id}",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "GET /v1/vaults/{owner}/{repo}/secrets/{id}/value",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "GET /v1/vaults/{owner}/{repo}/secrets/{id}/versions",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "GET /v1/vaults/{owner}/{repo}/secrets/{id}/versions/{version}/value",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "POST /v1/vaults/{owner}/{repo}/secrets/{id}/versions/{version}/restore",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "GET /v1/vaults/{owner}/{repo}/trash",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "POST /v1/vaults/{owner}/{repo}/trash/{id}/restore",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "DELETE /v1/vaults/{owner}/{repo}/trash/{id}",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "DELETE /v1/vaults/{owner}/{repo}/trash",
                &[(Dashboard, "secrets_are_written_shown_and_brought_back")],
            ),
            Served(
                "GET /v1/vaults/{owner}/{repo}/contributors",
                &[(Dashboard, "a_dashboard_shows_its_vaults")],
            ),
            Served(
                "POST /v1/secrets/push",
                &[
                    (Cli, "a_vault_is_made_filled_and_read"),
                    (Cli, "what_is_pulled_can_be_pushed_and_pulled_again"),
                    (Cli, "a_value_of_several_lines_is_not_torn"),
                    (Mcp, "an_mcp_server_reads_and_writes"),
                ],
            ),
            Served(
                "GET /v1/secrets/pull",
                &[
                    (Cli, "a_vault_is_made_filled_and_read"),
                    (Cli, "what_is_pulled_can_be_pushed_and_pulled_again"),
                    (Cli, "a_value_of_several_lines_is_not_torn"),
                    (Mcp, "an_mcp_server_reads_and_writes"),
                ],
            ),
            Served(
                "GET /v1/secrets/view",
                &[(Mcp, "an_mcp_server_reads_and_writes")],
            ),
        ],
    ),
    (
        "Integrations and syncs",
        &[
            Served(
                "GET /v1/integrations",
                &[
                    (Cli, "a_token_connects_and_a_connection_goes"),
                    (Cli, "a_browser_connects_and_the_client_sees_it"),
                ],
            ),
            Served(
                "GET /v1/integrations/connections",
                &[
                    (Cli, "a_token_connects_and_a_connection_goes"),
                    (Cli, "a_browser_connects_and_the_client_sees_it"),
                ],
            ),
            Served(
                "DELETE /v1/integrations/connections/{id}",
                &[(Cli, "a_token_connects_and_a_connection_goes")],
            ),
            Served(
                "POST /v1/integrations/{provider}/connect",
                &[(Cli, "a_token_connects_and_a_connection_goes")],
            ),
            Served(
                "GET /v1/integrations/{provider}/authorize",
                &[(Browser, "a_browser_connects_and_the_client_sees_it")],
            ),
            Served(
                "POST /v1/integrations/{provider}/authorize",
                &[(Browser, "a_browser_connects_and_the_client_sees_it")],
            ),
            Served(
                "GET /v1/integrations/{provider}/callback",
                &[(Browser, "a_browser_connects_and_the_client_sees_it")],
            ),
            Served(
                "GET /v1/integrations/connections/{id}/projects",
                &[(Nobody, "a_token_connects_and_a_connection_goes")],
            ),
            Served(
                "GET /v1/integrations/providers/{provider}/all-projects",
                &[
                    (Cli, "a_token_connects_and_a_connection_goes"),
                    (
                        Cli,
                        "a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do",
                    ),
                ],
            ),
            Served(
                "POST /v1/integrations/vaults/{owner}/{repo}/sync/link",
                &[(
                    Cli,
                    "a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do",
                )],
            ),
            Served(
                "GET /v1/integrations/vaults/{owner}/{repo}/sync/status",
                &[(
                    Cli,
                    "a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do",
                )],
            ),
            Served(
                "GET /v1/integrations/vaults/{owner}/{repo}/sync/diff",
                &[(
                    Cli,
                    "a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do",
                )],
            ),
            Served(
                "GET /v1/integrations/vaults/{owner}/{repo}/sync/preview",
                &[
                    (
                        Cli,
                        "a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do",
                    ),
                    (Cli, "a_sync_that_is_not_ready_says_so"),
                    (Dashboard, "a_dashboards_button_syncs"),
                ],
            ),
            Served(
                "POST /v1/integrations/vaults/{owner}/{repo}/sync",
                &[
                    (
                        Cli,
                        "a_sync_is_previewed_and_made_and_then_there_is_nothing_to_do",
                    ),
                    (Cli, "a_sync_of_which_a_part_failed_ends_with_the_keys"),
                    (Cli, "a_sync_that_is_not_ready_says_so"),
                    (Cli, "only_an_admin_escalates"),
                    (Dashboard, "a_dashboards_button_syncs"),
                    (
                        Dashboard,
                        "a_sync_of_which_a_part_failed_ends_with_the_keys",
                    ),
                    (Dashboard, "a_sync_that_is_not_ready_says_so"),
                ],
            ),
        ],
    ),
    (
        "Activity, API keys and the rest",
        &[
            Served(
                "GET /v1/activity",
                &[(Dashboard, "activity_has_the_words_that_pages_know")],
            ),
            Served(
                "GET /v1/api-keys",
                &[(Dashboard, "api_keys_are_made_shown_and_revoked")],
            ),
            Served(
                "GET /v1/api-keys/{id}",
                &[(Dashboard, "api_keys_are_made_shown_and_revoked")],
            ),
            Served(
                "POST /v1/api-keys",
                &[(Dashboard, "api_keys_are_made_shown_and_revoked")],
            ),
            Served(
                "DELETE /v1/api-keys/{id}",
                &[(Dashboard, "api_keys_are_made_shown_and_revoked")],
            ),
            Served(
                "GET /v1/orgs",
                &[(Dashboard, "a_dashboard_shows_its_vaults")],
            ),
            Served("GET /v1/health", &[(Cli, "a_doctor_finds_it_well")]),
            Served("GET /health", &[(Cli, "a_doctor_finds_it_well")]),
            Missing("GET /v1/users/me/security/alerts", NO_WATCH),
            Missing("GET /v1/users/me/security/overview", NO_WATCH),
            Missing("GET /v1/users/me/security/access-log", NO_EXPOSURE),
            Missing("GET /v1/users/me/exposure", NO_EXPOSURE),
            Missing("GET /v1/users/me/exposure/{username}", NO_EXPOSURE),
            Missing("GET /v1/orgs/{org}/exposure", NO_ORGS),
            Missing("GET /v1/orgs/{org}/exposure/{username}", NO_ORGS),
            Missing("GET /v1/orgs/{org}", NO_ORGS),
            Missing("PUT /v1/orgs/{org}", NO_ORGS),
            Missing("GET /v1/orgs/{org}/members", NO_ORGS),
            Missing("POST /v1/orgs/{org}/members/sync", NO_ORGS),
            Missing("POST /v1/orgs/connect", NO_ORGS),
            Missing("GET /v1/github/available-orgs", NO_ORGS),
            Missing("GET /v1/orgs/{org}/trial", NO_PLANS),
            Missing("POST /v1/orgs/{org}/trial/start", NO_PLANS),
            Missing("GET /v1/billing/subscription", NO_PLANS),
            Missing("GET /v1/billing/prices", NO_PLANS),
            Missing("POST /v1/billing/create-checkout-session", NO_PLANS),
            Missing("POST /v1/billing/manage", NO_PLANS),
            Missing("GET /v1/orgs/{org}/billing", NO_PLANS),
            Missing("POST /v1/orgs/{org}/billing/checkout", NO_PLANS),
            Missing("POST /v1/orgs/{org}/billing/portal", NO_PLANS),
        ],
    ),
];
