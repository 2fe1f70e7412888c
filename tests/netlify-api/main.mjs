// Drives a simulator of Netlify through Netlify's own client: node main.mjs URL TOKEN

import assert from "node:assert/strict";

import { NetlifyAPI } from "@netlify/api";

const [url, token] = process.argv.slice(2);
if (!url || !token) {
  console.error("usage: node main.mjs URL TOKEN");
  process.exit(2);
}

const { host } = new URL(url);
const client = (accessToken) => new NetlifyAPI(accessToken, { scheme: "http", host });
const api = client(token);

async function control(path, body) {
  const response = await fetch(`${url}/_simulator${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, path);
}

const byContext = (variable) =>
  Object.fromEntries(
    variable.values.map(({ context, context_parameter: branch, value }) => [
      branch ? `${context}:${branch}` : context,
      value,
    ]),
  );

async function refused(status, call) {
  await assert.rejects(call, (error) => {
    assert.equal(error.name, "JSONHTTPError", error.stack);
    assert.equal(error.status, status);
    assert.equal(error.json.code, status);
    assert.equal(typeof error.json.message, "string");
    return true;
  });
}

let account;
let site;
let ofSite;

const steps = {
  "the user, the teams and a site": async () => {
    assert.equal((await api.getCurrentUser()).full_name, "Ada Lovelace");
    const accounts = await api.listAccountsForUser();
    account = accounts.find(({ slug }) => slug === "acme");
    assert.equal((await api.getAccount({ accountId: account.id })).name, "Acme");
    site = await api.getSite({ siteId: "my-app.netlify.app" });
    assert.equal(site.account_slug, account.slug);
    assert.equal(site.build_settings.repo_path, "acme/my-app");
    ofSite = { accountId: account.id, siteId: site.id };
  },

  // As the CLI does: until a page is not full.
  "all pages of sites": async () => {
    const sites = [];
    for (let page = 1; ; page += 1) {
      const more = await api.listSites({ filter: "all", page, per_page: 100 });
      sites.push(...more);
      if (more.length < 100) break;
    }
    assert.equal(new Set(sites.map(({ id }) => id)).size, 125);
    const named = await api.listSitesForAccount({ account_slug: "acme", name: "gitlab-app" });
    assert.deepEqual(named.map(({ git_provider: provider }) => provider), ["gitlab"]);
  },

  "variables of a site and of its team": async () => {
    const mine = await api.getEnvVars(ofSite);
    const shared = await api.getEnvVars({ accountId: account.id });
    const keys = (all) => all.map(({ key }) => key);
    assert.ok(keys(mine).includes("FEATURE") && !keys(mine).includes("REGION"));
    assert.ok(keys(shared).includes("REGION") && !keys(shared).includes("FEATURE"));
    // The one call whose described path repeats the base.
    assert.deepEqual(await api.getSiteEnvVars({ siteId: site.id }), mine);
  },

  "a create, a patch, a replacement, and deletions": async () => {
    const values = [{ context: "production", value: "1" }, { context: "dev", value: "2" }];
    const body = [{ key: "NEW", values }, { key: "OTHER", values: [{ context: "all", value: "" }] }];
    const made = await api.createEnvVars({ ...ofSite, body });
    assert.deepEqual(made.map(({ key }) => key), ["NEW", "OTHER"]);
    await refused(422, api.createEnvVars({ ...ofSite, body }));
    const one = { ...ofSite, key: "NEW" };
    const branch = { context: "branch", context_parameter: "fix/a", value: "3" };
    const patched = await api.setEnvVarValue({ ...one, body: branch });
    const after = { production: "1", dev: "2", "branch:fix/a": "3" };
    assert.deepEqual(byContext(patched), after);
    const [{ id }] = patched.values;
    assert.equal(await api.deleteEnvVarValue({ ...one, id }), "");
    assert.deepEqual(byContext(await api.getEnvVar(one)), { dev: "2", "branch:fix/a": "3" });
    const replaced = await api.updateEnvVar({
      ...one,
      body: { key: "NEW", values: [{ context: "all", value: "4" }] },
    });
    assert.deepEqual(byContext(replaced), { all: "4" });
    assert.equal(await api.deleteEnvVar(one), "");
    await refused(404, api.getEnvVar(one));
    await refused(404, api.deleteEnvVar(one));
  },

  // As the CLI does for `env:set KEY --secret` on a readable variable of all contexts.
  "a variable becomes a secret": async () => {
    const contexts = ["production", "deploy-preview", "branch-deploy", "dev", "dev-server"];
    const made = await api.updateEnvVar({
      ...ofSite,
      key: "API_URL",
      body: {
        key: "API_URL",
        is_secret: true,
        scopes: ["builds", "functions", "runtime"],
        values: contexts.map((context) => ({ context, value: "https://secret.example" })),
      },
    });
    assert.equal(made.is_secret, true);
    const shown = byContext(await api.getEnvVar({ ...ofSite, key: "API_URL" }));
    assert.equal(shown.dev, "https://secret.example");
    assert.notEqual(shown.production, "https://secret.example");
  },

  "a build": async () => {
    const build = await api.createSiteBuild({ siteId: site.id, clear_cache: true });
    assert.equal(build.done, false);
  },

  "a ticket signs in": async () => {
    const visitor = client();
    await refused(401, visitor.getCurrentUser());
    const ticket = await visitor.createTicket({ clientId: "simulated-netlify-client" });
    assert.equal(ticket.authorized, false);
    const { id } = await api.getCurrentUser();
    const page = `${url}/authorize?response_type=ticket&ticket=${ticket.id}&as=${id}`;
    assert.equal((await fetch(page)).status, 200);
    await visitor.getAccessToken(ticket);
    assert.equal((await visitor.getCurrentUser()).full_name, "Ada Lovelace");
  },

  // The client waits until the reset, a second at least, and calls again.
  "a call too many is made again after the reset": async () => {
    await control("/settings", { rateLimit: 1, windowMs: 1000 });
    await api.getCurrentUser();
    await api.getCurrentUser();
  },
};

let failed = 0;
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n${error.stack ?? error}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
