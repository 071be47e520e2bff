/** The page that `weft up` serves on its admin port: the manifests of this mesh, and what its proxies have counted. */
import { makePage, namesThisMachine, pageResponse } from "../page/page.ts";
import { MESH_PATHS, type MeshManifests } from "../page/page_data.ts";
import { readPaths } from "../schemas/source.ts";
import type { LocalMesh } from "./mesh.ts";
import { clientsName } from "./sidecars.ts";
import { PAGE_REQUESTS } from "./limits.ts";

/** Null: the path is none of the page's. */
export async function answerPage(
  request: Request,
  mesh: LocalMesh,
  isEnforced: boolean,
): Promise<Response | null> {
  const { pathname } = new URL(request.url);
  const isOurs = pathname === "/" || Object.values<string>(MESH_PATHS).includes(pathname);
  if (!isOurs) return null;
  // Manifests hold passwords, too: no page of a stranger reads them.
  if (!namesThisMachine(request, mesh.admin?.address ?? "")) {
    return new Response("Ask for this machine by its address\n", { status: 403 });
  }
  switch (pathname) {
    case MESH_PATHS.manifests:
      return Response.json(await manifestsOf(mesh, isEnforced), { headers: UNKEPT });
    case MESH_PATHS.metrics:
      return new Response(await mesh.metrics(), { headers: UNKEPT });
    case MESH_PATHS.page:
      return pageResponse(await pageOf(mesh, isEnforced));
    default:
      return new Response(null, { status: 302, headers: { location: MESH_PATHS.page } });
  }
}

const UNKEPT = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** As they are in the files now, be they broken. */
async function manifestsOf(mesh: LocalMesh, isEnforced: boolean): Promise<MeshManifests> {
  const { paths, recursive, namespace, stdin } = mesh.source;
  const { files } = await readPaths(paths, { recursive, stdin });
  return { files, namespace, isEnforced };
}

async function pageOf(mesh: LocalMesh, isEnforced: boolean): Promise<string> {
  const [client] = mesh.sidecars;
  const state = {
    ...await manifestsOf(mesh, isEnforced),
    method: "GET",
    url: "",
    mesh: "",
    headers: "",
    from: client === undefined ? "" : clientsName(client),
    count: PAGE_REQUESTS,
  };
  return await makePage(state, true);
}
