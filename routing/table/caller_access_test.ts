// Tests of caller_access.ts, and of explain_call.ts against it: what targets allow the callers of one workload.
import assert from "node:assert/strict";
import fc from "fast-check";
import type { PlanMatch } from "../plan.ts";
import { type RequestHead, requestHeadOf } from "../request.ts";
import { CallerAccess } from "./caller_access.ts";
import { explainCall } from "./explain_call.ts";
import { matchForTest, planForTest, targetForTest } from "./plan_for_test.ts";

const READ = matchForTest({ path: "/read", methods: ["GET"] });

function headOf(method: string, path: string) {
  return requestHeadOf({ method, url: `http://server${path}` });
}

Deno.test("a caller may do what the targets that name it and the workload allow together", () => {
  const access = new CallerAccess(
    {
      targets: [
        targetForTest({ http: [READ] }),
        targetForTest({ sources: ["app/client", "app/b"], http: [matchForTest({ path: "/b" })] }),
        targetForTest({ destination: "app/elsewhere", http: [matchForTest()] }),
        targetForTest({ sources: ["app/c"], http: [matchForTest()] }),
      ],
    },
    "app/server",
    8080,
  );
  const allows = (caller: string, method: string, path: string) =>
    access.profileOf(caller)?.allowsHttp(headOf(method, path)) ?? false;
  assert.equal(allows("app/client", "GET", "/read/this"), true);
  assert.equal(allows("app/client", "POST", "/read/this"), false);
  assert.equal(allows("app/client", "POST", "/b"), true);
  assert.equal(allows("app/b", "GET", "/read"), false);
  assert.equal(allows("app/c", "PUT", "/anything"), true);
  assert.equal(access.profileOf("other/client"), null);
  assert.equal(access.profileOf(""), null);
  assert.equal(access.profileOf("app/client"), access.profileOf("app/client"), "Made once");
});

Deno.test("a target's port, and its TCP rule, are about where the application listens", () => {
  const targets = [
    targetForTest({ port: 8080, http: [READ] }),
    targetForTest({ sources: ["app/tcp"], tcpPorts: [5432] }),
  ];
  const at = (port: number) => new CallerAccess({ targets }, "app/server", port);
  assert.notEqual(at(8080).profileOf("app/client"), null);
  assert.equal(at(9090).profileOf("app/client"), null);
  assert.equal(at(8080).profileOf("app/client")?.tcpTarget, null);
  assert.equal(at(5432).profileOf("app/tcp")?.tcpTarget, targets[1]);
  assert.equal(at(5433).profileOf("app/tcp")?.tcpTarget, null);
});

Deno.test("a path that may be read as another one is refused where targets judge paths", () => {
  const refusalOf = (path: string, ...http: PlanMatch[]) =>
    new CallerAccess({ targets: [targetForTest({ http })] }, "app/server", 80)
      .refusalOf("app/client", headOf("GET", path));
  assert.equal(refusalOf("/read/../write", READ), "path-ambiguous");
  assert.equal(refusalOf("/read/%2e%2e%2fwrite", READ), "path-ambiguous");
  assert.equal(refusalOf("/write/../read", READ), "access-denied");
  assert.equal(refusalOf("/read/.hidden", READ), null);
  for (const path of [null, ".*"]) {
    assert.equal(refusalOf("/read/../write", matchForTest({ path })), null);
  }
  const tcp = new CallerAccess({ targets: [targetForTest({ tcpPorts: [] })] }, "app/server", 80);
  assert.equal(tcp.refusalOf("app/client", headOf("GET", "/a/../b")), null);
  assert.equal(tcp.refusalOf("app/client", null), null);
});

Deno.test("explainCall says what CallerAccess does", () => {
  const account = fc.constantFrom("app/a", "app/b", "app/c");
  const target = fc.record({
    destination: account,
    sources: fc.uniqueArray(account),
    port: fc.constantFrom(null, 80, 81),
    http: fc.array(fc.constantFrom(READ, matchForTest({ path: "/b" })), { maxLength: 2 }),
    tcpPorts: fc.constantFrom(null, [], [80]),
  });
  fc.assert(fc.property(
    ...[fc.array(target), account, account, fc.constantFrom(80, 81)] as const,
    fc.constantFrom("GET", "POST"),
    fc.constantFrom("/read", "/b", "/", "/read/../b"),
    fc.boolean(),
    (targets, caller, destination, port, method, path, isWhole) => {
      const plan = planForTest([], { permissive: false, targets: targets.map(targetForTest) });
      const head = headOf(method, path);
      const decided = new CallerAccess(plan, destination, port);
      const { reason, access } = explainCall(plan, { caller, destination, port }, {
        ...asked(head),
        isWhole,
      });
      assert.equal(reason, decided.refusalOf(caller, isWhole ? null : head));
      assert.equal(access.isAllowed, reason === null || reason === "path-ambiguous");
      assert.equal(access.guards.length, decided.profileOf(caller) === null ? 0 : 1);
    },
  ));
});

Deno.test("explainCall: in permissive mode nothing is enforced; an empty name is no name", () => {
  const call = { caller: "", destination: "app/server", port: 80 };
  const head = headOf("GET", "/");
  const open = explainCall(planForTest([]), call, asked(head));
  assert.deepEqual([open.outcome, open.access.isEnforced], ["forward", false]);
  const closed = explainCall(planForTest([], { permissive: false }), call, asked(head));
  assert.deepEqual([closed.reason, closed.status], ["identity-missing", 403]);
});

function asked(head: RequestHead) {
  return { head, isWhole: false, unrouted: null };
}
