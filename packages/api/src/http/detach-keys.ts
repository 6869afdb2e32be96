/** The keys that give a client's terminal back and leave the process running, as Docker has them. Pure. */

/** ctrl-p, ctrl-q. */
const usualKeys: readonly number[] = [0x10, 0x11];

/**
 * Reads keys as clients write them: characters and `ctrl-` with a letter or one of `@[\\]^_`, with commas between them.
 * @returns their bytes; undefined for what is none of these
 */
export function parseDetachKeys(text: string): readonly number[] | undefined {
  if (text === '') return usualKeys;
  const keys = text.split(',').map((key) => {
    if (key.length === 1 && key.charCodeAt(0) < 0x80) return key.charCodeAt(0);
    const [, letter] = /^ctrl-([a-z@[\\\]^_])$/.exec(key) ?? [];
    // The control characters are the capitals and their neighbours without bit 6.
    return letter === undefined ? undefined : letter.toUpperCase().charCodeAt(0) & 0x1f;
  });
  return keys.every((key) => key !== undefined) ? keys : undefined;
}

export interface KeyScan {
  /** What to hand on. */
  readonly data: Uint8Array;
  /** Whether all keys were typed; what comes after them is dropped. */
  readonly isDetached: boolean;
}

/** Finds the keys in typed bytes, also when they come apart. Some of them that others follow are handed on with those. */
export class DetachScanner {
  readonly #keys: readonly number[];
  #matched = 0;

  /** @param keys at least one */
  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  scan(chunk: Uint8Array): KeyScan {
    const keys = this.#keys;
    if (this.#matched === 0 && !chunk.includes(keys[0]!)) return { data: chunk, isDetached: false };
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte !== keys[this.#matched]) {
        out.push(...keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== keys[this.#matched]) out.push(byte);
      else this.#matched += 1;
      if (this.#matched === keys.length) return { data: Uint8Array.from(out), isDetached: true };
    }
    return { data: Uint8Array.from(out), isDetached: false };
  }
}
