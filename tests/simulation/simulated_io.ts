/**
 * SimulatedIo: the `Io` contract on the simulated network and clock. It behaves as the native driver does
 * (level-triggered, errors known only with their event, descriptors reused at once), does to its user whatever
 * the contract allows, and refuses whatever the contract does not.
 */
import { assert } from "../../base/assert.ts";
import { AGAIN, BROKEN, END } from "../../proxy/io/io.ts";
import type {
  Fd,
  Handler,
  Io,
  ListenerHandler,
  OriginalDestination,
  SocketAddress,
} from "../../proxy/io/io.ts";
import type { TlsContext, TlsSettings, TlsTarget } from "../../proxy/io/tls.ts";
import { DRIVER_PIECES_MAX, TLS_HANDSHAKE_MS } from "../../proxy/limits.ts";
import { Network, Side } from "./network.ts";
import { CLIENT_ADDRESS } from "./run_state.ts";
import { SimulatedSplicer } from "./simulated_splicer.ts";
import { SimulatedTls, TlsSide } from "./tls_side.ts";
import type { World } from "./world.ts";

const READABLE = 1;
const WRITABLE = 2;
const GONE = 4;
const SECURED = 8;

/** Whom the proxy is known as. */
const PROXY_URI = "spiffe://sim/ns/sim/sa/proxy";

/** What the arena is filled with where a read leaves it undefined. */
const JUNK = 0xee;
/** The fewest bytes of room that make a socket writable. */
const WRITABLE_ROOM_MIN = 1;
/** A listener's queue may grow this long before it is emptied. */
const ACCEPT_LATE_MS = 20;

interface Open {
  /** With TLS on it from `secure` on. */
  side: Side | null;
  readonly listener: { readonly handler: ListenerHandler; readonly queue: Side[] } | null;
  handler: Handler | null;
  wantsRead: boolean;
  wantsWrite: boolean;
  /** A hang-up took it out of the set, until something is wanted of it again. */
  isOut: boolean;
  /** Something was read of it, or written to it. */
  isUsed: boolean;
  /** Its handler has been told what came of the handshake. */
  isTold: boolean;
}

interface Event {
  readonly fd: Fd;
  readonly open: Open;
  readonly events: number;
}

export class SimulatedIo implements Io {
  readonly kind = "native";
  readonly arena: Uint8Array;
  nowMs: number;
  readonly splicer: SimulatedSplicer;
  /** Told of every connection that is begun. */
  onConnect: (address: string) => void = () => {};
  /** Where clients were going whose connections were redirected here, by their end. */
  readonly redirected = new WeakMap<Side, OriginalDestination>();
  /** Uses of this interface that its contract does not allow. */
  readonly violations: string[] = [];
  /** Turns in a row in which nothing came of anything. */
  idleTurns = 0;

  protected readonly world: World;
  protected readonly network: Network;
  readonly #open: (Open | null)[] = [null, null, null];
  /** Descriptors of which there may be something to tell. */
  readonly #pending = new Set<Fd>();
  /** Their events are delivered before others'. */
  readonly #firsts = new Set<Fd>();
  readonly #ports = new Map<Fd, string>();
  /** Where connections go that were begun here, and their near ends. */
  readonly #targets = new Map<Fd, { readonly address: string; readonly end: Side }>();
  #nextPort = 20_000;
  #gathered: Uint8Array[] = [];
  #goneFd: Fd = -1;
  #connections = 0;
  #hasMoved = false;
  #sweepIntervalMs = Infinity;
  #sweptMs = 0;
  #sweep: () => void = () => {};
  #wakeAtMs = Infinity;
  #batchEnd: () => void = () => {};

  constructor(world: World, network: Network, arena: Uint8Array) {
    this.world = world;
    this.network = network;
    this.arena = arena;
    this.nowMs = world.nowMs;
    this.splicer = new SimulatedSplicer(world, {
      hasTls: (fd) => this.#side(fd) instanceof TlsSide,
      readInto: (fd, target) => this.#readInto(fd, target, 0, target.length),
      writeFrom: (fd, bytes) => this.#writePieces(fd, [bytes]),
      violate: (what) => this.#violate(what),
    });
  }

