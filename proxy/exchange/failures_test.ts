// The mark by which a sidecar says that its application was not reached, and who is believed that gives it.
import { equal } from "node:assert/strict";
import type { EndpointTls } from "../tls/contexts.ts";
import type { TlsContext } from "../io/tls.ts";
import type { Loop } from "../loop/loop.ts";
import type { Router } from "../route/router.ts";
import { EndpointPool } from "../pool/pool.ts";
import { COMPLETE } from "../protocol/http1/head.ts";
import { Response } from "../protocol/http1/response.ts";
import { unreachedMark } from "../route/unreached.ts";
import { unreachedSaidBy } from "./failures.ts";

const PLACE = "10.0.0.1:8080";
const OTHER = "10.0.0.2:8080";
const CONTEXT = {} as TlsContext;
const ADDRESS = {} as EndpointPool["address"];
const CALLER = { place: "captured" } as Router;

function mesh(context: TlsContext | null, isMesh = true): EndpointTls {
  return { context, target: { serverName: null, uriSans: [] }, isMesh };
}

/** What an answer of this status comes to that gives the mark of `marked`. */
function said(pool: EndpointPool, marked: string, status = 503, router = CALLER) {
  const text = `HTTP/1.1 ${status} x\r\nx-weft-unreached: ${unreachedMark(marked)}\r\n\r\n`;
  const arena = new TextEncoder().encode(text);
  const response = new Response();
  equal(response.parse(arena, 0, arena.length), COMPLETE);
  return unreachedSaidBy(response, pool, router, { arena, io: { nowMs: 1_000 } } as Loop);
}

Deno.test("unreached: an endpoint says it of itself alone", () => {
  for (const security of [null, mesh(null), mesh(CONTEXT), mesh(CONTEXT, false)]) {
    const pool = new EndpointPool(PLACE, ADDRESS, security);
    equal(said(pool, OTHER), null);
    equal(pool.isUnreached(1_001), false);
    equal(said(pool, PLACE), "refused");
    equal(said(pool, PLACE, 504), "connect-timeout");
    equal(pool.isUnreached(1_001), true);
  }
});

Deno.test("unreached: behind a Service's address it is believed of sidecars that are known by certificate", () => {
  const service = (security: EndpointTls | null) =>
    new EndpointPool(PLACE, ADDRESS, security, { isService: true });
  const sidecars = service(mesh(CONTEXT));
  equal(said(sidecars, OTHER), "refused");
  // The next connection may find another pod.
  equal(sidecars.isUnreached(1_001) || sidecars.isAvoided(1_001), false);
  for (const security of [null, mesh(null), mesh(CONTEXT, false)]) {
    equal(said(service(security), OTHER), null);
  }
});

Deno.test("unreached: it is not believed beside the application, or of a place outside the mesh", () => {
  const outside = new EndpointPool(PLACE, ADDRESS, null, { isDirect: true });
  equal(said(outside, PLACE), null);
  const inbound = { place: "inbound" } as Router;
  equal(said(new EndpointPool(PLACE, ADDRESS, mesh(CONTEXT)), PLACE, 503, inbound), null);
});
