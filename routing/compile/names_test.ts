import { deepEqual } from "node:assert/strict";
import { parseServiceName } from "./names.ts";

function parsed(text: string, clusterDomain = "cluster.local"): string | undefined {
  const name = parseServiceName(text, clusterDomain);
  return name && `${name.namespace ?? "-"}/${name.name}`;
}

Deno.test("parseServiceName: every spelling of one Service", () => {
  const spellings: Record<string, string | undefined> = {
    "web": "-/web",
    "web.": "-/web",
    "WEB.App": "app/web",
    "web.app.svc": "app/web",
    "web.app.svc.cluster": "app/web",
    "web.app.svc.cluster.local": "app/web",
    "web.app.svc.cluster.local.": "app/web",
    "app/web": "app/web",
    " web ": "-/web",
  };
  deepEqual(Object.keys(spellings).map((text) => parsed(text)), Object.values(spellings));
});

Deno.test("parseServiceName: what names no Service of this cluster", () => {
  const others = [
    "",
    ".",
    "web.",
    "web..app",
    "web.app.pod",
    "web.app.svc.example.com",
    "a/b/c",
    "/web",
    "web:80",
    "wéb",
    "-web",
    "w".repeat(64),
    "example.com.",
  ];
  deepEqual(others.map((text) => parsed(text)), [
    undefined,
    undefined,
    "-/web",
    ...Array.from({ length: 9 }, () => undefined),
    // Two labels are a Service and its namespace, whatever they look like.
    "com/example",
  ]);
});

Deno.test("parseServiceName: another cluster domain", () => {
  deepEqual(parsed("web.app.svc.mesh.example", "mesh.example"), "app/web");
  deepEqual(parsed("web.app.svc.cluster.local", "mesh.example"), undefined);
});
