// Users, teams, projects and custom environments, as the preset `LivedIn` has them.

import assert from "node:assert/strict";

const TEAM = "team_simulated";

export const account = [
  ["the user of a token", async (client, vercel) => {
    const { user } = await client.call("getAuthUser", 200, () => vercel.user.getAuthUser());
    assert.equal(user.username, "ada");
    assert.equal(user.email, "ada@example.com");
  }],

  ["an unknown token is forbidden", async (client) => {
    const error = await client.refused("getAuthUser", 403, () =>
      client.with("nobody").user.getAuthUser());
    assert.equal(error.code, "forbidden");
    assert.equal(error.invalidToken, true);
  }],

  ["teams", async (client, vercel) => {
    const { teams, pagination } = await client.call("getTeams", 200, () =>
      vercel.teams.getTeams({}));
    assert.deepEqual(teams.map((team) => [team.id, team.slug]), [[TEAM, "acme"]]);
    assert.deepEqual(pagination, { count: 1, next: null, prev: null });
    const team = await client.call("getTeam", 200, () => vercel.teams.getTeam({ teamId: TEAM }));
    assert.equal(team.name, "Acme");
    const error = await client.refused("getTeam", 404, () =>
      vercel.teams.getTeam({ teamId: "team_nobody" }));
    assert.equal(error.code, "not_found");
  }],

  ["projects, page by page", async (client, vercel) => {
    const pages = [];
    let from;
    do {
      const page = await client.call("getProjects", 200, () =>
        vercel.projects.getProjects({ limit: "10", from }));
      assert.equal(page.pagination.count, page.projects.length);
      pages.push(page.projects.map((project) => project.id));
      from = page.pagination.next === null ? undefined : String(page.pagination.next);
    } while (from !== undefined && pages.length < 10);
    assert.deepEqual(pages.map((page) => page.length), [10, 10, 3]);
    assert.equal(new Set(pages.flat()).size, 23, "no project twice");
    assert.ok(pages.flat().includes("prj_myapp"));
  }],

  ["a team's projects are its own", async (client, vercel) => {
    const ids = async (query) => {
      const page = await client.call("getProjects", 200, () =>
        vercel.projects.getProjects({ limit: "100", ...query }));
      return page.projects.map((project) => project.id);
    };
    assert.deepEqual(await ids({ teamId: TEAM }), ["prj_teamapp"]);
    assert.ok(!(await ids({})).includes("prj_teamapp"));
    const error = await client.refused("getProject", 404, () =>
      vercel.projects.getProject({ idOrName: "prj_teamapp" }));
    assert.equal(error.code, "not_found");
  }],

  ["a project by its id and by its name", async (client, vercel) => {
    const get = (idOrName) =>
      client.call("getProject", 200, () => vercel.projects.getProject({ idOrName }));
    const project = await get("prj_myapp");
    assert.deepEqual(await get("my-app"), project);
    assert.equal(project.name, "my-app");
    assert.equal(project.accountId, "usr_simulated");
    assert.equal(project.link.type, "github");
    assert.equal(`${project.link.org}/${project.link.repo}`, "acme/my-app");
    assert.equal((await get("gitlab-app")).link.projectNamespace, "acme");
    assert.equal((await get("bitbucket-app")).link.owner, "acme");
    assert.equal((await get("site-01")).link, undefined);
  }],

  ["custom environments", async (client, vercel) => {
    const list = (idOrName) =>
      client.call("getProjectsByIdOrNameCustomEnvironments", 200, () =>
        vercel.environment.getProjectsByIdOrNameCustomEnvironments({ idOrName }));
    const { environments, accountLimit } = await list("prj_myapp");
    assert.deepEqual(environments.map((one) => [one.slug, one.type]), [["staging", "preview"]]);
    assert.match(environments[0].id, /^env_/);
    assert.ok(accountLimit.total > 0);
    assert.deepEqual((await list("site-01")).environments, []);
  }],
];
