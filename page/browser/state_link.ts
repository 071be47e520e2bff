/** The page's state in a link: packed into the fragment, which no server ever sees. Bounded both ways. */
import type { PageFile, PageState } from "../page_data.ts";
import { LINK_CHARACTERS_MAX, LINK_STATE_BYTES_MAX, PICTURE_REQUESTS_MAX } from "../limits.ts";

/** Of this form of links. */
const VERSION = "1.";

/** What stands after `#`; null: it is too much for a link. */
export async function packState(state: PageState): Promise<string | null> {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  if (bytes.length > LINK_STATE_BYTES_MAX) return null;
  const packed = await collect(piped(bytes, new CompressionStream("deflate-raw")), Infinity);
  const base64 = btoa(Array.from(packed ?? [], (byte) => String.fromCharCode(byte)).join(""));
  const text = VERSION + base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return text.length > LINK_CHARACTERS_MAX ? null : text;
}

/** The state of a link; null: it is none, or a broken one. */
export async function unpackState(fragment: string): Promise<PageState | null> {
  const text = fragment.replace(/^#/, "");
  if (!text.startsWith(VERSION) || text.length > LINK_CHARACTERS_MAX) return null;
  try {
    const base64 = text.slice(VERSION.length).replaceAll("-", "+").replaceAll("_", "/");
    const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const unpacked = piped(packed, new DecompressionStream("deflate-raw"));
    const bytes = await collect(unpacked, LINK_STATE_BYTES_MAX);
    return bytes === null ? null : readState(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}

function piped(bytes: Uint8Array<ArrayBuffer>, through: GenericTransformStream) {
  return new Blob([bytes]).stream().pipeThrough<Uint8Array>(through);
}

/** All bytes of a stream; null where there are more. */
async function collect(
  stream: ReadableStream<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (const reader = stream.getReader();;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** A link can say anything: what is not of its form is refused as a whole. */
function readState(value: unknown): PageState | null {
  if (typeof value !== "object" || value === null) return null;
  const { files, namespace, isEnforced, mesh = "", method, url, headers, from, count } =
    value as Partial<
      Record<keyof PageState, unknown>
    >;
  if (!Array.isArray(files) || files.length === 0 || !files.every(isFile)) return null;
  if (typeof namespace !== "string" || typeof isEnforced !== "boolean") return null;
  if (typeof method !== "string" || typeof url !== "string" || typeof headers !== "string") {
    return null;
  }
  if (typeof from !== "string" || typeof count !== "number") return null;
  if (typeof mesh !== "string") return null;
  if (!(count >= 1 && count <= PICTURE_REQUESTS_MAX) || !Number.isInteger(count)) return null;
  return { files, namespace, isEnforced, mesh, method, url, headers, from, count };
}

function isFile(value: unknown): value is PageFile {
  if (typeof value !== "object" || value === null) return false;
  const { name, text } = value as Partial<Record<keyof PageFile, unknown>>;
  return typeof name === "string" && typeof text === "string";
}
