/**
 * ControllerSource: a source of plans over TLS, in lines of JSON: who asks, what is asked, which plan is in force; and from the controller
 * what there is to be told. Token and authority are read at each connection, because both are replaced now and then.
 */
import { withDeadline } from "../base/deadline.ts";
import { chunksOf, readLines, SilenceWatch, writeLine } from "../base/lines.ts";
import { causeText } from "../base/text.ts";
import type { HostPort } from "../console/values.ts";
import { UPDATE_TEXT_MAX } from "../routing/limits.ts";
import type {
  PlanSource,
  SourceConnection,
  SourceListener,
  SourceRequest,
} from "../routing/source/messages.ts";
import { decodeUpdate } from "../routing/source/wire.ts";
import {
  CONTROLLER_ALIVE_MS,
  CONTROLLER_CONNECT_MS,
  CONTROLLER_LINES_MAX,
  CONTROLLER_SILENCE_MS,
} from "./limits.ts";

/** Where the controller is, and who asks it. */
export interface ControllerPlace extends HostPort {
  /** Certificates of the authority that vouches for it (PEM). */
  readonly authorityFile: string;
  readonly tokenFile: string;
  readonly namespace: string;
  /** Empty: the token says so. */
  readonly pod: string;
  /** Of this program. */
  readonly version: string;
}

export class ControllerSource implements PlanSource {
  readonly #place: ControllerPlace;
  /** Of this run of the proxy. */
  readonly #bootId = crypto.randomUUID();
  #latest: ControllerConnection | null = null;

  constructor(place: ControllerPlace) {
    this.#place = place;
  }

  connect(listener: SourceListener): SourceConnection {
    return this.#latest = new ControllerConnection(this.#place, this.#bootId, listener);
  }

  /** The plan with this hash is in force. */
  acknowledge(hash: string): void {
    this.#latest?.write(JSON.stringify({ ack: hash }));
  }
}

class ControllerConnection implements SourceConnection {
  readonly #place: ControllerPlace;
  readonly #listener: SourceListener;
  #connection: Deno.TlsConn | null = null;
  /** Lines that wait. */
  readonly #lines: string[] = [];
  #isWriting = false;
  #isOver = false;

  constructor(place: ControllerPlace, bootId: string, listener: SourceListener) {
    this.#place = place;
    this.#listener = listener;
    this.#run(bootId);
  }

  send(request: SourceRequest): void {
    this.write(JSON.stringify(request));
  }

  write(line: string): void {
    if (this.#isOver) return;
    if (this.#lines.length >= CONTROLLER_LINES_MAX) {
      return this.#lose("the controller does not take what is asked");
    }
    this.#lines.push(line);
    this.#writeAll();
  }

  close(): void {
    this.#isOver = true;
    try {
      this.#connection?.close();
    } catch {
      // It has been closed from the other side.
    }
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.close();
    this.#listener.lost(reason);
  }

  async #run(bootId: string): Promise<void> {
    try {
      const { namespace, pod, version } = this.#place;
      const [authority, token] = await Promise.all([
        readCredential(this.#place.authorityFile),
        readCredential(this.#place.tokenFile),
      ]);
      const connection = await this.#connect(authority);
      if (this.#isOver) return connection.close();
      this.#connection = connection;
      const hello = { token: token.trim(), pod, namespace, bootId, version };
      this.#lines.unshift(JSON.stringify(hello));
      this.#writeAll();
      await this.#listen(connection);
      this.#lose("the controller ended the connection");
    } catch (error) {
      this.#lose(causeText(error));
    }
  }

  async #connect(authority: string): Promise<Deno.TlsConn> {
    let isLate = false;
    const connecting = this.#connectSecurely(authority).then((connection) => {
      if (isLate) connection.close();
      return connection;
    });
    return await withDeadline(connecting, CONTROLLER_CONNECT_MS, () => {
      isLate = true;
      connecting.catch(() => {});
      throw new Error(`no connection to the controller within ${CONTROLLER_CONNECT_MS} ms`);
    });
  }

  /** With the handshake. */
  async #connectSecurely(authority: string): Promise<Deno.TlsConn> {
    const { address: hostname, port } = this.#place;
    const plain = await Deno.connect({ hostname, port });
    // A question must not wait until the controller's system has confirmed the line before it, which takes it up to 40 ms.
    plain.setNoDelay(true);
    const connection = await Deno.startTls(plain, { hostname, caCerts: [authority] });
    try {
      await connection.handshake();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async #listen(connection: Deno.TlsConn): Promise<void> {
    const silence = new SilenceWatch(
      CONTROLLER_SILENCE_MS,
      () => this.#lose("the controller is silent"),
    );
    const alive = setInterval(
      () => this.#lines.length === 0 && this.write(""),
      CONTROLLER_ALIVE_MS,
    );
    try {
      for await (const line of readLines(chunksOf(connection), () => UPDATE_TEXT_MAX)) {
        silence.heard();
        if (line === "") continue;
        const decoded = decodeUpdate(line);
        if (!decoded.ok) return this.#lose(`the controller is not understood: ${decoded.problem}`);
        if (this.#isOver) return;
        this.#listener.update(decoded.message);
      }
    } finally {
      silence.stop();
      clearInterval(alive);
    }
  }

  async #writeAll(): Promise<void> {
    const connection = this.#connection;
    if (connection === null || this.#isWriting) return;
    this.#isWriting = true;
    try {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        await writeLine(connection, line);
      }
    } catch (error) {
      this.#lose(causeText(error));
    } finally {
      this.#isWriting = false;
    }
  }
}

async function readCredential(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new Error(`cannot read "${path}": ${causeText(error)}`);
  }
}
