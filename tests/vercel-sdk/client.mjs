// Vercel's client with a second look at what it was given. Two ways in which it does not say what it
// got are closed here:
// - It forgives: a field that is not there becomes "" or 0, a number may come as a text. Whatever it
//   hands out must be what was on the wire.
// - It refuses answers that the real service gives. Such an answer passes where STRICTER says so.

import assert from "node:assert/strict";

import { Vercel } from "@vercel/sdk";
import { HTTPClient } from "@vercel/sdk/lib/http.js";
import { ResponseValidationError } from "@vercel/sdk/models/responsevalidationerror.js";
import { VercelError } from "@vercel/sdk/models/vercelerror.js";

// Where the client's schema is stricter than reality: `call`, `path` in the answer (* is any index)
// and `code` of zod's issue, and the reason. An entry that nothing needs is an error.
const STRICTER = [
  {
    call: "filterProjectEnvs",
    path: "envs.*.securityIssues",
    code: "invalid_type",
    reason: "required since version 1.28 of the client; variables made before the field existed lack it",
  },
];

export class Client {
  #last;
  #needed = new Set();
  #url;

  constructor(url) {
    this.#url = url;
  }

  /** A client of Vercel's with this token, for `call`. */
  with(token) {
    const httpClient = new HTTPClient({
      fetcher: async (input, init) => {
        const response = await fetch(input, init);
        const text = await response.clone().text();
        this.#last = { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
        return response;
      },
    });
    return new Vercel({ serverURL: this.#url, bearerToken: token, httpClient });
  }

  /** The answer to a call that must succeed with this status. */
  async call(name, expected, send) {
    let parsed;
    try {
      parsed = await send();
    } catch (error) {
      if (!(error instanceof ResponseValidationError)) throw error;
      const unexpected = this.#unexpected(name, error.cause.issues);
      assert.deepEqual(unexpected, [], `${name}: the answer does not fit the client's schema`);
      assert.equal(this.#last.status, expected, name);
      return this.#last.body;
    }
    assert.equal(this.#last.status, expected, name);
    same(parsed, this.#last.body, name);
    return parsed;
  }

  /** The `error` of a call that must be refused with this status. */
  async refused(name, expected, send) {
    let answer;
    try {
      answer = await send();
    } catch (error) {
      assert.ok(error instanceof VercelError, `${name}: ${error}`);
      assert.ok(!(error instanceof ResponseValidationError), `${name}: ${error}`);
      assert.equal(error.statusCode, expected, `${name}: ${error.body}`);
      return JSON.parse(error.body).error;
    }
    return assert.fail(`${name} was to be refused, and answered ${JSON.stringify(answer)}`);
  }

  /** Where answers passed although the client refused them, and why. */
  exceptions() {
    return [...this.#needed].map((entry) => `${entry.call} ${entry.path}: ${entry.reason}`);
  }

  /** Fails on entries of STRICTER that no answer needed. */
  noIdleExceptions() {
    assert.deepEqual(STRICTER.filter((entry) => !this.#needed.has(entry)), []);
  }

  /** The issues that STRICTER does not have; of a union, those of the member that was nearest. */
  #unexpected(call, issues) {
    return issues.flatMap((issue) => {
      if (issue.code === "invalid_union") {
        const members = issue.unionErrors.map((member) => this.#unexpected(call, member.issues));
        return members.reduce((near, next) => (distance(next) < distance(near) ? next : near));
      }
      const path = issue.path.map((part) => (typeof part === "number" ? "*" : part)).join(".");
      const known = STRICTER.find(
        (entry) => entry.call === call && entry.path === path && entry.code === issue.code,
      );
      if (known) this.#needed.add(known);
      return known ? [] : [`${path}: ${issue.message}`];
    });
  }
}

/** How far an answer is from a schema: one that is of another type altogether is the farthest. */
function distance(unexpected) {
  return unexpected.some((text) => text.startsWith(":")) ? Infinity : unexpected.length;
}

/** What the client made of an answer is in the answer. It may leave fields out, which it does not know. */
function same(parsed, wire, where) {
  if (parsed === null || typeof parsed !== "object") {
    // Optional fields that are null on the wire are undefined to the client.
    if (parsed === undefined && (wire === null || wire === undefined)) return;
    assert.deepEqual(parsed, wire, `${where}: the client filled in or changed what it was given`);
    return;
  }
  assert.equal(typeof wire, "object", `${where}: ${JSON.stringify(wire)}`);
  assert.ok(wire !== null, `${where} is null`);
  for (const [name, value] of Object.entries(parsed)) same(value, wire[name], `${where}.${name}`);
}
