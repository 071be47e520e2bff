// path: sidecar/plan_files.ts
// expect: weft/imports
const { LocalMesh } = await import("../local/mesh.ts");
export const mesh = LocalMesh;
