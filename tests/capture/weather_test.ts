/**
 * Captured connections of every kind on a network that misbehaves, cut and ended at random. Nothing may be left of them, whatever
 * they were taken for, and whatever was read too late.
 */
import { deepEqual, equal } from "node:assert/strict";
import { Random } from "../../base/random.ts";
import { Probe } from "../simulation/probe.ts";
import type { End } from "../simulation/scenario.ts";
import { clientHello } from "../support/client_hello.ts";
import { CaptureScenario } from "./capture_scenario.ts";

const SEEDS = 150;

const PORTS = [
  { name: "http", port: 80 },
  { name: "", port: 81 },
  { name: "tls", port: 82 },
  { name: "tcp", port: 83 },
];

const MANIFESTS = [{
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "default" },
  spec: {
    clusterIP: "10.96.0.1",
    ports: PORTS.map(({ name, port }) => ({ name: name || "x", port, targetPort: 8000 + port })),
  },
}, {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  addressType: "IPv4",
  metadata: { name: "web", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
  ports: PORTS.map(({ name, port }) => ({ name: name || "x", port: 8000 + port })),
  endpoints: [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"] }],
}].map((each) => JSON.stringify(each)).join("\n---\n");

const OPENINGS = [
  "GET / HTTP/1.1\r\nHost: web\r\n\r\nGET / HTTP/1.1\r\nHost: web\r\n\r\n",
  "FROBNICATE / HTTP/1.1\r\nHost: web\r\n\r\n",
  "GET / HTTP/1.1 \r\nHost: web\r\n\r\n",
  "CONNECT db.test:443 HTTP/1.1\r\nHost: db.test:443\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  "\x00\x00\x00\x08\x04\xd2\x16\x2f",
  "EHLO client.test\r\n",
  "",
];

class Weathered extends CaptureScenario {
  readonly #random: Random;

  constructor(seed: number) {
    const random = new Random(seed, "capture");
    super(MANIFESTS, {
      seed,
      weather: {
        delayMaxMs: random.below(30),
        capacityMin: 1 + random.below(50),
        partial: random.below(2) / 2,
        late: random.below(3) / 4,
        resets: random.below(2) / 50,
        connectFailures: random.below(2) / 10,
        connectTimeouts: random.below(2) / 20,
      },
    });
    this.#random = random;
    const hosts = ["10.0.0.1", "10.0.0.2", "127.0.0.1"];
    for (const { port } of PORTS) {
      for (const host of hosts) this.listenAt(`${host}:${8000 + port}`, (end) => this.#answer(end));
    }
  }

  /** Servers greet or answer, in time or late, and end or do not. */
  #answer(end: End): void {
    const random = this.#random;
    const text = random.below(2) === 0
      ? "220 ready\r\n"
      : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    if (random.below(3) === 0) this.#later(end, () => this.#send(end, text));
    else end.onText = () => this.#send(end, text);
    if (random.below(4) === 0) this.#later(end, () => end.side.sendEnd());
    this.world.after(10_000, () => end.side.close());
  }

  #later(end: End, happen: () => void): void {
    this.world.after(this.#random.below(1_500), () => {
      if (!end.side.isClosed && !end.side.isReset) happen();
    });
  }

  #send(end: End, text: string): void {
    const { side } = end;
    const isOver = side.isClosed || side.isReset || side.hasSentEnd || !side.isEstablished;
    if (!isOver) end.send(text.slice(0, side.room));
  }

  /** One client, from its beginning to its end. */
  dial(): void {
    const random = this.#random;
    const { port } = PORTS[random.below(PORTS.length)];
    const places = [`10.96.0.1:${port}`, `10.0.0.1:${8000 + port}`, "192.0.2.1:25"];
    const place = places[random.below(places.length)];
    const client = random.below(2) === 0 ? this.outbound(place) : this.inbound(place);
    const opening = random.below(4) === 0
      ? String.fromCharCode(...clientHello("web.test"))
      : OPENINGS[random.below(OPENINGS.length)];
    let atMs = random.below(2) * random.below(1_500);
    for (let at = 0; at < opening.length;) {
      const length = 1 + random.below(random.below(2) === 0 ? 3 : opening.length);
      const part = opening.slice(at, at + length);
      this.world.after(atMs, () => this.#send(client, part));
      at += length;
      atMs += random.below(2) * random.below(300);
    }
    this.world.after(atMs + random.below(3_000), () => {
      const ends = ["sendEnd", "close", "reset"] as const;
      client.side[ends[random.below(ends.length)]]();
    });
    this.world.after(atMs + 6_000, () => client.side.close());
  }
}

Deno.test("captured connections leave nothing behind, in any weather", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const probe = new Probe();
    const random = new Random(seed, "platform");
    if (seed % 3 === 0) probe.buffersMax = 2 + random.below(4);
    probe.watch(random, () => {
      const scenario = new Weathered(seed);
      for (let i = 0; i < 20; i++) scenario.world.after(i * 100, () => scenario.dial());
      for (let i = 0; i < 30; i++) {
        scenario.pass(500);
        equal(`${seed} ${probe.endless()}`, `${seed} `);
      }
      scenario.network.calm();
      scenario.engine.drain(() => {});
      scenario.pass(120_000);
      equal(scenario.engine.snapshot().lastFault, "", `seed ${seed}`);
      deepEqual(scenario.io.violations, [], `seed ${seed}`);
      equal(`${seed} ${probe.leftovers()} ${scenario.io.connections}`, `${seed}  0`);
    });
  }
});
