/**
 * The guard of CI: counts the system calls a request of short fixed loads, through an executable that strace follows. They repeat where times
 * do not, so 3 % more than is written down here is a change of Weft. It says what is to be done; it measures no time.
 *
 *   deno run -A bench/guard/system_calls.ts [EXECUTABLE]     ends with 1 where a load takes more
 */
import { BASIC_JOB } from "../contenders/contender.ts";
import { meshManifests, PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { acceptsConnections } from "../process.ts";
import { freePort } from "../../tests/support/free_port.ts";

/** What is counted. */
const CALLS = [
  ...["epoll_wait", "epoll_ctl", "recvfrom", "recvmsg", "sendto", "sendmsg", "splice", "pipe2"],
  ...["accept4", "socket", "connect", "setsockopt", "getsockopt", "shutdown", "close", "ioctl"],
];

/** More than that is a failure, and less is to be written down. */
const TOLERANCE = 0.03;

/** A load is counted so often, and the fewest calls count: what disturbs only ever adds to them. */
const ROUNDS = 3;

const WARM_UP = 20;

/** It fits the window that a connection begins with, so that all of it is there before the proxy reads. */
const BODY_BYTES = 49_152;
const BODY = "x".repeat(BODY_BYTES);

interface FixedLoad {
  readonly name: string;
  readonly requests: number;
  /** System calls a request, as they were when this was last changed. */
  readonly expected: number;
  /** How many events come at once is a matter of chance here, so that waits for them are not counted. */
  readonly isErratic?: boolean;
  run(proxy: Proxy, requests: number): Promise<void>;
}

const GET = `GET /test HTTP/1.1\r\nHost: ${PROXY_AUTHORITY}\r\n\r\n`;
const GET_LARGE = GET.replace("/test", "/test/large");
const POST =
  `POST /test HTTP/1.1\r\nHost: ${PROXY_AUTHORITY}\r\nContent-Length: ${BODY_BYTES}\r\n\r\n${BODY}`;

/** One request after the other over one connection. */
function onOneConnection(text: string, isStopped = false): FixedLoad["run"] {
  return async (proxy, requests) => {
    using client = await Client.open(proxy.port);
    for (let i = 0; i < requests; i++) await client.request(text, isStopped ? proxy : null);
  };
}

const LOADS: readonly FixedLoad[] = [
  {
    name: "GET over a kept connection",
    requests: 1_000,
    expected: 6,
    run: onOneConnection(GET),
  },
  {
    name: "GET over a new connection",
    requests: 200,
    expected: 8,
    isErratic: true,
    async run(proxy, requests) {
      for (let i = 0; i < requests; i++) {
        using client = await Client.open(proxy.port);
        await client.request(GET);
      }
    },
  },
  {
    name: "request of 48 KiB",
    requests: 50,
    expected: 9.1,
    run: onOneConnection(POST, true),
  },
  {
    name: "answer of 48 KiB",
    requests: 50,
    expected: 9.1,
    run: onOneConnection(GET_LARGE),
  },
];

/** A connection that asks for one thing after the other. */
class Client implements Disposable {
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<Client> {
    return new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** @param stopped stands still until all of the request is there */
  async request(text: string, stopped: Proxy | null = null): Promise<void> {
    stopped?.stop();
    await writeAll(this.#connection, text);
    stopped?.goOn();
    await readMessage(this.#connection);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

async function writeAll(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

const BUFFER = new Uint8Array(65_536);

/** Reads one message with its body, of a length or none: its first line, or null at the end of the connection. */
async function readMessage(connection: Deno.TcpConn): Promise<string | null> {
  let text = "";
  for (let missing = 1; missing > 0;) {
    const count = await connection.read(BUFFER);
    if (count === null) return null;
    text += new TextDecoder().decode(BUFFER.subarray(0, count));
    const head = text.indexOf("\r\n\r\n");
    if (head < 0) continue;
    const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
    missing = head + 4 + length - text.length;
  }
  const [line] = text.split("\r\n");
  if (line.startsWith("HTTP/") && !line.includes(" 200 ")) throw new Error(`Answered: ${line}`);
  return line;
}

/** An origin that answers at once, with much where it is asked for that. */
function startOrigin(proxy: () => Proxy | null): Deno.TcpListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answer = (body: string) =>
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const serve = async (connection: Deno.TcpConn) => {
    connection.setNoDelay(true);
    for (;;) {
      const line = await readMessage(connection);
      if (line === null) return connection.close();
      const isLarge = line.includes("/large");
      if (isLarge) proxy()?.stop();
      await writeAll(connection, answer(isLarge ? BODY : "Hi, I am v1!\n"));
      if (isLarge) proxy()?.goOn();
    }
  };
  (async () => {
    for await (const connection of listener) serve(connection).catch(() => connection.close());
  })();
  return listener;
}

class Proxy {
  readonly port: number;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Its loops have threads of their own: nothing that only passes the time is among their calls. */
  static async start(executable: string, folder: string, origin: number): Promise<Proxy> {
    const manifests = `${folder}/mesh.yaml`;
    Deno.writeTextFileSync(manifests, meshManifests([origin, origin], BASIC_JOB));
    const port = freePort();
    const args = ["proxy", "-f", manifests, "--outbound", `127.0.0.1:${port}`, "--admin", "off"];
    args.push("--driver", "native", "--workers", "2", "--accept-timeout", "none");
    const streams = { stdin: "null", stdout: "null", stderr: "inherit" } as const;
    const child = new Deno.Command(executable, { args, ...streams }).spawn();
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    while (!hasEnded && !await acceptsConnections(port)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (hasEnded) throw new Error(`${executable} proxy has ended`);
    return new Proxy(child, port);
  }

  get pid(): number {
    return this.#child.pid;
  }

  stop(): void {
    this.#child.kill("SIGSTOP");
  }

  goOn(): void {
    this.#child.kill("SIGCONT");
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** How often each call was made by event loops while `load` ran. */
async function count(
  pid: number,
  folder: string,
  load: () => Promise<void>,
): Promise<Map<string, number>> {
  const trace = `${folder}/strace`;
  const filter = ["-e", `trace=${CALLS.join(",")}`, "-e", "signal=none", "-s", "0"];
  const args = ["-f", ...filter, "-o", trace, "-p", String(pid)];
  const strace = new Deno.Command("strace", { args, stderr: "piped" }).spawn();
  await attached(strace);
  await load();
  strace.kill("SIGINT");
  await strace.status;
  return callsOfLoops(Deno.readTextFileSync(trace));
}

/** Of all threads those that send: what others do is a matter of time. */
function callsOfLoops(trace: string): Map<string, number> {
  const threads = new Map<string, string[]>();
  for (const line of trace.split("\n")) {
    // A call that another thread interrupts has a second line, which begins otherwise.
    const [, thread, call] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (call !== undefined) {
      (threads.get(thread) ?? threads.set(thread, []).get(thread))?.push(call);
    }
  }
  const counts = new Map<string, number>();
  for (const calls of threads.values()) {
    if (!calls.includes("sendto")) continue;
    for (const call of calls) counts.set(call, (counts.get(call) ?? 0) + 1);
  }
  return counts;
}

/** Waits until strace says that it follows the process. */
async function attached(strace: Deno.ChildProcess): Promise<void> {
  const reader = strace.stderr.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes("attached");) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`strace cannot follow a process here: ${text.trim()}`);
    text += value;
  }
  // What else it says is of no interest, but must not fill its pipe.
  (async () => {
    while (!(await reader.read()).done);
  })();
}

/** Runs a load some times and says what it found: whether it takes more than before. */
async function isMore(load: FixedLoad, proxy: Proxy, folder: string): Promise<boolean> {
  const { name, requests, expected, isErratic = false } = load;
  // The first requests open connections to the origin, which the others use.
  await load.run(proxy, WARM_UP);
  let fewest = Infinity;
  let calls = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const counts = await count(proxy.pid, folder, () => load.run(proxy, requests));
    if (isErratic) counts.delete("epoll_wait");
    const sum = [...counts.values()].reduce((sum, one) => sum + one, 0) / requests;
    if (sum < fewest) [fewest, calls] = [sum, counts];
  }
  const share = fewest / expected - 1;
  const verdict = share > TOLERANCE
    ? "MORE"
    : share < -TOLERANCE
    ? "fewer: write that down in bench/guard/system_calls.ts"
    : "as before";
  const parts = [...calls].map(([call, count]) => `${call} ${(count / requests).toFixed(2)}`);
  console.log(`${name}: ${fewest.toFixed(2)} system calls, ${expected} before: ${verdict}`);
  console.log(`  ${parts.join(", ")}`);
  return share > TOLERANCE;
}

async function main([executable = "dist/weft"]: string[]): Promise<number> {
  const folder = Deno.makeTempDirSync({ prefix: "weft-guard-" });
  let proxy: Proxy | null = null;
  const origin = startOrigin(() => proxy);
  try {
    proxy = await Proxy.start(executable, folder, origin.addr.port);
    let failures = 0;
    for (const load of LOADS) if (await isMore(load, proxy, folder)) failures++;
    return failures > 0 ? 1 : 0;
  } finally {
    await proxy?.end();
    origin.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
