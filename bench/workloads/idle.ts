/** Memory: of a proxy that has just started, and of connections that nothing happens on. */
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { MESH_ALPN } from "../../proxy/protocol/tls/mesh.ts";
import { BASIC_JOB, type Contender, type Job, type Setting } from "../contenders/contender.ts";
import { beside, compileC, runToEnd } from "../contenders/files.ts";
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { requireInstalled, settledMemory, Unavailable } from "../process.ts";
import type { Row } from "../report.ts";
import type { Session } from "../session.ts";
import type { BenchWorkload } from "./workload.ts";

const CONNECTIONS = 10_000;
/** Fewer: each is a handshake. With fewer still, what a proxy takes once for the first of them would show. */
const TLS_CONNECTIONS = 8_000;

/** What this process and a proxy may have open besides the connections. */
const OTHER_FILES = 1_000;

/** Opened or asked over at once: a burst of more than a backlog would be refused. */
const AT_ONCE = 100;

/** How connections are made, and how many. */
interface Idling {
  readonly job: Job;
  /** Empty where a workload has but one way. */
  readonly variant: string;
  readonly connections: number;
  readonly connect: (setting: Setting) => Promise<Connection>;
}

interface Connection {
  /** Sends text and gives what comes next. */
  exchange(text: string): Promise<string>;
  close(): void;
}

const WARM_UP_REQUESTS = 20_000;
const REQUEST = `GET /test HTTP/1.1\r\nHost: ${PROXY_AUTHORITY}\r\n\r\n`;
const ANSWER_BYTES_MAX = 4_096;

const COLUMNS = [
  { key: "startMb", title: "anonymous MB at start", digits: 1 },
  { key: "residentMb", title: "resident MB at start", digits: 1 },
  { key: "warmMb", title: "anonymous MB after requests", digits: 1 },
  { key: "silentKb", title: "KB/connection, silent", digits: 2 },
  { key: "answeredKb", title: "KB/connection, after a request", digits: 2 },
  { key: "fullMb", title: "anonymous MB with all", digits: 1 },
];

export const IDLE_WORKLOADS: BenchWorkload = {
  name: "idle",
  title: "Memory, and 10 000 idle connections",
  about:
    "Anonymous memory: behind no file, so heap, stacks and buffers. At start, no request has been served; then after " +
    `${WARM_UP_REQUESTS} requests; then what each of ${CONNECTIONS} connections adds that has sent nothing, and what it holds a moment after one ` +
    "request and its answer. Socket buffers are the kernel's and not counted. nginx, and it alone, sets memory aside at start for all connections that it is allowed.",
  columns: COLUMNS,
  compared: null,
  measure: (session) =>
    measureAll(session, {
      job: { ...BASIC_JOB, connectionsMax: CONNECTIONS + OTHER_FILES },
      variant: "",
      connections: CONNECTIONS,
      connect: connectPlain,
    }),
};

export const TLS_IDLE: BenchWorkload = {
  name: "tls-idle",
  title: "Memory of 8 000 idle connections under TLS 1.3",
  about:
    'As above, after a handshake; "mutual": to the second of two sidecars, with a certificate of the client (MB are of both). Weft, nginx and HAProxy all have it of the machine\'s OpenSSL. "OpenSSL alone" is what it ' +
    'holds by its own count of one connection that has been through a handshake and a message each way, without any proxy; "mutual" with ' +
    "the client's certificate, which it keeps.",
  columns: COLUMNS,
  compared: null,
  async measure(session) {
    const connections = TLS_CONNECTIONS;
    const job = { ...BASIC_JOB, connectionsMax: connections + OTHER_FILES };
    const rows = [
      ...await measureAll(session, {
        job: { ...job, clients: "tls" },
        variant: "one-way",
        connections,
        connect: ({ port }) => connectSecure({ port }),
      }),
      ...await measureAll(session, {
        job: { ...job, isPair: true },
        variant: "mutual",
        connections,
        connect: ({ peerPort, certificate: { chain, key } }) =>
          connectSecure({
            port: peerPort,
            cert: Deno.readTextFileSync(chain),
            key: Deno.readTextFileSync(key),
            ALPNProtocols: [MESH_ALPN["http/1.1"]],
          }),
      }),
    ];
    try {
      rows.push(...opensslAlone(session));
    } catch (error) {
      session.leaveOut("OpenSSL alone", error);
    }
    return rows;
  },
};

