/** FindingReports: tells people what is wrong with objects of the mesh: in the log, and, where this controller leads, on the objects themselves. */
import type { Finding, ResourceRef } from "../../base/finding.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../kube/client.ts";
import type { JsonFields } from "../kube/fields.ts";
import type { ControllerCounts } from "../metrics.ts";
import type { ObjectIdentity } from "../objects.ts";
import { Lease } from "./lease.ts";
import { logFindings } from "./log.ts";
import { ObjectFindings } from "./object_findings.ts";
import { FindingWriter } from "./writer.ts";

interface FindingReportParts {
  readonly client: KubeClient;
  readonly identityOf: (ref: ResourceRef) => ObjectIdentity | undefined;
  readonly counts: ControllerCounts;
  readonly log: Log;
}

/** One for all controllers of an installation. */
const LEASE = "weft-controller";

export class FindingReports {
  readonly #parts: FindingReportParts;
  readonly #findings = new ObjectFindings((ref) => this.#writer.changed(ref));
  readonly #writer: FindingWriter;
  #lease: Lease | null = null;

  constructor(parts: FindingReportParts) {
    this.#parts = parts;
    const isLeader = () => this.isLeader;
    this.#writer = new FindingWriter({ ...parts, findings: this.#findings, isLeader });
  }

  get isLeader(): boolean {
    return this.#lease?.isLeader === true;
  }

  findingsOf(ref: ResourceRef): readonly Finding[] {
    return this.#findings.of(ref);
  }

  /** All of an object's own, from its reading. */
  read(ref: ResourceRef, findings: readonly Finding[]): void {
    if (this.#findings.read(ref, findings)) logFindings(findings, this.#parts.log);
  }

  compiled(came: readonly Finding[], went: readonly Finding[]): void {
    logFindings(came, this.#parts.log);
    this.found(came, went);
  }

  /** What the log has already, or need not have. */
  found(came: readonly Finding[], went: readonly Finding[]): void {
    this.#findings.compiled(came, went);
  }

  heard(object: JsonFields): void {
    this.#writer.heard(object);
  }

  removed(kind: string, namespace: string, name: string): void {
    this.#writer.removed(kind, namespace, name);
  }

  /** All that there is is known. */
  start(namespace: string): void {
    this.#writer.start();
    this.#lease = new Lease({
      ...this.#parts,
      namespace,
      name: LEASE,
      identity: `${Deno.hostname()}_${crypto.randomUUID()}`,
      onLead: () => this.#writer.lead(),
    });
    this.#lease.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#lease?.stop(), this.#writer.stop()]);
  }
}
