// What a proxy's end of the connection says of a question: known, answered, late, or that the source is away.
import { deepEqual, equal, ok } from "node:assert/strict";
import { createLog } from "../base/log.ts";
import { PLAN_ANSWER_MS } from "../proxy/limits.ts";
import { MeshParts } from "../routing/source/mesh.ts";
import {
  hostQuestion,
  type PlanQuestion,
  type SourceListener,
} from "../routing/source/messages.ts";
import { PlanClient } from "./plan_client.ts";

const header = { version: 2, clusterDomain: "cluster.local", permissive: true } as const;
const [known, asked, silent, unasked] = ["a", "b", "c", "d"].map((name) =>
  hostQuestion("app", `${name}.app`)
);

Deno.test("plan client: what became of a question", async () => {
  const mesh = new MeshParts(header);
  let listener: SourceListener | null = null;
  const client = new PlanClient({
    source: {
      connect(heard) {
        listener = heard;
        const session = mesh.open(() => {
          // Later, as from another machine.
          queueMicrotask(() => {
            for (let update = session.next(); update; update = session.next()) heard.update(update);
          });
        });
        return {
          send: ({ ask, ...rest }) =>
            session.take({ ...rest, ask: ask.filter((question) => question !== silent) }),
          close: () => session.close(),
        };
      },
    },
    proxy: {
      update: () => null,
      sourceIsAway: () => Promise.resolve(),
      unusedQuestions: () => Promise.resolve([]),
    },
    always: [known],
    log: createLog({ level: "error", format: "human", sink() {}, now: Date.now }),
    onChange() {},
  });
  const outcomeOf = async (question: PlanQuestion) => (await client.know(question))?.outcome;
  client.start();
  try {
    equal(await outcomeOf(asked), "away", "nothing has been heard of it yet");
    await client.settled();
    deepEqual(await client.know(known), null);
    deepEqual(await client.know(asked), null);
    equal(await outcomeOf(unasked), "answered");
    const late = await client.know(silent);
    deepEqual([late?.question, late?.outcome], [silent, "late"]);
    ok((late?.waitedMs ?? 0) >= PLAN_ANSWER_MS - 1, `${late?.waitedMs}`);
    (listener as SourceListener | null)?.lost("gone");
    equal(await outcomeOf(silent), "away");
    equal(await client.know(unasked), null, "what is held stays known");
  } finally {
    client.stop();
  }
});

Deno.test("plan client: a connection that ends is no warning, a source that stays away is one", async () => {
  const first = { header, answers: [], parts: [] };
  const lines: { level: string; reason: string }[] = [];
  const third = Promise.withResolvers<void>();
  let connections = 0;
  const client = new PlanClient({
    source: {
      connect(heard) {
        connections++;
        // Later, as from another machine.
        queueMicrotask(() => {
          if (connections === 1) heard.update(first);
          else heard.lost("refused");
          if (connections === 3) third.resolve();
        });
        if (connections === 1) setTimeout(() => heard.lost("ended"), 1);
        return { send() {}, close() {} };
      },
    },
    proxy: {
      update: () => null,
      sourceIsAway: () => Promise.resolve(),
      unusedQuestions: () => Promise.resolve([]),
    },
    always: [],
    log: createLog({
      level: "debug",
      format: "json",
      sink: (line) => lines.push(JSON.parse(line)),
      now: Date.now,
    }),
    onChange() {},
  });
  client.start();
  await third.promise;
  client.stop();
  deepEqual(lines.map(({ level, reason }) => [level, reason]), [
    ["debug", "ended"],
    ["warn", "refused"],
  ]);
});
