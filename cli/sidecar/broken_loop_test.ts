// An event loop that ends by itself takes the whole proxy with it: what breaks it here is a descriptor that goes away under it.
import assert from "node:assert/strict";
import { openLibc } from "../../proxy/io/libc.ts";
import {
  planText,
  request,
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

if (Deno.build.os === "linux") {
  for (const workers of [0, 2]) {
    testInFolder(
      `proxy, ${workers} workers: an event loop that ends, ends it with one line`,
      async (folder) => {
        const application = startApplication("one");
        const file = `${folder}/plan.json`;
        Deno.writeTextFileSync(file, await planText(application.port));
        const argv = ["--plan", file, "--driver", "native", "--workers", String(workers)];
        const { outbound, environment, code } = await startSidecar(argv);
        assert.equal((await request(outbound, "web.app")).body, "one");
        const epolls = epollsOf(outbound);
        assert.equal(epolls.length, Math.max(1, workers));
        openLibc().close(epolls[0]);
        // A loop that waits in the kernel finds out with its next event. Which loop a client comes to is the kernel's choice, and
        // nobody may be there to answer.
        let isOver = false;
        const ended = code.finally(() => isOver = true);
        while (!isOver) {
          (await Deno.connect({ hostname: "127.0.0.1", port: outbound })).close();
          await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 10))]);
        }
        assert.equal(await code, 1);
        const lines = environment.stderr.text().trimEnd().split("\n");
        assert.match(lines[lines.length - 1], /^weft: An event loop of the proxy has ended: /);
        assert.equal(lines.filter((line) => /ended/.test(line)).length, 1);
        await application.server.shutdown();
      },
    );
  }
}
