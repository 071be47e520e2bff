/**
 * The contract of TLS within `Io` as cases that every driver must pass (`io_tls_test.ts`). Both ends are served by the driver
 * itself, over real sockets; other implementations at the other end are the business of `proxy_clients_test.ts`.
 */
import { closedPort } from "../support/free_port.ts";
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { AGAIN, BROKEN, END } from "../../proxy/io/io.ts";
import { READ_AT, READ_BYTES, WRITE_AT, WRITE_BYTES } from "../conformance/bench.ts";
import { LOCALHOST, Relay, SecureReader } from "./bench.ts";
import type { TlsBench, TlsCase } from "./bench.ts";
import { CLIENT_ID, SERVER_ID } from "./certificates.ts";
import { CONTEXT_CASES } from "./io_context_cases.ts";

function patternAt(index: number): number {
  return index % 251;
}

const HANDSHAKES: readonly TlsCase[] = [
  {
    name: "both ends are told of the handshake before anything else",
    async run(bench) {
      const { client, server } = await bench.securedEnds();
      for (const { info } of [client, server]) {
        equal(info?.version, "TLSv1.3");
        equal(info?.alpn, "http/1.1");
        equal(info?.serverName, "localhost");
        equal(info?.isResumed, false);
        match(info?.cipher ?? "", /^TLS_/);
      }
      equal(client.info?.peerUriSan, SERVER_ID);
      equal(server.info?.peerUriSan, "", "The client showed no certificate");
      equal(client.events[0], "writable", "The side that connects is told that it can write");
    },
  },
  {
    name:
      "ALPN: the server's preference; none wanted, none given; nothing in common, no connection",
    async run(bench) {
      const server = bench.server({ alpn: ["h2", "http/1.1"] });
      const alpnWith = async (alpn: string[]) => {
        const target = { ...LOCALHOST, alpn };
        const ends = await bench.ends({ server, client: bench.client(), target });
        return ends.client.info?.alpn ?? ends.client.failure?.code;
      };
      equal(await alpnWith(["http/1.1", "h2"]), "h2");
      equal(await alpnWith([]), "");
      match(await alpnWith(["spdy/3"]) ?? "", /^tls-(alert|closed)$/);
    },
  },
  {
    name: "a client's certificate is verified through its chain, and is who it says",
    async run(bench) {
      const { client, server } = await bench.ends({
        server: bench.server(bench.mutual()),
        client: bench.client({ certificate: bench.certificates.client }),
      });
      equal(server.info?.peerUriSan, CLIENT_ID);
      equal(client.info?.peerUriSan, SERVER_ID);
    },
  },
  {
    name: "a client without the certificate that is required is refused",
    async run(bench) {
      const { server } = await bench.ends({
        server: bench.server(bench.mutual()),
        client: bench.client(),
      });
      equal(server.failure?.code, "tls-no-certificate");
    },
  },
  {
    name: "a client without certificate is anonymous where one is optional",
    async run(bench) {
      const { server } = await bench.ends({
        server: bench.server({ ...bench.mutual(), clientCertificate: "optional" }),
        client: bench.client(),
      });
      equal(server.info?.peerUriSan, "");
    },
  },
  {
    name: "a client's certificate of another authority is refused, required or not",
    async run(bench) {
      for (const clientCertificate of ["required", "optional"] as const) {
        const { server } = await bench.ends({
          server: bench.server({ ...bench.mutual(), clientCertificate }),
          client: bench.client({ certificate: bench.certificates.impostor }),
        });
        equal(server.failure?.code, "tls-certificate");
      }
    },
  },
  {
    name: "a certificate with two identities has none",
    async run(bench) {
      const { server } = await bench.ends({
        server: bench.server(bench.mutual()),
        client: bench.client({ certificate: bench.certificates.ambiguous }),
      });
      equal(server.info?.peerUriSan, "");
    },
  },
  {
    name: "a server of another authority is refused, and both are told",
    async run(bench) {
      const { client, server } = await bench.ends({
        server: bench.server(),
        client: bench.client({ trusted: { pem: bench.certificates.otherAuthority.chainPem } }),
      });
      equal(client.failure?.code, "tls-certificate");
      match(server.failure?.code ?? "", /^tls-(alert|closed)$/);
    },
  },
  {
    name: "a server must have the name, or the address, that was asked for",
    async run(bench) {
      const contexts = { server: bench.server(), client: bench.client() };
      const codeFor = async (serverName: string) => {
        const target = { ...LOCALHOST, serverName };
        const { client } = await bench.ends({ ...contexts, target });
        return client.failure?.code ?? "ok";
      };
      equal(await codeFor("localhost"), "ok");
      equal(await codeFor("127.0.0.1"), "ok");
      equal(await codeFor("elsewhere"), "tls-certificate");
      equal(await codeFor("127.0.0.2"), "tls-certificate");
    },
  },
  {
    name: "a server must have the identity that was asked for, whatever its name",
    async run(bench) {
      const contexts = { server: bench.server(), client: bench.client() };
      const failureFor = async (uriSans: string[]) => {
        const target = { ...LOCALHOST, serverName: "web.app.svc", uriSans };
        const { client } = await bench.ends({ ...contexts, target });
        return client.failure;
      };
      equal(await failureFor([CLIENT_ID, SERVER_ID]), null);
      const failure = await failureFor([CLIENT_ID]);
      equal(failure?.code, "tls-identity");
      equal(failure?.detail, `Peer is ${SERVER_ID}, not ${CLIENT_ID}`);
    },
  },
  {
    name: "plain bytes to a server that speaks TLS are a failure with a reason",
    async run(bench) {
      const { client, server } = bench.connectEnds({ server: bench.server(), client: null });
      await bench.until(() => client.count("writable") > 0, "connected");
      bench.io.wantWrite(client.fd, false);
      bench.write(client.fd, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
      await bench.until(() => server.isBroken, "the server refuses");
      equal(server.failure?.code, "tls-plaintext");
      await bench.until(() => client.hasEnded || client.isBroken, "the client learns of it");
    },
  },
  {
    name: "a handshake that stands still is given up",
    async run(bench) {
      const { client, server } = bench.connectEnds({ server: bench.server(), client: null });
      await bench.until(() => client.count("writable") > 0 && server.fd >= 0, "connected");
      bench.io.wantWrite(client.fd, false);
      const sweeps = bench.sweepEvery(1);
      bench.skip(9_000);
      await bench.until(() => sweeps() > 2, "some sweeps");
      equal(server.isBroken, false);
      bench.skip(2_000);
      await bench.until(() => server.isBroken, "the server gives up");
      equal(server.failure?.code, "tls-timeout");
    },
  },
  {
    name: "a client that goes away in the handshake is a failure with a reason",
    async run(bench) {
      const { client, server } = bench.connectEnds({ server: bench.server(), client: null });
      await bench.until(() => client.count("writable") > 0 && server.fd >= 0, "connected");
      bench.io.close(client.fd);
      await bench.until(() => server.isBroken, "the server notices");
      equal(server.failure?.code, "tls-closed");
    },
  },
  {
    name: "a connection that is refused is a hang-up without a reason of TLS",
    async run(bench) {
      const { client } = bench.connectEnds(
        { server: bench.server(), client: bench.client() },
        () => closedPort().port,
      );
      await bench.until(() => client.isBroken, "the refusal");
      equal(client.failure, null);
    },
  },
  {
    name: "TLS can be put on a connection whose first byte was looked at",
    async run(bench) {
      const { io } = bench;
      const context = bench.server();
      const server = new SecureReader(io);
      const read = server.react;
      let first = 0;
      server.react = () => {
        if (io.peek(server.fd, READ_AT, 1) !== 1) return;
        first = io.arena[READ_AT];
        server.react = read;
        io.secure(server.fd, context, null);
      };
      const listener = io.listen("127.0.0.1", 0, {
        onAccept(fd) {
          server.fd = fd;
          io.watch(fd, server);
        },
        onFault(error) {
          throw error;
        },
      });
      const client = new SecureReader(io);
      client.fd = io.connect(io.address("127.0.0.1", listener.port), client);
      io.secure(client.fd, bench.client(), LOCALHOST);
      await bench.until(() => client.isDone && server.isDone, "both ends of the handshake");
      equal(first, 0x16, "A record of the handshake");
      bench.write(client.fd, "hello");
      await bench.until(() => server.text === "hello", "the server reads");
    },
  },
  {
    name: "a connection may be closed in the handshake, its descriptor serves again",
    async run(bench) {
      const contexts = { server: bench.server(), client: bench.client() };
      const { client, server } = bench.connectEnds(contexts);
      bench.io.close(client.fd);
      await bench.until(() => server.isBroken, "the server notices");
      const next = await bench.securedEnds();
      equal(bench.write(next.client.fd, "fine"), 4);
      await bench.until(() => next.server.text === "fine", "the next connection works");
    },
  },
];

const BYTES: readonly TlsCase[] = [
  {
    name: "pieces are written as one stream, both ways",
    async run(bench) {
      const { io } = bench;
      const { client, server } = await bench.securedEnds();
      io.arena.set(new TextEncoder().encode("abcdef"), WRITE_AT);
      for (const [at, length] of [[4, 2], [0, 1], [1, 3]]) io.gather(WRITE_AT + at, length);
      equal(io.write(client.fd), 6);
      await bench.until(() => server.text === "efabcd", "the server reads");
      equal(bench.write(server.fd, "answer"), 6);
      await bench.until(() => client.text === "answer", "the client reads");
      equal(io.read(client.fd, READ_AT, READ_BYTES), AGAIN);
    },
  },
  {
    name: "what was decrypted and not read is told of again, though the kernel knows nothing of it",
    async run(bench) {
      const { client, server } = await bench.securedEnds(3);
      equal(bench.write(client.fd, "0123456789"), 10);
      bench.io.shutdown(client.fd);
      await bench.until(() => server.hasEnded, "all bytes, three an event, and the end");
      equal(server.text, "0123456789");
    },
  },
  {
    name: "wantRead off and on while decrypted bytes wait loses none",
    async run(bench) {
      const { io } = bench;
      const { client, server } = await bench.securedEnds(1);
      const read = server.react;
      server.react = (event) => {
        read(event);
        io.wantRead(server.fd, false);
      };
      equal(bench.write(client.fd, "0123456789"), 10);
      for (let count = 1; count <= 10; count++) {
        await bench.until(() => server.bytes === count, `byte ${count}`);
        await bench.barrier();
        equal(server.bytes, count, "Reading is off");
        io.wantRead(server.fd, true);
      }
      equal(server.text, "0123456789");
    },
  },
  {
    name: "peek shows what read then gives",
    async run(bench) {
      const { io } = bench;
      const { client, server } = await bench.securedEnds();
      let peeked = "";
      const read = server.react;
      server.react = () => {
        const count = io.peek(server.fd, READ_AT, 3);
        if (count > 0) {
          peeked += new TextDecoder().decode(io.arena.subarray(READ_AT, READ_AT + count));
        }
        server.react = read;
      };
      equal(bench.write(client.fd, "hello"), 5);
      await bench.until(() => server.text === "hello", "all of it");
      equal(peeked, "hel");
    },
  },
  {
    name: "handOver gives what was decrypted and not read to the next handler",
    async run(bench) {
      const { io } = bench;
      const { client, server } = await bench.securedEnds(1);
      const { client: next } = await bench.securedEnds();
      const read = server.react;
      server.react = (event) => {
        read(event);
        next.fd = server.fd;
        io.handOver(server.fd, next);
      };
      equal(bench.write(client.fd, "hello"), 5);
      await bench.until(() => next.text === "ello", "the rest comes to the next");
      equal(server.text, "h");
    },
  },
  {
    name: "50 MB each way at once, through back-pressure, every byte in its place",
    async run(bench) {
      const { client, server } = await bench.securedEnds();
      const total = 50_000_000;
      const checks = [client, server].map(checkPattern);
      sendPattern(bench, client, total);
      sendPattern(bench, server, total);
      await bench.until(() => client.hasEnded && server.hasEnded, "both ends have all");
      deepEqual(checks.map((count) => count()), [total, total]);
      deepEqual([...client.faults, ...server.faults], []);
    },
  },
  {
    name: "wantRead off stalls the peer's writing",
    async run(bench) {
      const { client, server } = await bench.securedEnds();
      const count = checkPattern(server);
      bench.io.wantRead(server.fd, false);
      const sent = sendPattern(bench, client, 30_000_000);
      for (let calm = 0, before = -1; calm < 10; calm = sent() === before ? calm + 1 : 0) {
        before = sent();
        await bench.barrier();
      }
      ok(sent() < 30_000_000, "The kernel's buffers hold less");
      equal(count(), 0);
      bench.io.wantRead(server.fd, true);
      await bench.until(() => server.hasEnded, "everything arrives");
      equal(count(), 30_000_000);
    },
  },
];

/** Writes the pattern as fast as the other end takes it, then the end; returns how far it is. */
function sendPattern({ io }: TlsBench, end: SecureReader, total: number): () => number {
  let at = 0;
  const send = () => {
    for (;;) {
      const length = Math.min(WRITE_BYTES / 2, total - at);
      if (length === 0) {
        io.wantWrite(end.fd, false);
        io.shutdown(end.fd);
        return;
      }
      for (let i = 0; i < length; i++) io.arena[WRITE_AT + i] = patternAt(at + i);
      // Pieces of uneven lengths, some longer than a record.
      for (let from = 0, piece = 1; from < length; from += piece, piece = piece * 7 % 39_989) {
        io.gather(WRITE_AT + from, Math.min(piece, length - from));
      }
      const count = io.write(end.fd);
      if (count === BROKEN) throw new Error("The connection broke");
      if (count > 0) at += count;
      if (count < length) return io.wantWrite(end.fd, true);
    }
  };
  const read = end.react;
  end.react = (event) => event === "writable" ? send() : read(event);
  io.wantWrite(end.fd, true);
  return () => at;
}

function checkPattern(end: SecureReader): () => number {
  let at = 0;
  end.onBytes = (bytes) => {
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== patternAt(at + i)) throw new Error(`Wrong byte at ${at + i}`);
    }
    at += bytes.length;
  };
  return () => at;
}

