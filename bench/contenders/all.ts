/** Everything that is compared, in the order of the tables. */
import type { Contender } from "./contender.ts";
import { ENVOY } from "./envoy.ts";
import { HAPROXY } from "./haproxy.ts";
import { NGHTTPX } from "./nghttpx.ts";
import { NGINX } from "./nginx.ts";
import { PIPY } from "./pipy.ts";
import { RAW_RELAY } from "./raw_relay.ts";
import { WEFTS } from "./weft.ts";

export const CONTENDERS: readonly Contender[] = [
  ...WEFTS,
  RAW_RELAY,
  HAPROXY,
  NGINX,
  NGHTTPX,
  PIPY,
  ENVOY,
];
