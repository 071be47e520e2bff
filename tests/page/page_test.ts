/**
 * The page in a real browser: it says what `weft explain` says, shows where that is written, can be used without a mouse and
 * by a screen reader, fits a phone, and asks for nothing.
 */
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { run } from "../../cli/run.ts";
import { testEnvironment } from "../../console/testing.ts";
import { ROOT } from "../../tools/repository.ts";
import { keepPicture } from "./pictures.ts";
import { CHROMIUM, openPage, startBrowser } from "./browser.ts";

if (CHROMIUM === null) console.log("skipped the page in a browser: there is no Chromium");

const folder = Deno.makeTempDirSync();

/** The page of a command line, as a file: each is made once. */
const pages = new Map<string, Promise<string>>();

async function pageOf(argv: readonly string[]): Promise<string> {
  const key = argv.join(" ");
  const file = `${folder}/${pages.size}.html`;
  const made = pages.get(key) ?? makePage(file, argv);
  pages.set(key, made);
  return await made;
}

async function makePage(file: string, argv: readonly string[]): Promise<string> {
  const environment = testEnvironment();
  const code = await run(["playground", "--out", file, ...argv], environment);
  assert.equal(code, 0, environment.stderr.text());
  return `file://${file}`;
}

let browser: Promise<Browser> | null = null;

function startedBrowser(): Promise<Browser> {
  return browser ??= startBrowser();
}

Deno.test.afterAll(async () => {
  await (await browser)?.close();
  await Deno.remove(folder, { recursive: true });
});

/** Runs one part of the test on a fresh page. */
function onPage(
  name: string,
  argv: readonly string[],
  use: (page: Page, url: string) => Promise<void>,
  options: Parameters<typeof openPage>[2] = {},
  expected: RegExp | null = null,
): void {
  Deno.test({
    name: `page: ${name}`,
    ignore: CHROMIUM === null,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      Deno.chdir(ROOT);
      const url = await pageOf(argv);
      await using opened = await openPage(await startedBrowser(), url, options);
      await use(opened.page, url);
      assert.deepEqual(opened.faults.filter((fault) => expected?.test(fault) !== true), []);
    },
  });
}

function verdict(page: Page): Promise<string | null> {
  return page.locator(".verdict").textContent();
}

async function untilVerdict(page: Page, text: RegExp): Promise<void> {
  await page.locator(".verdict", { hasText: text }).waitFor();
}

onPage("the words are those of weft explain, step by step", [], async (page) => {
  const environment = testEnvironment();
  const argv = [
    "-f",
    "examples/canary/",
    "--from",
    "curl",
    "GET",
    "http://httpbin.httpbin:8080/test",
  ];
  assert.equal(await run(["explain", ...argv], environment), 0);
  const told = environment.stdout.text();
  const steps = await page.locator(".step").evaluateAll((all) =>
    all.map((step) => [
      step.querySelector("dt")?.textContent ?? "",
      step.querySelector("dd > span")?.textContent ?? "",
    ])
  );
  assert.ok(steps.length >= 6, `${steps.length} steps`);
  for (const [name, text] of steps) {
    // A place is shown shorter.
    const [start] = text.split(/, [\w-]+\.yaml/);
    assert.ok(told.includes(`  ${name.padEnd(8)}  ${start}`), `${name}: ${text}\n${told}`);
  }
  assert.ok(told.includes(await verdict(page) ?? "?"));
});

onPage(
  "the line that decides is marked and shown, and a place leads to its line",
  [],
  async (page) => {
    assert.equal(
      await page.locator("[role=tab][aria-selected=true]").textContent(),
      "routes.yaml: this decides the request",
    );
    const marked = page.locator(".mark.decides");
    assert.equal(await marked.count(), 1);
    await page.getByRole("button", { name: /^Show ?splits\.yaml:25$/ }).click();
    await page.locator("[role=tab][aria-selected=true]", { hasText: "splits.yaml" }).waitFor();
    await page.locator(".mark.warning.shown").waitFor();
  },
);

