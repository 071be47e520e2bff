/**
 * Servers for a network lab, run in one of its namespaces: `deno run -A lab_server.ts JSON`, a list of `LabServer`. Prints "ready"
 * once all listen.
 */
import { createSocket } from "node:dgram";

export interface LabServer {
  /**
   * `http` answers with its name, the client's address and what a proxy added; `echo` sends back what it gets; `greet` speaks first,
   * then echoes; `udp` echoes datagrams.
   */
  readonly kind: "http" | "echo" | "greet" | "udp";
  readonly address: string;
  readonly port: number;
  readonly name: string;
}

function serve({ kind, address, port, name }: LabServer): void {
  switch (kind) {
    case "http": {
      Deno.serve({ hostname: address, port, onListen() {} }, (request, { remoteAddr }) => {
        const client = (remoteAddr as Deno.NetAddr).hostname;
        const forwarded = request.headers.get("x-forwarded-for") ?? "-";
        return new Response(`${name} from ${client} for ${forwarded}\n`);
      });
      return;
    }
    case "udp": {
      const socket = createSocket("udp4");
      socket.on("message", (bytes, from) => socket.send(bytes, from.port, from.address));
      socket.bind(port, address);
      return;
    }
    default:
      return void relay(Deno.listen({ hostname: address, port }), kind === "greet" ? name : "");
  }
}

async function relay(listener: Deno.TcpListener, greeting: string): Promise<void> {
  for await (const connection of listener) answer(connection, greeting).catch(() => {});
}

async function answer(connection: Deno.TcpConn, greeting: string): Promise<void> {
  if (greeting !== "") await connection.write(new TextEncoder().encode(`${greeting}\n`));
  await connection.readable.pipeTo(connection.writable);
}

if (import.meta.main) {
  for (const server of JSON.parse(Deno.args[0]) as LabServer[]) serve(server);
  await Deno.stdout.write(new TextEncoder().encode("ready\n"));
}
