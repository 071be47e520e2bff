/** Cases of `Io` for looking at first bytes and passing a connection on: what protocol detection is made of. */
import { deepEqual, equal } from "node:assert/strict";
import { AGAIN, END } from "../../proxy/io/io.ts";
import { BenchHandler, READ_AT, READ_BYTES, Reader } from "./bench.ts";
import type { IoCase } from "./bench.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const HANDOVER_CASES: readonly IoCase[] = [
  {
    name: "peek gives bytes that stay to be read",
    async run(bench) {
      const { io } = bench;
      const probe = new BenchHandler();
      const { fd, peer } = await bench.pair(probe);
      equal(io.peek(fd, READ_AT, READ_BYTES), AGAIN);
      await bench.done(peer.write(encoder.encode("first bytes")), "sent");
      await bench.until(() => probe.count("readable") > 0, "readable");
      for (const length of [5, 5, 64]) {
        const count = io.peek(fd, READ_AT, length);
        const seen = decoder.decode(io.arena.subarray(READ_AT, READ_AT + count));
        equal(seen, "first bytes".slice(0, length));
      }
      equal(io.read(fd, READ_AT, READ_BYTES), 11);
      equal(io.peek(fd, READ_AT, READ_BYTES), AGAIN);
    },
  },
  {
    name: "peek tells of the end, which stays to be read too",
    async run(bench) {
      const { io } = bench;
      const probe = new BenchHandler();
      const { fd, peer } = await bench.pair(probe);
      await bench.done(peer.closeWrite(), "ended");
      await bench.until(() => probe.count("readable") > 0, "readable");
      equal(io.peek(fd, READ_AT, READ_BYTES), END);
      equal(io.read(fd, READ_AT, READ_BYTES), END);
    },
  },
  {
    name: "handOver: bytes that were peeked at go to the next handler, and no event to the former",
    async run(bench) {
      const { io } = bench;
      const former = new BenchHandler();
      const next = new Reader(io);
      const { fd, peer } = await bench.pair(former);
      former.react = () => {
        io.peek(fd, READ_AT, 1);
        next.fd = fd;
        io.handOver(fd, next);
      };
      await bench.done(peer.write(encoder.encode("one ")), "sent");
      await bench.until(() => next.text === "one ", "the next handler reads");
      await bench.done(peer.write(encoder.encode("two")), "sent");
      await bench.until(() => next.text === "one two", "and goes on reading");
      equal(former.events.length, 1);
      peer.close();
      await bench.until(() => next.hasEnded, "and is told of the end");
      io.close(fd);
    },
  },
  {
    name: "handOver makes a connection readable again whose reading was off",
    async run(bench) {
      const { io } = bench;
      const former = new BenchHandler();
      const next = new Reader(io);
      const { fd, peer } = await bench.pair(former);
      io.wantRead(fd, false);
      await bench.done(peer.write(encoder.encode("waiting")), "sent");
      next.fd = fd;
      io.handOver(fd, next);
      await bench.until(() => next.text === "waiting", "the next handler reads");
      equal(former.events.length, 0);
    },
  },
  {
    name: "originalDestination of a connection that was not redirected is not known",
    async run(bench) {
      const { fd } = await bench.pair(new BenchHandler());
      equal(bench.io.originalDestination(fd), null);
    },
  },
  {
    name:
      "destination of a connection that was not redirected is where it came in, until it is closed",
    async run(bench) {
      const { io } = bench;
      const seen: unknown[] = [];
      const { port } = io.listen("127.0.0.1", 0, {
        onAccept(fd) {
          seen.push(io.destination(fd));
          io.close(fd);
          seen.push(io.destination(fd));
        },
        onFault(error) {
          throw error;
        },
      });
      await bench.dial(port);
      await bench.until(() => seen.length === 2, "a client");
      deepEqual(seen, [{ address: "127.0.0.1", port }, null]);
    },
  },
  {
    name: "isOwn: a connection that this driver opened to itself, and no other",
    async run(bench) {
      const { io } = bench;
      if (io.kind !== "native") return;
      const accepted: { fd: number; isOwn: boolean }[] = [];
      const { port } = io.listen("127.0.0.1", 0, {
        onAccept(fd) {
          accepted.push({ fd, isOwn: io.isOwn(fd) });
        },
        onFault(error) {
          throw error;
        },
      });
      await bench.dial(port);
      await bench.until(() => accepted.length === 1, "another client");
      const own = io.connect(io.address("127.0.0.1", port), new BenchHandler());
      await bench.until(() => accepted.length === 2, "a client of our own");
      deepEqual(accepted.map(({ isOwn }) => isOwn), [false, true]);
      io.close(own);
      for (const { fd } of accepted) io.close(fd);
    },
  },
];
