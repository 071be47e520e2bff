/**
 * The native driver: one thread, one level-triggered epoll loop over libc. It owns file descriptors and the arena; it knows
 * nothing of protocols.
 *
 * errno cannot be read reliably through FFI. So -1 means AGAIN unless the kernel has reported an error or a hang-up for the
 * descriptor in the same batch. A real error that slips through is reported by the next wait.
 */
import { parseIp } from "../../base/ip.ts";
import {
  ACCEPT_BATCH_MAX,
  BUFFER_BYTES,
  DRIVER_PIECES_MAX,
  EVENT_BATCH_MAX,
  LOOP_COPY_BYTES_MAX,
  STAGED_BYTES_MAX,
  TCP_KEEP_ALIVE,
  WAIT_FAILURES_MAX,
} from "../limits.ts";
import * as libc from "./libc.ts";
import { AGAIN, BROKEN, IoError } from "./io.ts";
import {
  IPV4_FAMILY_BYTES,
  IPV6_FAMILY_BYTES,
  Redirection,
  socketAddressText,
} from "./redirection.ts";
import type { Fd, Handler, Io, ListenerHandler, OriginalDestination } from "./io.ts";
import { OpensslTransport } from "./openssl.ts";
import type { OpensslSocket } from "./openssl_socket.ts";
import { KernelSplicer } from "./splice.ts";
import type { TlsContext, TlsSettings, TlsTarget } from "./tls.ts";

interface EpollOptions {
  /** Bytes of the arena. */
  readonly arenaBytes: number;
  /** Whether several loops share each listener (SO_REUSEPORT). */
  readonly reusePort: boolean;
}

const IN_OR_GONE = libc.EPOLLIN | libc.EPOLLERR | libc.EPOLLHUP;
const GONE = libc.EPOLLERR | libc.EPOLLHUP;
/** 32-bit words of `struct msghdr`, and where its vector's address and length stand. */
const MESSAGE_WORDS = 14;
const MESSAGE_IOV_WORD = 4;
const MESSAGE_IOV_LENGTH_WORD = 6;
/** Of no descriptor: an event that has been delivered already. */
const NO_GENERATION = 0xffff_ffff;
/** `struct linger`: on, and for no time. */
const LINGER_NONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
const KEEP_IDLE = Uint8Array.of(TCP_KEEP_ALIVE.idleS, 0, 0, 0);
const KEEP_INTERVAL = Uint8Array.of(TCP_KEEP_ALIVE.intervalS, 0, 0, 0);

export class EpollIo implements Io {
  readonly kind = "native";
  readonly arena: Uint8Array<ArrayBuffer>;
  nowMs = performance.now();
  readonly splicer: KernelSplicer;
  /** In the last turn, by what `wakeFor` was told of. */
  isCalled = false;
  /** Waits in a row that came to nothing. */
  #failures = 0;

