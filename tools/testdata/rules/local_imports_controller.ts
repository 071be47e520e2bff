// path: local/mesh.ts
// expect: weft/imports
import { serve } from "../controller/serve.ts";
export const mesh = serve;
