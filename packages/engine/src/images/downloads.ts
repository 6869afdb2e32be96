/**
 * Layers on their way from registries. Who wants one that is on its way already waits for the same download; it is given
 * up when nobody waits for it any more. A few go on at a time.
 */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, internal } from '../base/errors.ts';
import { archiveError } from './archive.ts';
import type { ImageCore } from './image-core.ts';
import { measureUnpacked, type StoredLayer } from './layers.ts';
import type { Descriptor } from './manifest.ts';
import { shortDigest, throttled } from './progress.ts';
import type { RegistrySettings } from './registry/endpoints.ts';
import type { Exchange } from './registry/exchange.ts';
import { RefusedError } from './registry/session.ts';

/** What is told of a layer. */
export type LayerReport = (status: string, current?: number, total?: number) => void;

export interface LayerSource {
  readonly layer: Descriptor;
  /** Asks the registry for the blob from a byte on. */
  readonly open: (from: number) => Promise<Exchange>;
}

interface Running {
  /** Who waits, and the way to the registry that each brought along and takes away with it. */
  readonly waiting: Map<LayerReport, LayerSource>;
  readonly controller: AbortController;
  /** Whether it is its turn, or was. */
  readonly hasBegun: () => boolean;
  readonly result: Promise<StoredLayer>;
}

interface Job {
  readonly layer: Descriptor;
  readonly signal: AbortSignal;
  readonly attempts: number;
  readonly report: LayerReport;
  /** Of one who still waits. */
  readonly source: () => LayerSource | undefined;
}

const CONCURRENT = 3;
export const ATTEMPTS = 5;
const RETRY_MS = 1000;

export class Downloads {
  readonly #core: ImageCore;
  readonly #running = new Map<string, Running>();
  readonly #attempts: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(core: ImageCore, limits: Pick<RegistrySettings, 'concurrentDownloads' | 'attempts'> = {}) {
    this.#core = core;
    this.#free = limits.concurrentDownloads ?? CONCURRENT;
    this.#attempts = limits.attempts ?? ATTEMPTS;
  }

  /**
   * Brings a layer into the store; the caller holds a lease on it.
   * @throws RefusedError, internal when it cannot be had or is damaged, what `signal` aborts with
   */
  async fetch(source: LayerSource, report: LayerReport, signal?: AbortSignal): Promise<StoredLayer> {
    signal?.throwIfAborted();
    const running = this.#running.get(source.layer.digest) ?? this.#start(source.layer);
    running.waiting.set(report, source);
    if (!running.hasBegun()) report('Waiting');
    const aborted = Promise.withResolvers<never>();
    const leave = (): void => aborted.reject(signal?.reason);
    signal?.addEventListener('abort', leave);
    try {
      return await Promise.race([running.result, aborted.promise]);
    } finally {
      signal?.removeEventListener('abort', leave);
      running.waiting.delete(report);
      if (running.waiting.size === 0) {
        running.controller.abort();
        // Only when it is over is its folder gone.
        await running.result.catch(() => {});
      }
    }
  }

  #start(layer: Descriptor): Running {
    const controller = new AbortController();
    const waiting = new Map<LayerReport, LayerSource>();
    const job: Job = {
      layer,
      signal: controller.signal,
      attempts: this.#attempts,
      source: () => waiting.values().next().value,
      report: (...args) => {
        for (const report of waiting.keys()) report(...args);
      },
    };
    let hasBegun = false;
    const result = this.#inTurn(() => {
      hasBegun = true;
      return this.#download(job);
    }, controller.signal);
    result.catch(() => {});
    const running = { waiting, controller, hasBegun: () => hasBegun, result };
    this.#running.set(layer.digest, running);
    const forget = (): void => {
      if (this.#running.get(layer.digest) === running) this.#running.delete(layer.digest);
    };
    controller.signal.addEventListener('abort', forget);
    void result.then(forget, forget);
    return running;
  }

  async #inTurn<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }

  async #download(job: Job): Promise<StoredLayer> {
    const { signal, report } = job;
    const { digest, sizeBytes, mediaType } = job.layer;
    // The download's own lease, as those who wait for it may come and go.
    using lease = this.#core.files.blobs.lease();
    lease.hold(digest);
    await using staging = await this.#core.files.openStaging();
    const path = staging.fresh();
    try {
      const actual = await receiveBlob(job, path);
      report('Verifying Checksum');
      if (actual !== digest) throw damaged(`filesystem layer verification failed for digest ${digest}`);
      const unpacked = await measureUnpacked(path).catch((error) => {
        throw damaged(`layer ${digest} cannot be read: ${error.message}`);
      });
      signal.throwIfAborted();
      await this.#core.files.blobs.add(path, digest);
      report('Download complete');
      return { digest, sizeBytes, mediaType, diffId: unpacked.digest, unpackedBytes: unpacked.sizeBytes };
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof RefusedError ? error : archiveError(error);
    }
  }
}

/** Writes a blob to a file, and to the disk; goes on where a broken connection left off. @returns its digest */
async function receiveBlob(job: Job, path: string): Promise<string> {
  const { layer, signal, report } = job;
  const total = layer.sizeBytes;
  const tell = throttled((current) => report('Downloading', current, total), total);
  const file = await open(path, 'wx', 0o600);
  try {
    let hash = createHash('sha256');
    let received = 0;
    for (let attempt = 1; received < total; ) {
      const source = job.source();
      try {
        if (!source) throw new Error('nobody waits for it');
        const answer = await source.open(received);
        if (received > 0 && answer.status !== 206) {
          await file.truncate(0);
          hash = createHash('sha256');
          received = 0;
        }
        for await (const chunk of answer.body as AsyncIterable<Buffer>) {
          if (received + chunk.length > total) {
            throw damaged(`layer ${layer.digest} is longer than its manifest says`);
          }
          hash.update(chunk);
          await file.write(chunk, 0, chunk.length, received);
          received += chunk.length;
          tell(received);
        }
        if (received < total) throw new Error('unexpected EOF');
      } catch (error) {
        signal.throwIfAborted();
        // Whoever asked has gone and taken the connection along; the next in line goes on at once.
        if (await hasLeft(job, source)) continue;
        if (isFinal(error) || attempt >= job.attempts) throw interrupted(error, layer);
        report(`Retrying in ${(attempt * RETRY_MS) / 1000} seconds`);
        await delay(attempt * RETRY_MS, undefined, { signal });
        attempt += 1;
      }
    }
    await file.sync();
    return `sha256:${hash.digest('hex')}`;
  } finally {
    await file.close();
  }
}

/** The connection breaks a moment before its owner is off the list. */
async function hasLeft(job: Job, source: LayerSource | undefined): Promise<boolean> {
  await delay(0, undefined, { signal: job.signal });
  return job.source() !== source;
}

/** Asking again would not help. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof RefusedError ||
    isDiskError(error) ||
    (error instanceof EngineError && error.code !== 'registry-unreachable')
  );
}

function isDiskError(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** RFC 9110, section 15.5.17: what is asked for begins behind the end of what there is. */
const RANGE_NOT_SATISFIABLE = 416;

function interrupted(error: unknown, layer: Descriptor): unknown {
  const isShort = error instanceof RefusedError && error.refusal.status === RANGE_NOT_SATISFIABLE;
  const isTold = error instanceof RefusedError || error instanceof EngineError || isDiskError(error);
  if (isTold && !isShort) return error;
  const message = `the download of layer ${shortDigest(layer.digest)} broke off: unexpected EOF`;
  return internal('registry-failed', message, {}, error);
}

function damaged(message: string): EngineError {
  return internal('registry-content-damaged', message);
}
