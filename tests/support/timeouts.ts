/** The proxy's defaults, for a machine that does much else: what a test is not about does not run out. */
import { DEFAULT_TIMEOUTS, type ProxyTimeouts } from "../../proxy/config.ts";

export const PATIENT_TIMEOUTS: ProxyTimeouts = { ...DEFAULT_TIMEOUTS, connectMs: 30_000 };
