/**
 * PlanFile: a plan file as the contents of a mesh, without being in memory: where each part stands, and its hash. Parts are read when they
 * are asked for. Looking through the file takes small steps, between which the thread does other things.
 */
import { type JsonMember, JsonMembers } from "../base/json_members.ts";
import {
  accessKey,
  groupKey,
  hashPart,
  type Part,
  type PartKey,
  PlanDigest,
  type PlanHeader,
  routeKey,
} from "../routing/parts.ts";
import type { PlanTarget } from "../routing/plan.ts";
import { checkPart, isHash, isPlanHeader } from "../routing/plan_check.ts";
import { headerProblem } from "../routing/plan_codec.ts";
import { fail } from "../routing/plan_shape.ts";
import type { MeshContents } from "../routing/source/mesh.ts";
import { MeshNames } from "../routing/source/mesh_names.ts";
import type { HashedPart } from "../routing/source/messages.ts";
import { PLAN_FILE_PIECE_BYTES, PLAN_MEMBER_BYTES_MAX, PLAN_PARTS_KEPT } from "./limits.ts";

/** Where the text of a member stands. */
type Place = readonly [at: number, bytes: number];

/** Where a part is. */
interface Entry {
  hash: string;
  /** Of the Service, the alias, the endpoints, or each of the targets. */
  readonly places: Place[];
  /** Of what else the part has, which stands elsewhere than the endpoints or the targets. */
  others: Others;
}

/** By the field of the part: what is said about endpoints; what an identity may call outside the mesh, and who may call it from there. */
type Others = Readonly<Partial<Record<"policy" | "egress" | "ingress", Place>>>;

const NO_OTHERS: Others = {};

/** What they hold is looked at one by one. */
const LARGE_MEMBERS = [
  ...["services", "groups", "targets", "egress", "ingress", "aliases", "endpointPolicies", "parts"],
];

/** Each is over some 80 parts, in a plan of 10,000 Services. */
const BUCKETS_AT_ONCE = 4;

export class PlanFile implements MeshContents {
  readonly names: MeshNames;
  serviceCount = 0;
  readonly #file: Deno.FsFile;
  readonly #path: string;
  readonly #entries = new Map<PartKey, Entry>();
  /** Those that were read last: a part is wanted several times while it is told of. */
  readonly #read = new Map<PartKey, HashedPart>();
  /** The members that are not large. */
  readonly #plain: Record<string, unknown> = {};
  /** Until all are there. */
  readonly #targets = new Map<PartKey, PlanTarget[]>();

  private constructor(path: string, file: Deno.FsFile, withAddresses: boolean) {
    this.#path = path;
    this.#file = file;
    this.names = new MeshNames(this, withAddresses);
  }

  /**
   * Looks through a file.
   * @param withAddresses addresses of endpoints will be asked about
   * @throws {Error} it cannot be read, or is no plan: one line says why
   */
  static async open(path: string, withAddresses: boolean): Promise<PlanFile> {
    const plan = new PlanFile(path, await Deno.open(path), withAddresses);
    try {
      await plan.#lookThrough();
      return plan;
    } catch (error) {
      plan.close();
      throw error instanceof SyntaxError ? new Error("The plan is not JSON") : error;
    }
  }

  close(): void {
    this.#file.close();
  }

  get header(): PlanHeader {
    const { hash: _, parts: _1, ...header } = this.#plain;
    return header as unknown as PlanHeader;
  }

