/**
 * A real API server for tests: etcd and kube-apiserver on free ports of loopback, without controllers and nodes, so what tests make is all that
 * there is. `KUBEBUILDER_ASSETS` names the folder of the programs, as for other projects.
 */
import assert from "node:assert/strict";
import { KubeClient } from "../../controller/kube/client.ts";
import { kubeconfigAccess } from "../../controller/kube/kubeconfig.ts";
import { runCommand } from "../support/commands.ts";
import { until } from "../support/until.ts";
import { certificateOf, HAS_OPENSSL_COMMAND, testCertificates } from "../tls/certificates.ts";
import { freePort } from "../support/free_port.ts";

const FOLDER = Deno.env.get("KUBEBUILDER_ASSETS") ?? "/usr/local/kubebuilder/bin";

/** False: tests that need it are passed over, and say so. */
export const HAS_API_SERVER = HAS_OPENSSL_COMMAND &&
  ["etcd", "kube-apiserver", "kubectl"].every(isProgram);
if (!HAS_API_SERVER) {
  console.warn(
    "Tests on a real API server are passed over: KUBEBUILDER_ASSETS names no folder with etcd, kube-apiserver and kubectl",
  );
}

function isProgram(name: string): boolean {
  try {
    return Deno.statSync(`${FOLDER}/${name}`).isFile;
  } catch {
    return false;
  }
}

/** Of applications in a network that a test has for itself (RFC 5737). */
export const LAB_ADDRESS = "192.0.2.1";

export class TestApiServer {
  readonly folder: string;
  readonly url: string;
  readonly kubeconfig: string;
  readonly #etcdPorts = [freePort(), freePort()];
  readonly #port = freePort();
  #etcd: Deno.ChildProcess | null = null;
  #server: Deno.ChildProcess | null = null;
  #controllers: Deno.ChildProcess | null = null;

  private constructor() {
    this.folder = Deno.makeTempDirSync({ prefix: "weft-api-" });
    this.url = `https://127.0.0.1:${this.#port}`;
    this.kubeconfig = `${this.folder}/kubeconfig`;
    const admin = certificateOf("/O=system:masters/CN=admin");
    const config = {
      clusters: [{
        name: "test",
        cluster: {
          server: this.url,
          "certificate-authority": testCertificates().authority.chainFile,
        },
      }],
      users: [{
        name: "admin",
        user: { "client-certificate": admin.chainFile, "client-key": admin.keyFile },
      }],
      contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
      "current-context": "test",
    };
    Deno.writeTextFileSync(this.kubeconfig, JSON.stringify(config));
  }

  static async start(): Promise<TestApiServer> {
    const server = new TestApiServer();
    server.resumeStore();
    try {
      await server.resume();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /**
   * Runs some of the cluster's own controllers, by their names in kube-controller-manager. The namespace controller is what lets a
   * namespace go.
   */
  startControllers(names: readonly string[]): void {
    this.#controllers = this.#spawn("kube-controller-manager", [
      ...["--kubeconfig", this.kubeconfig, "--leader-elect=false", "--secure-port=0"],
      ...["--controllers", names.join(",")],
    ]);
  }

  /** As its administrator. */
  client(): KubeClient {
    return new KubeClient(kubeconfigAccess({ files: [this.kubeconfig] }));
  }

  /** Waits until custom resources of these kinds (`PLURAL.GROUP`) can be written. */
  async established(...kinds: readonly string[]): Promise<void> {
    const wait = ["wait", "--for", "condition=Established", "--timeout", "20s"];
    await this.kubectl([...wait, ...kinds.map((kind) => `crd/${kind}`)]);
  }

  /** With the definition of TrafficSplits. */
  async takesSplits(): Promise<void> {
    await this.apply(Deno.readTextFileSync("schemas/crds/trafficsplits.yaml"));
    await this.established("trafficsplits.split.smi-spec.io");
  }

  /** Ends etcd at once; what it has written is on disk. */
  async killStore(): Promise<void> {
    await end(this.#etcd);
    this.#etcd = null;
  }

  resumeStore(): void {
    const [client, peer] = this.#etcdPorts.map((port) => `http://127.0.0.1:${port}`);
    this.#etcd = this.#spawn("etcd", [
      ...["--data-dir", `${this.folder}/etcd`, "--unsafe-no-fsync", "--log-level", "error"],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", `default=${peer}`],
    ]);
  }

  /** The API server hears nothing and says nothing, and its connections stay. */
  freeze(): void {
    this.#server?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#server?.kill("SIGCONT");
  }

  /** Ends the API server at once; what is stored stays. */
  async kill(): Promise<void> {
    await end(this.#server);
    this.#server = null;
  }

  /** Starts the API server, on the port that it has had before. */
  async resume(): Promise<void> {
    const { authority } = testCertificates();
    const own = certificateOf("/CN=kube-apiserver", "DNS:localhost,IP:127.0.0.1");
    this.#server = this.#spawn("kube-apiserver", [
      `--etcd-servers=http://127.0.0.1:${this.#etcdPorts[0]}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      "--endpoint-reconciler-type=none",
      `--secure-port=${this.#port}`,
      "--service-cluster-ip-range=10.96.0.0/16",
      "--authorization-mode=RBAC",
      // Accounts and tokens of pods are made by controllers, of which there are none.
      "--disable-admission-plugins=ServiceAccount",
      `--client-ca-file=${authority.chainFile}`,
      `--tls-cert-file=${own.chainFile}`,
      `--tls-private-key-file=${own.keyFile}`,
      `--service-account-key-file=${authority.chainFile}`,
      `--service-account-signing-key-file=${authority.keyFile}`,
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      `--cert-dir=${this.folder}/certificates`,
    ]);
    const isReady = async () => {
      const { stdout } = await this.#run(["get", "--raw", "/readyz"]);
      return stdout === "ok";
    };
    await until("the API server is ready", isReady, (ready) => ready);
  }

  /** Runs kubectl; fails where that does. */
  async kubectl(args: readonly string[], input = ""): Promise<string> {
    const { code, stdout, stderr } = await this.#run(args, input);
    assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** What kubectl prints, however it ends: `auth can-i` fails where the answer is no. */
  async answer(args: readonly string[]): Promise<string> {
    return (await this.#run(args)).stdout.trim();
  }

  async apply(manifests: string): Promise<void> {
    await this.kubectl(["apply", "-f", "-"], manifests);
  }

  /** What kubectl prints beside its answer when it creates an object. */
  async kubectlWarnings(object: unknown): Promise<string> {
    const { code, stderr } = await this.#run(["create", "-f", "-"], JSON.stringify(object));
    assert.equal(code, 0, stderr);
    return stderr;
  }

  async stop(): Promise<void> {
    await end(this.#controllers);
    await this.kill();
    await end(this.#etcd);
    Deno.removeSync(this.folder, { recursive: true });
  }

  #run(args: readonly string[], input = "") {
    const flags = ["--kubeconfig", this.kubeconfig, "--request-timeout", "20s"];
    return runCommand(`${FOLDER}/kubectl`, [...flags, ...args], input);
  }

  #spawn(name: string, args: readonly string[]): Deno.ChildProcess {
    const log = `${this.folder}/${name}.log`;
    return new Deno.Command("sh", {
      args: ["-c", `exec "$0" "$@" >>${log} 2>&1`, `${FOLDER}/${name}`, ...args],
      stdin: "null",
    }).spawn();
  }
}

async function end(child: Deno.ChildProcess | null): Promise<void> {
  try {
    child?.kill("SIGKILL");
  } catch {
    // It has ended by itself.
  }
  await child?.status;
}