const ENDINGS: readonly TlsCase[] = [
  {
    name: "shutdown ends one direction, the other goes on",
    async run(bench) {
      const { io } = bench;
      const { client, server } = await bench.securedEnds();
      equal(bench.write(client.fd, "question"), 8);
      io.shutdown(client.fd);
      await bench.until(() => server.hasEnded, "the end of the question");
      equal(server.text, "question");
      equal(io.read(server.fd, READ_AT, READ_BYTES), END, "END again");
      equal(bench.write(server.fd, "answer"), 6);
      io.shutdown(server.fd);
      await bench.until(() => client.hasEnded, "the end of the answer");
      equal(client.text, "answer");
    },
  },
  {
    name: "an end that is not heeded is told of again, though the kernel knows of none",
    async run(bench) {
      const { io } = bench;
      const { client, server } = await bench.securedEnds();
      let ends = 0;
      server.react = (event) => {
        if (event === "readable" && io.read(server.fd, READ_AT, READ_BYTES) === END) ends++;
      };
      io.shutdown(client.fd);
      await bench.until(() => ends >= 3, "the end, three times");
      io.wantRead(server.fd, false);
      const told = ends;
      await bench.barrier();
      equal(ends, told);
    },
  },
  {
    name: "what was written before close arrives, and then an end that is meant",
    async run(bench) {
      const { io } = bench;
      const { client, server } = await bench.securedEnds();
      const count = checkPattern(client);
      // Far more than the kernel takes while nothing is read; what it does not take is not written.
      io.wantRead(client.fd, false);
      let written = 0;
      for (;;) {
        for (let i = 0; i < WRITE_BYTES; i++) io.arena[WRITE_AT + i] = patternAt(written + i);
        io.gather(WRITE_AT, WRITE_BYTES);
        const result = io.write(server.fd);
        if (result > 0) written += result;
        if (result !== WRITE_BYTES) break;
      }
      io.close(server.fd);
      io.wantRead(client.fd, true);
      await bench.until(() => client.hasEnded || client.isBroken, "an end");
      equal(client.isBroken, false);
      equal(count(), written);
    },
  },
  {
    name: "a stream that ends without the peer saying so is BROKEN, not END",
    async run(bench) {
      const relay = new Relay(bench);
      const contexts = { server: bench.server(), client: bench.client() };
      const { client, server } = await bench.ends(contexts, (port) => relay.via(port));
      equal(bench.write(server.fd, "half of an ans"), 14);
      await bench.until(() => client.text !== "", "the half");
      relay.close();
      await bench.until(() => client.isBroken && server.isBroken, "both know");
      equal(client.hasEnded, false);
      equal(server.hasEnded, false);
    },
  },
  {
    name: "reset is no end either",
    async run(bench) {
      const { client, server } = await bench.securedEnds();
      bench.io.reset(server.fd);
      await bench.until(() => client.isBroken || client.hasEnded, "the client knows");
      equal(client.hasEnded, false);
    },
  },
  {
    name: "a fault of a handler costs its connection and no other",
    async run(bench) {
      const { client, server } = await bench.securedEnds();
      const { client: other, server: otherServer } = await bench.securedEnds();
      server.react = () => {
        bench.io.wantRead(server.fd, false);
        throw new Error("planted");
      };
      bench.write(client.fd, "x");
      await bench.until(() => server.faults.length > 0, "the fault");
      bench.write(other.fd, "fine");
      await bench.until(() => otherServer.text === "fine", "the others go on");
    },
  },
];

export const TLS_CASES: readonly TlsCase[] = [
  ...HANDSHAKES,
  ...BYTES,
  ...ENDINGS,
  ...CONTEXT_CASES,
];
