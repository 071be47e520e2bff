/** A real browser without a screen, for tests of the page: Debian's Chromium, driven by Playwright. */
import type { Browser, Page } from "playwright-core";
import { hasCommand } from "../support/commands.ts";

/** The command that is there; null: none is. */
export const CHROMIUM = ["chromium", "chromium-browser", "google-chrome"].find(hasCommand) ?? null;

export async function startBrowser(): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  const found = new Deno.Command("sh", { args: ["-c", `command -v ${CHROMIUM}`] }).outputSync();
  return await chromium.launch({
    executablePath: new TextDecoder().decode(found.stdout).trim(),
    // Tests run as root in containers, which its sandbox refuses; it opens nothing but our own page.
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** What went wrong on the page, and addresses of others that it asked for. */
  readonly faults: string[];
}

/** Opens an address; what the page asks for elsewhere is refused, and told. */
export async function openPage(
  browser: Browser,
  url: string,
  options: NonNullable<Parameters<Browser["newContext"]>[0]> = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  const { origin, pathname } = new URL(url);
  page.on("request", (request) => {
    const asked = new URL(request.url());
    const isOwn = asked.protocol === "data:" ||
      (origin === "null" ? asked.pathname === pathname : asked.origin === origin);
    if (!isOwn) faults.push(`asked for ${request.url()}`);
  });
  await page.goto(url);
  await page.locator(".verdict").waitFor();
  return { page, faults, [Symbol.asyncDispose]: () => context.close() };
}
