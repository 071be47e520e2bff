/** What simulations have found in HTTP/2, each in the fewest steps that show it. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import * as frames from "./http2_frames.ts";
import { encodeLiterals } from "./hpack.ts";
import { Probe } from "./probe.ts";
import { Scenario } from "./scenario.ts";

const GET = "GET /t HTTP/1.1\r\nHost: svc0.sim\r\n\r\n";

function statusesOf(text: string): string[] {
  return Array.from(text.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, status]) => status);
}

Deno.test("an endpoint that is given up for its window costs its request one answer, not two", () => {
  const scenario = new Scenario("http2");
  const client = scenario.client();
  scenario.pass(1);
  client.send(
    `POST /t HTTP/1.1\r\nHost: svc0.sim\r\nContent-Length: 4000\r\n\r\n${"x".repeat(4000)}`,
  );
  scenario.pass(1);
  const [endpoint] = scenario.endpoint;
  endpoint.send(frames.settings([[frames.SETTING_WINDOW, 1]]));
  for (let i = 0; i < 400 && !endpoint.side.hasEnded; i++) {
    scenario.pass(1);
    if (!endpoint.side.hasEnded) endpoint.send(frames.windowUpdate(1, 1));
  }
  match(endpoint.text, /the window is too small/);
  deepEqual(statusesOf(client.text), ["502"]);
  client.send(GET);
  scenario.pass(1);
  const next = scenario.endpoint[1];
  next.send(frames.settings([]));
  scenario.pass(1);
  const head = frames.END_HEADERS | frames.END_STREAM;
  next.send(frames.frame(frames.HEADERS, head, 1, encodeLiterals([[":status", "204"]])));
  scenario.pass(1);
  deepEqual(statusesOf(client.text), ["502", "204"]);
});

Deno.test("a connection that was made for a client who gave up is closed", () => {
  const scenario = new Scenario("http2");
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(1);
  client.side.reset();
  scenario.pass(1);
  scenario.endpoint[0].send(frames.settings([]));
  scenario.pass(1_000);
  equal(scenario.io.connections, 1);
  scenario.pass(1_500);
  equal(scenario.io.connections, 0);
});

Deno.test("a connection that nothing is under way on is closed when its endpoint says GOAWAY", () => {
  const scenario = new Scenario("http2");
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(1);
  client.side.reset();
  scenario.pass(1);
  scenario.endpoint[0].send(frames.settings([]), frames.goaway(0, frames.NO_ERROR));
  scenario.pass(1);
  equal(scenario.io.connections, 0);
});

Deno.test("a client of HTTP/2 that comes when there is no buffer costs its connection and no more", () => {
  const probe = new Probe();
  probe.watch(() => {
    const scenario = new Scenario("http2");
    const client = scenario.client();
    scenario.pass(1);
    client.send(frames.PREFACE.subarray(0, 10));
    scenario.pass(1);
    probe.buffersMax = 0;
    client.send(frames.PREFACE.subarray(10), frames.settings([]));
    scenario.pass(1);
    let isDrained = false;
    scenario.engine.drain(() => {
      isDrained = true;
    });
    scenario.pass(10_000);
    ok(isDrained);
    equal(scenario.engine.snapshot().faults, 0);
    equal(probe.leftovers(), "");
  });
});
