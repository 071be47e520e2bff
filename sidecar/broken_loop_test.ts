// An event loop that ends by itself takes the whole proxy with it: what breaks it here is a descriptor that goes away under it.
import assert from "node:assert/strict";
import { openLibc } from "../proxy/io/libc.ts";
import { until } from "../tests/support/until.ts";
import { run } from "../cli/run.ts";
import { testEnvironment } from "../console/testing.ts";
import {
  manifest,
  planText,
  requestThrough,
  startApplication,
  startSidecar,
  testInFolder,
} from "./sidecar_for_test.ts";

/** The epoll instances that watch a socket which listens on this port, one for each event loop. */
function epollsOf(port: number): number[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = Deno.readTextFileSync("/proc/self/net/tcp").split("\n").slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${hexPort}`) && state === "0A")
    .map((columns) => `socket:[${columns[9]}]`);
  const links = [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      return [[Number(name), Deno.readLinkSync(`/proc/self/fd/${name}`)] as const];
    } catch {
      // The one that the folder itself was read by.
      return [];
    }
  });
  const listeners = links.filter(([, link]) => inodes.includes(link)).map(([fd]) => fd);
  return links.filter(([, link]) => link === "anon_inode:[eventpoll]").map(([fd]) => fd)
    .filter((fd) => {
      const watched = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`).matchAll(/^tfd: +(\d+)/gm);
      return [...watched].some(([, target]) => listeners.includes(Number(target)));
    });
}

/**
 * Takes the kernel's events from the first event loop that listens on this port, and waits for what that comes to. A loop that
 * waits finds out with its next event; which loop a client comes to is the kernel's choice, and nothing may be there to answer.
 */
async function breakLoop(port: number, ended: Promise<unknown>): Promise<void> {
  openLibc().close(epollsOf(port)[0]);
  let isOver = false;
  const end = ended.finally(() => isOver = true);
  await until("the end", async () => {
    if (!isOver) await knock(port);
    return isOver;
  }, (over) => over);
  await end;
}

/** Comes and goes; the door may be closing. */
async function knock(port: number): Promise<void> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
  } catch (error) {
    const isClosing = error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.ConnectionRefused;
    if (!isClosing) throw error;
  }
}

const IS_LINUX = Deno.build.os === "linux";
for (const workers of IS_LINUX ? [0, 2] : []) {
  testInFolder(
    `proxy, ${workers} workers: an event loop that ends, ends it with one line`,
    async (folder) => {
      const application = startApplication("one");
      const file = `${folder}/plan.json`;
      Deno.writeTextFileSync(file, await planText(application.port));
      const argv = ["--plan", file, "--driver", "native", "--workers", String(workers)];
      const { outbound, environment, code } = await startSidecar(argv);
      assert.equal((await requestThrough(outbound, "web.app")).body, "one");
      assert.equal(epollsOf(outbound).length, Math.max(1, workers));
      await breakLoop(outbound, code);
      assert.equal(await code, 1);
      const lines = environment.stderr.text().trimEnd().split("\n");
      assert.match(lines[lines.length - 1], /^weft: An event loop of the proxy has ended: /);
      assert.equal(lines.filter((line) => /ended/.test(line)).length, 1);
      await application.server.shutdown();
    },
  );
}

if (IS_LINUX) {
  testInFolder("up: an event loop that ends, ends the mesh", async (folder) => {
    const application = startApplication("one");
    Deno.writeTextFileSync(`${folder}/web.yaml`, manifest(application.port));
    const environment = testEnvironment();
    const argv = ["up", "-f", folder, "--port", "0", "--admin", "off", "--driver", "native"];
    const code = run(argv, environment);
    await environment.stdout.until(/The mesh is up[^]*http:/);
    const port = Number(/app +http:\/\/127\.0\.0\.1:(\d+)/.exec(environment.stdout.text())?.[1]);
    await breakLoop(port, code);
    assert.equal(await code, 1);
    assert.match(environment.stdout.text(), /failed: An event loop of the proxy has ended: /);
    await application.server.shutdown();
  });
}
