/**
 * Conversations of proxies and controllers of every version so far (tests/recorded/README.md): today's controller takes what such a proxy
 * says and tells it all that it was told, and today's proxy takes what such a controller says and comes to the same plan.
 */
import { deepEqual, equal } from "node:assert/strict";
import { acknowledgedBy, helloIn } from "../controller/stream/hello.ts";
import { planHeaderOf } from "../routing/parts.ts";
import { decodePlan } from "../routing/plan_codec.ts";
import { HeldParts } from "../routing/source/held_parts.ts";
import { MeshParts, type MeshSession } from "../routing/source/mesh.ts";
import { decodeRequest, decodeUpdate } from "../routing/source/wire.ts";

const RECORDED = new URL("recorded/", import.meta.url);

function planNamed(name: string) {
  const decoded = decodePlan(
    Deno.readTextFileSync(new URL(`plan-2/${name}/plan.json`, RECORDED)),
  );
  if (!decoded.ok) throw new Error(decoded.message);
  return decoded.plan;
}

/** `told`, without what `recorded` does not have: a proxy of that time passes over fields that it does not know. */
function known(recorded: unknown, told: unknown): unknown {
  if (Array.isArray(recorded) && Array.isArray(told)) {
    return told.map((each, i) => i < recorded.length ? known(recorded[i], each) : each);
  }
  const isObject = (value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(recorded) || !isObject(told)) return told;
  const fields = Object.keys(recorded as object);
  return Object.fromEntries(
    Object.entries(told as object).filter(([name]) => fields.includes(name))
      .map(([name, value]) => [name, known((recorded as Record<string, unknown>)[name], value)]),
  );
}

/** A controller and a proxy of today, each talking to the other end of the recording. */
class Replay {
  readonly #mesh: MeshParts;
  #session: MeshSession | null = null;
  readonly #held = new HeldParts();

  constructor(plan: string) {
    this.#mesh = new MeshParts(planHeaderOf(planNamed(plan)));
    this.#mesh.set(planNamed(plan));
  }

  /** Of the mesh from now on. */
  plan(name: string): void {
    this.#mesh.set(planNamed(name));
  }

  /** What a proxy has said; null where it was no acknowledgement. */
  proxySays(line: string): void {
    const hash = acknowledgedBy(line);
    if (hash !== null) {
      this.#session?.acknowledge();
      return equal(this.#held.hash, hash, "today's proxy comes to the same plan");
    }
    if ("token" in JSON.parse(line)) {
      const { namespace } = helloIn(line) ?? {};
      equal(namespace, "curl");
      this.#session = this.#mesh.open(() => {});
      return;
    }
    const decoded = decodeRequest(line);
    if (!decoded.ok) throw new Error(decoded.problem);
    this.#session?.take(decoded.message);
  }

  controllerSays(line: string): void {
    const told = JSON.parse(JSON.stringify(this.#session?.next() ?? null));
    const recorded = JSON.parse(line);
    deepEqual(known(recorded, told), recorded, "today's controller tells the same");
    const decoded = decodeUpdate(line);
    if (!decoded.ok) throw new Error(decoded.problem);
    this.#held.take(decoded.message);
  }
}

for (const { name } of Deno.readDirSync(RECORDED)) {
  if (!name.startsWith("stream-")) continue;
  for (const { name: file } of Deno.readDirSync(new URL(`${name}/`, RECORDED))) {
    Deno.test(`recorded ${name}, ${file}: both sides of today understand it`, () => {
      const lines = Deno.readTextFileSync(new URL(`${name}/${file}`, RECORDED)).split("\n");
      let replay: Replay | null = null;
      for (const line of lines) {
        const [mark, text] = [line.slice(0, 2), line.slice(2)];
        if (mark === "= ") replay === null ? replay = new Replay(text) : replay.plan(text);
        else if (mark === "> ") replay?.proxySays(text);
        else if (mark === "< ") replay?.controllerSays(text);
      }
    });
  }
}
