/**
 * CaptureScenario: the engine as a sidecar that captures, on a calm simulated network: clients say where they were going, and each
 * place answers with its own name.
 */
import { equal } from "node:assert/strict";
import { parseIp } from "../../base/ip.ts";
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import type { Io } from "../../proxy/io/io.ts";
import { Engine } from "../../proxy/run/engine.ts";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import type { Weather } from "../simulation/network.ts";
import { CalmNetwork, End } from "../simulation/scenario.ts";

const CLIENTS = { address: "127.0.0.1", port: 0, namespace: "default", identity: "", seed: null };

interface CaptureOptions {
  /** Default true: what the mesh does not know is passed on. */
  readonly egress?: boolean;
  /** The same by the plan. Default true. */
  readonly meshEgress?: boolean;
  /** Of the clients in the pod, `namespace/serviceaccount`. Default: not known. */
  readonly identity?: string;
  readonly seed?: number;
  readonly weather?: Partial<Weather>;
}

/** Compiles manifests. */
function planOf(manifests: string, egress: boolean): Plan {
  const { snapshot } = parseManifests([{ name: "capture.yaml", text: manifests }]);
  return compile(snapshot, { egress }).plan;
}

export class CaptureScenario extends CalmNetwork {
  readonly engine: Engine;
  readonly records: RequestRecord[] = [];
  readonly messages: string[] = [];
  /** Names that the proxy asked for. */
  readonly names: string[] = [];
  readonly #ports: { readonly outbound: number[]; readonly inbound: number[] };

  /** Listeners: a captured one, one that is not, and a captured one to the application on 127.0.0.1. */
  constructor(
    manifests: string,
    { egress = true, meshEgress = true, identity = "", seed, weather }: CaptureOptions = {},
  ) {
    super(seed, weather);
    const clients = { ...CLIENTS, identity };
    this.engine = new Engine(
      this.io as Io,
      {
        driver: "native",
        workers: 1,
        outbound: [{ ...clients, capture: true }, clients],
        inbound: [{
          address: "127.0.0.1",
          port: 0,
          capture: true,
          application: { address: "127.0.0.1", port: 0 },
        }],
        admin: null,
        egress,
        timeouts: DEFAULT_TIMEOUTS,
        bodyBytesMax: Infinity,
        reportRequests: true,
      },
      planOf(manifests, meshEgress),
      {
        onRecords: (records) => void this.records.push(...records),
        onAccessLines() {},
        onSpans() {},
        onLog: ({ message }) => void this.messages.push(message),
        lookUp: (name) => void this.names.push(name),
      },
    );
    this.#ports = this.engine.listen();
  }

  /** Every request that comes there is answered with `name`; the connections to it. */
  serve(place: string, name = place): End[] {
    const ends: End[] = [];
    this.network.listen(place, (side) => {
      const end = new End(side);
      ends.push(end);
      let answered = 0;
      end.onText = () => {
        const requests = end.text.split("\r\n\r\n").length - 1;
        for (; answered < requests; answered++) {
          end.send(`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`);
        }
      };
    });
    return ends;
  }

  /** A client in the pod that connects to `place`. */
  outbound(place: string): End {
    return this.#redirected(place, this.#ports.outbound[0]);
  }

  /** A client that uses the proxy knowingly. */
  plain(): End {
    return new End(this.network.connect(`proxy:${this.#ports.outbound[1]}`, false));
  }

  /** A client elsewhere that connects to the pod at `place`. */
  inbound(place: string): End {
    return this.#redirected(place, this.#ports.inbound[0]);
  }

  #redirected(place: string, port: number): End {
    const side = this.network.connect(`proxy:${port}`, false);
    const [, address = "", text = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(place) ?? [];
    equal(parseIp(address) === null, false, place);
    this.io.redirected.set(side, { address, port: Number(text) });
    return new End(side);
  }

  /** What a client that connects to `place` gets for a GET with this host: the body, or status and reason. */
  get(place: string, host: string): string {
    return this.ask(this.outbound(place), host);
  }

  /** The same over a connection that is there. */
  ask(client: End, host: string): string {
    this.pass(1);
    const before = client.text.length;
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    this.pass(50);
    return outcomeOf(client.text.slice(before));
  }

  /** Puts another plan in force. */
  apply(manifests: string, meshEgress = true): void {
    this.engine.apply(planOf(manifests, meshEgress));
  }
}

/** The body of an answer by an endpoint; else its status and the proxy's reason. */
function outcomeOf(answer: string): string {
  const [, status = "none"] = /^HTTP\/1\.1 (\d{3})/.exec(answer) ?? [];
  const reason = /^x-weft-reason: (.*)\r$/m.exec(answer)?.[1];
  return reason === undefined && status === "200"
    ? answer.slice(answer.indexOf("\r\n\r\n") + 4)
    : `${status} ${reason ?? ""}`.trim();
}
