/** Keeps the kernel's ruleset in step with the model: small changes as they come, the whole of it when in doubt. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NftCommand } from '@seaway/linux/nftables-json';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { compareRulesets, isSameRuleset, type RulesetDifference } from '../firewall/comparison.ts';
import { compileRuleset, type FirewallModel, removalText } from '../firewall/model.ts';
import { tableName } from '../firewall/nft.ts';
import { describeObstacles } from '../firewall/others.ts';
import { mapDefinitions } from '../firewall/ports.ts';
import type { Kernel } from '../kernel/kernel.ts';

/** How often it is looked whether somebody else has changed the host's rules; one look costs microseconds. */
const LOOK_MS = 500;

/** How often an inspection looks before it believes that something is amiss, and how long it waits in between. */
const LOOKS = 3;
const BETWEEN_LOOKS_MS = 20;

/** What is live. */
export interface FirewallInspection extends RulesetDifference {
  /** Our tables in the language of nft(8); empty where there are none. */
  readonly text: string;
}

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

  /** The rules as the kernel has them, and what is missing or foreign among them. */
  async inspect(): Promise<FirewallInspection> {
    for (let attempt = 1; ; attempt++) {
      const { text, objects } = await this.#kernel.changes.run('showOwnTables', tableName);
      const difference = compareRulesets(compileRuleset(this.#model()), objects);
      // The model is ahead of the kernel while a change is on its way there; another look comes behind that.
      if (isSameRuleset(difference) || attempt === LOOKS) return { text, ...difference };
      await sleep(BETWEEN_LOOKS_MS);
    }
  }

  /** What other programs' firewalls do to the traffic of containers, and ours to that of others, in sentences. */
  async obstacles(): Promise<readonly string[]> {
    const chains = await this.#kernel.changes.run('hostChainsAndFilters', tableName);
    const keepsOthersOut = this.#model().dropOtherForwarding.length > 0;
    return describeObstacles(chains, keepsOthersOut);
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
      const there = await this.#kernel.changes.run('ownTables', tableName);
      if (isSameRuleset(compareRulesets(compileRuleset(this.#model()), there))) return;
      this.#log.warn({}, 'somebody has changed the firewall of Seaway: it is put back');
      await this.apply();
    } catch (error) {
      this.#log.error({ error: messageOf(error) }, 'the firewall could not be looked at');
    }
  }
}
