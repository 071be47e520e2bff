/**
 * `deno task image`: the container image as an OCI archive, without any engine: dist/weft-image.tar, of dist/weft and the files of this
 * machine that it needs (`tools/image_root.sh`). What the Dockerfile makes, for `ctr images import` and `skopeo copy oci-archive:…`.
 * The same files give the same bytes.
 *
 *   deno task compile && deno task image [NAME]
 */
import { VERSION } from "../base/version.ts";
import { archive, runTool } from "./archive.ts";
import { ROOT } from "./repository.ts";

const OUTPUT = "dist/weft-image.tar";
const EXECUTABLE = "dist/weft";

/** As in the Dockerfile. */
const CONFIG = {
  User: "1500:1500",
  Env: ["HOME=/tmp", "PATH=/usr/local/bin:/usr/sbin"],
  Entrypoint: ["/usr/local/bin/weft"],
  Cmd: ["help"],
  WorkingDir: "/",
};

const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** One file of the archive, known by its hash. */
interface Blob {
  readonly digest: string;
  readonly size: number;
}

class Layout {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    Deno.mkdirSync(`${folder}/blobs/sha256`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  }

  async add(bytes: Uint8Array<ArrayBuffer>): Promise<Blob> {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    Deno.writeFileSync(`${this.#folder}/blobs/sha256/${hash}`, bytes);
    return { digest: `sha256:${hash}`, size: bytes.length };
  }

  addJson(value: unknown): Promise<Blob> {
    return this.add(new TextEncoder().encode(JSON.stringify(value)));
  }

  setIndex(value: unknown): void {
    Deno.writeTextFileSync(`${this.#folder}/index.json`, JSON.stringify(value));
  }
}

async function makeImage(name: string, work: string): Promise<void> {
  runTool("sh", ["tools/image_root.sh", EXECUTABLE, `${work}/root`]);
  Deno.chmodSync(`${work}/root`, 0o755);
  archive(`${work}/root`, `${work}/layer.tar`);
  const layout = new Layout(`${work}/oci`);
  const layer = await layout.add(Deno.readFileSync(`${work}/layer.tar`));
  const platform = { architecture: ARCHITECTURES[Deno.build.arch], os: "linux" };
  const config = await layout.addJson({
    ...platform,
    config: CONFIG,
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const type = "application/vnd.oci.image";
  const manifest = await layout.addJson({
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: { mediaType: `${type}.config.v1+json`, ...config },
    layers: [{ mediaType: `${type}.layer.v1.tar`, ...layer }],
  });
  layout.setIndex({
    schemaVersion: 2,
    manifests: [{
      mediaType: `${type}.manifest.v1+json`,
      ...manifest,
      // What containerd calls the image; others go by the second.
      annotations: {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
      },
      platform,
    }],
  });
  archive(`${work}/oci`, OUTPUT);
}

async function main(args: string[]): Promise<number> {
  if (args.length > 1 || Deno.build.os !== "linux") {
    console.error("Usage, on Linux: deno task image [NAME]");
    return 2;
  }
  try {
    Deno.statSync(new URL(EXECUTABLE, ROOT));
  } catch {
    console.error(`There is no ${EXECUTABLE}: deno task compile makes it`);
    return 1;
  }
  const name = args[0] ?? `weft:${VERSION}`;
  const work = Deno.makeTempDirSync();
  try {
    await makeImage(name, work);
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
  const { size } = Deno.statSync(new URL(OUTPUT, ROOT));
  console.log(`${OUTPUT}: ${name} (${Math.round(size / 1_000_000)} MB)`);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
