/** Relayed TCP: endpoints that send back what they get until the client ends, and clients that check it. */
import type { Random } from "../../base/random.ts";
import { bodyOf, TUNNEL_OUT, wrongByte } from "../simulation/exchange.ts";
import { MortalServer, writeAll } from "./mortal_server.ts";
import { EXCHANGE_MS_MAX, type Tally } from "./tally.ts";

export class EchoOrigin extends MortalServer {
  protected override async serve(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(16 * 1024);
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) return;
      await writeAll(connection, buffer.subarray(0, count));
    }
  }
}

let lastToken = 0;

/** One connection after another, each with some bytes there and back, a half-close, and the rest. */
export async function runTcpClient(
  client: { readonly port: number; pause(): Promise<void>; isOver(): boolean },
  random: Random,
  tally: Tally,
): Promise<void> {
  while (!client.isOver()) {
    const token = ++lastToken;
    const length = random.below(random.below(10) === 0 ? 400_000 : 20_000);
    const connection = await dial(client.port, tally);
    if (connection === null) continue;
    const timer = setTimeout(() => {
      tally.wrong.push(`no end of connection ${token}`);
      connection.close();
    }, EXCHANGE_MS_MAX);
    const received = await converse(connection, token, length, random, tally);
    clearTimeout(timer);
    if (received === length) tally.answered++;
    else if (received < 0) tally.abandoned++;
    else tally.cut++;
    try {
      connection.close();
    } catch {
      // Closed as late.
    }
    await client.pause();
  }
}

/** Null: no endpoint could be reached, and the proxy cut the connection before it was even told of. */
async function dial(port: number, tally: Tally): Promise<Deno.TcpConn | null> {
  try {
    return await Deno.connect({ hostname: "127.0.0.1", port });
  } catch (error) {
    const { ConnectionReset, NotConnected } = Deno.errors;
    if (!(error instanceof ConnectionReset || error instanceof NotConnected)) throw error;
    tally.cut++;
    return null;
  }
}

/** The bytes that came back; -1: given up on purpose. */
async function converse(
  connection: Deno.TcpConn,
  token: number,
  length: number,
  random: Random,
  tally: Tally,
): Promise<number> {
  let received = 0;
  try {
    const sending = writeAll(connection, bodyOf(token, TUNNEL_OUT, length)).then(() =>
      connection.closeWrite()
    ).catch(() => {
      // Reading finds out too.
    });
    if (random.below(100) === 0) return -1;
    const buffer = new Uint8Array(16 * 1024);
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      const wrong = wrongByte(token, TUNNEL_OUT, received, buffer.subarray(0, count));
      if (wrong >= 0) tally.wrong.push(`byte ${wrong} of connection ${token}`);
      received += count;
      tally.bytes += count;
    }
    await sending;
    if (received > length) tally.wrong.push(`${received - length} bytes too many`);
  } catch {
    // Cut.
  }
  return received;
}