  // The contract.

  listen(_address: string, port: number, handler: ListenerHandler): { fd: Fd; port: number } {
    const queue: Side[] = [];
    const taken = port === 0 ? this.#nextPort++ : port;
    const fd = this.#enter({
      side: null,
      listener: { handler, queue },
      handler: null,
      wantsRead: true,
      wantsWrite: false,
      isOut: false,
      isUsed: false,
      isTold: false,
    });
    const address = `proxy:${taken}`;
    this.#ports.set(fd, address);
    this.network.listen(address, (side) => {
      queue.push(side);
      // Clients come in bursts when the loop is busy.
      this.world.after(this.world.chance(0.5) ? 0 : this.world.between(0, ACCEPT_LATE_MS), () => {
        if (queue.length > 0 && this.#open[fd]?.listener?.queue === queue) this.#pending.add(fd);
      });
    });
    return { fd, port: taken };
  }

  address(address: string, port: number): SocketAddress {
    return `${address}:${port}`;
  }

  connect(address: SocketAddress, handler: Handler): Fd {
    this.#hasMoved = true;
    if (this.world.chance(this.network.weather.connectFailures / 4)) return BROKEN;
    const side = this.network.connect(address as string, true);
    const fd = this.#enterSide(side);
    this.#trace(fd, `connect ${address}`);
    this.#targets.set(fd, { address: address as string, end: side });
    this.onConnect(address as string);
    this.watch(fd, handler);
    this.#use(fd).wantsWrite = true;
    return fd;
  }

  watch(fd: Fd, handler: Handler): void {
    const open = this.#use(fd);
    if (open.handler !== null) this.#violate(`Descriptor ${fd} is watched twice`);
    open.handler = handler;
    this.#pending.add(fd);
  }

  handOver(fd: Fd, handler: Handler): void {
    const open = this.#use(fd);
    if (open.handler === null) this.#violate(`Descriptor ${fd} is handed over unwatched`);
    open.handler = handler;
    this.wantWrite(fd, false);
    this.wantRead(fd, true);
  }

  originalDestination(fd: Fd): OriginalDestination | null {
    const client = this.#side(fd).other;
    return this.redirected.get(client) ?? null;
  }

  destination(fd: Fd): OriginalDestination | null {
    return this.#open[fd] === null ? null : this.originalDestination(fd);
  }

  isOwn(_fd: Fd): boolean {
    return false;
  }

  wantRead(fd: Fd, wanted: boolean): void {
    const open = this.#use(fd);
    if (open.wantsRead === wanted) return;
    open.wantsRead = wanted;
    this.#rearm(fd, open);
  }

  comesFirst(fd: Fd, isFirst: boolean): void {
    if (isFirst) this.#firsts.add(fd);
    else this.#firsts.delete(fd);
  }

  wantWrite(fd: Fd, wanted: boolean): void {
    const open = this.#use(fd);
    if (open.wantsWrite === wanted) return;
    open.wantsWrite = wanted;
    this.#rearm(fd, open);
  }

  peek(fd: Fd, offset: number, length: number): number {
    const side = this.#side(fd);
    if (length <= 0) this.#violate(`Peeks at ${length} bytes: 0 would be taken for the end`);
    // The end that had come in order before is what a read says.
    if (side.isReset && side.unread === 0 && !side.hasEnded) return this.#broken(fd);
    if (!side.isEstablished) return AGAIN;
    if (side.unread === 0) return side.hasEnded ? END : AGAIN;
    const { world, network } = this;
    if (world.chance(network.weather.late)) return AGAIN;
    return side.peek(this.arena, offset, length);
  }

  read(fd: Fd, offset: number, length: number): number {
    if (offset < 0 || offset + length > this.arena.length) this.#violate("Reads past the arena");
    const count = this.#readInto(fd, this.arena, offset, length);
    if (count <= 0) return count;
    this.arena.fill(JUNK, offset + count, offset + Math.min(length, count + 64));
    return count;
  }

  #readInto(fd: Fd, target: Uint8Array, offset: number, length: number): number {
    const side = this.#side(fd);
    if (length <= 0) this.#violate(`Reads ${length} bytes: 0 would be taken for the end`);
    // The end that had come in order before is what a read says.
    if (side.isReset && side.unread === 0 && !side.hasEnded) return this.#broken(fd);
    if (!side.isEstablished) return AGAIN;
    const { world, network } = this;
    if (side.unread === 0) {
      this.#trace(fd, `read: ${side.hasEnded ? "END" : "AGAIN"}`);
      return side.hasEnded ? END : AGAIN;
    }
    if (world.chance(network.weather.late)) return AGAIN;
    const max = world.chance(network.weather.partial) ? world.skewed(length) : length;
    const count = this.receive(fd, side, target, offset, max);
    this.#trace(fd, "read", target.subarray(offset, offset + count));
    this.#hasMoved = true;
    return count;
  }

  gather(offset: number, length: number): void {
    if (length <= 0) this.#violate("Gathers nothing");
    if (offset < 0 || offset + length > this.arena.length) this.#violate("Gathers past the arena");
    if (this.#gathered.length === DRIVER_PIECES_MAX) {
      this.#violate(`Gathers over ${DRIVER_PIECES_MAX} pieces`);
    }
    this.#gathered.push(this.arena.subarray(offset, offset + length));
  }

  write(fd: Fd): number {
    const pieces = this.#gathered;
    this.#gathered = [];
    return this.#writePieces(fd, pieces);
  }

  #writePieces(fd: Fd, pieces: readonly Uint8Array[]): number {
    const side = this.#side(fd);
    if (pieces.length === 0) this.#violate("Writes nothing");
    if (side.isReset) return this.#broken(fd);
    if (side.hasSentEnd) this.#violate(`Writes to ${fd} after shutdown`);
    const { world, network } = this;
    if (!side.isEstablished || world.chance(network.weather.late)) return AGAIN;
    let total = 0;
    for (const piece of pieces) total += piece.length;
    let count = Math.min(total, side.room);
    if (count === 0) return AGAIN;
    if (world.chance(network.weather.partial)) count = world.skewed(count);
    const bytes = new Uint8Array(count);
    let at = 0;
    for (const piece of pieces) {
      const part = Math.min(piece.length, count - at);
      bytes.set(piece.subarray(0, part), at);
      at += part;
    }
    this.#trace(fd, `write ${count} of ${total}`, bytes);
    this.transmit(fd, side, bytes);
    this.#hasMoved = true;
    return count;
  }

  unacknowledged(fd: Fd): number {
    const side = this.#side(fd);
    return side instanceof TlsSide ? 0 : side.unacknowledged;
  }

  shutdown(fd: Fd): void {
    this.#trace(fd, "shutdown");
    this.#side(fd).sendEnd();
    this.#rearm(fd, this.#use(fd));
  }

  close(fd: Fd): void {
    this.#trace(fd, "close");
    this.#end(fd, (side) => side.close());
  }

  reset(fd: Fd): void {
    this.#trace(fd, "reset");
    this.#end(fd, (side) => side.reset());
  }

  tls(settings: TlsSettings): TlsContext {
    return new SimulatedTls(settings);
  }

  secure(fd: Fd, context: TlsContext, target: TlsTarget | null): void {
    const open = this.#use(fd);
    const { side } = open;
    if (side === null || side instanceof TlsSide || open.isUsed) {
      return this.#violate(`Descriptor ${fd} is secured too late`);
    }
    const { settings } = context as SimulatedTls;
    const isServer = settings.role === "server";
    const secured = new TlsSide(this.network, side, {
      isServer,
      alpn: isServer ? settings.alpn : target?.alpn ?? [],
      uri: PROXY_URI,
      trusted: target?.uriSans ?? [],
      fault: "none",
    });
    open.side = secured;
    secured.onChange = () => this.#pending.add(fd);
    this.world.after(TLS_HANDSHAKE_MS, () => {
      if (secured.isSecured || secured.isClosed || this.#open[fd] !== open) return;
      secured.failure ??= { code: "tls-timeout", detail: "simulated" };
      this.#pending.add(fd);
    });
    secured.start();
  }

  #end(fd: Fd, end: (side: Side) => void): void {
    const { side, listener } = this.#use(fd);
    this.#hasMoved = true;
    this.#open[fd] = null;
    this.#pending.delete(fd);
    this.#firsts.delete(fd);
    this.#targets.delete(fd);
    if (this.#goneFd === fd) this.#goneFd = -1;
    if (side !== null) {
      this.#connections--;
      side.onChange = () => {};
      end(side);
    }
    if (listener !== null) {
      this.network.unlisten(this.#ports.get(fd) as string);
      for (const waiting of listener.queue) waiting.reset();
    }
  }

  onSweep(intervalMs: number, sweep: () => void): void {
    this.#sweepIntervalMs = intervalMs;
    this.#sweep = sweep;
  }

  wakeBy(atMs: number): void {
    if (atMs < this.#wakeAtMs) this.#wakeAtMs = atMs;
  }

  onBatchEnd(done: () => void): void {
    this.#batchEnd = done;
  }

  stop(): void {
    for (let fd = 0; fd < this.#open.length; fd++) if (this.#open[fd]) this.close(fd);
  }

  // What a planted bug may change.

  protected receive(
    _fd: Fd,
    side: Side,
    target: Uint8Array,
    offset: number,
    max: number,
  ): number {
    return side.read(target, offset, max);
  }

  protected transmit(_fd: Fd, side: Side, bytes: Uint8Array): void {
    side.send(bytes);
  }

  // Its turns.

  get connections(): number {
    return this.#connections;
  }

  /** Connections that were begun here, to any of these. */
  connectionsTo(addresses: readonly string[]): number {
    let count = 0;
    for (const { address } of this.#targets.values()) if (addresses.includes(address)) count++;
    return count;
  }

  /** The near ends of connections that were begun here. */
  *openEnds(): Iterable<Side> {
    for (const { end } of this.#targets.values()) yield end;
  }

  /** When the next sweep is due; `Infinity` with nothing to sweep. */
  get sweepDueMs(): number {
    return this.#connections === 0
      ? Infinity
      : Math.min(this.#sweptMs + this.#sweepIntervalMs, this.#wakeAtMs);
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Delivers a batch of events, in any order, and not necessarily all of them. */
  turn(): void {
    this.nowMs = this.world.nowMs;
    this.#hasMoved = false;
    const batch = this.#collect();
    for (const { fd, open, events } of batch) {
      // Closed meanwhile; the descriptor may have a new owner.
      if (this.#open[fd] !== open) continue;
      if (open.listener !== null) this.#accept(open.listener);
      else if (events === SECURED) this.#tellSecured(fd, open);
      else this.#dispatch(fd, open, events);
    }
    this.#goneFd = -1;
    if (this.nowMs >= this.sweepDueMs) {
      this.#sweptMs = this.nowMs;
      this.#wakeAtMs = Infinity;
      this.#sweep();
    }
    this.#batchEnd();
    this.idleTurns = this.#hasMoved || batch.length === 0 ? 0 : this.idleTurns + 1;
  }

  #collect(): Event[] {
    const batch: Event[] = [];
    for (const fd of Array.from(this.#pending)) {
      const open = this.#open[fd];
      const events = open === null ? 0 : this.#eventsOf(open);
      if (open === null || events === 0) this.#pending.delete(fd);
      else if (!this.world.chance(this.network.weather.late)) batch.push({ fd, open, events });
    }
    this.world.shuffle(batch);
    const isFirst = ({ fd }: Event) => this.#firsts.has(fd);
    return [...batch.filter(isFirst), ...batch.filter((event) => !isFirst(event))];
  }

  /** Tells a handler what came of its handshake, before it is told anything else. */
  #tellSecured(fd: Fd, open: Open): void {
    const { side, handler } = open;
    if (handler === null || !(side instanceof TlsSide)) return;
    open.isTold = true;
    this.#hasMoved = true;
    this.#trace(fd, side.info === null ? `no TLS: ${side.failure?.code}` : "secured");
    try {
      if (side.info !== null) handler.onSecured?.(side.info);
      else handler.onHangup(side.failure ?? undefined);
    } catch (error) {
      handler.onFault(error);
    }
  }

  #eventsOf(open: Open): number {
    if (open.handler !== null && !open.isTold && open.side instanceof TlsSide) {
      return open.side.isSecured || open.side.failure !== null ? SECURED : 0;
    }
    if (open.listener !== null) return open.listener.queue.length > 0 ? READABLE : 0;
    const { side } = open;
    if (side === null || open.isOut || open.handler === null) return 0;
    const isGone = side.isReset || (side.hasEnded && side.hasSentEnd);
    const isReadable = side.unread > 0 || side.hasEnded;
    const isWritable = side.isEstablished && side.room >= WRITABLE_ROOM_MIN;
    return (open.wantsRead && isReadable ? READABLE : 0) |
      (open.wantsWrite && isWritable ? WRITABLE : 0) |
      (isGone ? GONE : 0);
  }

  #dispatch(fd: Fd, open: Open, events: number): void {
    const handler = open.handler;
    if (handler === null) return;
    const isGone = (events & GONE) !== 0;
    if (isGone) this.#trace(fd, "gone");
    this.#goneFd = isGone ? fd : -1;
    try {
      if ((events & (READABLE | GONE)) !== 0 && open.wantsRead) handler.onReadable();
      else if (isGone) {
        open.isOut = true;
        handler.onHangup();
        return;
      }
      if ((events & WRITABLE) !== 0 && this.#open[fd] === open) handler.onWritable();
    } catch (error) {
      handler.onFault(error);
    }
  }

  #accept({ handler, queue }: { handler: ListenerHandler; queue: Side[] }): void {
    this.#hasMoved = true;
    for (const side of queue.splice(0, this.world.between(1, 64))) {
      const fd = this.#enterSide(side);
      this.#trace(fd, "accept");
      handler.onAccept(fd, CLIENT_ADDRESS);
    }
  }

  #enterSide(side: Side): Fd {
    const fd = this.#enter({
      side,
      listener: null,
      handler: null,
      wantsRead: true,
      wantsWrite: false,
      isOut: false,
      isUsed: false,
      isTold: false,
    });
    this.#connections++;
    side.onChange = () => this.#pending.add(fd);
    return fd;
  }

  /** The lowest free descriptor, as the kernel gives. */
  #enter(open: Open): Fd {
    let fd = this.#open.indexOf(null, 3);
    if (fd < 0) fd = this.#open.length;
    this.#open[fd] = open;
    return fd;
  }

  #rearm(fd: Fd, open: Open): void {
    open.isOut = false;
    this.#pending.add(fd);
  }

  #use(fd: Fd): Open {
    const open = this.#open[fd] ?? null;
    if (open === null) this.#violate(`Descriptor ${fd} is not open`);
    assert(open !== null, "A descriptor is used while it is open");
    return open;
  }

  #side(fd: Fd): Side {
    const open = this.#use(fd);
    const { side } = open;
    assert(side !== null, "A connection is used as one");
    open.isUsed = true;
    if (side instanceof TlsSide && !open.isTold) {
      this.#violate(`Descriptor ${fd} is used before it is secured`);
    }
    return side;
  }

  /** The native driver knows of an error only with its event, the portable one at once. */
  #broken(fd: Fd): number {
    return this.#goneFd === fd || this.world.chance(0.5) ? BROKEN : AGAIN;
  }

  #trace(fd: Fd, what: string, bytes?: Uint8Array): void {
    if (this.world.onTrace === null) return;
    const text = bytes === undefined ? "" : ` ${bytes.length} bytes ` +
      JSON.stringify(String.fromCharCode(...bytes.subarray(0, 120)));
    this.world.onTrace(`${this.world.nowMs.toFixed(3)} [${fd}] ${what}${text}`);
  }

  #violate(what: string): void {
    this.violations.push(what);
  }
}
