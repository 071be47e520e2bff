/**
 * The contract of `Io` as cases that every driver must pass (`io_test.ts`). Real sockets on loopback; a case waits
 * for what it expects and never for time to pass.
 */
import { closedPort } from "../support/free_port.ts";
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { AGAIN, BROKEN, END, IoError } from "../../proxy/io/io.ts";
import type { Fd } from "../../proxy/io/io.ts";
import type { Bench, IoCase } from "./bench.ts";
import { BenchHandler, READ_AT, READ_BYTES, Reader, WRITE_AT, WRITE_BYTES } from "./bench.ts";
import { HANDOVER_CASES } from "./io_handover_cases.ts";
import { DRIVER_PIECES_MAX } from "../../proxy/limits.ts";

const NO_FAULT = { onFault() {} };

/** Byte `index` of a long stream; the period fits no buffer size. */
function patternAt(index: number): number {
  return index % 251;
}

const LISTENING: readonly IoCase[] = [
  {
    name: "port 0 takes a free port, and a client's address comes with it",
    async run(bench) {
      const { address } = await bench.pair(new BenchHandler());
      equal(address, "127.0.0.1");
    },
  },
  {
    name: "a taken port is refused by name",
    run({ io }) {
      using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const listen = () => io.listen("127.0.0.1", other.addr.port, { onAccept() {}, ...NO_FAULT });
      throws(listen, new RegExp(`^IoError: Cannot listen on 127.0.0.1:${other.addr.port}: `));
    },
  },
  {
    name: "an address that is not this machine's is refused",
    run({ io }) {
      throws(() => io.listen("192.0.2.1", 0, { onAccept() {}, ...NO_FAULT }), IoError);
    },
  },
  {
    name: "a host name is not an address",
    run({ io }) {
      throws(() => io.address("localhost", 80), IoError);
      throws(() => io.listen("localhost", 0, { onAccept() {}, ...NO_FAULT }), IoError);
    },
  },
  {
    name: "IPv6: listen, connect and the client's address",
    needsIpv6: true,
    async run(bench) {
      const { io } = bench;
      const reader = new Reader(io);
      let from = "";
      const listener = io.listen("::1", 0, {
        onAccept(fd, address) {
          from = address;
          reader.fd = fd;
          io.watch(fd, reader);
        },
        ...NO_FAULT,
      });
      const probe = new BenchHandler();
      const fd = io.connect(io.address("::1", listener.port), probe);
      await bench.until(() => probe.count("writable") > 0, "connected");
      equal(bench.write(fd, "six"), 3);
      await bench.until(() => reader.text === "six", "bytes over IPv6");
      equal(from, "::1");
    },
  },
  {
    name: "a burst of clients is accepted, every one",
    async run(bench) {
      const { io } = bench;
      const accepted = new Set<Fd>();
      const { port } = io.listen("127.0.0.1", 0, {
        onAccept(fd) {
          accepted.add(fd);
          io.watch(fd, new BenchHandler());
        },
        ...NO_FAULT,
      });
      const dials = Array.from({ length: 150 }, () => bench.dial(port));
      await Promise.all(dials);
      await bench.until(() => accepted.size === 150, "150 clients");
    },
  },
  {
    name: "a connection may be closed unwatched, and its descriptor serves again",
    async run(bench) {
      const { io } = bench;
      const unwatched: Fd[] = [];
      const readers: Reader[] = [];
      const { port } = io.listen("127.0.0.1", 0, {
        onAccept(fd) {
          if (unwatched.length < 3) {
            unwatched.push(fd);
            return;
          }
          const reader = new Reader(io);
          reader.fd = fd;
          readers.push(reader);
          io.watch(fd, reader);
        },
        ...NO_FAULT,
      });
      const peers = await Promise.all([1, 2, 3].map(() => bench.dial(port)));
      await bench.until(() => unwatched.length === 3, "three clients");
      for (const fd of unwatched) io.close(fd);
      for (const peer of peers) equal(await bench.drain(peer), "");
      // Peers take descriptors too; with three free ones, the driver's end gets one of them.
      const peer = await bench.dial(port);
      await bench.done(peer.write(new TextEncoder().encode("again")), "sent");
      await bench.until(() => readers[0]?.text === "again", "the successor reads");
      ok(unwatched.includes(readers[0].fd), "The case wants a descriptor used again");
    },
  },
  {
    name: "onAccept that throws costs that connection and no other",
    async run(bench) {
      const { io } = bench;
      const reader = new Reader(io);
      const faults: unknown[] = [];
      const { port } = io.listen("127.0.0.1", 0, {
        onAccept(fd) {
          if (faults.length === 0) throw new Error("planted");
          reader.fd = fd;
          io.watch(fd, reader);
        },
        onFault: (error) => faults.push(error),
      });
      equal(await bench.drain(await bench.dial(port)), "");
      equal(String(faults[0]), "Error: planted");
      const peer = await bench.dial(port);
      await bench.done(peer.write(new TextEncoder().encode("fine")), "sent");
      await bench.until(() => reader.text === "fine", "the next client is served");
    },
  },
  {
    name: "a closed listener accepts nothing more",
    async run(bench) {
      const { io } = bench;
      const { fd, port } = io.listen("127.0.0.1", 0, { onAccept() {}, ...NO_FAULT });
      io.close(fd);
      const refused = await bench.done(
        Deno.connect({ hostname: "127.0.0.1", port }).then(() => false, () => true),
        "a refusal",
      );
      ok(refused);
    },
  },
];

