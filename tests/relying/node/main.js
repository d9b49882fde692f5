// `node main.js SCENARIO`: one conversation with the test, in lines of JSON.
import { webcrypto } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";

// Node 18 has it under this name only.
globalThis.crypto ??= webcrypto;

const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();

async function hear() {
  const { value, done } = await lines.next();
  if (done) throw new Error("the test has gone");
  return JSON.parse(value);
}

async function say(message) {
  if (!process.stdout.write(`${JSON.stringify(message)}\n`)) await once(process.stdout, "drain");
}

// What came back from an address that the person's browser opened, as the library takes it: a URL or a POST.
async function open(url) {
  await say({ open: url.href });
  const { url: back, body } = await hear();
  if (body === undefined) return new URL(back);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return new Request(back, { method: "POST", headers, body });
}

const { default: scenario } = await import(`./${process.argv[2]}.js`);
try {
  await say({ result: await scenario(await hear(), open) });
} catch (error) {
  const { name, code, message } = error;
  await say({ error: { name, code, message, cause: String(error.cause?.message ?? error.cause) } });
  process.exitCode = 1;
}
input.close();
