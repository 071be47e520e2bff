/** The origins behind the proxies that are compared: cheap, so that they are not what is measured. */
import type { OriginKind } from "./contenders/contender.ts";
import { beside, compileC } from "./contenders/files.ts";
import { httpBlock, nginxConfiguration } from "./contenders/nginx.ts";
import { acceptsConnections, PinnedProcess, requireInstalled } from "./process.ts";
import { freePort } from "../tests/support/free_port.ts";

/** Answered with a file of 64 KiB; every other path with 13 bytes. */
export const FILE_PATH = "/test/64k";
export const FILE_BYTES = 65_536;

/** Answered with files of so many zeros, or with one in chunks. */
export const LARGE_FILES = {
  mebibyte: { path: "/test/1m", chunkedPath: "/test/1m-chunked", bytes: 1 << 20 },
  hundred: { path: "/test/100m", bytes: 100 << 20 },
} as const;

/** Answered with 13 bytes once all of the request's body has been read, as applications do; nginx by itself answers at once. */
export const UPLOAD_PATH = "/test/upload";

/** A unary method, and its request: a message of 7 bytes in its frame of 5. The answer has 13 and trailers. */
export const GRPC_PATH = "/test.Greeter/SayHello";
export const GRPC_REQUEST = "\0\0\0\0\x07\x0a\x05world";
const GRPC_RESPONSE = "\0\0\0\0\x0d\x0a\x0bHi, I am v!";

export interface Origins {
  readonly processes: readonly PinnedProcess[];
  /** Of v1 and v2 on 127.0.0.1. */
  readonly ports: readonly [number, number];
}

/** Programs without which origins of a kind cannot be. */
const NEEDED: Readonly<Record<OriginKind, string>> = {
  http1: "nginx",
  grpc: "nghttpd",
  "grpc-streams": "gcc",
  websocket: "gcc",
  stream: "gcc",
};

/**
 * Starts both origins of a kind on `cores`, their files in `folder`.
 *
 * @throws {Unavailable} what they need is not on this machine
 */
export async function startOrigins(
  kind: OriginKind,
  folder: string,
  cores: string,
): Promise<Origins> {
  requireInstalled(NEEDED[kind]);
  Deno.mkdirSync(folder);
  const ports: [number, number] = [freePort(), freePort()];
  const commands = COMMANDS[kind](folder, ports);
  const processes = commands.map((command, index) =>
    new PinnedProcess(command, cores, `${folder}/log-${index}`)
  );
  for (const port of ports) await processes[0].waitUntil(() => acceptsConnections(port));
  return { processes, ports };
}

/** The other end of a load of ours, which is the same program. */
function ownServer(name: string, folder: string, ports: readonly [number, number]): string[][] {
  const program = compileC(beside(import.meta.url, `./load/${name}.c`), folder);
  return [[program, "serve", ...ports.map(String)]];
}

type Commands = (folder: string, ports: readonly [number, number]) => string[][];

const COMMANDS: Readonly<Record<OriginKind, Commands>> = {
  http1(folder, ports) {
    Deno.mkdirSync(`${folder}/files/test`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/files${FILE_PATH}`, "x".repeat(FILE_BYTES));
    for (const { path, bytes } of [LARGE_FILES.mebibyte, LARGE_FILES.hundred]) {
      const file = `${folder}/files${path}`;
      Deno.createSync(file).close();
      Deno.truncateSync(file, bytes);
    }
    const servers = ports.map((port, index) =>
      `  upstream own${index} { server 127.0.0.1:${port}; keepalive 128; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = ${FILE_PATH} { root ${folder}/files; open_file_cache max=4; sendfile on; }
    location = ${LARGE_FILES.mebibyte.path} { root ${folder}/files; sendfile on; }
    location = ${LARGE_FILES.hundred.path} { root ${folder}/files; sendfile on; }
    location = ${LARGE_FILES.mebibyte.chunkedPath} {
      alias ${folder}/files${LARGE_FILES.mebibyte.path};
      ssi on;
      ssi_types *;
    }
    client_max_body_size 0;
    location = ${UPLOAD_PATH} {
      client_body_buffer_size ${LARGE_FILES.mebibyte.bytes};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_pass_request_body off;
      proxy_method GET;
      proxy_pass http://own${index}/;
    }
    location / { default_type text/plain; return 200 "Hi, I am v${index + 1}!\\n"; }
  }`
    );
    const path = `${folder}/nginx.conf`;
    const size = { workers: 1, connectionsMax: 8192 };
    const text = nginxConfiguration(folder, httpBlock(folder, servers.join("\n")), size);
    Deno.writeTextFileSync(path, text);
    return [["nginx", "-p", folder, "-c", path]];
  },
  grpc(folder, ports) {
    const path = `${folder}/files${GRPC_PATH}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(path, GRPC_RESPONSE);
    const options = ["--no-tls", "--trailer=grpc-status: 0", `--htdocs=${folder}/files`];
    return ports.map((port) => ["nghttpd", ...options, "--address=127.0.0.1", String(port)]);
  },
  "grpc-streams": (folder, ports) => ownServer("grpc_streams", folder, ports),
  websocket: (folder, ports) => ownServer("websocket", folder, ports),
  stream: (folder, ports) => ownServer("stream", folder, ports),
};