/** Waits until a connection that cannot be established has said so. */
async function failure(bench: Bench, address: unknown, wantsRead: boolean): Promise<BenchHandler> {
  const { io } = bench;
  const probe = new BenchHandler();
  const fd = io.connect(address, probe);
  if (fd === BROKEN) return probe;
  if (!wantsRead) io.wantRead(fd, false);
  let hasFailed = false;
  probe.react = (event) => {
    if (event === "readable") equal(io.read(fd, READ_AT, READ_BYTES), BROKEN);
    hasFailed = true;
    io.close(fd);
  };
  await bench.until(() => hasFailed, "the connection fails");
  return probe;
}

const CONNECTING: readonly IoCase[] = [
  {
    name: "connect: onWritable says that it is done",
    async run(bench) {
      const probe = new BenchHandler();
      const { fd, peer } = await bench.outgoing(probe);
      await bench.until(() => probe.events.length > 0, "an event");
      equal(probe.events[0], "writable");
      bench.io.wantWrite(fd, false);
      equal(bench.write(fd, "hello"), 5);
      equal(await bench.expect(peer, "hello"), "hello");
    },
  },
  {
    name: "connect refused: BROKEN or a hang-up, never established",
    async run(bench) {
      const probe = await failure(bench, bench.io.address("127.0.0.1", closedPort().port), true);
      equal(probe.count("writable"), 0);
    },
  },
  {
    name: "connect refused while reading is unwanted: a hang-up",
    async run(bench) {
      const probe = await failure(bench, bench.io.address("127.0.0.1", closedPort().port), false);
      deepEqual(probe.events, ["hangup"]);
    },
  },
  {
    name: "connect to an address without a route fails as a refusal does",
    async run(bench) {
      const probe = await failure(bench, bench.io.address("255.255.255.255", 80), true);
      equal(probe.count("writable"), 0);
    },
  },
  {
    name: "a connection can be closed while it is being established",
    async run(bench) {
      const { io } = bench;
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const probe = new BenchHandler();
      io.close(io.connect(io.address("127.0.0.1", listener.addr.port), probe));
      await bench.barrier();
      deepEqual(probe.events, []);
    },
  },
];

