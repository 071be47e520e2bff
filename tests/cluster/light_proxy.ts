/** A proxy without traffic: the real client of the stream, which holds what it asked for, and acknowledges what it is told to hold. */
import { createLog } from "../../base/log.ts";
import type { HeldParts } from "../../routing/source/held_parts.ts";
import { accessQuestion, hostQuestion } from "../../routing/source/messages.ts";
import { ControllerSource } from "../../sidecar/controller_source.ts";
import { PlanClient } from "../../sidecar/plan_client.ts";

interface LightProxyParts {
  /** It goes from one to the next with each connection. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly authorityFile: string;
  readonly pod: string;
  /** What its application calls. */
  readonly hosts: readonly string[];
  /** `namespace/serviceaccount` of its application, where that is asked about. */
  readonly identity?: string;
  /** What it holds is another now, and in force. */
  readonly onChange?: () => void;
}

export class LightProxy {
  readonly name: string;
  /** What went wrong on the way to the controller, in order. */
  readonly troubles: string[] = [];
  readonly #client: PlanClient;
  #held: HeldParts | null = null;
  /** Its event loops do not take what comes. */
  #stuck: PromiseWithResolvers<void> | null = null;

  constructor({ addresses, port, authorityFile, pod, hosts, identity, onChange }: LightProxyParts) {
    this.name = `app/${pod}`;
    // A token is read, and not looked at by controllers of tests.
    const sources = addresses.map((address) =>
      new ControllerSource({
        ...{ address, port, authorityFile, tokenFile: authorityFile },
        ...{ namespace: "app", pod, version: "test" },
      })
    );
    let connections = Math.floor(Math.random() * sources.length);
    let source = sources[connections];
    this.#client = new PlanClient({
      source: {
        connect(listener) {
          source = sources[connections++ % sources.length];
          return source.connect(listener);
        },
      },
      proxy: {
        update: () => this.#stuck?.promise ?? null,
        sourceIsAway: () => Promise.resolve(),
        unusedQuestions: () => Promise.resolve([]),
      },
      always: [
        ...hosts.map((host) => hostQuestion("app", host)),
        ...(identity === undefined ? [] : [accessQuestion(identity)]),
      ],
      log: createLog({ level: "error", format: "json", sink: () => {}, now: Date.now }),
      onChange: (held, isNews) => {
        this.#held = held;
        if (isNews) source.acknowledger()(held.hash);
        onChange?.();
      },
      onTrouble: (error) => this.troubles.push(String(error)),
    });
    this.#client.start();
  }

  /** Weights of a Service's split as they are in force, by backend; null: nothing is held of it. */
  weights(service: string): readonly number[] | null {
    const held = this.#held?.plan?.services.find(({ name }) => name === service);
    return held?.ports[0]?.fallback.backends.map(({ weight }) => weight) ?? null;
  }

  /** Pods of the endpoints of a Service as they are in force. */
  pods(service: string): readonly string[] {
    return this.#held?.plan?.groups[`app/${service}:80`]?.map(({ pod }) => pod) ?? [];
  }

  /** Whether traffic targets are not enforced; undefined: it holds nothing. */
  get permissive(): boolean | undefined {
    return this.#held?.plan?.permissive;
  }

  /** Names of the Egresses of an account as they are in force; null: egress is on. */
  egresses(account: string): readonly string[] | null {
    const plan = this.#held?.plan;
    if (plan?.egressOff !== true) return null;
    return plan.egress?.[account]?.map(({ ref }) => ref.name) ?? [];
  }

  /** Ports that IngressBackends open of an account as they are in force, and for whom. */
  ingresses(account: string): readonly string[] {
    const own = this.#held?.plan?.ingress?.[account] ?? [];
    return own.map(({ ref, port, from }) => {
      const services = from?.services.flatMap(({ addresses }) => addresses) ?? [];
      return `${ref.name} ${port} from ${[...from?.ranges ?? [], ...services]}`;
    });
  }

  hold(): void {
    this.#stuck = Promise.withResolvers();
  }

  release(): void {
    this.#stuck?.resolve();
    this.#stuck = null;
  }

  stop(): void {
    this.release();
    this.#client.stop();
  }
}
