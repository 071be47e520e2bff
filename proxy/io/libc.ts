/**
 * The only file that may open a library. It owns the symbols and structure layouts of Linux's libc that the
 * native driver uses; every argument is an i32 or a buffer, so V8 makes fast calls of them.
 */

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u32", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // Its offsets are null: neither end is a file.
  splice: { parameters: ["i32", "i32", "i32", "i32", "i32", "u32"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
} as const;

export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const SHUT_WR = 1;
/** Bytes that the peer has not acknowledged, of an ioctl (tcp(7)). */
export const SIOCOUTQ = 0x5411;
export const MSG_PEEK = 2;
export const MSG_NOSIGNAL = 0x4000;
export const SOL_IP = 0;
export const SOL_IPV6 = 41;
/** Of both, in netfilter's headers: SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST. */
export const SO_ORIGINAL_DST = 80;
export const O_CLOEXEC = 0o2000000;
export const O_NONBLOCK = 0o4000;
export const F_SETPIPE_SZ = 1031;
export const SPLICE_F_NONBLOCK = 2;

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
/** Told once for each time that it comes to be so. */
export const EPOLLET = 1 << 31;

/** `struct epoll_event` is packed on x86-64 only: 32-bit words of one event, and where its data starts. */
export const EPOLL_EVENT_WORDS = Deno.build.arch === "x86_64" ? 3 : 4;
export const EPOLL_DATA_WORD = Deno.build.arch === "x86_64" ? 1 : 2;

/** Names tried in order: glibc, then musl. */
const LIBRARIES = ["libc.so.6", "libc.so", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

let opened: Libc | null = null;

/**
 * Opens libc, once a thread; it stays open.
 * @throws {Error} not Linux, FFI not permitted, or no libc found; the message says which.
 */
export function openLibc(): Libc {
  if (opened !== null) return opened;
  if (Deno.build.os !== "linux") {
    throw new Error(`Native driver needs Linux, this is ${Deno.build.os}`);
  }
  opened = openLibrary(LIBRARIES, SYMBOLS);
  return opened;
}

const TRIM = {
  malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true, optional: true },
} as const;

/**
 * What has the C library give back memory that it keeps for later, without holding up the thread that asks; null: it has no such
 * function (musl), or cannot be opened.
 */
export function openMemoryTrim(): (() => void) | null {
  try {
    const { malloc_trim: trim } = openLibrary(LIBRARIES, TRIM);
    return trim === null ? null : () => void trim(0n);
  } catch {
    return null;
  }
}

/**
 * Opens the first of the libraries that is there; it stays open.
 * @throws {Error} none is there, or FFI is not permitted; the message says which.
 */
export function openLibrary<Symbols extends Deno.ForeignLibraryInterface>(
  names: readonly string[],
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols>["symbols"] {
  let failure: unknown;
  for (const name of names) {
    try {
      return Deno.dlopen(name, symbols).symbols;
    } catch (error) {
      failure = error;
      if (error instanceof Deno.errors.NotCapable) break;
    }
  }
  const cause = failure instanceof Error ? failure.message : String(failure);
  // Deno says so once for each layer that it comes through.
  throw new Error(`Cannot open ${names[0]}: ${cause.replace(/(Could not open library: )+/, "")}`);
}

/** The address of a buffer that the garbage collector does not move (an ArrayBuffer's backing store). */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
