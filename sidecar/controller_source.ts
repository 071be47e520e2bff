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
  IdentityRequest,
  IdentityUpdate,
  PlanSource,
  SourceConnection,
  SourceListener,
  SourceRequest,
} from "../routing/source/messages.ts";
import { decodeTold } from "../routing/source/wire.ts";
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

/** Who has certificates from the controller. */
interface IdentityListener {
  /** There is a connection: it is asked by `requestIdentity`. */
  connected(): void;
  told(update: IdentityUpdate): void;
  /** There is none, for a reason in one line. */
  lost(reason: string): void;
}

export class ControllerSource implements PlanSource {
  readonly #place: ControllerPlace;
  #identity: IdentityListener | null = null;
  /** Of this run of the proxy. */
  readonly #bootId = crypto.randomUUID();
  #latest: ControllerConnection | null = null;

  constructor(place: ControllerPlace) {
    this.#place = place;
  }

  connect(listener: SourceListener): SourceConnection {
    const identity = this.#identity;
    return this.#latest = new ControllerConnection(this.#place, this.#bootId, {
      plan: listener,
      identity,
    });
  }

  /** Certificates come from the controller too, on connections that are made from now on. */
  giveIdentity(listener: IdentityListener): void {
    this.#identity = listener;
  }

  requestIdentity(identity: IdentityRequest): void {
    this.#latest?.send({ ask: [], drop: [], identity });
  }

  /** What says on the connection that there is now, and on no later one, which plan is in force: by its hash. */
  acknowledger(): (hash: string) => void {
    const connection = this.#latest;
    return (hash) => connection?.write(JSON.stringify({ ack: hash }));
  }
}

interface Listeners {
  readonly plan: SourceListener;
  /** Null: certificates do not come from the controller. */
  readonly identity: IdentityListener | null;
}

class ControllerConnection implements SourceConnection {
  readonly #place: ControllerPlace;
  readonly #listeners: Listeners;
  #connection: Deno.TlsConn | null = null;
  /** Lines that wait. */
  readonly #lines: string[] = [];
  #isWriting = false;
  #isOver = false;

  constructor(place: ControllerPlace, bootId: string, listeners: Listeners) {
    this.#place = place;
    this.#listeners = listeners;
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

  close(reason = "the connection to the controller has ended"): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listeners.identity?.lost(reason);
    try {
      this.#connection?.close();
    } catch {
      // It has been closed from the other side.
    }
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.close(reason);
    this.#listeners.plan.lost(reason);
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
      this.#listeners.identity?.connected();
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
        const decoded = decodeTold(line);
        if (!decoded.ok) return this.#lose(`the controller is not understood: ${decoded.problem}`);
        if (this.#isOver) return;
        const { message } = decoded;
        if ("identity" in message) this.#listeners.identity?.told(message.identity);
        else this.#listeners.plan.update(message);
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
