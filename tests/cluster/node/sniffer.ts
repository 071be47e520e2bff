/**
 * Sees every byte that crosses the interfaces of a network namespace, and counts the frames with a text in them. Started in it:
 *
 *   nsenter --net=/run/netns/NAME deno run --allow-ffi sniffer.ts TEXT...
 *
 * It prints `ready`, and for each line of its input a line of counts, in the order of the texts.
 */
const AF_PACKET = 17;
const SOCK_RAW = 3;
/** All protocols, in network order. */
const ETH_P_ALL = 0x0300;
const MSG_DONTWAIT = 0x40;
const FRAME_BYTES_MAX = 65_536 + 64;

const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
}).symbols;

const decoder = new TextDecoder("latin1");
const counts = Deno.args.map(() => 0);
const socket = libc.socket(AF_PACKET, SOCK_RAW, ETH_P_ALL);
if (socket < 0) throw new Error("No packet socket: it takes CAP_NET_RAW");
const frame = new Uint8Array(FRAME_BYTES_MAX);

function readAll(): void {
  for (;;) {
    const count = Number(libc.recv(socket, frame, BigInt(frame.length), MSG_DONTWAIT));
    if (count < 0) return;
    const text = decoder.decode(frame.subarray(0, count));
    for (const [at, wanted] of Deno.args.entries()) if (text.includes(wanted)) counts[at]++;
  }
}

console.log("ready");
// The kernel keeps what comes meanwhile, up to its buffer.
const reading = setInterval(readAll, 1);
for await (const _ of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  readAll();
  console.log(counts.join(" "));
}
clearInterval(reading);