const READING: readonly IoCase[] = [
  {
    name: "read: AGAIN, counts, AGAIN, END, and END again",
    async run(bench) {
      const { io } = bench;
      const probe = new BenchHandler();
      const { fd, peer } = await bench.pair(probe);
      equal(io.read(fd, READ_AT, READ_BYTES), AGAIN);
      await bench.done(peer.write(new TextEncoder().encode("abc")), "sent");
      await bench.until(() => probe.count("readable") > 0, "readable");
      equal(io.read(fd, READ_AT, 2), 2);
      equal(io.read(fd, READ_AT + 2, READ_BYTES), 1);
      equal(new TextDecoder().decode(io.arena.subarray(READ_AT, READ_AT + 3)), "abc");
      equal(io.read(fd, READ_AT, READ_BYTES), AGAIN);
      await bench.done(peer.closeWrite(), "ended");
      let result = AGAIN;
      await bench.until(() => (result = io.read(fd, READ_AT, READ_BYTES)) !== AGAIN, "the end");
      equal(result, END);
      equal(io.read(fd, READ_AT, READ_BYTES), END);
    },
  },
  {
    name: "bytes that are left unread are told of again, and the end after them",
    async run(bench) {
      const reader = new Reader(bench.io, 3);
      const { peer } = await bench.pair(reader);
      await bench.done(peer.write(new TextEncoder().encode("0123456789")), "sent");
      await bench.done(peer.closeWrite(), "ended");
      await bench.until(() => reader.hasEnded, "all bytes, three an event");
      equal(reader.text, "0123456789");
      ok(reader.count("readable") >= 5, `Five events at least: ${reader.events}`);
    },
  },
  {
    name: "a handler that does not read is told again, and starves no other",
    async run(bench) {
      const { io } = bench;
      const lazy = new BenchHandler();
      const { fd, peer } = await bench.pair(lazy);
      await bench.done(peer.write(new Uint8Array(1)), "sent");
      await bench.until(() => lazy.count("readable") >= 100, "100 events for one byte");
      await bench.barrier();
      io.wantRead(fd, false);
      const told = lazy.events.length;
      await bench.barrier();
      equal(lazy.events.length, told);
    },
  },
  {
    name: "wantRead off stalls the peer; on again, every byte comes in order",
    async run(bench) {
      const { io } = bench;
      const reader = new Reader(io);
      const { fd, peer } = await bench.pair(reader);
      io.wantRead(fd, false);
      const total = 24 * 1024 * 1024;
      let sent = 0;
      const sending = sendPattern(peer, total, (count) => sent += count);
      for (let calm = 0, before = -1; calm < 10; calm = sent === before ? calm + 1 : 0) {
        before = sent;
        await bench.barrier();
      }
      ok(sent < total, "The kernel's buffers hold less");
      deepEqual(reader.events, []);
      let at = 0;
      reader.onBytes = (bytes) => {
        for (let i = 0; i < bytes.length; i++) {
          if (bytes[i] !== patternAt(at + i)) throw new Error(`Wrong byte at ${at + i}`);
        }
        at += bytes.length;
      };
      io.wantRead(fd, true);
      await bench.done(sending, "everything is sent");
      await bench.until(() => reader.hasEnded, "everything arrives");
      equal(at, total);
      deepEqual(reader.faults, []);
    },
  },
  {
    name: "wantRead off and on while bytes wait loses none",
    async run(bench) {
      const { io } = bench;
      const reader = new Reader(io, 1);
      const { fd, peer } = await bench.pair(reader);
      const read = reader.react;
      reader.react = (event) => {
        read(event);
        io.wantRead(fd, false);
      };
      await bench.done(peer.write(new TextEncoder().encode("0123456789")), "sent");
      for (let count = 1; count <= 10; count++) {
        await bench.until(() => reader.bytes === count, `byte ${count}`);
        io.wantRead(fd, true);
      }
      equal(reader.text, "0123456789");
    },
  },
  {
    name: "a reset is BROKEN or a hang-up, not an end",
    needsLinux: true,
    async run(bench) {
      const reader = new Reader(bench.io);
      const { peer } = await bench.resettable(reader);
      peer.reset();
      await bench.until(() => reader.isBroken, "the reset");
      equal(reader.hasEnded, false);
    },
  },
  {
    name: "a reset while reading is unwanted is a hang-up, once",
    needsLinux: true,
    async run(bench) {
      const { io } = bench;
      const probe = new BenchHandler();
      const { fd, peer } = await bench.resettable(probe);
      io.wantRead(fd, false);
      peer.reset();
      await bench.until(() => probe.events.length > 0, "the hang-up");
      await bench.barrier();
      deepEqual(probe.events, ["hangup"]);
      io.close(fd);
    },
  },
];

