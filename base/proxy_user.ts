/** The user that a sidecar runs as in a pod. What it sends is told from the application's by this number, of user or group. */
export const PROXY_USER_ID = 1500;