  get clusterDomain(): string {
    return String(this.#plain.clusterDomain);
  }

  get hash(): string {
    return String(this.#plain.hash);
  }

  /** Keys of the parts that are not the same in another file. */
  differences(other: PlanFile | null): Set<PartKey> {
    const entries = other === null ? new Map<PartKey, Entry>() : other.#entries;
    const keys = new Set([...this.#entries.keys(), ...entries.keys()]);
    const hashOf = (all: ReadonlyMap<PartKey, Entry>, key: PartKey) => all.get(key)?.hash;
    for (const key of keys) {
      if (hashOf(entries, key) === hashOf(this.#entries, key)) keys.delete(key);
    }
    return keys;
  }

  at(key: PartKey): Part | undefined {
    return this.hashed(key)?.part;
  }

  /** @throws {Error} the file is being changed */
  hashed(key: PartKey): HashedPart | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    const part = this.#partAt(key, entry);
    if (part === null || hashPart(part) !== entry.hash) {
      throw new Error(`Plan "${this.#path}" is being changed`);
    }
    const hashed = { hash: entry.hash, part };
    if (this.#read.size >= PLAN_PARTS_KEPT) this.#read.clear();
    this.#read.set(key, hashed);
    return hashed;
  }

  /** Null: what stands there now is no part. */
  #partAt(key: PartKey, { places, others }: Entry): Part | null {
    try {
      const values = places.map((place) => JSON.parse(this.#textAt(place)));
      const said = Object.fromEntries(
        Object.entries(others).map(([field, at]) => [field, JSON.parse(this.#textAt(at))]),
      );
      if (key.startsWith("access ")) return { targets: values, ...said };
      if (key.startsWith("route ")) {
        return "host" in values[0] ? { alias: values[0] } : { service: values[0] };
      }
      const [endpoints = []] = values;
      return { endpoints, ...said };
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof TypeError) return null;
      throw error;
    }
  }

  #textAt([at, length]: Place): string {
    const bytes = new Uint8Array(length);
    this.#file.seekSync(at, Deno.SeekMode.Start);
    for (let done = 0; done < length;) {
      const count = this.#file.readSync(bytes.subarray(done));
      if (count === null) throw new SyntaxError("The file has become shorter");
      done += count;
    }
    return new TextDecoder().decode(bytes);
  }

  async #lookThrough(): Promise<void> {
    const members = new JsonMembers(
      (name) => LARGE_MEMBERS.includes(name),
      (member) => this.#take(member),
      PLAN_MEMBER_BYTES_MAX,
    );
    const piece = new Uint8Array(PLAN_FILE_PIECE_BYTES);
    for (let count; (count = await this.#file.read(piece)) !== null;) {
      members.push(piece.subarray(0, count));
    }
    members.end();
    const problem = headerProblem(this.#plain);
    if (problem !== null) throw new Error(problem);
    const hash = isHash(this.#plain.hash, "hash");
    const { permissive } = isPlanHeader(this.header, "");
    if (permissive && this.#targets.size > 0) fail("targets", "empty where permissive is true");
    const found = await this.#digest();
    if (found !== hash) {
      throw new Error(
        `The plan was changed on its way: its content has hash ${found.slice(0, 12)}…`,
      );
    }
  }

  async #digest(): Promise<string> {
    for (const [key, targets] of this.#targets) this.#entryOf(key).hash = hashPart({ targets });
    this.#targets.clear();
    const digest = new PlanDigest();
    for (const [key, entry] of this.#entries) {
      if (entry.others !== NO_OTHERS) {
        const part = this.#partAt(key, entry);
        if (part !== null) entry.hash = hashPart(part);
        await this.#pause();
      }
      if (entry.hash === "") this.#entries.delete(key);
      else digest.set(key, entry.hash);
    }
    while (digest.settle(BUCKETS_AT_ONCE)) await this.#pause();
    return digest.hash(this.header);
  }

  /** Others have the thread for a moment. */
  async #pause(): Promise<void> {
    await this.#file.stat();
  }

  #take({ name, inner, text, at, bytes }: JsonMember): void {
    // They follow from the rest.
    if (name === "parts") return;
    if (!LARGE_MEMBERS.includes(name)) return void (this.#plain[name] = JSON.parse(text));
    if (inner === null) fail(name, "a list or an object");
    const value = JSON.parse(text);
    const path = typeof inner === "number" ? `${name}[${inner}]` : `${name}["${inner}"]`;
    const place: Place = [at, bytes];
    switch (name) {
      case "services":
        return this.#takeRoute({ service: value }, value, place, path);
      case "aliases":
        return this.#takeRoute({ alias: value }, value, place, path);
      case "groups":
        return this.#takeEndpoints(groupKey(String(inner)), { endpoints: value }, place, path);
      case "endpointPolicies":
        checkPart(groupKey(String(inner)), { endpoints: [], policy: value }, path);
        return this.#takeOther(groupKey(String(inner)), "policy", place);
      case "egress":
      case "ingress":
        checkPart(accessKey(String(inner)), { targets: [], [name]: value }, path);
        return this.#takeOther(accessKey(String(inner)), name, place);
      default:
        return this.#takeTarget(value, place, path);
    }
  }

  #takeRoute(part: Part, value: unknown, place: Place, path: string): void {
    const { namespace, name } = Object(value);
    const key = routeKey(`${namespace}/${name}`);
    checkPart(key, part, path);
    if (this.#entries.has(key)) fail(path, "a Service that is not there yet");
    this.#entries.set(key, { hash: hashPart(part), places: [place], others: NO_OTHERS });
    this.names.change(key, undefined, part);
    if ("service" in part) this.serviceCount++;
  }

  #takeEndpoints(key: PartKey, part: { endpoints: unknown }, place: Place, path: string): void {
    const checked = checkPart(key, part, path);
    const entry = this.#entryOf(key);
    entry.places.push(place);
    // One without endpoints, of which nothing is said, is no part.
    if ("endpoints" in checked && checked.endpoints.length > 0) entry.hash = hashPart(checked);
    this.names.change(key, undefined, checked);
  }

  #takeOther(key: PartKey, field: keyof Others, place: Place): void {
    const entry = this.#entryOf(key);
    entry.others = { ...entry.others, [field]: place };
  }

  #takeTarget(target: PlanTarget, place: Place, path: string): void {
    const key = accessKey(String(Object(target).destination));
    checkPart(key, { targets: [target] }, path);
    const targets = this.#targets.get(key) ?? [];
    targets.push(target);
    this.#targets.set(key, targets);
    this.#entryOf(key).places.push(place);
  }

  #entryOf(key: PartKey): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { hash: "", places: [], others: NO_OTHERS };
      this.#entries.set(key, entry);
    }
    return entry;
  }
}