async function sendPattern(
  peer: Deno.TcpConn,
  total: number,
  onSent: (count: number) => void,
): Promise<void> {
  const chunk = new Uint8Array(64 * 1024);
  for (let at = 0; at < total;) {
    for (let i = 0; i < chunk.length; i++) chunk[i] = patternAt(at + i);
    const count = await peer.write(chunk.subarray(0, Math.min(chunk.length, total - at)));
    at += count;
    onSent(count);
  }
  await peer.closeWrite();
}

/** Gathers and writes the pattern from `at` on until the socket takes no more; returns how far it got. */
function writePattern({ io }: Bench, fd: Fd, at: number, total: number): number {
  const piece = WRITE_BYTES / DRIVER_PIECES_MAX;
  for (;;) {
    const length = Math.min(WRITE_BYTES, total - at);
    if (length === 0) return at;
    for (let i = 0; i < length; i++) io.arena[WRITE_AT + i] = patternAt(at + i);
    for (let from = 0; from < length; from += piece) {
      io.gather(WRITE_AT + from, Math.min(piece, length - from));
    }
    const count = io.write(fd);
    ok(count !== BROKEN && count <= length, `Took ${count} of ${length}`);
    if (count > 0) at += count;
    if (count < length) return at;
  }
}

/** Reads to the end of the stream; returns the number of bytes, all of which were right. */
async function checkPattern(bench: Bench, peer: Deno.TcpConn): Promise<number> {
  const buffer = new Uint8Array(64 * 1024);
  for (let at = 0;;) {
    const count = await bench.done(peer.read(buffer), "the peer reads on");
    if (count === null) return at;
    for (let i = 0; i < count; i++) {
      if (buffer[i] !== patternAt(at + i)) throw new Error(`Wrong byte at ${at + i}`);
    }
    at += count;
  }
}

