/** For tests of `weft proxy` with real sockets and files: a sidecar, an application behind it, requests through it. */
import assert from "node:assert/strict";
import { run } from "../cli/run.ts";
import { type TestEnvironment, testEnvironment } from "../console/testing.ts";

/** A Service `web.app:80` in front of an application on this machine. */
export function manifest(applicationPort: number): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: app}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: web, namespace: app, labels: {kubernetes.io/service-name: web}}
ports: [{name: http, port: ${applicationPort}}]
endpoints: [{addresses: [127.0.0.1]}]
`;
}

/** An application that answers with its name, or when it is told to. */
export function startApplication(name: string, answered: Promise<unknown> = Promise.resolve()) {
  const asked = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
    asked.resolve();
    await answered;
    return new Response(name);
  });
  return { server, port: server.addr.port, asked: asked.promise };
}

/**
 * GET through the proxy; status 0 if the connection was refused or cut. By hand, because node:http of Deno 2.6 does not
 * say when a connection is cut before the answer.
 */
export async function requestThrough(
  port: number,
  host: string,
): Promise<{ status: number; body: string }> {
  let text = "";
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(
      new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`),
    );
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    for (let size; (size = await connection.read(buffer)) !== null;) {
      text += decoder.decode(buffer.subarray(0, size), { stream: true });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) {
      assert.ok(error instanceof Deno.errors.ConnectionReset, String(error));
    }
  }
  const [head, body = ""] = text.split("\r\n\r\n");
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), body };
}

export interface RunningSidecar {
  readonly environment: TestEnvironment;
  readonly code: Promise<number>;
  readonly outbound: number;
  readonly admin: number;
}

/** Starts `weft proxy` on free ports and waits for it to say where it listens. */
export async function startSidecar(argv: string[]): Promise<RunningSidecar> {
  const { environment, code } = start(argv);
  return { environment, code, ...await hasStarted({ environment, code }) };
}

/** Where a proxy listens that starts now, or has started. */
export async function hasStarted(
  { environment, code }: Pick<RunningSidecar, "environment" | "code">,
): Promise<{ outbound: number; admin: number }> {
  const { outbound = "", admin = "" } = await said(/Proxy started/, environment, code);
  return { outbound: portOf(outbound), admin: portOf(admin) };
}

/** Starts `weft proxy` where there is no plan yet, and waits for it to say so. */
export async function startWaiting(argv: string[]): Promise<Omit<RunningSidecar, "outbound">> {
  const { environment, code } = start(argv);
  const { admin = "" } = await said(/Waiting for a plan/, environment, code);
  return { environment, code, admin: portOf(admin) };
}

/** Starts `weft proxy` on free ports where none are given. */
export function start(argv: string[]): Pick<RunningSidecar, "environment" | "code"> {
  const environment = testEnvironment();
  const ports = ["--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const given = ports.filter((_, i) => !argv.includes(ports[i - i % 2]));
  const accept = argv.includes("--accept-timeout") ? [] : ["--accept-timeout", "none"];
  return { environment, code: run(["proxy", ...argv, ...given, ...accept], environment) };
}

/** The first line of the log that says so. */
async function said(
  pattern: RegExp,
  environment: TestEnvironment,
  code: Promise<number>,
): Promise<Readonly<Record<string, string>>> {
  const ended = code.then((code) => {
    throw new Error(`The proxy ended with ${code}: ${environment.stderr.text()}`);
  });
  await Promise.race([environment.stderr.until(pattern), ended]);
  // It ends well later on.
  ended.catch(() => {});
  const line = environment.stderr.text().split("\n").find((line) => pattern.test(line));
  return JSON.parse(line ?? "");
}

function portOf(place: string): number {
  return Number(place.split(":")[1]);
}

/** A test with a folder of its own. */
export function testInFolder(
  name: string,
  test: (folder: string) => Promise<void>,
  ignore = false,
): void {
  Deno.test({
    name,
    ignore,
    // The native driver opens the C library once for the life of the process.
    sanitizeResources: false,
    // What is ended at once leaves timers and servers to the end of the process.
    sanitizeOps: false,
    async fn() {
      const folder = Deno.makeTempDirSync();
      try {
        await test(folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

/** The text of a plan that leads to an application on this port. */
export async function planText(port: number): Promise<string> {
  const environment = testEnvironment({ stdin: manifest(port) });
  assert.equal(await run(["dry-run", "-f", "-", "-o", "plan"], environment), 0);
  return environment.stdout.text();
}
