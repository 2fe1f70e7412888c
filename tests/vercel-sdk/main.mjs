// Drives a simulator of Vercel through Vercel's own client: node main.mjs URL TOKEN

import { account } from "./account.mjs";
import { Client } from "./client.mjs";
import { variables } from "./variables.mjs";

const [url, token] = process.argv.slice(2);
if (!url || !token) {
  console.error("usage: node main.mjs URL TOKEN");
  process.exit(2);
}

const client = new Client(url);
let failed = 0;
const steps = [
  ...account,
  ...variables,
  ["every exception is needed", (client) => client.noIdleExceptions()],
];
for (const [name, step] of steps) {
  try {
    await step(client, client.with(token), url);
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n${error.stack ?? error}`);
  }
}
for (const reason of client.exceptions()) console.log(`stricter than reality: ${reason}`);
process.exitCode = failed === 0 ? 0 : 1;