  readonly #c: libc.Libc;
  readonly #redirection: Redirection;
  readonly #epoll: Fd;
  readonly #reusePort: boolean;
  readonly #events = new Uint32Array(EVENT_BATCH_MAX * libc.EPOLL_EVENT_WORDS);
  readonly #eventBytes = new Uint8Array(this.#events.buffer);
  readonly #control = new Uint32Array(libc.EPOLL_EVENT_WORDS);
  readonly #count = new Int32Array(1);
  readonly #countBytes = new Uint8Array(this.#count.buffer);
  readonly #controlBytes = new Uint8Array(this.#control.buffer);
  /** By descriptor. A generation tells an event of a closed descriptor from one of its successor. */
  #handlers: (Handler | null)[] = [];
  #generations: number[] = [];
  #interests: number[] = [];
  /** 1: its events are delivered before others'. And how many have it. */
  readonly #firsts: number[] = [];
  #firstCount = 0;
  /** The connections under TLS, which read and write in their own way. */
  #secured: (OpensslSocket | null)[] = [];
  #tls: OpensslTransport | null = null;
  readonly #one = Uint8Array.of(1, 0, 0, 0);
  readonly #peer = new Uint8Array(IPV6_FAMILY_BYTES);
  readonly #peerLength = new Uint8Array(4);
  /** What the next write sends: pieces of the arena. */
  readonly #offsets = new Int32Array(DRIVER_PIECES_MAX);
  readonly #lengths = new Int32Array(DRIVER_PIECES_MAX);
  #gathered = 0;
  #gatheredBytes = 0;
  /** Room at the arena's end: small writes are put together there, and TLS has it as scratch space. */
  readonly #stagingOffset: number;
  readonly #staging: Uint8Array<ArrayBuffer>;
  /**
   * Where buffers of the arena begin, each view made when its buffer is first used. A call takes a view, not an address, and its
   * length from elsewhere: a large buffer is longer than the view of its beginning.
   */
  readonly #views: Uint8Array<ArrayBuffer>[] = [];
  /** `struct iovec` array: two 64-bit words a piece, little-endian halves. */
  readonly #iov = new Uint32Array(DRIVER_PIECES_MAX * 4);
  /** `struct msghdr` over `#iov`. */
  readonly #message = new Uint32Array(MESSAGE_WORDS);
  readonly #messageBytes = new Uint8Array(this.#message.buffer);
  readonly #baseLow: number;
  readonly #baseHigh: number;
  /** The descriptor in hand, while a hang-up or error of it has been reported; else -1. */
  #goneFd: Fd = -1;
  /** Connections, not counting listeners and pipes: with none there is nothing to sweep. */
  #connections = 0;
  readonly #quiet = new Set<Fd>();
  #running = true;
  #turns = 0;
  /** The last turn in which a connection was accepted. */
  #acceptedTurn = -1;
  #sweepIntervalMs = -1;
  #sweptMs = 0;
  #sweep: () => void = () => {};
  #wakeAtMs = Infinity;
  #batchEnd: () => void = () => {};
  /** Listeners that could not accept (no descriptors left); tried again at the next sweep. */
  #stalledListeners: Fd[] = [];

