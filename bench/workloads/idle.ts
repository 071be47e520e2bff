/** Memory: of a proxy that has just started, and of connections that nothing happens on. */
import { BASIC_JOB, type Contender } from "../contenders/contender.ts";
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { Unavailable } from "../process.ts";
import { median, type Row } from "../report.ts";
import type { Running, Session } from "../session.ts";
import type { Workload } from "./workload.ts";

const CONNECTIONS = 10_000;

/** Files that this process and a proxy may have open: the connections and some more. */
const FILES_NEEDED = CONNECTIONS + 1_000;

/** Opened or asked over at once: a burst of more than a backlog would be refused. */
const AT_ONCE = 100;

const JOB = { ...BASIC_JOB, connectionsMax: CONNECTIONS + 1_000 };
const REQUEST = new TextEncoder().encode(`GET /test HTTP/1.1\r\nHost: ${PROXY_AUTHORITY}\r\n\r\n`);
const ANSWER_BYTES_MAX = 4_096;

export const IDLE: Workload = {
  name: "idle",
  title: "Memory, and 10 000 idle connections",
  about:
    "Anonymous memory: behind no file, so heap, stacks and buffers. At start, no request has been served; then what each of " +
    `${CONNECTIONS} connections adds that has sent nothing, and what it holds a moment after one request and its answer. Socket buffers are the ` +
    "kernel's and not counted. nginx, and it alone, sets memory aside at start for all connections that it is allowed.",
  columns: [
    { key: "startMb", title: "anonymous MB at start", digits: 1 },
    { key: "residentMb", title: "resident MB at start", digits: 1 },
    { key: "silentKb", title: "KB/connection, silent", digits: 2 },
    { key: "answeredKb", title: "KB/connection, after a request", digits: 2 },
    { key: "fullMb", title: "anonymous MB with all", digits: 1 },
  ],
  compared: null,
  async measure(session) {
    const limit = openFilesMax();
    if (limit < FILES_NEEDED) {
      throw new Unavailable(`${limit} open files are allowed, not ${FILES_NEEDED}`);
    }
    const rows: Row[] = [];
    for (const contender of session.contenders().keys()) {
      if (contender.isOtherForm || !contender.can(JOB)) continue;
      try {
        rows.push(await measureContender(session, contender));
      } catch (error) {
        session.leaveOut(`${contender.name} in idle`, error);
      }
    }
    return rows;
  },
};

async function measureContender(session: Session, contender: Contender): Promise<Row> {
  const running = await session.start(contender, JOB);
  const connections: Deno.TcpConn[] = [];
  try {
    const start = await settled(running);
    await open(connections, running.setting.port);
    const silent = await settled(running);
    await askOverAll(connections);
    const answered = await settled(running);
    const each = (anonymousKb: number) => (anonymousKb - start.anonymousKb) / connections.length;
    const values = {
      startMb: start.anonymousKb / 1024,
      residentMb: start.residentKb / 1024,
      silentKb: each(silent.anonymousKb),
      answeredKb: each(answered.anonymousKb),
      fullMb: answered.anonymousKb / 1024,
    };
    console.error(`idle, ${contender.name}: ${JSON.stringify(values)}`);
    return { contender: contender.name, variant: "", values };
  } finally {
    for (const connection of connections) connection.close();
    await running.process.stop();
  }
}

/** Memory once the proxy has done what it does after work: the median of some looks, a tenth of a second apart. */
async function settled({ process }: Running) {
  const looks: { anonymousKb: number; residentKb: number }[] = [];
  for (let i = 0; i < 15; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    looks.push(process.memory());
  }
  const last = looks.slice(-5);
  return {
    anonymousKb: median(last.map(({ anonymousKb }) => anonymousKb)),
    residentKb: median(last.map(({ residentKb }) => residentKb)),
  };
}

async function open(connections: Deno.TcpConn[], port: number): Promise<void> {
  while (connections.length < CONNECTIONS) {
    const some = Array.from(
      { length: AT_ONCE },
      () => Deno.connect({ hostname: "127.0.0.1", port }),
    );
    connections.push(...await Promise.all(some));
  }
}

async function askOverAll(connections: readonly Deno.TcpConn[]): Promise<void> {
  for (let first = 0; first < connections.length; first += AT_ONCE) {
    await Promise.all(connections.slice(first, first + AT_ONCE).map(ask));
  }
}

/** One request. Its answer is small and comes in one piece. */
async function ask(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(ANSWER_BYTES_MAX);
  await connection.write(REQUEST);
  const count = await connection.read(buffer);
  const text = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  if (!text.startsWith("HTTP/1.1 200")) throw new Error(`answered ${text.split("\r\n")[0]}`);
}

function openFilesMax(): number {
  const limits = Deno.readTextFileSync("/proc/self/limits");
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
}