onPage("what is typed counts: a manifest, the request, the caller", [], async (page) => {
  await page.getByRole("tab", { name: /splits\.yaml/ }).click();
  const text = page.getByRole("textbox", { name: "Text of splits.yaml" });
  await text.fill((await text.inputValue()).replace("weight: 75", "weight: 0"));
  await untilVerdict(page, /^forwarded to httpbin\/httpbin-v2, /);
  await page.getByLabel("URL").fill("http://nowhere/");
  await untilVerdict(page, /^the proxy answers 404: host-unknown$/);
  await page.getByLabel("Caller").fill("No such!");
  await untilVerdict(page, /is not a sender/);
  await page.getByLabel("Caller").fill("");
  await page.getByLabel("URL").fill("tcp://httpbin.httpbin:8080");
  await untilVerdict(page, /^forwarded to /);
  await page.getByLabel("URL").fill("http://httpbin.httpbin:8080/test");
  await page.getByLabel("Headers, one a line").fill("no header");
  await untilVerdict(page, /is not a header/);
});

onPage("another mesh answers by its own rules", [], async (page) => {
  await page.getByLabel("URL").fill("http://httpbin.httpbin:8080/x");
  await page.getByLabel("Method").selectOption("POST");
  await untilVerdict(page, /^forwarded to httpbin\/httpbin, /);
  await page.getByLabel("Answered by").selectOption("FSM");
  await untilVerdict(page, /^the proxy answers 403: no-rule$/);
  await page.getByText("as FSM would, by its sources").waitFor();
});

onPage(
  "the picture is the split: sequence, shares, and endpoints of one backend",
  [],
  async (page) => {
    const letters = await page.locator(".cell text").allTextContents();
    assert.equal(letters.slice(0, 8).join(""), "ABAAABAA");
    assert.equal(letters.length, 40);
    const rows = await page.locator(".split .shares tbody tr").evaluateAll((all) =>
      all.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent).join(" "))
    );
    assert.deepEqual(rows, ["75 75.0% 75.0% 30", "25 25.0% 25.0% 10"]);
    await page.getByRole("slider", { name: "Requests" }).fill("3");
    await page.locator(".split output", { hasText: /^3$/ }).waitFor();
    await page.getByRole("button", { name: "Play" }).click();
    await page.getByRole("button", { name: "Play" }).waitFor();
    await page.getByLabel("URL").fill("http://httpbin.httpbin:8080/without-a-rule");
    await page.getByLabel("Method").selectOption("POST");
    await page.locator(".split thead th", { hasText: "endpoint" }).waitFor();
  },
);

onPage("a link holds all of it; a broken one changes nothing", [], async (page, url) => {
  await page.getByLabel("URL").fill("http://httpbin.httpbin:8080/linked");
  await page.getByLabel("Headers, one a line").fill("x-one: 1\nx-two: 2");
  await untilVerdict(page, /^forwarded to /);
  await page.locator(".asked", { hasText: "/linked" }).waitFor();
  await page.waitForFunction("location.hash.length > 100");
  // It may be of the state before; the last keystroke's follows.
  const unpacked = async () =>
    await page.evaluate("weftPage.unpackState(location.hash)") as { url: string; headers: string };
  await page.waitForFunction(
    "weftPage.unpackState(location.hash).then((state) => state.headers.includes('x-two'))",
  );
  assert.equal((await unpacked()).url, "http://httpbin.httpbin:8080/linked");
  const link = await page.evaluate("location.href") as string;
  {
    await using again = await openPage(await startedBrowser(), link);
    assert.equal(
      await again.page.getByLabel("URL").inputValue(),
      "http://httpbin.httpbin:8080/linked",
    );
    assert.equal(
      await again.page.getByLabel("Headers, one a line").inputValue(),
      "x-one: 1\nx-two: 2",
    );
  }
  for (const broken of ["#1.@@@", `${link.slice(link.indexOf("#"), -40)}`, "#1.", "#2.abc"]) {
    await using other = await openPage(await startedBrowser(), url + broken);
    assert.equal(
      await other.page.getByLabel("URL").inputValue(),
      "http://httpbin.httpbin:8080/test",
    );
    assert.deepEqual(other.faults, []);
  }
});

