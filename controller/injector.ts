/**
 * Injector: the webhook and what it answers by, kept up to date: its certificate and the mesh's settings, which are files that a
 * Secret and a ConfigMap replace, and whether every kubelet of the cluster knows native sidecars.
 */
import { pause } from "../base/backoff.ts";
import type { Log } from "../base/log.ts";
import type { ObjectMeta } from "./inject/pod.ts";
import { type InjectionSettings, parseInjectionSettings } from "./inject/settings.ts";
import type { KubeClient } from "./kube/client.ts";
import { readText } from "../base/read_text.ts";
import { everyKubeletIsNative } from "./kubelets.ts";
import { INJECTION_READ_MS } from "./limits.ts";
import type { ControllerCounts } from "./metrics.ts";
import { startWebhook } from "./webhook.ts";

interface InjectorParts {
  readonly address: string;
  readonly port: number;
  readonly certFile: string;
  readonly keyFile: string;
  readonly settingsFile: string;
  readonly client: KubeClient;
  /** Undefined: it is in no mesh, as far as is known. */
  readonly namespaceOf: (name: string) => ObjectMeta | undefined;
  readonly outcomeOf: Parameters<typeof startWebhook>[0]["outcomeOf"];
  readonly history: Parameters<typeof startWebhook>[0]["history"];
  readonly counts: ControllerCounts;
  /** In place of what the file says. */
  readonly overrides: () => Partial<InjectionSettings>;
  readonly log: Log;
}

interface Injector {
  readonly port: number;
  stop(): Promise<void>;
}

/** What the webhook answers by, as of one reading. */
interface Facts {
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly settings: InjectionSettings;
  readonly nativeIsKnown: boolean;
}

/** @throws {Error} a file cannot be read, or the address is taken */
export async function startInjector(parts: InjectorParts): Promise<Injector> {
  let facts = await readFacts(parts);
  const webhook = await startWebhook({
    ...parts,
    certificate: facts.certificate,
    settings: () => ({ ...facts.settings, ...parts.overrides() }),
    nativeIsKnown: () => facts.nativeIsKnown,
  });
  const ended = new AbortController();
  const following = follow(parts, ended.signal, (fresh) => {
    const isOther = fresh.certificate.cert !== facts.certificate.cert;
    facts = fresh;
    if (isOther) webhook.setCertificate(fresh.certificate);
  });
  return {
    port: webhook.port,
    async stop() {
      ended.abort();
      await Promise.all([webhook.stop(), following]);
    },
  };
}

/** What cannot be read now stays as it was. */
async function follow(
  parts: InjectorParts,
  signal: AbortSignal,
  take: (facts: Facts) => void,
): Promise<void> {
  for (;;) {
    await pause(INJECTION_READ_MS, signal);
    if (signal.aborted) return;
    try {
      take(await readFacts(parts));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      parts.log.warn("Injection goes on as before", { reason });
    }
  }
}

async function readFacts(
  { certFile, keyFile, settingsFile, client }: InjectorParts,
): Promise<Facts> {
  const [cert, key, settings, nativeIsKnown] = await Promise.all([
    readText(certFile),
    readText(keyFile),
    readText(settingsFile).then(parseInjectionSettings),
    everyKubeletIsNative(client),
  ]);
  return { certificate: { cert, key }, settings, nativeIsKnown };
}
