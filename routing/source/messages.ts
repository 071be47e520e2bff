/**
 * What a proxy and the source of its plan say to each other: plain data, so that it can cross threads and machines. A proxy asks about
 * what its application calls, and is told the parts that belong to it, now and whenever they change. Messages of one connection arrive in
 * order; each one is taken whole or not at all.
 */
import type { Part, PartKey, PlanHeader } from "../parts.ts";

/**
 * `host NAMESPACE NAME`: what a client of the namespace means by a host, in lower case, without port, brackets and trailing dot.
 * `address IP`: what is at an IP address, as `formatIp` writes it. `access NAMESPACE/SERVICEACCOUNT`: who may call an identity.
 */
export type PlanQuestion = `${"host" | "address" | "access"} ${string}`;

export const hostQuestion = (namespace: string, host: string): PlanQuestion =>
  `host ${namespace} ${host}`;
export const addressQuestion = (address: string): PlanQuestion => `address ${address}`;
export const accessQuestion = (identity: string): PlanQuestion => `access ${identity}`;

/** The parts that the answer begins with; what they need comes with them. Empty: the mesh has nothing of it. */
export type Answer = readonly PartKey[];

/** A part with its hash (`hashPart`). */
export interface HashedPart {
  readonly hash: string;
  readonly part: Part;
}

/** What a proxy tells a source. */
export interface SourceRequest {
  /** Asked from now on. */
  readonly ask: readonly PlanQuestion[];
  /** Not asked any more. */
  readonly drop: readonly PlanQuestion[];
  /** In the first message of a connection: hashes of the parts that the proxy holds from before. */
  readonly held?: Readonly<Record<PartKey, string>>;
  /** Of a proxy that has its certificates from the source. */
  readonly identity?: IdentityRequest;
}

/** What a proxy says of its certificates: whom it trusts, and whose certificate it shows. It is told of both from now on. */
export interface IdentityRequest {
  /** The hash of the root set that it has in force; empty: none. */
  readonly roots: string;
  /** Who signed the certificate that it has in force; empty: it has none. */
  readonly signer: string;
  /** A PKCS#10 request (DER, base64) that holds the last challenge it was told: it wants a certificate for this key. */
  readonly csr?: string;
}

/** Whom proxies trust about each other: certificates of authorities, in one order. */
export interface RootSet {
  /** `hashRoots`. */
  readonly hash: string;
  /** In PEM, each as `pemOf` writes it. */
  readonly roots: readonly string[];
}

/** What a proxy is told of certificates. */
export interface IdentityUpdate {
  /** Null: the source has none. */
  readonly roots: RootSet | null;
  /** Who signs now: a certificate of another one is to be renewed. Empty: none does. */
  readonly signer: string;
  /** To be put into the next request, so that an earlier one is of no use. */
  readonly challenge: string;
  /** What was asked for: the own certificate, then those that vouch for it (PEM). */
  readonly chain?: string;
  /** Why there is no certificate, in one line. */
  readonly problem?: string;
  /** The time of the source, in milliseconds since 1970. */
  readonly timeMs: number;
}

/** What a proxy is told. */
export interface SourceUpdate {
  /** In the first message, and when it changes. */
  readonly header?: PlanHeader;
  /** Null: the question is forgotten, as was asked for. What only it needed, both sides forget at this point. */
  readonly answers: readonly (readonly [PlanQuestion, Answer | null])[];
  /** Parts that an answer needs and the proxy has not, or has otherwise. Null: the part is not there any more. */
  readonly parts: readonly (readonly [PartKey, HashedPart | null])[];
}

/** Wherever plans come from: files, another thread, a controller. */
export interface PlanSource {
  /** Connects. The listener hears of nothing before this returns. */
  connect(listener: SourceListener): SourceConnection;
}

export interface SourceConnection {
  /** The first message has all that the proxy wants to know, and what it holds. */
  send(request: SourceRequest): void;
  /** The listener hears nothing more. */
  close(): void;
}

export interface SourceListener {
  update(update: SourceUpdate): void;
  /** The connection has ended, for a reason in one line. */
  lost(reason: string): void;
}
