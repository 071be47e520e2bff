/**
 * The three ways to play a pod on this machine: a command, something that already runs, or the built-in stand-in.
 * One runner plays one pod; which pods there are is decided elsewhere.
 */
import { formatHostPort, type HostPort } from "../console/values.ts";
import { type ChildHooks, ChildRunner } from "./child_process.ts";
import { usablePlace } from "./places.ts";
import type { RunSettings } from "./settings.ts";
import { type StandIn, type StandInAnswer, startStandIn } from "./stand_in.ts";

/** A pod as the local mesh sees it. */
export interface LocalPod {
  readonly namespace: string;
  readonly name: string;
  /** `namespace/serviceaccount`. */
  readonly identity: string;
  /** Name of the Deployment or other workload, or the pod's own. */
  readonly workload: string;
  /** The pod's loopback address. */
  readonly address: string;
  /** TCP ports it is expected to serve; a command is told the first one. Empty: a client. */
  readonly ports: readonly number[];
  /** What the stand-in would answer. */
  readonly answer: StandInAnswer;
}

/** Plays one pod from its creation until `stop`. */
export interface PodRunner {
  /** `stand-in`, `process`, `endpoint`. */
  readonly kind: "stand-in" | "process" | "endpoint";
  /** For people: the command, or where it is. */
  readonly description: string;
  readonly isReady: boolean;
  /** Plays the pod as it is written now, if it can without a pause; false: a new runner is needed. */
  update(pod: LocalPod): boolean;
  /** Where a port of the pod is served. */
  placeOf(port: number): HostPort;
  /** Notes what is needless now; the function that is returned closes what then still is. */
  trim(): () => Promise<void>;
  /** Ends; resolves when nothing is left of it. */
  stop(): Promise<void>;
  /** Ends at once, without waiting. */
  kill(): void;
}

/** A stand-in on each port of a pod. */
export class StandInRunner implements PodRunner {
  readonly kind = "stand-in";
  readonly description = "";
  readonly isReady = true;
  readonly #address: string;
  readonly #servers = new Map<number, { place: HostPort; standIn: StandIn }>();
  #ports: readonly number[] = [];

  constructor(pod: LocalPod) {
    this.#address = pod.address;
    this.update(pod);
  }

  update({ ports, answer }: LocalPod): boolean {
    this.#ports = ports;
    for (const { standIn } of this.#servers.values()) standIn.setAnswer(answer);
    for (const port of ports) {
      if (this.#servers.has(port)) continue;
      const place = usablePlace({ address: this.#address, port });
      this.#servers.set(port, { place, standIn: startStandIn(place, answer) });
    }
    return true;
  }

  placeOf(port: number): HostPort {
    return this.#servers.get(port)?.place ?? { address: this.#address, port };
  }

  trim(): () => Promise<void> {
    const isNeedless = (port: number) => !this.#ports.includes(port);
    const needless = [...this.#servers.keys()].filter(isNeedless);
    return () => this.#close(needless.filter(isNeedless));
  }

  async stop(): Promise<void> {
    await this.#close([...this.#servers.keys()]);
  }

  kill(): void {
    for (const { standIn } of this.#servers.values()) standIn.kill();
  }

  async #close(ports: readonly number[]): Promise<void> {
    const stops = ports.map((port) => {
      const server = this.#servers.get(port);
      this.#servers.delete(port);
      return server?.standIn.stop();
    });
    await Promise.all(stops);
  }
}

/** A command, run again whenever it ends. */
export class ProcessRunner implements PodRunner {
  readonly kind = "process";
  readonly description: string;
  readonly #child: ChildRunner;
  readonly #pod: LocalPod;
  readonly #place: HostPort;
  #isReady = false;

  /** `proxyUrl`: the mesh as this pod reaches it. */
  constructor(pod: LocalPod, run: RunSettings, proxyUrl: string, hooks: ChildHooks) {
    this.description = run.command;
    this.#pod = pod;
    this.#place = usablePlace({ address: pod.address, port: pod.ports[0] ?? 0 });
    this.#child = new ChildRunner({
      command: run.command,
      directory: run.directory,
      env: { ...environmentOf(pod, this.#place, proxyUrl), ...run.env },
      place: this.#place,
      isServer: pod.ports.length > 0,
    }, {
      onOutput: (line) => hooks.onOutput(line),
      onExit: (reason, delayMs) => hooks.onExit(reason, delayMs),
      onReady: (isReady) => {
        this.#isReady = isReady;
        hooks.onReady(isReady);
      },
    });
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** The command was told one port for its life; other changes do not concern it. */
  update(pod: LocalPod): boolean {
    return pod.ports[0] === this.#pod.ports[0] && pod.address === this.#pod.address;
  }

  placeOf(port: number): HostPort {
    return port === this.#pod.ports[0] ? this.#place : { address: this.#place.address, port };
  }

  trim(): () => Promise<void> {
    return () => Promise.resolve();
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }

  kill(): void {
    this.#child.kill();
  }
}

/** Something that weft neither starts nor stops. It answers for every port of the pod. */
export class EndpointRunner implements PodRunner {
  readonly kind = "endpoint";
  readonly description: string;
  readonly isReady = true;
  readonly #place: HostPort;

  constructor(place: HostPort) {
    this.#place = place;
    this.description = formatHostPort(place);
  }

  update(): boolean {
    return true;
  }

  placeOf(): HostPort {
    return this.#place;
  }

  trim(): () => Promise<void> {
    return () => Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  kill(): void {}
}

/**
 * What a command finds in its environment. `http_proxy` makes its own calls go through the mesh, as a sidecar would
 * in a cluster; calls to this machine by address do not.
 */
function environmentOf(pod: LocalPod, place: HostPort, proxyUrl: string): Record<string, string> {
  return {
    HOST: place.address,
    PORT: String(place.port),
    POD_NAME: pod.name,
    POD_NAMESPACE: pod.namespace,
    POD_IP: place.address,
    WEFT_WORKLOAD: pod.workload,
    WEFT_PROXY: proxyUrl,
    http_proxy: proxyUrl,
    no_proxy: "localhost,127.0.0.1,::1",
  };
}