async function measureAll(session: Session, idling: Idling): Promise<Row[]> {
  const limit = openFilesMax();
  const needed = idling.connections + OTHER_FILES;
  if (limit < needed) throw new Unavailable(`${limit} open files are allowed, not ${needed}`);
  const rows: Row[] = [];
  for (const contender of session.contenders().keys()) {
    if (contender.isOtherForm || !contender.can(idling.job)) continue;
    try {
      rows.push(await measureContender(session, contender, idling));
    } catch (error) {
      session.leaveOut(`${contender.name} with idle connections`, error);
    }
  }
  return rows;
}

async function measureContender(
  session: Session,
  contender: Contender,
  idling: Idling,
): Promise<Row> {
  const running = await session.start(contender, idling.job);
  const connections: Connection[] = [];
  try {
    const start = await settledMemory(running.process);
    await warmUp(running.setting, idling);
    const warm = await settledMemory(running.process);
    while (connections.length < idling.connections) {
      connections.push(...await connectSome(running.setting, idling));
    }
    const silent = await settledMemory(running.process);
    await askOverAll(connections);
    const answered = await settledMemory(running.process);
    const each = (anonymousKb: number) => (anonymousKb - warm.anonymousKb) / connections.length;
    const values = {
      startMb: start.anonymousKb / 1024,
      residentMb: start.residentKb / 1024,
      warmMb: warm.anonymousKb / 1024,
      silentKb: each(silent.anonymousKb),
      answeredKb: each(answered.anonymousKb),
      fullMb: answered.anonymousKb / 1024,
    };
    console.error(`idle, ${contender.name} ${idling.variant}: ${JSON.stringify(values)}`);
    return { contender: contender.name, variant: idling.variant, values };
  } finally {
    for (const connection of connections) connection.close();
    await running.process.stop();
  }
}

function connectSome(setting: Setting, { connect }: Idling): Promise<Connection[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, () => connect(setting)));
}

/** Or the first requests, for which a proxy compiles and its heap grows once, would count as what connections hold. */
async function warmUp(setting: Setting, idling: Idling): Promise<void> {
  const connections = await connectSome(setting, idling);
  try {
    for (let i = 0; i < WARM_UP_REQUESTS / AT_ONCE; i++) await askOverAll(connections);
  } finally {
    for (const connection of connections) connection.close();
  }
}

async function askOverAll(connections: readonly Connection[]): Promise<void> {
  for (let first = 0; first < connections.length; first += AT_ONCE) {
    await Promise.all(connections.slice(first, first + AT_ONCE).map(ask));
  }
}

/** One request. Its answer is small and comes in one piece. */
async function ask(connection: Connection): Promise<void> {
  const text = await connection.exchange(REQUEST);
  if (!text.startsWith("HTTP/1.1 200")) throw new Error(`answered ${text.split("\r\n")[0]}`);
}

async function connectPlain({ port }: Setting): Promise<Connection> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  return {
    async exchange(text) {
      const buffer = new Uint8Array(ANSWER_BYTES_MAX);
      await connection.write(new TextEncoder().encode(text));
      const count = await connection.read(buffer);
      return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
    },
    close: () => connection.close(),
  };
}

function connectSecure(to: ConnectionOptions): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ ...to, host: "127.0.0.1", rejectUnauthorized: false });
    socket.once("error", reject);
    socket.once("secureConnect", () =>
      resolve({
        exchange: (text) =>
          new Promise((answered) => {
            socket.once("data", (bytes) => answered(new TextDecoder().decode(bytes)));
            socket.write(text);
          }),
        close: () => socket.destroy(),
      }));
  });
}

/** What OpenSSL counts of itself, by `openssl_memory.c`. Throws where it cannot be compiled. */
function opensslAlone(session: Session): Row[] {
  requireInstalled("gcc");
  const source = beside(import.meta.url, "../load/openssl_memory.c");
  let program: string;
  try {
    program = compileC(source, session.folder, ["-lssl", "-lcrypto"]);
  } catch (error) {
    throw new Unavailable(`does not compile; are OpenSSL's headers there? ${error}`);
  }
  const { chain, key } = session.certificate;
  return ["one-way", "mutual"].map((variant) => {
    const output = runToEnd([program, chain, key, variant]);
    console.error(`OpenSSL alone, ${variant}:\n${output}`);
    const bytes = Number(/^(\d+) bytes /.exec(output)?.[1]);
    return { contender: "OpenSSL alone", variant, values: { silentKb: bytes / 1024 } };
  });
}

function openFilesMax(): number {
  const limits = Deno.readTextFileSync("/proc/self/limits");
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
}
