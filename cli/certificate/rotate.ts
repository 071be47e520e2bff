/**
 * The work of `weft certificate rotate`: from one authority to another without a call that fails. Each step is waited for by what controllers
 * and proxies say, and what is next follows from the objects, so that it can be ended and run again.
 */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import { makeKeySecret } from "../../controller/identity/key_secret.ts";
import { KEY_SECRETS, rootObject } from "../../controller/identity/root_certificate.ts";
import { isNotFound } from "../../controller/install/cluster.ts";
import { WEFT_NAMESPACE } from "../../controller/install/values.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { PROGRESS_LOOK_MS } from "../limits.ts";
import {
  type Authority,
  changeUnderWay,
  isDone,
  type NextStep,
  nextStep,
  type Progress,
  REPLACES,
} from "./rotation.ts";
import { type TargetAuthority, targetAuthority } from "./target.ts";
import { authoritiesPath, readAuthorities, readState, ROLE_WRITER, serverTimeMs } from "./view.ts";

interface RotateOptions extends ClusterOptions {
  readonly to?: string | undefined;
  readonly roots?: string | undefined;
  readonly timeout: string;
}

export async function rotate(options: RotateOptions, environment: Environment): Promise<ExitCode> {
  const limitMs = parseTimeLimitMs(options.timeout);
  const target = await targetAuthority(options.to ?? "secret", options.roots);
  const { stdout } = environment;
  return await withCluster(options, environment, async (client) => {
    const namespace = options.namespace ?? WEFT_NAMESPACE;
    const rotation = new Rotation(client, namespace, (line) => stdout.line(line));
    await rotation.begin(target, options.to);
    await rotation.finish(limitMs, options.timeout);
    return EXIT.ok;
  });
}

export class Rotation {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #say: (line: string) => void;

  constructor(client: KubeClient, namespace: string, say: (line: string) => void) {
    this.#client = client;
    this.#namespace = namespace;
    this.#say = say;
  }

