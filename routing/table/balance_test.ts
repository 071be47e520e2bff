import { ok, strictEqual as equal } from "node:assert/strict";
import { EndpointCursors } from "./balance.ts";
import { endpointForTest, planForTest, serviceForTest } from "./plan_for_test.ts";
import { buildTable } from "./table.ts";
import type { Table } from "./table.ts";

function tableOf(lasts: readonly number[], seed: number | null = null): Table {
  const groups = { "app/a:80": lasts.map((last) => endpointForTest(last)) };
  const plan = planForTest([serviceForTest()], { groups });
  return buildTable(plan, { namespace: "client", identity: "", seed });
}

function take(cursors: EndpointCursors, table: Table, count: number): string {
  const set = table.backends[0].endpointSet;
  const taken = Array.from({ length: count }, (_, n) => {
    const peeked = cursors.peek(set);
    const ahead = cursors.peek(set, count - n);
    const endpoint = cursors.next(set);
    equal(endpoint, peeked);
    equal(cursors.peek(set, count - n - 1), ahead);
    return endpoint.plan.address.split(".")[3];
  });
  return taken.join("");
}

Deno.test("endpoints take turns in order", () => {
  const table = tableOf([1, 2, 3]);
  equal(take(new EndpointCursors(table), table, 7), "1231231");
});

Deno.test("with a seed a fleet starts at every endpoint alike", () => {
  const counts = [0, 0, 0];
  for (let seed = 0; seed < 3000; seed++) {
    const table = tableOf([1, 2, 3], seed);
    counts[Number(take(new EndpointCursors(table), table, 1)) - 1]++;
  }
  ok(counts.every((count) => count > 900 && count < 1100), `${counts}`);
});

Deno.test("a new table goes on at the endpoint whose turn it was", () => {
  let table = tableOf([1, 2, 3, 4]);
  const cursors = new EndpointCursors(table);
  equal(take(cursors, table, 2), "12");
  table = tableOf([9, 1, 2, 3, 4]);
  cursors.rebind(table);
  equal(take(cursors, table, 1), "3");
  table = tableOf([1, 2, 3]);
  cursors.rebind(table);
  equal(take(cursors, table, 2), "12", "4 is gone, 1 came after it");
  cursors.rebind(tableOf([1, 2, 3])); // Not used under this table at all.
  table = tableOf([1, 2, 3]);
  cursors.rebind(table);
  equal(take(cursors, table, 1), "3");
  table = tableOf([7, 8]);
  cursors.rebind(table);
  equal(take(cursors, table, 3), "787");
});
