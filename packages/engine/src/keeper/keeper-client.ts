/**
 * The daemon's side of the keeper: finds it or starts it, feeds it, replaces it when it dies or is of another version.
 *
 * The daemon's state is the truth. Whenever a connection is made the keeper gets all of it, and changes in between;
 * after a loss the changes that were not acknowledged are sent again behind it.
 */
import { readdirSync } from 'node:fs';
import { internal, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { ConnectionLost, KeeperConnection, startKeeper } from './keeper-process.ts';
import {
  type HeldSocket,
  KEEPER_VERSION,
  type KeeperChange,
  type KeeperComplaint,
  type KeeperState,
  type PortFailure,
  type PortHolder,
  type SandboxFailure,
  type ServedSockets,
  versionOfSocket,
} from './protocol.ts';

/** A keeper that lived shorter than this before it died is replaced more slowly each time. */
const STABLE_MS = 10_000;
const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 5000;

/** How long a keeper may have nothing to serve before it is let go: the next container may come soon. */
const REST_AFTER_MS = 3000;

/** How often a change is sent again over a new connection. */
const ATTEMPTS = 4;
/** A keeper that is just ending still holds its lock: how often, and after what pause, it is tried again. */
const START_ATTEMPTS = 50;
const START_PAUSE_MS = 20;

export interface KeeperClientOptions {
  /** The run folder, which the keeper's socket is in. */
  readonly folder: string;
  /** All that is to be served: asked for each time a keeper must be filled. */
  readonly state: () => KeeperState;
  /** Whether there will soon be something to serve, so that a keeper with nothing to do stays. @default never */
  readonly isExpected?: () => boolean;
  readonly log: Log;
  /** Ports of the state that the keeper could not hold when it was filled; they are logged already. @default nobody hears */
  readonly onPortFailures?: (failures: readonly PortFailure[]) => void;
  /** For tests of replacement. @default KEEPER_VERSION */
  readonly version?: number;
}

export class KeeperClient {
  readonly #folder: string;
  readonly #state: () => KeeperState;
  readonly #log: Log;
  readonly #onPortFailures: (failures: readonly PortFailure[]) => void;
  readonly #version: number;
  readonly #isExpected: () => boolean;
  #connection: KeeperConnection | undefined;
  /** Settles when all that was asked for so far has been done. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Since when the keeper lives, and how many died young in a row. */
  #bornAt = 0;
  #earlyDeaths = 0;
  #rest: NodeJS.Timeout | undefined;
  #pause: { readonly timer: NodeJS.Timeout; readonly over: () => void } | undefined;

  constructor(options: KeeperClientOptions) {
    const { folder, state, isExpected, log, onPortFailures = () => {}, version = KEEPER_VERSION } = options;
    this.#isExpected = isExpected ?? (() => false);
    this.#folder = folder;
    this.#state = state;
    this.#log = log;
    this.#onPortFailures = onPortFailures;
    this.#version = version;
  }

  /** The keeper's process, while one is connected. */
  get pid(): number | undefined {
    return this.#connection?.pid;
  }

  /**
   * Finds the keeper that an earlier daemon left, and fills it with the whole state; starts one where there is something
   * to serve and none runs; else does nothing. Sandboxes that cannot be served and ports that cannot be held are logged.
   * @throws internal `resolver-failed` when no keeper can be started
   */
  restore(): Promise<void> {
    return this.#inTurn(() =>
      this.#persist(async () => {
        await this.#connect(this.#hasSomethingToServe());
      }),
    );
  }

  /**
   * Starts the keeper if sandboxes are put and none runs. Resolves when it serves what was put.
   * @throws internal `resolver-failed` naming the first sandbox that cannot be served and why; the others are
   */
  apply(change: KeeperChange): Promise<void> {
    return this.#inTurn(() => this.#apply(change));
  }

  /**
   * Holds exactly these ports for a container: what is new is taken, what is no longer named let go, and what was held
   * already is held on. Resolves, when that is done, with the ports that could not be had.
   * @throws internal `ports-not-held` when no keeper can be started
   */
  hold(holder: PortHolder): Promise<readonly PortFailure[]> {
    return this.#inTurn(() => this.#hold(holder)).catch((error) => {
      const { id } = holder;
      throw internal(
        'ports-not-held',
        `the ports of container ${id} cannot be held: ${messageOf(error)}`,
        { id },
        error,
      );
    });
  }

  /** Lets go of all ports of a container. */
  letGo(id: string): Promise<void> {
    return this.apply({ dropHolders: [id] });
  }

  /**
   * Starts a keeper ahead of the first need, so that no container waits for it; does nothing where nothing is expected.
   * What goes wrong will be seen again when it is needed, and is only logged.
   */
  async prepare(): Promise<void> {
    if (this.#connection !== undefined || !this.#isExpected()) return;
    try {
      await this.#inTurn(() => this.#persist(async () => void (await this.#connect(true))));
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'the keeper was not started ahead of need');
    }
  }

  /** The daemon goes; the keeper stays as long as it has something to serve. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#rest);
    this.#endPause();
    await this.#last.catch(() => {});
    await this.#connection?.close();
    this.#connection = undefined;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      if (this.#closed) throw internal('resolver-failed', 'the resolver is closed');
      return work();
    });
    this.#last = done.catch(() => {}).then(() => this.#considerRest());
    return done;
  }

  /** A keeper with nothing to serve, now and soon, is left alone after a while, and ends then. */
  #considerRest(): void {
    clearTimeout(this.#rest);
    if (this.#connection === undefined || this.#isNeeded()) return;
    this.#rest = setTimeout(() => {
      void this.#inTurn(async () => {
        if (!this.#isNeeded()) await this.#connection?.close();
      }).catch(() => {});
    }, REST_AFTER_MS).unref();
  }

  #isNeeded(): boolean {
    // To be asked first: the other one looks at every container.
    return this.#isExpected() || this.#hasSomethingToServe();
  }

  #apply(change: KeeperChange): Promise<void> {
    const wanted = new Set(change.sandboxes?.map(({ id }) => id));
    return this.#persist(async () => {
      const connection = await this.#connect(wanted.size > 0 || (change.holders ?? []).length > 0);
      if (connection === undefined) return;
      const { failures = [], portFailures = [] } = await connection.ask({ kind: 'change', change });
      this.#logPorts(portFailures);
      const failure = failures.find(({ sandbox }) => wanted.has(sandbox));
      if (failure !== undefined) throw cannotServe(failure);
    });
  }

  #hold(holder: PortHolder): Promise<readonly PortFailure[]> {
    return this.#persist(async () => {
      const connection = await this.#connect(holder.ports.length > 0);
      const done = await connection?.ask({ kind: 'change', change: { holders: [holder] } });
      return done?.portFailures ?? [];
    });
  }

  /** Does it again when the keeper was lost on the way. */
  async #persist<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (attempt === ATTEMPTS) throw internal('resolver-failed', messageOf(error), {}, error);
      }
    }
  }

  /** The filled keeper; undefined where none runs and none is to be started. */
  async #connect(mayStart: boolean): Promise<KeeperConnection | undefined> {
    if (this.#connection !== undefined) return this.#connection;
    const others = await this.#otherKeepers();
    let connection: KeeperConnection | undefined;
    try {
      connection = await this.#find(mayStart);
      const failed = connection === undefined ? [] : await this.#fill(connection, others);
      // Only now, so that every lookup finds one of the two.
      for (const other of others) await other.ask({ kind: 'end' }).catch(() => {});
      if (connection !== undefined) await this.#report(connection, failed, others.length > 0);
    } catch (error) {
      await connection?.close();
      throw error;
    } finally {
      for (const other of others) await other.close();
    }
    if (connection !== undefined) this.#keep(connection);
    return connection;
  }

  async #find(mayStart: boolean): Promise<KeeperConnection | undefined> {
    const open = () =>
      KeeperConnection.open(this.#folder, this.#version, (complaint) => this.#complain(complaint));
    const found = await open();
    if (found !== undefined || !mayStart) return found;
    for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
      await startKeeper(this.#folder, this.#version).catch((error) => {
        throw internal('resolver-failed', `the resolver cannot be started: ${messageOf(error)}`, {}, error);
      });
      const started = await open().catch(() => undefined);
      if (started !== undefined) return started;
      await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
    }
    throw internal('resolver-failed', 'the resolver cannot be started: another one holds its lock', {
      folder: this.#folder,
    });
  }

  /** Keepers of other versions that still run. */
  async #otherKeepers(): Promise<KeeperConnection[]> {
    const found: KeeperConnection[] = [];
    for (const version of this.#versionsInFolder()) {
      const other = await KeeperConnection.open(this.#folder, version, () => {}).catch(() => undefined);
      if (other !== undefined) found.push(other);
    }
    return found;
  }

  #versionsInFolder(): number[] {
    let files: string[];
    try {
      files = readdirSync(this.#folder);
    } catch {
      return []; // No folder yet.
    }
    const versions = files.map(versionOfSocket);
    return versions.filter((version) => version !== undefined && version !== this.#version) as number[];
  }

  /** @returns the ports that could not be had */
  async #fill(
    connection: KeeperConnection,
    others: readonly KeeperConnection[],
  ): Promise<readonly PortFailure[]> {
    const inherited: ServedSockets[] = [];
    const inheritedPorts: HeldSocket[] = [];
    for (const other of others) {
      const answer = await other.ask<'sockets'>({ kind: 'sockets' }).catch(() => undefined);
      inherited.push(...(answer?.sockets ?? []));
      inheritedPorts.push(...(answer?.ports ?? []));
    }
    const request = { kind: 'fill', state: this.#state(), inherited, inheritedPorts } as const;
    const { failures = [], portFailures = [] } = await connection.ask(request);
    for (const { sandbox, reason } of failures) {
      this.#log.error({ sandbox, reason }, 'names cannot be resolved in a sandbox');
    }
    return portFailures;
  }

  /** Tells of ports that could not be had; those that another keeper may have held until just now are tried again. */
  async #report(
    connection: KeeperConnection,
    failed: readonly PortFailure[],
    areFreedNow: boolean,
  ): Promise<void> {
    let failures = failed;
    if (failed.length > 0 && areFreedNow) {
      const affected = new Set(failed.map(({ holder }) => holder));
      const holders = this.#state().holders.filter(({ id }) => affected.has(id));
      failures = (await connection.ask({ kind: 'change', change: { holders } })).portFailures ?? [];
    }
    if (failures.length === 0) return;
    this.#logPorts(failures);
    this.#onPortFailures(failures);
  }

  #logPorts(failures: readonly PortFailure[]): void {
    for (const { holder, port, code } of failures) {
      this.#log.error({ container: holder, ...port, code }, 'a published port cannot be held');
    }
  }

  /** From now on its end is noticed. */
  #keep(connection: KeeperConnection): void {
    this.#connection = connection;
    this.#bornAt = performance.now();
    this.#log.debug({ pid: connection.pid }, 'connected to the keeper');
    void connection.ended.then(() => {
      this.#connection = undefined;
      if (!this.#closed) void this.#replace();
    });
  }

  /** Starts another keeper in place of one that has gone, as long as there is something to serve. */
  async #replace(): Promise<void> {
    if (!this.#hasSomethingToServe()) return;
    const lived = performance.now() - this.#bornAt;
    this.#earlyDeaths = lived < STABLE_MS ? this.#earlyDeaths + 1 : 0;
    this.#log.warn({ livedMs: Math.round(lived) }, 'the keeper has died and is replaced');
    for (;;) {
      await this.#wait();
      if (this.#closed || this.#connection !== undefined || !this.#hasSomethingToServe()) return;
      try {
        await this.restore();
        return;
      } catch (error) {
        if (this.#closed) return;
        this.#earlyDeaths++;
        this.#log.error({ error: messageOf(error) }, 'the keeper cannot be replaced');
      }
    }
  }

  /** The first time not at all, then longer each time. */
  async #wait(): Promise<void> {
    if (this.#earlyDeaths < 2) return;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** (this.#earlyDeaths - 2), LONGEST_DELAY_MS);
    await new Promise<void>((over) => {
      this.#pause = { timer: setTimeout(over, delay), over };
    });
    this.#pause = undefined;
  }

  #endPause(): void {
    clearTimeout(this.#pause?.timer);
    this.#pause?.over();
  }

  #hasSomethingToServe(): boolean {
    const { sandboxes, holders } = this.#state();
    return sandboxes.length > 0 || holders.length > 0;
  }

  #complain({ level, message, fields }: KeeperComplaint): void {
    this.#log[level]({ keeper: true, ...fields }, message);
  }
}

function cannotServe({ sandbox, reason }: SandboxFailure) {
  const text = `names cannot be resolved in sandbox ${sandbox}: ${reason}`;
  return internal('resolver-failed', text, { sandbox, reason });
}
