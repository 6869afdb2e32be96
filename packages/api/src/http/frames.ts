/**
 * Docker's framing of stdout and stderr in one stream: one byte for the stream, three zero bytes, the length as a
 * big-endian 32-bit number, then the data. Source: Engine API, "Attach to a container", stream format.
 */
const STREAM_NUMBER = { stdout: 1, stderr: 2 } as const;

export function encodeFrame(stream: 'stdout' | 'stderr', data: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(8 + data.length);
  frame.writeUInt32BE(STREAM_NUMBER[stream] * 0x1000000, 0);
  frame.writeUInt32BE(data.length, 4);
  frame.set(data, 8);
  return frame;
}
