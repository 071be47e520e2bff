/** The stream of a controller and an authority of its own, without a cluster: tokens are known by a table. */
import { createLog } from "../../base/log.ts";
import type { TlsTrust } from "../../base/tls.ts";
import { formatWorkloadId } from "../../base/spiffe.ts";
import { certificatesIn } from "../../controller/identity/certificate.ts";
import { IdentityIssuer } from "../../controller/identity/identity_issuer.ts";
import { newAuthority } from "../../controller/identity/new_authority.ts";
import type { IdentityState } from "../../controller/identity/provider.ts";
import { SigningKey } from "../../controller/identity/signing_key.ts";
import type { MeshCertificates, Proxy } from "../../proxy/config.ts";
import { controllerCounts } from "../../controller/metrics.ts";
import { StreamServer } from "../../controller/stream/server.ts";
import { TokenReviews } from "../../controller/stream/token_reviews.ts";
import { MeshParts } from "../../routing/source/mesh.ts";
import { hashRoots } from "../../routing/source/wire.ts";
import { ControllerSource } from "../../sidecar/controller_source.ts";
import { type Clock, IdentityKeeper } from "../../sidecar/identity.ts";
import { PlanClient } from "../../sidecar/plan_client.ts";
import { certificateOf, testCertificates } from "../tls/certificates.ts";

/** Whose each token is. */
const SUBJECTS: Readonly<Record<string, { account: string; pod?: string }>> = {
  cart: { account: "shop:cart", pod: "cart-1" },
  thief: { account: "shop:thief", pod: "thief-1" },
  loose: { account: "shop:cart" },
  client: { account: "default:client", pod: "client-1" },
  server: { account: "default:server", pod: "server-1" },
};

function review(_method: string, _path: string, { body }: { readonly body?: unknown } = {}) {
  const token = (body as { spec: { token: string } }).spec.token;
  const subject = SUBJECTS[token];
  if (subject === undefined) return Promise.resolve({ status: { authenticated: false } });
  const { account, pod } = subject;
  const extra = pod === undefined ? {} : {
    "authentication.kubernetes.io/pod-name": [pod],
    "authentication.kubernetes.io/pod-uid": [`uid-${pod}`],
  };
  const user = { username: `system:serviceaccount:${account}`, extra };
  return Promise.resolve({ status: { authenticated: true, audiences: ["weft"], user } });
}

/** An authority that signs under `name`. */
export async function newState(name: string): Promise<IdentityState> {
  const { roots, chain, key } = await newAuthority();
  const certificates = certificatesIn(roots, "roots");
  return {
    roots: { hash: hashRoots([roots]), roots: [roots] },
    signer: name,
    provider: await SigningKey.read({ chain, key }, certificates, "the lab's key"),
    problem: "",
    authorities: [],
    expiresAtMs: null,
  };
}

export class IdentityLab {
  readonly counts = controllerCounts();
  readonly identity: IdentityIssuer;
  readonly folder = Deno.makeTempDirSync();
  readonly log: string[] = [];
  #server: StreamServer | null = null;
  readonly #log = createLog({
    level: "debug",
    format: "json",
    sink: (line) => this.log.push(line),
    now: Date.now,
  });
  port = 0;

  constructor() {
    const { counts } = this;
    const log = this.#log;
    this.identity = new IdentityIssuer({ trustDomain: "cluster.local", counts, log });
    for (const name of Object.keys(SUBJECTS)) {
      Deno.writeTextFileSync(`${this.folder}/${name}`, name);
    }
  }

  /** At the port that it has had before. */
  async start(): Promise<void> {
    const { counts, identity, port } = this;
    const { chainFile, keyFile } = certificateOf("/CN=controller", "DNS:localhost");
    this.#server = new StreamServer({
      ...{ address: "127.0.0.1", port, certFile: chainFile, keyFile, counts, log: this.#log },
      mesh: new MeshParts({ version: 2, clusterDomain: "cluster.local", permissive: true }),
      identity,
      tokens: new TokenReviews({ call: review }, counts, () => true),
      events: { came() {}, acknowledged() {}, went() {} },
    });
    this.port = await this.#server.start();
  }

  /** The controller is away, until it is started again. */
  async leave(): Promise<void> {
    await this.#server?.stop();
    this.#server = null;
  }

  /** The address of a controller, as a sidecar with this token has it. */
  source(token: string): ControllerSource {
    const [namespace] = SUBJECTS[token].account.split(":");
    return new ControllerSource({
      ...{ address: "localhost", port: this.port, version: "test", namespace, pod: "" },
      authorityFile: testCertificates().authority.chainFile,
      tokenFile: `${this.folder}/${token}`,
    });
  }

  async stop(): Promise<void> {
    await this.leave();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** A clock that a test sets. */
export class SetClock implements Clock {
  aheadMs = 0;
  readonly now = (): number => Date.now() + this.aheadMs;
  readonly tick = (): number => performance.now() + this.aheadMs;
}

/** A sidecar without a proxy, unless it is given one: it has what that would have in force. */
export class LabSidecar {
  readonly used: MeshCertificates[] = [];
  readonly keeper: IdentityKeeper;
  readonly log: string[] = [];
  readonly #client: PlanClient;

  /** @param account whom it asks to be */
  constructor(
    lab: { source(token: string): ControllerSource },
    token: string,
    { account = `shop/${token}`, clock, proxy }: {
      readonly account?: string;
      readonly clock?: Clock;
      readonly proxy?: Pick<Proxy, "replaceCertificates">;
    } = {},
  ) {
    const source = lab.source(token);
    const log = createLog({
      level: "debug",
      format: "json",
      sink: (line) => this.log.push(line),
      now: Date.now,
    });
    this.keeper = new IdentityKeeper({
      uri: formatWorkloadId({ trustDomain: "cluster.local", identity: account }),
      send: (request) => source.requestIdentity(request),
      proxy: {
        replaceCertificates: async (tls) => {
          await proxy?.replaceCertificates(tls);
          if (tls.mesh !== undefined) this.used.push(tls.mesh);
        },
      },
      log,
      ...(clock === undefined ? {} : { clock }),
    });
    source.giveIdentity(this.keeper);
    this.keeper.start();
    this.#client = new PlanClient({
      source,
      proxy: {
        update: () => null,
        sourceIsAway: () => Promise.resolve(),
        unusedQuestions: () => Promise.resolve([]),
      },
      always: [],
      log,
      onChange() {},
    });
    this.#client.start();
  }

  get chain(): string {
    return this.used.at(-1)?.certificate.chainPem ?? "";
  }

  get trust(): TlsTrust {
    return this.used.at(-1)?.authority ?? { pem: "" };
  }

  async stop(): Promise<void> {
    this.#client.stop();
    await this.keeper.stop();
  }
}