const WRITING: readonly IoCase[] = [
  {
    name: "a large gather is taken in part, onWritable asks for the rest, all arrives in order",
    async run(bench) {
      const { io } = bench;
      const total = 12 * 1024 * 1024;
      const probe = new BenchHandler();
      const { fd, peer } = await bench.pair(probe);
      let at = writePattern(bench, fd, 0, total);
      ok(at > 0 && at < total, `The kernel takes some and not all: ${at}`);
      io.wantWrite(fd, true);
      probe.react = (event) => {
        if (event !== "writable") return;
        at = writePattern(bench, fd, at, total);
        if (at < total) return;
        io.wantWrite(fd, false);
        io.shutdown(fd);
      };
      equal(await checkPattern(bench, peer), total);
      const told = probe.count("writable");
      ok(told > 1, "More than one event");
      await bench.barrier();
      equal(probe.count("writable"), told, "None is wanted any more");
    },
  },
  {
    name: "pieces of one write arrive in the order in which they were gathered",
    async run(bench) {
      const { io } = bench;
      const { fd, peer } = await bench.pair(new BenchHandler());
      new TextEncoder().encodeInto("defabc", io.arena.subarray(WRITE_AT));
      io.gather(WRITE_AT + 3, 3);
      io.gather(WRITE_AT, 3);
      equal(io.write(fd), 6);
      equal(await bench.expect(peer, "abcdef"), "abcdef");
    },
  },
  {
    name: "wantWrite on a socket with room is told at once",
    async run(bench) {
      const { io } = bench;
      const probe = new BenchHandler();
      const { fd } = await bench.pair(probe);
      await bench.barrier();
      deepEqual(probe.events, []);
      io.wantWrite(fd, true);
      await bench.until(() => probe.count("writable") > 0, "writable");
    },
  },
  {
    name: "shutdown ends one direction and keeps the other",
    async run(bench) {
      const { io } = bench;
      const reader = new Reader(io);
      const { fd, peer } = await bench.pair(reader);
      equal(bench.write(fd, "last words"), 10);
      io.shutdown(fd);
      equal(await bench.drain(peer), "last words");
      await bench.done(peer.write(new TextEncoder().encode("and an answer")), "sent");
      await bench.until(() => reader.text === "and an answer", "the other direction works");
    },
  },
  {
    name: "a peer that has ended can still be written to",
    async run(bench) {
      const reader = new Reader(bench.io);
      const { fd, peer } = await bench.pair(reader);
      await bench.done(peer.closeWrite(), "ended");
      await bench.until(() => reader.hasEnded, "the end");
      equal(bench.write(fd, "answer"), 6);
      equal(await bench.expect(peer, "answer"), "answer");
    },
  },
  {
    name: "unacknowledged: what was written to a peer that had closed, on the native driver",
    async run(bench) {
      const { io } = bench;
      const isNative = io.kind === "native";
      const reader = new Reader(io);
      const { fd, peer } = await bench.pair(reader);
      equal(bench.write(fd, "heard"), 5);
      equal(await bench.expect(peer, "heard"), "heard");
      await bench.until(() => io.unacknowledged(fd) === 0, "it is acknowledged");
      io.wantRead(fd, false);
      peer.close();
      equal(bench.write(fd, "unheard"), 7);
      equal(io.unacknowledged(fd), isNative ? 7 : 0);
      io.wantRead(fd, true);
      await bench.until(() => reader.hasEnded || reader.isBroken, "the end");
      if (isNative) equal(reader.hasEnded, true, "an end in order, before the reset");
    },
  },
  {
    name: "what was written before close arrives, and then the end",
    async run(bench) {
      const { fd, peer } = await bench.pair(new BenchHandler());
      const taken = writePattern(bench, fd, 0, 4 * 1024 * 1024);
      bench.io.close(fd);
      equal(await checkPattern(bench, peer), taken);
    },
  },
  {
    name: "reset closes, and the native driver's peer knows that it has not got all",
    async run(bench) {
      const { io } = bench;
      const { fd, peer } = await bench.pair(new BenchHandler());
      equal(bench.write(fd, "part"), 4);
      equal(await bench.expect(peer, "part"), "part");
      io.reset(fd);
      const end = peer.read(new Uint8Array(1)).then(() => "end", () => "reset");
      equal(await bench.done(end, "the end"), io.kind === "native" ? "reset" : "end");
    },
  },
  {
    name: "writing to a connection that was reset ends in BROKEN, or in a hang-up",
    needsLinux: true,
    async run(bench) {
      const { io } = bench;
      const reader = new Reader(io);
      const { fd, peer } = await bench.resettable(reader);
      io.wantRead(fd, false);
      peer.reset();
      await bench.until(
        () => reader.isBroken || bench.write(fd, "to no reader") === BROKEN,
        "the reset is seen",
      );
    },
  },
];

/** A probe that only later is known to be wanted. */
class Forwarding extends BenchHandler {
  to: BenchHandler | null = null;
  override react = () => {
    const event = this.events.at(-1);
    if (event === "readable") this.to?.onReadable();
    if (event === "writable") this.to?.onWritable();
    if (event === "hangup") this.to?.onHangup();
  };
}

