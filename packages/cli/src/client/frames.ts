/**
 * The framing that carries a container's stdout and stderr over one connection when it has no terminal:
 * 8 bytes of header (stream number, three zero bytes, length as a big-endian 32-bit number), then the payload.
 * Source: Docker Engine API reference, "Attach to a container", stream format.
 */

export type StreamName = 'stdin' | 'stdout' | 'stderr';

/** A run of bytes of one stream. A frame's payload may come in several pieces. */
export interface Piece {
  readonly stream: StreamName;
  readonly data: Buffer;
}

const headerBytes = 8;
const streamNames: readonly StreamName[] = ['stdin', 'stdout', 'stderr'];

/** Takes frames apart, whatever chunks they arrive in, without waiting for a frame to be complete. */
export class FrameDecoder {
  #header = Buffer.alloc(0);
  #stream: StreamName = 'stdout';
  #remainingBytes = 0;

  /**
   * Returns the payload bytes found in `chunk`, in order.
   * @throws Error when a header names no known stream: the bytes are not framed.
   */
  push(chunk: Buffer): Piece[] {
    const pieces: Piece[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#remainingBytes > 0) {
        const data = rest.subarray(0, this.#remainingBytes);
        this.#remainingBytes -= data.length;
        rest = rest.subarray(data.length);
        pieces.push({ stream: this.#stream, data });
      } else {
        const missing = headerBytes - this.#header.length;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.#header.length === headerBytes) this.#readHeader();
      }
    }
    return pieces;
  }

  /** True when the bytes so far end inside a header or a payload: the connection was cut. */
  get isIncomplete(): boolean {
    return this.#header.length > 0 || this.#remainingBytes > 0;
  }

  #readHeader(): void {
    const stream = streamNames[this.#header[0]!];
    if (stream === undefined || this.#header.readUIntBE(1, 3) !== 0) {
      throw new Error('the daemon sent output that is not framed');
    }
    this.#stream = stream;
    this.#remainingBytes = this.#header.readUInt32BE(4);
    this.#header = Buffer.alloc(0);
  }
}
