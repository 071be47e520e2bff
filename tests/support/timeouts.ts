/** Timeouts of proxies under test. */
import { DEFAULT_TIMEOUTS, type ProxyTimeouts } from "../../proxy/config.ts";
import { unhurried } from "./patience.ts";

/** The proxy's defaults, for a machine that does much else: what a test is not about does not run out. */
export const PATIENT_TIMEOUTS: ProxyTimeouts = { ...DEFAULT_TIMEOUTS, connectMs: 30_000 };

/** The same with those that a test is about, short ones mostly. Where the machine is busy they are longer. */
export function timeoutsWith(own: Partial<ProxyTimeouts> = {}): ProxyTimeouts {
  const longer = Object.entries(own).map(([name, ms]) => [name, unhurried(ms)]);
  return { ...PATIENT_TIMEOUTS, ...Object.fromEntries(longer) };
}
