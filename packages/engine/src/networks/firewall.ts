/** Keeps the kernel's ruleset in step with the model: small changes as they come, the whole of it when in doubt. */
import type { NftCommand } from '@seaway/linux/nftables-json';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { fingerprintOfCommands, fingerprintOfObjects, isSameFingerprint } from '../firewall/fingerprint.ts';
import { compileRuleset, type FirewallModel, removalText } from '../firewall/model.ts';
import { tableName } from '../firewall/nft.ts';
import { describeDroppingChain, droppingChains } from '../firewall/others.ts';
import { mapDefinitions } from '../firewall/ports.ts';
import type { Kernel } from '../kernel/kernel.ts';

/** How often it is looked whether somebody else has changed the host's rules; one look costs microseconds. */
const LOOK_MS = 500;

export class Firewall {
  readonly #kernel: Kernel;
  readonly #model: () => FirewallModel;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #reported: readonly string[] = [];

  /** @param model what the ruleset should be, whenever it is asked for */
  constructor(kernel: Kernel, model: () => FirewallModel, log: Log) {
    this.#kernel = kernel;
    this.#model = model;
    this.#log = log;
  }

  /** Puts the whole ruleset in place, in one transaction. */
  async apply(): Promise<void> {
    await this.#kernel.changes.run('replaceFirewall', {
      definitions: mapDefinitions,
      commands: compileRuleset(this.#model()),
      removal: removalText,
    });
  }

  /**
   * Makes a change that the model holds already. Where somebody has taken away what it builds on, the whole ruleset
   * is put back.
   */
  async change(commands: readonly NftCommand[]): Promise<void> {
    if (commands.length === 0) return;
    try {
      await this.#kernel.changes.run('applyFirewall', commands);
    } catch (error) {
      this.#log.warn(
        { error: messageOf(error) },
        'the firewall was not as it should be: it is put in place anew',
      );
      await this.apply();
    }
  }

  /** What other programs' firewalls do to the traffic of containers, in sentences. */
  async obstacles(): Promise<readonly string[]> {
    const chains = await this.#kernel.changes.run('hostChains');
    return droppingChains(chains).map(describeDroppingChain);
  }

  /** Writes obstacles to the log that were not there when it was asked last. */
  async reportObstacles(): Promise<void> {
    const obstacles = await this.obstacles();
    for (const obstacle of obstacles) {
      if (!this.#reported.includes(obstacle)) this.#log.warn({}, obstacle);
    }
    this.#reported = obstacles;
  }

  /** From now on the ruleset is put back when somebody else takes it away, or a part of it. */
  watch(): void {
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref();
  }

  unwatch(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    try {
      if (!(await this.#kernel.changes.run('isRulesetDisturbed'))) return;
      await this.reportObstacles();
      // Changes of ours that are under way are in the model already, and in the kernel by the time of the answer.
      const there = fingerprintOfObjects(await this.#kernel.changes.run('ownTables', tableName));
      const wanted = fingerprintOfCommands(compileRuleset(this.#model()));
      if (isSameFingerprint(there, wanted)) return;
      this.#log.warn({}, 'somebody has changed the firewall of Seaway: it is put back');
      await this.apply();
    } catch (error) {
      this.#log.error({ error: messageOf(error) }, 'the firewall could not be looked at');
    }
  }
}
