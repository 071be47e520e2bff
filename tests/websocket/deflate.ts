/** permessage-deflate (RFC 7692) by way of zlib: one end's compressor and decompressor, with or without a context. */
import zlib from "node:zlib";
import { concat } from "./tester.ts";

/** What deflate writes at a flush, and a message goes without. */
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);

export class Deflate {
  readonly #keepsContext: boolean;
  #deflater = zlib.createDeflateRaw();
  #inflater = zlib.createInflateRaw();

  constructor(keepsContext: boolean) {
    this.#keepsContext = keepsContext;
  }

  async compress(message: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#keepsContext) this.#deflater = zlib.createDeflateRaw();
    const bytes = await flushed(this.#deflater, message);
    return bytes.slice(0, -TAIL.length);
  }

  async decompress(payload: Uint8Array): Promise<Uint8Array> {
    if (!this.#keepsContext) this.#inflater = zlib.createInflateRaw();
    return await flushed(this.#inflater, concat([payload, TAIL]));
  }
}

function flushed(
  stream: zlib.DeflateRaw | zlib.InflateRaw,
  bytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const take = (part: Uint8Array) => parts.push(part);
  stream.on("data", take);
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.write(bytes);
    stream.flush(zlib.constants.Z_SYNC_FLUSH, () => {
      stream.off("data", take);
      stream.off("error", reject);
      resolve(concat(parts));
    });
  });
}
