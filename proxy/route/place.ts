/**
 * Where the proxy stands: before clients that send to it, clients that know nothing of it, or the application beside it. A copy
 * has the head that its request went out with.
 */
export type Place = "outbound" | "captured" | "inbound" | "copy";
