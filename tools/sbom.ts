/** The bill of materials of a release (CycloneDX 1.6): what is inside the executable, and what the image has beside it. Pure but for its reader. */
import type { ShippedPackage } from "./vendor.ts";

interface Materials {
  readonly version: string;
  readonly commit: string;
  /** Seconds since 1970. */
  readonly commitTime: number;
  /** Of the base binary. */
  readonly deno: string;
  readonly packages: readonly ShippedPackage[];
  /** By `name@version`: `sha512-…` as in deno.lock. */
  readonly integrity: ReadonlyMap<string, string>;
  /** Packages of the system whose files are in the image. */
  readonly system: readonly { readonly name: string; readonly version: string }[];
}

export function billOfMaterials(materials: Materials): string {
  const { version, commit, commitTime, deno, packages, integrity, system } = materials;
  const root = {
    type: "application",
    "bom-ref": "weft",
    name: "weft",
    version,
    purl: `pkg:generic/weft@${version}`,
    ...(commit === "" ? {} : { pedigree: { commits: [{ uid: commit }] } }),
  };
  const components = [
    { type: "platform", name: "deno", version: deno, purl: `pkg:generic/deno@${deno}` },
    ...packages.map((each) => packageComponent(each, integrity)),
    ...system.map(({ name, version }) => ({
      type: "library",
      name,
      version,
      purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}`,
      properties: [{ name: "weft:part", value: "image" }],
    })),
  ];
  return `${
    JSON.stringify(
      {
        bomFormat: "CycloneDX",
        specVersion: "1.6",
        version: 1,
        metadata: { timestamp: new Date(commitTime * 1_000).toISOString(), component: root },
        components,
      },
      null,
      2,
    )
  }\n`;
}

function packageComponent(
  { name, version, license }: ShippedPackage,
  integrity: ReadonlyMap<string, string>,
): unknown {
  const hash = integrity.get(`${name}@${version}`)?.replace(/^sha512-/, "");
  return {
    type: "library",
    name,
    version,
    // The scope of a package is written so in a purl.
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    ...(license === "" ? {} : { licenses: [{ expression: license }] }),
    ...(hash === undefined
      ? {}
      : { hashes: [{ alg: "SHA-512", content: Uint8Array.fromBase64(hash).toHex() }] }),
  };
}

/** Of deno.lock. */
export function integrityIn(lock: string): Map<string, string> {
  const { npm } = JSON.parse(lock) as { npm: Record<string, { integrity: string }> };
  return new Map(
    Object.entries(npm).map(([key, { integrity }]) => {
      const [, name] = /^(@?[^@]+@[^_]+)/.exec(key) ?? [];
      return [name ?? key, integrity];
    }),
  );
}
