// path: proxy/io/portable_tls.ts
// expect: nothing
import type tls from "node:tls";
import { IoError } from "./io.ts";

export type Peer = tls.TLSSocket | IoError;
