/** Bounds of the page, each with its unit and the reason for the number. */

/** Characters of a link: what browsers, chats and mail programs still pass on whole. */
export const LINK_CHARACTERS_MAX = 32_000;

/** Bytes that a link may unpack to: a packed text can be a thousand times as long as its link. */
export const LINK_STATE_BYTES_MAX = 1024 * 1024;

/** Requests in the picture of a split: more are no longer told apart on a screen. */
export const PICTURE_REQUESTS_MAX = 200;

/** How long the page waits after a keystroke, so that it does not answer in the middle of a word. */
export const TYPING_MS = 120;

/** Steps of the moving picture: as often as an eye tells apart. */
export const PLAY_STEP_MS = 40;

/** All of the moving picture: shorter than a person's patience. */
export const PLAY_MS = 4_000;

/** How often the page asks a running mesh: a person sees it as at once, and the mesh does not notice. */
export const MESH_LOOK_MS = 1_000;

/** Edges of traffic that are drawn; the busiest. */
export const EDGES_MAX = 24;

/** Characters of manifests that a page takes with it: some 2,000 Services, which a browser compiles in a second or two. */
export const PAGE_TEXT_CHARACTERS_MAX = 1024 * 1024;
