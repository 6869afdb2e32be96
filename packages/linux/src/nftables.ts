/**
 * nf_tables through libnftables, in this process: transactions and listings in its JSON form.
 *
 * One Nftables is one libnftables context with one nfnetlink socket, to be kept for long: closing such a socket
 * after a deletion waits until the kernel has destroyed what was deleted. Nothing is written to stdout or stderr.
 * Calls are synchronous; a failing transaction sleeps in the kernel (10 ms or more), so this belongs on a
 * KernelThread too. Source: libnftables(3), libnftables-json(5).
 */
import koffi, { type LibraryHandle } from 'koffi';
import { errnoNameOfText } from './errno.ts';
import { dup } from './libc.ts';
import { NamespaceHandle, openNamespace, runInNamespace } from './netns.ts';
import { NftablesError } from './nftables-error.ts';
import type { NftCommand, NftFamily, NftObject } from './nftables-json.ts';

const LIBRARY = 'libnftables.so.1';

/** Output flags. Source: nftables/libnftables.h, NFT_CTX_OUTPUT_*. */
const OUTPUT_TEXT = 0;
const OUTPUT_HANDLE = 1 << 3;
const OUTPUT_JSON = 1 << 4;

/** How often a transaction is sent again that another program's change overtook. */
const ATTEMPTS = 5;

/** What `list` lists. The kernel answers ENOENT for a named thing that does not exist. */
export type NftListing =
  | { readonly kind: 'ruleset'; readonly family?: NftFamily }
  | { readonly kind: 'tables'; readonly family?: NftFamily }
  | { readonly kind: 'chains'; readonly family?: NftFamily }
  | { readonly kind: 'table'; readonly family: NftFamily; readonly name: string }
  | {
      readonly kind: 'chain' | 'set' | 'map' | 'counter';
      readonly family: NftFamily;
      readonly table: string;
      readonly name: string;
    };

/** A libnftables context. The pointer stays in here. */
export class Nftables implements Disposable {
  readonly #library: Library;
  readonly #namespace: NamespaceHandle | undefined;
  #context: unknown;
  #flags = OUTPUT_TEXT;

  private constructor(library: Library, namespace: NamespaceHandle | undefined) {
    this.#library = library;
    this.#namespace = namespace;
    this.#context = this.#inside(() => library.contextNew(0));
    library.bufferOutput(this.#context);
    library.bufferError(this.#context);
  }

  /**
   * Opens a context that speaks about one namespace ever after.
   * Throws NftablesError when the library is not installed, LinuxError when the namespace cannot be entered.
   * @param options.namespace its path or handle (which is duplicated). @default that of the calling thread
   */
  static open({ namespace }: { readonly namespace?: string | NamespaceHandle } = {}): Nftables {
    const library = loadLibrary();
    const handle = namespace === undefined ? undefined : ownHandle(namespace);
    try {
      return new Nftables(library, handle);
    } catch (error) {
      handle?.close();
      throw error;
    }
  }

  /**
   * Applies the commands as one transaction: all of them or, when it throws, none. An empty list does nothing.
   * Throws NftablesError.
   */
  apply(commands: readonly NftCommand[]): void {
    if (commands.length === 0) return;
    const text = JSON.stringify({ nftables: commands });
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#run(text, OUTPUT_JSON);
        return;
      } catch (error) {
        // ERESTART: the ruleset's generation changed between our look at it and our commit. Nothing was applied.
        const overtaken = error instanceof NftablesError && error.code === 'ERESTART';
        if (!overtaken || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Lists objects, with their handles. Throws NftablesError (code ENOENT when the named thing does not exist). */
  list(what: NftListing): NftObject[] {
    const { kind, ...where } = what;
    const reference = Object.keys(where).length === 0 ? null : where;
    const output = this.#run(
      JSON.stringify({ nftables: [{ list: { [kind]: reference } }] }),
      OUTPUT_JSON | OUTPUT_HANDLE,
    );
    const { nftables } = JSON.parse(output) as { nftables: NftObject[] };
    return nftables.filter((object) => !('metainfo' in object));
  }

  /** Runs commands in the language of nft(8) and returns what they print. Throws NftablesError. */
  run(text: string): string {
    return this.#run(text, OUTPUT_TEXT);
  }

  /** Frees the context. Closing again does nothing. */
  close(): void {
    if (this.#context === undefined) return;
    this.#library.contextFree(this.#context);
    this.#context = undefined;
    this.#namespace?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #run(text: string, flags: number): string {
    const context = this.#context;
    if (context === undefined) throw new NftablesError('this nftables context is closed', '');
    if (flags !== this.#flags) {
      this.#library.setFlags(context, flags);
      this.#flags = flags;
    }
    const buffer = Buffer.from(`${text}\0`);
    const status = this.#inside(() => this.#library.run(context, buffer));
    const output = this.#library.takeOutput(context) ?? '';
    const errors = this.#library.takeErrors(context) ?? '';
    if (status !== 0) throw toError(errors || output);
    return output;
  }

  /**
   * Runs in the context's namespace. The socket alone would not do: libnftables opens a new one, in the
   * namespace of the calling thread, when a listing is interrupted by a change. Entering costs 10 us.
   */
  #inside<T>(fn: () => T): T {
    return this.#namespace === undefined ? fn() : runInNamespace(this.#namespace, fn);
  }
}

/** `internal:0:0-0: Error: Could not process rule: File exists` and the like, several lines for one error. */
function toError(output: string): NftablesError {
  const first = output.split('\n').find((line) => line.trim() !== '') ?? 'libnftables failed without a word';
  const message = first.replace(/^(\S+:\d+:\d+-\d+: )?Error: /, '');
  const text = message.replace(/^.*Could not process rule: /, '').split(';')[0]!;
  return new NftablesError(`nftables: ${message}`, output, errnoNameOfText(text.trim()));
}

function ownHandle(namespace: string | NamespaceHandle): NamespaceHandle {
  if (typeof namespace === 'string') return openNamespace(namespace);
  return new NamespaceHandle(dup(namespace.fd), namespace.path);
}

type Library = ReturnType<typeof bindLibrary>;

let loaded: Library | undefined;

function loadLibrary(): Library {
  loaded ??= bindLibrary();
  return loaded;
}

function bindLibrary() {
  const library = openLibrary();
  return {
    contextNew: library.func('void *nft_ctx_new(uint32_t flags)'),
    contextFree: library.func('void nft_ctx_free(void *context)'),
    bufferOutput: library.func('int nft_ctx_buffer_output(void *context)'),
    bufferError: library.func('int nft_ctx_buffer_error(void *context)'),
    /** What was printed since the last call, which empties the buffer. */
    takeOutput: library.func('const char *nft_ctx_get_output_buffer(void *context)'),
    takeErrors: library.func('const char *nft_ctx_get_error_buffer(void *context)'),
    setFlags: library.func('void nft_ctx_output_set_flags(void *context, uint flags)'),
    run: library.func('int nft_run_cmd_from_buffer(void *context, const uint8_t *text)'),
  };
}

function openLibrary(): LibraryHandle {
  try {
    return koffi.load(LIBRARY);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NftablesError(`${LIBRARY} cannot be loaded: install the Debian package libnftables1`, reason);
  }
}
