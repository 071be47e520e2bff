/**
 * Runs functions that a test sends as text, within a Node process: its HTTP/2 shares nothing with Weft's, and Deno's own
 * `node:http2` loses data in 2.6. One JSON line in, one out.
 */
import { createHash } from "node:crypto";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

/** What a function is given beside its arguments. `state` lasts as long as the process. */
const tools = {
  http,
  http2,
  net,
  createHash,
  require: createRequire(`${process.cwd()}/`),
  state: {},
};

process.on("uncaughtException", (error) => console.error("uncaught", error));
createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, source, args } = JSON.parse(line);
  let outcome;
  try {
    outcome = { id, value: await (0, eval)(`(${source})`)(tools, ...args) };
  } catch (error) {
    outcome = { id, error: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}).on("close", () => process.exit());
