/** Everything that is compared, in the order of the tables. */
import type { Contender, Job } from "./contender.ts";
import { ENVOY } from "./envoy.ts";
import { HAPROXY } from "./haproxy.ts";
import { NGHTTPX } from "./nghttpx.ts";
import { NGINX } from "./nginx.ts";
import { PIPY } from "./pipy.ts";
import { RAW_RELAY } from "./raw_relay.ts";
import { weftBefore, WEFTS } from "./weft.ts";

/** @param before path of an earlier executable of Weft; null: none */
export function contenders(before: string | null): readonly Contender[] {
  const earlier = before === null ? [] : [weftBefore(before)];
  const others = [RAW_RELAY, HAPROXY, NGINX, NGHTTPX, PIPY, ENVOY];
  return [
    ...WEFTS,
    ...earlier,
    // Extras are Weft's own: it is compared with itself.
    ...others.map((other) => ({
      ...other,
      can: (job: Job) => job.hasExtras !== true && other.can(job),
    })),
  ];
}
