/** Values of an installation: keys of FSM and ours, each with one spelling, and what is wrong is one line. */
import { deepEqual, equal, match, throws } from "node:assert/strict";
import { parseAssignments, parseValuesFile } from "./given_values.ts";
import { controlPlane } from "./objects.ts";
import { readValues, VALUE_KEYS, valueAdvice } from "./values.ts";

const NO_KEYS = { authority: { cert: "", key: "" }, controller: { cert: "", key: "" } };

const set = (...texts: string[]) => readValues(parseAssignments(texts));

Deno.test("values: keys of FSM, with and without its prefix, are ours", () => {
  const { injection, replicaCount, given } = set(
    "fsm.sidecar.sidecarLogLevel=debug,fsm.fsmController.replicaCount=3",
    "fsm.outboundPortExclusionList={6379,7070}",
    "fsm.outboundIPRangeExclusionList={1.1.1.1/32,2.2.2.2/24},meshName=shop",
    "fsm.enforceSingleMesh=true",
  );
  equal(injection.logLevel, "debug");
  equal(replicaCount, 3);
  equal(injection.outboundPortExclusionList, "6379,7070");
  equal(injection.outboundIpRangeExclusionList, "1.1.1.1/32,2.2.2.2/24");
  equal(injection.meshName, "shop");
  deepEqual(given, {
    "sidecar.logLevel": "debug",
    replicaCount: "3",
    outboundPortExclusionList: "6379,7070",
    outboundIPRangeExclusionList: "1.1.1.1/32,2.2.2.2/24",
    meshName: "shop",
  });
});

Deno.test("values: Secrets that the image is pulled with are those of controllers and sidecars", () => {
  const values = set("imagePullSecrets={a,b.c}");
  equal(values.injection.imagePullSecrets, "a,b.c");
  const [deployment] = controlPlane(values, NO_KEYS).filter(({ kind }) => kind === "Deployment");
  match(JSON.stringify(deployment), /"imagePullSecrets":\[\{"name":"a"\},\{"name":"b\.c"\}\]/);
  throws(() => set("imagePullSecrets={A}"), /imagePullSecrets cannot be "A": write it like/);
});

Deno.test("values: a registry and a tag make an image, unless one is given", () => {
  equal(set("image.registry=r.example/team,image.tag=2").injection.image, "r.example/team/weft:2");
  equal(set("image.tag=2,sidecar.image=other:3").injection.image, "other:3");
});

Deno.test("values: a file may nest keys, and lists", () => {
  deepEqual(parseValuesFile("fsm:\n  replicaCount: 1\n  list: [1, a, {name: b}]\na.b: true\n"), {
    "fsm.replicaCount": "1",
    "fsm.list": "1,a,b",
    "a.b": "true",
  });
  deepEqual(parseValuesFile("# nothing\n"), {});
  throws(() => parseValuesFile("- a"), /a mapping/);
  throws(() => parseValuesFile("a: {b: }"), /a.b has no value/);
});

Deno.test("values: what is wrong is said with what is right", () => {
  throws(
    () => set("replicacont=3"),
    /"replicacont" is no value of an installation: "replicaCount"\?/,
  );
  throws(() => set("zzz=3"), /known are replicaCount, /);
  throws(() => set("replicaCount=0"), /replicaCount cannot be "0": write it like 2/);
  throws(() => set("fsm.trafficInterceptionMode=NodeLevel"), /always PodLevel/);
  throws(() => set("fsm.deployGrafana=true"), /docs\/observability.md/);
  throws(() => set("meshName"), /gives no value/);
  throws(() => readValues({}, "Weft"), /namespace cannot be "Weft"/);
});

Deno.test("values: every key has a default that it takes itself", () => {
  for (const key of VALUE_KEYS) {
    const { standard } = valueAdvice(key);
    if (standard !== "") readValues({ [key]: standard });
  }
});

Deno.test("values: another namespace is where sidecars find the controller", () => {
  equal(readValues({}, "mesh").injection.controller, "weft-controller.mesh.svc:15080");
});
