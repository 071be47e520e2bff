// path: local/mesh.ts
// expect: nothing
import { parseDocument } from "yaml";
import { renderTable } from "../console/table.ts";
import { startProxy } from "../proxy/run/start_proxy.ts";
import { compile } from "../routing/compile/compile.ts";
import { loadPaths } from "../schemas/source.ts";
import { tracingOf } from "../sidecar/tracing.ts";
export const parts = [compile, loadPaths, parseDocument, renderTable, startProxy, tracingOf];