onPage("a link is bounded, both ways", [], async (page) => {
  // Random text does not pack: 100 kB of it are too much for a link.
  const noise = Array.from(
    crypto.getRandomValues(new Uint8Array(50_000)),
    (byte) => byte.toString(16),
  ).join("");
  await page.getByRole("tab", { name: /splits\.yaml/ }).click();
  await page.getByRole("textbox", { name: /^Text of/ }).fill(`# ${noise}`);
  await page.getByText("Too much for a link").waitFor();
  await page.waitForFunction("location.hash === ''");
  assert.ok(await page.getByRole("button", { name: "Copy link" }).isDisabled());
  const bomb = await page.evaluate(`(async () => {
    const stream = new Blob([new Uint8Array(20e6)]).stream()
      .pipeThrough(new CompressionStream("deflate-raw"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    return await weftPage.unpackState("#1." + text.replaceAll("+", "-").replaceAll("/", "_"));
  })()`);
  assert.equal(bomb, null);
});

onPage(
  "it can do nothing but answer: no address may be asked, no other program run",
  [],
  async (page) => {
    const asked = await page.evaluate(
      "fetch('https://example.invalid/').then(() => 'asked', (error) => error.name)",
    );
    assert.equal(asked, "TypeError");
    // What a manifest says is text, whatever it holds.
    await page.getByRole("tab", { name: /splits\.yaml/ }).click();
    await page.getByRole("textbox", { name: /^Text of/ })
      .fill("kind: <img src=x onerror=alert(1)></script><script>globalThis.isBroken = 1</script>");
    await page.locator(".findings li").first().waitFor();
    assert.equal(await page.evaluate("globalThis.isBroken"), undefined);
    assert.equal(await page.locator(".findings img").count(), 0);
  },
  {},
  /Content Security Policy/,
);

onPage(
  "text that would end its element stays text",
  ["-f", "tests/page/testdata/script.yaml"],
  async (page) => {
    assert.match(await page.getByRole("textbox", { name: /^Text of/ }).inputValue(), /<\/script>/);
    assert.equal(await page.evaluate("globalThis.isBroken"), undefined);
  },
);

onPage("without a mouse: every control in order, tabs by arrows", [], async (page) => {
  await page.locator("body").focus();
  const names: string[] = [];
  for (let i = 0; i < 10; i++) {
    await page.keyboard.press("Tab");
    names.push(
      await page.evaluate(`(() => {
        const it = document.activeElement;
        return it.closest("label")?.querySelector("span")?.textContent ??
          it.getAttribute("aria-label") ?? it.firstChild?.textContent ?? "";
      })()`),
    );
  }
  assert.deepEqual(names, [
    "Copy link",
    "Colours: Auto",
    "Method",
    "URL",
    "Caller",
    "Headers, one a line",
    "Answered by",
    "Enforce traffic targets",
    "routes.yaml",
    "Text of routes.yaml",
  ]);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowRight");
  await page.locator("[role=tab][aria-selected=true]", { hasText: "httpbin.yaml" }).waitFor();
  await page.keyboard.press("Home");
  await page.locator("[role=tab][aria-selected=true]", { hasText: "splits.yaml" }).waitFor();
});

/** What axe finds against, as `rule: where`. */
async function barriers(page: Page): Promise<string[]> {
  const { default: axe } = await import("axe-core");
  // The page's policy keeps added elements from running, not what the debugger evaluates.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate("axe.run()") as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 120)} ${failureSummary}`)
  );
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [1280, 360]) {
    onPage(`axe has nothing against it: ${colorScheme}, ${width} pixels`, [
      ...["-f", "tests/golden/access/in.yaml", "--enforce-access"],
    ], async (page) => {
      assert.deepEqual(await barriers(page), []);
      await page.getByLabel("URL").fill("http://nowhere/");
      await untilVerdict(page, /host-unknown/);
      assert.deepEqual(await barriers(page), []);
      const isTooWide =
        "document.documentElement.scrollWidth > document.documentElement.clientWidth";
      assert.equal(await page.evaluate(isTooWide), false);
    }, { colorScheme, viewport: { width, height: 800 }, reducedMotion: "reduce" });
  }
}

const GUIDE_VIEWS = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1180, height: 1060 } },
  { name: "narrow", colorScheme: "light", viewport: { width: 360, height: 1100 } },
] as const;

for (const { name, ...view } of GUIDE_VIEWS) {
  onPage(`axe has nothing against the guide: ${name}`, [], async (page) => {
    assert.deepEqual(await barriers(page), []);
    if (name !== "light") await keepPicture(page, name);
  }, view);
}
