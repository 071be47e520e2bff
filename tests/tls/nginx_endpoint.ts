/** nginx as an endpoint that speaks TLS and wants its clients' certificates. */
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";
import type { TestCertificates } from "./certificates.ts";

export class NginxEndpoint {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: Deno.ChildProcess, folder: string) {
    this.port = port;
    this.#child = child;
    this.#folder = folder;
  }

  static async start({ server, authority }: TestCertificates): Promise<NginxEndpoint> {
    const folder = Deno.makeTempDirSync({ prefix: "weft-nginx-" });
    const port = freePort();
    // Or a new worker would not know the sessions of the old one.
    Deno.writeFileSync(`${folder}/ticket.key`, crypto.getRandomValues(new Uint8Array(80)));
    Deno.writeTextFileSync(
      `${folder}/nginx.conf`,
      `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log info;
events { worker_connections 256; }
http {
  log_format counted "$status $request";
  access_log ${folder}/access.log counted;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  ssl_session_ticket_key ${folder}/ticket.key;
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate ${server.chainFile};
    ssl_certificate_key ${server.keyFile};
    ssl_client_certificate ${authority.chainFile};
    ssl_verify_client on;
    ssl_verify_depth 3;
    location / { return 200 "verified $ssl_client_verify of $ssl_client_s_dn over $server_protocol\\n"; }
  }
}
`,
    );
    const child = new Deno.Command("nginx", {
      args: ["-p", folder, "-c", `${folder}/nginx.conf`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const endpoint = new NginxEndpoint(port, child, folder);
    await until("nginx listens", () => endpoint.#isListening(), (isListening) => isListening);
    return endpoint;
  }

  /** Requests that it answered by its location; not those that it refused for their certificate. */
  requestCount(): number {
    const text = Deno.readTextFileSync(`${this.#folder}/access.log`);
    return text.split("\n").filter((line) => line.startsWith("200 ")).length;
  }

  /** Closes all connections and goes on listening; sessions are remembered. */
  async dropConnections(): Promise<void> {
    const before = await this.#workerPid();
    this.#child.kill("SIGHUP");
    await until("a new worker", () => this.#workerPid(), (pid) => pid !== before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    Deno.removeSync(this.#folder, { recursive: true });
  }

  async #workerPid(): Promise<string> {
    const { pid } = this.#child;
    const text = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
    return text.trim();
  }

  async #isListening(): Promise<boolean> {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
      return true;
    } catch {
      return false;
    }
  }
}
