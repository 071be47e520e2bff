/** The work of `weft playground`: manifests to a page, which is written or served. */
import { causeText } from "../../base/text.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { hasErrors, renderFindings } from "../../console/findings.ts";
import { parseAsked, parseHeaders, parseSender, parseWhole } from "../../console/values.ts";
import { guideDirectory } from "../../local/guide.ts";
import { PAGE_REQUESTS } from "../../local/limits.ts";
import { PAGE_TEXT_CHARACTERS_MAX } from "../../page/limits.ts";
import { makePage, namesThisMachine, pageResponse } from "../../page/page.ts";
import type { PageFile, PageState } from "../../page/page_data.ts";
import { readPaths } from "../../schemas/source.ts";

interface PlaygroundOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly namespace: string;
  readonly request?: string | undefined;
  readonly header: readonly string[];
  readonly from?: string | undefined;
  readonly enforceAccess: boolean;
  readonly port: string;
  readonly out?: string | undefined;
}

export async function playground(
  paths: readonly string[],
  options: PlaygroundOptions,
  environment: Environment,
): Promise<ExitCode> {
  const port = parseWhole(options.port, 0, 65_535);
  const given = [...options.filename, ...paths];
  const files = given.length === 0
    ? await guideFiles()
    : await readFiles(given, options, environment);
  if (files === null) return EXIT.failed;
  const characters = files.reduce((sum, { text }) => sum + text.length, 0);
  if (characters > PAGE_TEXT_CHARACTERS_MAX) {
    throw new CommandFailure(
      "The manifests are more than a browser compiles while a person types",
      {
        hint: `Name those of a few Services: ${PAGE_TEXT_CHARACTERS_MAX / 2 ** 20} MiB at most.`,
      },
    );
  }
  const html = await makePage(stateOf(files, given.length === 0, options), false);
  if (options.out === undefined) return await serve(html, port, environment);
  await write(options.out, html, environment);
  return EXIT.ok;
}

async function readFiles(
  paths: readonly string[],
  { recursive }: PlaygroundOptions,
  environment: Environment,
): Promise<readonly PageFile[] | null> {
  const { files, findings } = await readPaths(paths, {
    recursive,
    stdin: () => environment.readStdin(),
  });
  environment.stderr.write(renderFindings(environment.stderr, findings));
  if (hasErrors(findings)) return null;
  if (files.length === 0) {
    throw usageFailure(
      "There are no manifests to show",
      "Name files that end in .yaml, .yml or .json.",
    );
  }
  return files;
}

/** The guide's manifests, what decides first. */
async function guideFiles(): Promise<PageFile[]> {
  const names = ["splits", "routes", "httpbin", "httpbin-v1", "httpbin-v2", "curl", "namespaces"];
  return await Promise.all(names.map(async (name) => ({
    name: `${name}.yaml`,
    text: await Deno.readTextFile(`${guideDirectory()}/${name}.yaml`),
  })));
}

function stateOf(
  files: readonly PageFile[],
  isGuide: boolean,
  { namespace, enforceAccess, request, header, from }: PlaygroundOptions,
): PageState {
  const asked = request === undefined ? null : parseAsked(request);
  if (asked === null && header.length > 0) {
    throw usageFailure("--header is about a request", "Add --request 'METHOD URL'.");
  }
  // What cannot be sent is refused here, as the other commands do.
  if (asked !== null) parseHeaders(header, asked);
  if (from !== undefined) parseSender(from);
  const isTcp = asked?.method === "TCP";
  return {
    files,
    namespace,
    isEnforced: enforceAccess,
    method: asked === null || isTcp ? "GET" : asked.method,
    url: asked === null ? (isGuide ? "http://httpbin.httpbin:8080/test" : "") : asked.url,
    mesh: "",
    headers: header.join("\n"),
    from: from ?? (isGuide ? "curl" : ""),
    count: PAGE_REQUESTS,
  };
}

async function write(file: string, html: string, { stdout }: Environment): Promise<void> {
  if (file === "-") return stdout.write(html);
  try {
    await Deno.writeTextFile(file, html);
  } catch (error) {
    throw new CommandFailure(`Cannot write ${file}: ${causeText(error)}`);
  }
  stdout.line(`${file} (${Math.ceil(html.length / 1_000)} kB): open it in a browser`);
}

/** Until a stop signal. */
async function serve(html: string, port: number, environment: Environment): Promise<ExitCode> {
  const address = "127.0.0.1";
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({ hostname: address, port, onListen() {} }, (request) => {
      if (!namesThisMachine(request, address)) {
        return new Response("Ask for 127.0.0.1\n", { status: 403 });
      }
      if (new URL(request.url).pathname !== "/") return new Response("Try /\n", { status: 404 });
      return pageResponse(html);
    });
  } catch (error) {
    throw new CommandFailure(`Cannot listen on ${address}:${port}: ${causeText(error)}`, {
      hint: "Choose another port with --port, or write the page with --out",
    });
  }
  const stopped = Promise.withResolvers<void>();
  const stopListening = environment.onStopSignal(() => stopped.resolve());
  environment.stdout.line(`http://${address}:${server.addr.port}/  Ctrl-C ends it`);
  await stopped.promise;
  stopListening();
  await server.shutdown();
  return EXIT.ok;
}
