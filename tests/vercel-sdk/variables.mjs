// Variables: what the values in answers are, what a write replaces, and what it refuses.

import assert from "node:assert/strict";

const LIVED_IN = "prj_myapp";

/** The calls on the variables of one project. */
function calls(client, vercel, idOrName) {
  const { projects } = vercel;
  const call = (name, status, request) =>
    client.call(name, status, () => projects[name]({ idOrName, ...request }));
  return {
    list: async (query) => (await call("filterProjectEnvs", 200, query)).envs,
    create: (requestBody, query) => call("createProjectEnv", 201, { requestBody, ...query }),
    get: (id) => call("getProjectEnv", 200, { id }),
    edit: (id, requestBody) => call("editProjectEnv", 200, { id, requestBody }),
    remove: (id) => call("removeProjectEnv", 200, { id }),
    removeMany: (ids) => call("batchRemoveProjectEnv", 200, { requestBody: { ids } }),
    refused: (name, status, request) =>
      client.refused(name, status, () => projects[name]({ idOrName, ...request })),
  };
}

const env = (key, value, target = ["production"], more = {}) =>
  ({ key, value, type: "encrypted", target, ...more });

const named = (rows, key) => rows.find((row) => row.key === key);

/** The one refusal of a create that made nothing. */
function refusal({ created, failed }) {
  assert.ok(created === undefined || created.length === 0, JSON.stringify(created));
  assert.equal(failed.length, 1);
  return failed[0].error;
}

