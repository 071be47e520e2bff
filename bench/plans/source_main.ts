/**
 * A source of plans in a process of its own: a large mesh, compiled part by part, told to proxies by the controller's stream. Takes
 * `SourceArguments` as JSON, says what it took to begin, and then takes a line at a time, answering each. Ends with its input.
 */
import { createLog } from "../../base/log.ts";
import { controllerCounts } from "../../controller/metrics.ts";
import { IdentityIssuer } from "../../controller/identity/identity_issuer.ts";
import { StreamServer } from "../../controller/stream/server.ts";
import { Compiler } from "../../routing/compile/compiler.ts";
import { largeMesh, meshSlice, meshSplit } from "../../routing/compile/mesh_for_test.ts";
import { composePlan, hashPart, PlanDigest } from "../../routing/parts.ts";
import { PLAN_VERSION } from "../../routing/plan.ts";
import { encodePlan } from "../../routing/plan_codec.ts";
import { HeldParts } from "../../routing/source/held_parts.ts";
import { MeshParts } from "../../routing/source/mesh.ts";
import { hostQuestion } from "../../routing/source/messages.ts";
import { median } from "../report.ts";

export interface SourceArguments {
  readonly services: number;
  /** Where endpoints listen. */
  readonly endpointPort: number;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface SourceStart {
  readonly port: number;
  readonly compileMs: number;
  /** The most that was resident until all was compiled. */
  readonly peakMb: number;
}

/** What a change costs here, until its text is there to be sent. */
export interface ChangeCosts {
  readonly medianMs: number;
  readonly p99Ms: number;
  /** Told to a proxy that uses the Service, and to one that does not. */
  readonly bytes: number;
  readonly otherBytes: number;
}

export const MESH_ENDPOINTS = 10;
const CHANGES = 300;

class Source {
  readonly mesh: MeshParts;
  readonly compileMs: number;
  readonly #compiler = new Compiler();
  readonly #port: number;
  readonly #slices = new Map<number, ReturnType<typeof meshSlice>>();
  readonly #splits = new Map<number, ReturnType<typeof meshSplit>>();
  /** Services whose first endpoint has its second address. */
  readonly #moved = new Set<number>();
  #turn = 0;

  constructor({ services, endpointPort }: SourceArguments) {
    this.#port = endpointPort;
    const snapshot = largeMesh(services, MESH_ENDPOINTS, services / 5, endpointPort);
    snapshot.endpointSlices.forEach((slice, i) => this.#slices.set(i, slice));
    snapshot.trafficSplits.forEach((split, i) => this.#splits.set(i, split));
    const startMs = performance.now();
    this.#compiler.add(snapshot);
    this.#compiler.refresh();
    this.compileMs = performance.now() - startMs;
    const { clusterDomain, permissive } = this.#compiler;
    this.mesh = new MeshParts({ version: PLAN_VERSION, clusterDomain, permissive });
    this.mesh.change(this.#compiler.parts);
  }

  /** The first endpoint of a Service has its other address. */
  changeAddress(service: number): void {
    if (!this.#moved.delete(service)) this.#moved.add(service);
    const next = meshSlice(service, MESH_ENDPOINTS, this.#moved.has(service), this.#port);
    this.#compiler.change("endpointSlices", this.#slices.get(service) ?? null, next);
    this.#slices.set(service, next);
    this.#tell();
  }

  changeWeight(split: number): void {
    const next = meshSplit(split, 1 + this.#turn++ % 98);
    this.#compiler.change("trafficSplits", this.#splits.get(split) ?? null, next);
    this.#splits.set(split, next);
    this.#tell();
  }

  #tell(): void {
    const { parts } = this.#compiler.refresh();
    this.mesh.change([...parts].map((key) => [key, this.#compiler.parts.get(key)] as const));
  }

  /** To one that uses the first Service, and to one that uses none, with the text that goes over the wire. */
  costsOf(change: () => void): ChangeCosts {
    const [user, other] = [this.mesh.open(() => {}), this.mesh.open(() => {})];
    user.take({ ask: [hostQuestion("default", "service-0.shop")], drop: [], held: {} });
    const held = new HeldParts();
    const first = user.next();
    if (first === null) throw new Error("The first answer is missing");
    held.take(first);
    other.next();
    const times: number[] = [];
    let [bytes, otherBytes] = [0, 0];
    for (let i = 0; i < CHANGES; i++) {
      const startMs = performance.now();
      change();
      const update = user.next();
      const text = JSON.stringify(update);
      times.push(performance.now() - startMs);
      if (update === null) throw new Error("A change was not told");
      held.take(update);
      const untold = other.next();
      bytes = text.length;
      otherBytes += untold === null ? 0 : JSON.stringify(untold).length;
    }
    user.close();
    other.close();
    const p99Ms = times.toSorted((a, b) => a - b)[Math.floor(CHANGES * 0.99)];
    return { medianMs: median(times), p99Ms, bytes, otherBytes };
  }

  writePlan(path: string): void {
    const { parts } = this.#compiler;
    const hashes = new PlanDigest();
    for (const [key, part] of parts) hashes.set(key, hashPart(part));
    const { header } = this.mesh;
    Deno.writeTextFileSync(path, encodePlan(composePlan(header, parts, hashes.hash(header))));
  }

  answer(line: string): unknown {
    const [word, number = "0"] = line.split(" ");
    switch (word) {
      case "address":
        return this.changeAddress(Number(number)) ?? "changed";
      case "weight":
        return this.changeWeight(Number(number)) ?? "changed";
      case "address-costs":
        return this.costsOf(() => this.changeAddress(0));
      case "weight-costs":
        return this.costsOf(() => this.changeWeight(0));
      case "plan":
        return this.writePlan(number) ?? "written";
      default:
        throw new Error(`"${line}" is no command`);
    }
  }
}

function peakMb(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

function say(value: unknown): void {
  console.log(JSON.stringify(value));
}

if (import.meta.main) {
  const given: SourceArguments = JSON.parse(Deno.args[0]);
  const source = new Source(given);
  const peak = peakMb();
  const counts = controllerCounts();
  const log = createLog({ level: "warn", format: "human", sink: console.error, now: Date.now });
  const server = new StreamServer({
    ...given,
    address: "127.0.0.1",
    port: 0,
    mesh: source.mesh,
    tokens: null,
    events: { came() {}, acknowledged() {}, went() {} },
    identity: new IdentityIssuer({ trustDomain: "cluster.local", counts, log }),
    ...{ counts, log },
  });
  const start: SourceStart = {
    port: await server.start(),
    compileMs: source.compileMs,
    peakMb: peak,
  };
  say(start);
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) say(source.answer(line));
  }
  await server.stop();
}
