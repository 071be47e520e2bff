/** A server and a client of gRPC (grpc-js) that run within a Node process. Messages are bytes. */
// Names of globals in Node, where the functions that use them run.
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import type { Tools } from "./node_process.ts";

/** Runs in Node: a server of gRPC whose messages are bytes. Returns its port. */
export function startServer({ require, state }: Tools, name: string): Promise<number> {
  const grpc = require("@grpc/grpc-js");
  const same = (bytes: Uint8Array) => bytes;
  const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
    path: `/test.Test/${path}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  });
  const definition = {
    echo: method("Echo", false, false),
    fail: method("Fail", false, false),
    hang: method("Hang", false, false),
    count: method("Count", false, true),
    sum: method("Sum", true, false),
    chat: method("Chat", true, true),
    whoami: method("Whoami", false, false),
    remaining: method("Remaining", false, false),
  };
  const server = new grpc.Server({
    "grpc.max_receive_message_length": 1e8,
    "grpc.max_send_message_length": 1e8,
  });
  const counts = { cancelled: 0, hanging: 0 };
  // deno-lint-ignore no-explicit-any -- grpc-js as it is: messages are bytes
  type Any = any;
  server.addService(definition, {
    echo(call: Any, done: Any) {
      const trailers = new grpc.Metadata();
      trailers.set("x-trailer", "last");
      const head = new grpc.Metadata();
      head.set("x-got", String(call.metadata.get("x-mine")));
      head.set("x-bytes-bin", Buffer.from([0, 255, 7]));
      call.sendMetadata(head);
      done(null, call.request, trailers);
    },
    fail(call: Any, done: Any) {
      done({ code: Number(call.request.toString()), details: "as it was asked: 100 %" });
    },
    hang(call: Any) {
      counts.hanging++;
      call.on("cancelled", () => counts.cancelled++);
    },
    count(call: Any) {
      const count = Number(call.request.toString());
      for (let i = 0; i < count; i++) call.write(Buffer.from(String(i)));
      call.end();
    },
    sum(call: Any, done: Any) {
      let sum = 0;
      call.on("data", (bytes: Any) => sum += Number(bytes.toString()));
      call.on("end", () => done(null, Buffer.from(String(sum))));
    },
    chat(call: Any) {
      call.on("data", (bytes: Any) => call.write(Buffer.from(`re: ${bytes}`)));
      call.on("end", () => call.end());
    },
    remaining(call: Any, done: Any) {
      done(null, Buffer.from(String(call.getDeadline() - Date.now())));
    },
    whoami(_call: Any, done: Any) {
      done(null, Buffer.from(name));
    },
  });
  state[name] = { server, counts };
  return new Promise((resolve, reject) =>
    server.bindAsync(
      "127.0.0.1:0",
      grpc.ServerCredentials.createInsecure(),
      (error: Error | null, port: number) => error === null ? resolve(port) : reject(error),
    )
  );
}

/** Runs in Node: makes a client of the proxy, called `client` in the state. */
export function startClient({ require, state }: Tools, port: number, authority: string): void {
  const grpc = require("@grpc/grpc-js");
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc.default_authority": authority,
    "grpc.max_receive_message_length": 1e8,
    "grpc.max_send_message_length": 1e8,
  });
  const same = (bytes: Uint8Array) => bytes;
  state["grpc"] = grpc;
  state["client"] = client;
  // deno-lint-ignore no-explicit-any -- whatever grpc-js takes
  state["unary"] = (path: string, text: any, metadata?: any, options?: any) =>
    new Promise((resolve) => {
      const told = { code: 0, details: "", text: "", length: 0, head: {}, trailers: {} };
      const call = client.makeUnaryRequest(
        `/test.Test/${path}`,
        same,
        same,
        Buffer.from(text),
        metadata ?? new grpc.Metadata(),
        options ?? {},
        // deno-lint-ignore no-explicit-any -- as grpc-js has it
        (error: any, answer: Uint8Array | undefined) => {
          told.code = error?.code ?? 0;
          told.details = error?.details ?? "";
          told.length = answer?.length ?? 0;
          told.text = Buffer.from(answer ?? []).toString().slice(0, 1_000);
        },
      );
      state["call"] = call;
      // deno-lint-ignore no-explicit-any -- as grpc-js has it
      call.on("metadata", (head: any) => told.head = head.getMap());
      // deno-lint-ignore no-explicit-any -- as grpc-js has it
      call.on("status", (status: any) => {
        told.trailers = status.metadata.getMap();
        // The callback may come after this.
        setImmediate(() => resolve(told));
      });
    });
}

/** What a unary call came to. */
export interface Called {
  readonly code: number;
  readonly details: string;
  readonly text: string;
  readonly length: number;
  readonly head: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, string>>;
}
