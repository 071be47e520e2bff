// path: proxy/run/start_proxy.ts
// expect: weft/imports
import { connect } from "node:net";
export const proxy = connect;
