/** One look into a container's files: the helper that looks, in the engine's errors. */
import { EngineError, internal, invalid, notFound } from '../base/errors.ts';
import { type FilesHelper, HelperFailure } from '../files/helper.ts';
import type { FileChange, PathStat } from '../files/protocol.ts';
import type { Bytes } from '../images/archive.ts';
import type { ContainerRecord } from '../model/container.ts';

/** One piece of work; whoever began it ends it. */
export class FilesSession implements AsyncDisposable {
  readonly container: ContainerRecord;
  readonly #helper: FilesHelper;
  readonly #named: { readonly reference: string; readonly path?: string | undefined };
  readonly #end: () => Promise<void>;
  #hasBegun = false;
  #ended: Promise<void> | undefined;

  constructor(
    helper: FilesHelper,
    container: ContainerRecord,
    named: { readonly reference: string; readonly path?: string | undefined },
    end: () => Promise<void>,
  ) {
    this.container = container;
    this.#helper = helper;
    this.#named = named;
    this.#end = end;
  }

  async begun(): Promise<PathStat> {
    const stat = await this.#inWords(this.#helper.begun);
    this.#hasBegun = true;
    return stat as PathStat;
  }

  async begunOrEnd(): Promise<PathStat> {
    try {
      return await this.begun();
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  done(): Promise<readonly FileChange[]> {
    return this.#inWords(this.#helper.done);
  }

  feed(source: Bytes): Promise<void> {
    return this.#helper.feed(source);
  }

  async *content(): Bytes {
    yield* this.#helper.output as AsyncIterable<Uint8Array>;
    await this.done();
  }

  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  async #inWords<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      throw error instanceof HelperFailure ? this.#engineError(error) : error;
    }
  }

  #engineError({ failure: { code, message } }: HelperFailure): EngineError {
    const { reference, path } = this.#named;
    if (code === 'ENOENT' && !this.#hasBegun && path !== undefined) {
      return notFound('path-not-found', `Could not find the file ${path} in container ${reference}`, {
        path,
      });
    }
    // Codes in kebab case are our own: the helper refuses what it is asked.
    if (/^[a-z]+(-[a-z]+)+$/.test(code))
      return new EngineError('invalid', message, { code, facts: { path } });
    if (askersErrors.has(code)) return invalid('path-unusable', message, { path });
    return internal('files-helper-failed', message, { path, code });
  }
}

/** The system's errors that speak of what was asked for and not of the machine. */
const askersErrors: ReadonlySet<string> = new Set([
  'EACCES',
  'EBUSY',
  'EEXIST',
  'EISDIR',
  'ELOOP',
  'EMLINK',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'ENOTEMPTY',
  'ENXIO',
  'EPERM',
  'EROFS',
  'EXDEV',
]);
