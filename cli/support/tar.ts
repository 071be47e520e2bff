/** Files to a packed archive (ustar, gzip). Pure: texts in, bytes out. */

const BLOCK = 512;

interface ArchivedFile {
  /** At most 100 bytes. */
  readonly path: string;
  readonly text: string;
}

export async function packFiles(files: readonly ArchivedFile[]): Promise<Uint8Array> {
  const blocks = files.flatMap(({ path, text }) => {
    const content = new TextEncoder().encode(text);
    const padded = new Uint8Array(Math.ceil(content.length / BLOCK) * BLOCK);
    padded.set(content);
    return [headOf(path, content.length), padded];
  });
  // Two empty blocks are the end.
  const plain = new Blob([...blocks, new Uint8Array(2 * BLOCK)]).stream();
  const packed = plain.pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

function headOf(path: string, size: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => head.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(0, path.slice(0, 100));
  put(100, `${octal(0o644, 7)}\0`);
  put(108, `${octal(0, 7)}\0`);
  put(116, `${octal(0, 7)}\0`);
  put(124, `${octal(size, 11)}\0`);
  put(136, `${octal(0, 11)}\0`);
  // The sum is taken with spaces in its own place.
  put(148, " ".repeat(8));
  put(156, "0");
  put(257, "ustar\0" + "00");
  const sum = head.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return head;
}
