/** The page with its data in it, and how it is handed out. */
import { shippedFile } from "../base/shipped.ts";
import { CommandFailure } from "../console/exit.ts";
import { definitionTexts } from "../schemas/crds/definitions.ts";
import { CONNECT_PLACE, DATA_PLACE, TEMPLATE } from "./build.ts";
import type { PageData, PageState } from "./page_data.ts";

/** One file that needs nothing else. @param isLive it asks the mesh that serves it */
export async function makePage(state: PageState, isLive: boolean): Promise<string> {
  const data: PageData = { definitions: definitionTexts(), state, isLive };
  // Nothing of a manifest may end the element that it stands in.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return (await readTemplate())
    .replace(CONNECT_PLACE, isLive ? "'self'" : "'none'")
    .replace(DATA_PLACE, () => json);
}

/** As shipped; from source it is made of the sources as they are. */
async function readTemplate(): Promise<string> {
  if (import.meta.url.endsWith(".js")) {
    const packed = new Blob([await Deno.readFile(shippedFile(TEMPLATE))]).stream();
    return await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).text();
  }
  const { buildTemplate } = await import("./build.ts");
  const template = await buildTemplate();
  if (template === null) {
    throw new CommandFailure("The page could not be bundled", {
      hint: "`deno bundle` fetches its bundler when it first runs: see what it says above.",
    });
  }
  return template;
}

/** A page as an answer to GET. */
export function pageResponse(html: string): Response {
  return new Response(html, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": "frame-ancestors 'none'",
    },
  });
}

/**
 * Whether a request names this machine. A page of a stranger can make its own name mean a loopback address, and would read manifests by
 * that name.
 */
export function namesThisMachine(request: Request, address: string): boolean {
  const { hostname } = new URL(request.url);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return host === "localhost" || host === "::1" || host === address ||
    /^127\.\d+\.\d+\.\d+$/.test(host);
}