  /** Makes the new authority, where no change is under way. */
  async begin(target: TargetAuthority | null, to: string | undefined): Promise<void> {
    const authorities = await readAuthorities(this.#client, this.#namespace);
    const change = changeUnderWay(authorities);
    if (change !== null) {
      const { old, next } = change;
      if (to !== undefined) {
        throw new CommandFailure(
          `A change from ${old.root.name} to ${next.root.name} is under way`,
          { hint: "Finish it first: weft certificate rotate, without --to." },
        );
      }
      return this.#say(`Going on: from ${old.root.name} to ${next.root.name}`);
    }
    const [old, ...others] = authorities.filter(({ root }) => root.role === "active");
    if (old === undefined || others.length > 0) {
      const names = [old, ...others].flatMap((each) => each === undefined ? [] : each.root.name);
      throw new CommandFailure(
        names.length === 0
          ? "No MeshRootCertificate is active"
          : `More than one is active: ${names}`,
        { hint: `See kubectl get meshrootcertificates -n ${this.#namespace}.` },
      );
    }
    await this.#make(old, authorities, target);
  }

  async #make(
    old: Authority,
    authorities: readonly Authority[],
    target: TargetAuthority | null,
  ): Promise<void> {
    const { roots, provider } = target ?? await this.#newKey(authorities);
    const name = `weft-root-${crypto.getRandomValues(new Uint8Array(3)).toHex()}`;
    const object = rootObject(name, this.#namespace, { role: "passive", roots, provider });
    const metadata = { ...object.metadata, annotations: { [REPLACES]: old.root.name } };
    await this.#client.call("POST", authoritiesPath(this.#namespace), {
      body: { ...object, metadata },
    });
    this.#say(`New MeshRootCertificate ${name}, to take the place of ${old.root.name}`);
  }

  /** In the Secret that no authority uses. */
  async #newKey(authorities: readonly Authority[]): Promise<TargetAuthority> {
    const used = authorities.flatMap(({ root: { provider } }) =>
      provider.kind === "secret" ? [provider.name] : []
    );
    const name = KEY_SECRETS.find((each) => !used.includes(each));
    if (name === undefined) {
      throw new CommandFailure(`Both Secrets for keys are in use: ${KEY_SECRETS.join(", ")}`, {
        hint: "Delete the MeshRootCertificate that is inactive, and its Secret.",
      });
    }
    // A key that was left over is of no authority any more.
    await this.#client.call("DELETE", `${this.#secrets}/${name}`).catch(ignoreAbsence);
    const { roots } = await makeKeySecret(this.#client, this.#namespace, name);
    return { roots, provider: { secret: { name } } };
  }

  get #secrets(): string {
    return `/api/v1/namespaces/${this.#namespace}/secrets`;
  }

  /** @throws {CommandFailure} a step takes too long */
  async finish(limitMs: number, timeout: string): Promise<void> {
    let said = "";
    let stepName = "";
    let sinceMs = performance.now();
    for (;;) {
      const nowMs = await serverTimeMs(this.#client, this.#namespace);
      const step = nextStep({ ...await readState(this.#client, this.#namespace), nowMs });
      if (typeof step === "string") throw new CommandFailure(step);
      if (step === null) return this.#say("Done");
      if (step.name !== stepName) sinceMs = performance.now();
      stepName = step.name;
      if (step.progress !== null) {
        const line = progressLine(step, step.progress);
        if (line !== said) this.#say(line);
        said = line;
        if (!isDone(step.progress)) {
          if (performance.now() - sinceMs >= limitMs) throw tooLong(step.progress, timeout);
          await new Promise((resolve) => setTimeout(resolve, PROGRESS_LOOK_MS));
          continue;
        }
      }
      await this.#take(step);
    }
  }

  async #take({ name, next, old }: NextStep): Promise<void> {
    switch (name) {
      case "sign":
        await this.#setRole(next, "active");
        return this.#say(`${next.root.name} signs from now on`);
      case "retire":
        return await this.#setRole(old, "passive");
      case "drop":
        await this.#setRole(old, "inactive");
        return this.#say(`${old.root.name} is not trusted any more`);
      case "remove":
        return await this.#remove(old);
    }
  }

  async #setRole({ root: { name } }: Authority, role: string): Promise<void> {
    const path = `${authoritiesPath(this.#namespace)}/${name}?fieldManager=${ROLE_WRITER}`;
    await this.#client.call("PATCH", path, {
      body: { spec: { role } },
      contentType: "application/merge-patch+json",
    });
  }

  async #remove({ root: { name, provider } }: Authority): Promise<void> {
    if (provider.kind === "secret") {
      await this.#client.call("DELETE", `${this.#secrets}/${provider.name}`).catch(ignoreAbsence);
    }
    await this.#client.call("DELETE", `${authoritiesPath(this.#namespace)}/${name}`)
      .catch(ignoreAbsence);
    this.#say(`MeshRootCertificate ${name} is removed, with its key`);
  }
}

const WAITS = {
  sign: "trust it",
  drop: "have a certificate of it",
  remove: "have forgotten the old one",
  retire: "",
} as const;

function progressLine({ name, next }: NextStep, { done, of, obstacle, missing }: Progress): string {
  const waiting = missing.length === 0
    ? ""
    : `; not yet: ${missing.slice(0, 3).join(", ")}${missing.length > 3 ? ", …" : ""}`;
  const also = obstacle === "" ? "" : `; ${obstacle}`;
  return `${next.root.name}: ${done} of ${of} sidecars ${WAITS[name]}${waiting}${also}`;
}

function tooLong({ missing, obstacle }: Progress, timeout: string): CommandFailure {
  const what = obstacle === "" ? `${missing.length} sidecars are not there yet` : obstacle;
  return new CommandFailure(`Not within ${timeout}: ${what}`, {
    hint: "Nothing is cut off. Run it again to go on: a sidecar that stays silent is not " +
      "waited for once its certificate has expired, a day after this step began.",
  });
}

function ignoreAbsence(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
