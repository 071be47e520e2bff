/**
 * RuntimeTurn: gives this thread to Deno's own event loop for a moment, so that its signals, timers and sockets come
 * to their turn beside a loop of ours. A timer would keep the thread for one to two milliseconds, and a promise that
 * needs nothing of the kernel lets no socket come to its turn. A byte that goes round a connection to oneself takes
 * some 12 microseconds, and Deno has to ask the kernel for it, which is when it learns of everything else.
 */

/** What Deno learnt of in one round, it works off in the next. */
const ROUNDS = 3;

const DESCRIPTORS = "/proc/self/fd";

export class RuntimeTurn {
  readonly #near: Deno.TcpConn;
  readonly #far: Deno.TcpConn;
  readonly #byte = new Uint8Array(1);

  private constructor(near: Deno.TcpConn, far: Deno.TcpConn) {
    this.#near = near;
    this.#far = far;
  }

  /** Null if there is no loopback to be had; a timer does as well then, only slower. */
  static async open(): Promise<RuntimeTurn | null> {
    try {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
      near.setNoDelay(true);
      return new RuntimeTurn(near, await acceptFrom(listener, near));
    } catch {
      return null;
    }
  }

  async take(): Promise<void> {
    for (let i = 0; i < ROUNDS; i++) {
      await Promise.all([this.#far.read(this.#byte), this.#near.write(this.#byte)]);
    }
  }

  /** Descriptors by which Deno waits, and other loops of this process; none where that cannot be seen. */
  static epolls(): number[] {
    try {
      return [...Deno.readDirSync(DESCRIPTORS)].flatMap(({ name }) =>
        isEpoll(name) ? [Number(name)] : []
      );
    } catch {
      return [];
    }
  }

  close(): void {
    this.#near.close();
    this.#far.close();
  }
}

function isEpoll(descriptor: string): boolean {
  try {
    return Deno.readLinkSync(`${DESCRIPTORS}/${descriptor}`) === "anon_inode:[eventpoll]";
  } catch {
    // That of the list itself is gone by now.
    return false;
  }
}

/** The other end of `near`, and not that of some other process that found the port. */
async function acceptFrom(listener: Deno.TcpListener, near: Deno.TcpConn): Promise<Deno.TcpConn> {
  while (true) {
    const far = await listener.accept();
    if (far.remoteAddr.port === near.localAddr.port) return far;
    far.close();
  }
}
