/** Bugs in how a proxy asks the source of its plan, which the simulation must see. */
import { PendingDecision } from "../../proxy/route/destination.ts";
import { Interest } from "../../proxy/route/interest.ts";
import { HeldParts } from "../../routing/source/held_parts.ts";
import type { SourceUpdate } from "../../routing/source/messages.ts";
import { method, type PlantedBug } from "./planted.ts";

export const SOURCE_BUGS: readonly PlantedBug[] = [
  method(
    "what is not known is not asked about",
    /was refused: host-unknown|Tunnel|was cut|was not answered/,
    Interest.prototype,
    "ask",
    () => (_question: never, decide: () => unknown) => decide(),
  ),
  method(
    "one that waits and has ended is told all the same",
    /./,
    Interest.prototype,
    "ask",
    (original) =>
      function (this: Interest, ...parts: never[]): unknown {
        const decided = original.apply(this as never, parts);
        if (decided instanceof PendingDecision) Reflect.set(decided, "cancel", () => {});
        return decided;
      },
  ),
  method(
    "endpoints do not come with their routes",
    /no-endpoints|Tunnel|was cut|was not answered/,
    HeldParts.prototype,
    "take",
    (original) =>
      function (this: HeldParts, update: SourceUpdate): unknown {
        const parts = update.parts.filter(([key]) => !key.startsWith("group "));
        return original.call(this as never, { ...update, parts } as never);
      },
  ),
];
