/** The origins behind the proxies that are compared: two small fixed answers from one nginx. */
import { nginxConfiguration } from "./contenders.ts";
import { acceptsConnections, freePort, PinnedProcess } from "./process.ts";

/** Starts them on `core`, cheap enough not to be what is measured; gives the process and the ports of v1 and v2. */
export async function startOrigins(
  folder: string,
  core: number,
): Promise<[PinnedProcess, [number, number]]> {
  const ports: [number, number] = [freePort(), freePort()];
  const own = `${folder}/origins`;
  Deno.mkdirSync(own);
  const servers = ports.map((port, index) =>
    `  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { default_type text/plain; return 200 "Hi, I am v${index + 1}!\\n"; }
  }`
  );
  Deno.writeTextFileSync(`${own}/nginx.conf`, nginxConfiguration(own, servers.join("\n")));
  const command = ["nginx", "-p", own, "-c", `${own}/nginx.conf`];
  const process = new PinnedProcess(command, core, `${own}/log`);
  await process.waitUntil(() => acceptsConnections(ports[1]));
  return [process, ports];
}
