/** The command line of the benchmark. */
import assert from "node:assert/strict";
import { isForResults, parseOptions } from "./options.ts";

const NAMES = ["http1", "tls", "micro"];

Deno.test("parseOptions: everything, three rounds of three seconds, unless told otherwise", () => {
  const options = parseOptions([], NAMES);
  assert.deepEqual(options, { seconds: 3, rounds: 3, only: [], workloads: [], before: null });
  assert.equal(isForResults(options), true);
});

Deno.test("parseOptions reads lists and numbers", () => {
  const line = "--seconds 5 --rounds 7 --only Weft,haproxy --workload tls,http1 --before ./Weft";
  assert.deepEqual(parseOptions(line.split(" "), NAMES), {
    seconds: 5,
    rounds: 7,
    only: ["weft", "haproxy"],
    workloads: ["tls", "http1"],
    before: "./Weft",
  });
});

Deno.test("numbers of some contenders, or of a hasty run, are not kept", () => {
  for (const line of ["--only weft", "--seconds 1", "--rounds 1", "--before weft"]) {
    assert.equal(isForResults(parseOptions(line.split(" "), NAMES)), false, line);
  }
  for (const line of ["--seconds 9", "--workload tls", "--no-micro"]) {
    assert.equal(isForResults(parseOptions(line.split(" "), NAMES)), true, line);
  }
});

Deno.test("--no-micro is every workload but one, or those that are named", () => {
  assert.deepEqual(parseOptions(["--no-micro"], NAMES).workloads, ["http1", "tls"]);
  const named = ["--workload", "tls,micro", "--no-micro"];
  assert.deepEqual(parseOptions(named, NAMES).workloads, ["tls"]);
});

Deno.test("parseOptions refuses what it does not know", () => {
  for (const line of ["--fast", "--fast 1", "--seconds 0", "--seconds", "--workload quic"]) {
    assert.throws(() => parseOptions(line.split(" "), NAMES), Error, line);
  }
});