/** Connects so that the connection gets the descriptor `fd`, which is free. */
function connectAs({ io }: Bench, fd: Fd, address: unknown, handler: BenchHandler): void {
  for (let i = 0; i < 32; i++) {
    // Others take the free descriptors below it.
    const forwarding = new Forwarding();
    if (io.connect(address, forwarding) !== fd) continue;
    forwarding.to = handler;
    return;
  }
  throw new Error("The case wants the same descriptor");
}

const EVENTS: readonly IoCase[] = [
  {
    name: "close in its own handler: nothing more is told, and the peer sees the end",
    async run(bench) {
      const probe = new BenchHandler();
      const { fd, peer } = await bench.pair(probe);
      bench.io.wantWrite(fd, true);
      probe.react = () => bench.io.close(fd);
      await bench.until(() => probe.events.length > 0, "an event");
      equal(await bench.drain(peer), "");
      equal(probe.events.length, 1);
    },
  },
  {
    name: "close of another connection with an event pending: its successor never sees it",
    async run(bench) {
      const { io } = bench;
      using elsewhere = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const address = io.address("127.0.0.1", elsewhere.addr.port);
      const probes = [new BenchHandler(), new BenchHandler()];
      const pairs = [await bench.pair(probes[0]), await bench.pair(probes[1])];
      for (const { fd } of pairs) io.wantRead(fd, false);
      for (const { peer } of pairs) await bench.done(peer.write(new Uint8Array(1)), "sent");
      await bench.barrier();
      const successor = new BenchHandler();
      let successorFd: Fd = -1;
      for (const [index, probe] of probes.entries()) {
        probe.react = () => {
          successorFd = pairs[1 - index].fd;
          io.close(successorFd);
          connectAs(bench, successorFd, address, successor);
          io.wantRead(pairs[index].fd, false);
        };
      }
      // Both have a byte, so both are readable in the next batch.
      for (const { fd } of pairs) io.wantRead(fd, true);
      await bench.until(() => successor.events.length > 0, "the successor connects");
      equal(successor.events[0], "writable");
      io.wantWrite(successorFd, false);
      await bench.barrier();
      equal(successor.count("readable"), 0, "It was sent nothing");
      equal(probes[0].events.length + probes[1].events.length, 1);
      deepEqual([...probes[0].faults, ...probes[1].faults], []);
    },
  },
  {
    name: "a connection made in the handler of a broken one is not taken for it",
    needsLinux: true,
    async run(bench) {
      const { io } = bench;
      using elsewhere = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const probe = new BenchHandler();
      const { fd, peer } = await bench.resettable(probe);
      let result = 1;
      probe.react = () => {
        io.close(fd);
        connectAs(bench, fd, io.address("127.0.0.1", elsewhere.addr.port), new BenchHandler());
        result = io.read(fd, READ_AT, READ_BYTES);
      };
      peer.reset();
      await bench.until(() => probe.events.length > 0, "the reset");
      equal(result, AGAIN);
      deepEqual(probe.faults, []);
    },
  },
  {
    name: "descriptors are used again",
    async run(bench) {
      const { io } = bench;
      const seen = new Set<Fd>();
      for (let i = 0; i < 40; i++) {
        const reader = new Reader(io);
        const { fd, peer } = await bench.pair(reader);
        seen.add(fd);
        await bench.done(peer.write(new TextEncoder().encode(`${i}`)), "sent");
        await bench.until(() => reader.text === `${i}`, "its own byte, and no other");
        io.close(fd);
        peer.close();
      }
      ok(seen.size <= 10, `40 connections, one after another, took ${seen.size} descriptors`);
    },
  },
  {
    name: "a handler that throws costs its own connection only",
    async run(bench) {
      const { io } = bench;
      const bad = new BenchHandler();
      bad.react = () => {
        throw new Error("planted");
      };
      bad.onFault = (error) => {
        bad.faults.push(error);
        io.close(badPair.fd);
      };
      const badPair = await bench.pair(bad);
      const good = new Reader(io);
      const goodPair = await bench.pair(good);
      await bench.done(badPair.peer.write(new Uint8Array(1)), "sent");
      await bench.done(goodPair.peer.write(new TextEncoder().encode("fine")), "sent");
      await bench.until(() => good.text === "fine", "the other is served");
      await bench.until(() => bad.faults.length > 0, "the fault");
      equal(String(bad.faults[0]), "Error: planted");
      await bench.barrier();
      equal(bad.faults.length, 1);
    },
  },
  {
    name: "onBatchEnd comes after the events of a batch, and nowMs stands still meanwhile",
    async run(bench) {
      const { io } = bench;
      const log: string[] = [];
      let batchMs = -1;
      io.onBatchEnd(() => {
        log.push("end");
        if (batchMs >= 0) equal(io.nowMs, batchMs);
        batchMs = -1;
      });
      const probe = new BenchHandler();
      probe.react = () => {
        log.push("event");
        batchMs = io.nowMs;
        io.wantWrite(fd, false);
      };
      const { fd } = await bench.pair(probe);
      const before = io.nowMs;
      log.length = 0;
      io.wantWrite(fd, true);
      await bench.until(() => log.includes("event") && log.at(-1) === "end", "event and end");
      equal(log[log.indexOf("event") + 1], "end");
      ok(io.nowMs >= before);
    },
  },
  {
    name: "onSweep comes about every interval while a connection is open",
    async run(bench) {
      const { io } = bench;
      const atMs: number[] = [];
      io.onSweep(30, () => atMs.push(io.nowMs));
      await bench.pair(new BenchHandler());
      await bench.until(() => atMs.length >= 4, "four sweeps");
      for (let i = 1; i < 4; i++) {
        const gap = atMs[i] - atMs[i - 1];
        ok(gap >= 25, `Sweeps ${gap} ms apart`);
      }
    },
  },
  {
    name: "wakeBy: a sweep comes early, at the soonest of the moments asked for, and once",
    async run(bench) {
      const { io } = bench;
      const atMs: number[] = [];
      io.onSweep(60_000, () => atMs.push(io.nowMs));
      await bench.pair(new BenchHandler());
      // A native loop sweeps in its first turn, whatever its interval.
      atMs.length = 0;
      const startMs = io.nowMs;
      io.wakeBy(startMs + 60);
      io.wakeBy(startMs + 20);
      await bench.until(() => atMs.length > 0, "a sweep");
      ok(atMs[0] >= startMs + 20, `${atMs[0] - startMs} ms`);
      io.wakeBy(io.nowMs + 10);
      await bench.until(() => atMs.length > 1, "another sweep");
      ok(atMs[1] - atMs[0] >= 10 && atMs[1] < startMs + 30_000);
    },
  },
  {
    name: "a sweep may close connections",
    async run(bench) {
      const { io } = bench;
      const probe = new BenchHandler();
      const { fd, peer } = await bench.pair(probe);
      let isClosed = false;
      io.onSweep(10, () => {
        if (!isClosed) io.close(fd);
        isClosed = true;
      });
      equal(await bench.drain(peer), "");
      deepEqual(probe.events, []);
    },
  },
  {
    name: "stop closes what is open: connections and listeners",
    async run(bench) {
      const { io } = bench;
      const { peer } = await bench.pair(new BenchHandler());
      const { port } = io.listen("127.0.0.1", 0, { onAccept() {}, ...NO_FAULT });
      await bench.driver.end();
      equal(await peer.read(new Uint8Array(1)), null);
      const refused = await Deno.connect({ hostname: "127.0.0.1", port }).then(
        () => false,
        () => true,
      );
      ok(refused);
    },
  },
];

export const IO_CASES: readonly IoCase[] = [
  ...LISTENING,
  ...CONNECTING,
  ...READING,
  ...WRITING,
  ...EVENTS,
  ...HANDOVER_CASES,
];