export const variables = [
  ["a single create answers with one variable, and not in clear", async (client, vercel) => {
    const project = calls(client, vercel, "prj_site01");
    const { created, failed } = await project.create(env("SINGLE", "in clear"));
    assert.deepEqual(failed, []);
    assert.ok(!Array.isArray(created));
    assert.equal(created.key, "SINGLE");
    assert.deepEqual(created.target, ["production"]);
    assert.ok(created.value.length > 0 && !created.value.includes("in clear"));
    assert.equal((await project.get(created.id)).value, "in clear");
  }],

  ["a list is ciphertext unless it is asked to decrypt", async (client, vercel) => {
    const project = calls(client, vercel, "prj_site02");
    await project.create([
      env("ENCRYPTED", "e", ["preview"]),
      env("PLAIN", "p", ["preview"], { type: "plain" }),
      env("SENSITIVE", "s", ["preview"], { type: "sensitive" }),
    ]);
    for (const query of [{}, { decrypt: "false" }]) {
      const rows = await project.list(query);
      assert.equal(rows.length, 3);
      assert.notEqual(named(rows, "ENCRYPTED").value, "e");
      assert.equal(named(rows, "ENCRYPTED").decrypted, false);
      assert.equal(named(rows, "PLAIN").value, "p");
      assert.equal(named(rows, "SENSITIVE").value, "");
    }
    const rows = await project.list({ decrypt: "true" });
    assert.equal(named(rows, "ENCRYPTED").value, "e");
    assert.equal(named(rows, "ENCRYPTED").decrypted, true);
    assert.equal(named(rows, "SENSITIVE").value, "");
    assert.equal(named(rows, "SENSITIVE").decrypted, false);
    const sensitive = await project.get(named(rows, "SENSITIVE").id);
    assert.equal(sensitive.value, undefined);
    assert.equal(sensitive.decrypted, false);
  }],

  ["a batch answers 201 with what was made and what was not", async (client, vercel) => {
    const project = calls(client, vercel, "prj_site03");
    const first = await project.create([env("A", "1"), env("B", "1"), env("C", "1")]);
    assert.deepEqual(first.created.map((row) => row.key), ["A", "B", "C"]);
    const second = await project.create([env("A", "2"), env("D", "2"), env("TZ", "2")]);
    assert.deepEqual(second.created.map((row) => row.key), ["D"]);
    const errors = second.failed.map(({ error }) => [error.envVarKey, error.code, error.target]);
    assert.deepEqual(errors, [
      ["A", "ENV_CONFLICT", ["production"]],
      ["TZ", "KEY_RESERVED", ["production"]],
    ]);
    assert.equal((await project.get(first.created[0].id)).value, "1");
    assert.equal(refusal(await project.create(env("A", "3"))).code, "ENV_CONFLICT");
  }],

  ["an upsert replaces the variable of exactly these environments", async (client, vercel) => {
    const project = calls(client, vercel, "prj_site04");
    const { created } = await project.create(env("A", "1", ["production", "preview"]));
    const upsert = { upsert: "true" };
    const replaced = await project.create([env("A", "2", ["preview", "production"])], upsert);
    assert.deepEqual(replaced.failed, []);
    assert.equal(replaced.created[0].id, created.id);
    assert.equal(replaced.created[0].createdAt, created.createdAt);
    assert.ok(replaced.created[0].updatedAt > created.updatedAt);
    assert.equal((await project.get(created.id)).value, "2");
    assert.equal(refusal(await project.create(env("A", "3"), upsert)).code, "ENV_CONFLICT");
    await project.create(env("A", "development", ["development"]), upsert);
    const rows = await project.list({ decrypt: "true" });
    assert.deepEqual(rows.map((row) => row.value).sort(), ["2", "development"]);
  }],

  ["a branch overrides preview and nothing else", async (client, vercel) => {
    const project = calls(client, vercel, "prj_site05");
    const gitBranch = "feature/login";
    const { created } = await project.create([
      env("A", "all", ["preview"]),
      env("A", "one", ["preview"], { gitBranch }),
    ]);
    assert.equal(created.length, 2);
    const rows = await project.list({ gitBranch });
    assert.deepEqual(rows.map((row) => row.gitBranch), [gitBranch]);
    const error = refusal(await project.create(env("B", "1", ["production"], { gitBranch })));
    assert.equal(error.envVarKey, "B");
  }],

  ["a custom environment holds variables of its own", async (client, vercel) => {
    const project = calls(client, vercel, LIVED_IN);
    const { environments } = await vercel.environment.getProjectsByIdOrNameCustomEnvironments({
      idOrName: LIVED_IN,
    });
    const [{ id, slug }] = environments;
    const { created, failed } = await project.create({
      key: "OF_STAGING", value: "1", type: "encrypted", customEnvironmentIds: [id],
    });
    assert.deepEqual(failed, []);
    assert.deepEqual(created.customEnvironmentIds, [id]);
    for (const query of [{ customEnvironmentId: id }, { customEnvironmentSlug: slug }]) {
      const rows = await project.list(query);
      assert.deepEqual(
        rows.map((row) => row.key).sort(),
        ["API_URL", "OF_STAGING", "STAGING_ONLY"],
      );
    }
    await project.remove(created.id);
  }],

  ["a project that has been lived in", async (client, vercel) => {
    const project = calls(client, vercel, LIVED_IN);
    const rows = await project.list({});
    assert.equal(rows.length, 15);
    const legacy = named(rows, "OLD_FLAG");
    assert.equal(legacy.target, "production");
    const system = named(rows, "VERCEL_URL");
    assert.equal(system.type, "system");
    assert.equal(named(rows, "POSTGRES_URL").configurationId, "icfg_neon");
    const error = await project.refused("editProjectEnv", 400, {
      id: system.id, requestBody: { value: "x" },
    });
    assert.equal(error.code, "SYSTEM_ENV_WITH_VALUE");
  }],

  ["an edit replaces what it names and keeps the rest", async (client, vercel) => {
    const project = calls(client, vercel, "prj_site06");
    const { created } = await project.create([env("A", "1", ["production", "preview"]),
      env("B", "1"), env("S", "1", ["preview"], { type: "sensitive" })]);
    const [a, b, s] = created.map((row) => row.id);
    assert.deepEqual((await project.edit(a, { target: ["preview"] })).target, ["preview"]);
    assert.equal((await project.get(a)).value, "1");
    const edited = await project.edit(a, { value: "in clear" });
    assert.deepEqual(edited.target, ["preview"]);
    assert.ok(edited.value.length > 0 && !edited.value.includes("in clear"));
    assert.equal((await project.get(a)).value, "in clear");
    const conflict = await project.refused("editProjectEnv", 400, {
      id: b, requestBody: { key: "A", target: ["preview"] },
    });
    assert.equal(conflict.code, "ENV_CONFLICT");
    assert.equal((await project.get(b)).key, "B");
    const renamed = await project.refused("editProjectEnv", 400, {
      id: s, requestBody: { key: "S", value: "2" },
    });
    assert.equal(renamed.code, "BAD_REQUEST");
    assert.equal((await project.edit(s, { value: "2" })).visibility, "secret");
    await project.refused("editProjectEnv", 404, { id: "var_none", requestBody: { value: "2" } });
  }],

  ["what is deleted is gone from all its environments", async (client, vercel) => {
    const project = calls(client, vercel, "prj_site07");
    const { created } = await project.create([env("A", "1", ["production", "preview"]),
      env("B", "1"), env("C", "1"), env("D", "1")]);
    const [a, b, c, d] = created.map((row) => row.id);
    assert.equal((await project.remove(a)).key, "A");
    await project.refused("removeProjectEnv", 404, { id: a });
    await project.refused("getProjectEnv", 404, { id: a });
    const deleted = await project.removeMany([b, a, c]);
    assert.deepEqual({ ...deleted, ids: deleted.ids.sort() }, { deleted: 2, ids: [b, c].sort() });
    assert.deepEqual((await project.list({})).map((row) => row.id), [d]);
  }],

  ["production can be hidden from a list, which then counts it", async (client, vercel, url) => {
    const project = calls(client, vercel, "prj_site08");
    await project.create([env("A", "1"), env("B", "1", ["preview"])]);
    const set = async (hideProduction) => {
      const answer = await fetch(`${url}/_simulator/settings`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ hideProduction }),
      });
      assert.ok(answer.ok, await answer.text());
    };
    await set(true);
    const answer = await client.call("filterProjectEnvs", 200, () =>
      vercel.projects.filterProjectEnvs({ idOrName: "prj_site08" }));
    await set(false);
    assert.deepEqual(answer.envs.map((row) => row.key), ["B"]);
    assert.equal(answer.hiddenProductionEnvCount, 1);
  }],
];
