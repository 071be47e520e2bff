/** The bounds of handshakes, which real connections reach only in floods. */
import { deepEqual, equal } from "node:assert/strict";
import { HAS_OPENSSL_COMMAND, testCertificates } from "../../tests/tls/certificates.ts";
import { BUFFER_BYTES, TLS_HANDSHAKES_MAX, TLS_HANDSHAKES_TURN_MAX } from "../limits.ts";
import type { Handler } from "./io.ts";
import { openOpenssl } from "./libc_openssl.ts";
import { OpensslTransport } from "./openssl.ts";
import type { TlsFailure, TlsServerSettings } from "./tls.ts";

const isLinux = Deno.build.os === "linux";
// It stays open; opened within a test it would count as a leak of that test.
if (isLinux) openOpenssl();

/** A transport without a loop: its connections are numbers. */
function makeTransport() {
  const released: number[] = [];
  const transport = new OpensslTransport({
    arena: new Uint8Array(BUFFER_BYTES),
    nowMs: 0,
    stagingOffset: 0,
    copyGathered: () => 0,
    watch() {},
    release: (fd) => void released.push(fd),
  });
  return { transport, released };
}

function settings(): TlsServerSettings {
  return {
    role: "server",
    certificate: testCertificates().server,
    clientCertificate: "ignored",
    trusted: null,
    alpn: [],
    minVersion: "1.3",
    ticketKeys: null,
  };
}

Deno.test({
  name: "TLS, native: with too many handshakes at once the oldest gives way, and only it",
  ignore: !isLinux || !HAS_OPENSSL_COMMAND,
  fn() {
    const { transport } = makeTransport();
    const context = transport.context(settings());
    const failures: (readonly [number, TlsFailure | undefined])[] = [];
    const open = (fd: number) => {
      const handler: Handler = {
        onReadable() {},
        onWritable() {},
        onHangup: (failure) => void failures.push([fd, failure]),
        onFault(error) {
          throw error;
        },
      };
      return transport.open(fd, handler, context, null);
    };
    // Descriptors that nothing is read from or written to.
    const sockets = Array.from({ length: TLS_HANDSHAKES_MAX }, (_, i) => open(1_000_000 + i));
    equal(failures.length, 0);
    sockets.push(open(2_000_000), open(2_000_001));
    deepEqual(failures.map(([fd, failure]) => [fd, failure?.code]), [
      [1_000_000, "tls-crowded"],
      [1_000_001, "tls-crowded"],
    ]);
    for (const socket of sockets) socket.free();
    context.close();
  },
});

Deno.test({
  name: "TLS, native: handshakes take so many steps in a turn, and wait for the next",
  ignore: !isLinux || !HAS_OPENSSL_COMMAND,
  fn() {
    const { transport } = makeTransport();
    const steps = () => {
      let count = 0;
      while (transport.mayHandshake()) count++;
      return count;
    };
    equal(steps(), TLS_HANDSHAKES_TURN_MAX);
    equal(steps(), 0);
    transport.turnEnded();
    equal(steps(), TLS_HANDSHAKES_TURN_MAX);
  },
});
