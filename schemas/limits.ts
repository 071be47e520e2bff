/**
 * Every bound on input, with its unit and the reason for the number. Crossing one is a `limit-exceeded`
 * Finding; what was within the bound still counts.
 */
export const MANIFEST_LIMITS = {
  /**
   * Bytes of one file. Kubernetes refuses objects over 1.5 MiB, so this holds at least ten of the largest
   * and some 40 000 usual ones; reading that much YAML takes several seconds already.
   */
  fileBytesMax: 16 * 1024 * 1024,
  /** Bytes of all files of one call: a dump of a large cluster, with the whole of it in memory at once. */
  totalBytesMax: 64 * 1024 * 1024,
  /** YAML documents and List items of one call: ten Services of each of 10 000 namespaces, the cluster maximum. */
  documentsMax: 100_000,
  /** Levels of maps and lists in one document. A Pod has 12; recursion deeper than this is never a manifest. */
  nestingMax: 100,
  /**
   * Nodes that the aliases of one document may stand for, each time they are used. Compose-style anchors stand
   * for hundreds; nine levels of nine ("billion laughs") for 3 * 10^9.
   */
  aliasNodesMax: 100_000,
  /** Pods made of one workload: Kubernetes lists no more addresses than this in one Endpoints object. */
  workloadReplicasMax: 1_000,
  /** Pods made of all workloads of one call: what Kubernetes supports in one cluster. */
  totalReplicasMax: 150_000,
  /** Sum of the weights of a split, so that products of weights and counts stay exact in a double. */
  weightTotalMax: 2 ** 31 - 1,
} as const;

/** The longest text that can mean a weight; longer ones are refused before any arithmetic. */
export const WEIGHT_TEXT_LENGTH_MAX = 64;

/** The largest exponent that can mean a weight. */
export const WEIGHT_EXPONENT_MAX = 18;

/** Fields above a pod template in an object of a kind that is not known: training jobs have five. */
export const TEMPLATE_DEPTH_MAX = 8;
