/** The work of `weft request`: sends requests through a running mesh and prints what comes back, as curl would. */
import { causeText } from "../base/text.ts";
import type { Environment } from "../console/environment.ts";
import { listText } from "../console/text.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../console/exit.ts";
import {
  formatHostPort,
  type HostPort,
  parseHeader,
  parseHostPort,
  parseRequestLine,
  parseSender,
  parseWhole,
} from "../console/values.ts";
import { type ClientRequest, type ClientResponse, MeshClient, MeshUnreachable } from "./client.ts";
import { NAMED_CLIENTS_MAX } from "./limits.ts";
import { readNote } from "./running.ts";
import { clientsName, sidecarFor } from "./sidecars.ts";

/** As written on the command line. */
interface RequestOptions {
  readonly from?: string | undefined;
  readonly mesh: string;
  readonly count: string;
  readonly method?: string | undefined;
  readonly header: readonly string[];
  readonly data?: string | undefined;
  readonly include: boolean;
  readonly fail: boolean;
}

/** Sends every URL `count` times, in turn as curl does with several. */
export async function runRequest(
  urls: readonly string[],
  options: RequestOptions,
  environment: Environment,
): Promise<ExitCode> {
  const count = parseWhole(options.count, 1, 1_000_000);
  const method = options.method ?? (options.data === undefined ? "GET" : "POST");
  const headers = headersOf(options);
  const requests = urls.map((text): ClientRequest => {
    const { url } = parseRequestLine(method, text);
    if (!url.toLowerCase().startsWith("http://")) {
      throw usageFailure(`"${text}" is not an http URL`, "The mesh routes plain HTTP.");
    }
    return { method, url, headers, ...(options.data === undefined ? {} : { body: options.data }) };
  });
  const client = new MeshClient(sidecarOf(options, environment));
  let hasFailed = false;
  try {
    for (let i = 0; i < count; i++) {
      for (const request of requests) {
        const response = await send(client, request, options);
        print(response, request, options, environment);
        if (options.fail && response.status >= 400) hasFailed = true;
      }
    }
  } finally {
    client.close();
  }
  return hasFailed ? EXIT.failed : EXIT.ok;
}

function headersOf({ header, data }: RequestOptions): (readonly [string, string])[] {
  const headers = header.map(parseHeader);
  const hasType = headers.some(([name]) => name.toLowerCase() === "content-type");
  if (data === undefined || hasType) return headers;
  return [["Content-Type", "application/x-www-form-urlencoded"], ...headers];
}

async function send(
  client: MeshClient,
  request: ClientRequest,
  { mesh }: RequestOptions,
): Promise<ClientResponse> {
  try {
    return await client.send(request);
  } catch (error) {
    if (error instanceof MeshUnreachable) {
      throw new CommandFailure(`Nothing listens on ${mesh}: weft up is not running`, {
        hint: "Start it with: weft up -f PATH",
      });
    }
    const message = causeText(error);
    throw new CommandFailure(`${request.method} ${request.url}: ${message}`);
  }
}

/** The listener of the client's namespace, or the first one. */
function sidecarOf({ from, mesh }: RequestOptions, environment: Environment): HostPort {
  const first = parseHostPort(mesh);
  if (from === undefined) return first;
  const sidecars = readNote(first.port, environment);
  if (sidecars === undefined) {
    throw new CommandFailure(`No mesh of yours is known at ${formatHostPort(first)}`, {
      hint: "Is weft up running? Without --from, requests go to --mesh as it is",
    });
  }
  const found = sidecarFor(sidecars, parseSender(from));
  if (found === undefined) {
    const known = listText(sidecars.map(clientsName), NAMED_CLIENTS_MAX);
    throw new CommandFailure(`The mesh has no clients in "${from}"`, {
      hint: `There are: ${known}`,
    });
  }
  return found;
}

function print(
  response: ClientResponse,
  { method }: ClientRequest,
  { include }: RequestOptions,
  { stdout }: Environment,
): void {
  if (include || method === "HEAD") {
    stdout.line(response.statusLine);
    for (const [name, value] of response.headers) stdout.line(`${name}: ${value}`);
    stdout.line();
  }
  stdout.write(new TextDecoder().decode(response.body));
}
