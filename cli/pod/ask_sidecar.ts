/** One question to a sidecar's admin port. */
import { directClient } from "../../base/direct_client.ts";
import { CommandFailure } from "../../console/exit.ts";
import type { Plan } from "../../routing/plan.ts";
import { decodePlan } from "../../routing/plan_codec.ts";
import { ADMIN_ANSWER_MS } from "../limits.ts";

/** @throws {CommandFailure} it does not answer */
export async function askSidecar(address: string): Promise<{ status: number; text: string }> {
  const url = new URL(address);
  const client = directClient(url);
  try {
    const answer = await fetch(url, { client, signal: AbortSignal.timeout(ADMIN_ANSWER_MS) });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    throw new CommandFailure("The sidecar did not answer", {
      hint: "See kubectl logs POD -c weft-proxy.",
    });
  } finally {
    client.close();
  }
}

/** @throws {CommandFailure} it is no plan that this version reads */
export function planIn(text: string): Plan {
  const decoded = decodePlan(text);
  if (decoded.ok) return decoded.plan;
  throw new CommandFailure(`The sidecar's plan: ${decoded.message}`);
}
