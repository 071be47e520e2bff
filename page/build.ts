/**
 * Makes the page's template: one file with style and program in it, and two places that `page.ts` fills. `tools/compile.ts` embeds it,
 * packed, because what is embedded is kept in memory by every role; from source it is made when it is asked for.
 */

const ROOT = new URL("../", import.meta.url);

export const TEMPLATE = "dist/playground.html.gz";
/** Where the data goes, and what the page may connect to. */
export const DATA_PLACE = "{{data}}";
export const CONNECT_PLACE = "{{connect}}";

const ICON = "data:image/svg+xml," + encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke-width="3.5" stroke-linecap="round">' +
    '<path stroke="#8b8891" d="M8 4v24M16 4v24M24 4v24"/><path stroke="#6366f1" d="M3 11h9M20 11h9M11 21h10"/></svg>',
);

/**
 * The template; null where the bundler fails, which it has explained.
 * @param deno the executable to bundle with, and its first arguments
 */
export async function buildTemplate(
  [command, first]: readonly [string, readonly string[]] = [Deno.execPath(), []],
): Promise<string | null> {
  const { success, stdout } = await new Deno.Command(command, {
    args: [
      ...first,
      ...["bundle", "--quiet", "--platform", "browser", "--format", "iife", "--minify"],
      "page/browser/main.tsx",
    ],
    cwd: ROOT,
    // Deno 2.6 trusts only its own list of authorities, which a company's proxy is not on.
    env: { DENO_TLS_CA_STORE: "mozilla,system" },
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) return null;
  const script = new TextDecoder().decode(stdout).replace(/<\/(script)/gi, "<\\/$1");
  const style = await Deno.readTextFile(new URL("page/browser/style.css", ROOT));
  return template(script, style, await policyOf(script, style));
}

/** What the page may do: run its own program, and nothing else. The check of manifests makes functions of our own schemas. */
async function policyOf(script: string, style: string): Promise<string> {
  return [
    "default-src 'none'",
    `script-src '${await digestOf(script)}' 'unsafe-eval'`,
    `style-src '${await digestOf(style)}'`,
    "img-src data:",
    `connect-src ${CONNECT_PLACE}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

async function digestOf(text: string): Promise<string> {
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)),
  );
  return `sha256-${btoa(String.fromCharCode(...digest))}`;
}

function template(script: string, style: string, policy: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="Where does this request go, and why? Weft's routing, in one page that needs no network.">
<title>Weft playground</title>
<link rel="icon" href="${ICON}">
<style>${style}</style>
</head>
<body>
<div id="app"><noscript>This page answers by itself, so it needs JavaScript.</noscript></div>
<script type="application/json" id="weft-data">${DATA_PLACE}</script>
<script>${script}</script>
</body>
</html>
`;
}
