/** The endpoints of a run: where they listen, what each address speaks, and which of them are dead. */
import type { ScriptedExchange } from "./exchange.ts";
import { APPLICATION, ORIGIN_PORT, TUNNEL_SERVICE } from "./generate.ts";
import type { ExchangeMaker, ServiceAddresses } from "./generate.ts";
import { OPENINGS } from "./http2_openings.ts";
import { Http2OriginConnection } from "./http2_origin.ts";
import type { Side } from "./network.ts";
import { OriginConnection, TunnelOrigin } from "./origin.ts";
import { MIRROR_SERVICE } from "./policies.ts";
import { CopyState } from "./run_state.ts";
import type { RunState } from "./run_state.ts";
import { ScriptedSender } from "./sender.ts";

/** How HTTP/2 begins; no request of HTTP/1 that the simulation sends does. */
const PREFACE_START = [80, 82, 73];

/** Opens every endpoint, but for the dead ones of a hostile run. */
export function openEndpoints(
  state: RunState,
  services: readonly ServiceAddresses[],
  maker: ExchangeMaker,
): void {
  const { world, network, isCalm } = state;
  const copies = new CopyState(state, new Copies(maker));
  const seen = new Set<string>();
  for (const { name, address, protocol } of addressesOf(services)) {
    // Of two Services that share it.
    if (seen.has(address)) continue;
    seen.add(address);
    const key = `${address}:${ORIGIN_PORT}`;
    // In a hostile run some are dead, and some of those do not even refuse.
    if (!isCalm && world.chance(0.1)) {
      if (world.chance(0.3)) network.silence(key);
      continue;
    }
    const its = name === MIRROR_SERVICE ? copies : state;
    // The first Service's endpoints are behind others, too, which may speak HTTP/1.1 to them.
    const isOnlyHttp2 = protocol === "http2" && name !== services[0].name;
    const mayFail = !isCalm && isOnlyHttp2 && world.chance(state.isMisled ? 1 : 0.3);
    network.listen(key, (side) => {
      // The application beside the proxy is called as it is. What answers in HTTP/1.1 to that is right where it was chosen.
      const own = name === "" ? side : state.accept(side, mayFail ? ["h2"] : undefined);
      if (mayFail && world.chance(state.isMisled ? 0.9 : 0.5)) beginBadly(state, own);
      else serve(its, name, key, own);
    });
  }
}

function addressesOf(services: readonly ServiceAddresses[]) {
  const ofServices = services.flatMap(({ name, addresses, protocol }) =>
    addresses.map((address) => ({ name, address, protocol }))
  );
  return [...ofServices, { name: "", address: APPLICATION.address, protocol: "http1" as const }];
}

function serve(state: RunState, name: string, address: string, side: Side): void {
  if (name === TUNNEL_SERVICE) new TunnelOrigin(state, side);
  else {sniff(side, (isHttp2) => {
      if (isHttp2) new Http2OriginConnection(state, address, side);
      else new OriginConnection(state, address, side);
    });}
}

/** What is to speak HTTP/2, and does not. */
function beginBadly({ world }: RunState, side: Side): void {
  const sender = new ScriptedSender(world, side, {
    pieceBytes: world.pick([1, 65_536]),
    pauseMs: 1,
  });
  const sink = new Uint8Array(4_096);
  side.onChange = () => {
    while (side.unread > 0 && !side.isClosed) side.read(sink, 0, sink.length);
    sender.pump();
    if (side.hasEnded && sender.isEmpty) side.close();
  };
  const stay = () => {};
  const finish = world.pick([stay, stay, () => side.close(), () => side.reset()]);
  sender.push(world.pick(OPENINGS).bytes, finish);
}

/** Copies of exchanges, made when the first one of a token arrives. */
class Copies extends Map<number, ScriptedExchange> {
  readonly #maker: ExchangeMaker;

  constructor(maker: ExchangeMaker) {
    super();
    this.#maker = maker;
  }

  override get(token: number): ScriptedExchange | undefined {
    const original = this.#maker.exchanges.get(token);
    if (original !== undefined && !this.has(token)) {
      this.set(token, this.#maker.copyOf(original, this.#maker.mirrors));
    }
    return super.get(token);
  }
}

/** An endpoint takes what it is sent; whether it is what it should be sent is seen at its requests. */
function sniff(side: Side, then: (isHttp2: boolean) => void): void {
  const first = new Uint8Array(PREFACE_START.length);
  const look = () => {
    const isOver = side.hasEnded || side.isReset;
    if (side.unread < first.length && !isOver) return;
    side.peek(first, 0, first.length);
    side.onChange = () => {};
    then(PREFACE_START.every((byte, index) => byte === first[index]));
  };
  side.onChange = look;
  look();
}
