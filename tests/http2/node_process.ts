/** NodeProcess: a Node beside the test, whose `node:http2` is a peer that shares nothing with Weft. */
import type { createHash } from "node:crypto";
import type http from "node:http";
import type http2 from "node:http2";
import type net from "node:net";
import { hasCommand } from "../support/commands.ts";
import { soon } from "../support/until.ts";

/** What a function in the other process is given beside its arguments. */
export interface Tools {
  readonly http: typeof http;
  readonly http2: typeof http2;
  readonly net: typeof net;
  readonly createHash: typeof createHash;
  /** Of the packages in the folder that the process was started in. */
  // deno-lint-ignore no-explicit-any -- as Node's own: a package is not known here
  readonly require: (name: string) => any;
  /** Lasts as long as the process. */
  // deno-lint-ignore no-explicit-any -- whatever a test keeps there
  readonly state: Record<string, any>;
}

/** True where there is a Node. */
export const HAS_NODE = hasCommand("node");

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export class NodeProcess {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #reading: Promise<void>;
  #calls = 0;

  /** @param folder where `require` looks for packages */
  constructor(folder: string) {
    const script = new URL("./node_process.mjs", import.meta.url).pathname;
    this.#child = new Deno.Command("node", {
      args: [decodeURIComponent(script)],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
      cwd: folder,
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /**
   * Runs `work` there. It is sent as text, so it sees its arguments and nothing else.
   * @throws {Error} what it threw, or that it took too long
   */
  async run<A extends readonly Json[], T>(
    work: (tools: Tools, ...args: A) => T | Promise<T>,
    ...args: A
  ): Promise<T> {
    const id = this.#calls++;
    const outcome = Promise.withResolvers<unknown>();
    this.#waiting.set(id, outcome);
    const line = JSON.stringify({ id, source: work.toString(), args });
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    try {
      return await soon(`an answer to: ${work.toString()}`, outcome.promise) as T;
    } finally {
      this.#waiting.delete(id);
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { id, value, error } = JSON.parse(line);
        if (error === undefined) this.#waiting.get(id)?.resolve(value);
        else this.#waiting.get(id)?.reject(new Error(error));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#child.status;
    await this.#reading;
  }
}
