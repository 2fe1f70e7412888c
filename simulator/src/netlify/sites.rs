//! Sites, in pages, and their builds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::account::{Named, find};
use super::model::{Account, Role, Site, Token, time};
use super::reply::{Outcome, Refusal, Reply, not_found, refusal};
use super::state::State;

impl Site {
    /// The domain that every site has.
    pub(super) fn domain(&self) -> String {
        format!("{}.netlify.app", self.name)
    }

    /// Of the branch that production is built from.
    const BRANCH: &'static str = "main";

    fn document(&self, account: &Account) -> Value {
        let domain = self.domain();
        let url = format!("https://{}", self.custom_domain.as_ref().unwrap_or(&domain));
        let provider = self.repository.as_ref().map(|link| &link.provider);
        json!({
            "id": self.id, "state": "current", "plan": "nf_team_dev", "name": self.name,
            "custom_domain": self.custom_domain, "domain_aliases": [], "url": url,
            "ssl_url": url, "admin_url": format!("https://app.netlify.com/projects/{}", self.name),
            "created_at": time(self.created_at), "updated_at": time(self.created_at),
            "ssl": true, "force_ssl": true, "managed_dns": false, "id_domain":
            format!("{}.netlify.app", self.id), "deploy_url": format!("https://main--{domain}"),
            "published_deploy": self.published(), "account_id": account.id,
            "account_name": account.name, "account_slug": account.slug, "git_provider": provider,
            "build_settings": self.build_settings(), "prevent_non_git_prod_deploys": false,
        })
    }

    /// The framework is known of deploys only.
    fn published(&self) -> Value {
        let Some(framework) = &self.framework else {
            return Value::Null;
        };
        json!({ "id": format!("dep{}", &self.id[24..]), "site_id": self.id, "state": "ready",
            "name": self.name, "branch": Self::BRANCH, "context": "production",
            "framework": framework, "created_at": time(self.created_at),
            "updated_at": time(self.created_at), "published_at": time(self.created_at) })
    }

    fn build_settings(&self) -> Value {
        let Some(link) = &self.repository else {
            return json!({});
        };
        let host = match link.provider.as_str() {
            "bitbucket" => "bitbucket.org",
            "gitlab" => "gitlab.com",
            _ => "github.com",
        };
        // Only GitHub is reached through an installed app.
        let installation = (link.provider == "github").then_some(51_078_901);
        json!({ "provider": link.provider, "repo_path": link.path, "repo_branch": Self::BRANCH,
            "repo_url": format!("https://{host}/{}", link.path), "dir": "dist",
            "cmd": "npm run build", "allowed_branches": [Self::BRANCH], "public_repo": false,
            "private_logs": false, "installation_id": installation, "stop_builds": false })
    }
}

/// Those of the teams that the token's user is in.
pub(super) fn seen<'a>(
    state: &'a State,
    token: &'a Token,
) -> impl Iterator<Item = (&'a Site, &'a Account, Role)> {
    state.sites.iter().filter_map(|site| {
        let mut accounts = state.accounts.iter();
        let account = accounts.find(|account| account.id == site.account)?;
        let role = account.members.get(&token.user)?;
        (token.saml || !account.saml).then_some((site, account, *role))
    })
}

/// A page of all that the user sees, or of a team's.
pub(super) fn list(
    state: &State,
    token: &Token,
    account_slug: Option<&str>,
    at: &str,
    query: &BTreeMap<String, String>,
) -> Outcome {
    let account = account_slug
        .map(|slug| find(state, token, slug, Named::BySlug))
        .transpose()?
        .map(|index| &state.accounts[index].id);
    let filter = query.get("filter").map_or("all", String::as_str);
    let role = match filter {
        "owner" => Some(Role::Owner),
        "guest" => Some(Role::Collaborator),
        "all" => None,
        _ => return Err(refusal(422, "filter is not known")),
    };
    let role = role.filter(|_| account.is_none());
    let documents: Vec<Value> = seen(state, token)
        .filter(|(site, ..)| account.is_none_or(|account| site.account == *account))
        .filter(|(.., is)| role.is_none_or(|role| *is == role))
        .filter(|(site, ..)| {
            let name = query.get("name");
            name.is_none_or(|part| site.name.contains(part.as_str()))
        })
        .map(|(site, account, _)| site.document(account))
        .collect();
    Ok(page(&documents, state.options.page_size, at, query))
}

/// `page` counts from 1; the way to other pages is in `Link`.
fn page(all: &[Value], most: usize, at: &str, query: &BTreeMap<String, String>) -> Reply {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let most = most.max(1);
    let size = number("per_page").unwrap_or(most).clamp(1, most);
    let page = number("page").unwrap_or(1).max(1);
    let last = all.len().div_ceil(size).max(1);
    let shown: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    let mut reply = Reply::json(200, json!(shown));
    let mut ways = Vec::new();
    if page < last {
        ways.extend([("next", page + 1), ("last", last)]);
    }
    if page > 1 {
        ways.extend([("first", 1), ("prev", (page - 1).min(last))]);
    }
    let links: Vec<String> = ways
        .into_iter()
        .map(|(name, page)| {
            let others = query.iter().filter(|(name, _)| *name != "page");
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(others)
                .append_pair("page", &page.to_string())
                .finish();
            format!("<{at}?{query}>; rel=\"{name}\"")
        })
        .collect();
    if !links.is_empty() {
        reply.headers.push(("link", links.join(", ")));
    }
    reply
}

/// A site that the token's user sees, by id or domain.
pub(super) fn index(state: &State, token: &Token, name: &str) -> Result<usize, Refusal> {
    state
        .site(name)
        .filter(|index| seen(state, token).any(|(site, ..)| site.id == state.sites[*index].id))
        .ok_or_else(|| not_found("Site"))
}

pub(super) fn one(state: &State, token: &Token, name: &str) -> Outcome {
    let site = &state.sites[index(state, token, name)?];
    let found = seen(state, token).find(|(found, ..)| found.id == site.id);
    let (site, account, _) = found.ok_or_else(|| not_found("Site"))?;
    Ok(Reply::json(200, site.document(account)))
}

/// Starts a build, which a write of variables never does.
pub(super) fn build(state: &mut State, token: &Token, name: &str) -> Outcome {
    let index = index(state, token, name)?;
    let now = state.now();
    let build = format!("build{:019x}", state.serial());
    let deploy = format!("deploy{:018x}", state.serial());
    let options = &state.options;
    let limits = [
        (options.builds_per_minute, 60_000),
        (options.builds_per_day, 86_400_000),
    ];
    let site = &mut state.sites[index];
    if site.repository.is_none() {
        return Err(refusal(422, "The site is not linked to a repository"));
    }
    for (most, window) in limits {
        let recent = site.builds.iter().filter(|at| **at + window > now).count();
        if most.is_some_and(|most| recent >= most) {
            return Err(refusal(429, "Too many deploys"));
        }
    }
    site.builds.push(now);
    Ok(Reply::json(
        200,
        json!({ "id": build, "deploy_id": deploy, "sha": Value::Null, "done": false,
            "error": Value::Null, "created_at": time(now) }),
    ))
}
