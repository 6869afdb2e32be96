/** The keys that leave a container running and give the terminal back: ctrl-p, ctrl-q, as in Docker. */

const sequence = [0x10, 0x11];

export interface KeyScan {
  /** What to send on. */
  readonly data: Buffer;
  /** True once the whole sequence has been typed; later bytes are dropped. */
  readonly detached: boolean;
}

/**
 * Finds the sequence in typed bytes, also when its keys come in separate chunks. A first key that is not
 * followed by the second one is sent on with what follows.
 */
export class DetachKeys {
  #matched = 0;

  scan(chunk: Buffer): KeyScan {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte === sequence[this.#matched]) {
        this.#matched += 1;
        if (this.#matched === sequence.length) return { data: Buffer.from(out), detached: true };
        continue;
      }
      out.push(...sequence.slice(0, this.#matched));
      this.#matched = byte === sequence[0] ? 1 : 0;
      if (this.#matched === 0) out.push(byte);
    }
    return { data: Buffer.from(out), detached: false };
  }
}
