/** Keeps the kernel's ruleset in step with the model: small changes as they come, the whole of it when in doubt. */
import type { NftCommand } from '@seaway/linux/nftables-json';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { compileRuleset, type FirewallModel, removalText } from '../firewall/model.ts';
import { mapDefinitions } from '../firewall/ports.ts';
import type { Kernel } from '../kernel/kernel.ts';

export class Firewall {
  readonly #kernel: Kernel;
  readonly #model: () => FirewallModel;
  readonly #log: Log;

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
}