  /** @throws {Error} libc cannot be opened; the message says why. */
  constructor(options: EpollOptions) {
    this.#c = libc.openLibc();
    this.#redirection = new Redirection(this.#c);
    this.splicer = new KernelSplicer(this.#c, {
      isSecured: (fd) => Boolean(this.#secured[fd]),
      isGone: (fd) => this.#goneFd === fd,
    });
    this.#stagingOffset = options.arenaBytes;
    this.arena = new Uint8Array(options.arenaBytes + BUFFER_BYTES);
    this.#staging = this.arena.subarray(options.arenaBytes);
    const base = libc.addressOf(this.arena);
    this.#baseLow = Number(base & 0xffffffffn);
    this.#baseHigh = Number(base >> 32n);
    const vector = libc.addressOf(new Uint8Array(this.#iov.buffer));
    this.#message[MESSAGE_IOV_WORD] = Number(vector & 0xffffffffn);
    this.#message[MESSAGE_IOV_WORD + 1] = Number(vector >> 32n);
    this.#reusePort = options.reusePort;
    this.#epoll = this.#c.epoll_create1(libc.O_CLOEXEC);
    if (this.#epoll < 0) throw new IoError("Cannot create an epoll instance");
  }

  listen(address: string, port: number, handler: ListenerHandler): { fd: Fd; port: number } {
    const socketAddress = this.address(address, port);
    const fd = this.#socket(socketAddress);
    const c = this.#c;
    c.setsockopt(fd, libc.SOL_SOCKET, libc.SO_REUSEADDR, this.#one, 4);
    // What it accepts has these from it.
    this.#keepAlive(fd);
    c.setsockopt(fd, libc.IPPROTO_TCP, libc.TCP_NODELAY, this.#one, 4);
    if (this.#reusePort) c.setsockopt(fd, libc.SOL_SOCKET, libc.SO_REUSEPORT, this.#one, 4);
    if (
      c.bind(fd, socketAddress, socketAddress.length) < 0 || c.listen(fd, 1024) < 0
    ) {
      c.close(fd);
      throw new IoError(`Cannot listen on ${address}:${port}: the address is in use or not ours`);
    }
    const others = { onWritable() {}, onHangup() {}, onFault() {} };
    this.watchQuietly(fd, { ...others, onReadable: () => this.#accept(fd, handler) });
    return { fd, port: this.#boundPort(fd) };
  }

  address(address: string, port: number): Uint8Array<ArrayBuffer> {
    const ip = parseIp(address);
    if (ip === null) throw new IoError(`Cannot use ${address}: not an IP address`);
    const bytes = new Uint8Array(ip.length === 4 ? IPV4_FAMILY_BYTES : IPV6_FAMILY_BYTES);
    new DataView(bytes.buffer).setUint16(0, ip.length === 4 ? libc.AF_INET : libc.AF_INET6, true);
    bytes[2] = port >> 8;
    bytes[3] = port & 255;
    bytes.set(ip, ip.length === 4 ? 4 : 8);
    return bytes;
  }

  connect(address: unknown, handler: Handler): Fd {
    const socketAddress = address as Uint8Array<ArrayBuffer>;
    const fd = this.#socket(socketAddress);
    if (fd < 0) return BROKEN;
    this.#c.setsockopt(fd, libc.IPPROTO_TCP, libc.TCP_NODELAY, this.#one, 4);
    this.#keepAlive(fd);
    // Success and "in progress" look alike here; both are followed by a writable event, failure by a hang-up.
    this.#c.connect(fd, socketAddress, socketAddress.length);
    this.#redirection.noteConnect(fd);
    this.#add(fd, handler, libc.EPOLLIN | libc.EPOLLOUT);
    return fd;
  }

  /** Has the kernel find out when the peer is gone without a word. */
  #keepAlive(fd: Fd): void {
    this.#c.setsockopt(fd, libc.SOL_SOCKET, libc.SO_KEEPALIVE, this.#one, 4);
    this.#c.setsockopt(fd, libc.IPPROTO_TCP, libc.TCP_KEEPIDLE, KEEP_IDLE, 4);
    this.#c.setsockopt(fd, libc.IPPROTO_TCP, libc.TCP_KEEPINTVL, KEEP_INTERVAL, 4);
  }

  watch(fd: Fd, handler: Handler): void {
    this.#add(fd, handler);
  }

  /** As `watch`, for what is open while nothing is going on: listeners and the control pipe. */
  watchQuietly(fd: Fd, handler: Handler): void {
    this.#quiet.add(fd);
    this.#add(fd, handler);
  }

  handOver(fd: Fd, handler: Handler): void {
    const secured = this.#secured[fd];
    if (secured) return secured.handOver(handler);
    this.#handlers[fd] = handler;
    this.#want(fd, libc.EPOLLOUT, false);
    this.#want(fd, libc.EPOLLIN, true);
  }

  originalDestination(fd: Fd): OriginalDestination | null {
    return this.#redirection.originalDestination(fd);
  }

  destination(fd: Fd): OriginalDestination | null {
    return this.#redirection.destination(fd);
  }

  isOwn(fd: Fd): boolean {
    return this.#redirection.isOwn(fd);
  }

  wantRead(fd: Fd, wanted: boolean): void {
    const secured = this.#secured[fd];
    if (secured) secured.wantRead(wanted);
    else this.#want(fd, libc.EPOLLIN, wanted);
  }

  comesFirst(fd: Fd, isFirst: boolean): void {
    const wanted = isFirst ? 1 : 0;
    this.#firstCount += wanted - this.#firsts[fd];
    this.#firsts[fd] = wanted;
  }

  wantWrite(fd: Fd, wanted: boolean): void {
    const secured = this.#secured[fd];
    if (secured) secured.wantWrite(wanted);
    else this.#want(fd, libc.EPOLLOUT, wanted);
  }

  read(fd: Fd, offset: number, length: number): number {
    const secured = this.#secured[fd];
    if (secured) return secured.read(offset, length);
    const count = this.#receive(fd, offset, length, 0);
    return count >= 0 ? count : this.#goneFd === fd ? BROKEN : AGAIN;
  }

  peek(fd: Fd, offset: number, length: number): number {
    const secured = this.#secured[fd];
    if (secured) return secured.peek(offset, length);
    const count = this.#receive(fd, offset, length, libc.MSG_PEEK);
    return count >= 0 ? count : this.#goneFd === fd ? BROKEN : AGAIN;
  }

  gather(offset: number, length: number): void {
    this.#offsets[this.#gathered] = offset;
    this.#lengths[this.#gathered++] = length;
    this.#gatheredBytes += length;
  }

  write(fd: Fd): number {
    const secured = this.#secured[fd];
    const count = secured
      ? secured.write()
      : this.#gatheredBytes <= STAGED_BYTES_MAX
      ? this.#sendStaged(fd)
      : this.#sendVector(fd);
    this.#gathered = 0;
    this.#gatheredBytes = 0;
    if (secured || count >= 0) return count;
    return this.#goneFd === fd ? BROKEN : AGAIN;
  }

  unacknowledged(fd: Fd): number {
    // Of a connection with TLS there is more than was given to `write`.
    if (this.#secured[fd] || this.#c.ioctl(fd, libc.SIOCOUTQ, this.#countBytes) !== 0) return 0;
    return this.#count[0];
  }

  shutdown(fd: Fd): void {
    const secured = this.#secured[fd];
    if (secured) secured.shutdown();
    else this.#c.shutdown(fd, libc.SHUT_WR);
  }

  close(fd: Fd): void {
    const secured = this.#secured[fd];
    if (!secured) return this.#release(fd);
    this.#secured[fd] = null;
    // It releases the descriptor once its last bytes are on their way.
    secured.close();
  }

  #release(fd: Fd): void {
    this.#c.close(fd);
    // Accepted, and closed before it was watched.
    if (!this.#handlers[fd]) return;
    this.#handlers[fd] = null;
    this.comesFirst(fd, false);
    this.#generations[fd]++;
    // A connection opened in this very event may get the descriptor, and is not gone.
    if (this.#goneFd === fd) this.#goneFd = -1;
    if (this.#quiet.delete(fd)) {
      this.#stalledListeners = this.#stalledListeners.filter((stalled) => stalled !== fd);
    } else this.#connections--;
  }

  reset(fd: Fd): void {
    this.#c.setsockopt(fd, libc.SOL_SOCKET, libc.SO_LINGER, LINGER_NONE, LINGER_NONE.length);
    this.#secured[fd]?.free();
    this.#secured[fd] = null;
    this.#release(fd);
  }

  tls(settings: TlsSettings): TlsContext {
    this.#tls ??= this.#openTls();
    return this.#tls.context(settings);
  }

  secure(fd: Fd, context: TlsContext, target: TlsTarget | null): void {
    const handler = this.#handlers[fd];
    if (!handler || this.#tls === null) throw new Error(`Descriptor ${fd} is not watched`);
    const secured = this.#tls.open(fd, handler, context, target);
    this.#secured[fd] = secured;
    this.#handlers[fd] = secured;
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
    this.#running = false;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** Blocks this thread until `stop`, then closes what is open. */
  run(): void {
    while (this.#running) this.turn(this.#isIdle ? -1 : this.#sweepIntervalMs);
    this.end();
  }

  /** Closes what is open, once the loop has been stopped. */
  end(): void {
    // What was written before the end still goes out; sweeps bound the time.
    while (this.#tls?.isLingering) this.turn(this.#sweepIntervalMs);
    for (let fd = 0; fd < this.#handlers.length; fd++) if (this.#handlers[fd]) this.close(fd);
    this.splicer.close();
    this.#c.close(this.#epoll);
  }

  /** No connection is open, so that there is nothing to sweep. */
  get #isIdle(): boolean {
    return this.#connections === 0 && this.#stalledListeners.length === 0;
  }

  /** Ends a wait where another loop of this process, by its epoll, has something to do: once for each time that something comes to it. */
  wakeFor(epoll: Fd): void {
    this.#growTo(epoll);
    this.#controlFd(libc.EPOLL_CTL_ADD, epoll, libc.EPOLLIN | libc.EPOLLET);
  }

  /** Waits for one batch of events, at most `waitMs` (-1: for as long as it takes), and delivers it: their number. */
  turn(waitMs: number): number {
    this.#turns++;
    this.isCalled = false;
    const isIdle = this.#isIdle;
    const isPending = this.#tls !== null && this.#tls.hasPending;
    const untilWakeMs = Math.max(0, Math.ceil(this.#wakeAtMs - this.nowMs));
    const timeoutMs = isPending ? 0 : isIdle ? waitMs : Math.min(waitMs, untilWakeMs);
    const count = this.#c.epoll_wait(this.#epoll, this.#eventBytes, EVENT_BATCH_MAX, timeoutMs);
    this.nowMs = performance.now();
    if (count >= 0) this.#failures = 0;
    else if (++this.#failures > WAIT_FAILURES_MAX) throw new IoError("The kernel tells no events");
    if (this.#firstCount > 0) this.#deliver(count, true);
    this.#deliver(count, false);
    this.#goneFd = -1;
    if (this.#tls !== null) this.#tls.turnEnded();
    if (!isIdle && this.nowMs - this.#sweptMs >= this.#sweepIntervalMs) this.#runSweep();
    else if (!isIdle && this.nowMs >= this.#wakeAtMs) this.#wake();
    this.#batchEnd();
    return count;
  }

  /** Delivers the events of a batch; `isFirst`: only those that come first. */
  #deliver(count: number, isFirst: boolean): void {
    const events = this.#events;
    for (let i = 0, word = libc.EPOLL_DATA_WORD; i < count; i++, word += libc.EPOLL_EVENT_WORDS) {
      const fd = events[word];
      if (this.#generations[fd] !== events[word + 1]) continue;
      if (isFirst && this.#firsts[fd] === 0) continue;
      const handler = this.#handlers[fd];
      if (!handler) {
        this.isCalled = true;
        continue;
      }
      // Delivered once.
      if (isFirst) events[word + 1] = NO_GENERATION;
      try {
        this.#dispatch(handler, fd, events[word - libc.EPOLL_DATA_WORD]);
      } catch (error) {
        handler.onFault(error);
      }
    }
  }

  #dispatch(handler: Handler, fd: Fd, events: number): void {
    const isGone = (events & GONE) !== 0;
    this.#goneFd = isGone ? fd : -1;
    const interest = this.#interests[fd];
    if ((events & IN_OR_GONE) !== 0 && (interest & libc.EPOLLIN) !== 0) handler.onReadable();
    else if (isGone) {
      // Reading is off, and a hang-up cannot be masked: leave the set, so that waiting does not spin.
      this.#c.epoll_ctl(this.#epoll, libc.EPOLL_CTL_DEL, fd, this.#controlBytes);
      this.#interests[fd] = 0;
      handler.onHangup();
      return;
    }
    if ((events & libc.EPOLLOUT) !== 0 && this.#handlers[fd] === handler) handler.onWritable();
  }

  #wake(): void {
    this.#wakeAtMs = Infinity;
    this.#sweep();
  }

  #runSweep(): void {
    this.#sweptMs = this.nowMs;
    this.#wakeAtMs = Infinity;
    for (const fd of this.#stalledListeners.splice(0)) this.wantRead(fd, true);
    this.#tls?.sweep();
    this.#sweep();
  }

  #openTls(): OpensslTransport {
    const { arena } = this;
    const nowMs = () => this.nowMs;
    return new OpensslTransport({
      arena,
      get nowMs() {
        return nowMs();
      },
      stagingOffset: this.#stagingOffset,
      copyGathered: (skip, offset, length) => this.#copyGathered(skip, offset, length),
      watch: (fd, readable, writable) => {
        const interest = (readable ? libc.EPOLLIN : 0) | (writable ? libc.EPOLLOUT : 0);
        if (interest !== this.#interests[fd]) this.#controlFd(libc.EPOLL_CTL_MOD, fd, interest);
      },
      release: (fd) => this.#release(fd),
    });
  }

  #viewAt(offset: number): Uint8Array<ArrayBuffer> {
    const index = offset / BUFFER_BYTES;
    return this.#views[index] ??= this.arena.subarray(offset, offset + BUFFER_BYTES);
  }

  #receive(fd: Fd, offset: number, length: number, flags: number): number {
    if (offset % BUFFER_BYTES === 0) {
      return this.#c.recv(fd, this.#viewAt(offset), length, flags);
    }
    this.#piece(0, offset, length);
    this.#message[MESSAGE_IOV_LENGTH_WORD] = 1;
    return this.#c.recvmsg(fd, this.#messageBytes, flags);
  }

  #sendStaged(fd: Fd): number {
    this.#copyGathered(0, this.#stagingOffset, this.#gatheredBytes);
    return this.#c.send(fd, this.#staging, this.#gatheredBytes, libc.MSG_NOSIGNAL);
  }

  #sendVector(fd: Fd): number {
    const offset = this.#offsets[0];
    if (this.#gathered === 1 && offset % BUFFER_BYTES === 0) {
      return this.#c.send(fd, this.#viewAt(offset), this.#gatheredBytes, libc.MSG_NOSIGNAL);
    }
    for (let i = 0; i < this.#gathered; i++) this.#piece(i, this.#offsets[i], this.#lengths[i]);
    this.#message[MESSAGE_IOV_LENGTH_WORD] = this.#gathered;
    return this.#c.sendmsg(fd, this.#messageBytes, libc.MSG_NOSIGNAL);
  }

  /** Copies of what is gathered, without its first `skip` bytes, at most `length`: their number. */
  #copyGathered(skip: number, offset: number, length: number): number {
    const { arena } = this;
    let copied = 0;
    for (let i = 0; i < this.#gathered && copied < length; i++) {
      const pieceLength = this.#lengths[i];
      if (skip >= pieceLength) {
        skip -= pieceLength;
        continue;
      }
      const from = this.#offsets[i] + skip;
      const to = offset + copied;
      const count = Math.min(pieceLength - skip, length - copied);
      if (count > LOOP_COPY_BYTES_MAX) arena.copyWithin(to, from, from + count);
      else for (let j = 0; j < count; j++) arena[to + j] = arena[from + j];
      copied += count;
      skip = 0;
    }
    return copied;
  }

  #socket(socketAddress: Uint8Array): Fd {
    const family = socketAddress.length === 16 ? libc.AF_INET : libc.AF_INET6;
    return this.#c.socket(family, libc.SOCK_STREAM | libc.SOCK_NONBLOCK | libc.SOCK_CLOEXEC, 0);
  }

  #accept(listener: Fd, handler: ListenerHandler): void {
    const flags = libc.SOCK_NONBLOCK | libc.SOCK_CLOEXEC;
    // Most often there is one, and the event comes again where there are more: asking costs a call.
    const isCrowded = this.#turns === this.#acceptedTurn + 1;
    this.#acceptedTurn = this.#turns;
    for (let i = 0; i < (isCrowded ? ACCEPT_BATCH_MAX : 1); i++) {
      this.#peerLength[0] = IPV6_FAMILY_BYTES;
      const fd = this.#c.accept4(listener, this.#peer, this.#peerLength, flags);
      if (fd < 0) {
        if (i === 0) {
          this.wantRead(listener, false);
          this.#stalledListeners.push(listener);
        }
        return;
      }
      try {
        handler.onAccept(fd, socketAddressText(this.#peer));
      } catch (error) {
        this.close(fd);
        handler.onFault(error);
      }
    }
  }

  #growTo(fd: Fd): void {
    while (this.#handlers.length <= fd) {
      this.#handlers.push(null);
      this.#generations.push(0);
      this.#interests.push(0);
      this.#firsts.push(0);
      this.#secured.push(null);
    }
  }

  #add(fd: Fd, handler: Handler, interest: number = libc.EPOLLIN): void {
    this.#growTo(fd);
    this.#handlers[fd] = handler;
    if (!this.#quiet.has(fd)) this.#connections++;
    this.#controlFd(libc.EPOLL_CTL_ADD, fd, interest);
  }

  #want(fd: Fd, event: number, wanted: boolean): void {
    const before = this.#interests[fd];
    const after = wanted ? before | event : before & ~event;
    if (after === before) return;
    this.#controlFd(libc.EPOLL_CTL_MOD, fd, after);
  }

  #controlFd(operation: number, fd: Fd, interest: number): void {
    this.#interests[fd] = interest;
    this.#control[0] = interest;
    this.#control[libc.EPOLL_DATA_WORD] = fd;
    this.#control[libc.EPOLL_DATA_WORD + 1] = this.#generations[fd];
    const result = this.#c.epoll_ctl(this.#epoll, operation, fd, this.#controlBytes);
    // A descriptor that a hang-up took out of the set comes back when something is wanted of it again.
    if (result < 0 && operation === libc.EPOLL_CTL_MOD) {
      this.#c.epoll_ctl(this.#epoll, libc.EPOLL_CTL_ADD, fd, this.#controlBytes);
    }
  }

  #piece(index: number, offset: number, length: number): void {
    const word = 4 * index;
    const low = this.#baseLow + offset;
    const carry = low >= 0x1_0000_0000;
    this.#iov[word] = low;
    this.#iov[word + 1] = carry ? this.#baseHigh + 1 : this.#baseHigh;
    this.#iov[word + 2] = length;
    this.#iov[word + 3] = 0;
  }

  #boundPort(fd: Fd): number {
    const name = new Uint8Array(IPV6_FAMILY_BYTES);
    this.#c.getsockname(fd, name, Uint8Array.of(IPV6_FAMILY_BYTES, 0, 0, 0));
    return (name[2] << 8) | name[3];
  }
}
