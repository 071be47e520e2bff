/** What a page is given by the program that makes or serves it. It stands in the page as JSON. */

/** A text and its name, as places name it. */
export interface PageFile {
  readonly name: string;
  readonly text: string;
}

/** All that a person sets on the page, and a link holds. */
export interface PageState {
  readonly files: readonly PageFile[];
  /** Of resources that name none. */
  readonly namespace: string;
  /** Traffic targets are enforced. */
  readonly isEnforced: boolean;
  readonly method: string;
  /** Empty: that of the first Service. */
  readonly url: string;
  /** The mesh that answers: one of `offline/compat/`, or, empty, Weft. */
  readonly mesh: string;
  /** `Name: value` each, one a line. */
  readonly headers: string;
  /** `NAMESPACE[/SERVICEACCOUNT]`; empty: the namespace of the manifests. */
  readonly from: string;
  /** Requests in the picture. */
  readonly count: number;
}

/** The manifests of a running mesh. */
export interface MeshManifests {
  readonly files: readonly PageFile[];
  readonly namespace: string;
  readonly isEnforced: boolean;
}

export interface PageData {
  /** Of the CustomResourceDefinitions, by file: the page checks manifests by them. */
  readonly definitions: Readonly<Record<string, string>>;
  readonly state: PageState;
  /** Served by `weft up`: the page asks it for its manifests and its counters. */
  readonly isLive: boolean;
}

/** The element of the page that holds it. */
export const PAGE_DATA_ID = "weft-data";

/** Where `weft up` answers, beside the page. */
export const MESH_PATHS = {
  page: "/playground",
  manifests: "/playground/manifests",
  metrics: "/playground/metrics",
} as const;
