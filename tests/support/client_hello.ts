/** A TLS ClientHello to be looked at, not to be answered. */

/** A ClientHello as OpenSSL and browsers write it: a GREASE extension, then the name. */
export function clientHello(serverName: string): Uint8Array {
  const u16 = (value: number) => [value >> 8, value & 255];
  const name = [...new TextEncoder().encode(serverName)];
  const sni = [...u16(name.length + 3), 0, ...u16(name.length), ...name];
  const extensions = [...u16(0x0a0a), ...u16(1), 0, ...u16(0), ...u16(sni.length), ...sni];
  const body = [
    ...[3, 3, ...new Array(32).fill(7)],
    ...[32, ...new Array(32).fill(9)],
    ...[...u16(2), 0x13, 0x01],
    ...[1, 0],
    ...u16(extensions.length),
    ...extensions,
  ];
  const message = [1, 0, ...u16(body.length), ...body];
  return Uint8Array.from([22, 3, 1, ...u16(message.length), ...message]);
}
