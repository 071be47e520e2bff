// Tests of weft.local.yaml and the flags that do the same.
import assert from "node:assert/strict";
import { formatPosition } from "../base/finding.ts";
import { CommandFailure } from "../console/exit.ts";
import {
  mergeSettings,
  parseSettings,
  settingFor,
  settingsOfFlags,
  unusedNames,
} from "./settings.ts";

const names = { namespace: "shop", pod: "cart-0", workload: "cart" };

Deno.test("parseSettings: commands, endpoints and variables", () => {
  const { settings, findings } = parseSettings(
    `
run:
  cart: node cart.js --port {port}
  shop/web:
    command: npm start
    directory: ./web
    env: { DEBUG: 1 }
endpoints:
  pay: "[::1]:9000"
env:
  LEVEL: high
`,
    "weft.local.yaml",
  );
  assert.deepEqual(findings, []);
  assert.deepEqual([...settings.runs], [
    ["cart", {
      command: "node cart.js --port {port}",
      directory: undefined,
      env: { LEVEL: "high" },
    }],
    ["shop/web", {
      command: "npm start",
      directory: "./web",
      env: { LEVEL: "high", DEBUG: "1" },
    }],
  ]);
  assert.deepEqual([...settings.endpoints], [["pay", { host: "::1", port: 9000 }]]);
});

Deno.test("parseSettings: an empty file says nothing", () => {
  for (const text of ["", "# nothing\n", "run:\n"]) {
    assert.deepEqual(parseSettings(text, "f").findings, [], JSON.stringify(text));
  }
});

Deno.test("parseSettings: every complaint has its code and its place", () => {
  const cases: [string, string, string][] = [
    ["run: [a]\n", "schema-invalid", "f:1:6"],
    ["run:\n  web:\n    comand: x\n", "field-misspelt", "f:3:13"],
    ["run:\n  web: 7\n", "schema-invalid", "f:2:8"],
    ["run:\n  Web Shop: x\n", "schema-invalid", "f:2:13"],
    ["endpoints:\n  web: 127.0.0.1\n", "schema-invalid", "f:2:8"],
    ["endpoints:\n  web: 127.0.0.1:70000\n", "schema-invalid", "f:2:8"],
    ["runs:\n  web: x\n", "field-misspelt", "f:2:3"],
    ["run: {a: b\n", "yaml-syntax", "f:2:1"],
  ];
  for (const [text, code, place] of cases) {
    const [finding] = parseSettings(text, "f").findings;
    assert.equal(finding?.code, code, text);
    assert.equal(finding.position && formatPosition(finding.position), place, text);
  }
});

Deno.test("settingsOfFlags: a command may hold an equals sign", () => {
  const { runs, endpoints } = settingsOfFlags({
    run: ["web=env A=b node s.js"],
    endpoint: ["shop/pay=localhost:80"],
  });
  assert.equal(runs.get("web")?.command, "env A=b node s.js");
  assert.deepEqual(endpoints.get("shop/pay"), { host: "localhost", port: 80 });
});

Deno.test("settingsOfFlags: what is not understood is a usage failure", () => {
  const wrong = [
    { run: ["node s.js"] },
    { run: ["web="] },
    { run: ["=x"] },
    { endpoint: ["web=127.0.0.1"] },
    { endpoint: ["web=:80"] },
    { run: ["web=x"], endpoint: ["web=127.0.0.1:80"] },
  ];
  for (const flags of wrong) {
    assert.throws(
      () => settingsOfFlags(flags),
      (error) => error instanceof CommandFailure && error.exitCode === 2,
      JSON.stringify(flags),
    );
  }
});

Deno.test("settingFor: the pod's name counts before the workload's", () => {
  const settings = new Map([["cart", 1], ["shop/cart", 2], ["cart-0", 3]]);
  assert.equal(settingFor(settings, names), 3);
  settings.delete("cart-0");
  assert.equal(settingFor(settings, names), 2);
  settings.delete("shop/cart");
  assert.equal(settingFor(settings, names), 1);
  assert.equal(settingFor(settings, { ...names, workload: "cart-v2" }), undefined);
});

Deno.test("mergeSettings: what the flags say of a name replaces what the file says", () => {
  const file = parseSettings("run: { cart: a, web: b }\nendpoints: { pay: 'h:1' }\n", "f").settings;
  const flags = settingsOfFlags({ run: ["pay=c"], endpoint: ["cart=h:2"] });
  const merged = mergeSettings(file, flags);
  assert.deepEqual([...merged.runs.keys()], ["web", "pay"]);
  assert.deepEqual([...merged.endpoints.keys()], ["cart"]);
});

Deno.test("unusedNames: names that no pod answers to", () => {
  const settings = settingsOfFlags({ run: ["cart=x", "crat=x"], endpoint: ["shop/cart-0=h:1"] });
  assert.deepEqual(unusedNames(settings, [names]), ["crat"]);
});
