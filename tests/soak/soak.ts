/**
 * A bounded soak on loopback: `deno task soak [--seconds 60] [--driver native] [--seed N]`. Mixed traffic through a
 * real proxy, a new plan every 100 ms, endpoints that die and come back. Wants no wrong byte, no fault, no
 * descriptor and no buffer left over, and memory that does not grow. Not part of CI.
 */
import { Random } from "../../base/random.ts";
import { TestProxy } from "../support/test_proxy.ts";
import type { Driver } from "../support/test_proxy.ts";
import { runClient } from "./soak_client.ts";
import type { Tally } from "./soak_client.ts";
import { SoakOrigin } from "./soak_origin.ts";

const CLIENTS = 24;
const ORIGINS = 6;
const SWAP_MS = 100;
const DEATH_MS = 700;
const REVIVAL_MS = 300;
/**
 * Growth of resident memory from the third quarter to the last that is still noise. In the first half heaps grow to
 * their size, in steps; a leak of 1 KiB a request would be twice this.
 */
const GROWTH_BYTES_MAX = 8 * 1024 * 1024;

function argument(name: string, otherwise: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Deno.args[at + 1];
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Of this process, without the pairs of local sockets that the runtime makes for itself when it likes. */
function openDescriptors(): number {
  if (Deno.build.os !== "linux") return 0;
  const local = new Set(
    Deno.readTextFileSync("/proc/net/unix").split("\n").map((line) => line.split(/\s+/)[6]),
  );
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    let target = "";
    try {
      target = Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The folder itself, read a moment ago.
      continue;
    }
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode === undefined || !local.has(inode)) count++;
  }
  return count;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

const seconds = Number(argument("seconds", "60"));
const driver = argument("driver", "native") as Driver;
const seed = Number(argument("seed", `${Date.now() % 1e9}`));
const random = new Random(seed, "soak");
const tally: Tally = { answered: 0, refused: 0, cut: 0, abandoned: 0, bytes: 0, wrong: [] };

await using proxy = await TestProxy.start(driver);
const origins = Array.from(
  { length: ORIGINS },
  () => new SoakOrigin((what) => tally.wrong.push(what)),
);
// Asking leaves a connection to the admin port open: it is no leak.
await proxy.metric("weft_faults_total");
const descriptors = openDescriptors();
let isOver = false;
let swaps = 0;
let deaths = 0;

async function swapPlans(): Promise<void> {
  while (!isOver) {
    const kept = origins.filter(() => random.below(3) > 0);
    await proxy.route(...(kept.length > 0 ? kept : origins.slice(0, 1)));
    swaps++;
    await pause(SWAP_MS);
  }
}

async function killOrigins(): Promise<void> {
  while (!isOver) {
    await pause(DEATH_MS);
    const origin = origins[random.below(ORIGINS)];
    origin.die();
    deaths++;
    await pause(REVIVAL_MS);
    origin.comeBack();
  }
}

async function watchMemory(): Promise<number[]> {
  const samples: number[] = [];
  for (let second = 1; !isOver; second++) {
    await pause(1_000);
    samples.push(Deno.memoryUsage().rss);
    if (second % 10 === 0) {
      const mebibytes = Math.round((samples.at(-1) ?? 0) / 1024 / 1024);
      console.log(`${second} s: ${tally.answered} answers, ${mebibytes} MiB resident`);
    }
  }
  return samples;
}

await proxy.route(...origins);
const clients = Array.from(
  { length: CLIENTS },
  (_, i) => runClient(proxy.port, new Random(seed, `client ${i}`), tally, () => isOver),
);
const others = [swapPlans(), killOrigins()];
const memory = watchMemory();
await pause(seconds * 1_000);
isOver = true;
await Promise.all([...clients, ...others]);
const samples = await memory;
await proxy.checkNothingLeft();
for (const origin of origins) origin.die();

// In a shorter run heaps are still growing to their size.
const isLong = seconds >= 40;
const quarter = Math.floor(samples.length / 4);
const growth = median(samples.slice(3 * quarter)) - median(samples.slice(2 * quarter, 3 * quarter));
// The listeners of the endpoints are closed, and nothing else may be open that was not before. Sockets that are
// closed go a little later.
const leftOpen = () => openDescriptors() + ORIGINS - descriptors;
for (let i = 0; i < 50 && leftOpen() > 0; i++) await pause(100);
const left = leftOpen();
console.log(JSON.stringify({ driver, seed, seconds, swaps, deaths, growth, left, ...tally }));
const problems = [
  ...tally.wrong.slice(0, 10),
  ...(left > 0 ? [`${left} descriptors left open`] : []),
  ...(isLong && growth > GROWTH_BYTES_MAX ? [`memory grew by ${growth} bytes`] : []),
  ...(tally.answered < 100 * seconds ? ["too little traffic to show anything"] : []),
];
for (const problem of problems) console.log(`FAILED: ${problem}`);
Deno.exitCode = problems.length > 0 ? 1 : 0;
