/** Probes: the requests by which the kubelet asks whether the application is well. It has no certificate, and nothing else is asked of it. */
import type { ProbeRequest } from "../config.ts";
import { latin1 } from "../protocol/http1/lexical.ts";
import { METHODS, type RequestHead } from "../../routing/request.ts";

const [GET, POST] = ["GET", "POST"].map((name) => METHODS.findIndex((each) => each === name) + 1);

export class Probes {
  /** By port, the requests that are probes there: the method and the path. */
  readonly #byPort = new Map<number, Set<string>>();

  constructor(probes: readonly ProbeRequest[]) {
    for (const { port, path, isCall = false, isSecured = false } of probes) {
      if (isSecured) continue;
      const known = this.#byPort.get(port) ?? new Set();
      this.#byPort.set(port, known.add(`${isCall ? POST : GET} ${path}`));
    }
  }

  /** Whether a request to a port of the application is one of them. */
  has(port: number, { bytes, method, pathStart, pathEnd }: RequestHead): boolean {
    const known = this.#byPort.get(port);
    return known !== undefined && known.has(`${method} ${latin1(bytes, pathStart, pathEnd)}`);
  }
}
